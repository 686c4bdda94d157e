//! What the double of an API server says of itself: its version and its kinds.
//!
//! Helm and kubectl ask for that before anything else. The kinds are those of Weir's chart.

use serde_json::{Value, json};

use super::single::OF_THE_CLUSTER;

const VERSION: &str = "v1.30.0";
const KINDS: &[(&str, &[(&str, &str)])] = &[
    (
        "v1",
        &[("secrets", "Secret"), ("services", "Service"), ("serviceaccounts", "ServiceAccount")],
    ),
    (
        "apps/v1",
        &[
            ("statefulsets", "StatefulSet"),
            ("daemonsets", "DaemonSet"),
            ("deployments", "Deployment"),
        ],
    ),
    ("networking.k8s.io/v1", &[("networkpolicies", "NetworkPolicy"), ("ingresses", "Ingress")]),
    (
        "rbac.authorization.k8s.io/v1",
        &[("clusterroles", "ClusterRole"), ("clusterrolebindings", "ClusterRoleBinding")],
    ),
];

/// The answer to a question about the server itself; `None` where the path is that of objects.
pub fn answer(path: &str) -> Option<Value> {
    match path {
        "/version" => Some(json!({"major": "1", "minor": "30", "gitVersion": VERSION})),
        "/api" => Some(json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => Some(groups()),
        _ => {
            let version = path.strip_prefix("/apis/").or(path.strip_prefix("/api/"))?;
            let (_, kinds) = KINDS.iter().find(|(known, _)| *known == version)?;
            Some(resources(version, kinds))
        }
    }
}

fn groups() -> Value {
    let named = KINDS.iter().filter_map(|(known, _)| Some((*known, known.split_once('/')?)));
    let groups: Vec<Value> = named
        .map(|(known, (group, version))| {
            let version = json!({"groupVersion": known, "version": version});
            json!({"name": group, "versions": [version], "preferredVersion": version})
        })
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn resources(version: &str, kinds: &[(&str, &str)]) -> Value {
    let resources: Vec<Value> = kinds
        .iter()
        .map(|(name, kind)| {
            json!({"name": name, "singularName": kind.to_lowercase(), "kind": kind,
                   "namespaced": !OF_THE_CLUSTER.contains(name), "verbs": ["get", "list"]})
        })
        .collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
           "resources": resources})
}
