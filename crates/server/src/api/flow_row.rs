//! The OpenAPI schemas of rows, made from the column and metric tables.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};
use weir_schema::{Column, ColumnType, Table, metrics};

/// A row of `l4_flows` as a flat object; it exists as a schema only.
pub struct FlowRow;

/// A row of `l7_samples` as a flat object; it exists as a schema only.
pub struct RequestRow;

impl PartialSchema for FlowRow {
    fn schema() -> RefOr<Schema> {
        row(Table::L4Flows, "One flow: the columns of l4_flows, both ends also by role")
    }
}

impl PartialSchema for RequestRow {
    fn schema() -> RefOr<Schema> {
        row(Table::L7Samples, "One request: the columns of l7_samples, both ends also by role")
    }
}

fn row(table: Table, doc: &str) -> RefOr<Schema> {
    let mut row = ObjectBuilder::new()
        .description(Some(doc))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    let mut add = |name: &str, property: ObjectBuilder| {
        let old = std::mem::take(&mut row);
        row = old.property(name, property).required(name);
    };
    let columns = table.columns();
    for column in columns.iter().filter(|column| column.ty != ColumnType::Sketch) {
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
    for metric in metrics(table).iter().filter(|metric| metric.formula.is_computed()) {
        let ty = SchemaType::from_iter([Type::Number, Type::Null]);
        add(metric.name, ObjectBuilder::new().schema_type(ty).description(Some(metric.doc)));
    }
    row.into()
}

impl ToSchema for FlowRow {
    fn name() -> Cow<'static, str> {
        "FlowRow".into()
    }
}

impl ToSchema for RequestRow {
    fn name() -> Cow<'static, str> {
        "RequestRow".into()
    }
}

fn property(column: &Column) -> ObjectBuilder {
    let (ty, format) = match column.ty {
        ColumnType::U16 | ColumnType::U32 => (Type::Integer, Some(KnownFormat::Int32)),
        ColumnType::U64 | ColumnType::TimestampMs => (Type::Integer, Some(KnownFormat::Int64)),
        ColumnType::Text | ColumnType::Ip | ColumnType::Sketch => (Type::String, None),
    };
    let ty =
        if column.nullable { SchemaType::from_iter([ty, Type::Null]) } else { SchemaType::new(ty) };
    ObjectBuilder::new()
        .schema_type(ty)
        .format(format.map(SchemaFormat::KnownFormat))
        .description(Some(column.doc))
}
