//! The objects of the shop: two namespaces with a workload of the same name, one workload with many
//! labels, one with 200 Pods, something that fails, and long logs.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};
use weir_testkit::ApiServer;

const PODS: &str = "/api/v1/pods";
const NODES: &str = "/api/v1/nodes";
const SERVICES: &str = "/api/v1/services";
const EVENTS: &str = "/api/v1/events";
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";
const REPLICA_SETS: &str = "/apis/apps/v1/replicasets";
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
const STATEFUL_SETS: &str = "/apis/apps/v1/statefulsets";

const LABELS: usize = 40;
const WORKERS: usize = 200;
pub const LOG_LINES: usize = 10_000;

/// A workload: namespace, name, kind, Pods.
pub struct Workload {
    pub namespace: &'static str,
    pub name: &'static str,
    pub kind: &'static str,
    pub pods: usize,
    number: usize,
}

pub const WORKLOADS: [Workload; 6] = [
    Workload { namespace: "shop", name: "front", kind: "Deployment", pods: 2, number: 1 },
    Workload { namespace: "shop", name: "cart", kind: "Deployment", pods: 2, number: 2 },
    Workload { namespace: "shop", name: "stock", kind: "StatefulSet", pods: 1, number: 3 },
    Workload { namespace: "pay", name: "cart", kind: "Deployment", pods: 1, number: 4 },
    Workload { namespace: "pay", name: "ledger", kind: "Deployment", pods: 1, number: 5 },
    Workload { namespace: "load", name: "worker", kind: "Deployment", pods: WORKERS, number: 6 },
];

pub const CLOUD_NODES: [(&str, &str, &str); 3] = [
    ("node-a", "10.0.0.1", "eu-1a"),
    ("node-b", "10.0.0.2", "eu-1b"),
    ("node-c", "10.0.0.3", "eu-1c"),
];

impl Workload {
    pub fn pod(&self, index: usize) -> String {
        match self.kind {
            "StatefulSet" => format!("{}-{index}", self.name),
            _ => format!("{}-{}-p{index:03}", self.name, self.hash()),
        }
    }

    pub fn uid(&self, index: usize) -> String {
        format!("0de1a000-0000-4000-8000-{:06}{index:06}", self.number)
    }

    pub fn pod_ip(&self, index: usize) -> String {
        format!("10.244.{}.{}", self.number, index + 2)
    }

    pub fn service_ip(&self) -> String {
        format!("10.96.0.{}", self.number)
    }

    pub fn node(&self, index: usize) -> usize {
        (self.number + index) % CLOUD_NODES.len()
    }

    fn hash(&self) -> String {
        format!("5d8f{}", self.number)
    }

    fn replica_set(&self) -> String {
        format!("{}-{}", self.name, self.hash())
    }
}

fn meta(uid: &str, namespace: &str, name: &str) -> Value {
    json!({"uid": uid, "name": name, "namespace": namespace,
        "creationTimestamp": "2026-01-05T08:00:00Z"})
}

/// Puts everything into the double.
pub fn put_all(server: &ApiServer) -> Result<()> {
    for (name, ip, zone) in CLOUD_NODES {
        server.put(NODES, node(name, ip, zone))?;
    }
    for workload in &WORKLOADS {
        put_workload(server, workload)?;
    }
    put_events(server)?;
    let cart = WORKLOADS[1].pod(0);
    for line in 0..LOG_LINES {
        let at =
            format!("2026-11-22T08:{:02}:{:02}.{:03}Z", line / 600 % 60, line / 10 % 60, line % 10);
        let what = if line % 97 == 0 { "WARN slow answer of stock" } else { "INFO GET /items" };
        server.write_log("shop", &cart, &format!("{at} {what} request={line}"));
    }
    Ok(())
}

fn node(name: &str, ip: &str, zone: &str) -> Value {
    json!({"metadata": {"uid": format!("node-{name}"), "name": name,
            "creationTimestamp": "2026-01-05T07:00:00Z",
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
            "labels": {"topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": "eu-1",
                "kubernetes.io/arch": "arm64", "node.kubernetes.io/instance-type": "m7g.large"}},
        "spec": {"providerID": format!("aws:///{zone}/i-0{name}")},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}],
            "conditions": [{"type": "DiskPressure", "status": if name == "node-c" { "True" } else { "False" },
                "reason": "KubeletHasDiskPressure"}],
            "nodeInfo": {"bootID": format!("boot-{name}")}}})
}

fn put_workload(server: &ApiServer, workload: &Workload) -> Result<()> {
    let Workload { namespace, name, kind, pods, .. } = workload;
    let uid = format!("{kind}-{namespace}-{name}");
    let mut owner = meta(&uid, namespace, name);
    owner["annotations"] = json!({"deployment.kubernetes.io/revision": "7", "team": "shop"});
    let object = json!({"metadata": owner, "spec": {"replicas": pods},
        "status": {"readyReplicas": pods}});
    let list = if *kind == "Deployment" { DEPLOYMENTS } else { STATEFUL_SETS };
    server.put(list, object)?;
    let set_uid = format!("rs-{namespace}-{name}");
    if *kind == "Deployment" {
        let mut set = meta(&set_uid, namespace, &workload.replica_set());
        set["ownerReferences"] =
            json!([{"kind": kind, "name": name, "uid": uid, "controller": true}]);
        server.put(REPLICA_SETS, json!({"metadata": set}))?;
    }
    let owner = match *kind {
        "Deployment" => json!({"kind": "ReplicaSet", "name": workload.replica_set(),
            "uid": set_uid, "controller": true}),
        _ => json!({"kind": kind, "name": name, "uid": uid, "controller": true}),
    };
    for index in 0..*pods {
        server.put(PODS, pod(workload, index, &owner))?;
    }
    put_service(server, workload)
}

fn pod(workload: &Workload, index: usize, owner: &Value) -> Value {
    let Workload { namespace, name, .. } = workload;
    let (pod, uid) = (workload.pod(index), workload.uid(index));
    let mut meta = meta(&uid, namespace, &pod);
    meta["labels"] = json!({"app": name, "tier": if *name == "front" { "web" } else { "backend" },
        "pod-template-hash": workload.hash()});
    if (*namespace, *name) == ("shop", "cart") {
        for label in 3..LABELS {
            let value = format!("value-{label:02}");
            meta["labels"][format!("shop.example/fact-{label:02}")] = json!(value);
        }
    }
    meta["annotations"] = json!({"prometheus.io/scrape": "true", "team": "shop",
        "note": "a long annotation that says where the runbook of this Pod is: https://runbooks.example/shop"});
    meta["ownerReferences"] = json!([owner]);
    let is_failing = *name == "ledger";
    let status = |(at, container): (usize, &&str)| {
        let state = match is_failing {
            true => json!({"waiting": {"reason": "CrashLoopBackOff"}}),
            false => json!({"running": {"startedAt": "2026-01-05T08:00:00Z"}}),
        };
        json!({"name": container, "image": format!("registry.example/{name}:1.4.2"),
            "containerID": format!("containerd://{}{at:032x}", uid.replace('-', "")), "ready": !is_failing,
            "restartCount": if is_failing { 14 } else { 0 }, "state": state})
    };
    let containers: &[&str] = if *name == "cart" { &["web", "proxy"] } else { &["main"] };
    let named = |container: &&str| json!({"name": container});
    json!({"metadata": meta,
        "spec": {"nodeName": CLOUD_NODES[workload.node(index)].0,
            "containers": containers.iter().map(named).collect::<Vec<_>>()},
        "status": {"podIP": workload.pod_ip(index), "phase": "Running",
            "conditions": [{"type": "Ready", "status": if is_failing { "False" } else { "True" },
                "message": "containers with unready status: [main]"}],
            "containerStatuses": containers.iter().enumerate().map(status).collect::<Vec<_>>()}})
}

fn put_service(server: &ApiServer, workload: &Workload) -> Result<()> {
    let Workload { namespace, name, pods, .. } = workload;
    let service = json!({"metadata": meta(&format!("svc-{namespace}-{name}"), namespace, name),
        "spec": {"clusterIP": workload.service_ip(), "ports": [
            {"port": 80, "protocol": "TCP", "nodePort": 30_080}, {"port": 53, "protocol": "UDP"}]}});
    server.put(SERVICES, service)?;
    let mut slice = meta(&format!("slice-{namespace}-{name}"), namespace, &format!("{name}-x1"));
    slice["labels"] = json!({"kubernetes.io/service-name": name});
    let endpoint = |index: usize| {
        json!({"addresses": [workload.pod_ip(index)], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "uid": workload.uid(index)}})
    };
    server.put(
        SLICES,
        json!({"metadata": slice, "addressType": "IPv4",
        "ports": [{"port": 8080, "protocol": "TCP"}],
        "endpoints": (0..*pods).map(endpoint).collect::<Vec<_>>()}),
    )
}

/// Of late: the server forgets what happened hours ago.
fn minutes_ago(minutes: i64) -> Result<String> {
    let now = Timestamp::now().as_second();
    Ok(Timestamp::from_second(now - 60 * minutes)?.to_string())
}

fn put_events(server: &ApiServer) -> Result<()> {
    let (cart, ledger) = (&WORKLOADS[1], &WORKLOADS[4]);
    let events = [
        (
            cart,
            "Pod",
            cart.pod(0),
            "Normal",
            "Pulled",
            "Container image \"cart:1.4.2\" already present",
            1,
        ),
        (
            cart,
            "Pod",
            cart.pod(0),
            "Warning",
            "Unhealthy",
            "Readiness probe failed: HTTP status 503",
            12,
        ),
        (cart, "ReplicaSet", cart.replica_set(), "Normal", "SuccessfulCreate", "Created Pod", 2),
        (
            ledger,
            "Pod",
            ledger.pod(0),
            "Warning",
            "BackOff",
            "Back-off restarting failed container main",
            214,
        ),
    ];
    for (at, (workload, kind, name, severity, reason, message, count)) in events.iter().enumerate()
    {
        let uid = format!("event-{at}");
        let namespace = workload.namespace;
        server.put(
            EVENTS,
            json!({"metadata": meta(&uid, namespace, &uid),
            "involvedObject": {"kind": kind, "namespace": namespace, "name": name},
            "type": severity, "reason": reason, "message": message, "count": count,
            "firstTimestamp": minutes_ago(75)?,
            "lastTimestamp": minutes_ago(20 - at as i64)?,
            "source": {"component": "kubelet"}}),
        )?;
    }
    Ok(())
}
