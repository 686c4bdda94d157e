//! The Pods of the chart, run as a node would: by the runtime that clusters use, from the files of
//! the image, with the users, capabilities, limits and mounts that the chart gives them, and no
//! others. The agent must see what was done, and the server must take it and tell it.
//!
//! What a node adds to the chart is stood in for here: volumes are folders, the name of the server
//! is in /etc/hosts, the API server is a double or cannot be reached.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use weir_testkit::chart::{Chart, workspace};
use weir_testkit::{ApiServer, Host, Lab, Need, Running, missing, run, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "a-token-of-the-test-and-of-nothing-else";
/// By the names of the Secrets that hold them.
const TOKENS: [(&str, &str); 2] =
    [("weir-token", TOKEN), ("of-green", "a-token-that-the-cluster-green-has")];
const PORT: u16 = 9347;
/// What containers-common calls the default profile; runtimes have the like of it built in.
const SECCOMP: &str = "/usr/share/containers/seccomp.json";

/// Where a Pod runs.
#[derive(Clone, Copy)]
struct Node<'a> {
    host: &'a Host,
    /// Files of the image.
    image: &'a Path,
    /// `/etc/hosts`.
    hosts: &'a str,
    /// The API server; without one nothing answers at its address.
    api: Option<&'a ApiServer>,
}

/// A Pod of one container; dropped, it is killed.
struct Pod {
    running: Running,
    id: String,
    state: PathBuf,
    /// Bundle, volumes and the runtime's own notes.
    _folder: TempDir,
}

impl Drop for Pod {
    fn drop(&mut self) {
        let state = self.state.to_string_lossy();
        if let Err(err) = run("runc", &["--root", &state, "delete", "--force", &self.id]) {
            eprintln!("could not remove the container {}: {err:#}", self.id);
        }
    }
}

impl Pod {
    /// Starts the only container of a workload's Pod.
    fn start(workload: &Value, node: Node) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder")?;
        let name = workload["metadata"]["name"].as_str().context("a name")?;
        let spec = &workload["spec"]["template"]["spec"];
        fs::write(folder.path().join("hosts"), node.hosts)?;
        let config = container_config(spec, node, folder.path())?;
        fs::write(folder.path().join("config.json"), config.to_string())?;
        let id = format!("{name}-{}", std::process::id());
        let state = folder.path().join("state");
        let mut command = Command::new("runc");
        command.arg("--root").arg(&state).arg("run").arg("--bundle").arg(folder.path()).arg(&id);
        let running = Running::start(&mut command)?;
        Ok(Self { running, id, state, _folder: folder })
    }

    /// A line of the first process's `/proc/PID/status`.
    fn status(&self, line: &str) -> Result<String> {
        let root = self.state.to_string_lossy();
        let state: Value =
            serde_json::from_str(&run("runc", &["--root", &root, "state", &self.id])?)?;
        let status = fs::read_to_string(format!("/proc/{}/status", state["pid"]))?;
        let found = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(":"));
        Ok(found.with_context(|| format!("no {line} in {status}"))?.trim().to_owned())
    }

    fn said(&self) -> String {
        self.running.stderr()
    }
}

/// Names of capabilities as the chart writes them, as runtimes do.
fn capabilities(context: &Value) -> Vec<String> {
    let added = context["capabilities"]["add"].as_array().into_iter().flatten();
    added.filter_map(Value::as_str).map(|name| format!("CAP_{name}")).collect()
}

/// What kubelet and a runtime make of a Pod's specification.
fn container_config(spec: &Value, node: Node, folder: &Path) -> Result<Value> {
    let container = &spec["containers"][0];
    let context = &container["securityContext"];
    let pod = &spec["securityContext"];
    ensure!(
        context["capabilities"]["drop"] == json!(["ALL"]),
        "all capabilities are dropped first"
    );
    let capabilities = capabilities(context);
    let id = |name: &str| context[name].as_u64().or(pod[name].as_u64()).context("a user");
    let (user, group) = (id("runAsUser")?, id("runAsGroup")?);
    let groups: Vec<_> = pod["fsGroup"].as_u64().into_iter().collect();
    // the runtime gives them to root only
    let held = if user == 0 { json!(capabilities) } else { json!([]) };
    let mut namespaces =
        vec![json!({"type": "mount"}), json!({"type": "uts"}), json!({"type": "ipc"})];
    namespaces.push(json!({"type": "network", "path": format!("/run/netns/{}", node.host.name)}));
    if spec["hostPID"] != true {
        namespaces.push(json!({"type": "pid"}));
    }
    let memory = bytes(container["resources"]["limits"]["memory"].as_str().context("a limit")?)?;
    Ok(json!({
        "ociVersion": "1.0.2",
        "hostname": "pod",
        "root": {"path": node.image, "readonly": context["readOnlyRootFilesystem"] == true},
        "process": {
            "user": {"uid": user, "gid": group, "additionalGids": groups},
            "args": ["/weir", container["args"][0]],
            "env": environment(container, node.api)?,
            "cwd": "/",
            "noNewPrivileges": context["allowPrivilegeEscalation"] == false,
            "capabilities": {"bounding": capabilities, "permitted": held, "effective": held},
        },
        "mounts": mounts(spec, node.api, folder)?,
        "linux": {
            "namespaces": namespaces,
            "resources": {"memory": {"limit": memory}},
            "seccomp": seccomp(&capabilities)?,
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
        },
    }))
}

/// Bytes of a Kubernetes quantity with a binary suffix.
fn bytes(quantity: &str) -> Result<u64> {
    let (number, shift) = match (quantity.strip_suffix("Mi"), quantity.strip_suffix("Gi")) {
        (Some(number), _) => (number, 20),
        (_, Some(number)) => (number, 30),
        _ => (quantity, 0),
    };
    Ok(number.parse::<u64>().with_context(|| quantity.to_owned())? << shift)
}

fn environment(container: &Value, api: Option<&ApiServer>) -> Result<Vec<String>> {
    let url = api.map_or("https://127.0.0.1:1".to_owned(), ApiServer::url);
    let (host, port) = url.trim_start_matches("https://").split_once(':').context("a port")?;
    let mut variables =
        vec![format!("KUBERNETES_SERVICE_HOST={host}"), format!("KUBERNETES_SERVICE_PORT={port}")];
    for variable in container["env"].as_array().context("env")? {
        let name = variable["name"].as_str().context("a name")?;
        let value = match name {
            "WEIR_AGENT_HOST" => "node-1",
            "WEIR_AGENT_WINDOW" => "1s",
            _ => variable["value"].as_str().with_context(|| format!("the value of {name}"))?,
        };
        variables.push(format!("{name}={value}"));
    }
    Ok(variables)
}

/// The mounts that every container has, and those of the chart.
fn mounts(spec: &Value, api: Option<&ApiServer>, folder: &Path) -> Result<Vec<Value>> {
    let bind = |source: &Path, to: &str, mode: &str| json!({"destination": to, "type": "bind", "source": source, "options": ["rbind", mode]});
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc",
               "options": ["nosuid", "noexec", "nodev"]}),
        json!({"destination": "/sys", "type": "sysfs", "source": "sysfs",
               "options": ["nosuid", "noexec", "nodev", "ro"]}),
        bind(&folder.join("hosts"), "/etc/hosts", "ro"),
    ];
    for mount in spec["containers"][0]["volumeMounts"].as_array().context("volumeMounts")? {
        let name = mount["name"].as_str().context("a volume's name")?;
        let source = volume(spec, name, folder)?;
        let mode = if mount["readOnly"] == true { "ro" } else { "rw" };
        mounts.push(bind(&source, mount["mountPath"].as_str().context("mountPath")?, mode));
    }
    if spec["automountServiceAccountToken"] == true {
        let account = folder.join("account");
        fs::create_dir(&account)?;
        let (token, ca) = match api {
            Some(api) => (fs::read_to_string(api.token_file())?, fs::read(api.ca_file())?),
            None => ("none".to_owned(), Vec::new()),
        };
        fs::write(account.join("token"), token)?;
        fs::write(account.join("ca.crt"), ca)?;
        mounts.push(bind(&account, "/var/run/secrets/kubernetes.io/serviceaccount", "ro"));
    }
    Ok(mounts)
}

/// Where the volume's files are, with the owners and modes that kubelet would give them.
fn volume(spec: &Value, name: &str, folder: &Path) -> Result<PathBuf> {
    let group = spec["securityContext"]["fsGroup"].as_u64().map(|group| group as u32);
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let found = volumes.into_iter().find(|volume| volume["name"] == name);
    let path = folder.join(name);
    let is_host = |of: &Value| of["hostPath"]["path"].as_str() == Some("/sys/fs/cgroup");
    if found.is_some_and(is_host) {
        return Ok(PathBuf::from("/sys/fs/cgroup"));
    }
    fs::create_dir(&path)?;
    let files = found.map(secrets).unwrap_or_default();
    if files.is_empty() && group.is_some() {
        chown(&path, Some(0), group)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o2775))?;
    }
    for (secret, item, mode) in files {
        let token = TOKENS.iter().find(|(known, _)| *known == secret);
        let (_, token) = token.with_context(|| format!("a Secret {secret}"))?;
        let file = path.join(item.as_str().context("the token's file")?);
        fs::write(&file, format!("{token}\n"))?;
        let mode = mode.as_u64().context("defaultMode")? as u32;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        chown(&file, Some(0), group)?;
    }
    Ok(path)
}

/// Secret, file and mode of each file that a volume has of Secrets.
fn secrets(volume: &Value) -> Vec<(&Value, &Value, &Value)> {
    let secret = &volume["secret"];
    let own = [(&secret["secretName"], &secret["items"][0]["path"], &secret["defaultMode"])];
    let projected = &volume["projected"];
    let sources = projected["sources"].as_array().into_iter().flatten();
    let sources = sources.map(|source| {
        let secret = &source["secret"];
        (&secret["name"], &secret["items"][0]["path"], &projected["defaultMode"])
    });
    own.into_iter().chain(sources).filter(|(name, ..)| name.is_string()).collect()
}

/// The default profile as far as it holds for a container with these capabilities; none where this
/// machine has none.
fn seccomp(capabilities: &[String]) -> Result<Value> {
    let Ok(text) = fs::read_to_string(SECCOMP) else {
        println!("no seccomp filter: this machine has no {SECCOMP}");
        return Ok(Value::Null);
    };
    let profile: Value = serde_json::from_str(&text).context(SECCOMP)?;
    let has = |list: &Value, wanted: &[&str]| {
        let list = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        list.into_iter().any(|word| wanted.contains(&word))
    };
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let capabilities: Vec<&str> = capabilities.iter().map(String::as_str).collect();
    let holds = |rule: &Value| {
        let (only, but) = (&rule["includes"], &rule["excludes"]);
        let any = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
        (!any(&only["arches"]) || has(&only["arches"], &[architecture]))
            && (!any(&only["caps"]) || has(&only["caps"], &capabilities))
            && !has(&but["arches"], &[architecture])
            && !has(&but["caps"], &capabilities)
    };
    let rules = profile["syscalls"].as_array().context("syscalls")?.iter().filter(|r| holds(r));
    let rules: Vec<Value> = rules
        .map(|rule| {
            let mut kept = json!({"names": rule["names"], "action": rule["action"]});
            for name in ["args", "errnoRet"] {
                if !rule[name].is_null() {
                    kept[name] = rule[name].clone();
                }
            }
            kept
        })
        .collect();
    Ok(json!({"defaultAction": profile["defaultAction"], "defaultErrnoRet": 1, "syscalls": rules}))
}

/// The answer to a GET within `host`, with the token.
fn get(host: &Host, path: &str) -> Result<Value> {
    let url = format!("http://127.0.0.1:{PORT}{path}");
    let text = host.run(|| -> Result<String> {
        let mut answer =
            ureq::get(&url).header("authorization", format!("Bearer {TOKEN}")).call()?;
        Ok(answer.body_mut().read_to_string()?)
    })??;
    serde_json::from_str(&text).with_context(|| text)
}

/// The status code that a probe of kubelet gets, which knows no token.
fn probe(host: &Host, probe: &Value) -> Result<u16> {
    ensure!(probe["httpGet"]["port"] == "http", "{probe}");
    let path = probe["httpGet"]["path"].as_str().context("a path")?;
    let url = format!("http://127.0.0.1:{PORT}{path}");
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let code =
        host.run(|| ureq::Agent::from(config).get(&url).call().map(|a| a.status().as_u16()))?;
    code.with_context(|| url.clone())
}

/// Bits of the capabilities that the agent needs while it runs; before Linux 6.6 hooking libraries
/// takes one more.
fn capabilities_kept() -> Result<u64> {
    const DAC_READ_SEARCH: u64 = 1 << 2;
    const SYS_PTRACE: u64 = 1 << 19;
    const SYS_ADMIN: u64 = 1 << 21;
    const PERFMON: u64 = 1 << 38;
    const BPF: u64 = 1 << 39;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-', '+']).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        bail!("{release} is no version")
    };
    let more = if (major, minor) < (6, 6) { SYS_ADMIN } else { 0 };
    Ok(DAC_READ_SEARCH | SYS_PTRACE | PERFMON | BPF | more)
}

/// The server's Pod, once all its probes are met.
fn start_server(chart: &Chart, node: Node) -> Result<Pod> {
    let workload = chart.object("StatefulSet", "weir-server")?;
    let server = Pod::start(workload, node)?;
    let container = &workload["spec"]["template"]["spec"]["containers"][0];
    for name in ["startupProbe", "livenessProbe", "readinessProbe"] {
        wait_for(name, Instant::now() + PATIENCE, || {
            let code = probe(node.host, &container[name]).ok();
            Ok((code == Some(200)).then_some(()))
        })
        .with_context(|| server.said())?;
    }
    check_is_nobody(&server)?;
    Ok(server)
}

/// Fails where the Pod runs as root or could have a capability.
fn check_is_nobody(pod: &Pod) -> Result<()> {
    assert_eq!(pod.status("Uid")?.split_whitespace().next(), Some("65532"));
    assert_eq!(u64::from_str_radix(&pod.status("CapBnd")?, 16)?, 0);
    assert_eq!(pod.status("NoNewPrivs")?, "1");
    Ok(())
}

/// The agent's Pod, once it watches and has given up what it does not need.
fn start_agent(chart: &Chart, node: Node) -> Result<Pod> {
    let agent = Pod::start(chart.object("DaemonSet", "weir-agent")?, node)?;
    wait_for("the agent to watch", Instant::now() + PATIENCE, || {
        ensure!(!agent.said().contains("\"ERROR\""), "{}", agent.said());
        Ok(agent.said().contains("watches node-1").then_some(()))
    })
    .with_context(|| agent.said())?;
    let kept = capabilities_kept()?;
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let held = u64::from_str_radix(&agent.status(set)?, 16)?;
        assert_eq!(held, kept, "{set}: {held:x}, expected {kept:x}");
    }
    assert_eq!(agent.status("NoNewPrivs")?, "1");
    Ok(agent)
}

/// The files of the image.
fn image() -> Result<TempDir> {
    let image = tempfile::tempdir()?;
    let rootfs = workspace().join("deploy/rootfs");
    run(&rootfs.to_string_lossy(), &[env!("CARGO_BIN_EXE_weir"), &image.path().to_string_lossy()])?;
    Ok(image)
}

#[test]
fn the_charts_pods_watch_and_serve() -> Result<()> {
    let needs = [Need::Root, Need::Btf, Need::ChartTools, Need::Program("runc")];
    if missing("Pods of the chart", &needs) {
        return Ok(());
    }
    let chart = Chart::render(json!({"token": {"existingSecret": "weir-token"}}))?;
    let lab = Lab::new(2)?;
    let (here, there) = (lab.host(0), lab.host(1));
    let image = image()?;
    let hosts = format!("127.0.0.1 localhost\n{} weir-server.weir.svc\n", here.ipv4);
    let node = Node { host: here, image: image.path(), hosts: &hosts, api: None };
    let server = start_server(&chart, node)?;
    let agent = start_agent(&chart, Node { host: there, ..node })?;

    let url = format!("http://{}:{PORT}/healthz", here.ipv4);
    for _ in 0..5 {
        assert_eq!(there.output("curl", &["-s", &url])?, "ok\n");
    }
    let question =
        format!("from=now-5m&perspective=client&filter=local_process:curl%20remote_port:{PORT}");
    let rows = |layer: &str| -> Result<Vec<Value>> {
        let mut answer = get(here, &format!("/api/v1/flows/{layer}?{question}"))?;
        let Value::Array(rows) = answer["rows"].take() else { bail!("no rows in {answer}") };
        Ok(rows)
    };
    let flows = wait_for("5 connections of curl", Instant::now() + PATIENCE, || {
        let rows = rows("l4")?;
        let connections: u64 = rows.iter().filter_map(|row| row["connections"].as_u64()).sum();
        ensure!(connections <= 5, "{rows:?}");
        Ok((connections == 5).then_some(rows))
    })
    .with_context(|| format!("agent: {} server: {}", agent.said(), server.said()))?;
    let hosts: BTreeSet<_> = flows.iter().filter_map(|row| row["local_host"].as_str()).collect();
    assert_eq!(hosts, BTreeSet::from(["node-1"]), "{flows:?}");
    // requests too: the same calls, read from payload
    let requests = wait_for("5 requests of curl", Instant::now() + PATIENCE, || {
        Ok(Some(rows("l7")?).filter(|rows| rows.len() == 5))
    })?;
    let paths: BTreeSet<_> = requests.iter().filter_map(|row| row["path"].as_str()).collect();
    assert_eq!(paths, BTreeSet::from(["/healthz"]), "{requests:?}");
    Ok(())
}

/// How many Pods the server knows of a cluster.
fn known_of(status: &Value, cluster: &str) -> Option<u64> {
    let clusters = status["clusters"].as_array()?;
    let cluster = clusters.iter().find(|known| known["name"] == cluster)?;
    let kinds = cluster["kinds"].as_array()?;
    kinds.iter().find(|kind| kind["resource"] == "pods")?["objects"].as_u64()
}

#[test]
fn the_charts_pods_tell_a_server_elsewhere_of_their_cluster() -> Result<()> {
    let needs = [Need::Root, Need::Btf, Need::ChartTools, Need::Program("runc")];
    if missing("Pods of a further cluster", &needs) {
        return Ok(());
    }
    let home = Chart::render(json!({
        "cluster": {"name": "blue"}, "token": {"existingSecret": "weir-token"},
        "server": {"agentTokens": {"green": {"existingSecret": "of-green"}}},
    }))?;
    let green = Chart::render(json!({
        "cluster": {"name": "green"}, "server": {"enabled": false},
        "agent": {"server": format!("http://weir.example.com:{PORT}")},
        "clusterWatch": {"enabled": true}, "token": {"existingSecret": "of-green"},
    }))?;
    let lab = Lab::new(2)?;
    let (here, there) = (lab.host(0), lab.host(1));
    let image = image()?;
    let hosts = format!("127.0.0.1 localhost\n{} weir.example.com\n", here.ipv4);
    let api = ApiServer::start(there.run(|| TcpListener::bind("127.0.0.1:0"))??)?;
    for name in ["cart", "stock"] {
        let metadata = json!({"uid": format!("uid-{name}"), "name": name, "namespace": "shop"});
        let status = json!({"podIP": "10.0.0.1", "phase": "Running"});
        let pod = json!({"metadata": metadata, "spec": {"nodeName": "node-1"}, "status": status});
        api.put("/api/v1/pods", pod)?;
    }
    let node = Node { host: here, image: image.path(), hosts: &hosts, api: None };
    let server = start_server(&home, node)?;
    let node = Node { host: there, api: Some(&api), ..node };
    let watch = Pod::start(green.object("Deployment", "weir-cluster-watch")?, node)?;
    let said = || format!("cluster-watch: {} server: {}", watch.said(), server.said());
    let pods = |count: u64| {
        wait_for(&format!("{count} Pods of green"), Instant::now() + PATIENCE, || {
            let status = get(here, "/api/v1/status")?;
            Ok((known_of(&status, "green") == Some(count)).then_some(()))
        })
        .with_context(said)
    };
    pods(2)?;
    check_is_nobody(&watch)?;
    api.delete("/api/v1/pods", "uid-cart")?;
    pods(1)?;

    // its agents come with the same token
    let agent = start_agent(&green, node)?;
    let told = wait_for("the agent of green", Instant::now() + PATIENCE, || {
        let mut status = get(here, "/api/v1/status")?;
        Ok(status["agents"].get_mut(0).map(Value::take))
    })
    .with_context(|| format!("agent: {} {}", agent.said(), said()))?;
    assert_eq!((&told["cluster"], &told["host"]), (&json!("green"), &json!("node-1")), "{told}");
    Ok(())
}
