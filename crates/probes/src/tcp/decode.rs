//! Sums of the kernel to [`L4Record`]s. Pure: bytes and tables in, values out.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use weir_model::{L4Counters, L4Record, ListenRecord, Netns, Process, Role, Samples, Transport};

use super::listeners::Listeners;
use crate::record::{Names, Plain, endpoint};

/// The types of `tcp.record.h`.
#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
#[allow(clippy::all)]
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
        (self.local, self.remote, place, self.local_port, self.remote_port, self.role)
    }
}

/// Turns the sums of one table into records, and keeps what must be known from window to window:
/// how many connections each key has open.
#[derive(Default)]
pub(crate) struct Decoder {
    names: Names,
    open: HashMap<raw::tcp_key, u64>,
}

impl Decoder {
    /// The record of one sum. Connections that were accepted and not yet closed by a process have
    /// none of their own: theirs is the listener's.
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
        if process.is_none() && role == Role::Server {
            process = listeners.process(netns, local);
        }
        let mut counters = counters(sum);
        counters.active_connections = self.open_connections(key, sum);
        L4Record {
            transport: Transport::Tcp,
            role,
            local,
            remote: endpoint(key.remote, key.remote_port),
            netns,
            cgroup_id: cgroup_id(key.cgroup_id),
            process,
            counters,
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
