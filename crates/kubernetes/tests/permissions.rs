//! The chart's ClusterRoles let the server and `weir cluster-watch` do what this crate does, and
//! nothing else.

use std::collections::BTreeSet;
use std::error::Error;

use serde_json::{Value, json};
use weir_kubernetes::{Kind, READABLE};
use weir_testkit::chart::Chart;
use weir_testkit::{Need, missing};

type Permission = (String, String, String);

fn permissions(chart: &Chart, role: &str) -> Result<BTreeSet<Permission>, Box<dyn Error>> {
    let role = chart.object("ClusterRole", role)?;
    let list = |rule: &Value, name: &str| -> Vec<String> {
        let words = rule[name].as_array().into_iter().flatten();
        words.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut found = BTreeSet::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in list(rule, "apiGroups") {
            for resource in list(rule, "resources") {
                for verb in list(rule, "verbs") {
                    found.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    Ok(found)
}

fn get(group: &str, resource: &str) -> Permission {
    (group.to_owned(), resource.to_owned(), "get".to_owned())
}

/// What watching all kinds asks for.
fn watched() -> BTreeSet<Permission> {
    let watched = Kind::ALL.into_iter().flat_map(|kind| {
        let (group, _) = kind.group_version();
        ["list", "watch"]
            .map(|verb| (group.to_owned(), kind.resource().to_owned(), verb.to_owned()))
    });
    watched.collect()
}

#[test]
fn what_tells_of_a_cluster_may_watch_it_and_no_more() -> Result<(), Box<dyn Error>> {
    if missing("permissions of cluster-watch", &[Need::ChartTools]) {
        return Ok(());
    }
    let chart = Chart::render(json!({
        "cluster": {"name": "green"}, "server": {"enabled": false},
        "clusterWatch": {"enabled": true}, "agent": {"server": "https://weir.example.com"},
        "token": {"existingSecret": "of-green"},
    }))?;
    assert_eq!(permissions(&chart, "weir-cluster-watch")?, watched());
    assert_eq!(chart.all("ClusterRole").len(), 1);
    Ok(())
}

#[test]
fn the_server_may_ask_for_what_it_asks_for() -> Result<(), Box<dyn Error>> {
    if missing("permissions", &[Need::ChartTools]) {
        return Ok(());
    }
    let of = |watch: Value| -> Result<BTreeSet<Permission>, Box<dyn Error>> {
        permissions(&Chart::render(json!({"server": {"watch": watch}}))?, "weir-server")
    };
    let watched = watched();
    assert_eq!(of(json!({"details": false}))?, watched);

    let read = READABLE.into_iter().map(|(_, group, _, resource)| get(group, resource));
    let with_details = watched.into_iter().chain(read).collect();
    assert_eq!(of(json!({}))?, with_details);

    let mut with_logs = with_details;
    with_logs.insert(get("", "pods/log"));
    assert_eq!(of(json!({"podLogs": true}))?, with_logs);

    let blind = Chart::render(json!({"server": {"watch": {"enabled": false}}}))?;
    assert!(blind.all("ClusterRole").is_empty() && blind.all("ClusterRoleBinding").is_empty());
    let server = blind.object("StatefulSet", "weir-server")?;
    assert_eq!(server["spec"]["template"]["spec"]["automountServiceAccountToken"], false);
    Ok(())
}
