//! A DNS message as a probe saw it on the wire, before anyone parsed it.

use std::net::SocketAddr;

use crate::flow::{Endpoint, Netns, Process, Transport};
use crate::l7::Way;

/// One DNS message that a socket of this host passed: a client's, or a name server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsMessage {
    pub transport: Transport,
    pub way: Way,
    /// Tells sockets apart while the host is up (`SO_COOKIE`).
    pub socket: u64,
    pub netns: Netns,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// As in [`crate::L4Record`].
    pub dialled: Option<Endpoint>,
    pub process: Option<Process>,
    pub cgroup_id: Option<u64>,
    /// Nanoseconds since boot at which the kernel handed it over.
    pub mono_ns: u64,
    /// The message, without the length that precedes it in TCP, cut to what the probe copies.
    pub payload: Vec<u8>,
    /// Whether the payload was cut.
    pub truncated: bool,
}
