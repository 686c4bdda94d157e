//! `GET /schema`: what is stored, what a filter may name, which metrics there are, and where an
//! operator says that more is to be found.

use axum::Json;
use axum::extract::State;
use weir_model::{Layer, Level};
use weir_schema::{FORMAT_VERSION, Table, fields, metrics};

use super::params::NoParams;
use super::status_types::{
    ColumnSchema, FieldSchema, LinkTemplate, MetricSchema, SchemaAnswer, TableSchema,
};
use crate::links::Link;
use crate::problem::Problem;
use crate::state::AppState;

/// Columns, filter fields, metrics and links.
#[utoipa::path(
    get,
    path = "/api/v1/schema",
    responses(
        (status = OK, body = SchemaAnswer),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn schema(State(state): State<AppState>, _: NoParams) -> Json<SchemaAnswer> {
    let metric = |metric: &weir_schema::Metric| MetricSchema {
        name: metric.name,
        layer: metric.layer.as_str(),
        unit: metric.unit,
        mirror: metric.mirror,
        label: metric.label,
        doc: metric.doc,
    };
    Json(SchemaAnswer {
        format_version: FORMAT_VERSION,
        tables: Table::ALL.into_iter().map(table).collect(),
        metrics: Layer::ALL
            .iter()
            .flat_map(|layer| metrics(Table::of_flows(*layer)))
            .map(metric)
            .collect(),
        levels: Level::ALL.iter().map(|level| level.as_str()).collect(),
        links: state.options.links.iter().map(link).collect(),
    })
}

fn link(Link { name, url }: &Link) -> LinkTemplate {
    LinkTemplate { name: name.clone(), url: url.clone() }
}

fn table(table: Table) -> TableSchema {
    let column = |column: &weir_schema::Column| ColumnSchema {
        name: column.name,
        ty: column.ty,
        unit: column.unit,
        merge: column.merge,
        nullable: column.nullable,
        filterable: column.filterable,
        since: column.since,
        doc: column.doc,
    };
    let field = |field: weir_schema::Field| FieldSchema {
        name: field.name,
        kind: field.kind,
        side: field.side,
        column: field.column,
        is_key: field.is_key,
        doc: field.doc,
    };
    TableSchema {
        name: table.name(),
        columns: table.columns().iter().map(column).collect(),
        fields: fields(table).into_iter().map(field).collect(),
    }
}
