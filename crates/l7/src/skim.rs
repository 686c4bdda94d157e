//! Exchanges of HTTP/1 counted by their status alone, without reading a head.
//!
//! What is left of reading when there is no time for more: of each call only the first bytes are
//! looked at, which costs a tenth of reading. Paths, times and traces are not known of what is
//! skimmed; how many exchanges there were, and how each ended, is.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use weir_model::{L7Protocol, Payload, Way};

use crate::look::{self, Look};

/// What ends a head.
static HEAD_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// An exchange of which nothing else is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skimmed {
    pub protocol: L7Protocol,
    /// Absent without an answer, and where its first bytes came one by one.
    pub status: Option<u16>,
    pub is_answered: bool,
}

/// Counts a connection's exchanges from one that begins ([`Skim::can_begin`]) until the next one
/// that somebody reads.
#[derive(Debug)]
pub struct Skim {
    request_way: Way,
    protocol: L7Protocol,
    /// Requests that were not counted yet.
    open: u32,
    /// When the latest of them was passed, nanoseconds since boot.
    began_ns: u64,
    /// An answer came after the latest request, with this status.
    answer: Option<Option<u16>>,
    is_pipelined: bool,
    is_ended: bool,
}

impl Skim {
    pub fn new(request_way: Way) -> Self {
        Self {
            request_way,
            protocol: L7Protocol::Http11,
            open: 0,
            began_ns: 0,
            answer: None,
            is_pipelined: false,
            is_ended: false,
        }
    }

    /// Whether a call begins a request that may be skimmed. A tunnel is better read.
    pub fn can_begin(bytes: &[u8]) -> bool {
        look::preface(bytes) == Look::No
            && look::request(bytes) == Look::Yes
            && !bytes.starts_with(b"CONNECT ")
    }

    pub fn request_way(&self) -> Way {
        self.request_way
    }

    /// Every request until now has its answer: the next one may as well be read.
    pub fn is_between(&self) -> bool {
        self.open == 0 || self.answer.is_some()
    }

    /// Requests seem to come before the answer of the one before, or came several in one call:
    /// counting them by their calls is a guess, and they are better read.
    pub fn is_pipelined(&self) -> bool {
        self.is_pipelined
    }

    /// It was HTTP and became something else.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Takes what one call passed.
    pub fn feed(&mut self, payload: &Payload<'_>, out: &mut dyn FnMut(Skimmed)) {
        if payload.way == self.request_way {
            self.request(payload, out);
        } else {
            self.answer(payload.bytes, out);
        }
    }

    fn request(&mut self, payload: &Payload<'_>, out: &mut dyn FnMut(Skimmed)) {
        if look::request(payload.bytes) != Look::Yes {
            return;
        }
        if self.answer.is_some() {
            self.settle(out);
        }
        if self.open > 0 {
            // before an answer this is more likely text of a body than another request
            self.is_pipelined = true;
            return;
        }
        let (count, protocol) = heads(payload.bytes);
        self.protocol = protocol;
        self.is_pipelined |= count > 1;
        self.open = count;
        self.began_ns = payload.mono_ns;
    }

    fn answer(&mut self, bytes: &[u8], out: &mut dyn FnMut(Skimmed)) {
        let status = match look::answer(bytes) {
            Look::Yes => Some(status_of(bytes)),
            Look::More if !bytes.is_empty() => None,
            Look::More | Look::No => return,
        };
        if self.open == 0 || status.is_some_and(|status| matches!(status, 100 | 102..=199)) {
            return;
        }
        self.is_ended = status == Some(101);
        self.answer = Some(status);
        self.count(1, status, true, out);
    }

    /// Counts the requests whose answer must have come: with the answer that was seen last, which
    /// several answers in one call share, or with none.
    pub fn settle(&mut self, out: &mut dyn FnMut(Skimmed)) {
        let answer = self.answer.take();
        self.count(self.open, answer.flatten(), answer.is_some(), out);
    }

    /// Counts as unanswered what waits since before `before_ns`.
    pub fn expire(&mut self, before_ns: u64, out: &mut dyn FnMut(Skimmed)) {
        if self.answer.is_none() && self.began_ns < before_ns {
            self.settle(out);
        }
    }

    fn count(
        &mut self,
        count: u32,
        status: Option<u16>,
        is_answered: bool,
        out: &mut dyn FnMut(Skimmed),
    ) {
        self.open = self.open.saturating_sub(count);
        let protocol = self.protocol;
        (0..count).for_each(|_| out(Skimmed { protocol, status, is_answered }));
    }
}

/// How many heads of requests follow each other in these bytes, and what the first one speaks.
/// What follows a head that may have a body is taken for the body.
fn heads(bytes: &[u8]) -> (u32, L7Protocol) {
    let line = memchr::memchr(b'\n', bytes).map_or(bytes, |end| &bytes[..end]);
    let is_old = line.trim_ascii_end().ends_with(b"HTTP/1.0");
    let (mut count, mut rest) = (1, bytes);
    while (rest.starts_with(b"GET ") || rest.starts_with(b"HEAD "))
        && let Some(end) = HEAD_END.find(rest)
    {
        rest = &rest[end + HEAD_END.needle().len()..];
        if look::request(rest) != Look::Yes {
            break;
        }
        count += 1;
    }
    (count, if is_old { L7Protocol::Http10 } else { L7Protocol::Http11 })
}

/// The three digits of a status line that was recognised.
fn status_of(bytes: &[u8]) -> u16 {
    let digits = bytes.get(9..12).unwrap_or_default();
    digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests are `>`, answers `<`; gives the status of each exchange counted, 0 for none.
    fn skimmed(calls: &[&str]) -> (Vec<u16>, Skim) {
        let mut skim = Skim::new(Way::Received);
        let mut counted = Vec::new();
        for call in calls {
            let way = if call.starts_with('>') { Way::Received } else { Way::Sent };
            let bytes = &call.as_bytes()[1..];
            let payload = Payload { way, mono_ns: 1, length: bytes.len() as u32, bytes };
            skim.feed(&payload, &mut |one| counted.push(one.status.unwrap_or(0)));
        }
        (counted, skim)
    }

    const GET: &str = ">GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn exchanges_are_counted_by_status() {
        let fine = "<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        for (calls, expected, is_between) in [
            (&[GET, fine, GET, fine][..], &[200, 200][..], true),
            (&[GET, fine, "<more of the body", GET, "<HTTP/1.1 503 No\r\n\r\n"], &[200, 503], true),
            (&[">POST /a HTTP/1.0\r\n\r\n", ">POSTed body", fine], &[200], true),
            (&[GET, "<HTTP/1.1 100 Continue\r\n\r\n"], &[], false),
            (&[GET, "<HTTP/1.1 100 Continue\r\n\r\n", fine], &[200], true),
            (&[GET], &[], false),
            (&[fine, "<stray"], &[], true),
            (&[GET, "<HT", "<TP/1.1 204 None\r\n\r\n"], &[0], true),
        ] {
            let (counted, skim) = skimmed(calls);
            assert_eq!((&counted[..], skim.is_between()), (expected, is_between), "{calls:?}");
            assert!(!skim.is_pipelined() && !skim.is_ended(), "{calls:?}");
        }
    }

    #[test]
    fn a_pipeline_is_counted_and_noticed() {
        let three = format!(">{}", &GET[1..].repeat(3));
        let (counted, mut skim) = skimmed(&[&three, "<HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n"]);
        assert!(skim.is_pipelined() && skim.is_between());
        let mut all = counted.len();
        skim.settle(&mut |one| all += usize::from(one.status == Some(200)));
        assert_eq!(all, 3);
        assert!(skimmed(&[GET, GET]).1.is_pipelined());

        let put = ">PUT /a HTTP/1.1\r\nContent-Length: 40\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
        let (counted, skim) = skimmed(&[put, GET, "<HTTP/1.1 201 Created\r\n\r\n"]);
        assert_eq!((counted, skim.is_between()), (vec![201], true), "a body is no request");
    }

    #[test]
    fn what_waits_too_long_or_dies_is_unanswered() {
        let mut found = Vec::new();
        let (_, mut skim) = skimmed(&[GET]);
        skim.expire(1, &mut |one| found.push(one));
        assert_eq!(found, [], "it began at 1");
        skim.expire(2, &mut |one| found.push(one));
        let protocol = L7Protocol::Http11;
        assert_eq!(found, [Skimmed { protocol, status: None, is_answered: false }]);
        skim.settle(&mut |one| found.push(one));
        assert_eq!(found.len(), 1, "counted once");
    }

    #[test]
    fn what_is_better_read_does_not_begin() {
        for (bytes, expected) in [
            ("GET / HTTP/1.1\r\n", true),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false),
            ("CONNECT a:443 HTTP/1.1\r\n", false),
            ("HTTP/1.1 200 OK\r\n", false),
            ("GE", false),
            ("", false),
        ] {
            assert_eq!(Skim::can_begin(bytes.as_bytes()), expected, "{bytes}");
        }
        assert!(skimmed(&[GET, "<HTTP/1.1 101 Switching\r\n\r\n"]).1.is_ended());
    }
}
