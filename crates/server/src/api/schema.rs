//! `GET /schema`: what is stored, what a filter may name, which metrics there are.

use axum::Json;
use weir_model::{Layer, Level};
use weir_schema::{FORMAT_VERSION, Table, fields, metrics};

use super::params::NoParams;
use super::status_types::{ColumnSchema, FieldSchema, MetricSchema, SchemaAnswer, TableSchema};
use crate::problem::Problem;

/// Columns, filter fields and metrics.
#[utoipa::path(
    get,
    path = "/api/v1/schema",
    responses(
        (status = OK, body = SchemaAnswer),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn schema(_: NoParams) -> Json<SchemaAnswer> {
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
    })
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
