//! What the agents of the shop's nodes would send: the same conversations in every window.

use serde_json::{Value, json};
use weir_schema::{Table, wire_schema};
use weir_store::conformance::rows::{Row, record_batch, row_of};
use weir_wire::{Batch, BatchHeader};

use crate::objects::{CLOUD_NODES, WORKLOADS, Workload};

pub const WINDOW_MS: i64 = 10_000;

const FRONT: &Workload = &WORKLOADS[0];
const CART: &Workload = &WORKLOADS[1];
const STOCK: &Workload = &WORKLOADS[2];
const PAY: &Workload = &WORKLOADS[3];
const LEDGER: &Workload = &WORKLOADS[4];
const WORKER: &Workload = &WORKLOADS[5];

/// Client, its Pod, server, the server's Pod, bytes a window.
fn conversations() -> Vec<(&'static Workload, usize, &'static Workload, usize, u64)> {
    let mut all = vec![
        (FRONT, 0, CART, 0, 90_000),
        (FRONT, 1, CART, 1, 60_000),
        (CART, 0, STOCK, 0, 40_000),
        (CART, 1, STOCK, 0, 30_000),
        (CART, 0, PAY, 0, 20_000),
        (PAY, 0, LEDGER, 0, 8_000),
    ];
    all.extend((0..WORKER.pods).map(|index| (WORKER, index, STOCK, 0, 1_000 + index as u64)));
    all
}

/// The client's end, and the address that it dialled.
fn ends(client: &Workload, at: usize, server: &Workload, pod: usize) -> Value {
    json!({
        "local_ip": client.pod_ip(at), "local_pod_uid": client.uid(at),
        "local_process": client.name, "local_host": CLOUD_NODES[client.node(at)].0,
        "pid": 100 + at, "remote_ip": server.pod_ip(pod), "remote_port": 8080,
        "dialled_ip": server.service_ip(), "dialled_port": 80,
    })
}

fn laid_over(mut ends: Value, own: Value) -> Value {
    if let (Value::Object(ends), Value::Object(own)) = (&mut ends, own) {
        ends.extend(own);
    }
    ends
}

fn rows(table: Table, node: usize, start_ms: i64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (client, at, server, pod, bytes) in conversations() {
        if client.node(at) != node || (table != Table::L4Flows && client.name == "worker") {
            continue;
        }
        let fails = server.name == "ledger";
        let own = match table {
            Table::L4Flows => json!({"bytes_sent": bytes, "bytes_received": bytes * 5,
                "connections": 4, "closures": 4, "rtt_us_sum": 4 * (200 + bytes / 100),
                "rtt_samples": 4, "retransmits": u64::from(fails)}),
            Table::L7Flows => json!({"path": "/items/{id}", "requests": bytes / 1_000,
                "errors": if fails { bytes / 1_000 } else { 0 }, "status": if fails { 503 } else { 200 },
                "response_sketch": vec![4_000 + bytes / 10; 4]}),
            Table::L7Samples => json!({"path": "/items/4711", "template": "/items/{id}",
                "status": if fails { 503 } else { 200 }, "response_us": 4_000 + bytes / 10,
                "trace_id": format!("{start_ms:016x}{bytes:016x}"), "weight": 1}),
            Table::DnsFlows => continue,
        };
        rows.push(row_of(table, start_ms, laid_over(ends(client, at, server, pod), own)));
    }
    if table == Table::L4Flows && node == 0 {
        rows.push(outside(start_ms));
        rows.push(on_host(start_ms));
    }
    rows
}

fn outside(start_ms: i64) -> Row {
    let to = json!({"remote_ip": "203.0.113.20", "remote_port": 443, "dialled_ip": null,
        "dialled_port": null, "remote_domain": "api.example.com", "local_host": CLOUD_NODES[0].0,
        "bytes_sent": 9_000, "bytes_received": 12_000, "connections": 2, "closures": 2});
    row_of(Table::L4Flows, start_ms, laid_over(ends(FRONT, 1, FRONT, 1), to))
}

fn on_host(start_ms: i64) -> Row {
    let of = json!({"local_ip": CLOUD_NODES[0].1, "local_host": CLOUD_NODES[0].0,
        "local_process": "kubelet", "pid": 7, "remote_ip": CLOUD_NODES[1].1, "remote_port": 6443,
        "bytes_sent": 5_000, "bytes_received": 70_000, "connections": 1, "closures": 0});
    row_of(Table::L4Flows, start_ms, of)
}

/// One window of one node as the bytes that its agent sends; nothing where nothing was seen.
pub fn batch(table: Table, node: usize, start_ms: i64) -> anyhow::Result<Option<Vec<u8>>> {
    let host = CLOUD_NODES[node].0;
    let mut rows = rows(table, node, start_ms);
    if rows.is_empty() {
        return Ok(None);
    }
    for row in &mut rows {
        row.insert("agent".to_owned(), format!("agent-{host}").into());
    }
    let header = BatchHeader {
        format: weir_wire::FORMAT,
        schema_version: weir_schema::FORMAT_VERSION,
        agent: format!("agent-{host}"),
        host: host.to_owned(),
        boot_id: format!("boot-{host}"),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        sequence: (start_ms / WINDOW_MS).unsigned_abs(),
        window_ms: WINDOW_MS as u32,
        from_ms: start_ms,
        to_ms: start_ms + WINDOW_MS,
        created_unix_ms: start_ms + WINDOW_MS,
        cluster: None,
        place: None,
        losses: Vec::new(),
    };
    let stored = record_batch(table, &rows);
    let schema = wire_schema(table);
    let columns: Result<Vec<usize>, _> =
        schema.fields().iter().map(|field| stored.schema().index_of(field.name())).collect();
    let rows = stored.project(&columns?)?.with_schema(schema)?;
    Ok(Some(weir_wire::encode(&Batch { table, header, rows })?))
}
