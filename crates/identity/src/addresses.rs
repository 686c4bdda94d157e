//! The addresses of this host, in every network namespace: is the other end observed here too?
//!
//! Two sources: the local addresses of the flows themselves, and the interfaces of each namespace
//! as `/proc/PID/net` of one of its processes shows them (which needs no privilege and no change
//! of namespace). Loopback addresses belong to the namespace they are used in.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use weir_model::Netns;

use crate::aged::Aged;

/// How long the interfaces of a namespace are not read again.
const INTERFACES_INTERVAL_MS: i64 = 60_000;
/// Namespaces remembered per address; more share one only where address plans repeat.
const NETNS_PER_ADDRESS_MAX: usize = 16;

/// Addresses seen, with the namespaces they were seen in; the least used are forgotten when full.
#[derive(Debug)]
pub struct HostAddresses {
    proc_root: PathBuf,
    addresses: Aged<IpAddr, Vec<Netns>>,
    read_ms: Aged<Netns, i64>,
    hold_ms: i64,
}

impl HostAddresses {
    /// An address that was not seen for `hold_ms` is no longer this host's.
    pub fn new(proc_root: &Path, addresses_max: usize, hold_ms: i64) -> Self {
        Self {
            proc_root: proc_root.to_owned(),
            addresses: Aged::new(addresses_max),
            read_ms: Aged::new(addresses_max),
            hold_ms,
        }
    }

    /// Notes the local address of a socket.
    pub fn saw(&mut self, netns: Netns, ip: IpAddr, now_ms: i64) {
        if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
            return;
        }
        match self.addresses.get(&ip, now_ms) {
            Some(spaces) if spaces.contains(&netns) => {}
            Some(spaces) => {
                if spaces.len() >= NETNS_PER_ADDRESS_MAX {
                    spaces.remove(0);
                }
                spaces.push(netns);
            }
            None => self.addresses.insert(ip, vec![netns], now_ms),
        }
    }

    /// Reads the interface addresses of a namespace, when that was not done lately, through the
    /// first of `pids`, processes in it, that still runs.
    pub fn read_interfaces(&mut self, netns: Netns, pids: &[u32], now_ms: i64) {
        let last = self.read_ms.peek(&netns).copied();
        if last.is_some_and(|last| now_ms - last < INTERFACES_INTERVAL_MS) {
            return;
        }
        let mut tables = pids.iter().filter_map(|pid| {
            let net = self.proc_root.join(pid.to_string()).join("net");
            let v4 = fs::read_to_string(net.join("fib_trie")).ok()?;
            Some((v4, fs::read_to_string(net.join("if_inet6")).unwrap_or_default()))
        });
        let Some((v4, v6)) = tables.next() else { return };
        self.read_ms.insert(netns, now_ms, now_ms);
        for ip in local_v4(&v4) {
            self.saw(netns, IpAddr::V4(ip), now_ms);
        }
        for ip in local_v6(&v6) {
            self.saw(netns, IpAddr::V6(ip), now_ms);
        }
    }

    /// Whether `ip` is an address of this host.
    pub fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.addresses.peek(&ip).is_some()
    }

    /// The namespace that has the address; `None` when none or several have.
    pub fn netns_of(&self, ip: IpAddr) -> Option<Netns> {
        match self.addresses.peek(&ip).map(Vec::as_slice) {
            Some([netns]) => Some(*netns),
            _ => None,
        }
    }

    /// Forgets what was not seen for long; called once a window.
    pub fn expire(&mut self, now_ms: i64) {
        self.addresses.expire(now_ms - self.hold_ms);
        self.read_ms.expire(now_ms - self.hold_ms);
    }
}

/// The local addresses in the text of `/proc/net/fib_trie`: a leaf `|-- ADDRESS` followed by
/// `/32 host LOCAL`.
fn local_v4(text: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut leaf = None;
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = leaf
            && !found.contains(&address)
        {
            found.push(address);
        }
    }
    found
}

/// The addresses in the text of `/proc/net/if_inet6`: 32 hexadecimal digits first in a line.
fn local_v6(text: &str) -> Vec<Ipv6Addr> {
    let digits = text.lines().filter_map(|line| line.split(' ').next());
    digits.filter_map(|d| u128::from_str_radix(d, 16).ok()).map(Ipv6Addr::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIB_TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.2
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
Local:
  +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.2
           /32 host LOCAL
";
    const IF_INET6: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
20010db8000000000000000000000002 04 40 00 82     eth0
";

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn kernel_tables_are_read() {
        assert_eq!(local_v4(FIB_TRIE), [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 2)]);
        let v6: Vec<String> = local_v6(IF_INET6).iter().map(Ipv6Addr::to_string).collect();
        assert_eq!(v6, ["::1", "fe80::fc:ff:fe00:1", "2001:db8::2"]);
        assert_eq!(local_v4("no such table"), [] as [Ipv4Addr; 0]);
        assert_eq!(local_v6("no such table\n\n"), [] as [Ipv6Addr; 0]);
    }

    #[test]
    fn interfaces_and_sockets_make_an_address_ours() {
        let root = tempfile::tempdir().expect("a directory");
        let net = root.path().join("7/net");
        fs::create_dir_all(&net).expect("net");
        fs::write(net.join("fib_trie"), FIB_TRIE).expect("fib_trie");
        fs::write(net.join("if_inet6"), IF_INET6).expect("if_inet6");
        let mut addresses = HostAddresses::new(root.path(), 16, 600_000);
        addresses.read_interfaces(Netns(1), &[6, 7], 0);
        addresses.read_interfaces(Netns(2), &[8], 0);
        addresses.saw(Netns(3), ip("10.0.0.1"), 0);
        for own in ["192.0.2.2", "2001:db8::2", "10.0.0.1", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(addresses.is_own(ip(own)), "{own}");
        }
        for other in ["192.0.2.255", "192.0.2.3", "0.0.0.0", "10.0.0.2"] {
            assert!(!addresses.is_own(ip(other)), "{other}");
        }
        assert_eq!(addresses.netns_of(ip("192.0.2.2")), Some(Netns(1)));
        addresses.saw(Netns(4), ip("192.0.2.2"), 0);
        assert_eq!(addresses.netns_of(ip("192.0.2.2")), None, "two namespaces have it");
    }

    #[test]
    fn addresses_are_given_back_and_bounded() {
        let mut addresses = HostAddresses::new(Path::new("/nowhere"), 4, 1_000);
        addresses.saw(Netns(1), ip("10.0.0.1"), 0);
        addresses.saw(Netns(1), ip("10.0.0.2"), 900);
        addresses.expire(1_500);
        assert!(!addresses.is_own(ip("10.0.0.1")) && addresses.is_own(ip("10.0.0.2")));
        for n in 0..100 {
            addresses.saw(Netns(n), ip(&format!("10.1.0.{n}")), 2_000);
            addresses.saw(Netns(n), ip("10.2.0.1"), 2_000);
        }
        assert!(addresses.addresses.len() <= 4);
        let spaces = addresses.addresses.peek(&ip("10.2.0.1")).expect("kept in use");
        assert_eq!(spaces.len(), NETNS_PER_ADDRESS_MAX);
    }
}
