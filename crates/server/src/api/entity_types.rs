//! Shapes of `GET /entity` and `GET /entity/events`.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// What is known of one entity.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct EntityDetails {
    /// `pod`, `workload`, `service`, `host`...
    pub kind: &'static str,
    pub name: String,
    pub cluster: Option<String>,
    pub namespace: Option<String>,
    /// Whether a cluster or an agent knows it; else all that follows is absent.
    pub is_known: bool,
    /// Whether it exists now: what is gone is known for a while longer.
    pub is_living: bool,
    pub created_ms: Option<i64>,
    /// Kind of a workload: `Deployment`, `StatefulSet`...
    pub workload_kind: Option<String>,
    pub node: Option<String>,
    pub zone: Option<String>,
    pub region: Option<String>,
    pub addresses: Vec<String>,
    /// Those that a Service has outside of the cluster.
    pub external_addresses: Vec<String>,
    pub labels: BTreeMap<String, String>,
    /// Names of those labels that its flows have, so that filters find them.
    pub flow_labels: Vec<String>,
    /// From its owner to the top of the chain.
    pub owners: Vec<Owner>,
    /// Names of a Pod's containers.
    pub containers: Vec<String>,
    /// Of a Service.
    pub ports: Vec<ServicePort>,
    /// Those of a workload, behind a Service, on a node; at most 200.
    pub pods: Vec<PodOf>,
    pub pods_left: u64,
    /// Virtual machine that a host is.
    pub machine: Option<Machine>,
    /// Agent on a host.
    pub agent: Option<AgentOf>,
    /// What only the API server knows, as of now.
    pub live: Option<Live>,
    /// Why `live` is absent, where it should be there.
    pub live_problem: Option<String>,
}

/// One step of the chain of controllers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Owner {
    pub kind: String,
    pub name: String,
}

/// One port of a Service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServicePort {
    pub port: u16,
    pub transport: &'static str,
    pub node_port: Option<u16>,
}

/// A Pod of a workload, a Service or a node.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PodOf {
    /// `id` of the entity of kind `pod`.
    pub id: String,
    pub name: String,
    pub node: Option<String>,
    pub addresses: Vec<String>,
    pub is_living: bool,
}

/// A cloud's virtual machine.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Machine {
    /// `aws`, `gcp`, `azure`, `alibaba`, `tencent`, `huawei`, `openstack`...
    pub provider: Option<String>,
    pub instance: Option<String>,
    pub instance_type: Option<String>,
}

/// The agent that watches a host.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentOf {
    pub agent: String,
    pub version: Option<String>,
    pub last_seen_ms: i64,
    pub is_stale: bool,
}

/// What the API server says of an object now.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Live {
    pub annotations: BTreeMap<String, String>,
    /// Of a Pod: `Running`, `Pending`...
    pub phase: Option<String>,
    pub containers: Vec<LiveContainer>,
    /// Of a workload: wanted and ready Pods.
    pub replicas: Option<u64>,
    pub ready_replicas: Option<u64>,
    /// Conditions that are not as they should be: `Ready: containers with unready status: [web]`.
    pub conditions: Vec<String>,
}

/// One container of a Pod.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LiveContainer {
    pub name: String,
    pub image: Option<String>,
    /// `running`, or why it is not: `waiting: CrashLoopBackOff`.
    pub state: Option<String>,
    pub restarts: u64,
    pub is_ready: bool,
}

/// What a cluster says happened to an entity, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntityEvents {
    pub events: Vec<EntityEvent>,
    /// Whether the entity's cluster is watched; else there can be no events.
    pub is_watched: bool,
}

/// One event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntityEvent {
    /// `Normal` or `Warning`.
    pub severity: String,
    pub reason: String,
    pub message: String,
    pub source: Option<String>,
    /// The object that it is about: the entity or one of its Pods.
    pub about_kind: String,
    pub about_name: String,
    pub count: u32,
    pub first_ms: i64,
    pub last_ms: i64,
}
