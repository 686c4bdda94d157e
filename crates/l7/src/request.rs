//! A request that waits for its answer, and the few values that are kept of one.

use weir_model::{Exchange, L7Protocol, Outcome};

use crate::losses::Sink;

/// Longest path that is kept; the rest is cut off.
pub const PATH_BYTES_MAX: usize = 2048;
/// Longest method that is taken for one.
pub(crate) const METHOD_BYTES_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct Request {
    pub protocol: L7Protocol,
    pub method: String,
    pub path: String,
    pub trace_id: Option<String>,
    /// As an exchange has them.
    pub headers: String,
    pub began_ns: u64,
    /// An exchange went out for it already: the wait was too long. Its answer is awaited only so
    /// that later answers meet their own requests.
    pub is_reported: bool,
}

/// What is known of an answer when the exchange ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answer {
    pub status: Option<u16>,
    pub grpc_status: Option<u16>,
    /// When its first byte was passed.
    pub began_ns: Option<u64>,
}

impl Request {
    /// Ends the request, unless it was reported before.
    pub fn finish(self, answer: Answer, outcome: Outcome, sink: &mut Sink<'_>) {
        if self.is_reported {
            return;
        }
        let Self { protocol, method, path, trace_id, headers, began_ns, .. } = self;
        let response_us = answer.began_ns.map(|ns| ns.saturating_sub(began_ns) / 1000);
        let Answer { status, grpc_status, .. } = answer;
        (sink.out)(Exchange {
            protocol,
            method,
            path,
            status,
            grpc_status,
            outcome,
            began_ns,
            response_us,
            trace_id,
            headers,
        });
    }

    /// Reports the request as unanswered and keeps what pairing needs of it.
    pub fn report_unanswered(&mut self, sink: &mut Sink<'_>) {
        let reported = Self {
            protocol: self.protocol,
            method: self.method.clone(),
            path: std::mem::take(&mut self.path),
            trace_id: self.trace_id.take(),
            headers: std::mem::take(&mut self.headers),
            began_ns: self.began_ns,
            is_reported: self.is_reported,
        };
        reported.finish(Answer::default(), Outcome::Unanswered, sink);
        self.is_reported = true;
    }

    pub fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + self.method.capacity()
            + self.path.capacity()
            + self.trace_id.as_ref().map_or(0, String::capacity)
            + self.headers.capacity()
    }
}

/// The path of a request target (RFC 9112, section 3.2): without scheme, authority, query and
/// fragment. CONNECT's target is an authority and stays.
pub(crate) fn path_of(target: &[u8]) -> String {
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    let mut path = &target[..end];
    if !path.starts_with(b"/")
        && let Some(scheme) = memchr::memmem::find(path, b"://")
    {
        let rest = &path[scheme + 3..];
        path = memchr::memchr(b'/', rest).map_or(b"/", |slash| &rest[slash..]);
    }
    let path = &path[..path.len().min(PATH_BYTES_MAX)];
    match std::str::from_utf8(path) {
        Ok(path) => path.to_owned(),
        Err(_) => lossy(path),
    }
}

/// What is not UTF-8 becomes replacements of three bytes each.
fn lossy(path: &[u8]) -> String {
    let mut path = String::from_utf8_lossy(path).into_owned();
    let end = (0..=PATH_BYTES_MAX.min(path.len())).rev().find(|at| path.is_char_boundary(*at));
    path.truncate(end.unwrap_or(0));
    path
}

/// The trace id of a `traceparent` (W3C Trace Context, version 00 and what extends it).
pub(crate) fn trace_id(value: &[u8]) -> Option<String> {
    let value = value.trim_ascii();
    let (version, rest) = (value.get(..3)?, value.get(3..)?);
    let is_version = version[2] == b'-' && version[..2] != *b"ff";
    let (id, rest) = (rest.get(..32)?, rest.get(32..)?);
    let is_lower_hex = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let is_whole = version[..2].iter().all(is_lower_hex)
        && id.iter().all(is_lower_hex)
        && id.iter().any(|b| *b != b'0')
        && rest.len() >= 20
        && rest[0] == b'-';
    if !is_version || !is_whole {
        return None;
    }
    std::str::from_utf8(id).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_targets() {
        for (target, expected) in [
            ("/", "/"),
            ("/a/b?x=1", "/a/b"),
            ("/a#part", "/a"),
            ("/a?next=http://x/y", "/a"),
            ("/proxy/http://x/y", "/proxy/http://x/y"),
            ("http://user:secret@host:80/a?b", "/a"),
            ("http://host", "/"),
            ("http://host?q=1", "/"),
            ("*", "*"),
            ("host:443", "host:443"),
        ] {
            assert_eq!(path_of(target.as_bytes()), expected, "{target}");
        }
        assert_eq!(path_of(&[b'/'; 5000]).len(), PATH_BYTES_MAX);
        assert!(path_of(&[0xff; 5000]).len() <= PATH_BYTES_MAX);
    }

    #[test]
    fn trace_ids_of_traceparent() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let whole = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(whole.as_bytes()).as_deref(), Some(id));
        assert_eq!(trace_id(format!(" {whole} ").as_bytes()).as_deref(), Some(id));
        assert_eq!(trace_id(format!("cc-{}-more", &whole[3..]).as_bytes()).as_deref(), Some(id));
        for bad in [
            "",
            "00",
            &whole[..40],
            &format!("ff{}", &whole[2..]),
            &whole.to_uppercase(),
            &whole.replace(id, &"0".repeat(32)),
        ] {
            assert_eq!(trace_id(bad.as_bytes()), None, "{bad}");
        }
    }
}
