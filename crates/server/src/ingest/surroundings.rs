//! What is known around a batch while it is looked at: the clusters, and where its agent is.
//!
//! Locks are taken in one order: what agents said of themselves, then the clusters' directories,
//! each once for a batch. A second look at a directory while the first is held would wait for a
//! watch that waits for the first.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, RwLockReadGuard};

use weir_kubernetes::Directory;
use weir_model::Direction;
use weir_wire::BatchHeader;

use super::directory::{AgentName, Call, Directory as Agents, Scope};
use super::names::Home;
use super::rows::Ends;
use crate::clusters::Cluster;

/// A cluster, held as it is now.
pub struct Held<'a> {
    pub name: &'a Arc<str>,
    pub directory: RwLockReadGuard<'a, Directory>,
}

impl<'a> Held<'a> {
    fn of(cluster: &'a Cluster) -> Self {
        Self { name: &cluster.name, directory: cluster.directory() }
    }
}

pub struct Surroundings<'a> {
    /// The cluster that the agent's host is a node of.
    pub own: Option<Held<'a>>,
    pub others: Vec<Held<'a>>,
    pub home: Home,
    pub times: &'a Range<i64>,
}

impl<'a> Surroundings<'a> {
    pub fn new(
        header: &BatchHeader,
        own: Option<&'a Cluster>,
        all: &'a [Arc<Cluster>],
        times: &'a Range<i64>,
    ) -> Self {
        let others = all.iter().filter(|one| own.is_none_or(|own| own.name != one.name));
        let others = others.map(|cluster| Held::of(cluster)).collect();
        let own = own.map(Held::of);
        let mut home = Home::of(header, own.as_ref(), times);
        home.cluster = home.cluster.or(header.cluster.as_deref().map(Arc::from));
        Self { own, others, home, times }
    }

    /// Where an address that the agent uses means what it means: a Pod's in its cluster, a
    /// host's everywhere. Of a cluster that is known by name only nobody says which is which: there
    /// it is the agent's in its cluster, and everywhere as long as no other agent uses it.
    pub fn scopes(&self, ip: IpAddr) -> Vec<Scope> {
        match (&self.own, &self.home.cluster) {
            (None, Some(_)) => vec![self.home.cluster.clone(), None],
            (Some(_), Some(_)) if !self.is_node(ip) => vec![self.home.cluster.clone()],
            _ => vec![None],
        }
    }

    /// Whether any cluster has told of the Pod.
    pub fn knows_pod(&self, uid: &str) -> bool {
        self.own.iter().chain(&self.others).any(|one| one.directory.pod(uid).is_some())
    }

    fn is_node(&self, ip: IpAddr) -> bool {
        self.own.as_ref().is_some_and(|own| own.directory.is_node_ip(ip, self.times))
    }

    /// The agent on the node that has the address.
    pub fn agent_of_node<'d>(&self, agents: &'d Agents, ip: IpAddr) -> Option<&'d AgentName> {
        let node = self.own.as_ref()?.directory.node_at(ip, self.times)?;
        let (cluster, at_ms) = (&self.home.cluster, self.times.start);
        let on_host = agents.on_host(cluster, &node.meta.name, at_ms);
        on_host.or_else(|| agents.owner(cluster, ip, at_ms).map(|(_, owner)| owner))
    }

    /// A call that is answered as one of the agent's node: what the node itself calls, and what its
    /// Pods call outside of the Pods' network, for which the node lends them its address.
    pub fn call_from_node(&self, ends: &Ends<'_>, row: usize, agent: &Arc<str>) -> Option<Call> {
        let (from, to) = (ends.local.ip(row)?, ends.remote.ip(row)?);
        let is_outgoing = ends.direction(row) == Some(Direction::Outgoing);
        let is_of_node = is_outgoing && (self.is_node(from) || self.is_node(to));
        let to = (to, ends.remote.port(row)?, ends.transport(row)?);
        is_of_node.then(|| Call { agent: agent.clone(), to })
    }

    /// The call that is answered here, if it comes from a node that `agent` watches: one of the
    /// above, or one of clients from outside for whom the node lends its address.
    pub fn call_by_node(&self, ends: &Ends<'_>, row: usize, agent: &Arc<str>) -> Option<Call> {
        let (from, to) = (ends.remote.ip(row)?, ends.local.ip(row)?);
        let to = (to, ends.local.port(row)?, ends.transport(row)?);
        let is_node = ends.direction(row) == Some(Direction::Incoming) && self.is_node(from);
        is_node.then(|| Call { agent: agent.clone(), to })
    }
}
