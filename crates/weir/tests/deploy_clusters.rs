//! The chart where there are many clusters: what tells a server elsewhere of a cluster, tokens of
//! clusters, one name for each, and the token that upgrades keep.

use std::net::TcpListener;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use weir_testkit::chart::{Chart, workspace};
use weir_testkit::{ApiServer, Need, missing};

const SECRETS: &str = "/api/v1/secrets";

fn is_skipped(test: &str) -> bool {
    missing(test, &[Need::ChartTools])
}

/// Values of a cluster whose server is at `server`.
fn further(server: &str) -> Value {
    json!({
        "cluster": {"name": "green"}, "server": {"enabled": false},
        "clusterWatch": {"enabled": true}, "agent": {"server": server},
        "token": {"existingSecret": "of-green", "key": "word"},
    })
}

fn container(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"][0]
}

fn variable(workload: &Value, name: &str) -> Option<String> {
    let list = container(workload)["env"].as_array()?;
    let found = list.iter().find(|variable| variable["name"] == name)?;
    found["value"].as_str().map(str::to_owned)
}

fn volume<'a>(workload: &'a Value, name: &str) -> Result<&'a Value> {
    let list = workload["spec"]["template"]["spec"]["volumes"].as_array().context("volumes")?;
    list.iter().find(|volume| volume["name"] == name).context("the volume")
}

fn mount<'a>(workload: &'a Value, name: &str) -> Result<&'a Value> {
    let list = container(workload)["volumeMounts"].as_array().context("volumeMounts")?;
    list.iter().find(|mount| mount["name"] == name).context("the mount")
}

#[test]
fn a_further_cluster_has_agents_and_one_that_tells_of_it() -> Result<()> {
    if is_skipped("a further cluster") {
        return Ok(());
    }
    let chart = Chart::render(further("https://weir.example.com"))?;
    assert!(chart.all("StatefulSet").is_empty() && chart.all("Service").is_empty());
    assert!(chart.all("Secret").is_empty());
    let watch = chart.object("Deployment", "weir-cluster-watch")?;
    let agent = chart.object("DaemonSet", "weir-agent")?;
    assert_eq!(watch["spec"]["replicas"], 1);
    assert_eq!(watch["spec"]["strategy"], json!({"type": "Recreate"}));
    for workload in [watch, agent] {
        let server = variable(workload, "WEIR_AGENT_SERVER");
        assert_eq!(server.as_deref(), Some("https://weir.example.com"));
        let secret = &volume(workload, "token")?["secret"];
        assert_eq!(secret["secretName"], "of-green");
        assert_eq!(secret["items"], json!([{"key": "word", "path": "token"}]));
        let folder = mount(workload, "token")?["mountPath"].as_str().context("a folder")?;
        let file = variable(workload, "WEIR_AGENT_TOKEN_FILE");
        assert_eq!(file, Some(format!("{folder}/token")));
    }
    let notes = chart.text("NOTES.txt");
    assert!(notes.contains("https://weir.example.com as of the cluster green"), "{notes}");
    assert!(!notes.contains("persistence"), "{notes}");
    Ok(())
}

#[test]
fn what_tells_of_a_cluster_may_do_little() -> Result<()> {
    if is_skipped("confinement of cluster-watch") {
        return Ok(());
    }
    let chart = Chart::render(further("https://weir.example.com"))?;
    let watch = chart.object("Deployment", "weir-cluster-watch")?;
    let server = Chart::render(json!({}))?.object("StatefulSet", "weir-server")?.clone();
    assert_eq!(container(watch)["securityContext"], container(&server)["securityContext"]);
    let pod = &watch["spec"]["template"]["spec"];
    let mut like = server["spec"]["template"]["spec"]["securityContext"].clone();
    // it has no volume that could belong to somebody else
    like.as_object_mut().context("a context")?.remove("fsGroupChangePolicy");
    assert_eq!(pod["securityContext"], like);
    assert_eq!(pod["enableServiceLinks"], false);
    assert_eq!(pod["serviceAccountName"], "weir-cluster-watch");
    assert_eq!(pod["automountServiceAccountToken"], true);
    assert!(pod["volumes"].as_array().is_some_and(|volumes| volumes.len() == 1));
    for name in ["hostPID", "hostNetwork", "hostIPC"] {
        assert_eq!(pod[name], Value::Null, "{name}");
    }
    let account = chart.object("ServiceAccount", "weir-cluster-watch")?;
    assert_eq!(account["automountServiceAccountToken"], false, "for Pods of other kinds");
    let binding = chart.object("ClusterRoleBinding", "weir-cluster-watch")?;
    assert_eq!(binding["roleRef"]["name"], "weir-cluster-watch");
    let subject = json!([{"kind": "ServiceAccount", "name": "weir-cluster-watch",
                          "namespace": "weir"}]);
    assert_eq!(binding["subjects"], subject);
    Ok(())
}

#[test]
fn it_may_reach_the_api_server_and_the_server_alone() -> Result<()> {
    if is_skipped("network policy of cluster-watch") {
        return Ok(());
    }
    for (server, ports) in [
        ("https://weir.example.com", json!([443, 6443])),
        ("http://weir.example.com/weir/", json!([443, 6443, 80])),
        ("https://weir.example.com:9347/", json!([443, 6443, 9347])),
        ("http://[2001:db8::1]:30347", json!([443, 6443, 30347])),
    ] {
        let chart = Chart::render(further(server))?;
        let policy = &chart.object("NetworkPolicy", "weir-cluster-watch")?["spec"];
        assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
        assert_eq!(policy["ingress"], json!([]));
        let rules = policy["egress"].as_array().context("egress")?;
        assert_eq!(rules.len(), 2, "{rules:?}");
        let told = rules[0]["ports"].as_array().into_iter().flatten();
        let told: Vec<_> = told.map(|port| port["port"].clone()).collect();
        assert_eq!(Value::Array(told), ports, "{server}");
        assert!(rules[1]["ports"].as_array().into_iter().flatten().all(|port| port["port"] == 53));
        // the policy is for what it says
        let labels = &chart.object("Deployment", "weir-cluster-watch")?["spec"]["template"];
        for (name, value) in policy["podSelector"]["matchLabels"].as_object().context("labels")? {
            assert_eq!(&labels["metadata"]["labels"][name], value);
        }
    }
    Ok(())
}

#[test]
fn the_clusters_name_is_given_once() -> Result<()> {
    if is_skipped("the cluster's name") {
        return Ok(());
    }
    let home = Chart::render(json!({"cluster": {"name": "blue"}}))?;
    let green = Chart::render(further("https://weir.example.com"))?;
    for (chart, kind, object, name, cluster) in [
        (&home, "StatefulSet", "weir-server", "WEIR_KUBERNETES_CLUSTER", "blue"),
        (&home, "DaemonSet", "weir-agent", "WEIR_AGENT_CLUSTER", "blue"),
        (&green, "Deployment", "weir-cluster-watch", "WEIR_KUBERNETES_CLUSTER", "green"),
        (&green, "DaemonSet", "weir-agent", "WEIR_AGENT_CLUSTER", "green"),
    ] {
        let told = variable(chart.object(kind, object)?, name);
        assert_eq!(told.as_deref(), Some(cluster), "{object}");
    }
    Ok(())
}

#[test]
fn tokens_of_clusters_are_files_that_the_server_is_told_of() -> Result<()> {
    if is_skipped("tokens of clusters") {
        return Ok(());
    }
    let chart = Chart::render(json!({"server": {"agentTokens": {
        "green": {"existingSecret": "of-green"},
        "red.1": {"existingSecret": "of-red", "key": "word"},
    }}}))?;
    let server = chart.object("StatefulSet", "weir-server")?;
    let projected = &volume(server, "agent-tokens")?["projected"];
    // the server's group reads them, nobody else
    assert_eq!(projected["defaultMode"], 0o440);
    let folder = mount(server, "agent-tokens")?;
    assert_eq!(folder["readOnly"], true);
    let folder = folder["mountPath"].as_str().context("a folder")?;
    let mut files = Vec::new();
    for (source, (cluster, secret, key)) in projected["sources"]
        .as_array()
        .context("sources")?
        .iter()
        .zip([("green", "of-green", "token"), ("red.1", "of-red", "word")])
    {
        let secret = json!({"secret": {"name": secret, "items": [{"key": key, "path": cluster}]}});
        assert_eq!(*source, secret);
        files.push(format!("{cluster}={folder}/{cluster}"));
    }
    let told = variable(server, "WEIR_SERVER_AGENT_TOKEN_FILES");
    assert_eq!(told, Some(files.join(",")));
    let without = Chart::render(json!({}))?;
    let server = without.object("StatefulSet", "weir-server")?;
    assert_eq!(variable(server, "WEIR_SERVER_AGENT_TOKEN_FILES"), None);
    assert!(volume(server, "agent-tokens").is_err() && mount(server, "agent-tokens").is_err());
    Ok(())
}

/// Helm's own client asks the API server what is there.
#[test]
fn an_upgrade_keeps_the_token() -> Result<()> {
    if is_skipped("the token on upgrade") {
        return Ok(());
    }
    let double = ApiServer::start(TcpListener::bind("127.0.0.1:0")?)?;
    let token = |values: Value| -> Result<Value> {
        let chart = Chart::install(values, &double)?;
        Ok(chart.object("Secret", "weir-token")?["data"].clone())
    };
    let first = token(json!({}))?;
    assert_ne!(token(json!({}))?, first, "nothing is kept yet");
    // what Helm writes to objects that it made
    let owner = json!({"meta.helm.sh/release-name": "weir",
                       "meta.helm.sh/release-namespace": "weir"});
    let metadata = json!({"uid": "uid-token", "name": "weir-token", "namespace": "weir",
                          "labels": {"app.kubernetes.io/managed-by": "Helm"},
                          "annotations": owner});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata,
                        "data": first});
    double.put(SECRETS, secret)?;
    assert_eq!(token(json!({}))?, first);
    // whoever may not read it gets no new one, which no agent would know
    double.forbid(SECRETS, true);
    let refused = token(json!({})).err().map(|err| format!("{err:#}"));
    assert!(refused.as_deref().is_some_and(|words| words.contains("cannot get")), "{refused:?}");
    Ok(())
}

/// Whoever replaces the examples of the plain manifests does it as the page says.
#[test]
fn the_how_to_replaces_what_the_plain_manifests_have() -> Result<()> {
    let page = std::fs::read_to_string(workspace().join("docs/how-to/kubernetes.md"))?;
    let plain = workspace().join("deploy/kubernetes/further-cluster.yaml");
    let plain = std::fs::read_to_string(plain)?;
    let script = page.split("sed ").find(|part| part.starts_with("-e"));
    let script = script.context("a command for the further cluster")?;
    let script = script.split("deploy/kubernetes").next().unwrap_or_default();
    let replaced: Vec<_> =
        script.split("'s|").skip(1).filter_map(|s| s.split('|').next()).collect();
    assert_eq!(replaced.len(), 3, "{script}");
    for text in replaced {
        assert!(plain.contains(text), "{text} is not in the manifests");
    }
    Ok(())
}
