//! What is kept of the cluster's objects: the fields that name an end of a flow, and no others.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::Transport;

/// The kinds of objects that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    Namespace,
    Node,
    ReplicaSet,
    Job,
    Pod,
    Service,
    EndpointSlice,
    Event,
}

impl Kind {
    /// Owners before what they own, so that at the start little is resolved by half.
    pub const ALL: [Kind; 8] = [
        Kind::Namespace,
        Kind::Node,
        Kind::ReplicaSet,
        Kind::Job,
        Kind::Pod,
        Kind::Service,
        Kind::EndpointSlice,
        Kind::Event,
    ];

    /// API group, empty for the core, and version.
    pub fn group_version(self) -> (&'static str, &'static str) {
        match self {
            Kind::ReplicaSet => ("apps", "v1"),
            Kind::Job => ("batch", "v1"),
            Kind::EndpointSlice => ("discovery.k8s.io", "v1"),
            _ => ("", "v1"),
        }
    }

    /// Name of the resource in paths and RBAC rules.
    pub fn resource(self) -> &'static str {
        match self {
            Kind::Namespace => "namespaces",
            Kind::Node => "nodes",
            Kind::ReplicaSet => "replicasets",
            Kind::Job => "jobs",
            Kind::Pod => "pods",
            Kind::Service => "services",
            Kind::EndpointSlice => "endpointslices",
            Kind::Event => "events",
        }
    }

    /// Path of the list over all namespaces.
    pub fn path(self) -> String {
        match self.group_version() {
            ("", version) => format!("/api/{version}/{}", self.resource()),
            (group, version) => format!("/apis/{group}/{version}/{}", self.resource()),
        }
    }
}

/// Labels in the order of their keys.
pub type Labels = Arc<[(Arc<str>, Arc<str>)]>;

/// What all objects have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    pub uid: Arc<str>,
    /// Empty for what belongs to no namespace.
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    pub labels: Labels,
    pub created_ms: i64,
    /// The controller among its owners.
    pub owner: Option<OwnerRef>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRef {
    pub kind: Arc<str>,
    pub name: Arc<str>,
    pub uid: Arc<str>,
}

/// SHA-256 by which runtimes name a container.
pub type ContainerId = [u8; 32];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    pub name: Arc<str>,
    pub id: ContainerId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    pub meta: Meta,
    pub node: Option<Arc<str>>,
    /// Shares its node's addresses, which are then not its own.
    pub has_host_network: bool,
    pub ips: Box<[IpAddr]>,
    pub containers: Box<[Container]>,
    /// Uid that kubelet gave a static Pod, of which this is the mirror.
    pub static_uid: Option<Arc<str>>,
    /// All containers have ended, and the address is free again.
    pub is_over: bool,
    /// When the last container ended, where that is told.
    pub ended_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    pub transport: Transport,
    pub port: u16,
    pub node_port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub meta: Meta,
    /// ClusterIPs; none for a headless one.
    pub cluster_ips: Box<[IpAddr]>,
    /// External addresses and those of its load balancer.
    pub external_ips: Box<[IpAddr]>,
    pub ports: Box<[ServicePort]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub ips: Box<[IpAddr]>,
    pub pod_uid: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSlice {
    pub meta: Meta,
    /// Name of the Service, in the slice's namespace.
    pub service: Option<Arc<str>>,
    /// Ports of the endpoints; without any, all ports.
    pub ports: Box<[(u16, Transport)]>,
    pub endpoints: Box<[Endpoint]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub meta: Meta,
    pub ips: Box<[IpAddr]>,
    pub zone: Option<Arc<str>>,
    pub region: Option<Arc<str>>,
    /// `PROVIDER://...`, as the cloud's controller sets it.
    pub provider_id: Option<Arc<str>>,
    pub instance_type: Option<Arc<str>>,
    /// `/proc/sys/kernel/random/boot_id` of the node.
    pub boot_id: Option<Arc<str>>,
}

/// A ReplicaSet or Job: kept for the way from a Pod to its top controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    pub meta: Meta,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    pub meta: Meta,
}

/// What the cluster says happened to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub uid: Arc<str>,
    pub about: About,
    /// `Normal`, `Warning`.
    pub severity: Arc<str>,
    pub reason: Arc<str>,
    pub message: Arc<str>,
    pub source: Option<Arc<str>>,
    pub count: u32,
    pub first_ms: i64,
    pub last_ms: i64,
}

/// Which object an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct About {
    pub kind: Arc<str>,
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object {
    Namespace(Namespace),
    Node(Node),
    ReplicaSet(Controller),
    Job(Controller),
    Pod(Pod),
    Service(Service),
    EndpointSlice(EndpointSlice),
    Event(Event),
}

impl Object {
    pub fn uid(&self) -> &Arc<str> {
        match self {
            Object::Namespace(object) => &object.meta.uid,
            Object::Node(object) => &object.meta.uid,
            Object::ReplicaSet(object) | Object::Job(object) => &object.meta.uid,
            Object::Pod(object) => &object.meta.uid,
            Object::Service(object) => &object.meta.uid,
            Object::EndpointSlice(object) => &object.meta.uid,
            Object::Event(object) => &object.uid,
        }
    }
}
