//! Records of one window, folded by key.
//!
//! Owns what makes two records one row and what happens when there are too many rows. A full
//! table gives up detail, never bytes: first the remote ends of new flows become one, then new
//! flows keep only direction, transport and family.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::{
    Direction, DnsMessage, Endpoint, Family, L4Counters, L4Record, L7Ends, Netns, Process,
    Transport,
};

/// What makes a flow. Port 0: folded or not known; address unspecified: folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    pub direction: Direction,
    pub transport: Transport,
    pub local: Endpoint,
    pub remote: Endpoint,
    /// What the client dialled, where another end answered for it.
    pub dialled: Option<Endpoint>,
    pub netns: Netns,
    pub process: Option<Process>,
    pub cgroup_id: Option<u64>,
}

impl FlowKey {
    fn of(record: &L4Record, fold_client_port: bool) -> Self {
        let key = Self {
            direction: Direction::from(record.role),
            transport: record.transport,
            local: record.local,
            remote: record.remote,
            dialled: record.dialled,
            netns: record.netns,
            process: record.process.clone(),
            cgroup_id: record.cgroup_id,
        };
        if fold_client_port { key.without_client_port() } else { key }
    }

    /// The flow that a connection's requests belong to.
    pub fn of_ends(ends: &L7Ends, fold_client_port: bool) -> Self {
        let key = Self {
            direction: Direction::from(ends.role),
            transport: Transport::Tcp,
            local: ends.local,
            remote: ends.remote,
            dialled: ends.dialled,
            netns: ends.netns,
            process: ends.process.clone(),
            cgroup_id: ends.cgroup_id,
        };
        if fold_client_port { key.without_client_port() } else { key }
    }

    /// The flow that a lookup belongs to, of which a message is known.
    pub fn of_dns(direction: Direction, message: &DnsMessage, fold_client_port: bool) -> Self {
        let key = Self {
            direction,
            transport: message.transport,
            local: message.local.into(),
            remote: message.remote.into(),
            dialled: message.dialled,
            netns: message.netns,
            process: message.process.clone(),
            cgroup_id: message.cgroup_id,
        };
        if fold_client_port { key.without_client_port() } else { key }
    }

    fn without_client_port(mut self) -> Self {
        match self.direction {
            Direction::Outgoing => self.local.port = 0,
            Direction::Incoming => self.remote.port = 0,
            // nobody knows which port is the client's
            Direction::Unknown => {}
        }
        self
    }

    fn without_remote(mut self) -> Self {
        self.remote = unspecified(self.remote.family());
        self.dialled = None;
        if self.direction != Direction::Incoming {
            self.local.port = 0;
        }
        self
    }

    pub fn without_ends(self) -> Self {
        let family = self.local.family();
        Self {
            direction: self.direction,
            transport: self.transport,
            local: unspecified(family),
            remote: unspecified(family),
            dialled: None,
            netns: Netns::default(),
            process: None,
            cgroup_id: None,
        }
    }
}

fn unspecified(family: Family) -> Endpoint {
    let ip = match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    Endpoint { ip, port: 0 }
}

/// The flows of one window.
#[derive(Debug)]
pub struct FlowTable {
    flows: HashMap<FlowKey, L4Counters, foldhash::quality::RandomState>,
    fold_client_port: bool,
    flows_max: usize,
    records: u64,
    folded_records: u64,
}

impl FlowTable {
    pub fn new(fold_client_port: bool, flows_max: usize) -> Self {
        let flows = HashMap::default();
        Self { flows, fold_client_port, flows_max, records: 0, folded_records: 0 }
    }

    pub fn add(&mut self, record: &L4Record) {
        self.records += 1;
        if record.counters.is_empty() {
            return;
        }
        let key = FlowKey::of(record, self.fold_client_port);
        let Some(key) = self.merge(key, &record.counters, self.flows_max) else { return };
        self.folded_records += 1;
        // an eighth on top of the maximum for flows that still know their own end
        let local_max = self.flows_max + self.flows_max / 8;
        let Some(key) = self.merge(key.without_remote(), &record.counters, local_max) else {
            return;
        };
        // at most 3 directions x 2 transports x 2 families
        self.merge(key.without_ends(), &record.counters, usize::MAX);
    }

    /// Counts under `key` unless that would be one flow too many; then gives the key back.
    fn merge(&mut self, key: FlowKey, counters: &L4Counters, flows_max: usize) -> Option<FlowKey> {
        if let Some(known) = self.flows.get_mut(&key) {
            known.merge(counters);
            return None;
        }
        if self.flows.len() >= flows_max {
            return Some(key);
        }
        self.flows.insert(key, *counters);
        None
    }

    /// The window's flows, records read, and records whose detail had to go; the table is empty
    /// afterwards.
    pub fn take(&mut self) -> (Vec<(FlowKey, L4Counters)>, u64, u64) {
        let flows = std::mem::take(&mut self.flows).into_iter().collect();
        (flows, std::mem::take(&mut self.records), std::mem::take(&mut self.folded_records))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_model::Role;

    use super::*;

    fn record(role: Role, local: &str, remote: &str, pid: u32, bytes: u64) -> L4Record {
        let end =
            |text: &str| Endpoint::from(text.parse::<std::net::SocketAddr>().expect("an end"));
        L4Record {
            transport: Transport::Tcp,
            role,
            local: end(local),
            remote: end(remote),
            dialled: None,
            netns: Netns(1),
            cgroup_id: Some(5),
            process: Some(Process { pid, name: Arc::from("app") }),
            counters: L4Counters { bytes_sent: bytes, connections: 1, ..Default::default() },
        }
    }

    fn fold(fold_client_port: bool, records: &[L4Record]) -> Vec<(String, String, u64)> {
        let mut table = FlowTable::new(fold_client_port, 100);
        records.iter().for_each(|record| table.add(record));
        let mut rows: Vec<_> = table
            .take()
            .0
            .into_iter()
            .map(|(key, c)| (key.local.to_string(), key.remote.to_string(), c.bytes_sent))
            .collect();
        rows.sort();
        rows
    }

    fn rows(rows: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
        rows.iter().map(|(l, r, n)| ((*l).to_owned(), (*r).to_owned(), *n)).collect()
    }

    #[test]
    fn the_clients_port_is_folded_at_either_end() {
        let records = [
            record(Role::Client, "10.0.0.1:40001", "10.0.0.2:80", 1, 1),
            record(Role::Client, "10.0.0.1:40002", "10.0.0.2:80", 1, 2),
            record(Role::Server, "10.0.0.1:443", "10.0.0.2:50001", 1, 4),
            record(Role::Server, "10.0.0.1:443", "10.0.0.2:50002", 1, 8),
            record(Role::Unknown, "10.0.0.1:7000", "10.0.0.2:7001", 1, 16),
            record(Role::Unknown, "10.0.0.1:7000", "10.0.0.2:7002", 1, 32),
        ];
        let folded = [
            ("10.0.0.1:0", "10.0.0.2:80", 3),
            ("10.0.0.1:443", "10.0.0.2:0", 12),
            ("10.0.0.1:7000", "10.0.0.2:7001", 16),
            ("10.0.0.1:7000", "10.0.0.2:7002", 32),
        ];
        assert_eq!(fold(true, &records), rows(&folded));
        assert_eq!(fold(false, &records).len(), 6);
    }

    #[test]
    fn processes_stay_apart_and_nothing_makes_no_row() {
        let mut idle = record(Role::Client, "10.0.0.1:1", "10.0.0.2:80", 3, 0);
        idle.counters = L4Counters::default();
        let records = [
            record(Role::Client, "10.0.0.1:1", "10.0.0.2:80", 1, 1),
            record(Role::Client, "10.0.0.1:2", "10.0.0.2:80", 2, 1),
            idle,
        ];
        assert_eq!(fold(true, &records).len(), 2);
    }

    #[test]
    fn a_full_table_keeps_the_sums() {
        let mut table = FlowTable::new(true, 8);
        let mut sent = 0;
        for n in 0..1_000u32 {
            let remote = format!("10.1.{}.{}:80", n / 250, n % 250);
            // one process with many peers first, then a process for each connection
            let pid = if n < 500 { 1 } else { n };
            table.add(&record(Role::Client, "10.0.0.1:1", &remote, pid, u64::from(n)));
            sent += u64::from(n);
        }
        let (flows, records, folded) = table.take();
        assert_eq!(records, 1_000);
        assert_eq!(folded, 992);
        assert!(flows.len() <= 8 + 1 + 12, "{}", flows.len());
        assert_eq!(flows.iter().map(|(_, c)| c.bytes_sent).sum::<u64>(), sent);
        assert_eq!(flows.iter().map(|(_, c)| c.connections).sum::<u64>(), 1_000);
        let by_process: u64 = flows
            .iter()
            .filter(|(key, _)| key.process.as_ref().is_some_and(|p| p.pid == 1))
            .map(|(_, c)| c.bytes_sent)
            .sum();
        assert_eq!(by_process, (0..500).sum::<u64>(), "the process is known, its peers are not");
        assert_eq!(table.take(), (vec![], 0, 0), "the next window starts empty");
    }
}
