//! Bytes of the ring buffer to what a socket passed. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use weir_model::{DnsMessage, Netns, Transport, Way};

use crate::record::{Names, Plain, read};

/// The types of `dns.record.h`.
#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
pub(crate) mod raw {
    include!(concat!(env!("OUT_DIR"), "/dns_record.rs"));
}

// SAFETY: integers and arrays of integers; padding is explicit (static assertion in the header).
unsafe impl Plain for raw::dns_record {}

/// A datagram, or a piece of a TCP stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// With UDP the message. With TCP the payload is what the piece begins with, be it whole
    /// messages or parts of them.
    pub(crate) message: DnsMessage,
    /// Where in the stream the piece begins.
    pub(crate) sequence: u32,
    /// Length of the piece, of which the payload is the beginning.
    pub(crate) bytes: u32,
}

#[derive(Default)]
pub(crate) struct Decoder {
    names: Names,
}

impl Decoder {
    /// What one record tells; `None` where it is none.
    pub(crate) fn passed(&mut self, bytes: &[u8]) -> Option<Passed> {
        let record: raw::dns_record = read(bytes)?;
        let payload = bytes.get(size_of::<raw::dns_record>()..)?;
        let payload = payload.get(..record.payload_bytes.into())?;
        let way = match u32::from(record.way) {
            raw::DNS_SENT => Way::Sent,
            _ => Way::Received,
        };
        let message = DnsMessage {
            transport: if record.is_tcp == 0 { Transport::Udp } else { Transport::Tcp },
            way,
            socket: record.cookie,
            netns: Netns(record.netns),
            local: socket_address(record.local, record.local_port),
            remote: socket_address(record.remote, record.remote_port),
            dialled: None,
            process: self.names.process(record.process.tgid, record.process.comm),
            cgroup_id: (record.cgroup_id != 0).then_some(record.cgroup_id),
            mono_ns: record.mono_ns,
            payload: payload.to_vec(),
            truncated: u32::from(record.payload_bytes) < record.passed_bytes,
        };
        Some(Passed { message, sequence: record.sequence, bytes: record.passed_bytes })
    }
}

fn socket_address(address: [u8; 16], port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)).to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(payload_bytes: u16, passed_bytes: u32) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<raw::dns_question>()];
        let offset = std::mem::offset_of!(raw::dns_record, passed_bytes);
        bytes[offset..offset + 4].copy_from_slice(&passed_bytes.to_ne_bytes());
        let offset = std::mem::offset_of!(raw::dns_record, payload_bytes);
        bytes[offset..offset + 2].copy_from_slice(&payload_bytes.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_cut_message_says_so_and_nonsense_is_none() {
        let mut decoder = Decoder::default();
        let cases = [
            (bytes(100, 100), Some((100, false))),
            (bytes(288, 1400), Some((288, true))),
            (bytes(289, 1400), None),
            (bytes(9, 9)[..64].to_vec(), None),
        ];
        for (bytes, expected) in cases {
            let passed = decoder.passed(&bytes).map(|passed| passed.message);
            assert_eq!(passed.map(|m| (m.payload.len(), m.truncated)), expected);
        }
    }
}
