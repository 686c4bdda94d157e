//! A Pod: a network namespace of its own or its node's, and a control group as kubelet and
//! containerd name it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::Value;

use super::groups::Group;
use super::node::{Lease, Node};
use super::objects::{self, Meta, PodSays, Reference};
use super::services::Backend;
use super::spot::Spot;
use crate::child::Running;
use crate::namespace::{Namespace, Place};

/// What runs Pods: the chain of controllers from the Pod's own on.
#[derive(Clone, Debug)]
pub struct Workload {
    pub namespace: String,
    /// Of the top controller.
    pub name: String,
    /// ReplicaSet, Job, DaemonSet or StatefulSet.
    pub(super) controller: Reference,
}

/// A Pod that is to be.
#[derive(Clone, Debug)]
pub struct PodPlan {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) container: String,
    pub(super) owner: Option<Reference>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) has_host_network: bool,
    pub(super) ip: Option<Ipv4Addr>,
}

impl PodPlan {
    /// A Pod without a controller.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            container: name.to_owned(),
            owner: None,
            labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
            has_host_network: false,
            ip: None,
        }
    }

    /// The next Pod of a workload.
    pub fn of(workload: &Workload) -> Result<Self> {
        let Workload { namespace, name, controller } = workload;
        let mut plan = Self::new(namespace, name);
        plan.name = format!("{}-{}", controller.name, objects::new_suffix(5)?);
        plan.owner = Some(controller.clone());
        Ok(plan)
    }

    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn with_host_network(self) -> Self {
        Self { has_host_network: true, ..self }
    }

    /// With this address, which must be the node's to give and not in use.
    pub fn at(self, ip: Ipv4Addr) -> Self {
        Self { ip: Some(ip), ..self }
    }
}

/// A Pod that runs; dropped, its processes are killed and its network is removed. The API goes on
/// to have it until [`super::Cluster::delete`].
pub struct Pod {
    pub meta: Meta,
    pub ip: Ipv4Addr,
    /// Name of its node.
    pub node: String,
    zone: String,
    host_ip: Ipv4Addr,
    has_host_network: bool,
    container: String,
    pub container_id: String,
    spot: Spot,
    // Dropped in this order: processes before the namespace they are in.
    _group: Group,
    _link: Option<Link>,
}

impl Pod {
    pub(super) fn start(
        plan: &PodPlan,
        node: &mut Node,
        tag: &str,
        resolver: Option<PathBuf>,
    ) -> Result<Self> {
        let mut meta = Meta::new(&plan.namespace, &plan.name)?;
        meta.labels.clone_from(&plan.labels);
        meta.owner.clone_from(&plan.owner);
        let container_id = objects::new_container_id()?;
        let slice = format!("kubepods-burstable-pod{}.slice", meta.uid.replace('-', "_"));
        let group =
            node.group.below(&format!("kubepods.slice/kubepods-burstable.slice/{slice}"))?;
        let directory = group.directory().join(format!("cri-containerd-{container_id}.scope"));
        std::fs::create_dir(&directory).with_context(|| format!("make {}", directory.display()))?;
        let (ip, network, link) = match (plan.has_host_network, plan.ip) {
            (true, _) => (node.ip, node.network.clone(), None),
            (false, ip) => {
                let lease = node.lease(ip)?;
                let network = Arc::new(Namespace::add(tag)?);
                (lease.ip, network.clone(), Some(Link::new(network, node, lease)?))
            }
        };
        let spot = Spot { network, group: directory, resolver };
        Ok(Self {
            meta,
            ip,
            node: node.name().to_owned(),
            zone: node.zone.clone(),
            host_ip: node.ip,
            has_host_network: plan.has_host_network,
            container: plan.container.clone(),
            container_id,
            spot,
            _group: group,
            _link: link,
        })
    }

    pub fn name(&self) -> &str {
        &self.meta.name
    }

    /// Its network: its own, or its node's.
    pub fn network(&self) -> &Namespace {
        &self.spot.network
    }

    /// Its container's place, for what outlives a borrow of the Pod.
    pub fn spot(&self) -> Spot {
        self.spot.clone()
    }

    pub(super) fn json(&self, ended: Option<&str>) -> Value {
        objects::pod(&PodSays {
            meta: &self.meta,
            node: &self.node,
            host_ip: self.host_ip,
            ip: self.ip,
            has_host_network: self.has_host_network,
            container: &self.container,
            container_id: &self.container_id,
            ended,
        })
    }

    pub(super) fn backend(&self) -> Backend {
        let Meta { uid, name, .. } = &self.meta;
        let pod = Reference { kind: "Pod", name: name.clone(), uid: uid.clone() };
        Backend { ip: self.ip, pod, node: self.node.clone(), zone: self.zone.clone() }
    }
}

impl Place for Pod {
    fn start(&self, command: &mut Command) -> Result<Running> {
        self.spot.start(command)
    }
}

/// A Pod's interface, whose other end is its node's; dropped, it is removed at once, so that the
/// address can be given to another Pod.
struct Link {
    node: Arc<Namespace>,
    device: String,
    /// Held for as long as the Pod is.
    _network: Arc<Namespace>,
    _lease: Lease,
}

impl Link {
    /// A link of two points: whatever the Pod sends passes the node's own network stack, as many
    /// plugins of Kubernetes have it.
    fn new(network: Arc<Namespace>, node: &mut Node, lease: Lease) -> Result<Self> {
        let (device, gateway, ip) = (node.next_device(), node.gateway(), lease.ip);
        let link =
            Self { node: node.network.clone(), device, _network: network.clone(), _lease: lease };
        let (device, outside) = (&link.device, &link.node);
        outside
            .ip(&format!("link add {device} type veth peer name eth0 netns {}", network.name))?;
        outside.ip(&format!("addr add {gateway}/32 dev {device}"))?;
        outside.ip(&format!("link set {device} up"))?;
        outside.ip(&format!("route replace {ip}/32 dev {device} src {}", node.ip))?;
        network.ip(&format!("addr add {ip}/32 dev eth0"))?;
        network.ip("link set eth0 up")?;
        network.ip(&format!("route add {gateway} dev eth0 scope link"))?;
        network.ip(&format!("route add default via {gateway}"))?;
        Ok(link)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Err(err) = self.node.ip(&format!("link del {}", self.device)) {
            eprintln!("could not remove {} of {}: {err:#}", self.device, self.node.name);
        }
    }
}
