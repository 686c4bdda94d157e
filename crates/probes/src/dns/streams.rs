//! Messages out of what TCP connections pass. Pure.
//!
//! Each message follows its length in two bytes (RFC 1035, section 4.2.2); calls cut the stream
//! anywhere. Owns what was passed of messages that are not complete. Between messages nothing is
//! kept of a connection: the next piece begins a message then.

use std::collections::HashMap;

use weir_model::{DnsMessage, Way};

use super::decode::{Passed, raw};

const LENGTH_BYTES: usize = 2;
/// Nothing shorter is a message: the header alone.
const MESSAGE_BYTES_MIN: usize = 12;
/// A message that takes longer than this between two pieces makes room for others.
const IDLE_NS_MAX: u64 = 10_000_000_000;

/// A message of which the end has not come.
#[derive(Debug, Default)]
struct Unfinished {
    /// Length and message, as far as they were copied.
    bytes: Vec<u8>,
    /// Bytes that were passed, copied or not.
    passed: usize,
    /// Where the stream goes on.
    next: u32,
    mono_ns: u64,
}

impl Unfinished {
    /// Length of the message, once that is known.
    fn length(&self) -> Option<usize> {
        let length = self.bytes.get(..LENGTH_BYTES)?;
        Some(usize::from(u16::from_be_bytes([length[0], length[1]])))
    }

    /// Takes as much as belongs to this message; gives how much of the piece is left. `None`: it
    /// cannot be told where the message ends.
    fn take(&mut self, payload: &[u8], piece_bytes: usize) -> Option<usize> {
        let mut from = 0;
        while self.passed < LENGTH_BYTES && from < piece_bytes {
            self.bytes.push(*payload.get(from)?);
            self.passed += 1;
            from += 1;
        }
        let Some(length) = self.length() else { return Some(0) };
        if length < MESSAGE_BYTES_MIN {
            return None;
        }
        let wanted = (LENGTH_BYTES + length - self.passed).min(piece_bytes - from);
        let is_whole = self.bytes.len() == self.passed;
        let room =
            (LENGTH_BYTES + raw::DNS_PAYLOAD_BYTES_MAX as usize).saturating_sub(self.bytes.len());
        if is_whole && let Some(rest) = payload.get(from..) {
            self.bytes.extend(&rest[..rest.len().min(wanted).min(room)]);
        }
        self.passed += wanted;
        Some(piece_bytes - from - wanted)
    }

    fn is_complete(&self) -> bool {
        self.length().is_some_and(|length| self.passed == LENGTH_BYTES + length)
    }
}

/// What could not be read, since it was last asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Pieces in which no message could be found, or of which the message's other pieces were not.
    pub(crate) gap: u64,
    /// Messages given up for want of room.
    pub(crate) unfinished_max: u64,
}

#[derive(Debug)]
pub(crate) struct Streams {
    unfinished: HashMap<(u64, Way), Unfinished>,
    unfinished_max: usize,
    lost: Lost,
}

impl Streams {
    pub(crate) fn new(unfinished_max: usize) -> Self {
        Self { unfinished: HashMap::new(), unfinished_max, lost: Lost::default() }
    }

    /// Hands over the messages that end in this piece.
    pub(crate) fn piece(&mut self, passed: Passed, sink: &mut dyn FnMut(DnsMessage)) {
        let Passed { message: piece, sequence, bytes } = passed;
        let key = (piece.socket, piece.way);
        let mut current = self.unfinished.remove(&key).unwrap_or_default();
        if current.passed > 0 && current.next != sequence {
            self.lost.gap += 1;
            current = Unfinished::default();
        }
        let (mut payload, mut left) = (&piece.payload[..], bytes as usize);
        while left > 0 {
            let Some(rest) = current.take(payload, left) else {
                self.lost.gap += 1;
                return;
            };
            payload = payload.get(left - rest..).unwrap_or_default();
            left = rest;
            if !current.is_complete() {
                continue;
            }
            let Unfinished { mut bytes, passed, .. } = std::mem::take(&mut current);
            let truncated = bytes.len() < passed;
            let payload = bytes.split_off(LENGTH_BYTES);
            sink(DnsMessage { payload, truncated, ..piece.clone() });
        }
        if current.passed > 0 {
            current.next = sequence.wrapping_add(bytes);
            current.mono_ns = piece.mono_ns;
            self.keep(key, current);
        }
    }

    fn keep(&mut self, key: (u64, Way), unfinished: Unfinished) {
        if self.unfinished.len() >= self.unfinished_max {
            let since_ns = unfinished.mono_ns.saturating_sub(IDLE_NS_MAX);
            self.unfinished.retain(|_, known| known.mono_ns >= since_ns);
        }
        if self.unfinished.len() >= self.unfinished_max {
            self.lost.unfinished_max += 1;
            return;
        }
        self.unfinished.insert(key, unfinished);
    }

    pub(crate) fn take_lost(&mut self) -> Lost {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use weir_model::{Netns, Transport};

    use super::*;

    fn piece(socket: u64, sequence: u32, bytes: u32, payload: &[u8]) -> Passed {
        let message = DnsMessage {
            transport: Transport::Tcp,
            way: Way::Received,
            socket,
            netns: Netns(1),
            local: "192.0.2.2:40000".parse().unwrap(),
            remote: "192.0.2.53:53".parse().unwrap(),
            dialled: None,
            process: None,
            cgroup_id: None,
            mono_ns: 1,
            payload: payload.to_vec(),
            truncated: false,
        };
        Passed { message, sequence, bytes }
    }

    fn framed(lengths: &[usize]) -> Vec<u8> {
        let mut stream = Vec::new();
        for (number, length) in lengths.iter().enumerate() {
            stream.extend((*length as u16).to_be_bytes());
            stream.extend(vec![number as u8; *length]);
        }
        stream
    }

    fn told(messages: &[DnsMessage]) -> Vec<(u8, usize, bool)> {
        messages.iter().map(|m| (m.payload[0], m.payload.len(), m.truncated)).collect()
    }

    #[test]
    fn messages_are_found_however_the_stream_is_cut() {
        let stream = framed(&[12, 200, 33, 1300]);
        let expected = vec![(0, 12, false), (1, 200, false), (2, 33, false), (3, 1232, true)];
        for size in [1, 2, 3, 7, 14, 100, 215, 1000] {
            let (mut streams, mut found) = (Streams::new(4), Vec::new());
            for (number, part) in stream.chunks(size).enumerate() {
                let sequence = u32::MAX.wrapping_sub(20).wrapping_add((number * size) as u32);
                let part = piece(1, sequence, part.len() as u32, part);
                streams.piece(part, &mut |message| found.push(message));
            }
            assert_eq!(told(&found), expected, "pieces of {size}");
            assert!(streams.unfinished.is_empty());
            assert_eq!(streams.take_lost(), Lost::default());
        }
    }

    #[test]
    fn what_was_not_copied_is_passed_over_where_its_length_is_known() {
        let stream = framed(&[500, 60]);
        let (mut streams, mut found) = (Streams::new(4), Vec::new());
        let mut sink = |message| found.push(message);
        streams.piece(piece(1, 0, 400, &stream[..300]), &mut sink);
        streams.piece(piece(1, 400, 164, &stream[400..]), &mut sink);
        assert_eq!(told(&found), [(0, 298, true), (1, 60, false)]);
        assert_eq!(streams.take_lost(), Lost::default());
    }

    #[test]
    fn holes_are_counted_and_the_next_piece_begins_anew() {
        let stream = framed(&[40]);
        let (mut streams, mut found) = (Streams::new(4), Vec::new());
        let mut sink = |message| found.push(message);
        // a part is missing, then comes a whole message
        streams.piece(piece(1, 0, 10, &stream[..10]), &mut sink);
        streams.piece(piece(1, 42, 42, &stream), &mut sink);
        // a second message in what was not copied
        streams.piece(piece(2, 0, 84, &stream[..41]), &mut sink);
        // no message at all
        streams.piece(piece(3, 0, 6, &[0, 1, 2, 3, 4, 5]), &mut sink);
        assert_eq!(told(&found), [(0, 40, false), (0, 39, true)]);
        assert_eq!(streams.take_lost(), Lost { gap: 3, unfinished_max: 0 });
    }

    #[test]
    fn memory_is_bounded() {
        let (mut streams, mut found) = (Streams::new(4), Vec::new());
        for socket in 0..10 {
            let part = piece(socket, 0, 5, &framed(&[40])[..5]);
            streams.piece(part, &mut |message| found.push(message));
        }
        assert_eq!((streams.unfinished.len(), found.len()), (4, 0));
        assert_eq!(streams.take_lost(), Lost { gap: 0, unfinished_max: 6 });
    }
}
