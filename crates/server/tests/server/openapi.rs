//! The committed description is that of the handlers.

use super::world::open_world;

#[test]
fn the_committed_description_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == weir_server::openapi_json(),
        "docs/reference/openapi.json is old: run `make generate`"
    );
}

#[tokio::test]
async fn the_server_describes_itself() {
    let world = open_world();
    let served = world.ask("/openapi.json").await;
    let committed: serde_json::Value = serde_json::from_str(&weir_server::openapi_json()).unwrap();
    assert_eq!(served, committed);
    for path in
        ["summary", "series", "facets", "map", "connections", "status", "flows/l4", "flows/l7"]
    {
        assert!(served["paths"][format!("/api/v1/{path}")]["get"].is_object(), "{path}");
    }
}

#[tokio::test]
async fn the_schema_names_columns_fields_and_metrics() {
    let schema = open_world().ask("/schema").await;
    let names = |list: &serde_json::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(&schema["tables"][0]["columns"]).contains(&"rtt_us_sum".to_owned()));
    assert!(names(&schema["tables"][0]["fields"]).contains(&"client_process".to_owned()));
    assert!(names(&schema["metrics"]).contains(&"rtt_us".to_owned()));
    assert_eq!(names(&schema["tables"]), ["l4_flows", "l7_flows", "l7_samples", "dns_flows"]);
    let of = |name: &str| -> serde_json::Value {
        let metrics = schema["metrics"].as_array().unwrap();
        metrics.iter().find(|metric| metric["name"] == name).unwrap().clone()
    };
    assert_eq!(
        (&of("error_rate")["layer"], &of("error_rate")["unit"]),
        (&"l7".into(), &"ratio".into())
    );
    assert_eq!(of("dns_us_p95")["layer"], "dns");
    assert_eq!(schema["links"], serde_json::json!([]));
}
