//! One TCP connection: what it speaks, recognised by its first bytes, and its parser.

use std::sync::{Arc, LazyLock};

use weir_model::{Exchange, L7Protocol, Payload, Role, Way};

use crate::headers::Headers;
use crate::http1::{Http1, Next};
use crate::http2::{self, Http2};
use crate::look::{self, Look};
use crate::losses::{Losses, Sink, Unparsed};

/// How many calls of a connection joined in the middle may pass before one begins like a message.
pub const JOIN_CALLS_MAX: u32 = 256;
/// Most bytes that are kept of calls too short to tell what they begin.
const UNDECIDED_BYTES_MAX: usize = 64;

/// The state of one connection. Give it every call's payload in order, and its end.
///
/// A hole in what is given (a call that the probe lost) is best given as well, as a payload with
/// its length and no bytes: HTTP/2's table of names cannot be trusted after one.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    kind: Kind,
    losses: Losses,
    headers: Arc<Headers>,
}

#[derive(Debug)]
enum Kind {
    Undecided(Undecided),
    Http1(Box<Http1>),
    Http2(Box<Http2>),
    /// It was HTTP and became something else.
    Ended {
        protocol: L7Protocol,
        request_way: Way,
    },
    NotHttp,
}

#[derive(Debug)]
struct Undecided {
    /// Its beginning was not seen; so many calls may still begin like nothing.
    joined: Option<u32>,
    /// By [`Way`]: the bytes of calls so far, and when they began.
    held: [(Vec<u8>, u64); 2],
}

/// What the first bytes of one way decide.
enum Verdict {
    Http1 { request_way: Way },
    Http2(Box<Http2>),
    More,
    Nothing,
}

impl Connection {
    /// A connection that is seen from its beginning.
    pub fn new(role: Role) -> Self {
        Self::of(role, None)
    }

    /// A connection that was open before it was looked at.
    pub fn joined(role: Role) -> Self {
        Self::of(role, Some(JOIN_CALLS_MAX))
    }

    fn of(role: Role, joined: Option<u32>) -> Self {
        let held = [(Vec::new(), 0), (Vec::new(), 0)];
        let kind = Kind::Undecided(Undecided { joined, held });
        static STANDARD: LazyLock<Arc<Headers>> =
            LazyLock::new(|| Arc::new(Headers::standard().clone()));
        let headers = STANDARD.clone();
        Self { role, kind, losses: Losses::default(), headers }
    }

    /// Reads these headers of requests instead of `traceparent`.
    pub fn reading(mut self, headers: &Arc<Headers>) -> Self {
        self.headers = headers.clone();
        self
    }

    /// What it speaks, as far as is known.
    pub fn protocol(&self) -> Option<L7Protocol> {
        match &self.kind {
            Kind::Http1(http1) => Some(http1.protocol),
            Kind::Http2(http2) => Some(http2.protocol()),
            Kind::Ended { protocol, .. } => Some(*protocol),
            Kind::Undecided(_) | Kind::NotHttp => None,
        }
    }

    /// Which way requests go, as far as is known: it tells who is the client.
    pub fn request_way(&self) -> Option<Way> {
        match &self.kind {
            Kind::Http1(http1) => Some(http1.request_way()),
            Kind::Http2(http2) => http2.request_way(),
            Kind::Ended { request_way, .. } => Some(*request_way),
            Kind::Undecided(_) | Kind::NotHttp => None,
        }
    }

    /// Nothing more will come of it: it is not HTTP, or no longer (an upgrade, a tunnel). Its
    /// payload need not be looked at again, nor need this be kept.
    pub fn is_given_up(&self) -> bool {
        matches!(self.kind, Kind::NotHttp | Kind::Ended { .. })
    }

    /// Ends what may have ended, and says whether the next request need not be read to understand
    /// those after it: only of HTTP/1, between two exchanges. A client that does not wait for
    /// answers is never between two.
    pub fn pause(&mut self, out: &mut dyn FnMut(Exchange)) -> bool {
        let sink = &mut Sink { losses: &mut self.losses, headers: &self.headers, out };
        match &mut self.kind {
            Kind::Http1(http1) => http1.pause(sink),
            _ => false,
        }
    }

    /// Takes what one call passed. Exchanges come out as they end.
    pub fn feed(&mut self, payload: &Payload<'_>, out: &mut dyn FnMut(Exchange)) {
        if payload.length == 0 {
            return;
        }
        // A probe that says it copied more than was passed is not believed.
        let length = payload.bytes.len().min(payload.length as usize);
        let payload = Payload { bytes: &payload.bytes[..length], ..*payload };
        let sink = &mut Sink { losses: &mut self.losses, headers: &self.headers, out };
        match &mut self.kind {
            Kind::NotHttp | Kind::Ended { .. } => {}
            Kind::Http1(http1) => {
                if let Some(kind) = feed_http1(http1, &payload, sink) {
                    self.kind = kind;
                }
            }
            Kind::Http2(http2) => http2.feed(&payload, sink),
            Kind::Undecided(undecided) => {
                let Some((mut kind, held)) = undecided.decide(self.role, &payload) else { return };
                for payload in held.iter().map(Held::payload).chain([payload]) {
                    kind = kind.feed(&payload, sink);
                }
                self.kind = kind;
            }
        }
    }

    /// Ends the connection: with it, what is still open. Further payload is a new connection's.
    pub fn close(&mut self, is_reset: bool, out: &mut dyn FnMut(Exchange)) {
        let sink = &mut Sink { losses: &mut self.losses, headers: &self.headers, out };
        match &mut self.kind {
            Kind::Http1(http1) => http1.close(is_reset, sink),
            Kind::Http2(http2) => http2.close(sink),
            Kind::Undecided(_) | Kind::Ended { .. } | Kind::NotHttp => {}
        }
    }

    /// Reports as unanswered what began before `before_ns` (nanoseconds since boot) and has no
    /// answer yet; an answer that comes later is not reported again. Answers whose end may have
    /// been in bytes that were not copied are taken as ended.
    pub fn expire(&mut self, before_ns: u64, out: &mut dyn FnMut(Exchange)) {
        let sink = &mut Sink { losses: &mut self.losses, headers: &self.headers, out };
        match &mut self.kind {
            Kind::Http1(http1) => http1.expire(before_ns, sink),
            Kind::Http2(http2) => http2.expire(before_ns, sink),
            Kind::Undecided(_) | Kind::Ended { .. } | Kind::NotHttp => {}
        }
    }

    /// What was not understood since the last call of this.
    pub fn take_losses(&mut self) -> impl Iterator<Item = Unparsed> + use<> {
        self.losses.take()
    }

    /// Memory held beside the value itself, in bytes.
    pub fn held_bytes(&self) -> usize {
        match &self.kind {
            Kind::Http1(http1) => http1.held_bytes(),
            Kind::Http2(http2) => http2.held_bytes(),
            Kind::Undecided(undecided) => {
                undecided.held.iter().map(|(bytes, _)| bytes.capacity()).sum()
            }
            Kind::Ended { .. } | Kind::NotHttp => 0,
        }
    }
}

impl Kind {
    fn feed(mut self, payload: &Payload<'_>, sink: &mut Sink<'_>) -> Self {
        match &mut self {
            Kind::Http1(http1) => feed_http1(http1, payload, sink).unwrap_or(self),
            Kind::Http2(http2) => {
                http2.feed(payload, sink);
                self
            }
            _ => self,
        }
    }
}

/// Feeds a connection of HTTP/1; says what it becomes if that ends.
fn feed_http1(http1: &mut Http1, payload: &Payload<'_>, sink: &mut Sink<'_>) -> Option<Kind> {
    match http1.feed(payload, sink) {
        (_, Next::Same) => None,
        (_, Next::NotHttp) => Some(Kind::NotHttp),
        (_, Next::Stop) => {
            http1.close(false, sink);
            Some(Kind::Ended { protocol: http1.protocol, request_way: http1.request_way() })
        }
        (used, Next::Http2(request)) => {
            let mut http2 = Box::new(Http2::upgraded(http1.request_way(), request, sink));
            let length = payload.length.saturating_sub(used as u32);
            if length > 0 {
                http2.feed(&Payload { length, bytes: &payload.bytes[used..], ..*payload }, sink);
            }
            Some(Kind::Http2(http2))
        }
    }
}

/// Calls that were too short to tell what they begin.
struct Held {
    way: Way,
    bytes: Vec<u8>,
    mono_ns: u64,
}

impl Held {
    fn payload(&self) -> Payload<'_> {
        let length = self.bytes.len() as u32;
        Payload { way: self.way, mono_ns: self.mono_ns, length, bytes: &self.bytes }
    }
}

impl Undecided {
    /// What the connection is, if this call tells, with what was held until now.
    fn decide(&mut self, role: Role, payload: &Payload<'_>) -> Option<(Kind, Vec<Held>)> {
        let (held, held_ns) = &mut self.held[payload.way as usize];
        let before = held.len();
        if before == 0 {
            *held_ns = payload.mono_ns;
        }
        let took = payload.bytes.len().min(UNDECIDED_BYTES_MAX.saturating_sub(before));
        let verdict = if before == 0 {
            self.verdict(role, payload.way, payload.bytes)
        } else {
            held.extend_from_slice(&payload.bytes[..took]);
            let verdict = verdict(self.joined.is_some(), role, payload.way, held);
            held.truncate(before);
            verdict
        };
        let kind = match verdict {
            Verdict::Http1 { request_way } => Kind::Http1(Box::new(Http1::new(request_way))),
            Verdict::Http2(http2) => Kind::Http2(http2),
            Verdict::More if payload.bytes.len() == payload.length as usize => {
                let (held, _) = &mut self.held[payload.way as usize];
                held.extend_from_slice(&payload.bytes[..took]);
                return None;
            }
            Verdict::More | Verdict::Nothing => {
                if payload.bytes.is_empty() {
                    self.joined.get_or_insert(JOIN_CALLS_MAX);
                }
                return self.pass(payload.way);
            }
        };
        let ways = [Way::Sent, Way::Received].into_iter().zip(std::mem::take(&mut self.held));
        let held = ways
            .filter(|(_, (bytes, _))| !bytes.is_empty())
            .map(|(way, (bytes, mono_ns))| Held { way, bytes, mono_ns });
        Some((kind, held.collect()))
    }

    fn verdict(&self, role: Role, way: Way, bytes: &[u8]) -> Verdict {
        verdict(self.joined.is_some(), role, way, bytes)
    }

    /// A call that begins like nothing: the end of it, but where the beginning was not seen.
    fn pass(&mut self, way: Way) -> Option<(Kind, Vec<Held>)> {
        match &mut self.joined {
            None | Some(0) => Some((Kind::NotHttp, Vec::new())),
            Some(left) => {
                *left -= 1;
                self.held[way as usize].0.clear();
                None
            }
        }
    }
}

fn other(way: Way) -> Way {
    match way {
        Way::Sent => Way::Received,
        Way::Received => Way::Sent,
    }
}

/// Who asks is told by the bytes; the role, which may be a guess, only where they do not tell.
fn verdict(is_joined: bool, role: Role, way: Way, bytes: &[u8]) -> Verdict {
    if look::preface(bytes) == Look::Yes {
        return Verdict::Http2(Box::new(Http2::new(way)));
    }
    if !is_joined && http2::is_server_preface(bytes) {
        return Verdict::Http2(Box::new(Http2::new(other(way))));
    }
    let looks = [look::preface(bytes), look::answer(bytes), look::request(bytes)];
    match looks {
        [Look::More, ..] => Verdict::More,
        [_, Look::Yes, _] => Verdict::Http1 { request_way: other(way) },
        [_, _, Look::Yes] => Verdict::Http1 { request_way: way },
        [_, Look::More, _] | [_, _, Look::More] => Verdict::More,
        _ if http2::may_be_server_preface(bytes) => Verdict::More,
        _ if is_joined && http2::begins_like_http2(bytes) => {
            let request_way = match role {
                Role::Client => Some(Way::Sent),
                Role::Server => Some(Way::Received),
                Role::Unknown => None,
            };
            Verdict::Http2(Box::new(Http2::joined(request_way)))
        }
        _ => Verdict::Nothing,
    }
}
