//! A DNS message as a probe saw it on the wire, before anyone parsed it.

use std::net::SocketAddr;

use crate::flow::{Netns, Process};

/// The UDP payload of one DNS message received by a client on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsMessage {
    pub netns: Netns,
    /// The resolver's client: the local end.
    pub local: SocketAddr,
    /// The name server: the remote end.
    pub remote: SocketAddr,
    pub process: Option<Process>,
    pub cgroup_id: Option<u64>,
    /// Nanoseconds since boot at which the kernel handed it over.
    pub mono_ns: u64,
    /// UDP payload, cut to what the probe copies.
    pub payload: Vec<u8>,
    /// Whether the payload was cut.
    pub truncated: bool,
}
