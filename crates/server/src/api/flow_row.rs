//! The OpenAPI schema of a flow row, made from the column and metric tables.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};
use weir_model::Layer;
use weir_schema::{Column, ColumnType, Formula, Table, metrics};

/// A row of `l4_flows` as a flat object; it exists as a schema only.
pub struct FlowRow;

impl PartialSchema for FlowRow {
    fn schema() -> RefOr<Schema> {
        let mut row = ObjectBuilder::new()
            .description(Some("One flow: the columns of l4_flows, both ends also by role"))
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
        let mut add = |name: &str, property: ObjectBuilder| {
            let old = std::mem::take(&mut row);
            row = old.property(name, property).required(name);
        };
        let columns = Table::L4Flows.columns();
        for column in columns {
            add(column.name, property(column));
            let Some(rest) = column.name.strip_prefix("local_") else { continue };
            let remote = format!("remote_{rest}");
            if let Some(remote) = columns.iter().find(|column| column.name == remote) {
                let nullable = Column { nullable: column.nullable || remote.nullable, ..*column };
                for role in ["client", "server"] {
                    let name = format!("{role}_{rest}");
                    let doc = format!("local_{rest} or remote_{rest}: that of the {role}");
                    add(&name, property(&nullable).description(Some(doc)));
                }
            }
        }
        for metric in metrics(Layer::L4) {
            if matches!(metric.formula, Formula::Ratio { .. }) {
                let ty = SchemaType::from_iter([Type::Number, Type::Null]);
                let number = ObjectBuilder::new().schema_type(ty).description(Some(metric.doc));
                add(metric.name, number);
            }
        }
        row.into()
    }
}

impl ToSchema for FlowRow {
    fn name() -> Cow<'static, str> {
        "FlowRow".into()
    }
}

fn property(column: &Column) -> ObjectBuilder {
    let (ty, format) = match column.ty {
        ColumnType::U16 | ColumnType::U32 => (Type::Integer, Some(KnownFormat::Int32)),
        ColumnType::U64 | ColumnType::TimestampMs => (Type::Integer, Some(KnownFormat::Int64)),
        ColumnType::Text | ColumnType::Ip => (Type::String, None),
    };
    let ty =
        if column.nullable { SchemaType::from_iter([ty, Type::Null]) } else { SchemaType::new(ty) };
    ObjectBuilder::new()
        .schema_type(ty)
        .format(format.map(SchemaFormat::KnownFormat))
        .description(Some(column.doc))
}
