//! Who listens where: names the process of accepted connections that have not named one yet.
//!
//! Owns the table and the choice among its entries. Pure.

use std::collections::HashMap;

use weir_model::{Endpoint, ListenRecord, Netns, Process};

/// Listening sockets by their kernel cookie, and by where they listen.
#[derive(Default)]
pub(crate) struct Listeners {
    by_cookie: HashMap<u64, ListenRecord>,
    by_port: HashMap<(Netns, u16), Vec<u64>>,
}

impl Listeners {
    /// Takes in a listener; `true` when it was not known, or not with this process.
    pub(crate) fn put(&mut self, cookie: u64, listener: ListenRecord) -> bool {
        let place = (listener.netns, listener.local.port);
        match self.by_cookie.insert(cookie, listener.clone()) {
            Some(before) => before != listener,
            None => {
                self.by_port.entry(place).or_default().push(cookie);
                true
            }
        }
    }

    /// Forgets a listener that has closed.
    pub(crate) fn remove(&mut self, cookie: u64) {
        let Some(listener) = self.by_cookie.remove(&cookie) else { return };
        let place = (listener.netns, listener.local.port);
        if let Some(cookies) = self.by_port.get_mut(&place) {
            cookies.retain(|other| *other != cookie);
            if cookies.is_empty() {
                self.by_port.remove(&place);
            }
        }
    }

    /// The process that listens at `local`: by its own address first, then by the unspecified one
    /// (of IPv6, too: `::` takes IPv4).
    pub(crate) fn process(&self, netns: Netns, local: Endpoint) -> Option<Process> {
        let cookies = self.by_port.get(&(netns, local.port))?;
        let found = cookies.iter().filter_map(|cookie| self.by_cookie.get(cookie));
        let exact = found.clone().find(|listener| listener.local.ip == local.ip);
        let listener = exact.or_else(|| {
            let mut wide = found.filter(|listener| listener.local.ip.is_unspecified());
            let family = wide.clone().find(|l| l.local.ip.is_ipv4() == local.ip.is_ipv4());
            family.or_else(|| wide.next())
        });
        listener.and_then(|listener| listener.process.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use weir_model::Transport;

    use super::*;

    fn listener(ip: &str, pid: u32) -> ListenRecord {
        ListenRecord {
            transport: Transport::Tcp,
            local: at(ip),
            netns: Netns(1),
            cgroup_id: None,
            process: Some(Process { pid, name: "x".into() }),
        }
    }

    fn at(ip: &str) -> Endpoint {
        Endpoint::new(ip.parse::<IpAddr>().expect("an address"), 80)
    }

    #[test]
    fn the_nearest_listener_is_the_owner() {
        let mut listeners = Listeners::default();
        let known = [("0.0.0.0", 1), ("10.0.0.1", 2), ("fd00::1", 3)];
        for (cookie, (ip, pid)) in known.into_iter().enumerate() {
            assert!(listeners.put(cookie as u64, listener(ip, pid)));
        }
        assert!(!listeners.put(0, listener("0.0.0.0", 1)), "known already");
        let cases =
            [("10.0.0.1", Some(2)), ("10.0.0.9", Some(1)), ("fd00::1", Some(3)), ("::1", Some(1))];
        for (ip, pid) in cases {
            let found = listeners.process(Netns(1), at(ip)).map(|process| process.pid);
            assert_eq!(found, pid, "{ip}");
        }
        assert_eq!(listeners.process(Netns(2), at("10.0.0.1")), None);
        listeners.remove(1);
        assert_eq!(listeners.process(Netns(1), at("10.0.0.1")).map(|p| p.pid), Some(1));
        [0, 2].into_iter().for_each(|cookie| listeners.remove(cookie));
        assert_eq!(listeners.process(Netns(1), at("10.0.0.1")), None);
        assert!(listeners.by_port.is_empty());
    }
}
