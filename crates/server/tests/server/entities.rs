//! What is known of one entity, what happened to it, and its log.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use weir_store::conformance::rows::row;
use weir_testkit::ApiServer;

use super::clusters::{NODES, PODS, Watched, pod, shop, watched};
use super::world::{START_MS, batch, request};

const EVENTS: &str = "/api/v1/events";

fn event(uid: &str, kind: &str, name: &str, reason: &str, minute: u32) -> Value {
    json!({"metadata": {"uid": uid, "name": uid, "namespace": "shop"},
        "involvedObject": {"kind": kind, "namespace": "shop", "name": name},
        "type": "Warning", "reason": reason, "message": format!("{reason} happened"), "count": 3,
        "lastTimestamp": format!("2023-11-14T23:{minute:02}:00Z"), "source": {"component": "kubelet"}})
}

async fn shown() -> Watched {
    watched(&["prod"], |_, server: &ApiServer| {
        shop(server);
        let mut cart = pod("uid-cart", "cart", "host-a", "10.244.1.5");
        cart["metadata"]["annotations"] = json!({"team": "shop"});
        cart["status"]["containerStatuses"] = json!([{"name": "web", "image": "cart:7",
            "containerID": format!("containerd://{}", "ab".repeat(32)),
            "restartCount": 2, "ready": true, "state": {"running": {}}}]);
        server.put(PODS, cart).expect("an object");
        let mut node = super::clusters::node("host-a", "10.0.0.1", "eu-1");
        node["spec"]["providerID"] = json!("aws:///eu-1/i-0abc");
        node["metadata"]["labels"]["node.kubernetes.io/instance-type"] = json!("m7g.large");
        server.put(NODES, node).expect("an object");
        for (minute, (kind, name)) in
            [("Pod", "cart"), ("ReplicaSet", "cart-5d8f"), ("Pod", "stock")].iter().enumerate()
        {
            let uid = format!("event-{minute}");
            let event = event(&uid, kind, name, &format!("Thing{minute}"), minute as u32);
            server.put(EVENTS, event).expect("an object");
        }
        for line in ["one", "two", "three"] {
            server.write_log("shop", "cart", line);
        }
    })
    .await
}

async fn status_of(world: &Watched, path: &str) -> (StatusCode, Value) {
    let request = request("GET", &format!("/api/v1{path}")).body(Body::empty()).unwrap();
    let response = world.router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_described() {
    let world = shown().await;
    let cart = world.get("/entity?entity=pod:prod/shop/cart").await;
    let facts = ["is_known", "is_living", "node", "zone", "region", "workload_kind"];
    let facts: Vec<&Value> = facts.iter().map(|name| &cart[*name]).collect();
    assert_eq!(json!(facts), json!([true, true, "host-a", "eu-1", "eu", "Deployment"]));
    assert_eq!(cart["addresses"], json!(["10.244.1.5"]));
    assert_eq!(cart["labels"]["pod-template-hash"], "5d8f", "here all labels are shown");
    assert_eq!(cart["flow_labels"], json!(["app", "tier"]), "and told which ones filters find");
    let chain = json!([{"kind": "ReplicaSet", "name": "cart-5d8f"},
        {"kind": "Deployment", "name": "cart"}]);
    assert_eq!(cart["owners"], chain);
    assert_eq!(cart["live"]["annotations"], json!({"team": "shop"}));
    assert_eq!(cart["live"]["containers"][0]["restarts"], 2);
    let gone = world.get("/entity?entity=pod:prod/shop/nobody").await;
    assert_eq!((&gone["is_known"], &gone["live"]), (&json!(false), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_services_and_hosts_have_their_pods() {
    let world = shown().await;
    let pods = async |entity: &str| {
        let details = world.get(&format!("/entity?entity={entity}")).await;
        let pods = details["pods"].as_array().expect("pods").clone();
        (details, pods.iter().map(|pod| pod["id"].clone()).collect::<Vec<_>>())
    };
    let (cart, of_cart) = pods("workload:prod/shop/cart").await;
    assert_eq!(json!(of_cart), json!(["prod/shop/cart"]));
    assert_eq!(cart["labels"], json!({"app": "cart", "tier": "web", "pod-template-hash": "5d8f"}));
    assert_eq!(cart["flow_labels"], json!(["app", "tier"]));
    let (stock, of_stock) = pods("service:prod/shop/stock").await;
    assert_eq!(json!(of_stock), json!(["prod/shop/stock"]));
    let port = json!([{"port": 80, "transport": "tcp", "node_port": null}]);
    assert_eq!((&stock["ports"], &stock["addresses"]), (&port, &json!(["10.96.0.10"])));
    let (host, of_host) = pods("host:host-a").await;
    assert_eq!(json!(of_host), json!(["prod/shop/cart"]));
    let machine = json!({"provider": "aws", "instance": "i-0abc", "instance_type": "m7g.large"});
    assert_eq!(host["machine"], machine);
    assert_eq!(host["cluster"], "prod");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_have_their_clouds_on_the_map_and_in_their_details() {
    let world = shown().await;
    let talk = |host: &str, to: &str| {
        let values = json!({"local_ip": "10.0.0.77", "local_host": host, "remote_ip": to,
            "remote_port": 22, "bytes_sent": 5});
        row(START_MS, values)
    };
    let from = |agent: &str, host: &str| {
        let mut sent = batch(agent, 1, START_MS, vec![talk(host, "10.0.0.1")]);
        sent.header.host = host.to_owned();
        sent
    };
    let mut vm = from("b", "vm");
    vm.header.place = Some(weir_model::Place {
        provider: Some("gcp".to_owned()),
        instance: Some("4520031799277581759".to_owned()),
        instance_type: Some("e2-medium".to_owned()),
        zone: Some("europe-west4-a".to_owned()),
        region: Some("europe-west4".to_owned()),
    });
    world.feed(vm).await;
    world.feed(from("c", "metal")).await;
    let to = START_MS + 60_000;
    let map = world.get(&format!("/map?level=host&from={START_MS}&to={to}")).await;
    let nodes = map["nodes"].as_array().expect("nodes").iter();
    let mut clouds: Vec<Value> =
        nodes.map(|node| json!([node["entity"]["name"], node["provider"]])).collect();
    clouds.sort_by_key(Value::to_string);
    assert_eq!(json!(clouds), json!([["host-a", "aws"], ["metal", null], ["vm", "gcp"]]));

    let vm = world.get("/entity?entity=host:vm").await;
    let machine = json!({"provider": "gcp", "instance": "4520031799277581759",
        "instance_type": "e2-medium"});
    assert_eq!(vm["machine"], machine);
    assert_eq!(json!([vm["zone"], vm["region"]]), json!(["europe-west4-a", "europe-west4"]));
    let metal = world.get("/entity?entity=host:metal").await;
    assert_eq!((&metal["machine"], &metal["is_known"]), (&Value::Null, &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_those_of_the_entity() {
    let world = shown().await;
    let reasons = async |entity: &str| {
        let answer = world.get(&format!("/entity/events?entity={entity}")).await;
        let events = answer["events"].as_array().expect("events").clone();
        json!(events.iter().map(|event| event["reason"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(reasons("pod:prod/shop/cart").await, json!(["Thing0"]));
    assert_eq!(reasons("workload:prod/shop/cart").await, json!(["Thing1", "Thing0"]));
    assert_eq!(reasons("process:host-a/curl").await, json!([]));
    let answer = world.get("/entity/events?entity=pod:elsewhere/shop/cart").await;
    assert_eq!(answer["is_watched"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_read_and_followed() {
    let world = shown().await;
    let ask = async |query: &str| {
        let path = format!("/api/v1/entity/logs?entity=pod:prod/shop/cart{query}");
        let request = request("GET", &path).body(Body::empty()).unwrap();
        let response = world.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body()
    };
    let body = axum::body::to_bytes(ask("&lines=2").await, 1 << 20).await.unwrap();
    assert_eq!(&body[..], b"two\nthree\n");

    let mut stream = ask("&lines=1&follow=true").await;
    // A line may come in pieces.
    let next = async |stream: &mut Body| {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let frame = tokio::time::timeout(Duration::from_secs(10), stream.frame()).await;
            let frame = frame.expect("in time").expect("more").expect("a frame");
            line.extend(frame.into_data().expect("bytes"));
        }
        line
    };
    assert_eq!(next(&mut stream).await, b"three\n");
    world.doubles[0].write_log("shop", "cart", "four");
    assert_eq!(next(&mut stream).await, b"four\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_says_why() {
    let world = shown().await;
    let (status, problem) = status_of(&world, "/entity/logs?entity=pod:prod/shop/none").await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(problem["detail"].as_str().expect("a detail").contains("not found"), "{problem}");
    world.doubles[0].forbid("pods/log", true);
    let (_, problem) = status_of(&world, "/entity/logs?entity=pod:prod/shop/cart").await;
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("[\"pods/log\"]") && detail.contains("[\"get\"]"), "{detail}");
    let (status, problem) = status_of(&world, "/entity/logs?entity=host:host-a").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
    let (status, problem) = status_of(&world, "/entity").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["parameter"], "entity");
    world.doubles[0].set_down(true);
    let cart = world.get("/entity?entity=pod:prod/shop/cart").await;
    assert_eq!((&cart["is_known"], &cart["live"]), (&json!(true), &Value::Null));
    let problem = cart["live_problem"].as_str().expect("a problem");
    assert!(problem.contains("cannot reach the API server"), "{problem}");
}
