//! What the probes hand over at a window's end, into the window's tables.
//!
//! Owns what counts: records of control groups that are not observed are left out here, before
//! anything is known of them, their addresses included.

use std::collections::HashMap;
use std::net::IpAddr;

use weir_identity::{CgroupScope, HostAddresses, Owners};
use weir_model::{L4Record, ListenRecord, Netns, Process};
use weir_probes::Sink;

use crate::ends::BothEnds;
use crate::flows::FlowTable;

/// Processes tried for the interfaces of one namespace; short-lived ones may be gone.
const PIDS_PER_NETNS_MAX: usize = 8;

/// Takes the records of a window's end.
pub struct WindowSink<'a> {
    pub scope: &'a mut CgroupScope,
    pub table: &'a mut FlowTable,
    pub owners: &'a mut Owners,
    pub addresses: &'a mut HostAddresses,
    pub ends: &'a mut BothEnds,
    /// Processes of each namespace, through which its interfaces can be read.
    pub pids: HashMap<Netns, Vec<u32>>,
    pub now_ms: i64,
}

impl WindowSink<'_> {
    /// Notes whose address it is, and a few processes that can tell the namespace's others.
    fn saw_local(&mut self, netns: Netns, ip: IpAddr, process: Option<&Process>) {
        self.addresses.saw(netns, ip, self.now_ms);
        let Some(process) = process else { return };
        let pids = self.pids.entry(netns).or_default();
        if pids.len() < PIDS_PER_NETNS_MAX && !pids.contains(&process.pid) {
            pids.push(process.pid);
        }
    }
}

impl Sink for WindowSink<'_> {
    fn l4(&mut self, record: L4Record) {
        if !self.scope.has(record.cgroup_id, self.now_ms) {
            return;
        }
        self.saw_local(record.netns, record.local.ip, record.process.as_ref());
        self.table.add(&record);
    }

    fn listen(&mut self, record: ListenRecord) {
        if !self.scope.has(record.cgroup_id, self.now_ms) {
            return;
        }
        self.saw_local(record.netns, record.local.ip, record.process.as_ref());
        let owner = self.owners.find(record.process.as_ref(), record.cgroup_id, self.now_ms);
        let ListenRecord { transport, local, netns, .. } = record;
        self.ends.listens(transport, netns, local, owner, self.now_ms);
    }
}
