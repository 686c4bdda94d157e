//! Translations of UDP, for records that have lost their client's port. Pure.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use weir_model::{Endpoint, L4Record, Role};

use super::decode::{Translated, raw};
use crate::record::endpoint;

const UDP: u8 = 17;

/// What was found for one key: one answer, or no single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    One(Translated),
    Several,
}

/// Translations of UDP by what is left of a conversation when its client's port is folded. Where
/// that is ambiguous (one client, several that answered for one Service) nothing is guessed.
#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    of_clients: HashMap<(IpAddr, Endpoint), Seen>,
    of_servers: HashMap<(Endpoint, IpAddr), Seen>,
}

impl Datagrams {
    pub(super) fn add(&mut self, key: &raw::nat_key, value: raw::nat_translation) {
        if key.protocol != UDP || key.netns != 0 {
            return;
        }
        let local = endpoint(key.local, key.local_port);
        let remote = endpoint(key.remote, key.remote_port);
        let mut found = Translated::from(value);
        if found.dialled == remote {
            note(self.of_clients.entry((local.ip, remote)), found);
            return;
        }
        found.peer.port = 0;
        note(self.of_servers.entry((local, remote.ip)), found);
    }

    /// As [`NatProbe::translate`], for a record of a window.
    pub(crate) fn translate(&self, record: &mut L4Record) {
        let found = match record.role {
            Role::Client => self.of_clients.get(&(record.local.ip, record.remote)),
            Role::Server => self.of_servers.get(&(record.local, record.remote.ip)),
            Role::Unknown => None,
        };
        let Some(Seen::One(found)) = found else { return };
        let port = if found.peer.port == 0 { record.remote.port } else { found.peer.port };
        record.remote = Endpoint { ip: found.peer.ip, port };
        record.dialled = Some(found.dialled).filter(|dialled| *dialled != record.local);
    }
}

fn note<K>(entry: Entry<'_, K, Seen>, found: Translated) {
    let seen = entry.or_insert(Seen::One(found));
    if *seen != Seen::One(found) {
        *seen = Seen::Several;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use weir_model::{L4Counters, Netns, Transport};

    use super::super::decode::{Entry, Way};
    use super::*;

    fn end(text: &str) -> Endpoint {
        Endpoint::from(text.parse::<SocketAddr>().expect("an end"))
    }

    fn known(entries: &[[&str; 4]]) -> Datagrams {
        let mut datagrams = Datagrams::default();
        for ways in entries {
            let [a, b, c, d] = ways.map(end);
            let out = Way { source: a, destination: b };
            let back = Way { source: c, destination: d };
            let entry = Entry { transport: Transport::Udp, out, back };
            for (key, value) in entry.translations(Netns(1)) {
                datagrams.add(&key, value);
            }
        }
        datagrams
    }

    fn translated(
        datagrams: &Datagrams,
        role: Role,
        ends: [&str; 2],
    ) -> (String, Option<Endpoint>) {
        let mut record = L4Record {
            transport: Transport::Udp,
            role,
            local: end(ends[0]),
            remote: end(ends[1]),
            dialled: None,
            netns: Netns(1),
            cgroup_id: None,
            process: None,
            counters: L4Counters::default(),
        };
        datagrams.translate(&mut record);
        (record.remote.to_string(), record.dialled)
    }

    #[test]
    fn a_clients_flow_has_its_answerer_where_there_was_only_one() {
        let datagrams = known(&[
            ["10.0.0.9:4000", "10.96.0.10:53", "10.0.1.2:5353", "10.0.0.9:4000"],
            ["10.0.0.9:4001", "10.96.0.10:53", "10.0.1.2:5353", "10.0.0.9:4001"],
            ["10.0.0.8:4000", "10.96.0.10:53", "10.0.1.2:5353", "10.0.1.1:7000"],
            ["10.0.0.8:4001", "10.96.0.10:53", "10.0.1.3:5353", "10.0.1.1:7001"],
        ]);
        let of = |role, ends| translated(&datagrams, role, ends);
        let dialled = Some(end("10.96.0.10:53"));
        let answered = ("10.0.1.2:5353".to_owned(), dialled);
        assert_eq!(of(Role::Client, ["10.0.0.9:0", "10.96.0.10:53"]), answered);
        let not_guessed = ("10.96.0.10:53".to_owned(), None);
        assert_eq!(of(Role::Client, ["10.0.0.8:0", "10.96.0.10:53"]), not_guessed);
        assert_eq!(of(Role::Client, ["10.0.0.7:0", "10.96.0.10:53"]), not_guessed);
    }

    #[test]
    fn a_servers_flow_has_the_client_behind_a_masquerade() {
        let datagrams = known(&[
            ["10.0.0.8:4000", "10.96.0.10:53", "10.0.1.2:5353", "10.0.1.1:7000"],
            ["10.0.0.8:4001", "10.96.0.10:53", "10.0.1.2:5353", "10.0.1.1:7001"],
            ["10.0.0.7:4001", "10.96.0.10:53", "10.0.1.3:5353", "10.0.1.1:7002"],
            ["10.0.0.8:4003", "10.96.0.10:53", "10.0.1.3:5353", "10.0.1.1:7003"],
        ]);
        let of = |ends| translated(&datagrams, Role::Server, ends);
        let dialled = Some(end("10.96.0.10:53"));
        assert_eq!(of(["10.0.1.2:5353", "10.0.1.1:0"]), ("10.0.0.8:0".to_owned(), dialled));
        assert_eq!(of(["10.0.1.3:5353", "10.0.1.1:0"]), ("10.0.1.1:0".to_owned(), None));
    }
}
