//! Which agent watches an address, and which process listens there: what agents said by their
//! own flows.
//!
//! An address counts as an agent's only while nobody else uses it as well. Container bridges have
//! the same addresses on every host, and an address handed to another host must not name the old
//! one: in both cases the far end stays unresolved rather than wrong.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::Transport;

use super::names::Home;

/// The cluster within which an address means one end; `None`: it means the same everywhere.
pub type Scope = Option<Arc<str>>;
type Address = (Scope, IpAddr);
type Port = (Address, u16, Transport);

/// How long an address or port is believed after it was last used.
const AGE_MS_MAX: i64 = 3_600_000;
/// How far the batches of two agents for the same time may lie apart.
const LATE_MS_MAX: i64 = 60_000;
/// How long an address that two agents used at once belongs to neither.
const CONTEST_MS: i64 = 600_000;

/// An agent as the directory names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentName {
    pub agent: Arc<str>,
    pub host: Arc<str>,
    pub home: Home,
}

#[derive(Clone, Debug)]
struct Claim {
    owner: AgentName,
    first_ms: i64,
    last_ms: i64,
    contested_ms: Option<i64>,
}

/// Who answers at a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub pod_uid: Option<Arc<str>>,
    pub process: Option<Arc<str>>,
    pub container: Option<Arc<str>>,
    pub deployment: Option<Arc<str>>,
    pub workload_kind: Option<Arc<str>>,
}

/// A conversation that is answered as one of the client's node, as the node's agent tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    pub agent: Arc<str>,
    /// Where it is answered.
    pub to: (IpAddr, u16, Transport),
}

/// The directory; bounded, in memory, filled again by the first batches after a restart.
pub struct Directory {
    addresses: HashMap<Address, Claim>,
    addresses_max: usize,
    services: HashMap<Port, (Service, i64)>,
    services_max: usize,
    /// Start and end of what was heard of each agent.
    heard: HashMap<Arc<str>, (i64, i64)>,
    /// Until when each conversation was told by its client's end.
    calls: HashMap<Call, i64>,
    /// Agents by cluster and host.
    hosts: HashMap<(Scope, Arc<str>), AgentName>,
}

/// Whether an address means the same machine to everyone who sees it.
pub fn is_global_name(ip: IpAddr) -> bool {
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_link_local)
}

impl Directory {
    pub fn new(addresses_max: usize, services_max: usize) -> Self {
        Self {
            addresses: HashMap::new(),
            addresses_max,
            services: HashMap::new(),
            services_max,
            heard: HashMap::new(),
            calls: HashMap::new(),
            hosts: HashMap::new(),
        }
    }

    /// An agent sent a batch for a time.
    pub fn hear(&mut self, agent: &Arc<str>, from_ms: i64, to_ms: i64) {
        if self.heard.len() >= self.addresses_max && !self.heard.contains_key(agent) {
            self.heard.retain(|_, (_, last_ms)| *last_ms > to_ms - AGE_MS_MAX);
        }
        let (first_ms, last_ms) = self.heard.entry(agent.clone()).or_insert((from_ms, to_ms));
        *first_ms = (*first_ms).min(from_ms);
        *last_ms = (*last_ms).max(to_ms);
    }

    /// The agent watches the host that the cluster calls so.
    pub fn settle(&mut self, owner: &AgentName) {
        let place = (owner.home.cluster.clone(), owner.host.clone());
        if self.hosts.len() >= self.addresses_max && !self.hosts.contains_key(&place) {
            let heard = &self.heard;
            self.hosts.retain(|_, owner| heard.contains_key(&owner.agent));
        }
        if self.hosts.get(&place) != Some(owner) {
            self.hosts.insert(place, owner.clone());
        }
    }

    /// The client's end of a conversation was told. `false`: the directory is full.
    pub fn call(&mut self, call: Call, to_ms: i64) -> bool {
        if self.calls.len() >= self.services_max && !self.calls.contains_key(&call) {
            self.calls.retain(|_, last_ms| *last_ms > to_ms - AGE_MS_MAX);
            if self.calls.len() >= self.services_max {
                return false;
            }
        }
        let last_ms = self.calls.entry(call).or_insert(to_ms);
        *last_ms = (*last_ms).max(to_ms);
        true
    }

    /// Whether the client's end of the conversation is told by the agent.
    pub fn is_told(&self, call: &Call, at_ms: i64) -> bool {
        self.calls.get(call).is_some_and(|last_ms| last_ms + LATE_MS_MAX > at_ms)
    }

    /// Minute for which an untold call is waited for: each, if it was told before; of a call that
    /// never was, 0 for all of them.
    pub fn minute_of(&self, call: &Call, at_ms: i64) -> i64 {
        if self.calls.contains_key(call) { at_ms / LATE_MS_MAX } else { 0 }
    }

    /// The agent on a host of the cluster at `at_ms`.
    pub fn on_host(&self, cluster: &Scope, host: &Arc<str>, at_ms: i64) -> Option<&AgentName> {
        let owner = self.hosts.get(&(cluster.clone(), host.clone()))?;
        let (first_ms, last_ms) = *self.heard.get(&owner.agent)?;
        (first_ms <= at_ms && at_ms < last_ms + LATE_MS_MAX).then_some(owner)
    }

    /// `owner` used the address as its own during `from_ms..to_ms`. `false`: the directory is full.
    pub fn claim(&mut self, ip: Address, owner: &AgentName, from_ms: i64, to_ms: i64) -> bool {
        if !is_global_name(ip.1) {
            return true;
        }
        if let Some(claim) = self.addresses.get_mut(&ip) {
            claim.renew(owner, from_ms, to_ms);
            return true;
        }
        if self.addresses.len() >= self.addresses_max {
            self.addresses.retain(|_, claim| claim.last_ms > to_ms - AGE_MS_MAX);
            if self.addresses.len() >= self.addresses_max {
                return false;
            }
        }
        let owner = owner.clone();
        let claim = Claim { owner, first_ms: from_ms, last_ms: to_ms, contested_ms: None };
        self.addresses.insert(ip, claim);
        true
    }

    /// A service answered at a port. `false`: the directory is full.
    pub fn serve(&mut self, end: Port, service: Service, to_ms: i64) -> bool {
        if !is_global_name(end.0.1) || service == Service::default() {
            return true;
        }
        if self.services.len() >= self.services_max && !self.services.contains_key(&end) {
            self.services.retain(|_, (_, last_ms)| *last_ms > to_ms - AGE_MS_MAX);
            if self.services.len() >= self.services_max {
                return false;
            }
        }
        self.services.insert(end, (service, to_ms));
        true
    }

    /// The agent that watches the address at `at_ms`, when that is certain, as it is seen from the
    /// cluster.
    pub fn owner(&self, cluster: &Scope, ip: IpAddr, at_ms: i64) -> Option<(Scope, &AgentName)> {
        let own = cluster.is_some().then(|| self.owner_in((cluster.clone(), ip), at_ms)).flatten();
        own.or_else(|| self.owner_in((None, ip), at_ms))
    }

    fn owner_in(&self, address: Address, at_ms: i64) -> Option<(Scope, &AgentName)> {
        let claim = self.addresses.get(&address)?;
        let (_, heard_ms) = *self.heard.get(&claim.owner.agent)?;
        let is_contested = claim.contested_ms.is_some_and(|ms| at_ms < ms + CONTEST_MS);
        let is_watched = heard_ms + LATE_MS_MAX > at_ms && claim.first_ms <= at_ms;
        let is_fresh = claim.last_ms + AGE_MS_MAX > at_ms;
        (is_watched && is_fresh && !is_contested).then_some((address.0, &claim.owner))
    }

    /// Who answers at the port at `at_ms`.
    pub fn service(&self, end: &Port, at_ms: i64) -> Option<&Service> {
        let (service, last_ms) = self.services.get(end)?;
        (last_ms + AGE_MS_MAX > at_ms).then_some(service)
    }
}

impl Claim {
    fn renew(&mut self, owner: &AgentName, from_ms: i64, to_ms: i64) {
        if self.owner.agent == owner.agent {
            self.owner = owner.clone();
            self.first_ms = self.first_ms.min(from_ms);
            self.last_ms = self.last_ms.max(to_ms);
            return;
        }
        let is_at_once = from_ms < self.last_ms + LATE_MS_MAX && self.first_ms < to_ms;
        if is_at_once {
            self.contested_ms = self.contested_ms.max(Some(to_ms));
        } else if from_ms >= self.last_ms {
            let owner = owner.clone();
            *self = Claim { owner, first_ms: from_ms, last_ms: to_ms, contested_ms: None };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: i64 = 10_000;

    fn name(agent: &str) -> AgentName {
        let home = Home::default();
        AgentName { agent: agent.into(), host: format!("host-{agent}").into(), home }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn claim(directory: &mut Directory, address: &str, agent: &str, from_ms: i64) -> bool {
        directory.hear(&agent.into(), from_ms, from_ms + WINDOW);
        directory.claim((None, ip(address)), &name(agent), from_ms, from_ms + WINDOW)
    }

    fn owner(directory: &Directory, address: &str, at_ms: i64) -> Option<String> {
        directory.owner(&None, ip(address), at_ms).map(|(_, owner)| owner.agent.to_string())
    }

    #[test]
    fn an_address_is_its_agents_while_the_agent_lives() {
        let mut directory = Directory::new(10, 10);
        claim(&mut directory, "10.0.0.1", "a", 100_000);
        assert_eq!(owner(&directory, "10.0.0.1", 100_000).as_deref(), Some("a"));
        assert_eq!(owner(&directory, "10.0.0.1", 99_999), None, "not before it was seen");
        assert_eq!(owner(&directory, "10.0.0.1", 169_999).as_deref(), Some("a"));
        assert_eq!(owner(&directory, "10.0.0.1", 170_000), None, "the agent is silent");
        directory.hear(&"a".into(), 890_000, 900_000);
        assert_eq!(owner(&directory, "10.0.0.1", 900_000).as_deref(), Some("a"), "idle, but alive");
        assert_eq!(owner(&directory, "10.0.0.2", 100_000), None);
    }

    #[test]
    fn what_means_another_machine_to_each_host_is_never_an_agents() {
        let mut directory = Directory::new(10, 10);
        for address in ["127.0.0.1", "::1", "0.0.0.0", "169.254.1.1", "fe80::1", "224.0.0.1"] {
            assert!(claim(&mut directory, address, "a", 0));
            assert_eq!(owner(&directory, address, 0), None, "{address}");
        }
    }

    #[test]
    fn a_bridge_address_on_two_hosts_belongs_to_neither() {
        let mut directory = Directory::new(10, 10);
        claim(&mut directory, "172.17.0.2", "a", 0);
        claim(&mut directory, "172.17.0.2", "b", 0);
        assert_eq!(owner(&directory, "172.17.0.2", 5_000), None);
        for window in 1..100 {
            claim(&mut directory, "172.17.0.2", "a", window * WINDOW);
            claim(&mut directory, "172.17.0.2", "b", window * WINDOW);
            assert_eq!(owner(&directory, "172.17.0.2", window * WINDOW), None);
        }
    }

    #[test]
    fn an_address_that_moved_is_the_new_hosts() {
        let mut directory = Directory::new(10, 10);
        claim(&mut directory, "10.0.0.7", "a", 0);
        claim(&mut directory, "10.0.0.7", "b", 200_000);
        assert_eq!(owner(&directory, "10.0.0.7", 200_000).as_deref(), Some("b"));
        claim(&mut directory, "10.0.0.7", "a", 0);
        assert_eq!(owner(&directory, "10.0.0.7", 200_000).as_deref(), Some("b"), "a late spool");
    }

    #[test]
    fn who_stays_alone_with_an_address_gets_it() {
        let mut directory = Directory::new(10, 10);
        claim(&mut directory, "172.17.0.2", "a", 0);
        for window in 0..20 {
            claim(&mut directory, "172.17.0.2", "b", window * WINDOW);
        }
        assert_eq!(owner(&directory, "172.17.0.2", 190_000).as_deref(), Some("b"));
    }

    #[test]
    fn the_same_address_in_two_clusters_is_two() {
        let mut directory = Directory::new(10, 10);
        let scope = |cluster: &str| -> Scope { Some(cluster.into()) };
        for cluster in ["east", "west"] {
            directory.hear(&cluster.into(), 0, WINDOW);
            directory.claim((scope(cluster), ip("10.244.0.9")), &name(cluster), 0, WINDOW);
        }
        let owner = |cluster: &Scope| {
            let (_, owner) = directory.owner(cluster, ip("10.244.0.9"), 0)?;
            Some(owner.agent.to_string())
        };
        assert_eq!(owner(&scope("east")).as_deref(), Some("east"));
        assert_eq!(owner(&scope("west")).as_deref(), Some("west"));
        assert_eq!(owner(&None), None, "from outside it is nobody's");
    }

    #[test]
    fn a_host_of_a_cluster_has_its_agent() {
        let mut directory = Directory::new(10, 10);
        let mut owner = name("a");
        owner.home.cluster = Some("east".into());
        directory.hear(&"a".into(), 0, WINDOW);
        directory.settle(&owner);
        let on_host = |cluster: &str, host: &str, at_ms| {
            directory.on_host(&Some(cluster.into()), &host.into(), at_ms).is_some()
        };
        assert!(on_host("east", "host-a", 0));
        assert!(!on_host("west", "host-a", 0));
        assert!(!on_host("east", "host-b", 0));
        assert!(!on_host("east", "host-a", -1), "not before it was heard");
        assert!(!on_host("east", "host-a", WINDOW + LATE_MS_MAX), "it is silent");
    }

    #[test]
    fn a_full_directory_says_so_and_lets_the_old_go() {
        let mut directory = Directory::new(2, 1);
        assert!(claim(&mut directory, "10.0.0.1", "a", 0));
        assert!(claim(&mut directory, "10.0.0.2", "a", 0));
        assert!(!claim(&mut directory, "10.0.0.3", "a", 0));
        assert!(claim(&mut directory, "10.0.0.1", "a", 10_000), "what is known is renewed");
        assert!(claim(&mut directory, "10.0.0.3", "a", AGE_MS_MAX + WINDOW));

        let end = |port| ((None, ip("10.0.0.1")), port, Transport::Tcp);
        let nginx = Service { process: Some("nginx".into()), ..Service::default() };
        assert!(directory.serve(end(80), nginx.clone(), WINDOW));
        assert!(!directory.serve(end(81), nginx.clone(), WINDOW));
        assert_eq!(directory.service(&end(80), WINDOW), Some(&nginx));
        assert_eq!(directory.service(&end(80), AGE_MS_MAX + WINDOW), None, "forgotten in time");
        assert!(directory.serve(end(81), nginx, AGE_MS_MAX + 2 * WINDOW));
    }
}
