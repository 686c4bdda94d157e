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
