//! Bytes of the ring buffer to [`DnsMessage`]s. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use weir_model::{DnsMessage, Netns};

use crate::record::{Names, Plain, read};

/// The types of `dns.record.h`.
#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
pub(crate) mod raw {
    include!(concat!(env!("OUT_DIR"), "/dns_record.rs"));
}

// SAFETY: integers and arrays of integers; padding is explicit (static assertion in the header).
unsafe impl Plain for raw::dns_record {}

#[derive(Default)]
pub(crate) struct Decoder {
    names: Names,
}

impl Decoder {
    /// The message of one record; `None` where it is none.
    pub(crate) fn message(&mut self, bytes: &[u8]) -> Option<DnsMessage> {
        let record: raw::dns_record = read(bytes)?;
        let payload = record.payload.get(..record.payload_bytes.into())?;
        Some(DnsMessage {
            netns: Netns(record.netns),
            local: socket_address(record.local, record.local_port),
            remote: socket_address(record.remote, record.remote_port),
            process: self.names.process(record.process.tgid, record.process.comm),
            cgroup_id: (record.cgroup_id != 0).then_some(record.cgroup_id),
            mono_ns: record.mono_ns,
            payload: payload.to_vec(),
            truncated: record.payload_bytes < record.datagram_bytes,
        })
    }
}

fn socket_address(address: [u8; 16], port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)).to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(payload_bytes: u16, datagram_bytes: u16) -> Vec<u8> {
        let offset = std::mem::offset_of!(raw::dns_record, datagram_bytes);
        let mut bytes = vec![0; size_of::<raw::dns_record>()];
        bytes[offset..offset + 2].copy_from_slice(&datagram_bytes.to_ne_bytes());
        let offset = std::mem::offset_of!(raw::dns_record, payload_bytes);
        bytes[offset..offset + 2].copy_from_slice(&payload_bytes.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_cut_answer_says_so_and_nonsense_is_no_message() {
        let mut decoder = Decoder::default();
        let cases = [
            (bytes(100, 100), Some((100, false))),
            (bytes(1232, 1400), Some((1232, true))),
            (bytes(1233, 1400), None),
            (bytes(9, 9)[..64].to_vec(), None),
        ];
        for (bytes, expected) in cases {
            let message = decoder.message(&bytes);
            assert_eq!(message.map(|m| (m.payload.len(), m.truncated)), expected);
        }
    }
}
