//! Sums of the kernel to [`L4Record`]s. Pure: bytes and tables in, values out.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use weir_model::{
    Endpoint, L4Counters, L4Record, ListenRecord, Netns, Process, Role, Samples, Transport,
};

use super::listeners::Listeners;
use crate::nat::raw as nat;
use crate::record::{Names, Plain, endpoint};

/// The types of `tcp.record.h`.
#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
pub(crate) mod raw {
    include!(concat!(env!("OUT_DIR"), "/tcp_record.rs"));
}

// SAFETY: integers and arrays of integers; padding is explicit (static assertions in the header).
unsafe impl Plain for raw::tcp_key {}
// SAFETY: as above; the lock is an integer that is never used here.
unsafe impl Plain for raw::tcp_sum {}
// SAFETY: as above.
unsafe impl Plain for raw::tcp_listener {}

impl PartialEq for raw::tcp_key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for raw::tcp_key {}

impl Hash for raw::tcp_key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl raw::tcp_key {
    fn parts(&self) -> impl Eq + Hash {
        let place = (self.cgroup_id, self.netns, self.tgid);
        let ports = (self.local_port, self.remote_port);
        (self.local, self.remote, place, ports, self.role, self.dialled)
    }
}

/// Turns the sums of one table into records, and keeps what must be known from window to window:
/// how many connections each key has open.
#[derive(Default)]
pub(crate) struct Decoder {
    names: Names,
    open: HashMap<raw::tcp_key, u64>,
    /// By their numbers ([`raw::tcp_key::dialled`]).
    dialled: HashMap<u16, Endpoint>,
}

impl Decoder {
    /// The record of one sum.
    pub(crate) fn record(
        &mut self,
        key: &raw::tcp_key,
        sum: &raw::tcp_sum,
        listeners: &Listeners,
    ) -> L4Record {
        let role = role(key.role);
        let local = endpoint(key.local, key.local_port);
        let netns = Netns(key.netns);
        let mut process = self.names.process(key.tgid, sum.comm);
        if role == Role::Server {
            process = server_process(process, listeners.process(netns, local));
        }
        let mut counters = counters(sum);
        counters.active_connections = self.open_connections(key, sum);
        L4Record {
            transport: Transport::Tcp,
            role,
            local,
            remote: endpoint(key.remote, key.remote_port),
            // a server that was dialled at its own address was not dialled elsewhere
            dialled: self.dialled.get(&key.dialled).copied().filter(|dialled| *dialled != local),
            netns,
            cgroup_id: cgroup_id(key.cgroup_id),
            process,
            counters,
        }
    }

    /// Notes the end that a number stands for. Numbers are never given twice.
    pub(crate) fn number(&mut self, number: u32, end: &nat::nat_end) {
        if let Ok(number) = u16::try_from(number) {
            self.dialled.insert(number, endpoint(end.address, end.port));
        }
    }

    /// The listener of a record, with whether it has closed.
    pub(crate) fn listener(&mut self, listener: &raw::tcp_listener) -> (ListenRecord, bool) {
        let record = ListenRecord {
            transport: Transport::Tcp,
            local: endpoint(listener.local, listener.port),
            netns: Netns(listener.netns),
            cgroup_id: cgroup_id(listener.cgroup_id),
            process: self.process(&listener.process),
        };
        (record, listener.is_closed != 0)
    }

    fn process(&mut self, process: &raw::process) -> Option<Process> {
        self.names.process(process.tgid, process.comm)
    }

    /// A gauge from changes: what opened or was found open, less what closed.
    fn open_connections(&mut self, key: &raw::tcp_key, sum: &raw::tcp_sum) -> u64 {
        let before = self.open.get(key).copied().unwrap_or(0);
        let opened = u64::from(sum.connections) + u64::from(sum.adopted);
        let now = (before + opened).saturating_sub(sum.closures.into());
        if now == 0 {
            self.open.remove(key);
        } else if now != before {
            self.open.insert(*key, now);
        }
        now
    }
}

/// Whose an accepted connection is: of who closed it, where that is known, and who listened.
///
/// Who closed it is a worker of the listener, or a service for which a manager of services listens
/// (systemd.socket(5)). A process of another name has only inherited the socket, when the server
/// started it, and was the last to let go of it.
fn server_process(closer: Option<Process>, listener: Option<Process>) -> Option<Process> {
    let (Some(closer), Some(listener)) = (&closer, &listener) else {
        return closer.or(listener);
    };
    let is_plausible = closer.name == listener.name || &*listener.name == "systemd";
    Some(if is_plausible { closer } else { listener }.clone())
}

fn role(role: u8) -> Role {
    match u32::from(role) {
        raw::TCP_ROLE_CLIENT => Role::Client,
        raw::TCP_ROLE_SERVER => Role::Server,
        _ => Role::Unknown,
    }
}

/// Ids of cgroups begin at 1.
fn cgroup_id(id: u64) -> Option<u64> {
    (id != 0).then_some(id)
}

/// A sum of signed differences; one FIN's byte may have been taken back on its own.
fn bytes(sum: u64) -> u64 {
    sum.cast_signed().max(0).cast_unsigned()
}

fn samples(sum: u64, count: u32, min: u32, max: u32) -> Samples {
    Samples { sum, count: count.into(), min: min.into(), max: max.into() }
}

fn counters(sum: &raw::tcp_sum) -> L4Counters {
    let (rtt, jitter) = (sum.rtt_us_sum, sum.jitter_us_sum);
    L4Counters {
        bytes_sent: bytes(sum.bytes_sent),
        bytes_received: bytes(sum.bytes_received),
        packets_sent: sum.packets_sent.into(),
        packets_received: sum.packets_received.into(),
        connections: sum.connections.into(),
        closures: sum.closures.into(),
        active_connections: 0,
        connect_refused: sum.connect_refused.into(),
        connect_timeout: sum.connect_timeout.into(),
        connect_reset: sum.connect_reset.into(),
        connect_failed_other: sum.connect_failed_other.into(),
        resets_sent: sum.resets_sent.into(),
        resets_received: sum.resets_received.into(),
        retransmits: sum.retransmits.into(),
        rtt_us: samples(rtt, sum.rtt_count, sum.rtt_us_min, sum.rtt_us_max),
        jitter_us: samples(jitter, sum.rtt_count, sum.jitter_us_min, sum.jitter_us_max),
        connect_us: samples(
            sum.connect_us_sum,
            sum.connect_count,
            sum.connect_us_min,
            sum.connect_us_max,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::c_char;

    use super::*;

    const SERVER: raw::tcp_key = raw::tcp_key {
        local: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1],
        remote: [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
        cgroup_id: 7,
        netns: 3,
        tgid: 0,
        local_port: 80,
        remote_port: 0,
        role: raw::TCP_ROLE_SERVER as u8,
        pad: 0,
        dialled: 0,
    };

    fn sum(connections: u32, adopted: u32, closures: u32) -> raw::tcp_sum {
        raw::tcp_sum { connections, adopted, closures, ..Default::default() }
    }

    fn comm(name: &str) -> [c_char; 16] {
        let mut comm = [0; 16];
        for (place, byte) in comm.iter_mut().zip(name.bytes()) {
            *place = byte as c_char;
        }
        comm
    }

    #[test]
    fn open_connections_follow_from_what_changed() {
        let mut decoder = Decoder::default();
        // What changed in a window, and what is open at its end; one closed unseen is no -1.
        let windows = [
            (sum(3, 0, 1), 2),
            (sum(0, 0, 0), 2),
            (sum(0, 5, 1), 6),
            (sum(0, 0, 6), 0),
            (sum(0, 0, 1), 0),
            (sum(1, 0, 0), 1),
        ];
        for (sum, open) in windows {
            let record = decoder.record(&SERVER, &sum, &Listeners::default());
            assert_eq!(record.counters.active_connections, open);
        }
        let other = raw::tcp_key { netns: 4, ..SERVER };
        let record = decoder.record(&other, &sum(1, 0, 1), &Listeners::default());
        assert_eq!(record.counters.active_connections, 0);
        assert_eq!(decoder.open.len(), 1, "only keys with open connections are kept");
    }

    #[test]
    fn an_accepted_connection_is_its_listeners_until_a_process_shows() {
        let mut decoder = Decoder::default();
        let mut listeners = Listeners::default();
        let process = raw::process { tgid: 41, comm: comm("nginx") };
        let listener = raw::tcp_listener { netns: 3, port: 80, process, ..Default::default() };
        listeners.put(1, decoder.listener(&listener).0);

        let name = |record: L4Record| record.process.map(|p| (p.pid, p.name.to_string()));
        let record = decoder.record(&SERVER, &sum(1, 0, 0), &listeners);
        assert_eq!(name(record), Some((41, "nginx".to_owned())));
        let client = raw::tcp_key { role: raw::TCP_ROLE_CLIENT as u8, ..SERVER };
        assert_eq!(name(decoder.record(&client, &sum(1, 0, 0), &listeners)), None);
    }

    #[test]
    fn who_closes_an_accepted_connection_owns_it_if_it_serves_the_listener() {
        let process = |pid, name: &str| Some(Process { pid, name: name.into() });
        let cases = [
            // a worker; a service that systemd listens for; a program that the server started
            (process(7, "nginx"), process(5, "nginx"), Some(7)),
            (process(7, "sshd"), process(1, "systemd"), Some(7)),
            (process(7, "ip"), process(5, "server"), Some(5)),
            (process(7, "nginx"), None, Some(7)),
            (None, process(5, "nginx"), Some(5)),
            (None, None, None),
        ];
        for (closer, listener, expected) in cases {
            let found = server_process(closer.clone(), listener.clone());
            assert_eq!(found.map(|process| process.pid), expected, "{closer:?} {listener:?}");
        }
    }

    #[test]
    fn counters_keep_their_meaning() {
        let sum = raw::tcp_sum {
            bytes_sent: 10,
            // A FIN's byte was taken back and nothing else happened.
            bytes_received: u64::MAX,
            rtt_us_sum: 30,
            rtt_count: 2,
            rtt_us_min: 10,
            rtt_us_max: 20,
            jitter_us_sum: 7,
            jitter_us_min: 3,
            jitter_us_max: 4,
            ..Default::default()
        };
        let counters = counters(&sum);
        assert_eq!((counters.bytes_sent, counters.bytes_received), (10, 0));
        assert_eq!(counters.rtt_us, Samples { sum: 30, count: 2, min: 10, max: 20 });
        assert_eq!(counters.jitter_us, Samples { sum: 7, count: 2, min: 3, max: 4 });
        assert_eq!(counters.connect_us, Samples::default());
    }

    #[test]
    fn ends_are_of_the_wires_own_family() {
        let record = Decoder::default().record(&SERVER, &sum(0, 0, 0), &Listeners::default());
        assert_eq!(record.local.to_string(), "10.0.0.1:80");
        assert_eq!(record.remote.to_string(), "[fd00::9]:0");
        assert_eq!((record.netns, record.cgroup_id), (Netns(3), Some(7)));
        assert_eq!(role(9), Role::Unknown);
    }
}
