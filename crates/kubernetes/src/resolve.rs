//! Names of a flow's end, by what the cluster was at the flow's own time.
//!
//! Owns the order in which signs are believed: the Pod that kubelet made the control group for,
//! then the container, then the address. What is not certain is absent.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use weir_model::Transport;

use crate::directory::Directory;
use crate::objects::{ContainerId, Endpoint, EndpointSlice, Meta, Node, OwnerRef, Pod, Service};
use crate::read::container_id;

/// Longest way from a Pod to its top controller.
const OWNERS_MAX: usize = 8;

/// An end of a flow as it was seen.
#[derive(Clone, Debug)]
pub struct Sighting<'a> {
    pub ip: IpAddr,
    /// `None` where it was folded: the client's.
    pub port: Option<u16>,
    pub transport: Transport,
    /// Of the control group that the socket was made in.
    pub pod_uid: Option<&'a str>,
    /// In full, as runtimes write it.
    pub container: Option<&'a str>,
    /// The flow's window in milliseconds since 1970-01-01 UTC, half-open.
    pub times: Range<i64>,
}

/// The top controller of a Pod; of a Pod without one, the Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload<'a> {
    pub kind: &'a str,
    pub name: &'a Arc<str>,
}

/// What the cluster knows of an end; at least one of Pod, Service and node is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved<'a> {
    pub pod: Option<&'a Arc<Pod>>,
    /// Name of the container in its Pod.
    pub container: Option<&'a Arc<str>>,
    /// The Pod's; of a Service whose answering Pod is not known, the one of all its Pods.
    pub workload: Option<Workload<'a>>,
    /// The Service that was dialled, or that the Pod is a backend of.
    pub service: Option<&'a Arc<Service>>,
    /// Where the Pod runs, or the node itself.
    pub node: Option<&'a Arc<Node>>,
    /// Name of that node, also where the node itself is not known.
    pub node_name: Option<&'a Arc<str>>,
}

impl<'a> Resolved<'a> {
    /// Namespace of the Pod, else of the Service.
    pub fn namespace(&self) -> Option<&'a Arc<str>> {
        let meta = self.pod.map(|pod| &pod.meta).or(self.service.map(|service| &service.meta));
        meta.map(|meta| &meta.namespace)
    }

    pub fn zone(&self) -> Option<&'a Arc<str>> {
        self.node?.zone.as_ref()
    }

    pub fn region(&self) -> Option<&'a Arc<str>> {
        self.node?.region.as_ref()
    }
}

impl Directory {
    /// Names an end. `None`: the cluster knows nothing of it, or not at that time.
    pub fn resolve(&self, seen: &Sighting<'_>) -> Option<Resolved<'_>> {
        let id = seen.container.and_then(container_id);
        if let Some(pod) = self.pod_of(seen, id.as_ref()) {
            return Some(self.resolve_pod(pod, seen, id.as_ref()));
        }
        if let Some(service) = self.dialled(seen) {
            let workload = self.workload_behind(service, &seen.times);
            return Some(Resolved { service: Some(service), workload, ..Resolved::default() });
        }
        let node = self.node_at(seen.ip, &seen.times)?;
        let node_name = Some(&node.meta.name);
        Some(Resolved { node: Some(node), node_name, ..Resolved::default() })
    }

    /// The Service that is reached by this address and port: its own address, or a port that it
    /// has on every node.
    pub fn dialled(&self, seen: &Sighting<'_>) -> Option<&Arc<Service>> {
        let slack_ms = self.limits.slack_ms;
        let is_at_port = |service: &&Arc<Service>| {
            let ports = service.ports.iter();
            let mut ports = ports.filter(|port| port.transport == seen.transport);
            seen.port.is_none_or(|wanted| ports.any(|port| port.port == wanted))
        };
        if let Some(uid) = self.service_ips.best(&seen.ip, &seen.times, slack_ms) {
            let service = self.services.get(uid)?;
            if service.cluster_ips.contains(&seen.ip) {
                return Some(service); // nobody else has that address, whatever the port
            }
            let all = self.service_ips.all(&seen.ip, &seen.times, slack_ms);
            return one(all.filter_map(|uid| self.services.get(uid)).filter(is_at_port));
        }
        let port = (seen.port?, seen.transport);
        self.node_ips.best(&seen.ip, &seen.times, slack_ms)?;
        let uid = self.node_ports.best(&port, &seen.times, slack_ms)?;
        self.services.get(uid)
    }

    /// The top of the chain of controllers, as far as it is known.
    pub fn workload_of<'a>(&'a self, pod: &'a Pod) -> Workload<'a> {
        let mut workload = Workload { kind: "Pod", name: &pod.meta.name };
        let mut owner = owner_of(&pod.meta);
        for _ in 0..OWNERS_MAX {
            let Some(above) = owner else { break };
            workload = Workload { kind: &above.kind, name: &above.name };
            let known = self.replica_sets.get(&above.uid).or_else(|| self.jobs.get(&above.uid));
            owner = known.and_then(|controller| owner_of(&controller.meta));
        }
        workload
    }

    /// The workload that every backend of a Service belongs to; `None` where they are of several,
    /// or one of them is not known.
    fn workload_behind(&self, service: &Service, times: &Range<i64>) -> Option<Workload<'_>> {
        let slack_ms = self.limits.slack_ms;
        let name = (service.meta.namespace.clone(), service.meta.name.clone());
        let slices = self.service_slices.all(&name, times, slack_ms);
        let mut behind = None;
        for slice in slices.filter_map(|uid| self.slices.get(uid)) {
            let was_backend = |endpoint: &&Endpoint| {
                endpoint.ips.iter().any(|ip| {
                    let mut members = self.members.all(ip, times, slack_ms);
                    members.any(|member| member.slice.meta.uid == slice.meta.uid)
                })
            };
            for endpoint in slice.endpoints.iter().filter(was_backend) {
                let pod = self.pods.get(endpoint.pod_uid.as_ref()?)?;
                let workload = self.workload_of(pod);
                let of = (&pod.meta.namespace, workload);
                if behind.is_some_and(|known| known != of) {
                    return None;
                }
                behind = Some(of);
            }
        }
        behind.map(|(_, workload)| workload)
    }

    /// The chain from a Pod to its top controller.
    pub fn owners_of<'a>(&'a self, pod: &'a Pod) -> Vec<&'a OwnerRef> {
        let mut chain = Vec::new();
        let mut owner = pod.meta.owner.as_ref();
        while let Some(above) = owner.filter(|_| chain.len() < OWNERS_MAX) {
            chain.push(above);
            let known = self.replica_sets.get(&above.uid).or_else(|| self.jobs.get(&above.uid));
            owner = known.and_then(|controller| controller.meta.owner.as_ref());
        }
        chain
    }

    /// The node of that name.
    pub fn node(&self, name: &Arc<str>, times: &Range<i64>) -> Option<&Arc<Node>> {
        let uid = self.node_names.best(name, times, self.limits.slack_ms)?;
        self.nodes.get(uid)
    }

    /// The node that a host is: by its name, else by its boot id if just one node has it.
    pub fn node_of_host(
        &self,
        host: &str,
        boot_id: &str,
        times: &Range<i64>,
    ) -> Option<&Arc<Node>> {
        if let Some(node) = self.node(&Arc::from(host), times) {
            return Some(node);
        }
        let mut same = self.nodes.living().filter(|node| node.boot_id.as_deref() == Some(boot_id));
        let node = same.next().filter(|_| !boot_id.is_empty())?;
        same.next().is_none().then_some(node)
    }

    /// Whether the address is a node's own, and so no Pod's alone.
    pub fn is_node_ip(&self, ip: IpAddr, times: &Range<i64>) -> bool {
        self.node_ips.best(&ip, times, self.limits.slack_ms).is_some()
    }

    /// The node that has the address.
    pub fn node_at(&self, ip: IpAddr, times: &Range<i64>) -> Option<&Arc<Node>> {
        self.nodes.get(self.node_ips.best(&ip, times, self.limits.slack_ms)?)
    }

    /// Whether somebody is known to have had the address at that time, and not only shortly before
    /// or after.
    pub fn has_holder(&self, ip: IpAddr, times: &Range<i64>) -> bool {
        self.pod_ips.best(&ip, times, 0).is_some()
            || self.service_ips.best(&ip, times, 0).is_some()
            || self.node_ips.best(&ip, times, 0).is_some()
    }

    /// As [`Self::resolve`], of what can be reached from outside of the cluster: nodes, what
    /// listens on them, and Services by their external addresses.
    pub fn resolve_from_outside(&self, seen: &Sighting<'_>) -> Option<Resolved<'_>> {
        let slack_ms = self.limits.slack_ms;
        let mut services = self.service_ips.all(&seen.ip, &seen.times, slack_ms);
        let is_external = services
            .any(|uid| self.services.get(uid).is_some_and(|s| s.external_ips.contains(&seen.ip)));
        let is_reached = is_external || self.is_node_ip(seen.ip, &seen.times);
        is_reached.then(|| self.resolve(seen)).flatten()
    }

    /// The Pod by what kubelet calls it: its uid, or a static Pod's hash.
    pub fn pod(&self, uid: &str) -> Option<&Arc<Pod>> {
        self.pods.get(uid).or_else(|| self.pods.get(self.static_uids.get(uid)?))
    }

    fn pod_of(&self, seen: &Sighting<'_>, id: Option<&ContainerId>) -> Option<&Arc<Pod>> {
        if let Some(pod) = seen.pod_uid.and_then(|uid| self.pod(uid)) {
            return Some(pod);
        }
        if let Some(pod) = id.and_then(|id| self.pods.get(self.containers.get(id)?)) {
            return Some(pod);
        }
        if seen.pod_uid.is_some() {
            return None; // a Pod for certain, but which one is not known yet
        }
        let slack_ms = self.limits.slack_ms;
        if let Some(uid) = self.pod_ips.best(&seen.ip, &seen.times, slack_ms) {
            return self.pods.get(uid);
        }
        // An address of a node, at a port where a Pod with the host's network is a backend.
        let port = (seen.port?, seen.transport);
        let members = self.members.all(&seen.ip, &seen.times, slack_ms);
        let mut uids = members.filter(|m| m.slice.ports.contains(&port)).map(|m| &m.pod_uid);
        let uid = uids.next()?.as_ref()?;
        let is_certain = uids.all(|other| other.as_ref() == Some(uid));
        self.pods.get(uid).filter(|pod| pod.has_host_network && is_certain)
    }

    fn resolve_pod<'a>(
        &'a self,
        pod: &'a Arc<Pod>,
        seen: &Sighting<'_>,
        id: Option<&ContainerId>,
    ) -> Resolved<'a> {
        let container = pod.containers.iter().find(|container| Some(&container.id) == id);
        let node = pod.node.as_ref().and_then(|name| self.node(name, &seen.times));
        Resolved {
            pod: Some(pod),
            container: container.map(|container| &container.name),
            workload: Some(self.workload_of(pod)),
            service: self.service_of(pod, seen),
            node,
            node_name: pod.node.as_ref(),
        }
    }

    /// The Service that a Pod is a backend of: at the port, where there is one. Behind several,
    /// the one that has an address; behind several of these, none, because which of them was
    /// dialled is not to be seen here.
    fn service_of(&self, pod: &Pod, seen: &Sighting<'_>) -> Option<&Arc<Service>> {
        let slack_ms = self.limits.slack_ms;
        let wanted = seen.port.map(|port| (port, seen.transport));
        let is_backend = |slice: &EndpointSlice| {
            let ports = &slice.ports;
            wanted.is_none_or(|port| ports.is_empty() || ports.contains(&port))
        };
        let is_own = |pod_uid: &Option<Arc<str>>| match pod_uid {
            Some(uid) => *uid == pod.meta.uid,
            None => !pod.has_host_network, // its address is its own
        };
        let found = || {
            let members =
                pod.ips.iter().flat_map(move |ip| self.members.all(ip, &seen.times, slack_ms));
            let members = members.filter(|m| is_own(&m.pod_uid) && is_backend(&m.slice));
            members.filter_map(|member| {
                let slice = &member.slice;
                let name = (slice.meta.namespace.clone(), slice.service.clone()?);
                let uid = self.service_names.best(&name, &seen.times, slack_ms)?;
                self.services.get(uid)
            })
        };
        let has_address = |service: &&Arc<Service>| !service.cluster_ips.is_empty();
        let mut with_address = found().filter(has_address).peekable();
        if with_address.peek().is_some() {
            return one(with_address);
        }
        one(found())
    }
}

/// A static Pod's owner is its node, which runs it but is not its workload.
fn owner_of(meta: &Meta) -> Option<&OwnerRef> {
    meta.owner.as_ref().filter(|owner| *owner.kind != *"Node")
}

/// The only Service there is; `None` for two different ones.
fn one<'a>(mut services: impl Iterator<Item = &'a Arc<Service>>) -> Option<&'a Arc<Service>> {
    let first = services.next()?;
    services.all(|other| other.meta.uid == first.meta.uid).then_some(first)
}
