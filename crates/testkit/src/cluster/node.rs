//! A node: a network namespace on the cluster's network, and the top of a tree of control groups.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::groups::Group;
use super::objects::{self, Meta, NodeSays};
use super::services::Networks;
use super::spot::Spot;
use crate::namespace::Namespace;

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    pub name: String,
    pub zone: String,
    pub region: String,
}

impl NodePlan {
    pub fn new(name: &str, zone: &str, region: &str) -> Self {
        Self { name: name.to_owned(), zone: zone.to_owned(), region: region.to_owned() }
    }
}

/// A node; dropped, its processes are killed and its namespace is removed.
pub struct Node {
    pub meta: Meta,
    pub zone: String,
    pub ip: Ipv4Addr,
    // Dropped in this order: processes before the namespace they are in.
    pub group: Group,
    pub network: Arc<Namespace>,
    boot_id: String,
    /// The node's share of the Pods' addresses, 256 of them.
    pods: Ipv4Addr,
    leases: Arc<Mutex<Leases>>,
    devices: u32,
}

/// Which addresses are given, by their last parts, and the last one that was.
#[derive(Default)]
struct Leases {
    given: BTreeSet<u8>,
    last: u8,
}

/// An address that a Pod has; dropped, it can be given to another.
pub(super) struct Lease {
    pub ip: Ipv4Addr,
    leases: Arc<Mutex<Leases>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.leases).given.remove(&self.ip.octets()[3]);
    }
}

fn lock(leases: &Mutex<Leases>) -> MutexGuard<'_, Leases> {
    leases.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of the node's addresses the first is its own.
const FIRST: u8 = 2;
const LAST: u8 = 254;

impl Node {
    /// Makes a node with one interface, whose other end is `port` of the bridge in `hub`.
    pub(super) fn new(
        plan: &NodePlan,
        (hub, port): (&Namespace, &str),
        (tag, group): (&str, Group),
        (ip, pods): (Ipv4Addr, Ipv4Addr),
    ) -> Result<Self> {
        let mut meta = Meta::new("", &plan.name)?;
        for (label, value) in [
            ("kubernetes.io/hostname", &plan.name),
            ("topology.kubernetes.io/zone", &plan.zone),
            ("topology.kubernetes.io/region", &plan.region),
        ] {
            meta.labels.insert(label.to_owned(), value.clone());
        }
        let network = Namespace::add(tag)?;
        network.ip(&format!("link add eth0 type veth peer name {port} netns {}", hub.name))?;
        hub.ip(&format!("link set {port} master br0 up"))?;
        network.ip(&format!("addr add {ip}/25 dev eth0"))?;
        network.ip("link set eth0 up")?;
        for (key, value) in [
            ("net.ipv4.ip_forward", "1"),
            ("net.ipv4.conf.all.send_redirects", "0"),
            ("net.ipv4.conf.default.send_redirects", "0"),
            ("net.ipv4.conf.eth0.send_redirects", "0"),
            ("net.ipv4.conf.all.rp_filter", "0"),
            ("net.ipv4.conf.default.rp_filter", "0"),
            ("net.ipv4.ip_local_port_range", "32768 60999"),
        ] {
            network.sysctl(key, value)?;
        }
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let (zone, network) = (plan.zone.clone(), Arc::new(network));
        Ok(Self {
            meta,
            zone,
            ip,
            network,
            group,
            boot_id,
            pods,
            leases: Arc::default(),
            devices: 0,
        })
    }

    pub fn name(&self) -> &str {
        &self.meta.name
    }

    /// Address of the Pods' gateway, which is the node.
    pub(super) fn gateway(&self) -> Ipv4Addr {
        self.pod_address(1)
    }

    fn pod_address(&self, last: u8) -> Ipv4Addr {
        let [a, b, c, _] = self.pods.octets();
        Ipv4Addr::new(a, b, c, last)
    }

    /// An address for a Pod: this one, or the one that was not given for longest.
    pub(super) fn lease(&self, wanted: Option<Ipv4Addr>) -> Result<Lease> {
        let mut leases = lock(&self.leases);
        let after = leases.last.max(FIRST - 1);
        let last = match wanted {
            Some(ip) => ip.octets()[3],
            None => (after + 1..=LAST)
                .chain(FIRST..=after)
                .find(|last| !leases.given.contains(last))
                .context("the node's addresses for Pods are all given")?,
        };
        let ip = self.pod_address(last);
        ensure!(wanted.is_none_or(|wanted| wanted == ip), "{wanted:?} is another node's");
        ensure!(leases.given.insert(last), "{ip} is another Pod's");
        leases.last = if wanted.is_none() { last } else { leases.last };
        Ok(Lease { ip, leases: self.leases.clone() })
    }

    pub(super) fn next_device(&mut self) -> String {
        self.devices += 1;
        format!("veth{}", self.devices)
    }

    /// The way to another node and its Pods.
    pub(super) fn learn(&self, other: &Node) -> Result<()> {
        let (pods, via) = (other.pods, other.ip);
        self.network.ip(&format!("route add {pods}/24 via {via}")).map(drop)
    }

    pub(super) fn translate(&self, rules: &str) -> Result<()> {
        let file = tempfile::NamedTempFile::new().context("make a file of rules")?;
        std::fs::write(file.path(), rules)?;
        let path = file.path().to_string_lossy();
        self.network.output("nft", &["-f", &path]).with_context(|| format!("load {rules}"))?;
        Ok(())
    }

    /// New connections that the node's rules have translated since they were last changed.
    pub fn translated(&self) -> Result<u64> {
        let text = self.network.output("nft", &["-j", "list", "table", "ip", "kube-proxy"])?;
        let listed: Value = serde_json::from_str(&text)?;
        let mut sum = 0;
        for rule in listed["nftables"].as_array().context("rules are listed")? {
            let parts = rule["rule"]["expr"].as_array().into_iter().flatten();
            sum += parts.filter_map(|part| part["counter"]["packets"].as_u64()).sum::<u64>();
        }
        Ok(sum)
    }

    /// Where a service of the node runs that is no Pod.
    pub fn service(&self, name: &str) -> Result<Spot> {
        let group = self.group.directory().join(format!("system.slice/{name}.service"));
        std::fs::create_dir_all(&group).with_context(|| format!("make {}", group.display()))?;
        Ok(Spot { network: self.network.clone(), group, resolver: None })
    }

    pub(super) fn json(&self) -> Value {
        objects::node(&NodeSays { meta: &self.meta, ip: self.ip, boot_id: &self.boot_id })
    }
}

/// The routes of a network that has no other: what nobody knows goes to the hub and no further,
/// so that a node can dial a Service, whose address is translated only after a route was found.
pub(super) fn default_route(network: &Namespace, hub: Ipv4Addr) -> Result<()> {
    network.ip(&format!("route add default via {hub}")).map(drop)
}

/// Networks of a run, apart from those of other runs on the machine.
pub(super) fn networks(number: u16) -> Networks {
    let number = (number % 64) as u8;
    Networks {
        pods: (Ipv4Addr::new(10, 128 + number, 0, 0), 16),
        services: (Ipv4Addr::new(10, 192 + number, 0, 0), 16),
    }
}
