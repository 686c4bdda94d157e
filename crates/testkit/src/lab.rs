//! Real hosts on one machine: network namespaces on a bridge, with addresses of both families.
//!
//! Owns the layout and the addresses. Makes no traffic ([`crate::traffic`]) and no trouble
//! ([`crate::trouble`]).
//!
//! Addresses come from RFC 2544 (198.18.0.0/15, benchmarks) and RFC 4193 (fd00::/8), each lab has a
//! network of its own, so labs of tests that run at once are told apart by address.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, ensure};

use crate::child::Running;
use crate::namespace::{Namespace, Place, remove_stale};

/// Hosts of one lab: their addresses end in 1 to this.
pub const HOSTS_MAX: usize = 8;

static SERIAL: AtomicU16 = AtomicU16::new(0);

/// A bridge with hosts on it, all in namespaces of their own; dropped, all of it is removed.
pub struct Lab {
    hosts: Vec<Host>,
    hub: Namespace,
    network: u16,
}

/// One host: a network namespace with one interface `eth0` and a loopback interface.
pub struct Host {
    namespace: Namespace,
    pub ipv4: Ipv4Addr,
    pub ipv6: Ipv6Addr,
}

impl Lab {
    /// Lays out `hosts` hosts that reach one another.
    pub fn new(hosts: usize) -> Result<Self> {
        ensure!((1..=HOSTS_MAX).contains(&hosts), "a lab has 1 to {HOSTS_MAX} hosts");
        remove_stale()?;
        let (serial, network) = next_network();
        let hub = Namespace::add(&format!("{serial}-hub"))?;
        hub.ip("link add br0 type bridge")?;
        hub.ip("link set br0 up")?;
        let mut lab = Self { hosts: Vec::new(), hub, network };
        for number in 1..=hosts {
            lab.add_host(&format!("{serial}-{number}"), number as u8)?;
        }
        Ok(lab)
    }

    /// The host of that position, from 0.
    pub fn host(&self, index: usize) -> &Host {
        &self.hosts[index]
    }

    /// An IPv4 network of 4 addresses outside the hosts' own, for a device of one host; `index` is
    /// below 16. Gives the first two usable addresses.
    pub fn side_network(&self, index: u8) -> (Ipv4Addr, Ipv4Addr) {
        let base = 128 + index.min(15) * 4;
        (self.ipv4_of(base + 1), self.ipv4_of(base + 2))
    }

    fn ipv4_of(&self, last: u8) -> Ipv4Addr {
        address(self.network, last)
    }

    fn add_host(&mut self, tag: &str, number: u8) -> Result<()> {
        let ipv6 = Ipv6Addr::new(0xfd57, 0, 0, self.network, 0, 0, 0, number.into());
        let host = Host { namespace: Namespace::add(tag)?, ipv4: self.ipv4_of(number), ipv6 };
        let hub = &self.hub;
        host.ip(&format!("link add eth0 type veth peer name port{number} netns {}", hub.name))?;
        hub.ip(&format!("link set port{number} master br0 up"))?;
        // The hosts' part of the network, so that side networks stay routable apart from it.
        host.ip(&format!("addr add {}/25 dev eth0", host.ipv4))?;
        host.ip(&format!("addr add {}/64 dev eth0 nodad", host.ipv6))?;
        host.ip("link set eth0 up")?;
        host.sysctl("net.ipv4.ip_local_port_range", "10000 65000")?;
        self.hosts.push(host);
        Ok(())
    }
}

/// A serial number of this program's labs, and a network that no other of its labs has.
pub(crate) fn next_network() -> (u16, u16) {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    // 512 networks of 256 addresses make 198.18.0.0/15; a pid and a serial number choose one.
    let network = ((std::process::id() as u16).wrapping_mul(7).wrapping_add(serial)) % 512;
    (serial, network)
}

/// An address of a network.
pub(crate) fn address(network: u16, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18 + (network >> 8) as u8, (network & 0xff) as u8, last)
}

impl Deref for Host {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.namespace
    }
}

impl Place for Host {
    fn start(&self, command: &mut Command) -> Result<Running> {
        self.namespace.start(command)
    }
}
