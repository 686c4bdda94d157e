//! Real hosts on one machine: network namespaces on a bridge, with addresses of both families.
//!
//! Owns the namespaces and their removal, those that a killed test left behind included. Makes no
//! traffic ([`crate::traffic`]) and no trouble ([`crate::trouble`]).
//!
//! Addresses come from RFC 2544 (198.18.0.0/15, benchmarks) and RFC 4193 (fd00::/8), each lab has a
//! network of its own, so labs of tests that run at once are told apart by address.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::child::{Running, run};

/// Hosts of one lab: their addresses end in 1 to this.
pub const HOSTS_MAX: usize = 8;
const PREFIX: &str = "weirlab";
const NETNS_DIR: &str = "/run/netns";

static SERIAL: AtomicU16 = AtomicU16::new(0);

/// A bridge with hosts on it, all in namespaces of their own; dropped, all of it is removed.
pub struct Lab {
    hosts: Vec<Host>,
    hub: String,
    network: u16,
}

/// One host: a network namespace with one interface `eth0` and a loopback interface.
pub struct Host {
    /// Name of the namespace, as `ip netns` knows it.
    pub name: String,
    pub ipv4: Ipv4Addr,
    pub ipv6: Ipv6Addr,
}

impl Lab {
    /// Lays out `hosts` hosts that reach one another.
    pub fn new(hosts: usize) -> Result<Self> {
        ensure!((1..=HOSTS_MAX).contains(&hosts), "a lab has 1 to {HOSTS_MAX} hosts");
        remove_stale()?;
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        // 512 networks of 256 addresses make 198.18.0.0/15; a pid and a serial number choose one.
        let network = ((pid as u16).wrapping_mul(7).wrapping_add(serial)) % 512;
        let tag = format!("{PREFIX}-{pid}-{serial}");
        let mut lab = Self { hosts: Vec::new(), hub: format!("{tag}-hub"), network };
        run("ip", &["netns", "add", &lab.hub])?;
        ip(&lab.hub, "link add br0 type bridge")?;
        ip(&lab.hub, "link set br0 up")?;
        for number in 1..=hosts {
            lab.add_host(&tag, number as u8)?;
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
        Ipv4Addr::new(198, 18 + (self.network >> 8) as u8, (self.network & 0xff) as u8, last)
    }

    fn add_host(&mut self, tag: &str, number: u8) -> Result<()> {
        let ipv6 = Ipv6Addr::new(0xfd57, 0, 0, self.network, 0, 0, 0, number.into());
        let name = format!("{tag}-{number}");
        let host = Host { name, ipv4: self.ipv4_of(number), ipv6 };
        run("ip", &["netns", "add", &host.name])?;
        self.hosts.push(host);
        let host = self.hosts.last().context("the host was just added")?;
        ip(
            &host.name,
            &format!("link add eth0 type veth peer name port{number} netns {}", self.hub),
        )?;
        ip(&self.hub, &format!("link set port{number} master br0 up"))?;
        // The hosts' part of the network, so that side networks stay routable apart from it.
        ip(&host.name, &format!("addr add {}/25 dev eth0", host.ipv4))?;
        ip(&host.name, &format!("addr add {}/64 dev eth0 nodad", host.ipv6))?;
        ip(&host.name, "link set lo up")?;
        ip(&host.name, "link set eth0 up")?;
        host.sysctl("net.ipv4.ip_local_port_range", "10000 65000")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let names = self.hosts.iter().map(|host| &host.name).chain([&self.hub]);
        for name in names {
            if let Err(err) = run("ip", &["netns", "del", name]) {
                eprintln!("could not remove namespace {name}: {err:#}");
            }
        }
    }
}

impl Host {
    /// Runs `work` in a thread that has moved into this host, and waits for it.
    ///
    /// Sockets that it makes belong to this host for as long as they live.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = self.namespace()?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                enter(&namespace)?;
                anyhow::Ok(work())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
        .with_context(|| format!("run inside {}", self.name))
    }

    /// Starts `work` in a thread that has moved into this host.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<std::thread::JoinHandle<Result<T>>> {
        let namespace = self.namespace()?;
        Ok(std::thread::spawn(move || {
            enter(&namespace)?;
            work()
        }))
    }

    /// Starts a process inside this host; it is killed when the handle is dropped.
    pub fn start(&self, command: &mut Command) -> Result<Running> {
        self.run(|| Running::start(command))?
    }

    /// Runs a program inside this host to its end and gives its standard output.
    pub fn output(&self, program: &str, args: &[&str]) -> Result<String> {
        self.run(|| run(program, args))?
    }

    /// Sets a sysctl of this host's network.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = PathBuf::from("/proc/sys").join(key.replace('.', "/"));
        self.run(|| fs::write(&path, value))?.with_context(|| format!("set {key} to {value}"))
    }

    pub(crate) fn namespace(&self) -> Result<File> {
        let path = format!("{NETNS_DIR}/{}", self.name);
        File::open(&path).with_context(|| format!("open {path}"))
    }
}

/// Moves the calling thread into a network namespace.
pub(crate) fn enter(namespace: &File) -> Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .context("enter a network namespace")
}

/// `ip -n NAMESPACE WORDS...`
pub(crate) fn ip(namespace: &str, words: &str) -> Result<String> {
    let mut args = vec!["-n", namespace];
    args.extend(words.split(' '));
    run("ip", &args)
}

/// Removes the namespaces of labs whose process is gone.
fn remove_stale() -> Result<()> {
    let Ok(entries) = fs::read_dir(NETNS_DIR) else {
        return Ok(()); // no namespace was ever made on this machine
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let mut parts = name.split('-');
        if parts.next() != Some(PREFIX) {
            continue;
        }
        let owner = parts.next().and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
            // Another test may be removing the same one: what matters is that it goes.
            let _ = run("ip", &["netns", "del", &name]);
        }
    }
    Ok(())
}
