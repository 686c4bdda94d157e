//! Agents whose clocks are off: rows at the right time, names of that time, conversations once.

use serde_json::{Value, json};
use tower::ServiceExt;
use weir_schema::Table;
use weir_store::conformance::rows::{row, row_of};

use super::agents::{client_row, server_row};
use super::clusters::{PODS, pod, shop, watched};
use super::world::{START_MS, WINDOW_MS, World, batch, batch_of, open_world, post};

const TEN_MINUTES: i64 = 600_000;

async fn flows(world: &World, path: &str) -> Vec<Value> {
    let from = START_MS - 3_600_000;
    let answer = world.ask(&format!("{path}?from={from}&to=now%2B1h&perspective=both")).await;
    answer["rows"].as_array().unwrap().clone()
}

#[tokio::test]
async fn rows_are_at_the_right_time() {
    for ahead_ms in [TEN_MINUTES, -TEN_MINUTES, TEN_MINUTES + 1_400, 3 * 86_400_000] {
        let world = open_world();
        let sent = batch("a", 1, START_MS, vec![client_row(START_MS)]).losing("map_full", 2);
        let reply = world.feed_ahead(sent, ahead_ms).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let rows = flows(&world, "/flows/l4").await;
        // 1.4 s of the third stay, so that windows go on beginning with the others'.
        let expected = START_MS + ahead_ms % WINDOW_MS;
        assert_eq!(rows[0]["window_start_ms"], expected, "{ahead_ms}");
        let status = world.ask("/status").await;
        assert_eq!(status["losses"][0]["count"], 2, "losses are put right as well");
        let agent = &status["agents"][0];
        assert_eq!(agent["clock_ahead_ms"], ahead_ms);
        assert_eq!(agent["clock_corrected_ms"], ahead_ms);
        assert_eq!(agent["last_window_ms"], expected + WINDOW_MS);
    }
}

#[tokio::test]
async fn single_requests_are_put_right_exactly() {
    let world = open_world();
    let began_ms = START_MS + 1_234;
    let rows = vec![row_of(Table::L7Samples, began_ms, json!({"path": "/cart"}))];
    let sent = batch_of(Table::L7Samples, "a", 1, START_MS, rows);
    let reply = world.feed_ahead(sent, TEN_MINUTES + 1_417).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(flows(&world, "/flows/l7").await[0]["began_ms"], began_ms);
}

#[tokio::test]
async fn a_clock_that_is_nearly_right_is_left_alone() {
    let world = open_world();
    for ahead_ms in [5_000, -5_000, 40] {
        let sequence = (ahead_ms + 10_000) as u64;
        let sent = batch("a", sequence, START_MS, vec![client_row(START_MS)]);
        assert_eq!(world.feed_ahead(sent, ahead_ms).await.status, 200);
        let rows = flows(&world, "/flows/l4").await;
        let mut starts: Vec<_> = rows.iter().map(|row| row["window_start_ms"].clone()).collect();
        assert!(starts.contains(&json!(START_MS + ahead_ms)), "{starts:?}");
        starts.clear();
        assert_eq!(world.ask("/status").await["agents"][0]["clock_corrected_ms"], Value::Null);
    }
}

#[tokio::test]
async fn both_ends_meet_in_one_window() {
    for ahead_ms in [TEN_MINUTES, -TEN_MINUTES] {
        let world = open_world();
        for window in 0..4 {
            let (start_ms, sequence) = (START_MS + window * WINDOW_MS, window as u64 + 1);
            world.set_now(start_ms + WINDOW_MS);
            let client = batch("a", sequence, start_ms, vec![client_row(start_ms)]);
            assert_eq!(world.feed_ahead(client, ahead_ms).await.status, 200);
            let server = batch("b", sequence, start_ms, vec![server_row(start_ms)]);
            assert_eq!(world.feed_ahead(server, 30).await.status, 200);
        }
        let from = START_MS + WINDOW_MS;
        let path = format!("/summary?from={from}&metrics=bytes_sent,connections,retransmits");
        let merged = world.ask(&path).await;
        assert_eq!(merged["total"], 1, "{merged}");
        assert_eq!(merged["rows"][0]["client"]["id"], "host-a/curl");
        assert_eq!(merged["rows"][0]["server"]["id"], "host-b/nginx");
        let totals = json!({"bytes_sent": 30, "connections": 3, "retransmits": 3});
        assert_eq!(merged["totals"], totals, "each window once, {ahead_ms}");
        assert_eq!(merged["incomplete"], json!([]), "nobody is silent");
    }
}

/// The address of `stock` was another Pod's until two minutes ago.
#[tokio::test(flavor = "multi_thread")]
async fn names_are_those_of_the_time() {
    let world = watched(&["prod"], |_, server| shop(server)).await;
    let now_ms = START_MS + WINDOW_MS;
    let mut heir = pod("uid-heir", "heir", "host-b", "10.244.2.6");
    let made = weir_query::format_time(now_ms - 120_000);
    heir["metadata"]["creationTimestamp"] = json!(made);
    world.doubles[0].put(PODS, heir).expect("an object");
    let pods = |status: &Value| {
        let kinds = status["clusters"][0]["kinds"].as_array().expect("kinds").clone();
        kinds.iter().any(|kind| kind["resource"] == "pods" && kind["objects"] == 3)
    };
    world.status_until(pods).await;
    for (agent, ahead_ms) in [("ahead", TEN_MINUTES), ("behind", -TEN_MINUTES)] {
        for (sequence, start_ms, name) in
            [(1, now_ms - 300_000, "stock"), (2, now_ms - 60_000, "heir")]
        {
            let asks = row(
                start_ms,
                json!({"local_ip": "10.244.1.5", "local_pod_uid": "uid-cart",
                    "remote_ip": "10.244.2.6", "remote_port": 8080, "bytes_sent": 10}),
            );
            let mut sent = batch(agent, sequence, start_ms, vec![asks]);
            sent.header.host = "host-a".to_owned();
            sent.stamp_ahead(ahead_ms);
            let header = ("weir-sent-unix-ms", (now_ms + ahead_ms).to_string());
            let reply = world.router.clone().oneshot(post(sent.bytes(), &[header])).await.unwrap();
            assert_eq!(reply.status(), 200);
            let range = format!("from={start_ms}&to={}", start_ms + WINDOW_MS);
            let path = format!("/flows/l4?{range}&perspective=both&filter=agent:{agent}");
            let row = &world.get(&path).await["rows"][0];
            assert_eq!(row["remote_pod"], name, "{agent} {row}");
            assert_eq!(row["window_start_ms"], start_ms);
        }
    }
}

#[tokio::test]
async fn a_batch_sent_again_by_a_clock_that_was_set_counts_once() {
    let world = open_world();
    let make = || batch("a", 1, START_MS, vec![client_row(START_MS)]);
    assert_eq!(world.feed_ahead(make(), TEN_MINUTES).await.json()["result"], "stored");
    let mut again = make();
    again.stamp_ahead(TEN_MINUTES);
    let sent = ("weir-sent-unix-ms", world.now().to_string());
    let reply = world.post_with(again.bytes(), &[sent]).await;
    assert_eq!(reply.json()["result"], "duplicate");
    assert_eq!(flows(&world, "/flows/l4").await.len(), 1);
}

#[tokio::test]
async fn who_does_not_say_his_time_is_taken_at_his_word() {
    let world = open_world();
    let mut sent = batch("a", 1, START_MS, vec![client_row(START_MS)]);
    sent.stamp_ahead(TEN_MINUTES);
    world.feed(&sent).await;
    let row = &flows(&world, "/flows/l4").await[0];
    assert_eq!(row["window_start_ms"], START_MS + TEN_MINUTES);
    let mut far = batch("a", 2, START_MS, vec![client_row(START_MS)]);
    far.stamp_ahead(3 * 86_400_000);
    let reply = world.post_batch(far.bytes()).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("set the clock of host host-a"), "{}", reply.text());
}
