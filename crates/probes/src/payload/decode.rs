//! Bytes of the ring buffer to what a [`PayloadSink`](super::PayloadSink) takes. Pure.

use weir_model::{L7Ends, Netns, Payload, Role, Way};

use crate::record::{Names, Plain, endpoint, read};

/// The types of `payload.record.h`.
#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
pub(crate) mod raw {
    include!(concat!(env!("OUT_DIR"), "/payload_record.rs"));
}

// SAFETY: integers and arrays of integers; padding is explicit (static assertion in the header).
unsafe impl Plain for raw::payload_opened {}
// SAFETY: as above.
unsafe impl Plain for raw::payload_passed {}
// SAFETY: as above.
unsafe impl Plain for raw::payload_closed {}
// SAFETY: as above.
unsafe impl Plain for raw::payload_process {}

/// What one record says.
#[derive(Debug, PartialEq)]
pub(crate) enum Event<'a> {
    /// And whether its other end is a translated address.
    Opened(u64, L7Ends, bool),
    Passed(u64, u64, Payload<'a>),
    Closed(Closed),
    /// The process has just begun, with a program that was never seen, or else speaks TLS.
    Process {
        pid: u32,
        is_new: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) id: u64,
    pub(crate) mono_ns: u64,
    pub(crate) is_reset: bool,
    /// The connection may go on; it was given up on demand.
    pub(crate) is_ignored: bool,
    /// Bytes sent and received in all.
    pub(crate) positions: [u64; 2],
}

#[derive(Default)]
pub(crate) struct Decoder {
    names: Names,
}

impl Decoder {
    /// `None` for bytes that are no record.
    pub(crate) fn event<'a>(&mut self, bytes: &'a [u8]) -> Option<Event<'a>> {
        let kind = *bytes.get(std::mem::offset_of!(raw::payload_passed, kind))?;
        match u32::from(kind) {
            raw::PAYLOAD_PASSED => passed(bytes),
            raw::PAYLOAD_OPENED => self.opened(&read(bytes)?),
            raw::PAYLOAD_CLOSED => Some(closed(&read(bytes)?)),
            raw::PAYLOAD_PROCESS => {
                let record: raw::payload_process = read(bytes)?;
                Some(Event::Process { pid: record.tgid, is_new: record.is_new != 0 })
            }
            _ => None,
        }
    }

    fn opened<'a>(&mut self, record: &raw::payload_opened) -> Option<Event<'a>> {
        let role = match u32::from(record.role) {
            raw::PAYLOAD_ROLE_CLIENT => Role::Client,
            raw::PAYLOAD_ROLE_SERVER => Role::Server,
            _ => Role::Unknown,
        };
        let ends = L7Ends {
            role,
            local: endpoint(record.local, record.local_port),
            remote: endpoint(record.remote, record.remote_port),
            dialled: None,
            netns: Netns(record.netns),
            cgroup_id: (record.cgroup_id != 0).then_some(record.cgroup_id),
            process: self.names.process(record.process.tgid, record.process.comm),
            is_tls: record.is_tls != 0,
        };
        Some(Event::Opened(record.id, ends, record.is_translated != 0))
    }
}

fn passed(bytes: &[u8]) -> Option<Event<'_>> {
    let record: raw::payload_passed = read(bytes)?;
    let captured = bytes.get(size_of::<raw::payload_passed>()..)?.get(..record.captured.into())?;
    let is_sent = u32::from(record.way) == raw::PAYLOAD_SENT;
    let payload = Payload {
        way: if is_sent { Way::Sent } else { Way::Received },
        mono_ns: record.mono_ns,
        length: record.length,
        bytes: captured,
    };
    Some(Event::Passed(record.id, record.position, payload))
}

fn closed<'a>(record: &raw::payload_closed) -> Event<'a> {
    Event::Closed(Closed {
        id: record.id,
        mono_ns: record.mono_ns,
        is_reset: record.is_reset != 0,
        is_ignored: record.is_ignored != 0,
        positions: record.positions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed_bytes(captured: u16, room: usize) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<raw::payload_passed>()];
        bytes[0] = 7;
        bytes[std::mem::offset_of!(raw::payload_passed, kind)] = raw::PAYLOAD_PASSED as u8;
        bytes[std::mem::offset_of!(raw::payload_passed, way)] = raw::PAYLOAD_RECEIVED as u8;
        let at = std::mem::offset_of!(raw::payload_passed, captured);
        bytes[at..at + 2].copy_from_slice(&captured.to_ne_bytes());
        bytes.extend(vec![b'x'; room]);
        bytes
    }

    #[test]
    fn a_record_is_believed_as_far_as_its_bytes_go() {
        let mut decoder = Decoder::default();
        let cases = [
            (passed_bytes(5, 8), Some(5)),
            (passed_bytes(0, 0), Some(0)),
            (passed_bytes(9, 8), None),
            (passed_bytes(0, 0)[..24].to_vec(), None),
            (vec![], None),
            (vec![0; 64], None),
        ];
        for (bytes, expected) in cases {
            let captured = match decoder.event(&bytes) {
                Some(Event::Passed(7, 0, payload)) => {
                    assert_eq!(payload.way, Way::Received);
                    Some(payload.bytes.len())
                }
                other => {
                    assert_eq!(other, None);
                    None
                }
            };
            assert_eq!(captured, expected);
        }
    }
}
