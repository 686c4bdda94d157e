//! Arrow schemas made from the column tables.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::column::{Column, ColumnType, Origin};
use crate::columns::Table;

/// Key of a schema's metadata entry that names the table.
pub fn metadata_key(name: &str) -> String {
    format!("weir.{name}")
}

fn data_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::U16 => DataType::UInt16,
        ColumnType::U32 => DataType::UInt32,
        ColumnType::U64 => DataType::UInt64,
        ColumnType::TimestampMs => {
            DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::from("UTC")))
        }
        ColumnType::Text | ColumnType::Ip => {
            DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
        }
        ColumnType::Sketch => DataType::Binary,
    }
}

/// The Arrow schema of the columns of `table` that `keep` takes, in table order.
pub fn arrow_schema(table: Table, keep: impl Fn(&Column) -> bool) -> SchemaRef {
    let fields: Vec<Field> = table
        .columns()
        .iter()
        .filter(|column| keep(column))
        .map(|column| Field::new(column.name, data_type(column.ty), column.nullable))
        .collect();
    let metadata = [
        (metadata_key("table"), table.name().to_owned()),
        (metadata_key("format"), crate::FORMAT_VERSION.to_string()),
    ];
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// What an agent sends.
pub fn wire_schema(table: Table) -> SchemaRef {
    arrow_schema(table, |column| column.origin != Origin::Server)
}

/// What a store keeps.
pub fn stored_schema(table: Table) -> SchemaRef {
    arrow_schema(table, |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_is_a_subset_of_the_store() {
        for table in Table::ALL {
            let stored = stored_schema(table);
            for field in wire_schema(table).fields() {
                assert_eq!(stored.field_with_name(field.name()).unwrap(), field.as_ref());
            }
        }
    }

    #[test]
    fn names_are_unique() {
        for table in Table::ALL {
            let mut names: Vec<_> = table.columns().iter().map(|c| c.name).collect();
            names.sort_unstable();
            let before = names.len();
            names.dedup();
            assert_eq!(names.len(), before);
        }
    }
}
