//! Answers in the shapes that the API promises.

use serde_json::{Value, json};
use weir_store::conformance::rows::row;

use super::world::{START_MS, WINDOW_MS, World, batch, open_world, small_host};

async fn small_world() -> World {
    let world = open_world();
    world.feed(&small_host()).await;
    world
}

fn pairs(summary: &Value) -> Vec<String> {
    let end = |entity: &Value| {
        format!("{}:{}", entity["kind"].as_str().unwrap(), entity["id"].as_str().unwrap())
    };
    let pair = |row: &Value| format!("{} > {}", end(&row["client"]), end(&row["server"]));
    summary["rows"].as_array().unwrap().iter().map(pair).collect()
}

#[tokio::test]
async fn a_summary_lists_pairs_with_their_metrics() {
    let summary = small_world().await.ask("/summary?from=now-5m&level=process").await;
    assert_eq!(summary["window"]["to_ms"], START_MS + WINDOW_MS);
    assert_eq!(summary["window"]["from_ms"], START_MS + WINDOW_MS - 300_000);
    assert_eq!(summary["window"]["resolution_s"], 10);
    assert_eq!(summary["total"], 2);
    assert_eq!(
        pairs(&summary),
        [
            "process:host-a/curl > external:example.com",
            "process:host-a/curl > process:host-a/nginx"
        ]
    );
    let own = &summary["rows"][1];
    assert_eq!(
        own["client"],
        json!({"kind": "process", "id": "host-a/curl", "name": "curl", "host": "host-a"})
    );
    assert_eq!(
        own["metrics"],
        json!({
            "bytes_sent": 100, "bytes_received": 5000, "rtt_us": 100, "jitter_us": null,
            "connections": 2, "closures": 2, "retransmits": 0,
        })
    );
    assert_eq!(summary["totals"]["bytes_received"], 5900);
    assert_eq!(summary["incomplete"], json!([]));
    assert!(summary.get("previous_totals").is_none());
}

#[tokio::test]
async fn a_summary_sorts_pages_and_filters() {
    let world = small_world().await;
    let by = async |query: &str| pairs(&world.ask(&format!("/summary?{query}")).await);
    let (own, far) = (
        "process:host-a/curl > process:host-a/nginx",
        "process:host-a/curl > external:example.com",
    );
    assert_eq!(by("sort=-bytes_received").await, [own, far]);
    assert_eq!(by("sort=bytes_received").await, [far, own]);
    assert_eq!(by("sort=server").await, [far, own]);
    assert_eq!(by("limit=1").await, [far]);
    assert_eq!(by("limit=1&offset=1").await, [own]);
    assert_eq!(by("filter=server_port:443").await, [far]);
    assert_eq!(by("filter=-server_domain:*").await, [own]);
    assert_eq!(by("perspective=server").await, [own]);
    assert_eq!(
        by("level=host").await,
        ["host:host-a > external:example.com", "host:host-a > host:host-a"]
    );
    assert_eq!(by("to=now-5m").await, Vec::<String>::new());
    let sorted = world.ask("/summary?metrics=connections&sort=-rtt_us").await;
    assert_eq!(sorted["rows"][0]["metrics"], json!({"connections": 2, "rtt_us": 100}));
    let page = world.ask("/summary?limit=1").await;
    assert_eq!((&page["total"], &page["totals"]["connections"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn a_summary_compares_with_the_period_before() {
    let world = small_world().await;
    let later = START_MS + 300_000;
    let rows = vec![
        row(
            later,
            json!({
                "local_ip": "10.0.0.1", "remote_ip": "93.184.216.34", "remote_port": 443,
                "local_process": "curl", "local_host": "host-a", "remote_domain": "example.com",
                "bytes_sent": 7000, "bytes_received": 1,
            }),
        ),
        row(
            later,
            json!({
                "local_ip": "10.0.0.1", "remote_ip": "93.184.216.35", "remote_port": 443,
                "local_process": "wget", "local_host": "host-a", "remote_domain": "example.org",
                "bytes_sent": 1, "bytes_received": 1,
            }),
        ),
    ];
    world.feed(&batch("a", 2, later, rows)).await;
    world.set_now(later + WINDOW_MS);
    let summary = world.ask("/summary?from=now-5m&compare=previous").await;
    assert_eq!(summary["previous_window"]["to_ms"], summary["window"]["from_ms"]);
    assert_eq!(summary["rows"][0]["metrics"]["bytes_sent"], 7000);
    assert_eq!(summary["rows"][0]["previous"]["bytes_sent"], 700);
    assert!(summary["rows"][1].get("previous").is_none(), "example.org is new");
    assert_eq!(summary["previous_totals"]["bytes_sent"], 800);
}

#[tokio::test]
async fn series_have_a_value_per_metric_and_step() {
    let world = small_world().await;
    let series = world.ask("/series?from=now-1m&metrics=bytes_sent,rtt_us&step=10s").await;
    assert_eq!(series["step_s"], 10.0);
    let times = series["times_ms"].as_array().unwrap();
    let place = times.iter().position(|time| *time == START_MS).unwrap();
    let line = &series["series"][0];
    assert_eq!((&line["group"], &line["is_rest"]), (&Value::Null, &json!(false)));
    assert_eq!(line["metrics"]["bytes_sent"][place], 800);
    assert_eq!(line["metrics"]["rtt_us"][place], 100);
    assert_eq!(line["metrics"]["rtt_us"][place - 1], Value::Null);
    assert_eq!(line["metrics"]["bytes_sent"].as_array().unwrap().len(), times.len());
}

#[tokio::test]
async fn series_split_by_fields_and_entities() {
    let world = small_world().await;
    let series = world.ask("/series?group_by=server,transport&metrics=bytes_sent").await;
    let groups: Vec<&Value> =
        series["series"].as_array().unwrap().iter().map(|line| &line["group"]).collect();
    assert_eq!(
        groups,
        [
            &json!({"server": "external:example.com", "transport": "tcp"}),
            &json!({"server": "process:host-a/nginx", "transport": "tcp"}),
        ]
    );
    let folded = world.ask("/series?group_by=server&metrics=bytes_sent&limit=1").await;
    assert_eq!(folded["series"][1]["is_rest"], true);
    assert_eq!(folded["series"][1]["group"], Value::Null);
}

#[tokio::test]
async fn the_histogram_is_a_series() {
    let world = small_world().await;
    let histogram = world.ask("/flows/l4/histogram?from=now-1m&group_by=direction").await;
    let line = &histogram["series"][0];
    assert_eq!(line["group"], json!({"direction": "outgoing"}));
    let sum = line["metrics"]["connections"].as_array().unwrap().iter().filter_map(Value::as_i64);
    assert_eq!(sum.sum::<i64>(), 3);
}

#[tokio::test]
async fn facets_count_rows_by_value() {
    let world = small_world().await;
    let facets = world.ask("/facets?fields=server_process,direction&perspective=merged").await;
    assert_eq!(facets["facets"][0]["field"], "server_process");
    let values = facets["facets"][0]["values"].as_array().unwrap();
    assert!(values.contains(&json!({"value": "nginx", "count": 1})));
    assert!(values.contains(&json!({"value": null, "count": 1})));
    assert_eq!(facets["facets"][1]["values"], json!([{"value": "outgoing", "count": 2}]));
    assert_eq!(facets["facets"][1]["left"], 0);
}

#[tokio::test]
async fn flows_are_flat_rows_in_pages() {
    let world = small_world().await;
    let page = world.ask("/flows/l4?limit=1&perspective=merged").await;
    let next = page["next_cursor"].as_str().expect("there is more").to_owned();
    let rest = world.ask(&format!("/flows/l4?limit=1&cursor={next}")).await;
    let mut ports = vec![&page["rows"][0]["remote_port"], &rest["rows"][0]["remote_port"]];
    ports.sort_by_key(|port| port.as_i64());
    assert_eq!(ports, [&json!(80), &json!(443)]);
    let row = world.ask("/flows/l4?filter=remote_port:80").await["rows"][0].clone();
    assert_eq!(row["window_start_ms"], START_MS);
    assert_eq!((&row["local_process"], &row["bytes_sent"]), (&json!("curl"), &json!(100)));
}

#[tokio::test]
async fn every_row_has_the_described_properties() {
    let world = small_world().await;
    let row = world.ask("/flows/l4?limit=1").await["rows"][0].clone();
    let description: Value = serde_json::from_str(&weir_server::openapi_json()).unwrap();
    let described = &description["components"]["schemas"]["FlowRow"]["properties"];
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&row), keys(described));
}

#[tokio::test]
async fn connections_of_a_pair_an_entity_and_their_filters() {
    let world = small_world().await;
    let pair = "client=process:host-a/curl&server=process:host-a/nginx";
    let found = world.ask(&format!("/connections?{pair}")).await;
    assert_eq!(found["left"], 0);
    let row = &found["rows"][0];
    assert_eq!(
        (&row["direction"], &row["ip"], &row["port"], &row["transport"]),
        (&json!("outgoing"), &json!("127.0.0.1"), &json!(80), &json!("tcp"))
    );
    assert_eq!(row["metrics"]["bytes_received"], 5000);

    let by_ip = world.ask("/connections?entity=process:host-a/curl&by=ip").await;
    let rows: Vec<(&Value, &Value, &Value)> = by_ip["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["ip"], &row["port"], &row["metrics"]["bytes_sent"]))
        .collect();
    assert_eq!(
        rows,
        [
            (&json!("93.184.216.34"), &Value::Null, &json!(700)),
            (&json!("127.0.0.1"), &Value::Null, &json!(100)),
        ]
    );
    let served = world.ask("/connections?entity=process:host-a/nginx").await;
    assert_eq!(served["rows"][0]["direction"], "incoming");
}

#[tokio::test]
async fn connections_filters_select_their_own_flows() {
    let world = small_world().await;
    for query in
        ["entity=process:host-a/curl", "entity=external:example.com", "entity=process:host-a/nginx"]
    {
        let found =
            world.ask(&format!("/connections?{query}&metrics=bytes_sent,bytes_received")).await;
        let rows = found["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{query}");
        for row in rows {
            let filter = encoded(row["filter"].as_str().unwrap());
            let again = world
                .ask(&format!("/summary?filter={filter}&metrics=bytes_sent,bytes_received"))
                .await;
            assert_eq!(again["totals"], row["metrics"], "{query} {}", row["filter"]);
        }
        let filter = encoded(found["filter"].as_str().unwrap());
        let all = world.ask(&format!("/summary?filter={filter}&metrics=bytes_sent")).await;
        let sum: i64 = rows.iter().map(|row| row["metrics"]["bytes_sent"].as_i64().unwrap()).sum();
        assert_eq!(all["totals"]["bytes_sent"], sum, "{query}");
    }
}

/// Percent-encodes everything that is not plain.
pub fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    text.bytes()
        .map(|b| if plain(&b) { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[tokio::test]
async fn connections_return_at_most_a_hundred_and_count_the_rest() {
    let world = open_world();
    let far = |i: i64| {
        row(
            START_MS,
            json!({
                "local_process": "scan", "local_host": "host-a",
                "remote_ip": format!("10.1.0.{i}"), "bytes_sent": i,
            }),
        )
    };
    world.feed(&batch("a", 1, START_MS, (1..=150).map(far).collect())).await;
    let found = world.ask("/connections?entity=process:host-a/scan").await;
    let rows = found["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &found["left"]), (100, &json!(50)));
    assert_eq!(rows[0]["ip"], "10.1.0.150", "heaviest first");
    assert_eq!(rows[99]["ip"], "10.1.0.51");
}

#[tokio::test]
async fn losses_and_silent_agents_are_said() {
    let world = open_world();
    world.feed(&small_host().losing("map_full", 3)).await;
    world.set_now(START_MS + 200_000);
    let summary = world.ask("/summary").await;
    let kinds: Vec<&Value> =
        summary["incomplete"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, [&json!("lost"), &json!("stale")]);
    assert_eq!(summary["incomplete"][0]["count"], 3);
    assert!(summary["incomplete"][1]["message"].as_str().unwrap().ends_with("from a"));
    let before = world.ask("/summary?from=now-2h&to=now-1h").await;
    assert_eq!(before["incomplete"], json!([]), "nothing was lost then");
}
