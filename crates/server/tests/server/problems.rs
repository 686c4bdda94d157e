//! Every way to ask wrongly, and the problem document that it gets.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::world::{Reply, World, open_world, request};

async fn problem(world: &World, path: &str, status: u16) -> Value {
    let reply = world.get(path).await;
    check(&reply, path, status)
}

fn check(reply: &Reply, path: &str, status: u16) -> Value {
    assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json", "{path}");
    let problem = reply.json();
    assert_eq!(problem["status"], status, "{path}");
    assert!(problem["type"].as_str().unwrap().starts_with("urn:weir:problem:"), "{path}");
    assert!(!problem["title"].as_str().unwrap().is_empty(), "{path}");
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{path}");
    assert_eq!(problem["instance"], path.split('?').next().unwrap());
    problem
}

#[tokio::test]
async fn wrong_parameters_say_what_would_be_right() {
    let world = open_world();
    // path, parameter, type, part of `expected`, did you mean
    let cases = [
        ("/summary?form=now-5m", "form", "unknown-parameter", "from, to, level", Some("from")),
        ("/summary?colour=red", "colour", "unknown-parameter", "metrics", None),
        ("/summary?from=yesterday", "from", "invalid-parameter", "now-15m", None),
        ("/summary?to=2026-13-01T00:00:00Z", "to", "invalid-parameter", "RFC 3339", None),
        ("/summary?from=now&to=now-5m", "from", "invalid-parameter", "`from` before `to`", None),
        ("/summary?from=now-5m&from=now", "from", "invalid-parameter", "at most once", None),
        ("/summary?level=proces", "level", "invalid-parameter", "process, host", Some("process")),
        ("/summary?layer=l3", "layer", "invalid-parameter", "l4, l7, dns", Some("l4")),
        ("/flows/l4?layer=l7", "layer", "invalid-parameter", "/api/v1/flows/l7", None),
        ("/flows/l7?layer=dns", "layer", "invalid-parameter", "l7", None),
        ("/summary?layer=l7&metrics=rtt_us", "metrics", "invalid-parameter", "layer=l4, or", None),
        ("/series?metrics=error_rate", "metrics", "invalid-parameter", "layer=l7, or", None),
        ("/map?layer=dns&metrics=requests", "metrics", "invalid-parameter", "layer=l7, or", None),
        ("/summary?sort=-dns_us", "sort", "invalid-parameter", "layer=dns, or", None),
        (
            "/summary?layer=l7&metrics=response_us_p59",
            "metrics",
            "invalid-parameter",
            "response_us_p99",
            Some("response_us_p50"),
        ),
        ("/series?layer=l7&group_by=dns_name", "group_by", "invalid-parameter", "path", None),
        ("/summary?filter=status:500", "filter", "invalid-filter", "(layer l7)", None),
        (
            "/summary?layer=l7&filter=trace_id:1",
            "filter",
            "invalid-filter",
            "single requests",
            None,
        ),
        ("/flows/l7/histogram?metrics=errors", "metrics", "invalid-parameter", "requests", None),
        ("/summary?perspective=every", "perspective", "invalid-parameter", "merged", None),
        (
            "/summary?metrics=byte_sent",
            "metrics",
            "invalid-parameter",
            "rtt_us",
            Some("bytes_sent"),
        ),
        ("/summary?sort=-latency", "sort", "invalid-parameter", "client, server", None),
        ("/summary?limit=0.5", "limit", "invalid-parameter", "from 0 to 50000", None),
        ("/summary?limit=50001", "limit", "invalid-parameter", "from 0 to 50000", None),
        ("/summary?offset=-1", "offset", "invalid-parameter", "a whole number", None),
        ("/summary?compare=last", "compare", "invalid-parameter", "previous", None),
        ("/series?group_by=process", "group_by", "invalid-parameter", "client_process", None),
        ("/series?step=5", "step", "invalid-parameter", "20s", None),
        ("/series?step=1s", "step", "invalid-parameter", "at least 10s", None),
        ("/series?from=now-2d&step=10s", "step", "invalid-parameter", "at least 87s", None),
        ("/facets", "fields", "invalid-parameter", "1 to 50", None),
        ("/facets?fields=bytes_sent", "fields", "invalid-parameter", "client_process", None),
        ("/flows/l4?limit=0", "limit", "invalid-parameter", "from 1 to 10000", None),
        ("/connections", "entity", "invalid-parameter", "KIND:ID", None),
        ("/connections?entity=nginx", "entity", "invalid-parameter", "KIND:ID", None),
        ("/connections?entity=host:a&client=host:b", "entity", "invalid-parameter", "alone", None),
        ("/connections?client=host:b&by=port", "by", "invalid-parameter", "ip_port", None),
        ("/map?group=rack", "group", "invalid-parameter", "namespace", None),
        ("/map?focus=nginx", "focus", "invalid-parameter", "KIND:ID", None),
        ("/map?depth=4", "depth", "invalid-parameter", "from 1 to 3", None),
        ("/map?focus_flow=up", "focus_flow", "invalid-parameter", "upstream", None),
        ("/map?limit=5001", "limit", "invalid-parameter", "from 1 to 5000", None),
        ("/status?from=now", "from", "unknown-parameter", "no parameters", None),
    ];
    for (path, parameter, kind, expected, meant) in cases {
        let problem = problem(&world, &format!("/api/v1{path}"), 400).await;
        assert_eq!(problem["parameter"], parameter, "{path}");
        assert_eq!(problem["type"], format!("urn:weir:problem:{kind}"), "{path}");
        let says = problem["expected"].as_str().unwrap();
        assert!(says.contains(expected), "{path}: {says}");
        assert_eq!(problem.get("did_you_mean").and_then(Value::as_str), meant, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_filter_is_pointed_at() {
    let world = open_world();
    let path = "/api/v1/flows/l4?filter=server_port:443%20clint_ip:10.0.0.1";
    let wrong = problem(&world, path, 400).await;
    assert_eq!(wrong["type"], "urn:weir:problem:invalid-filter");
    assert_eq!((&wrong["position"], &wrong["length"]), (&json!(16), &json!(8)));
    assert_eq!(wrong["did_you_mean"], "client_ip");
    assert!(!wrong["expected"].as_str().unwrap().is_empty());
    let ended = problem(&world, "/api/v1/summary?filter=(a", 400).await;
    assert_eq!(ended["position"], 0, "the bracket that is not closed");
    for filter in ["server_ip:300.1.1.1", "rtt_us:[9%20-%201]", "%22open", "transport:sctp"] {
        problem(&world, &format!("/api/v1/map?filter={filter}"), 400).await;
    }
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let world = open_world();
    let unknown = problem(&world, "/api/v1/sumary", 404).await;
    assert_eq!(unknown["did_you_mean"], "/api/v1/summary");
    problem(&world, "/api", 404).await;
    problem(&world, "/api/v2/summary", 404).await;
    problem(&world, "/assets/nothing-1234.js", 404).await;

    let empty = axum::body::Body::empty;
    for (method, path, allowed) in [
        ("POST", "/api/v1/summary", "GET,HEAD"),
        ("GET", "/api/v1/ingest", "POST"),
        ("PUT", "/api/v1/session", "POST,DELETE"),
        ("DELETE", "/metrics", "GET,HEAD"),
    ] {
        let reply = world.send(request(method, path).body(empty()).unwrap()).await;
        check(&reply, path, 405);
        let mut methods: Vec<&str> = reply.header("allow").split(',').collect();
        methods.sort_unstable();
        let mut expected: Vec<&str> = allowed.split(',').collect();
        expected.sort_unstable();
        assert_eq!(methods, expected, "{method} {path}");
    }
    let reply = world.send(request("POST", "/map").body(empty()).unwrap()).await;
    check(&reply, "/map", 405);
}

#[tokio::test]
async fn a_foreign_cursor_is_refused() {
    let world = open_world();
    problem(&world, "/api/v1/flows/l4?cursor=abc", 400).await;
}

#[tokio::test]
async fn an_empty_value_is_no_value() {
    let world = open_world();
    let reply = world.get("/api/v1/summary?filter=&from=&sort=").await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn head_has_no_body() {
    let world = open_world();
    let head = request("HEAD", "/api/v1/summary?form=1").body(axum::body::Body::empty()).unwrap();
    let reply = world.send(head).await;
    assert_eq!((reply.status, reply.body.len()), (StatusCode::BAD_REQUEST, 0));
}
