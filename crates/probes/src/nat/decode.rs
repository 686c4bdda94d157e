//! Entries of connection tracking to translations. Pure: bytes of netlink in, values out.
//!
//! This reads what a namespace's table holds when the agent starts; entries made later are read in
//! the kernel (`nat.bpf.c`), by the same rules.

use std::net::IpAddr;

use weir_model::{Endpoint, Netns, Transport};

use crate::record::{Plain, endpoint};

/// The types of `nat.record.h`.
#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
pub(crate) mod raw {
    include!(concat!(env!("OUT_DIR"), "/nat_record.rs"));
}

// SAFETY: integers and arrays of integers; padding is explicit (static assertions in the header).
unsafe impl Plain for raw::nat_key {}
// SAFETY: as above.
unsafe impl Plain for raw::nat_end {}
// SAFETY: as above.
unsafe impl Plain for raw::nat_translation {}

/// include/uapi/linux/netlink.h, nfnetlink.h and nfnetlink_conntrack.h; stable ABI.
const MESSAGE_BYTES: usize = 16;
const HEAD_BYTES: usize = MESSAGE_BYTES + 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const CT_NEW: u16 = 1 << 8;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;

/// The ends of packets of one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) source: Endpoint,
    pub(crate) destination: Endpoint,
}

/// An entry: the packets as the client sends them, and as the server's answers have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) transport: Transport,
    pub(crate) out: Way,
    pub(crate) back: Way,
}

/// What became of reading a block of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    More,
    Done,
    /// The kernel refuses, with this error number.
    Refused(i32),
}

/// A request for all entries of a namespace.
pub(crate) fn dump_request() -> [u8; HEAD_BYTES] {
    const CT_GET: u16 = (1 << 8) | 1;
    // NLM_F_REQUEST | NLM_F_DUMP
    const FLAGS: u16 = 0x301;
    let mut request = [0; HEAD_BYTES];
    request[..4].copy_from_slice(&(HEAD_BYTES as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&CT_GET.to_ne_bytes());
    request[6..8].copy_from_slice(&FLAGS.to_ne_bytes());
    request
}

/// Gives every entry of TCP or UDP in a block of messages to `each`.
pub(crate) fn read_block(mut block: &[u8], mut each: impl FnMut(Entry)) -> Block {
    while let Some(message) = cut(block) {
        let kind = u16::from_ne_bytes([message[4], message[5]]);
        match kind {
            NLMSG_DONE => return Block::Done,
            NLMSG_ERROR => {
                let number = message.get(16..20).and_then(|bytes| bytes.try_into().ok());
                return Block::Refused(-number.map_or(0, i32::from_ne_bytes));
            }
            CT_NEW => {
                if let Some(entry) = message.get(HEAD_BYTES..).and_then(entry) {
                    each(entry);
                }
            }
            _ => {}
        }
        block = block.get(message.len().next_multiple_of(4)..).unwrap_or_default();
    }
    Block::More
}

/// The first message of a block.
fn cut(block: &[u8]) -> Option<&[u8]> {
    let length = block.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes)?;
    block.get(..length as usize).filter(|message| message.len() >= MESSAGE_BYTES)
}

/// The content of the first attribute of that type.
fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        // without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & 0x3fff;
        let content = bytes.get(4..length)?;
        if kind == wanted {
            return Some(content);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

fn entry(attributes: &[u8]) -> Option<Entry> {
    let (transport, out) = way(attribute(attributes, CTA_TUPLE_ORIG)?)?;
    let (_, back) = way(attribute(attributes, CTA_TUPLE_REPLY)?)?;
    Some(Entry { transport, out, back })
}

fn way(tuple: &[u8]) -> Option<(Transport, Way)> {
    let addresses = attribute(tuple, CTA_TUPLE_IP)?;
    let ports = attribute(tuple, CTA_TUPLE_PROTO)?;
    let transport = match attribute(ports, CTA_PROTO_NUM)? {
        [6] => Transport::Tcp,
        [17] => Transport::Udp,
        _ => return None,
    };
    let port = |kind| -> Option<u16> {
        Some(u16::from_be_bytes(attribute(ports, kind)?.try_into().ok()?))
    };
    // CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST
    let ip = |v4, v6| match attribute(addresses, v4) {
        Some(bytes) => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        None => <[u8; 16]>::try_from(attribute(addresses, v6)?).ok().map(IpAddr::from),
    };
    let source = Endpoint::new(ip(1, 3)?, port(CTA_PROTO_SRC_PORT)?);
    let destination = Endpoint::new(ip(2, 4)?, port(CTA_PROTO_DST_PORT)?);
    Some((transport, Way { source, destination }))
}

impl Entry {
    /// What the sockets at its two ends know, with what is so where that differs: the table's
    /// elements, as `nat.bpf.c` makes them.
    pub(crate) fn translations(
        &self,
        netns: Netns,
    ) -> impl Iterator<Item = (raw::nat_key, raw::nat_translation)> + use<> {
        let Self { transport, out, back } = *self;
        let is_dialled_elsewhere = out.destination != back.source;
        let is_client_hidden = out.source != back.destination;
        let client = is_dialled_elsewhere.then(|| {
            let ends = key(transport, netns, out.source, out.destination);
            (ends, translation(back.source, out.destination))
        });
        let server = (is_dialled_elsewhere || is_client_hidden).then(|| {
            let ends = key(transport, netns, back.source, back.destination);
            (ends, translation(out.source, out.destination))
        });
        client.into_iter().chain(server)
    }
}

fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// The key under which a socket's ends are found.
pub(crate) fn key(
    transport: Transport,
    netns: Netns,
    local: Endpoint,
    remote: Endpoint,
) -> raw::nat_key {
    let is_scoped = local.ip.is_loopback() || remote.ip.is_loopback();
    raw::nat_key {
        local: address(local.ip),
        remote: address(remote.ip),
        netns: if is_scoped { netns.0 } else { 0 },
        local_port: local.port,
        remote_port: remote.port,
        protocol: match transport {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        },
        pad: [0; 3],
    }
}

fn translation(peer: Endpoint, dialled: Endpoint) -> raw::nat_translation {
    let end =
        |end: Endpoint| raw::nat_end { address: address(end.ip), port: end.port, pad: [0; 2] };
    raw::nat_translation { peer: end(peer), dialled: end(dialled) }
}

/// The other end of a socket, and what its client dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Translated {
    pub(crate) peer: Endpoint,
    pub(crate) dialled: Endpoint,
}

impl From<raw::nat_translation> for Translated {
    fn from(raw: raw::nat_translation) -> Self {
        let end = |end: raw::nat_end| endpoint(end.address, end.port);
        Self { peer: end(raw.peer), dialled: end(raw.dialled) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn end(text: &str) -> Endpoint {
        Endpoint::from(text.parse::<SocketAddr>().expect("an end"))
    }

    /// An entry as a kernel sent it: 10.96.0.9 dialled 10.96.0.1:80 and got 127.0.0.1:8080.
    const ENTRY: &str = "c4000000000100060000000000000000020000003400018014000180080001000a6000090800\
        02000a6000011c000280050001000600000006000200a4f20000060003000050000034000280140001800800\
        01007f000001080002000a6000091c0002800500010006000000060002001f90000006000300a4f200000800\
        0c0047f8bc6b08000300000001a80800070000000078300004802c000180050001000100000005000200\
        0a000000050003000000000006000400030000000600050000000000";

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digits: String = hexadecimal.split_whitespace().collect();
        let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
        (0..digits.len()).step_by(2).map(pair).collect()
    }

    #[test]
    fn a_kernels_entry_is_read_wherever_it_is_cut() {
        let message = bytes(ENTRY);
        let mut found = Vec::new();
        let two = [message.clone(), message.clone()].concat();
        assert_eq!(read_block(&two, |entry| found.push(entry)), Block::More);
        let out = Way { source: end("10.96.0.9:42226"), destination: end("10.96.0.1:80") };
        let back = Way { source: end("127.0.0.1:8080"), destination: end("10.96.0.9:42226") };
        assert_eq!(found, [Entry { transport: Transport::Tcp, out, back }; 2]);
        for length in 0..message.len() {
            assert_eq!(read_block(&message[..length], |_| panic!("cut at {length}")), Block::More);
            let mut short = message[..length].to_vec();
            if let Some(place) = short.get_mut(..4) {
                place.copy_from_slice(&(length as u32).to_ne_bytes());
                // whatever is left is read or not, and never past its end
                read_block(&short, |_| ());
            }
        }
    }

    #[test]
    fn the_end_and_a_refusal_are_told() {
        let mut message = dump_request();
        message[4..6].copy_from_slice(&NLMSG_DONE.to_ne_bytes());
        assert_eq!(read_block(&message, |_| ()), Block::Done);
        message[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        message[16..20].copy_from_slice(&(-1i32).to_ne_bytes());
        assert_eq!(read_block(&message, |_| ()), Block::Refused(1));
    }

    fn translations(ways: [&str; 4]) -> Vec<(Endpoint, Endpoint, Endpoint, Endpoint, u32)> {
        let [a, b, c, d] = ways.map(end);
        let entry = Entry {
            transport: Transport::Tcp,
            out: Way { source: a, destination: b },
            back: Way { source: c, destination: d },
        };
        let told = |(key, value): (raw::nat_key, raw::nat_translation)| {
            let Translated { peer, dialled } = value.into();
            let local = endpoint(key.local, key.local_port);
            (local, endpoint(key.remote, key.remote_port), peer, dialled, key.netns)
        };
        entry.translations(Netns(7)).map(told).collect()
    }

    #[test]
    fn each_end_learns_what_it_cannot_know_and_nothing_else() {
        let (client, service, pod, node) =
            ("10.0.0.9:4000", "10.96.0.1:80", "10.0.1.2:8080", "10.0.1.1:5000");
        let [c, s, p, n] = [client, service, pod, node].map(end);
        assert_eq!(translations([client, pod, pod, client]), []);
        let dialled_elsewhere = [(c, s, p, s, 0), (p, c, c, s, 0)];
        assert_eq!(translations([client, service, pod, client]), dialled_elsewhere);
        assert_eq!(translations([client, pod, pod, node]), [(p, n, c, p, 0)], "masquerade");
        let both = [(c, s, p, s, 0), (p, n, c, s, 0)];
        assert_eq!(translations([client, service, pod, node]), both);
        let scoped = translations([client, "127.0.0.1:80", pod, client]);
        assert_eq!(scoped.iter().map(|t| t.4).collect::<Vec<_>>(), [7, 0]);
    }
}
