//! Rows as JSON objects by column name, and batches made from them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, BinaryArray, RecordBatch, TimestampMillisecondArray, UInt16Array, UInt32Array,
    UInt64Array,
};
use serde_json::{Map, Value, json};
use weir_model::Sketch;
use weir_schema::{Column, ColumnType, Table, stored_schema};

use crate::StoreBatch;

/// A stored row: column name to string, number or null; a sketch as the list of its values.
pub type Row = Map<String, Value>;

/// A TCP flow from `10.0.0.1` to port 80 of `10.0.0.2` in the window that starts at `start_ms`,
/// with `changes` laid over it.
pub fn row(start_ms: i64, changes: Value) -> Row {
    row_of(Table::L4Flows, start_ms, changes)
}

/// A row of a table between the ends of [`row`] at `time_ms`, with `changes` laid over it: requests
/// `GET /` over HTTP/1.1 that were answered with 200, lookups of `example.com` at port 53.
///
/// A sketch is given as the list of values that it counts; where a row has one, sum, count, least
/// and largest are made from it unless they are given too.
pub fn row_of(table: Table, time_ms: i64, changes: Value) -> Row {
    let ends = json!({
        "agent": "a",
        "direction": "outgoing",
        "transport": "tcp",
        "family": "ipv4",
        "local_ip": "10.0.0.1",
        "remote_ip": "10.0.0.2",
        "remote_port": 80,
        "local_host": "h1",
    });
    let own = match table {
        Table::L4Flows => json!({}),
        Table::L7Flows => {
            json!({"protocol": "http/1.1", "method": "GET", "path": "/", "status": 200})
        }
        Table::L7Samples => json!({
            "protocol": "http/1.1", "method": "GET", "path": "/", "template": "/", "status": 200,
            "outcome": "answered", "weight": 1,
        }),
        Table::DnsFlows => json!({
            "transport": "udp", "remote_port": 53, "dns_name": "example.com", "dns_type": "A",
            "rcode": "NOERROR",
        }),
    };
    let mut row = Row::new();
    for part in [ends, own, changes] {
        let Value::Object(part) = part else { panic!("a row's changes are an object") };
        row.extend(part);
    }
    row.entry(table.time_column()).or_insert(time_ms.into());
    if table.columns().iter().any(|column| column.name == "window_ms") {
        row.entry("window_ms").or_insert(10_000.into());
    }
    for (sketch, sum, samples) in [
        ("response_sketch", "response_us", "response_samples"),
        ("dns_us_sketch", "dns_us", "dns_us_samples"),
    ] {
        summarise(&mut row, sketch, sum, samples);
    }
    row
}

fn summarise(row: &mut Row, sketch: &str, name: &str, samples: &str) {
    let Some(values) = row.get(sketch).and_then(values_of) else { return };
    let made = [
        (format!("{name}_sum"), Some(values.iter().sum())),
        (samples.to_owned(), Some(values.len() as u64)),
        (format!("{name}_min"), values.iter().min().copied()),
        (format!("{name}_max"), values.iter().max().copied()),
    ];
    for (name, value) in made {
        row.entry(name).or_insert(value.into());
    }
}

/// The values that a sketch's cell lists.
pub(super) fn values_of(cell: &Value) -> Option<Vec<u64>> {
    Some(cell.as_array()?.iter().filter_map(Value::as_u64).collect())
}

fn sketch(cell: &Value) -> Option<Vec<u8>> {
    let mut sketch = Sketch::default();
    values_of(cell)?.into_iter().for_each(|value| sketch.add(value));
    Some(sketch.encode())
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
        ColumnType::Sketch => Arc::new(cells.map(sketch).collect::<BinaryArray>()),
    }
}

/// Rows of a table as batches ready to store, one an agent, with this sequence.
pub fn batches_of(table: Table, rows: &[Row], sequence: u64) -> Vec<StoreBatch> {
    let mut by_agent: HashMap<&str, Vec<Row>> = HashMap::new();
    for row in rows {
        let agent = row["agent"].as_str().expect("agent is text");
        by_agent.entry(agent).or_default().push(row.clone());
    }
    by_agent.into_iter().map(|(agent, rows)| batch_of(table, agent, sequence, &rows)).collect()
}

/// One batch of an agent's transport flows.
pub fn batch(agent: &str, sequence: u64, rows: &[Row]) -> StoreBatch {
    batch_of(Table::L4Flows, agent, sequence, rows)
}

/// One batch of an agent's rows of a table.
pub fn batch_of(table: Table, agent: &str, sequence: u64, rows: &[Row]) -> StoreBatch {
    let time = |row: &Row| row[table.time_column()].as_i64().expect("times are numbers");
    let length = |row: &Row| row.get("window_ms").and_then(Value::as_i64).unwrap_or(1);
    StoreBatch {
        table,
        agent: agent.to_owned(),
        sequence,
        rows: record_batch(table, rows),
        losses: Vec::new(),
        from_ms: rows.iter().map(time).min().unwrap_or(0),
        to_ms: rows.iter().map(|row| time(row) + length(row)).max().unwrap_or(0),
    }
}
