//! Who listens where: names the process of accepted connections that have not named one yet.
//!
//! Owns the table and the choice among its entries. Pure.

use std::collections::{HashMap, VecDeque};

use weir_model::{Endpoint, ListenRecord, Netns, Process};

/// Closed listeners are remembered for connections that outlive them; the oldest beyond this many
/// are forgotten.
const CLOSED_MAX: usize = 4096;

/// Listening sockets by their kernel cookie, and by where they listen, oldest first.
#[derive(Default)]
pub(crate) struct Listeners {
    by_cookie: HashMap<u64, Known>,
    by_port: HashMap<(Netns, u16), Vec<u64>>,
    closed: VecDeque<u64>,
}

struct Known {
    listener: ListenRecord,
    is_open: bool,
}

impl Listeners {
    /// Takes in a listener; `true` when it was not known, or not with this process.
    pub(crate) fn put(&mut self, cookie: u64, listener: ListenRecord) -> bool {
        let place = (listener.netns, listener.local.port);
        let known = Known { listener: listener.clone(), is_open: true };
        match self.by_cookie.insert(cookie, known) {
            Some(before) => before.listener != listener,
            None => {
                self.by_port.entry(place).or_default().push(cookie);
                true
            }
        }
    }

    /// Notes that a listener has closed.
    pub(crate) fn close(&mut self, cookie: u64) {
        let Some(known) = self.by_cookie.get_mut(&cookie) else { return };
        known.is_open = false;
        self.closed.push_back(cookie);
        if self.closed.len() > CLOSED_MAX
            && let Some(oldest) = self.closed.pop_front()
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, cookie: u64) {
        let Some(known) = self.by_cookie.remove(&cookie) else { return };
        let place = (known.listener.netns, known.listener.local.port);
        if let Some(cookies) = self.by_port.get_mut(&place) {
            cookies.retain(|other| *other != cookie);
            if cookies.is_empty() {
                self.by_port.remove(&place);
            }
        }
    }

    /// The process that listens at `local`: one that still does before one that did, by its own
    /// address before the unspecified one (of IPv6, too: `::` takes IPv4), the latest first.
    pub(crate) fn process(&self, netns: Netns, local: Endpoint) -> Option<Process> {
        let cookies = self.by_port.get(&(netns, local.port))?;
        let found = cookies.iter().filter_map(|cookie| self.by_cookie.get(cookie));
        let near = found.filter_map(|known| Some((nearness(&known.listener, local)?, known)));
        let (_, known) = near.max_by_key(|(nearness, known)| (known.is_open, *nearness))?;
        known.listener.process.clone()
    }
}

/// How well a listener fits an address; `None` where it does not.
fn nearness(listener: &ListenRecord, local: Endpoint) -> Option<u8> {
    let ip = listener.local.ip;
    match (ip == local.ip, ip.is_unspecified(), ip.is_ipv4() == local.ip.is_ipv4()) {
        (true, ..) => Some(2),
        (_, true, true) => Some(1),
        (_, true, false) => Some(0),
        _ => None,
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
        listeners.close(1);
        assert_eq!(listeners.process(Netns(1), at("10.0.0.1")).map(|p| p.pid), Some(1));
    }

    #[test]
    fn a_connection_that_outlives_its_listener_keeps_its_owner() {
        let mut listeners = Listeners::default();
        let owner = |listeners: &Listeners| {
            listeners.process(Netns(1), at("10.0.0.1")).map(|process| process.pid)
        };
        listeners.put(0, listener("10.0.0.1", 1));
        listeners.close(0);
        assert_eq!(owner(&listeners), Some(1));
        listeners.put(1, listener("10.0.0.1", 2));
        assert_eq!(owner(&listeners), Some(2), "the one that is open");
        listeners.close(1);
        assert_eq!(owner(&listeners), Some(2), "the latest");
        for cookie in 2..=CLOSED_MAX as u64 + 2 {
            listeners.put(cookie, listener("10.0.0.2", 3));
            listeners.close(cookie);
        }
        assert_eq!(owner(&listeners), None, "no more than so many are remembered");
        assert_eq!(listeners.by_cookie.len(), CLOSED_MAX);
        assert_eq!(listeners.by_port.len(), 1);
    }
}
