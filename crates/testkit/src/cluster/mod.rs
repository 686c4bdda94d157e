//! A small Kubernetes cluster on one machine: nodes and Pods with real sockets, and nothing of
//! Kubernetes but its names and its API's objects.
//!
//! Owns the layout (nodes on a bridge, each with Pods behind it), the rules that translate
//! Services' addresses on every node, the control groups, and what the API server's double says of
//! all that. Processes in Pods, and what watches them, are its users' business.
//!
//! ```text
//! hub ── bridge ──┬── node-a (eth0) ── veth1 ── Pod
//!                 │               └── veth2 ── Pod
//!                 ├── node-b ...
//!                 └── outside
//! ```

mod groups;
mod node;
mod objects;
mod observed;
mod pod;
mod services;
mod spot;
mod tunnel;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use self::groups::Group;
use self::objects::{Meta, Reference};
use self::services::{Networks, Service};
use crate::api_server::ApiServer;
use crate::lab::{address, next_network};
use crate::namespace::{Namespace, remove_stale};

pub use self::node::{Node, NodePlan};
pub use self::observed::Observed;
pub use self::pod::{Pod, PodPlan, Workload};
pub use self::services::Port;
pub use self::spot::Spot;

/// Nodes of one cluster.
pub const NODES_MAX: usize = 8;
/// Last parts of addresses on the nodes' network, whose nodes begin at 1.
const OUTSIDE: u8 = 100;
const HUB: u8 = 126;

/// A cluster; dropped, all of it is removed. Pods must be dropped before.
pub struct Cluster {
    // Dropped in this order.
    nodes: Vec<Node>,
    outside: Namespace,
    outside_ip: Ipv4Addr,
    _hub: Namespace,
    _group: Group,
    api: ApiServer,
    folder: TempDir,
    tag: String,
    networks: Networks,
    services: BTreeMap<(String, String), Service>,
    namespaces: Vec<String>,
    pods: u32,
    last_service: u8,
    dns: Option<Ipv4Addr>,
}

impl Cluster {
    /// Lays out the nodes, on whose Services nobody is yet.
    pub fn new(plans: &[NodePlan]) -> Result<Self> {
        ensure!((1..=NODES_MAX).contains(&plans.len()), "a cluster has 1 to {NODES_MAX} nodes");
        remove_stale()?;
        let (serial, number) = next_network();
        let (tag, networks) = (format!("c{serial}"), node::networks(number));
        let group = Group::top(&tag)?;
        let hub = Namespace::add(&format!("{tag}-hub"))?;
        hub.ip("link add br0 type bridge")?;
        hub.ip(&format!("addr add {}/25 dev br0", address(number, HUB)))?;
        hub.ip("link set br0 up")?;
        let (outside, outside_ip) = outside(&tag, &hub, address(number, OUTSIDE))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
        let mut cluster = Self {
            nodes: Vec::new(),
            outside,
            outside_ip,
            _hub: hub,
            _group: group,
            api: ApiServer::start(listener)?,
            folder: crate::scratch_dir()?,
            tag,
            networks,
            services: BTreeMap::new(),
            namespaces: Vec::new(),
            pods: 0,
            last_service: 0,
            dns: None,
        };
        for (place, plan) in plans.iter().enumerate() {
            cluster.add_node(plan, place as u8 + 1, number)?;
        }
        for node in &cluster.nodes {
            node::default_route(&node.network, address(number, HUB))?;
            for other in cluster.nodes.iter().filter(|other| other.ip != node.ip) {
                node.learn(other)?;
            }
        }
        cluster.translate()?;
        Ok(cluster)
    }

    fn add_node(&mut self, plan: &NodePlan, place: u8, number: u16) -> Result<()> {
        let [a, b, ..] = self.networks.pods.0.octets();
        let addresses = (address(number, place), Ipv4Addr::new(a, b, place, 0));
        let group = self._group.below(&plan.name)?;
        let (tag, port) = (format!("{}-{}", self.tag, plan.name), format!("port{place}"));
        let node = Node::new(plan, (&self._hub, &port), (&tag, group), addresses)?;
        self.api.put(objects::NODES, node.json())?;
        self.nodes.push(node);
        Ok(())
    }

    /// The node of that position, from 0.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A host that is no node of the cluster, on the nodes' network.
    pub fn outside(&self) -> (&Namespace, Ipv4Addr) {
        (&self.outside, self.outside_ip)
    }

    /// What watchers of the cluster ask.
    pub fn api(&self) -> &ApiServer {
        &self.api
    }

    /// Pods that begin from now on ask this name server, by way of Kubernetes' search domains.
    pub fn set_name_server(&mut self, ip: Ipv4Addr) {
        self.dns = Some(ip);
    }

    fn namespace(&mut self, name: &str) -> Result<()> {
        if !self.namespaces.iter().any(|known| known == name) {
            self.namespaces.push(name.to_owned());
            self.api.put(objects::NAMESPACES, objects::plain(&Meta::new("", name)?))?;
        }
        Ok(())
    }

    /// A Deployment with its ReplicaSet.
    pub fn deployment(&mut self, namespace: &str, name: &str) -> Result<Workload> {
        self.controlled(namespace, name, ("ReplicaSet", "Deployment", objects::REPLICA_SETS))
    }

    /// A CronJob with the Job of one run.
    pub fn cron_job(&mut self, namespace: &str, name: &str) -> Result<Workload> {
        self.controlled(namespace, name, ("Job", "CronJob", objects::JOBS))
    }

    /// A controller whose Pods are its own, such as a DaemonSet or a StatefulSet.
    pub fn direct(&mut self, kind: &'static str, namespace: &str, name: &str) -> Result<Workload> {
        self.namespace(namespace)?;
        let controller = Reference::new(kind, name)?;
        Ok(Workload { namespace: namespace.to_owned(), name: name.to_owned(), controller })
    }

    fn controlled(
        &mut self,
        namespace: &str,
        name: &str,
        (kind, top, list): (&'static str, &'static str, &str),
    ) -> Result<Workload> {
        self.namespace(namespace)?;
        let mut meta = Meta::new(namespace, &format!("{name}-{}", objects::new_suffix(9)?))?;
        meta.owner = Some(Reference::new(top, name)?);
        self.api.put(list, objects::plain(&meta))?;
        let controller = Reference { kind, name: meta.name, uid: meta.uid };
        Ok(Workload { namespace: namespace.to_owned(), name: name.to_owned(), controller })
    }

    /// Forgets the Job of a run that is over.
    pub fn delete_job(&self, workload: &Workload) -> Result<()> {
        self.api.delete(objects::JOBS, &workload.controller.uid)
    }

    /// Starts a Pod on a node; its processes are started by whoever asked for it.
    pub fn run(&mut self, plan: &PodPlan, node: usize) -> Result<Pod> {
        self.namespace(&plan.namespace)?;
        self.pods += 1;
        let tag = format!("{}-p{}", self.tag, self.pods);
        let resolver = self.resolver(&plan.namespace)?;
        let pod = Pod::start(plan, &mut self.nodes[node], &tag, resolver)?;
        self.api.put(objects::PODS, pod.json(None))?;
        Ok(pod)
    }

    fn resolver(&self, namespace: &str) -> Result<Option<PathBuf>> {
        let Some(dns) = self.dns else { return Ok(None) };
        let path = self.folder.path().join(format!("resolv-{namespace}"));
        if path.exists() {
            return Ok(Some(path)); // written anew it would be empty for a moment to those who read it
        }
        let domains = format!("{namespace}.svc.cluster.local svc.cluster.local cluster.local");
        let text = format!("nameserver {dns}\nsearch {domains}\noptions ndots:5\n");
        std::fs::write(&path, text).context("write a resolver's configuration")?;
        Ok(Some(path))
    }

    /// Ends a Pod whose work is done: the API goes on to have it.
    pub fn finish(&self, pod: Pod) -> Result<Finished> {
        self.api.put(objects::PODS, pod.json(Some(&objects::now())))?;
        Ok(Finished { uid: pod.meta.uid.clone() })
    }

    /// Ends a Pod and deletes it.
    pub fn delete(&self, pod: Pod) -> Result<()> {
        let uid = pod.meta.uid.clone();
        drop(pod);
        self.api.delete(objects::PODS, &uid)
    }

    /// Deletes a Pod that is over.
    pub fn delete_finished(&self, pod: Finished) -> Result<()> {
        self.api.delete(objects::PODS, &pod.uid)
    }

    /// Says something about a Pod, as kubelet does.
    pub fn event(&self, pod: &Pod, severity: &str, reason: &str, message: &str) -> Result<()> {
        let event = objects::event(&pod.meta, severity, reason, message)?;
        self.api.put(objects::EVENTS, event)
    }

    /// Makes a Service with an address, and nobody behind it.
    pub fn service(&mut self, namespace: &str, name: &str, ports: &[Port]) -> Result<Ipv4Addr> {
        let [a, b, ..] = self.networks.services.0.octets();
        self.last_service = self.last_service.checked_add(1).context("255 Services at most")?;
        let ip = Ipv4Addr::new(a, b, 0, self.last_service);
        self.add_service(namespace, name, Some(ip), ports)?;
        Ok(ip)
    }

    /// Makes a Service without an address: its name stands for the addresses of its Pods.
    pub fn headless(&mut self, namespace: &str, name: &str, ports: &[Port]) -> Result<()> {
        self.add_service(namespace, name, None, ports)
    }

    fn add_service(
        &mut self,
        namespace: &str,
        name: &str,
        ip: Option<Ipv4Addr>,
        ports: &[Port],
    ) -> Result<()> {
        self.namespace(namespace)?;
        let mut slice = Meta::new(namespace, &format!("{name}-{}", objects::new_suffix(5)?))?;
        slice.labels.insert("kubernetes.io/service-name".to_owned(), name.to_owned());
        let meta = Meta::new(namespace, name)?;
        let (ports, backends) = (ports.to_vec(), Vec::new());
        let service = Service { meta, ip, ports, backends, slice };
        self.api.put(objects::SERVICES, service.json())?;
        self.api.put(objects::SLICES, service.slice_json())?;
        self.services.insert((namespace.to_owned(), name.to_owned()), service);
        self.translate()
    }

    /// Sets who is behind a Service, in the API and on every node.
    pub fn set_backends(&mut self, namespace: &str, name: &str, pods: &[&Pod]) -> Result<()> {
        let key = (namespace.to_owned(), name.to_owned());
        let service = self.services.get_mut(&key).with_context(|| format!("no Service {name}"))?;
        service.backends = pods.iter().map(|pod| pod.backend()).collect();
        self.api.put(objects::SLICES, service.slice_json())?;
        self.translate()
    }

    fn translate(&self) -> Result<()> {
        let rules = services::rules(self.services.values(), &self.networks);
        self.nodes.iter().try_for_each(|node| node.translate(&rules))
    }

    /// The object of a Pod as it was published.
    pub fn published(&self, pod: &Pod) -> Value {
        pod.json(None)
    }
}

/// A Pod that is over and is still in the API.
pub struct Finished {
    uid: String,
}

fn outside(tag: &str, hub: &Namespace, ip: Ipv4Addr) -> Result<(Namespace, Ipv4Addr)> {
    let outside = Namespace::add(&format!("{tag}-outside"))?;
    outside.ip(&format!("link add eth0 type veth peer name outside netns {}", hub.name))?;
    hub.ip("link set outside master br0 up")?;
    outside.ip(&format!("addr add {ip}/25 dev eth0"))?;
    outside.ip("link set eth0 up")?;
    Ok((outside, ip))
}
