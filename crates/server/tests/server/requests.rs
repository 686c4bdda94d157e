//! Layers l7 and dns, from an agent's batches to the answers.

use serde_json::{Value, json};
use weir_schema::Table;
use weir_store::conformance::rows::{Row, row_of};

use super::questions::encoded;
use super::world::{START_MS, Sent, WINDOW_MS, World, batch_of, open_world, request};

/// curl on host-a asks nginx on host-b: three kinds of requests in the first window.
fn client_rows(start_ms: i64) -> Vec<Row> {
    let asked = |changes: Value| {
        let mut row = row_of(Table::L7Flows, start_ms, changes);
        for (name, value) in [("local_process", "curl"), ("local_host", "host-a")] {
            row.insert(name.to_owned(), value.into());
        }
        row
    };
    vec![
        asked(json!({"path": "/users/{id}", "requests": 90, "errors": 0, "status_2xx": 90,
                     "status_3xx": 0, "status_4xx": 0, "status_5xx": 0,
                     "response_sketch": vec![1_000; 90]})),
        asked(
            json!({"path": "/users", "method": "POST", "status": 503, "requests": 9, "errors": 9,
                     "status_2xx": 0, "status_3xx": 0, "status_4xx": 0, "status_5xx": 9,
                     "response_sketch": vec![100_000; 9]}),
        ),
        asked(
            json!({"path": "/users", "method": "POST", "status": null, "requests": 1, "errors": 1,
                     "unanswered": 1}),
        ),
    ]
}

fn client_batch() -> Sent {
    batch_of(Table::L7Flows, "a", 1, START_MS, client_rows(START_MS))
}

/// The same requests as nginx on host-b saw them.
fn server_batch() -> Sent {
    let turn = |mut row: Row| {
        for (name, value) in [
            ("direction", json!("incoming")),
            ("local_ip", json!("10.0.0.2")),
            ("local_port", json!(80)),
            ("remote_ip", json!("10.0.0.1")),
            ("remote_port", json!(null)),
            ("local_process", json!("nginx")),
            ("local_host", json!("host-b")),
        ] {
            row.insert(name.to_owned(), value);
        }
        row
    };
    let rows = client_rows(START_MS).into_iter().map(turn).collect();
    batch_of(Table::L7Flows, "b", 1, START_MS, rows)
}

fn sample(after_ms: i64, changes: Value) -> Row {
    let mut row = row_of(Table::L7Samples, START_MS + after_ms, changes);
    row.insert("local_process".to_owned(), "curl".into());
    row.insert("local_host".to_owned(), "host-a".into());
    row
}

fn samples() -> Sent {
    let rows = vec![
        // It began before the window in which its end was seen.
        sample(
            -5_000,
            json!({"path": "/users/7", "template": "/users/{id}", "weight": 80,
                              "response_us": 8_000_000, "trace_id": "aa"}),
        ),
        sample(
            1_500,
            json!({"path": "/users/8", "template": "/users/{id}", "weight": 10,
                             "response_us": 900}),
        ),
        sample(
            1_501,
            json!({"path": "/users", "template": "/users", "method": "POST",
                             "status": 503, "weight": 10, "response_us": 100_000}),
        ),
    ];
    batch_of(Table::L7Samples, "a", 1, START_MS, rows)
}

async fn world() -> World {
    let world = open_world();
    world.feed(&client_batch()).await;
    world.feed(&samples()).await;
    world
}

#[tokio::test]
async fn a_summary_of_requests() {
    let summary = world().await.ask("/summary?layer=l7&from=now-100s").await;
    assert_eq!(summary["total"], 1);
    let pair = &summary["rows"][0];
    assert_eq!(pair["client"]["id"], "host-a/curl");
    assert_eq!(
        (&pair["server"]["kind"], &pair["server"]["id"]),
        (&json!("external"), &json!("10.0.0.2"))
    );
    let mut metrics = pair["metrics"].clone();
    let p95 = metrics.as_object_mut().unwrap().remove("response_us_p95").unwrap();
    assert_eq!(
        metrics,
        json!({
            "requests": 100, "requests_per_s": 1, "status_3xx": 0, "status_4xx": 0, "status_5xx": 9,
            "error_rate": 0.1, "response_us": 10_000,
        })
    );
    // Of 99 answers the 95th is one of the slow ones.
    assert!((p95.as_f64().unwrap() - 100_000.0).abs() < 5_000.0, "{p95}");
    assert_eq!(summary["totals"]["requests"], 100);
}

#[tokio::test]
async fn rates_are_those_of_the_range_and_quantiles_those_of_the_filter() {
    let world = world().await;
    let asked = async |query: &str| {
        let path = format!("/summary?layer=l7&metrics=requests_per_s,response_us_p50&{query}");
        world.ask(&path).await["totals"].clone()
    };
    assert_eq!(asked("from=now-10s").await["requests_per_s"], 10);
    assert_eq!(asked("from=now-1000s").await["requests_per_s"], 0.1);
    let near = |value: &Value, exact: f64| {
        let value = value.as_f64().unwrap_or_else(|| panic!("{value}"));
        assert!((value - exact).abs() <= 0.05 * exact, "{value} for {exact}");
    };
    near(&asked("filter=method:GET").await["response_us_p50"], 1_000.0);
    near(&asked("filter=status:503").await["response_us_p50"], 100_000.0);
    let template = encoded("path:/users/{id}");
    assert_eq!(asked(&format!("from=now-10s&filter={template}")).await["requests_per_s"], 9);
    assert_eq!(asked("filter=status:404").await["response_us_p50"], Value::Null);
}

#[tokio::test]
async fn requests_over_time_and_by_path() {
    let world = world().await;
    let series = world
        .ask("/series?layer=l7&from=now-60s&step=20s&group_by=path,method&metrics=requests,requests_per_s,error_rate")
        .await;
    let lines = series["series"].as_array().unwrap();
    assert_eq!(lines[0]["group"], json!({"path": "/users/{id}", "method": "GET"}));
    assert_eq!(lines[1]["group"], json!({"path": "/users", "method": "POST"}));
    let last = |line: &Value, metric: &str| {
        let values = line["metrics"][metric].as_array().unwrap();
        values.iter().rev().find(|value| !value.is_null()).unwrap().clone()
    };
    assert_eq!(last(&lines[0], "requests_per_s"), 4.5, "90 requests in a step of 20 s");
    assert_eq!(last(&lines[1], "error_rate"), 1);
    let default = world.ask("/series?layer=l7").await;
    let names: Vec<&String> = default["series"][0]["metrics"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["errors", "requests"]);
}

#[tokio::test]
async fn facets_of_requests() {
    let world = world().await;
    let values = async |query: &str| {
        let facets = world.ask(&format!("/facets?layer=l7&{query}")).await;
        facets["facets"][0]["values"].clone()
    };
    assert_eq!(
        values("fields=path").await,
        json!([{"value": "/users", "count": 2}, {"value": "/users/{id}", "count": 1}])
    );
    assert_eq!(
        values("fields=status").await,
        json!([
            {"value": "200", "count": 1}, {"value": "503", "count": 1}, {"value": null, "count": 1}
        ])
    );
    // What only single requests have is counted over these.
    assert_eq!(
        values("fields=path&filter=trace_id:aa").await,
        json!([{"value": "/users/7", "count": 1}])
    );
    assert_eq!(values("fields=outcome").await, json!([{"value": "answered", "count": 3}]));
}

#[tokio::test]
async fn the_map_of_requests() {
    let world = world().await;
    let metrics = "requests,requests_per_s,error_rate,response_us,response_us_p50";
    let map = world.ask(&format!("/map?layer=l7&from=now-100s&metrics={metrics}")).await;
    let edge = &map["edges"][0];
    assert_eq!(edge["client"], "process:host-a/curl");
    assert_eq!(edge["metrics"]["requests"], 100);
    assert_eq!(edge["metrics"]["error_rate"], 0.1);
    assert!(edge["metrics"]["response_us_p50"].is_number());
    let node = &map["nodes"][0];
    assert_eq!(
        (&node["metrics"]["requests"], &node["metrics"]["requests_per_s"]),
        (&json!(100), &json!(1))
    );
    assert_eq!(node["metrics"]["error_rate"], 0.1);
}

#[tokio::test]
async fn nodes_of_the_map_merge_rates_and_means_but_no_quantiles() {
    let world = open_world();
    let to = |ip: &str, requests: u64, us: u64| {
        let values = vec![us; requests as usize];
        row_of(
            Table::L7Flows,
            START_MS,
            json!({
                "local_process": "curl", "local_host": "host-a", "remote_ip": ip,
                "remote_domain": format!("{ip}.example"), "requests": requests, "errors": requests / 2,
                "response_sketch": values,
            }),
        )
    };
    let rows = vec![to("10.1.0.1", 30, 1_000), to("10.1.0.2", 10, 9_000)];
    world.feed(&batch_of(Table::L7Flows, "a", 1, START_MS, rows)).await;
    let metrics = "requests_per_s,error_rate,response_us,response_us_max,response_us_p95";
    let map = world.ask(&format!("/map?layer=l7&from=now-10s&metrics={metrics}")).await;
    let node = |key: &str| {
        let nodes = map["nodes"].as_array().unwrap();
        nodes.iter().find(|n| n["key"] == key).unwrap()["metrics"].clone()
    };
    assert_eq!(
        node("process:host-a/curl"),
        json!({"requests_per_s": 4, "error_rate": 0.5, "response_us": 3_000,
               "response_us_max": 9_000, "response_us_p95": null})
    );
    let far = node("external:10.1.0.2.example")["response_us_p95"].as_f64().unwrap();
    assert!((far - 9_000.0).abs() < 450.0, "{far}");
}

#[tokio::test]
async fn connections_of_requests() {
    let world = world().await;
    let found = world.ask("/connections?layer=l7&entity=process:host-a/curl").await;
    let row = &found["rows"][0];
    assert_eq!((&row["ip"], &row["port"]), (&json!("10.0.0.2"), &json!(80)));
    assert_eq!(row["metrics"]["requests"], 100);
    let filter = encoded(row["filter"].as_str().unwrap());
    let again = world.ask(&format!("/summary?layer=l7&metrics=requests&filter={filter}")).await;
    assert_eq!(again["totals"]["requests"], 100);
    let rows = world.ask(&format!("/flows/l7?filter={filter}")).await;
    assert_eq!(rows["rows"].as_array().unwrap().len(), 3, "the same filter lists its requests");
}

#[tokio::test]
async fn single_requests_newest_first_in_pages() {
    let world = world().await;
    let first = world.ask("/flows/l7?limit=2").await;
    let paths = |page: &Value| -> Vec<String> {
        let rows = page["rows"].as_array().unwrap();
        rows.iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(&first), ["/users", "/users/8"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = world.ask(&format!("/flows/l7?limit=2&cursor={cursor}")).await;
    assert_eq!(paths(&second), ["/users/7"]);
    let row = &second["rows"][0];
    assert_eq!(row["began_ms"], START_MS - 5_000);
    assert_eq!((&row["template"], &row["weight"]), (&json!("/users/{id}"), &json!(80)));
    assert_eq!((&row["client_process"], &row["trace_id"]), (&json!("curl"), &json!("aa")));
    let template = encoded("path:/users/{id} response_us>1s");
    let slow = world.ask(&format!("/flows/l7?filter={template}")).await;
    assert_eq!(paths(&slow), ["/users/7"]);

    let description: Value = serde_json::from_str(&weir_server::openapi_json()).unwrap();
    let described = &description["components"]["schemas"]["RequestRow"]["properties"];
    let mut names: Vec<&String> = described.as_object().unwrap().keys().collect();
    let mut keys: Vec<&String> = row.as_object().unwrap().keys().collect();
    names.sort();
    keys.sort();
    assert_eq!(names, keys);
}

#[tokio::test]
async fn the_histogram_counts_requests_by_their_weight() {
    let world = world().await;
    let histogram = world.ask("/flows/l7/histogram?from=now-60s&step=10s&group_by=status").await;
    let count = |line: &Value| -> f64 {
        let values = line["metrics"]["requests"].as_array().unwrap();
        values.iter().filter_map(Value::as_f64).sum()
    };
    let lines = histogram["series"].as_array().unwrap();
    assert_eq!((&lines[0]["group"], count(&lines[0])), (&json!({"status": "200"}), 90.0));
    assert_eq!((&lines[1]["group"], count(&lines[1])), (&json!({"status": "503"}), 10.0));
    let traced = world.ask("/flows/l7/histogram?filter=trace_id:aa").await;
    assert_eq!(count(&traced["series"][0]), 80.0);
}

#[tokio::test]
async fn both_ends_of_a_request_name_each_other_and_count_once() {
    let world = open_world();
    for (window, sequence) in [(0, 1), (1, 2)] {
        world.set_now(START_MS + (window + 1) * WINDOW_MS);
        for mut sent in [client_batch(), server_batch()] {
            sent.header.sequence = sequence;
            sent.header.from_ms += window * WINDOW_MS;
            sent.header.to_ms += window * WINDOW_MS;
            for row in &mut sent.rows {
                row.insert("window_start_ms".to_owned(), sent.header.from_ms.into());
            }
            world.feed(&sent).await;
        }
    }
    let from = START_MS + WINDOW_MS;
    let merged = world.ask(&format!("/summary?layer=l7&from={from}&metrics=requests")).await;
    assert_eq!(merged["total"], 1);
    let ends = [&merged["rows"][0]["client"]["id"], &merged["rows"][0]["server"]["id"]];
    assert_eq!(ends, ["host-a/curl", "host-b/nginx"]);
    assert_eq!(merged["totals"]["requests"], 100);
}

#[tokio::test]
async fn name_lookups() {
    let world = open_world();
    let lookup = |changes: Value| {
        let mut row = row_of(Table::DnsFlows, START_MS, changes);
        row.insert("local_process".to_owned(), "curl".into());
        row.insert("local_host".to_owned(), "host-a".into());
        row
    };
    let rows = vec![
        lookup(json!({"dns_queries": 6, "dns_failures": 0, "dns_us_sketch": vec![2_000; 6]})),
        lookup(json!({"dns_name": "gone.example.com", "rcode": "NXDOMAIN", "dns_queries": 3,
                      "dns_failures": 3, "dns_us_sketch": vec![500; 3]})),
        lookup(json!({"dns_name": "slow.example.com", "rcode": null, "dns_queries": 1,
                      "dns_timeouts": 1})),
    ];
    world.feed(&batch_of(Table::DnsFlows, "a", 1, START_MS, rows)).await;
    let summary = world.ask("/summary?layer=dns").await;
    let metrics = &summary["rows"][0]["metrics"];
    assert_eq!(
        [
            &metrics["dns_queries"],
            &metrics["dns_failures"],
            &metrics["dns_timeouts"],
            &metrics["dns_us"]
        ],
        [&json!(10), &json!(3), &json!(1), &json!(1_500)]
    );
    assert!((metrics["dns_us_p95"].as_f64().unwrap() - 2_000.0).abs() < 100.0);
    let names = world.ask("/series?layer=dns&group_by=dns_name&metrics=dns_queries,dns_us").await;
    assert_eq!(names["series"][0]["group"], json!({"dns_name": "example.com"}));
    let failed = world.ask("/facets?layer=dns&fields=rcode&filter=dns_failures%3E0").await;
    assert_eq!(failed["facets"][0]["values"], json!([{"value": "NXDOMAIN", "count": 1}]));
    assert_eq!(world.ask("/map?layer=dns").await["edges"][0]["metrics"]["dns_queries"], 10);
    let connections = world.ask("/connections?layer=dns&client=process:host-a/curl").await;
    assert_eq!(connections["rows"][0]["port"], 53);
}

#[tokio::test]
async fn the_status_tells_the_tables_apart() {
    let status = world().await.ask("/status").await;
    let rows = |table: &str| {
        let tables = status["store"]["tables"].as_array().unwrap();
        tables.iter().find(|t| t["table"] == table).unwrap()["rows"].clone()
    };
    assert_eq!(
        [rows("l4_flows"), rows("l7_flows"), rows("l7_samples"), rows("dns_flows")],
        [0, 3, 3, 0]
    );
    assert_eq!(status["store"]["rows"], 6);
}

#[tokio::test]
async fn a_batch_with_a_broken_sketch_is_refused() {
    let world = open_world();
    let sent = client_batch();
    let bytes = sent.bytes();
    let mut batch = weir_wire::decode(&bytes, &weir_wire::Limits::default()).unwrap();
    let place = batch.rows.schema().index_of("response_sketch").unwrap();
    let mut columns = batch.rows.columns().to_vec();
    let rows = batch.rows.num_rows();
    columns[place] =
        std::sync::Arc::new(arrow_array::BinaryArray::from_iter_values(vec![b"xx"; rows]));
    batch.rows = arrow_array::RecordBatch::try_new(batch.rows.schema(), columns).unwrap();
    let reply = world.post_batch(weir_wire::encode(&batch).unwrap()).await;
    assert_eq!(reply.status.as_u16(), 400, "{}", reply.text());
    assert!(reply.text().contains("response_sketch"), "{}", reply.text());
    let get = request("GET", "/api/v1/summary?layer=l7").body(axum::body::Body::empty()).unwrap();
    assert_eq!(world.send(get).await.json()["total"], 0);
}
