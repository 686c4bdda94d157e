//! `weir cluster-watch`: a server knows of a cluster that it does not reach, whatever happens to
//! either.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use weir_testkit::{ApiServer, WeirProcess, wait_for};

const PODS: &str = "/api/v1/pods";
const PATIENCE: Duration = Duration::from_secs(80);

fn pod(name: &str) -> Value {
    json!({"metadata": {"uid": format!("uid-{name}"), "name": name, "namespace": "shop",
            "labels": {"app": name}},
        "spec": {"nodeName": "a"}, "status": {"podIP": "10.0.0.1", "phase": "Running"}})
}

/// The command at work; dropped, it is killed.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn watch(double: &ApiServer, server: &WeirProcess) -> Watching {
    let path = |path: std::path::PathBuf| path.display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .args(["cluster-watch", "--server", server.base(), "--kubernetes-cluster", "far away"])
        .args(["--kubernetes-url", &double.url()])
        .args(["--kubernetes-ca-file", &path(double.ca_file())])
        .args(["--kubernetes-token-file", &path(double.token_file())])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Watching(command.spawn().expect("weir runs"))
}

/// The Pods that the server knows of, and what is wrong with them.
fn pods(server: &WeirProcess) -> Option<(u64, Value)> {
    let status = server.api("/status").ok()?;
    let clusters = status["clusters"].as_array()?;
    let cluster = clusters.iter().find(|cluster| cluster["name"] == "far away")?;
    let kinds = cluster["kinds"].as_array()?;
    let kind = kinds.iter().find(|kind| kind["resource"] == "pods")?;
    kind["listed_ms"].as_i64()?;
    Some((kind["objects"].as_u64()?, kind["problem"].clone()))
}

fn wait_pods(server: &WeirProcess, count: u64) {
    let look = || Ok(pods(server).filter(|(objects, _)| *objects == count));
    let what = format!("{count} Pods");
    if let Err(err) = wait_for(&what, Instant::now() + PATIENCE, look) {
        panic!("{err:#}: {:?}", pods(server));
    }
}

#[test]
fn a_server_is_told_of_a_cluster_elsewhere() {
    let double = ApiServer::start(TcpListener::bind("127.0.0.1:0").expect("a port")).expect("up");
    for name in ["cart", "stock"] {
        double.put(PODS, pod(name)).expect("an object");
    }
    // Free now; the server must have the same one when it is started again.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let listen = format!("127.0.0.1:{port}");
    let mut server = WeirProcess::serve(&["--listen", &listen]).expect("a server");
    let _watching = watch(&double, &server);
    wait_pods(&server, 2);

    double.put(PODS, pod("mail")).expect("an object");
    wait_pods(&server, 3);
    double.delete(PODS, "uid-cart").expect("it was there");
    wait_pods(&server, 2);

    // A server that begins anew asks for everything, also what went while it was away.
    double.delete(PODS, "uid-mail").expect("it was there");
    server.restart(Signal::KILL).expect("it starts again");
    wait_pods(&server, 1);

    // What the cluster refuses is told here as well.
    double.forbid(PODS, true);
    let is_told = || {
        let problem = pods(&server).map(|(_, problem)| problem);
        Ok(problem.filter(|problem| problem.as_str().is_some_and(|text| text.contains("pods"))))
    };
    wait_for("the missing rule", Instant::now() + PATIENCE, is_told).expect("it is told");
    let (objects, _) = pods(&server).expect("the cluster");
    assert_eq!(objects, 1, "what is known stays known");
}
