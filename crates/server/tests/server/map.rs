//! The map over a real store.

use serde_json::{Value, json};
use weir_store::conformance::rows::row;

use super::world::{START_MS, batch, open_world, small_host};

fn keys(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|node| node["key"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn nodes_and_edges_of_a_host() {
    let world = open_world();
    world.feed(&small_host()).await;
    let map = world.ask("/map?metrics=bytes_received,rtt_us,connections").await;
    assert_eq!(
        keys(&map["nodes"]),
        ["process:host-a/curl", "process:host-a/nginx", "external:example.com"]
    );
    let curl = &map["nodes"][0];
    assert_eq!(curl["entity"]["name"], "curl");
    assert_eq!(curl["metrics"], json!({"bytes_received": 5900, "rtt_us": 100, "connections": 3}));
    let nginx = &map["nodes"][1];
    assert_eq!(nginx["metrics"]["bytes_received"], 100, "what it received, not its client");
    assert_eq!(map["edges"][0]["client"], "process:host-a/curl");
    assert_eq!(map["edges"][0]["server"], "process:host-a/nginx");
    assert_eq!(map["edges"][0]["metrics"]["bytes_received"], 5000);
    assert_eq!((&map["groups"], &map["incomplete"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_focus_shrinks_the_map() {
    let world = open_world();
    world.feed(&small_host()).await;
    let nginx = world.ask("/map?focus=process:host-a/nginx&focus_flow=upstream").await;
    assert_eq!(keys(&nginx["nodes"]), ["process:host-a/nginx", "process:host-a/curl"]);
    let depth = world.ask("/map?focus=process:host-a/nginx&depth=2").await;
    assert_eq!(keys(&depth["nodes"]).len(), 2, "example.com is not upstream of nginx");
    let gone = world.ask("/map?focus=process:host-a/gone").await;
    assert_eq!(gone["nodes"], json!([]));
    assert_eq!(gone["incomplete"][0]["reason"], "focus_absent");
}

#[tokio::test]
async fn groups_hold_their_traffic() {
    let world = open_world();
    world.feed(&small_host()).await;
    let map = world.ask("/map?group=host&metrics=bytes_sent").await;
    let groups: Vec<(&Value, &Value)> =
        map["groups"].as_array().unwrap().iter().map(|g| (&g["id"], &g["nodes"])).collect();
    assert_eq!(groups, [(&json!("host:host-a"), &json!(2)), (&json!("external"), &json!(1))]);
    assert_eq!(
        map["group_edges"],
        json!([{"client": "host:host-a", "server": "external", "metrics": {"bytes_sent": 700}}])
    );
    assert_eq!(world.ask("/map?group=zone").await["groups"][0]["id"], "external");
}

#[tokio::test]
async fn too_much_is_cut_and_said() {
    let world = open_world();
    let far = |i: i64| {
        row(
            START_MS,
            json!({
                "local_process": "scan", "local_host": "host-a", "remote_host": format!("h{i}"),
                "remote_ip": format!("10.1.0.{i}"), "bytes_sent": i,
            }),
        )
    };
    world.feed(&batch("a", 1, START_MS, (1..=20).map(far).collect())).await;
    let map = world.ask("/map?limit=5").await;
    assert_eq!(keys(&map["nodes"]).len(), 5);
    assert_eq!(keys(&map["nodes"])[1], "host:h20");
    let cut = &map["incomplete"][0];
    assert_eq!(
        (&cut["kind"], &cut["reason"], &cut["count"]),
        (&json!("cut"), &json!("nodes"), &json!(16))
    );
    assert!(cut["message"].as_str().unwrap().starts_with("5 of 21 nodes"));
}
