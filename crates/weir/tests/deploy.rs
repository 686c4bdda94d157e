//! The chart of `deploy/helm`, the plain manifests and the Dockerfile: rendered by Helm's engine,
//! checked against the schemas of API servers and against what the program itself knows.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weir_testkit::chart::{Chart, ask, workspace};
use weir_testkit::{Need, missing};

/// The oldest version that the chart takes, to the newest whose schemas are at hand.
const VERSIONS: &[&str] = &["1.25", "1.30", "1.37"];

fn is_skipped(test: &str) -> bool {
    missing(test, &[Need::ChartTools])
}

/// A cluster whose server is elsewhere, with these values of `clusterWatch`.
fn further(mut cluster_watch: Value) -> Value {
    cluster_watch["enabled"] = json!(true);
    json!({
        "cluster": {"name": "green"}, "server": {"enabled": false}, "clusterWatch": cluster_watch,
        "agent": {"server": "https://weir.example.com"}, "token": {"existingSecret": "mine"},
        "networkPolicy": {"clusterWatchEgress": [{"ports": [{"port": 3128}]}]},
    })
}

/// Values that turn everything on or over that the defaults leave off.
fn variants() -> Vec<Value> {
    let digest = format!("sha256:{}", "0a".repeat(32));
    vec![
        json!({}),
        json!({"token": {"existingSecret": "mine"}, "namespace": {"create": true}}),
        json!({"server": {"persistence": {"enabled": false}, "watch": {"enabled": false}}}),
        json!({"server": {"watch": {"podLogs": true}, "persistence": {"existingClaim": "old"}}}),
        json!({"agent": {"enabled": false}, "networkPolicy": {"enabled": false}}),
        json!({"server": {"enabled": false}, "token": {"existingSecret": "mine"},
               "cluster": {"name": "green"},
               "agent": {"server": "https://weir.example.com", "hostNetwork": true}}),
        further(json!({})),
        further(json!({"config": {"log": {"level": "debug"}}, "podLabels": {"team": "net"},
                       "serviceAccount": {"annotations": {"a": "b"}},
                       "podAnnotations": {"a": "b"}, "nodeSelector": {"disk": "ssd"},
                       "tolerations": [{"operator": "Exists"}], "affinity": {"nodeAffinity": {}},
                       "priorityClassName": "system-cluster-critical",
                       "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}]})),
        json!({"server": {"agentTokens": {"green": {"existingSecret": "of-green"},
                                          "1": {"existingSecret": "of-one", "key": "word"}}}}),
        json!({"agent": {"privileged": true, "appArmor": "", "seLinuxOptions": null,
                         "podAnnotations": {"a": "b"}, "priorityClassName": "system-node-critical"}}),
        json!({
            "fullnameOverride": "traffic", "image": {"digest": digest},
            "imagePullSecrets": [{"name": "pull"}],
            "server": {
                "ingress": {"enabled": true, "className": "nginx", "annotations": {"a": "b"},
                            "tls": [{"secretName": "tls", "hosts": ["weir.example.com"]}]},
                "service": {"type": "NodePort", "nodePort": 30347, "annotations": {"a": "b"}},
                "persistence": {"storageClass": "fast", "size": "1Ti"},
                "serviceAccount": {"annotations": {"a": "b"}},
                "nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}],
                "podLabels": {"team": "net"}, "podAnnotations": {"a": "b"},
                "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}],
            },
            "networkPolicy": {
                "from": [{"namespaceSelector": {}}], "serverEgress": [{"ports": [{"port": 53}]}],
                "agentEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
            },
        }),
    ]
}

#[test]
fn helm_finds_nothing_to_complain_of() -> Result<()> {
    if is_skipped("helm lint") {
        return Ok(());
    }
    let report = ask(&json!({"ask": "lint"}))?;
    let messages = report["messages"].as_array().context("messages")?;
    // 1 is a recommendation
    let wrong: Vec<_> = messages.iter().filter(|m| m["severity"].as_i64() > Some(1)).collect();
    assert!(wrong.is_empty() && report["errors"] == json!([]), "{report:#}");
    Ok(())
}

#[test]
fn the_plain_manifests_are_the_chart_rendered() -> Result<()> {
    if is_skipped("the plain manifests") {
        return Ok(());
    }
    let page = |what: &str, values: &str| -> Result<String> {
        let text = std::fs::read_to_string(workspace().join(values))?;
        let documents = ask(&json!({"ask": "yaml", "text": text}))?["documents"].take();
        let answer = ask(&json!({"ask": "plain", "values": documents[0]}))?;
        let text = answer["text"].as_str().context("a text")?;
        Ok(format!(
            "# {what}, without Helm: the chart of deploy/helm/weir rendered with\n\
             # {values}. Made by `make generate`; docs/how-to/kubernetes.md says how\n\
             # to apply it.\n{text}"
        ))
    };
    let first = page("Weir for a cluster", "deploy/kubernetes/values.yaml")?;
    expect_test::expect_file!["../../../deploy/kubernetes/weir.yaml"].assert_eq(&first);
    let values = "deploy/kubernetes/further-cluster-values.yaml";
    let further = page("Weir for a further cluster", values)?;
    expect_test::expect_file!["../../../deploy/kubernetes/further-cluster.yaml"]
        .assert_eq(&further);
    Ok(())
}

#[test]
fn api_servers_take_every_object() -> Result<()> {
    if is_skipped("schemas of the API server") {
        return Ok(());
    }
    for version in VERSIONS {
        let options = json!({"kube_version": format!("v{version}.0")});
        let mut objects = Vec::new();
        for chart in Chart::render_each(&variants(), &options)? {
            for object in chart?.objects() {
                let mut object = object.clone();
                if object["kind"] == "Secret" {
                    object["data"]["token"] = json!("bm90IHJhbmRvbQ==");
                }
                if !objects.contains(&object) {
                    objects.push(object);
                }
            }
        }
        ensure!(objects.len() > 25, "only {} objects", objects.len());
        let check = |objects: &[Value]| {
            ask(&json!({"ask": "validate", "objects": objects, "versions": [version]}))
        };
        assert_eq!(check(&objects)?["problems"], json!([]), "{version}");
        // the check itself must be able to fail
        objects[0]["spec"]["misspelt"] = json!(1);
        assert_ne!(check(&objects[..1])?["problems"], json!([]), "{version}");
    }
    Ok(())
}

#[test]
fn older_clusters_are_told_of_apparmor_in_their_way() -> Result<()> {
    if is_skipped("AppArmor") {
        return Ok(());
    }
    for (version, is_field) in [("v1.29.9", false), ("v1.30.0", true)] {
        let mut charts = Chart::render_each(&[json!({})], &json!({"kube_version": version}))?;
        let chart = charts.pop().context("a chart")??;
        let template = &chart.object("DaemonSet", "weir-agent")?["spec"]["template"];
        let field = &container(template)["securityContext"]["appArmorProfile"]["type"];
        let name = "container.apparmor.security.beta.kubernetes.io/agent";
        let annotation = &template["metadata"]["annotations"][name];
        assert_eq!(*field == "Unconfined", is_field, "{version}: {field}");
        assert_eq!(*annotation == "unconfined", !is_field, "{version}: {annotation}");
    }
    Ok(())
}

fn container(template: &Value) -> &Value {
    &template["spec"]["containers"][0]
}

/// Variables of a container; what is filled in from the Pod is the name of its node.
fn variables(container: &Value) -> BTreeMap<String, String> {
    let list = container["env"].as_array().expect("env");
    let variables: BTreeMap<_, _> = list
        .iter()
        .map(|entry| {
            let value = entry["value"].as_str().unwrap_or_else(|| {
                assert_eq!(entry["valueFrom"]["fieldRef"]["fieldPath"], "spec.nodeName", "{entry}");
                "node-1"
            });
            (entry["name"].as_str().expect("a name").to_owned(), value.to_owned())
        })
        .collect();
    assert_eq!(variables.len(), list.len(), "a variable is set twice: {list:?}");
    variables
}

/// What `weir config` makes of variables; it refuses what it does not know and what is out of
/// bounds.
fn settings(variables: &BTreeMap<String, String>) -> Result<Vec<Value>> {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["config", "--json"])
        .env_clear()
        .envs(variables)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn what_pods_are_told_weir_takes() -> Result<()> {
    if is_skipped("settings of the Pods") {
        return Ok(());
    }
    let values = json!({
        "cluster": {"name": "blue"},
        "server": {"config": {"store": {"retention": "10d"}, "server": {"ingest_bytes_max": "64MiB"}},
                   "agentTokens": {"green": {"existingSecret": "of-green"},
                                   "east.1": {"existingSecret": "of-east"}}},
        "agent": {"config": {"agent": {"flows_max": 1_000_000, "udp": false, "cpu_max": 25}}},
    });
    let files = "east.1=/run/secrets/weir-agents/east.1,green=/run/secrets/weir-agents/green";
    for (values, kind, name, command, expected) in [
        (
            &values,
            "StatefulSet",
            "weir-server",
            "server",
            [
                ("store.retention", "10d"),
                ("kubernetes.cluster", "blue"),
                ("server.agent_token_files", files),
            ],
        ),
        (
            &values,
            "DaemonSet",
            "weir-agent",
            "agent",
            [("agent.flows_max", "1000000"), ("agent.cluster", "blue"), ("agent.host", "node-1")],
        ),
        (
            &further(json!({"config": {"log": {"level": "debug"}}})),
            "Deployment",
            "weir-cluster-watch",
            "cluster-watch",
            [
                ("agent.server", "https://weir.example.com"),
                ("kubernetes.cluster", "green"),
                ("log.level", "debug"),
            ],
        ),
    ] {
        let chart = Chart::render(values.clone())?;
        let container = container(&chart.object(kind, name)?["spec"]["template"]).clone();
        assert_eq!(container["args"], json!([command]));
        let variables = variables(&container);
        let settings = settings(&variables).context(name)?;
        let told: BTreeMap<_, _> = settings
            .iter()
            .filter(|setting| setting["source"] != "default")
            .map(|setting| (setting["key"].as_str().expect("a key"), &setting["value"]))
            .collect();
        assert_eq!(told.len(), variables.len(), "{name}: {told:?}");
        for (key, value) in expected {
            assert_eq!(told.get(key), Some(&&json!(value)), "{name}: {key}");
        }
        is_flag_of(command, &settings, told.keys().copied())?;
    }
    Ok(())
}

/// Fails where a setting is none of the command's own: it would be taken, and do nothing.
fn is_flag_of<'a>(
    command: &str,
    settings: &[Value],
    keys: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_weir")).args([command, "--help"]).output()?;
    let help = String::from_utf8_lossy(&output.stdout);
    for key in keys {
        let setting = settings.iter().find(|setting| setting["key"] == key).context("a setting")?;
        let flag = setting["flag"].as_str().context("a flag")?;
        ensure!(help.contains(&format!("{flag} <")), "weir {command} does not take {key} ({flag})");
    }
    Ok(())
}

#[test]
fn wrong_values_are_refused() -> Result<()> {
    if is_skipped("wrong values") {
        return Ok(());
    }
    let token = |cluster: &str, token: Value| json!({"server": {"agentTokens": {cluster: token}}});
    let changed = |path: &str, value: Value| {
        let mut values = further(json!({}));
        *values.pointer_mut(path).expect("a value") = value;
        values
    };
    let cases = [
        (json!({"severs": {}}), "severs"),
        (json!({"image": {"pullPolicy": "Sometimes"}}), "pullPolicy"),
        (json!({"image": {"digest": "sha256:short"}}), "digest"),
        (json!({"server": {"service": {"port": 0}}}), "port"),
        (json!({"server": {"persistence": {"accessModes": ["ReadWriteMany"]}}}), "accessModes"),
        (json!({"server": {"listenAddress": "0.0.0.0:80"}}), "listenAddress"),
        (json!({"server": {"config": {"server": {"listen": "x"}}}}), "set by the chart itself"),
        (json!({"agent": {"config": {"agent": {"host": "x"}}}}), "set by the chart itself"),
        (json!({"agent": {"capabilities": ["CAP_BPF"]}}), "capabilities"),
        (json!({"agent": {"server": "weir:9347"}}), "agent/server"),
        (json!({"agent": {"server": "http://weir:9347"}}), "token.existingSecret"),
        (json!({"server": {"enabled": false}}), "agent.server"),
        (json!({"cluster": "green"}), "/cluster"),
        (json!({"cluster": {"name": ""}}), "/cluster/name"),
        (json!({"cluster": {"name": "a/b"}}), "/cluster/name"),
        (token("a,b", json!({"existingSecret": "x"})), "a,b"),
        (token("..", json!({"existingSecret": "x"})), ".."),
        (token("green", json!({})), "existingSecret"),
        (token("green", json!({"existingSecret": "", "key": "k"})), "existingSecret"),
        (token("green", json!({"existingSecret": "x", "token": "k"})), "token"),
        (
            json!({"server": {"config": {"server": {"agent_token_files": "a=/b"}}}}),
            "set by the chart itself",
        ),
        (further(json!({"replicas": 2})), "replicas"),
        (further(json!({"config": {"kubernetes": {"cluster": "x"}}})), "set by the chart itself"),
        // the server of the release knows its own cluster
        (json!({"clusterWatch": {"enabled": true}}), "server.enabled is on"),
        (changed("/server/enabled", json!(true)), "server.enabled is on"),
        (changed("/agent/server", json!("")), "say with agent.server"),
        (changed("/token/existingSecret", json!("")), "token.existingSecret"),
        (changed("/cluster/name", json!("kubernetes")), "cluster.name"),
        (
            changed(
                "/server",
                json!({"enabled": false,
                                      "agentTokens": {"a": {"existingSecret": "x"}}}),
            ),
            "server.agentTokens",
        ),
    ];
    let values = cases.clone().map(|(values, _)| values);
    let results = Chart::render_each(&values, &json!({}))?;
    for ((values, words), result) in cases.into_iter().zip(results) {
        match result {
            Ok(_) => panic!("{values} was accepted"),
            Err(err) => assert!(format!("{err:#}").contains(words), "{values}: {err:#}"),
        }
    }
    Ok(())
}

#[test]
fn pods_may_do_what_they_need_and_no_more() -> Result<()> {
    if is_skipped("confinement") {
        return Ok(());
    }
    let chart = Chart::render(json!({}))?;
    let server = &chart.object("StatefulSet", "weir-server")?["spec"]["template"];
    let pod = &server["spec"]["securityContext"];
    assert_eq!((&pod["runAsNonRoot"], &pod["runAsUser"]), (&json!(true), &json!(65532)));
    assert_eq!(pod["seccompProfile"]["type"], "RuntimeDefault");
    let context = &container(server)["securityContext"];
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["readOnlyRootFilesystem"], true);

    let agent = &chart.object("DaemonSet", "weir-agent")?["spec"]["template"];
    assert_eq!(agent["spec"]["automountServiceAccountToken"], false);
    assert_eq!(agent["spec"]["hostPID"], true);
    assert_eq!(agent["spec"]["hostNetwork"], Value::Null);
    assert_eq!(agent["spec"]["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let context = &container(agent)["securityContext"];
    assert_eq!(context["privileged"], Value::Null);
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
    let paths = agent["spec"]["volumes"].as_array().context("volumes")?.iter();
    let paths: Vec<_> = paths.filter_map(|volume| volume["hostPath"]["path"].as_str()).collect();
    assert_eq!(paths, ["/var/lib/weir", "/sys/fs/cgroup"]);
    for template in [server, agent] {
        // a Service named weir would otherwise set variables that Weir refuses
        assert_eq!(template["spec"]["enableServiceLinks"], false);
    }

    let privileged = Chart::render(json!({"agent": {"privileged": true}}))?;
    let agent = &privileged.object("DaemonSet", "weir-agent")?["spec"]["template"];
    let context = &container(agent)["securityContext"];
    assert_eq!((&context["privileged"], &context["capabilities"]), (&json!(true), &Value::Null));
    Ok(())
}

/// The page says what each capability is for, so it must know all of them.
#[test]
fn the_how_to_names_every_capability() -> Result<()> {
    if is_skipped("capabilities of the how-to") {
        return Ok(());
    }
    let chart = Chart::render(json!({}))?;
    let agent = &chart.object("DaemonSet", "weir-agent")?["spec"]["template"];
    let added = container(agent)["securityContext"]["capabilities"]["add"].clone();
    let page = std::fs::read_to_string(workspace().join("docs/how-to/kubernetes.md"))?;
    let told: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `CAP_")?.split_once('`'))
        .map(|(name, _)| json!(name))
        .collect();
    assert_eq!(added, Value::Array(told));
    Ok(())
}

#[test]
fn the_token_is_random_and_never_in_the_manifests() -> Result<()> {
    if is_skipped("the token") {
        return Ok(());
    }
    let mut tokens = Vec::new();
    for chart in Chart::render_each(&[json!({}), json!({})], &json!({}))? {
        tokens.push(chart?.object("Secret", "weir-token")?["data"]["token"].clone());
    }
    let (one, other) = (&tokens[0], &tokens[1]);
    assert!(one.as_str().is_some_and(|text| text.len() == 64), "{one}");
    assert_ne!(one, other);
    let given = Chart::render(json!({"token": {"existingSecret": "mine", "key": "word"}}))?;
    assert!(given.all("Secret").is_empty());
    for (kind, name) in [("StatefulSet", "weir-server"), ("DaemonSet", "weir-agent")] {
        let volumes = &given.object(kind, name)?["spec"]["template"]["spec"]["volumes"];
        let volume = volumes.as_array().into_iter().flatten().find(|v| v["name"] == "token");
        let secret = &volume.context("a token volume")?["secret"];
        assert_eq!(
            (&secret["secretName"], &secret["items"][0]["key"]),
            (&json!("mine"), &json!("word"))
        );
    }
    assert!(given.text("NOTES.txt").contains("get secret mine"));
    Ok(())
}

#[test]
fn the_dockerfile_is_clean_and_knows_the_toolchains() -> Result<()> {
    if is_skipped("the Dockerfile") {
        return Ok(());
    }
    let path = workspace().join("deploy/Dockerfile");
    let linter = workspace().join("target/deploy-tools/bin/hadolint");
    let output = Command::new(linter).arg("--failure-threshold=info").arg(&path).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}");

    let text = std::fs::read_to_string(&path)?;
    let manifest = std::fs::read_to_string(workspace().join("Cargo.toml"))?;
    let wanted = manifest.split("rust-version = \"").nth(1).context("rust-version")?;
    let number = |text: &str| -> Vec<u32> {
        let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].split('.').filter_map(|part| part.parse().ok()).collect()
    };
    let rust = text.split("_IMAGE=rust:").nth(1).context("a stage with Rust")?;
    assert!(number(rust) >= number(wanted), "Rust {:?} < {:?}", number(rust), number(wanted));
    let package = std::fs::read_to_string(workspace().join("web/package.json"))?;
    let wanted = package.split("\"node\": \">=").nth(1).context("engines.node")?;
    let node = text.split("_IMAGE=node:").nth(1).context("a stage with Node.js")?;
    assert!(number(node) >= number(wanted), "Node {:?} < {:?}", number(node), number(wanted));
    Ok(())
}
