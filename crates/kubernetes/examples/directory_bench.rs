//! The directory at size: memory, cost of a change, cost of naming a flow's end.
//!
//! Owns a cluster of 5,000 Pods on 100 nodes behind 500 Services, 15 minutes of 50 changes a
//! second of which a third replaces a Pod by another one with the same address, and the
//! questions. Objects are JSON of the size that API servers send and are read as the watch reads
//! them. Prints one JSON line.
//!
//! `cargo run --release -p weir-kubernetes --example directory_bench`

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_kubernetes::{Directory, DirectoryLimits, Kind, Names, Sighting, read};
use weir_model::Transport;

const PODS: usize = 5_000;
const SERVICES: usize = 500;
const NODES: usize = 100;
const CHANGES_A_SECOND: usize = 50;
const SECONDS: usize = 15 * 60;
const QUESTIONS: usize = 2_000_000;
const START_MS: i64 = 1_767_323_045_000;

fn pod_ip(slot: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 244, (slot / 250) as u8, (slot % 250 + 1) as u8)
}

fn service_ip(service: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 96, (service / 250) as u8, (service % 250 + 1) as u8)
}

fn uid(slot: usize, life: usize) -> String {
    format!("{slot:08x}-8a51-4f0e-9b0f-{life:012x}")
}

/// A Pod with what real ones carry: a spec with volumes and probes, and managed fields.
fn pod(slot: usize, life: usize, restarts: usize, now_ms: i64) -> String {
    let (app, uid) = (slot % SERVICES, uid(slot, life));
    let created = jiff::Timestamp::from_millisecond(now_ms).expect("a time").to_string();
    let hash = format!("{app:x}c9d7f6b5");
    let id = format!("containerd://{slot:032x}{:032x}", life * 1_000 + restarts);
    let field = json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:containers":
        {"k:{\"name\":\"main\"}": {".": {}, "f:image": {}, "f:resources": {"f:limits": {}}}}}});
    let fields: Vec<Value> = (0..6)
        .map(|n| json!({"manager": format!("m{n}"), "operation": "Update", "fieldsV1": field}))
        .collect();
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10});
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": {
        "name": format!("app-{app}-{hash}-{slot:05}"), "namespace": format!("team-{}", app % 20),
        "uid": uid, "resourceVersion": "123456789", "creationTimestamp": created,
        "labels": {"app": format!("app-{app}"), "pod-template-hash": hash, "tier": "backend",
            "app.kubernetes.io/version": "1.2.3", "app.kubernetes.io/part-of": "shop"},
        "annotations": {"checksum/config": hash.repeat(7), "prometheus.io/scrape": "true"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "name": format!("app-{app}-{hash}"), "uid": format!("rs-{app}"), "controller": true}],
        "managedFields": fields},
      "spec": {"nodeName": format!("node-{}", slot % NODES), "containers": [{"name": "main",
            "image": "registry.example/team/app:1.2.3", "env": [{"name": "A", "value": "b"}],
            "livenessProbe": probe, "readinessProbe": probe}],
        "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {}}]}}]},
      "status": {"phase": "Running", "podIP": pod_ip(slot), "podIPs": [{"ip": pod_ip(slot)}],
        "containerStatuses": [{"name": "main", "containerID": id, "ready": true,
            "restartCount": restarts, "state": {"running": {"startedAt": created}}}]}})
    .to_string()
}

/// The slice of a Service with the Pods that stand behind it now.
fn slice(service: usize, lives: &[usize]) -> String {
    let endpoints: Vec<Value> = (service..PODS)
        .step_by(SERVICES)
        .map(|slot| {
            let target = json!({"kind": "Pod", "uid": uid(slot, lives[slot])});
            json!({"addresses": [pod_ip(slot)], "conditions": {"ready": true},
                "targetRef": target})
        })
        .collect();
    json!({"metadata": {"uid": format!("slice-{service}"), "name": format!("app-{service}-x"),
        "namespace": format!("team-{}", service % 20),
        "labels": {"kubernetes.io/service-name": format!("app-{service}")}},
        "ports": [{"port": 8080, "protocol": "TCP"}], "endpoints": endpoints})
    .to_string()
}

struct Cluster {
    directory: Directory,
    names: Names,
    lives: Vec<usize>,
    json_bytes: usize,
    changes: usize,
}

impl Cluster {
    fn tell(&mut self, kind: Kind, json: &str, now_ms: i64) {
        let object = read(kind, json, &mut self.names).expect("an object");
        self.directory.apply(object, now_ms);
        self.json_bytes += json.len();
        self.changes += 1;
    }

    fn fill(&mut self) {
        for node in 0..NODES {
            let labels = json!({"topology.kubernetes.io/zone": format!("z{}", node % 3)});
            let address = Ipv4Addr::new(192, 168, 0, node as u8 + 1);
            let json = json!({"metadata": {"uid": format!("node-uid-{node}"),
                "name": format!("node-{node}"), "labels": labels}, "spec": {},
                "status": {"addresses": [{"type": "InternalIP", "address": address}]}});
            self.tell(Kind::Node, &json.to_string(), START_MS);
        }
        for service in 0..SERVICES {
            let namespace = format!("team-{}", service % 20);
            let owner = json!([{"kind": "Deployment", "name": format!("app-{service}"),
                "uid": format!("d-{service}"), "controller": true}]);
            let set = json!({"metadata": {"uid": format!("rs-{service}"), "namespace": namespace,
                "name": format!("app-{service}-c9d7"), "ownerReferences": owner}});
            self.tell(Kind::ReplicaSet, &set.to_string(), START_MS);
            let json = json!({"metadata": {"uid": format!("svc-{service}"), "namespace": namespace,
                "name": format!("app-{service}")}, "spec": {"clusterIPs": [service_ip(service)],
                "ports": [{"port": 80, "protocol": "TCP"}]}});
            self.tell(Kind::Service, &json.to_string(), START_MS);
            let json = slice(service, &self.lives);
            self.tell(Kind::EndpointSlice, &json, START_MS);
        }
        for slot in 0..PODS {
            self.tell(Kind::Pod, &pod(slot, 0, 0, START_MS), START_MS);
        }
    }

    /// One change of many kinds; gives how long it took, the making of the JSON left out.
    fn change(&mut self, number: usize, now_ms: i64) -> Duration {
        let slot = number.wrapping_mul(7_919) % PODS;
        let before = uid(slot, self.lives[slot]);
        let is_replaced = number.is_multiple_of(3);
        if is_replaced {
            self.lives[slot] += 1;
        }
        let pod = pod(slot, self.lives[slot], number / PODS, now_ms);
        let slice = slice(slot % SERVICES, &self.lives);
        let began = Instant::now();
        match number % 3 {
            0 => {
                self.directory.remove(Kind::Pod, &before, now_ms - 5);
                self.tell(Kind::Pod, &pod, now_ms);
            }
            1 => self.tell(Kind::Pod, &pod, now_ms),
            _ => self.tell(Kind::EndpointSlice, &slice, now_ms),
        }
        began.elapsed()
    }
}

/// Resident memory in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * 4_096
}

/// Nanoseconds a question, and how many were answered.
fn ask(directory: &Directory, now_ms: i64) -> (f64, usize) {
    let began = Instant::now();
    let mut answered = 0;
    for number in 0..QUESTIONS {
        let slot = number.wrapping_mul(7_919) % PODS;
        let ip = match number % 4 {
            0 => IpAddr::V4(service_ip(slot % SERVICES)),
            1 => IpAddr::V4(Ipv4Addr::new(203, 0, 113, (slot % 200) as u8)),
            _ => IpAddr::V4(pod_ip(slot)),
        };
        let seen = Sighting {
            ip,
            port: (number % 2 == 0).then_some(8_080),
            transport: Transport::Tcp,
            pod_uid: None,
            container: None,
            times: now_ms - 10_000..now_ms,
        };
        answered += usize::from(std::hint::black_box(directory.resolve(&seen)).is_some());
    }
    (began.elapsed().as_nanos() as f64 / QUESTIONS as f64, answered)
}

fn main() {
    let before = resident();
    let mut cluster = Cluster {
        directory: Directory::new(DirectoryLimits::default()),
        names: Names::default(),
        lives: vec![0; PODS],
        json_bytes: 0,
        changes: 0,
    };
    let began = Instant::now();
    cluster.fill();
    let fill_ms = began.elapsed().as_millis();
    let filled = resident();
    (cluster.changes, cluster.json_bytes) = (0, 0);
    let (mut spent, mut longest) = (Duration::ZERO, Duration::ZERO);
    for number in 0..CHANGES_A_SECOND * SECONDS {
        let now_ms = START_MS + 60_000 + (number * 1_000 / CHANGES_A_SECOND) as i64;
        let took = cluster.change(number, now_ms);
        spent += took;
        longest = longest.max(took);
        if number % (CHANGES_A_SECOND * 60) == 0 {
            let began = Instant::now();
            cluster.directory.sweep(now_ms);
            cluster.names.sweep();
            spent += began.elapsed();
        }
    }
    let end_ms = START_MS + 60_000 + SECONDS as i64 * 1_000;
    let (resolve_ns, answered) = ask(&cluster.directory, end_ms);
    let pods = cluster.directory.counts(Kind::Pod);
    let report = json!({
        "pods": pods.living, "pods_gone": pods.gone, "services": SERVICES, "nodes": NODES,
        "fill_ms": fill_ms, "filled_bytes": filled.saturating_sub(before),
        "bytes_after_15_min": resident().saturating_sub(before),
        "changes": cluster.changes, "json_bytes_per_change": cluster.json_bytes / cluster.changes,
        "us_per_change": spent.as_micros() as f64 / cluster.changes as f64,
        "us_longest_change": longest.as_micros(),
        "cpu_percent_at_50_per_s": spent.as_secs_f64() / SECONDS as f64 * 100.0,
        "resolve_ns": resolve_ns, "answered": answered, "questions": QUESTIONS,
    });
    println!("{report}");
}
