//! Several agents: both ends of one conversation, read once; who is known and who is silent.

use serde_json::{Value, json};
use weir_store::conformance::rows::{Row, row};

use super::world::{START_MS, WINDOW_MS, World, batch, open_world};

/// curl at 10.0.0.1 on host-a asks nginx at 10.0.0.2:80 on host-b.
pub fn client_row(start_ms: i64) -> Row {
    row(
        start_ms,
        json!({
            "local_process": "curl", "local_host": "host-a", "remote_ip": "10.0.0.2",
            "bytes_sent": 10, "bytes_received": 200, "connections": 1, "retransmits": 1,
        }),
    )
}

pub fn server_row(start_ms: i64) -> Row {
    row(
        start_ms,
        json!({
            "direction": "incoming", "local_ip": "10.0.0.2", "local_port": 80,
            "remote_ip": "10.0.0.1", "remote_port": null,
            "local_process": "nginx", "local_host": "host-b",
            "bytes_sent": 200, "bytes_received": 10, "connections": 1, "retransmits": 5,
        }),
    )
}

/// Feeds windows of both agents, `a` first in each.
async fn feed(world: &World, windows: std::ops::Range<i64>) {
    for window in windows {
        let start_ms = START_MS + window * WINDOW_MS;
        world.set_now(start_ms + WINDOW_MS);
        let sequence = window as u64 + 1;
        world.feed(&batch("a", sequence, start_ms, vec![client_row(start_ms)])).await;
        world.feed(&batch("b", sequence, start_ms, vec![server_row(start_ms)])).await;
    }
}

#[tokio::test]
async fn both_ends_observed_count_once_and_name_each_other() {
    let world = open_world();
    feed(&world, 0..3).await;
    let from = START_MS + WINDOW_MS;
    let read = async |perspective: &str| {
        world.ask(&format!("/summary?from={from}&perspective={perspective}&metrics=bytes_sent,connections,retransmits")).await
    };
    let merged = read("merged").await;
    assert_eq!(merged["total"], 1);
    assert_eq!(merged["rows"][0]["client"]["id"], "host-a/curl");
    assert_eq!(merged["rows"][0]["server"]["id"], "host-b/nginx");
    assert_eq!(merged["totals"], json!({"bytes_sent": 20, "connections": 2, "retransmits": 2}));
    let server = read("server").await;
    assert_eq!(server["totals"], json!({"bytes_sent": 20, "connections": 2, "retransmits": 10}));
    assert_eq!(server["rows"][0]["client"]["id"], "host-a", "the port's process is not known");
}

#[tokio::test]
async fn an_agent_that_is_silent_does_not_hide_what_others_see() {
    let world = open_world();
    feed(&world, 0..2).await;
    for window in 2..12 {
        let start_ms = START_MS + window * WINDOW_MS;
        world.set_now(start_ms + WINDOW_MS);
        world.feed(&batch("b", window as u64 + 1, start_ms, vec![server_row(start_ms)])).await;
    }
    let from = START_MS + 10 * WINDOW_MS;
    let merged = world.ask(&format!("/summary?from={from}&metrics=bytes_sent")).await;
    assert_eq!(merged["totals"]["bytes_sent"], 20, "the server's own rows stand in");
    let stale = &merged["incomplete"][0];
    assert_eq!((&stale["kind"], &stale["count"]), (&json!("stale"), &json!(1)));
}

#[tokio::test]
async fn addresses_that_mean_another_machine_everywhere_resolve_to_nobody() {
    let world = open_world();
    let rows = |agent: &str| {
        vec![
            row(
                START_MS,
                json!({
                    "local_ip": "172.17.0.2", "remote_ip": "172.17.0.2", "local_host": format!("host-{agent}"),
                    "local_process": "app", "bytes_sent": 1,
                }),
            ),
            row(
                START_MS,
                json!({
                    "local_ip": "127.0.0.1", "remote_ip": "127.0.0.1", "local_host": format!("host-{agent}"),
                    "local_process": "app", "bytes_sent": 1,
                }),
            ),
        ]
    };
    world.feed(&batch("a", 1, START_MS, rows("a"))).await;
    world.feed(&batch("b", 1, START_MS, rows("b"))).await;
    world.feed(&batch("a", 2, START_MS, rows("a"))).await;
    let flows = world.ask("/flows/l4").await;
    let named = flows["rows"].as_array().unwrap().iter().filter(|row| row["agent"] == "a");
    let named = named.filter(|row| !row["remote_agent"].is_null()).count();
    assert_eq!(named, 0);
}

#[tokio::test]
async fn the_status_knows_every_agent() {
    let world = open_world();
    feed(&world, 0..2).await;
    let status = world.ask("/status").await;
    let agents: Vec<(&Value, &Value, &Value)> = status["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| (&agent["agent"], &agent["host"], &agent["is_stale"]))
        .collect();
    assert_eq!(
        agents,
        [
            (&json!("a"), &json!("host-a"), &json!(false)),
            (&json!("b"), &json!("host-b"), &json!(false)),
        ]
    );
    assert_eq!(status["store"]["kind"], "parquet");
    assert_eq!(status["store"]["rows"], 4);
    assert_eq!(status["levels"], json!(["process", "host"]));
    world.set_now(START_MS + 300_000);
    assert_eq!(world.ask("/status").await["agents"][1]["is_stale"], true);
}
