//! Writes the golden of the current format version: a data directory with rows in files and in
//! the journal, and the rows themselves as JSON beside it.
//!
//! `cargo run -p weir-store-parquet --example golden -- crates/store-parquet/tests/goldens/v1`

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use weir_schema::{ColumnType, Merge, Table};
use weir_store::Store;
use weir_store::conformance::rows::{Row, batch, row};
use weir_store::conformance::{START_MS, WINDOW_MS, settle};
use weir_store_parquet::{Options, ParquetStore};

/// A row with a value in every nullable column whose place leaves no rest.
fn a_row(window: i64, every: usize) -> Row {
    let mut changes = Map::new();
    for (place, column) in Table::L4Flows.columns().iter().enumerate() {
        if !column.nullable || place % every != 0 {
            continue;
        }
        let value = match column.ty {
            ColumnType::Text | ColumnType::Ip => json!(format!("{}-{window}", column.name)),
            ColumnType::U16 => json!(80 + window),
            ColumnType::U32 => json!(4_000_000_000_u32),
            _ if column.merge == Merge::Key => continue,
            _ => json!(place as i64 * 1_000 + window),
        };
        changes.insert(column.name.to_owned(), value);
    }
    row(START_MS + window * WINDOW_MS, Value::Object(changes))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir: PathBuf = std::env::args_os().nth(1).ok_or("which directory?")?.into();
    let store = ParquetStore::open(Options::new(dir.join("data")))?;
    let filed: Vec<Row> = (1..5).map(|n| a_row(n * 90, n as usize)).collect();
    let journalled = vec![a_row(365, 1), a_row(366, 1_000)];
    store.ingest(&batch("a", 1, &filed))?;
    settle(&store);
    store.ingest(&batch("a", 2, &journalled))?;
    // Not closed, which would flush: the golden has a journal.
    drop(store);
    std::fs::remove_file(dir.join("data/lock"))?;
    let rows = [filed, journalled].concat();
    std::fs::write(dir.join("rows.json"), serde_json::to_string_pretty(&rows)?)?;
    Ok(())
}
