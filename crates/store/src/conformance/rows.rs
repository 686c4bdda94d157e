//! Rows as JSON objects by column name, and batches made from them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, RecordBatch, TimestampMillisecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use serde_json::{Map, Value, json};
use weir_schema::{Column, ColumnType, Table, stored_schema};

use crate::StoreBatch;

/// A stored row: column name to string, number or null.
pub type Row = Map<String, Value>;

/// A TCP flow from `10.0.0.1` to port 80 of `10.0.0.2` in the window that starts at `start_ms`,
/// with `changes` laid over it.
pub fn row(start_ms: i64, changes: Value) -> Row {
    let base = json!({
        "window_start_ms": start_ms,
        "window_ms": 10_000,
        "agent": "a",
        "direction": "outgoing",
        "transport": "tcp",
        "family": "ipv4",
        "local_ip": "10.0.0.1",
        "remote_ip": "10.0.0.2",
        "remote_port": 80,
        "local_host": "h1",
    });
    let (Value::Object(mut row), Value::Object(changes)) = (base, changes) else {
        panic!("a row's changes are an object");
    };
    row.extend(changes);
    row
}

/// The rows as a batch of the stored schema. Panics on a column that the schema lacks.
pub fn record_batch(table: Table, rows: &[Row]) -> RecordBatch {
    for name in rows.iter().flat_map(|row| row.keys()) {
        assert!(table.columns().iter().any(|c| c.name == name), "no column {name:?}");
    }
    let arrays = table.columns().iter().map(|column| array(column, rows)).collect();
    RecordBatch::try_new(stored_schema(table), arrays).expect("rows of the stored schema")
}

fn array(column: &Column, rows: &[Row]) -> ArrayRef {
    let cells = rows.iter().map(|row| row.get(column.name).unwrap_or(&Value::Null));
    let numbers = cells.clone().map(Value::as_u64);
    match column.ty {
        ColumnType::U16 => Arc::new(numbers.map(|n| n.map(|n| n as u16)).collect::<UInt16Array>()),
        ColumnType::U32 => Arc::new(numbers.map(|n| n.map(|n| n as u32)).collect::<UInt32Array>()),
        ColumnType::U64 => Arc::new(numbers.collect::<UInt64Array>()),
        ColumnType::TimestampMs => {
            let times: TimestampMillisecondArray = numbers.map(|n| n.map(|n| n as i64)).collect();
            Arc::new(times.with_timezone("UTC"))
        }
        ColumnType::Text | ColumnType::Ip => {
            let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
            for cell in cells {
                builder.append_option(cell.as_str());
            }
            Arc::new(builder.finish())
        }
    }
}

/// Rows of one agent as batches ready to store, one an agent, numbered from `sequence`.
pub fn batches(rows: &[Row], sequence: u64) -> Vec<StoreBatch> {
    let mut by_agent: HashMap<&str, Vec<Row>> = HashMap::new();
    for row in rows {
        let agent = row["agent"].as_str().expect("agent is text");
        by_agent.entry(agent).or_default().push(row.clone());
    }
    by_agent.into_iter().map(|(agent, rows)| batch(agent, sequence, &rows)).collect()
}

/// One batch of an agent.
pub fn batch(agent: &str, sequence: u64, rows: &[Row]) -> StoreBatch {
    let number = |row: &Row, name: &str| row[name].as_i64().expect("times are numbers");
    let starts = rows.iter().map(|row| number(row, "window_start_ms"));
    let ends = rows.iter().map(|row| number(row, "window_start_ms") + number(row, "window_ms"));
    StoreBatch {
        table: Table::L4Flows,
        agent: agent.to_owned(),
        sequence,
        rows: record_batch(Table::L4Flows, rows),
        losses: Vec::new(),
        from_ms: starts.min().unwrap_or(0),
        to_ms: ends.max().unwrap_or(0),
    }
}
