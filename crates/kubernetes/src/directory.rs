//! The directory of one cluster: what exists, what existed a while ago, and who had which address
//! when.
//!
//! Owns the objects and the indexes over them. Knows no clock and no network: objects come in as
//! they are told of, with the time. How a flow's ends are named from it is in `resolve`.
//!
//! Cost: a change is a few look-ups by hash; of an EndpointSlice, its number of endpoints.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::Transport;

use crate::events::Events;
use crate::kept::{Counts, Kept, KeptLimits, Put};
use crate::objects::{
    About, ContainerId, Controller, EndpointSlice, Event, Kind, Namespace, Node, Object, Pod,
    Service,
};
use crate::timeline::Timeline;

/// Everything that is bounded. What exists and finds no room is refused and counted; what is gone
/// is forgotten early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryLimits {
    pub pods_max: usize,
    pub services_max: usize,
    pub slices_max: usize,
    pub nodes_max: usize,
    pub replica_sets_max: usize,
    pub jobs_max: usize,
    pub namespaces_max: usize,
    /// Objects of each kind that are gone and still known.
    pub gone_max: usize,
    /// How long what is gone is known.
    pub gone_ms_max: i64,
    /// How far a flow's time may lie outside of a holder's, because clocks differ.
    pub slack_ms: i64,
    pub event_objects_max: usize,
    pub events_per_object_max: usize,
    /// How long events are known; the API forgets them after an hour.
    pub event_ms_max: i64,
}

impl Default for DirectoryLimits {
    fn default() -> Self {
        Self {
            pods_max: 150_000,
            services_max: 20_000,
            slices_max: 50_000,
            nodes_max: 5_000,
            replica_sets_max: 150_000,
            jobs_max: 50_000,
            namespaces_max: 10_000,
            gone_max: 20_000,
            gone_ms_max: 15 * 60_000,
            slack_ms: 5_000,
            event_objects_max: 5_000,
            events_per_object_max: 20,
            event_ms_max: 6 * 3_600_000,
        }
    }
}

/// A backend of a Service: which slice says so.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub slice: Arc<EndpointSlice>,
    pub pod_uid: Option<Arc<str>>,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.slice.meta.uid == other.slice.meta.uid
    }
}

#[derive(Debug)]
pub struct Directory {
    pub(crate) limits: DirectoryLimits,
    pub(crate) pods: Kept<Pod>,
    pub(crate) services: Kept<Service>,
    pub(crate) slices: Kept<EndpointSlice>,
    pub(crate) nodes: Kept<Node>,
    pub(crate) replica_sets: Kept<Controller>,
    pub(crate) jobs: Kept<Controller>,
    pub(crate) namespaces: Kept<Namespace>,
    events: Events,
    /// Who had an address; of a Pod with the host's network, nobody but the node.
    pub(crate) pod_ips: Timeline<IpAddr, Arc<str>>,
    pub(crate) node_ips: Timeline<IpAddr, Arc<str>>,
    pub(crate) service_ips: Timeline<IpAddr, Arc<str>>,
    pub(crate) node_ports: Timeline<(u16, Transport), Arc<str>>,
    pub(crate) members: Timeline<IpAddr, Member>,
    pub(crate) node_names: Timeline<Arc<str>, Arc<str>>,
    /// Services by namespace and name.
    pub(crate) service_names: Timeline<(Arc<str>, Arc<str>), Arc<str>>,
    /// Slices of a Service, by its namespace and name.
    pub(crate) service_slices: Timeline<(Arc<str>, Arc<str>), Arc<str>>,
    pub(crate) containers: HashMap<ContainerId, Arc<str>>,
    pub(crate) static_uids: HashMap<Arc<str>, Arc<str>>,
}

impl Directory {
    pub fn new(limits: DirectoryLimits) -> Self {
        let kept = |objects_max| KeptLimits { objects_max, gone_max: limits.gone_max };
        Self {
            limits,
            pods: Kept::new(kept(limits.pods_max)),
            services: Kept::new(kept(limits.services_max)),
            slices: Kept::new(kept(limits.slices_max)),
            nodes: Kept::new(kept(limits.nodes_max)),
            replica_sets: Kept::new(kept(limits.replica_sets_max)),
            jobs: Kept::new(kept(limits.jobs_max)),
            namespaces: Kept::new(kept(limits.namespaces_max)),
            events: Events::new(limits.event_objects_max, limits.events_per_object_max),
            pod_ips: Timeline::default(),
            node_ips: Timeline::default(),
            service_ips: Timeline::default(),
            node_ports: Timeline::default(),
            members: Timeline::default(),
            node_names: Timeline::default(),
            service_names: Timeline::default(),
            service_slices: Timeline::default(),
            containers: HashMap::new(),
            static_uids: HashMap::new(),
        }
    }

    /// The object exists, and is now like this.
    pub fn apply(&mut self, object: Object, now_ms: i64) {
        match object {
            Object::Pod(pod) => self.apply_pod(Arc::new(pod), now_ms),
            Object::Service(service) => self.apply_service(Arc::new(service), now_ms),
            Object::EndpointSlice(slice) => self.apply_slice(Arc::new(slice), now_ms),
            Object::Node(node) => self.apply_node(Arc::new(node), now_ms),
            Object::ReplicaSet(controller) => {
                self.replica_sets.put(&controller.meta.uid.clone(), Arc::new(controller));
            }
            Object::Job(controller) => {
                self.jobs.put(&controller.meta.uid.clone(), Arc::new(controller));
            }
            Object::Namespace(namespace) => {
                self.namespaces.put(&namespace.meta.uid.clone(), Arc::new(namespace));
            }
            Object::Event(event) => self.events.put(event),
        }
    }

    /// The object was deleted.
    pub fn remove(&mut self, kind: Kind, uid: &str, now_ms: i64) {
        match kind {
            Kind::Pod => {
                let (ended, dropped) = self.pods.end(uid, now_ms);
                ended.iter().for_each(|pod| self.free_pod(pod, now_ms));
                dropped.iter().for_each(|pod| self.forget_pod(pod));
            }
            Kind::Service => {
                let (ended, dropped) = self.services.end(uid, now_ms);
                ended.iter().for_each(|service| self.free_service(service, now_ms));
                dropped.iter().for_each(|service| self.forget_service(service));
            }
            Kind::EndpointSlice => {
                let (ended, dropped) = self.slices.end(uid, now_ms);
                ended.iter().for_each(|slice| self.free_slice(slice, now_ms));
                dropped.iter().for_each(|slice| self.forget_slice(slice));
            }
            Kind::Node => {
                let (ended, dropped) = self.nodes.end(uid, now_ms);
                ended.iter().for_each(|node| self.free_node(node, now_ms));
                dropped.iter().for_each(|node| self.forget_node(node));
            }
            Kind::ReplicaSet => {
                self.replica_sets.end(uid, now_ms);
            }
            Kind::Job => {
                self.jobs.end(uid, now_ms);
            }
            Kind::Namespace => {
                self.namespaces.end(uid, now_ms);
            }
            // The API forgets an event after a while; it happened all the same.
            Kind::Event => {}
        }
    }

    /// A list of all objects of the kind begins. Until [`Self::end_list`] nothing is taken away.
    pub fn begin_list(&mut self, kind: Kind) {
        match kind {
            Kind::Pod => self.pods.begin_list(),
            Kind::Service => self.services.begin_list(),
            Kind::EndpointSlice => self.slices.begin_list(),
            Kind::Node => self.nodes.begin_list(),
            Kind::Namespace => self.namespaces.begin_list(),
            Kind::ReplicaSet => self.replica_sets.begin_list(),
            Kind::Job => self.jobs.begin_list(),
            Kind::Event => {}
        }
    }

    /// The list is complete: what it did not have went while nobody watched.
    pub fn end_list(&mut self, kind: Kind, now_ms: i64) {
        let missing = match kind {
            Kind::Pod => self.pods.missing(),
            Kind::Service => self.services.missing(),
            Kind::EndpointSlice => self.slices.missing(),
            Kind::Node => self.nodes.missing(),
            Kind::Namespace => self.namespaces.missing(),
            Kind::ReplicaSet => self.replica_sets.missing(),
            Kind::Job => self.jobs.missing(),
            Kind::Event => Vec::new(),
        };
        for uid in missing {
            self.remove(kind, &uid, now_ms);
        }
    }

    /// Forgets what has been gone for long enough; to be called every minute or so.
    pub fn sweep(&mut self, now_ms: i64) {
        let before_ms = now_ms.saturating_sub(self.limits.gone_ms_max);
        self.pods.sweep(before_ms).iter().for_each(|pod| self.forget_pod(pod));
        self.services.sweep(before_ms).iter().for_each(|service| self.forget_service(service));
        self.slices.sweep(before_ms).iter().for_each(|slice| self.forget_slice(slice));
        self.nodes.sweep(before_ms).iter().for_each(|node| self.forget_node(node));
        self.replica_sets.sweep(before_ms);
        self.jobs.sweep(before_ms);
        self.namespaces.sweep(before_ms);
        self.pod_ips.sweep(before_ms);
        self.node_ips.sweep(before_ms);
        self.service_ips.sweep(before_ms);
        self.node_ports.sweep(before_ms);
        self.members.sweep(before_ms);
        self.node_names.sweep(before_ms);
        self.service_names.sweep(before_ms);
        self.service_slices.sweep(before_ms);
        self.events.sweep(now_ms.saturating_sub(self.limits.event_ms_max));
    }

    /// What happened to an object, newest first.
    pub fn events_of(&self, about: &About) -> impl Iterator<Item = &Event> {
        self.events.of(about)
    }

    /// How many objects there are of a kind.
    pub fn counts(&self, kind: Kind) -> Counts {
        match kind {
            Kind::Pod => self.pods.counts(),
            Kind::Service => self.services.counts(),
            Kind::EndpointSlice => self.slices.counts(),
            Kind::Node => self.nodes.counts(),
            Kind::Namespace => self.namespaces.counts(),
            Kind::ReplicaSet => self.replica_sets.counts(),
            Kind::Job => self.jobs.counts(),
            Kind::Event => {
                Counts { living: self.events.len(), gone: 0, refused: self.events.dropped() }
            }
        }
    }

    /// Addresses that are known now or were a while ago.
    pub fn addresses(&self) -> usize {
        self.pod_ips.len() + self.service_ips.len() + self.node_ips.len()
    }

    fn apply_pod(&mut self, pod: Arc<Pod>, now_ms: i64) {
        let uid = &pod.meta.uid;
        let (put, dropped) = self.pods.put(uid, pod.clone());
        dropped.iter().for_each(|pod| self.forget_pod(pod));
        match &put {
            Put::Refused => return,
            Put::New => {}
            Put::Known(before) => {
                let before_ips = if before.has_host_network { &[][..] } else { &before.ips };
                for ip in before_ips.iter().filter(|ip| !pod.ips.contains(ip)) {
                    self.pod_ips.close(ip, uid, now_ms);
                }
                let is_gone = |id: &ContainerId| pod.containers.iter().all(|now| now.id != *id);
                for container in before.containers.iter().filter(|c| is_gone(&c.id)) {
                    self.containers.remove(&container.id);
                }
            }
        }
        for container in &pod.containers {
            self.containers.insert(container.id, uid.clone());
        }
        if let Some(static_uid) = &pod.static_uid {
            self.static_uids.insert(static_uid.clone(), uid.clone());
        }
        if !pod.has_host_network {
            self.claim_pod_ips(&pod, matches!(put, Put::New), now_ms);
        }
    }

    /// A Pod whose containers have ended goes on existing, but its address is free.
    fn claim_pod_ips(&mut self, pod: &Pod, is_new: bool, now_ms: i64) {
        let uid = &pod.meta.uid;
        let end_ms = pod.ended_ms.unwrap_or(now_ms).min(now_ms);
        for ip in &pod.ips {
            match (pod.is_over, is_new) {
                (false, _) => self.pod_ips.claim(*ip, uid.clone(), pod.meta.created_ms, now_ms),
                (true, true) => {
                    // Over before it was first told of: it had the address, but whoever has it
                    // now came later.
                    self.pod_ips.past(*ip, uid.clone(), pod.meta.created_ms, end_ms);
                }
                (true, false) => self.pod_ips.close(ip, uid, end_ms),
            }
        }
    }

    fn free_pod(&mut self, pod: &Pod, now_ms: i64) {
        for ip in &pod.ips {
            self.pod_ips.close(ip, &pod.meta.uid, now_ms);
        }
    }

    fn forget_pod(&mut self, pod: &Pod) {
        for ip in &pod.ips {
            self.pod_ips.forget(ip, &pod.meta.uid);
        }
        for container in &pod.containers {
            self.containers.remove(&container.id);
        }
        let Some(static_uid) = &pod.static_uid else { return };
        // A mirror that was made anew has the same one.
        if self.static_uids.get(static_uid).is_some_and(|uid| *uid == pod.meta.uid) {
            self.static_uids.remove(static_uid);
        }
    }

    fn apply_service(&mut self, service: Arc<Service>, now_ms: i64) {
        let (uid, since_ms) = (&service.meta.uid, service.meta.created_ms);
        let (put, dropped) = self.services.put(uid, service.clone());
        dropped.iter().for_each(|service| self.forget_service(service));
        match put {
            Put::Refused => return,
            Put::New => {}
            Put::Known(before) => {
                for ip in service_ips(&before).filter(|ip| !service_ips(&service).any(|i| i == *ip))
                {
                    self.service_ips.close(ip, uid, now_ms);
                }
                for port in node_ports(&before)
                    .filter(|port| !node_ports(&service).any(|other| other == *port))
                {
                    self.node_ports.close(&port, uid, now_ms);
                }
            }
        }
        for ip in &service.cluster_ips {
            self.service_ips.claim(*ip, uid.clone(), since_ms, now_ms);
        }
        // Services may share the address of a load balancer.
        for ip in &service.external_ips {
            self.service_ips.share(*ip, uid.clone(), since_ms.min(now_ms));
        }
        for port in node_ports(&service) {
            self.node_ports.claim(port, uid.clone(), since_ms, now_ms);
        }
        let name = (service.meta.namespace.clone(), service.meta.name.clone());
        self.service_names.claim(name, uid.clone(), since_ms, now_ms);
    }

    fn free_service(&mut self, service: &Service, now_ms: i64) {
        let uid = &service.meta.uid;
        service_ips(service).for_each(|ip| self.service_ips.close(ip, uid, now_ms));
        node_ports(service).for_each(|port| self.node_ports.close(&port, uid, now_ms));
        let name = (service.meta.namespace.clone(), service.meta.name.clone());
        self.service_names.close(&name, uid, now_ms);
    }

    fn forget_service(&mut self, service: &Service) {
        let uid = &service.meta.uid;
        service_ips(service).for_each(|ip| self.service_ips.forget(ip, uid));
        node_ports(service).for_each(|port| self.node_ports.forget(&port, uid));
        let name = (service.meta.namespace.clone(), service.meta.name.clone());
        self.service_names.forget(&name, uid);
    }

    fn apply_slice(&mut self, slice: Arc<EndpointSlice>, now_ms: i64) {
        let (put, dropped) = self.slices.put(&slice.meta.uid, slice.clone());
        dropped.iter().for_each(|slice| self.forget_slice(slice));
        let now: HashMap<IpAddr, Member> = members(&slice).collect();
        let since_ms = match put {
            Put::Refused => return,
            Put::New => {
                let since_ms = slice.meta.created_ms.min(now_ms);
                if let Some(service) = service_of(&slice) {
                    self.service_slices.share(service, slice.meta.uid.clone(), since_ms);
                }
                since_ms
            }
            Put::Known(before) => {
                for (ip, member) in members(&before).filter(|(ip, _)| !now.contains_key(ip)) {
                    self.members.close(&ip, &member, now_ms);
                }
                now_ms
            }
        };
        for (ip, member) in now {
            self.members.replace(ip, member, since_ms);
        }
    }

    fn free_slice(&mut self, slice: &Arc<EndpointSlice>, now_ms: i64) {
        for (ip, member) in members(slice) {
            self.members.close(&ip, &member, now_ms);
        }
        if let Some(service) = service_of(slice) {
            self.service_slices.close(&service, &slice.meta.uid, now_ms);
        }
    }

    fn forget_slice(&mut self, slice: &Arc<EndpointSlice>) {
        for (ip, member) in members(slice) {
            self.members.forget(&ip, &member);
        }
        if let Some(service) = service_of(slice) {
            self.service_slices.forget(&service, &slice.meta.uid);
        }
    }

    fn apply_node(&mut self, node: Arc<Node>, now_ms: i64) {
        let (uid, since_ms) = (&node.meta.uid, node.meta.created_ms);
        let (put, dropped) = self.nodes.put(uid, node.clone());
        dropped.iter().for_each(|node| self.forget_node(node));
        match put {
            Put::Refused => return,
            Put::New => {}
            Put::Known(before) => {
                for ip in before.ips.iter().filter(|ip| !node.ips.contains(ip)) {
                    self.node_ips.close(ip, uid, now_ms);
                }
            }
        }
        for ip in &node.ips {
            self.node_ips.claim(*ip, uid.clone(), since_ms, now_ms);
        }
        self.node_names.claim(node.meta.name.clone(), uid.clone(), since_ms, now_ms);
    }

    fn free_node(&mut self, node: &Node, now_ms: i64) {
        node.ips.iter().for_each(|ip| self.node_ips.close(ip, &node.meta.uid, now_ms));
        self.node_names.close(&node.meta.name, &node.meta.uid, now_ms);
    }

    fn forget_node(&mut self, node: &Node) {
        node.ips.iter().for_each(|ip| self.node_ips.forget(ip, &node.meta.uid));
        self.node_names.forget(&node.meta.name, &node.meta.uid);
    }
}

fn service_ips(service: &Service) -> impl Iterator<Item = &IpAddr> {
    service.cluster_ips.iter().chain(&service.external_ips)
}

fn node_ports(service: &Service) -> impl Iterator<Item = (u16, Transport)> {
    service.ports.iter().filter_map(|port| Some((port.node_port?, port.transport)))
}

/// Namespace and name of a slice's Service.
fn service_of(slice: &EndpointSlice) -> Option<(Arc<str>, Arc<str>)> {
    Some((slice.meta.namespace.clone(), slice.service.clone()?))
}

fn members(slice: &Arc<EndpointSlice>) -> impl Iterator<Item = (IpAddr, Member)> {
    slice.endpoints.iter().flat_map(|endpoint| {
        let member = Member { slice: slice.clone(), pod_uid: endpoint.pod_uid.clone() };
        endpoint.ips.iter().map(move |ip| (*ip, member.clone()))
    })
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
