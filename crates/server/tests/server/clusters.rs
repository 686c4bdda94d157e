//! Names from clusters: Pods, workloads, Services and places of both ends, against doubles of API
//! servers over TLS.

use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use serde_json::{Value, json};
use tower::ServiceExt;
use weir_server::{AuthMode, ClusterAccess, ClusterOptions, Ingester, Limits, Running};
use weir_store::conformance::rows::{Row, row};
use weir_testkit::ApiServer;

use super::world::{START_MS, Sent, WINDOW_MS, World, batch, batch_of, request};

pub const PODS: &str = "/api/v1/pods";
pub const NODES: &str = "/api/v1/nodes";
pub const SERVICES: &str = "/api/v1/services";
pub const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";
pub const REPLICA_SETS: &str = "/apis/apps/v1/replicasets";

/// Before the first window.
const CREATED: &str = "2023-11-14T00:00:00Z";

pub fn meta(uid: &str, name: &str) -> Value {
    json!({"uid": uid, "name": name, "namespace": "shop", "creationTimestamp": CREATED})
}

pub fn pod(uid: &str, name: &str, node: &str, ip: &str) -> Value {
    let mut meta = meta(uid, name);
    meta["labels"] = json!({"app": name, "tier": "web", "pod-template-hash": "5d8f"});
    meta["ownerReferences"] = json!([{"kind": "ReplicaSet", "name": format!("{name}-5d8f"),
        "uid": format!("rs-{name}"), "controller": true}]);
    json!({"metadata": meta, "spec": {"nodeName": node},
        "status": {"podIP": ip, "phase": "Running"}})
}

pub fn replica_set(name: &str) -> Value {
    let mut meta = meta(&format!("rs-{name}"), &format!("{name}-5d8f"));
    meta["ownerReferences"] = json!([{"kind": "Deployment", "name": name, "uid": format!("d-{name}"), "controller": true}]);
    json!({"metadata": meta})
}

pub fn node(name: &str, ip: &str, zone: &str) -> Value {
    json!({"metadata": {"uid": format!("node-{name}"), "name": name, "creationTimestamp": CREATED,
            "labels": {"topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": "eu"}},
        "spec": {}, "status": {"addresses": [{"type": "InternalIP", "address": ip}],
            "nodeInfo": {"bootID": format!("boot-{name}")}}})
}

pub fn service(name: &str, ip: &str) -> Value {
    json!({"metadata": meta(&format!("svc-{name}"), name),
        "spec": {"clusterIP": ip, "ports": [{"port": 80, "protocol": "TCP"}]}})
}

pub fn slice(service: &str, pod_uid: &str, ip: &str) -> Value {
    let mut meta = meta(&format!("slice-{service}"), &format!("{service}-abc"));
    meta["labels"] = json!({"kubernetes.io/service-name": service});
    json!({"metadata": meta, "addressType": "IPv4",
        "ports": [{"port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [ip], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "uid": pod_uid}}]})
}

/// cart on host-a (zone 1) and stock on host-b (zone 2), stock behind two Services.
pub fn shop(server: &ApiServer) {
    let put = |list: &str, object: Value| server.put(list, object).expect("an object");
    put(NODES, node("host-a", "10.0.0.1", "eu-1"));
    put(NODES, node("host-b", "10.0.0.2", "eu-2"));
    for name in ["cart", "stock"] {
        put(REPLICA_SETS, replica_set(name));
    }
    put(PODS, pod("uid-cart", "cart", "host-a", "10.244.1.5"));
    put(PODS, pod("uid-stock", "stock", "host-b", "10.244.2.6"));
    for (name, ip) in [("stock", "10.96.0.10"), ("stock-admin", "10.96.0.11")] {
        put(SERVICES, service(name, ip));
        put(SLICES, slice(name, "uid-stock", "10.244.2.6"));
    }
}

/// A server that watches doubles, and agents that send to it.
pub struct Watched {
    pub doubles: Vec<ApiServer>,
    pub router: Router,
    running: Running,
    /// Its store lives as long.
    _world: Box<dyn std::any::Any>,
}

pub async fn watched(clusters: &[&str], prepare: impl Fn(&str, &ApiServer)) -> Watched {
    let double = |name: &&str| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = ApiServer::start(listener).expect("the double");
        prepare(name, &server);
        server
    };
    let doubles: Vec<ApiServer> = clusters.iter().map(double).collect();
    let options = |(name, double): (&&str, &ApiServer)| ClusterOptions {
        name: (*name).to_owned(),
        access: ClusterAccess {
            url: double.url(),
            ca_file: Some(double.ca_file()),
            token_file: Some(double.token_file()),
        },
    };
    let options = clusters.iter().zip(&doubles).map(options).collect();
    let world = World::watching(AuthMode::LoopbackOpen, Limits::default(), options);
    let (router, server, rest) = world.taken_apart();
    let running = server.start().await.expect("the server starts");
    let watched = Watched { doubles, router, running, _world: rest };
    let is_listed = |status: &Value| {
        let kinds = status["clusters"].as_array().expect("clusters").iter();
        let mut kinds = kinds.flat_map(|cluster| cluster["kinds"].as_array().expect("kinds"));
        kinds.all(|kind| kind["listed_ms"].is_number() || kind["problem"].is_string())
    };
    watched.status_until(is_listed).await;
    watched
}

impl Watched {
    pub async fn get(&self, path: &str) -> Value {
        let request = request("GET", &format!("/api/v1{path}")).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), 64 << 20).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    pub async fn status_until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..400 {
            let status = self.get("/status").await;
            if is_so(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", self.get("/status").await["clusters"]);
    }

    pub async fn feed(&self, sent: Sent) {
        feed(self.running.ingester(), sent).await;
    }

    /// The rows of an agent as they are stored.
    async fn rows(&self, filter: &str) -> Vec<Value> {
        let filter: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let to = START_MS + 10 * WINDOW_MS;
        let path = format!("/flows/l4?from={START_MS}&to={to}&perspective=both&filter={filter}");
        let answer = self.get(&path).await;
        answer["rows"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    async fn row(&self, filter: &str) -> Value {
        let rows = self.rows(filter).await;
        let [row] = &rows[..] else { panic!("{filter}: {rows:?}") };
        row.clone()
    }
}

async fn feed(ingester: Ingester, sent: Sent) {
    let bytes = sent.bytes();
    let task = tokio::task::spawn_blocking(move || ingester.ingest_bytes(&bytes));
    task.await.unwrap().expect("the batch is stored");
}

fn of(row: &Value, names: &[&str]) -> Value {
    json!(names.iter().map(|name| &row[*name]).collect::<Vec<_>>())
}

const LOCAL: [&str; 8] = [
    "local_pod",
    "local_namespace",
    "local_deployment",
    "local_workload_kind",
    "local_service",
    "local_zone",
    "local_region",
    "local_cluster",
];

fn remote() -> Vec<String> {
    LOCAL.iter().map(|name| name.replace("local_", "remote_")).collect()
}

fn of_remote(row: &Value) -> Value {
    of(row, &remote().iter().map(String::as_str).collect::<Vec<_>>())
}

/// cart asks what it dialled as `dialled`, and 10.244.2.6:8080 answers.
fn asks(dialled: &str) -> Row {
    row(
        START_MS,
        json!({
            "local_ip": "10.244.1.5", "local_pod_uid": "uid-cart", "local_process": "python",
            "local_host": "host-a", "local_deployment": "3f2a", "local_workload_kind": "container",
            "remote_ip": "10.244.2.6", "remote_port": 8080,
            "dialled_ip": dialled, "dialled_port": 80, "bytes_sent": 10, "connections": 1,
        }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_have_their_names() {
    let world = watched(&["prod"], |_, server| shop(server)).await;
    world.feed(batch("a", 1, START_MS, vec![asks("10.96.0.11")])).await;
    let row = world.row("agent:a").await;
    let cart = json!(["cart", "shop", "cart", "Deployment", null, "eu-1", "eu", "prod"]);
    assert_eq!(of(&row, &LOCAL), cart, "the control group says more than the container's id");
    let stock =
        json!(["stock", "shop", "stock", "Deployment", "stock-admin", "eu-2", "eu", "prod"]);
    assert_eq!(of_remote(&row), stock, "the Service is the one that was dialled");
    assert_eq!(row["remote_host"], "host-b");
    assert_eq!(row["local_labels"], "app=cart\ntier=web", "those of a roll-out are left out");
    for filter in ["client_labels:\"app=cart\"", "labels:app=st*", "server_namespace:shop"] {
        assert_eq!(world.rows(filter).await.len(), 1, "{filter}");
    }
    for filter in ["client_labels:\"app=car\"", "labels:\"pod-template-hash=5d8f\""] {
        assert_eq!(world.rows(filter).await.len(), 0, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_two_services_the_server_alone_cannot_say_which() {
    let world = watched(&["prod"], |_, server| shop(server)).await;
    let answers = row(
        START_MS,
        json!({
            "direction": "incoming", "local_ip": "10.244.2.6", "local_port": 8080,
            "local_pod_uid": "uid-stock", "local_host": "host-b",
            "remote_ip": "10.244.1.5", "remote_port": null, "bytes_sent": 5,
        }),
    );
    world.feed(batch("b", 1, START_MS, vec![answers])).await;
    let row = world.row("agent:b").await;
    assert_eq!(row["local_service"], Value::Null);
    assert_eq!((&row["remote_pod"], &row["remote_host"]), (&json!("cart"), &json!("host-a")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_which_nobody_knows_who_answered_has_its_workload() {
    let world = watched(&["prod"], |_, server| {
        shop(server);
        server.put(SERVICES, service("outside", "10.96.0.30")).expect("an object");
    })
    .await;
    let asks = |ip: &str| {
        let mut row = asks(ip);
        row.extend([("remote_ip".to_owned(), json!(ip)), ("remote_port".to_owned(), json!(80))]);
        row.extend(["dialled_ip", "dialled_port"].map(|name| (name.to_owned(), Value::Null)));
        row
    };
    world.feed(batch("a", 1, START_MS, vec![asks("10.96.0.10"), asks("10.96.0.30")])).await;
    let stock = json!([null, "shop", "stock", "Deployment", "stock", null, null, "prod"]);
    assert_eq!(of_remote(&world.row("remote_ip:10.96.0.10").await), stock);
    let outside = json!([null, "shop", null, null, "outside", null, null, "prod"]);
    assert_eq!(of_remote(&world.row("remote_ip:10.96.0.30").await), outside);

    let servers = async |level: &str| {
        let to = START_MS + 10 * WINDOW_MS;
        let path = format!("/summary?level={level}&from={START_MS}&to={to}");
        let answer = world.get(&path).await;
        let rows = answer["rows"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
        let server = |row: &Value| {
            let end = &row["server"];
            format!("{} {}", end["kind"].as_str().unwrap(), end["id"].as_str().unwrap())
        };
        rows.map(server).collect::<std::collections::BTreeSet<_>>()
    };
    let service = |name: &str| format!("service prod/shop/{name}");
    assert_eq!(servers("pod").await, [service("outside"), service("stock")].into());
    let workload = "workload prod/shop/stock".to_owned();
    assert_eq!(servers("deployment").await, [service("outside"), workload].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_own_process_is_no_pod() {
    let world = watched(&["prod"], |_, server| {
        shop(server);
        let mut proxy = pod("uid-proxy", "proxy", "host-a", "10.0.0.1");
        proxy["spec"]["hostNetwork"] = json!(true);
        server.put(PODS, proxy).expect("an object");
        server.put(SERVICES, service("proxy", "10.96.0.20")).expect("an object");
        server.put(SLICES, slice("proxy", "uid-proxy", "10.0.0.1")).expect("an object");
    })
    .await;
    let at_8080 = |uid: Value, process: &str| {
        row(
            START_MS,
            json!({
                "direction": "incoming", "local_ip": "10.0.0.1", "local_port": 8080,
                "local_host": "host-a", "local_pod_uid": uid, "local_process": process,
                "remote_ip": "198.51.100.7", "remote_port": null, "bytes_sent": 5,
            }),
        )
    };
    let rows = vec![at_8080(Value::Null, "kubelet"), at_8080(json!("uid-proxy"), "proxy")];
    world.feed(batch("a", 1, START_MS, rows)).await;
    let kubelet = world.row("local_process:kubelet").await;
    let host = json!([null, null, null, null, null, "eu-1", "eu", "prod"]);
    assert_eq!(of(&kubelet, &LOCAL), host);
    let proxy = world.row("local_process:proxy").await;
    assert_eq!((&proxy["local_pod"], &proxy["local_service"]), (&json!("proxy"), &json!("proxy")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_told_of_late_is_waited_for() {
    let world = watched(&["prod"], |_, server| {
        shop(server);
        server.delete(PODS, "uid-cart").expect("it was there");
        server.delete(PODS, "uid-stock").expect("it was there");
    })
    .await;
    let ingester = world.running.ingester();
    let sent = batch("a", 1, START_MS, vec![asks("10.96.0.10")]);
    let fed = tokio::spawn(async move { feed(ingester, sent).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!fed.is_finished(), "the cluster has not told of either Pod");
    let [double] = &world.doubles[..] else { panic!("one cluster") };
    double.put(PODS, pod("uid-cart", "cart", "host-a", "10.244.1.5")).expect("an object");
    double.put(PODS, pod("uid-stock", "stock", "host-b", "10.244.2.6")).expect("an object");
    fed.await.expect("the batch is stored");
    let row = world.row("agent:a").await;
    let found = of(&row, &["local_pod", "remote_pod", "remote_service"]);
    assert_eq!(found, json!(["cart", "stock", "stock"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_comes_stays_unknown_and_holds_nobody_up_twice() {
    let world = watched(&["prod"], |_, server| shop(server)).await;
    let stray = |sequence| {
        let mut row = asks("10.96.0.10");
        row.insert("local_pod_uid".to_owned(), json!("uid-of-nobody"));
        row.insert("local_ip".to_owned(), json!("10.244.1.99"));
        batch("a", sequence, START_MS + sequence as i64, vec![row])
    };
    world.feed(stray(1)).await;
    let row = world.row("agent:a").await;
    let expected = json!([null, null, "3f2a", "container", null, "eu-1", "eu", "prod"]);
    assert_eq!(of(&row, &LOCAL), expected, "what the agent said stays");
    let again = tokio::time::timeout(Duration::from_secs(4), world.feed(stray(2)));
    again.await.expect("it is not waited for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_may_have_the_same_addresses() {
    let world = watched(&["east", "west"], |cluster, server| {
        let put = |list: &str, object: Value| server.put(list, object).expect("an object");
        let host = format!("host-{cluster}");
        put(NODES, node(&host, "10.0.0.1", cluster));
        for name in ["cart", "stock"] {
            let uid = format!("uid-{name}-{cluster}");
            let ip = if name == "cart" { "10.244.1.5" } else { "10.244.2.6" };
            put(PODS, pod(&uid, &format!("{name}-{cluster}"), &host, ip));
        }
    })
    .await;
    for cluster in ["east", "west"] {
        let mut row = asks("10.96.0.10");
        row.insert("local_pod_uid".to_owned(), json!(format!("uid-cart-{cluster}")));
        row.insert("local_host".to_owned(), json!(format!("host-{cluster}")));
        let sent = batch(cluster, 1, START_MS, vec![row]);
        assert_eq!(sent.header.host, format!("host-{cluster}"));
        world.feed(sent).await;
        let row = world.row(&format!("agent:{cluster}")).await;
        let found = of(&row, &["local_pod", "remote_pod", "remote_cluster"]);
        let names = [format!("cart-{cluster}"), format!("stock-{cluster}"), cluster.to_owned()];
        assert_eq!(found, json!(names));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_say_its_cluster_and_its_place() {
    let world = watched(&["prod"], |_, server| shop(server)).await;
    let mut row = asks("10.96.0.10");
    row.insert("local_host".to_owned(), json!("somewhere"));
    let mut sent = batch_of(weir_schema::Table::L4Flows, "a", 1, START_MS, vec![row]);
    sent.header.host = "somewhere".to_owned();
    sent.header.cluster = Some("prod".to_owned());
    world.feed(sent).await;
    let row = world.row("agent:a").await;
    assert_eq!(of(&row, &["local_pod", "remote_service"]), json!(["cart", "stock"]));

    let outside = row_outside();
    let mut sent = batch("c", 1, START_MS, vec![outside]);
    sent.header.host = "vm".to_owned();
    sent.header.place = Some(weir_model::Place {
        zone: Some("eu-9".to_owned()),
        region: Some("eu".to_owned()),
        ..weir_model::Place::default()
    });
    world.feed(sent).await;
    let row = world.row("agent:c").await;
    let found = of(&row, &["local_zone", "local_region", "local_cluster", "remote_zone"]);
    assert_eq!(found, json!(["eu-9", "eu", null, "eu-2"]), "a node is reached from outside");
}

/// A machine outside the cluster speaks to one of its nodes.
fn row_outside() -> Row {
    row(
        START_MS,
        json!({
            "local_ip": "10.0.0.77", "local_host": "vm", "local_process": "ssh",
            "remote_ip": "10.0.0.2", "remote_port": 22, "bytes_sent": 5,
        }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_forbids_is_named() {
    let world = watched(&["prod"], |_, server| {
        shop(server);
        server.forbid(PODS, true);
    })
    .await;
    let status = world.get("/status").await;
    let kinds = status["clusters"][0]["kinds"].as_array().expect("kinds");
    let pods = kinds.iter().find(|kind| kind["resource"] == "pods").expect("pods");
    let problem = pods["problem"].as_str().expect("a problem");
    assert!(problem.contains("pods") && problem.contains("list"), "{problem}");
    let nodes = kinds.iter().find(|kind| kind["resource"] == "nodes").expect("nodes");
    assert_eq!((&nodes["objects"], &nodes["problem"]), (&json!(2), &Value::Null));
    // Flows are stored all the same, and at once.
    let fed = world.feed(batch("a", 1, START_MS, vec![asks("10.96.0.11")]));
    tokio::time::timeout(Duration::from_secs(4), fed).await.expect("nothing is waited for");
    let row = world.row("agent:a").await;
    assert_eq!(of(&row, &["local_pod", "remote_service"]), json!([null, "stock-admin"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_another_nodes_network_is_known_by_that_nodes_agent() {
    let world = watched(&["prod"], |_, server| {
        shop(server);
        let mut exporter = pod("uid-exporter", "exporter", "host-b", "10.0.0.2");
        exporter["spec"]["hostNetwork"] = json!(true);
        server.put(PODS, exporter).expect("an object");
    })
    .await;
    let answers = row(
        START_MS,
        json!({
            "direction": "incoming", "local_ip": "10.0.0.2", "local_port": 9100,
            "local_pod_uid": "uid-exporter", "local_host": "host-b", "local_process": "exporter",
            "remote_ip": "10.244.1.5", "remote_port": null, "bytes_sent": 5,
        }),
    );
    world.feed(batch("b", 1, START_MS, vec![answers])).await;
    let asks = |port: u16| {
        row(
            START_MS,
            json!({
                "local_ip": "10.244.1.5", "local_pod_uid": "uid-cart", "local_host": "host-a",
                "remote_ip": "10.0.0.2", "remote_port": port, "bytes_sent": 5,
            }),
        )
    };
    world.feed(batch("a", 1, START_MS, vec![asks(9100), asks(10250)])).await;
    let at = async |port: u16| {
        let row = world.row(&format!("agent:a remote_port:{port}")).await;
        of(&row, &["remote_pod", "remote_deployment", "remote_host", "remote_process"])
    };
    assert_eq!(at(9100).await, json!(["exporter", "exporter-5d8f", "host-b", "exporter"]));
    assert_eq!(at(10250).await, json!([null, null, "host-b", null]), "that is kubelet's");
}

/// A node's port leads clients from outside to Pods on other nodes, with the node's address in
/// front; the node's own processes call Pods too. Only of these another end is told.
#[tokio::test(flavor = "multi_thread")]
async fn clients_behind_a_nodes_address_are_counted_where_they_are_answered() {
    let world = watched(&["prod"], |_, server| shop(server)).await;
    let answered = |port: u16, bytes: u64| {
        row(
            START_MS,
            json!({
                "direction": "incoming", "local_ip": "10.244.2.6", "local_port": port,
                "local_pod_uid": "uid-stock", "local_host": "host-b",
                "remote_ip": "10.0.0.1", "remote_port": null, "bytes_sent": bytes,
            }),
        )
    };
    let own = row(
        START_MS,
        json!({
            "local_ip": "10.0.0.1", "local_host": "host-a", "local_process": "kubectl",
            "remote_ip": "10.244.2.6", "remote_port": 8080, "bytes_received": 30,
        }),
    );
    // The node's own call is told a moment after it was answered.
    let (ingester, own) = (world.running.ingester(), batch("a", 1, START_MS, vec![own]));
    let told = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        feed(ingester, own).await;
    });
    let hello = row(START_MS, json!({"local_ip": "10.0.0.1", "local_host": "host-a"}));
    world.feed(batch("a", 0, START_MS, vec![hello])).await;
    world.feed(batch("b", 1, START_MS, vec![answered(8080, 30), answered(9090, 500)])).await;
    told.await.expect("the node's own call is stored");
    let of_port = async |port: u16| {
        let row = world.row(&format!("agent:b local_port:{port}")).await;
        of(&row, &["remote_agent", "remote_host"])
    };
    assert_eq!(of_port(8080).await, json!(["a", "host-a"]), "the other end is told by its agent");
    assert_eq!(of_port(9090).await, json!([null, "host-a"]), "nobody else tells of it");
}
