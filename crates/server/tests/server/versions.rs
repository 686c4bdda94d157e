//! Agents of other versions: the frozen batches of every one, and what a newer one may send.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema};
use serde_json::{Value, json};
use weir_schema::{FORMAT_VERSION, Table, wire_schema};
use weir_wire::Batch;

use super::agents::{client_row, server_row};
use super::world::{START_MS, Sent, WINDOW_MS, World, batch, open_world};

/// Rewrites an encoded batch as a sender of another version would have made it.
fn rewritten(
    sent: &Sent,
    table: &str,
    header: &Value,
    keep: impl Fn(&str) -> bool,
    more: Vec<(Field, ArrayRef)>,
) -> Vec<u8> {
    let Batch { rows, .. } = weir_wire::decode(&sent.bytes(), &Default::default()).unwrap();
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns());
    let own = columns.filter(|(field, _)| keep(field.name()));
    let own = own.map(|(field, column)| (field.as_ref().clone(), column.clone()));
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = own.chain(more).unzip();
    let metadata = HashMap::from([
        ("weir.table".to_owned(), table.to_owned()),
        ("weir.batch".to_owned(), header.to_string()),
    ]);
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let rows = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
    writer.write(&rows).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn header(sent: &Sent, schema_version: u32) -> Value {
    let mut header = serde_json::to_value(&sent.header).unwrap();
    header["schema_version"] = json!(schema_version);
    header
}

/// As an agent of that version sends it.
fn as_of(sent: &Sent, version: u32) -> Vec<u8> {
    let columns = sent.table.columns();
    let is_known =
        |name: &str| columns.iter().any(|column| column.name == name && column.since <= version);
    rewritten(sent, sent.table.name(), &header(sent, version), is_known, Vec::new())
}

#[tokio::test]
async fn every_batch_that_was_ever_sent_is_taken() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/golden");
    let mut versions = Vec::new();
    for entry in std::fs::read_dir(goldens).unwrap() {
        let path = entry.unwrap().path();
        let batch = weir_wire::decode(&std::fs::read(&path).unwrap(), &Default::default()).unwrap();
        let world = open_world();
        let reply = world.post_batch(std::fs::read(&path).unwrap()).await;
        assert_eq!(reply.status, 200, "{path:?}: {}", reply.text());
        let rows = batch.rows.num_rows();
        assert_eq!(
            (&reply.json()["result"], &reply.json()["rows"]),
            (&json!("stored"), &json!(rows))
        );
        let status = world.ask("/status").await;
        let version = batch.header.schema_version;
        let is = if version < FORMAT_VERSION { "older" } else { "same" };
        assert_eq!(status["agents"][0]["version_is"], is, "{path:?}");
        let tables = status["store"]["tables"].as_array().unwrap();
        let table = tables.iter().find(|table| table["table"] == batch.table.name()).unwrap();
        assert_eq!(table["rows"], rows);
        versions.push(version);
    }
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions, (1..=FORMAT_VERSION).collect::<Vec<_>>());
}

/// Feeds both ends of a conversation, the client's as an agent of that version saw it.
async fn feed(world: &World, version: u32) {
    for window in 0..2 {
        let (start_ms, sequence) = (START_MS + window * WINDOW_MS, window as u64 + 1);
        world.set_now(start_ms + WINDOW_MS);
        let client = batch("a", sequence, start_ms, vec![client_row(start_ms)]);
        let reply = world.post_batch(as_of(&client, version)).await;
        assert_eq!(reply.status, 200, "{version}: {}", reply.text());
        world.feed(&batch("b", sequence, start_ms, vec![server_row(start_ms)])).await;
    }
}

#[tokio::test]
async fn older_agents_are_named_and_counted_like_others() {
    for version in 1..=FORMAT_VERSION {
        let world = open_world();
        feed(&world, version).await;
        let from = START_MS + WINDOW_MS;
        let path = format!("/summary?from={from}&metrics=bytes_sent,retransmits");
        let merged = world.ask(&path).await;
        assert_eq!(merged["total"], 1, "{version}");
        assert_eq!(merged["rows"][0]["client"]["id"], "host-a/curl", "{version}");
        assert_eq!(merged["rows"][0]["server"]["id"], "host-b/nginx", "{version}");
        assert_eq!(merged["totals"], json!({"bytes_sent": 10, "retransmits": 1}), "{version}");
    }
}

/// What an agent of the version after this one may send.
fn of_tomorrow(sent: &Sent, table: &str) -> Vec<u8> {
    let mut header = header(sent, FORMAT_VERSION + 1);
    header["mood"] = json!({"of": "the agent", "is": ["fine"]});
    header["agent_version"] = json!("0.2.0");
    let rows = sent.rows.len();
    let text = wire_schema(Table::L4Flows).field_with_name("agent").unwrap().data_type().clone();
    let moods: ArrayRef = Arc::new(UInt64Array::from(vec![7; rows]));
    let names = arrow_array::new_null_array(&text, rows);
    assert_eq!(names.len(), rows);
    let more = vec![
        (Field::new("tcp_moods", DataType::UInt64, true), moods),
        (Field::new("local_mood", text, true), names),
    ];
    rewritten(sent, table, &header, |_| true, more)
}

#[tokio::test]
async fn of_a_newer_agent_the_known_parts_are_stored() {
    let world = open_world();
    let sent = batch("a", 1, START_MS, vec![client_row(START_MS)]).losing("map_full", 3);
    let reply = world.post_batch(of_tomorrow(&sent, "l4_flows")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let unknown = batch("a", 2, START_MS, vec![client_row(START_MS)]);
    let reply = world.post_batch(of_tomorrow(&unknown, "l9_flows")).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["type"], "urn:weir:problem:invalid-batch:unknown-table");
    assert!(reply.text().contains("l9_flows"), "{}", reply.text());
    let later = batch("a", 3, START_MS, vec![client_row(START_MS)]);
    assert_eq!(world.post_batch(of_tomorrow(&later, "l4_flows")).await.status, 200);

    let flows = world.ask(&format!("/flows/l4?from={START_MS}&perspective=both")).await;
    let rows = flows["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["bytes_sent"] == 10 && row["local_process"] == "curl"));
    let agent = world.ask("/status").await["agents"][0].clone();
    assert_eq!((&agent["version"], &agent["version_is"]), (&json!("0.2.0"), &json!("newer")));
    assert_eq!(agent["losses"][0]["count"], 3);
}
