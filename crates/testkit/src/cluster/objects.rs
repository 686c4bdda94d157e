//! Objects of the Kubernetes API as the cluster publishes them. Pure, but for the clock and for
//! names that are drawn.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

pub const NAMESPACES: &str = "/api/v1/namespaces";
pub const NODES: &str = "/api/v1/nodes";
pub const PODS: &str = "/api/v1/pods";
pub const SERVICES: &str = "/api/v1/services";
pub const EVENTS: &str = "/api/v1/events";
pub const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";
pub const REPLICA_SETS: &str = "/apis/apps/v1/replicasets";
pub const JOBS: &str = "/apis/batch/v1/jobs";

/// A uid that nothing else has.
pub fn new_uid() -> Result<String> {
    let uid = std::fs::read_to_string("/proc/sys/kernel/random/uuid").context("draw a uid")?;
    Ok(uid.trim().to_owned())
}

/// 64 digits, as container runtimes name containers.
pub fn new_container_id() -> Result<String> {
    Ok(format!("{}{}", new_uid()?, new_uid()?).replace('-', ""))
}

/// The last part of a drawn name, as in `cart-6c9f7-x7k2p`.
pub fn new_suffix(digits: usize) -> Result<String> {
    // Kubernetes leaves out vowels and what looks alike; 16 of its letters are enough here.
    const LETTERS: &[u8; 16] = b"bcdfghjklmnpqrst";
    let uid = new_uid()?;
    let letters = uid.bytes().filter_map(|digit| char::from(digit).to_digit(16));
    Ok(letters.map(|digit| char::from(LETTERS[digit as usize])).take(digits).collect())
}

pub fn now() -> String {
    let now = jiff::Timestamp::now();
    format!("{now:.0}")
}

/// Who an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub kind: &'static str,
    pub name: String,
    pub uid: String,
}

impl Reference {
    pub fn new(kind: &'static str, name: &str) -> Result<Self> {
        Ok(Self { kind, name: name.to_owned(), uid: new_uid()? })
    }
}

/// The metadata of an object.
#[derive(Clone, Debug)]
pub struct Meta {
    pub uid: String,
    pub namespace: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub owner: Option<Reference>,
    /// RFC 3339.
    pub created: String,
}

impl Meta {
    /// Of an object that begins now; `namespace` is empty where there is none.
    pub fn new(namespace: &str, name: &str) -> Result<Self> {
        Ok(Self {
            uid: new_uid()?,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: BTreeMap::new(),
            owner: None,
            created: now(),
        })
    }

    pub fn json(&self) -> Value {
        let owners: Vec<_> = self
            .owner
            .iter()
            .map(|owner| {
                let Reference { kind, name, uid } = owner;
                let version = match *kind {
                    "Job" | "CronJob" => "batch/v1",
                    _ => "apps/v1",
                };
                json!({"apiVersion": version, "kind": kind, "name": name, "uid": uid,
                    "controller": true})
            })
            .collect();
        let mut meta = json!({"uid": self.uid, "name": self.name, "labels": self.labels,
            "creationTimestamp": self.created, "ownerReferences": owners});
        if !self.namespace.is_empty() {
            meta["namespace"] = json!(self.namespace);
        }
        meta
    }
}

/// What of a node its object says.
pub struct NodeSays<'a> {
    pub meta: &'a Meta,
    pub ip: Ipv4Addr,
    pub boot_id: &'a str,
}

pub fn node(says: &NodeSays<'_>) -> Value {
    let NodeSays { meta, ip, boot_id } = says;
    json!({"metadata": meta.json(),
    "spec": {"providerID": format!("lab:///{}", meta.name)},
    "status": {
        "addresses": [{"type": "InternalIP", "address": ip},
            {"type": "Hostname", "address": meta.name}],
        "nodeInfo": {"bootID": boot_id},
    }})
}

/// What of a Pod its object says.
pub struct PodSays<'a> {
    pub meta: &'a Meta,
    pub node: &'a str,
    pub host_ip: Ipv4Addr,
    pub ip: Ipv4Addr,
    pub has_host_network: bool,
    pub container: &'a str,
    pub container_id: &'a str,
    /// RFC 3339; `None`: it runs.
    pub ended: Option<&'a str>,
}

pub fn pod(says: &PodSays<'_>) -> Value {
    let PodSays { meta, node, host_ip, ip, container, .. } = says;
    let id = format!("containerd://{}", says.container_id);
    let (phase, state) = match says.ended {
        None => ("Running", json!({"running": {"startedAt": meta.created}})),
        Some(at) => {
            let ended = json!({"exitCode": 0, "startedAt": meta.created, "finishedAt": at,
                "containerID": id});
            ("Succeeded", json!({"terminated": ended}))
        }
    };
    let status = json!({"name": container, "containerID": id, "ready": says.ended.is_none(),
        "state": state});
    json!({"metadata": meta.json(),
        "spec": {"nodeName": node, "hostNetwork": says.has_host_network,
            "containers": [{"name": container, "image": format!("lab/{container}:1")}]},
        "status": {"phase": phase, "hostIP": host_ip, "podIP": ip, "podIPs": [{"ip": ip}],
            "startTime": meta.created, "containerStatuses": [status]}})
}

/// An event about a Pod.
pub fn event(about: &Meta, severity: &str, reason: &str, message: &str) -> Result<Value> {
    let suffix = new_suffix(10)?;
    let meta = Meta::new(&about.namespace, &format!("{}.{suffix}", about.name))?;
    let at = &meta.created;
    Ok(json!({"metadata": meta.json(),
        "involvedObject": {"kind": "Pod", "namespace": about.namespace, "name": about.name,
            "uid": about.uid},
        "type": severity, "reason": reason, "message": message, "count": 1,
        "firstTimestamp": at, "lastTimestamp": at, "source": {"component": "kubelet"}}))
}

/// An object that is nothing but its metadata, as far as anybody here cares.
pub fn plain(meta: &Meta) -> Value {
    json!({"metadata": meta.json()})
}
