//! A request that waits for its answer, and the few values that are kept of one.

use std::borrow::Cow;
use std::sync::Arc;

use weir_model::{Asked, Exchange, L7Protocol, Outcome};

use crate::losses::Sink;

/// Longest path that is kept; the rest is cut off.
pub const PATH_BYTES_MAX: usize = 2048;
/// Longest method that is taken for one.
pub(crate) const METHOD_BYTES_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct Request {
    pub protocol: L7Protocol,
    pub asked: Arc<Asked>,
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
        let Self { protocol, asked, began_ns, .. } = self;
        let response_us = answer.began_ns.map(|ns| ns.saturating_sub(began_ns) / 1000);
        let Answer { status, grpc_status, .. } = answer;
        (sink.out)(Exchange {
            protocol,
            asked,
            status,
            grpc_status,
            outcome,
            began_ns,
            response_us,
        });
    }

    /// Reports the request as unanswered and keeps what pairing needs of it.
    pub fn report_unanswered(&mut self, sink: &mut Sink<'_>) {
        // The method tells how the answer's body ends.
        let kept = Asked { method: self.asked.method.clone(), ..Asked::default() };
        let asked = std::mem::replace(&mut self.asked, Arc::new(kept));
        let Self { protocol, began_ns, is_reported, .. } = *self;
        let reported = Self { protocol, asked, began_ns, is_reported };
        reported.finish(Answer::default(), Outcome::Unanswered, sink);
        self.is_reported = true;
    }

    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + asked_bytes(&self.asked)
    }
}

/// Memory of what was asked.
pub(crate) fn asked_bytes(asked: &Asked) -> usize {
    let method = if let Cow::Owned(method) = &asked.method { method.capacity() } else { 0 };
    let trace_id = asked.trace_id.as_ref().map_or(0, String::capacity);
    size_of::<Asked>() + method + asked.path.capacity() + trace_id + asked.headers.capacity()
}

/// A method; those that nearly all requests have need no memory.
pub(crate) fn method_of(method: &str) -> Cow<'static, str> {
    const USUAL: [&str; 8] =
        ["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT"];
    match USUAL.iter().find(|usual| **usual == method) {
        Some(usual) => Cow::Borrowed(usual),
        None => Cow::Owned(method.to_owned()),
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
