//! Writes the golden of the current format version: a data directory with rows of every table in
//! files and in the journal, and the rows themselves as JSON beside it, by table.
//!
//! `cargo run -p weir-store-parquet --example golden -- crates/store-parquet/tests/goldens/v2`

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use weir_schema::{ColumnType, Merge, Table};
use weir_store::Store;
use weir_store::conformance::rows::{Row, batch_of, row_of};
use weir_store::conformance::{START_MS, WINDOW_MS, settle};
use weir_store_parquet::{Options, ParquetStore};

/// A row with a value in every nullable column whose place leaves no rest.
fn a_row(table: Table, window: i64, every: usize) -> Row {
    let mut changes = Map::new();
    for (place, column) in table.columns().iter().enumerate() {
        if !column.nullable || place % every != 0 {
            continue;
        }
        let value = match column.ty {
            ColumnType::Text | ColumnType::Ip => json!(format!("{}-{window}", column.name)),
            ColumnType::U16 => json!(80 + window),
            ColumnType::U32 => json!(4_000_000_000_u32),
            ColumnType::Sketch => json!([1, 2, 30, 400 + window, 5_000_000]),
            _ if column.merge == Merge::Key => continue,
            _ => json!(place as i64 * 1_000 + window),
        };
        changes.insert(column.name.to_owned(), value);
    }
    row_of(table, START_MS + window * WINDOW_MS, Value::Object(changes))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir: PathBuf = std::env::args_os().nth(1).ok_or("which directory?")?.into();
    let store = ParquetStore::open(Options::new(dir.join("data")))?;
    let mut rows = Map::new();
    for table in Table::ALL {
        let filed: Vec<Row> = (1..5).map(|n| a_row(table, n * 90, n as usize)).collect();
        store.ingest(&batch_of(table, "a", 1, &filed))?;
        rows.insert(table.name().to_owned(), json!(filed));
    }
    settle(&store);
    for table in Table::ALL {
        let journalled = vec![a_row(table, 365, 1), a_row(table, 366, 1_000)];
        store.ingest(&batch_of(table, "a", 2, &journalled))?;
        if let Some(Value::Array(filed)) = rows.get_mut(table.name()) {
            filed.extend(journalled.into_iter().map(Value::Object));
        }
    }
    // Not closed, which would flush: the golden has a journal.
    drop(store);
    std::fs::remove_file(dir.join("data/lock"))?;
    std::fs::write(dir.join("rows.json"), serde_json::to_string_pretty(&rows)?)?;
    Ok(())
}
