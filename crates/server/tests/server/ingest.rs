//! Batches over HTTP: stored, sent twice, broken, foreign, too large, too many.

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde_json::json;
use weir_server::{AuthMode, Limits};
use weir_store::Stored;
use weir_wire::CONTENT_TYPE;

use super::world::{START_MS, WINDOW_MS, World, batch, open_world, request, small_host};

async fn rows(world: &World) -> u64 {
    let status = world.ask("/status").await;
    status["store"]["rows"].as_u64().unwrap()
}

#[tokio::test]
async fn a_batch_sent_twice_counts_once() {
    let world = open_world();
    let bytes = small_host().losing("map_full", 2).bytes();
    let first = world.post_batch(bytes.clone()).await;
    assert_eq!(first.json(), json!({"result": "stored", "agent": "a", "sequence": 1, "rows": 3}));
    let before = world.ask("/summary").await;
    let second = world.post_batch(bytes).await;
    assert_eq!((second.status, &second.json()["result"]), (StatusCode::OK, &json!("duplicate")));
    assert_eq!(world.ask("/summary").await, before);
    assert_eq!(world.ask("/status").await["agents"][0]["losses"][0]["count"], 2);
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("weir_ingest_batches_discarded_total{reason=\"duplicate\"} 1"));
    assert!(metrics.contains("weir_ingest_rows_stored_total 3"), "{metrics}");
}

#[tokio::test]
async fn the_in_memory_path_is_the_same_path() {
    let world = open_world();
    let bytes = small_host().bytes();
    let ingested = world.server.ingester().ingest_bytes(&bytes).unwrap();
    assert_eq!((ingested.stored, ingested.rows), (Stored::New, 3));
    assert_eq!(world.post_batch(bytes).await.json()["result"], "duplicate");
}

#[tokio::test]
async fn a_cut_batch_is_refused_wherever_it_is_cut() {
    let world = open_world();
    let bytes = small_host().bytes();
    for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        let reply = world.post_batch(bytes[..length].to_vec()).await;
        if reply.status == StatusCode::OK {
            assert!(length + 8 >= bytes.len(), "only the end marker may lack, at {length}");
            continue;
        }
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{length}: {}", reply.text());
        assert!(reply.json()["type"].as_str().unwrap().contains("invalid-batch"), "{length}");
    }
}

#[tokio::test]
async fn what_is_no_batch_is_refused_and_harms_nothing() {
    let world = open_world();
    world.feed(&small_host()).await;
    let before = world.ask("/summary").await;
    let mut damaged = batch("a", 2, START_MS, small_host().rows).bytes();
    let middle = damaged.len() / 2;
    for byte in &mut damaged[middle..middle + 64] {
        *byte ^= 0xff;
    }
    let foreign: [&[u8]; 5] =
        [b"", b"GET / HTTP/1.1\r\n\r\n", b"PAR1", &[0xff; 4_096], b"{\"rows\": []}"];
    for bytes in foreign.into_iter().chain([damaged.as_slice()]) {
        let reply = world.post_batch(bytes.to_vec()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
        assert!(!reply.json()["expected"].as_str().unwrap().is_empty());
    }
    assert_eq!(world.ask("/summary").await, before);
    assert_eq!(rows(&world).await, 3);
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused() {
    let world = open_world();
    let mut future = small_host();
    future.header.to_ms = START_MS + 3 * 86_400_000;
    let mut backwards = small_host();
    backwards.header.to_ms = START_MS - 1;
    backwards.rows.clear();
    let far = batch("a", 1, START_MS + 3 * 86_400_000, Vec::new());
    for (sent, kind) in [(future, "time"), (backwards, "bad-header"), (far, "time")] {
        let reply = world.post_batch(sent.bytes()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
        assert_eq!(reply.json()["type"], format!("urn:weir:problem:invalid-batch:{kind}"));
    }
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn other_content_is_refused() {
    let world = open_world();
    for kind in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
        let mut request = request("POST", "/api/v1/ingest");
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let reply = world.send(request.body(Body::from("x")).unwrap()).await;
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(reply.json()["expected"], CONTENT_TYPE);
    }
}

fn tight(batch_bytes_max: usize, ingest_bytes_max: usize) -> World {
    let mut limits = Limits { ingest_bytes_max, ..Limits::default() };
    limits.batch.bytes_max = batch_bytes_max;
    World::new(AuthMode::LoopbackOpen, limits)
}

#[tokio::test]
async fn a_batch_past_the_limit_is_told_the_limit() {
    let world = tight(100, 1 << 20);
    let bytes = small_host().bytes();
    let declared = request("POST", "/api/v1/ingest")
        .header(header::CONTENT_TYPE, CONTENT_TYPE)
        .header(header::CONTENT_LENGTH, bytes.len())
        .body(Body::from(bytes.clone()))
        .unwrap();
    for reply in [world.send(declared).await, world.post_batch(bytes).await] {
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", reply.text());
        assert!(reply.text().contains("100 bytes"), "{}", reply.text());
    }
    let mut limits = Limits::default();
    limits.batch.rows_max = 2;
    let world = World::new(AuthMode::LoopbackOpen, limits);
    let reply = world.post_batch(small_host().bytes()).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(reply.text().contains("rows_max"), "{}", reply.text());
}

#[tokio::test]
async fn a_batch_with_losses_alone_is_taken() {
    let world = open_world();
    world.feed(&batch("a", 9, START_MS, Vec::new()).losing("ring_full", 4)).await;
    let status = world.ask("/status").await;
    assert_eq!(status["losses"][0]["count"], 4);
    assert_eq!(status["agents"][0]["last_window_ms"], START_MS + WINDOW_MS);
    assert_eq!(status["agents"][0]["sequence"], 9);
}
