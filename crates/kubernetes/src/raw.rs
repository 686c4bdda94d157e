//! The shapes of the API's JSON, as far as they are read. Lists may be absent or null.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawMeta {
    pub uid: String,
    pub name: String,
    pub namespace: String,
    pub resource_version: String,
    pub creation_timestamp: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub annotations: Option<RawAnnotations>,
    pub owner_references: Vec<RawOwner>,
}

#[derive(Debug, Default, Deserialize)]
pub struct RawAnnotations {
    #[serde(rename = "kubernetes.io/config.mirror")]
    pub mirror: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct RawOwner {
    pub kind: String,
    pub name: String,
    pub uid: String,
    pub controller: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub struct RawWithMeta {
    #[serde(default)]
    pub metadata: RawMeta,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "Spec: Deserialize<'de> + Default, Status: Deserialize<'de> + Default")]
pub struct RawObject<Spec, Status> {
    #[serde(default)]
    pub metadata: RawMeta,
    #[serde(default)]
    pub spec: Spec,
    #[serde(default)]
    pub status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawPod {
    pub node_name: Option<String>,
    pub host_network: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawStatuses {
    pub phase: Option<String>,
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    #[serde(rename = "podIPs")]
    pub pod_ips: Option<Vec<RawIp>>,
    container_statuses: Option<Vec<RawContainer>>,
    init_container_statuses: Option<Vec<RawContainer>>,
    ephemeral_container_statuses: Option<Vec<RawContainer>>,
}

impl RawStatuses {
    pub fn containers(&self) -> impl Iterator<Item = &RawContainer> {
        let all = self.container_statuses.iter().chain(&self.init_container_statuses);
        all.chain(&self.ephemeral_container_statuses).flatten()
    }
}

#[derive(Debug, Deserialize)]
pub struct RawIp {
    #[serde(default)]
    pub ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawContainer {
    pub name: String,
    #[serde(rename = "containerID")]
    pub container_id: String,
    pub state: RawState,
    pub last_state: RawState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawState {
    terminated: Option<RawEnded>,
}

impl RawState {
    pub fn ended(&self) -> Option<&RawEnded> {
        self.terminated.as_ref()
    }

    pub fn id(&self) -> Option<&String> {
        self.terminated.as_ref()?.container_id.as_ref()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawEnded {
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
    pub finished_at: Option<String>,
}

pub type RawService = RawObject<RawServiceSpec, RawServiceStatus>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawServiceSpec {
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs")]
    pub cluster_ips: Option<Vec<String>>,
    #[serde(rename = "externalIPs")]
    pub external_ips: Option<Vec<String>>,
    pub ports: Option<Vec<RawPort>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawPort {
    pub protocol: Option<String>,
    pub port: Option<u16>,
    pub node_port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawServiceStatus {
    pub load_balancer: RawLoadBalancer,
}

#[derive(Debug, Default, Deserialize)]
pub struct RawLoadBalancer {
    pub ingress: Option<Vec<RawIngress>>,
}

#[derive(Debug, Deserialize)]
pub struct RawIngress {
    pub ip: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct RawSlice {
    #[serde(default)]
    pub metadata: RawMeta,
    pub ports: Option<Vec<RawPort>>,
    pub endpoints: Option<Vec<RawEndpoint>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawEndpoint {
    #[serde(default)]
    pub addresses: Vec<String>,
    pub target_ref: Option<RawReference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawReference {
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

#[derive(Debug, Default, Deserialize)]
pub struct RawNode {
    #[serde(rename = "providerID")]
    pub provider_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub struct RawAddress {
    pub addresses: Option<Vec<RawNodeAddress>>,
    #[serde(default, rename = "nodeInfo")]
    pub node_info: RawNodeInfo,
}

#[derive(Debug, Default, Deserialize)]
pub struct RawNodeInfo {
    #[serde(rename = "bootID")]
    pub boot_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct RawNodeAddress {
    #[serde(rename = "type")]
    pub kind: String,
    pub address: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawEvent {
    #[serde(default)]
    pub metadata: RawMeta,
    #[serde(default)]
    pub involved_object: RawReference,
    #[serde(rename = "type")]
    pub severity: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub count: Option<u32>,
    pub first_timestamp: Option<String>,
    pub last_timestamp: Option<String>,
    pub event_time: Option<String>,
    pub series: Option<RawSeries>,
    #[serde(default)]
    pub source: RawSource,
    pub reporting_component: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawSeries {
    pub count: Option<u32>,
    pub last_observed_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub struct RawSource {
    pub component: Option<String>,
}
