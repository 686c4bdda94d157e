//! Requests and their answers, as seen at one end of a TCP connection.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::flow::{Endpoint, Netns, Process, Role, text_enum};

/// Most headers that can be asked for, `traceparent` not counted.
pub const HEADERS_MAX: usize = 8;

text_enum! {
    /// What a connection speaks. gRPC is told apart from other HTTP/2 request by request.
    L7Protocol { Http10 = "http/1.0", Http11 = "http/1.1", Http2 = "http/2", Grpc = "grpc" }
}

text_enum! {
    /// Which way bytes went, as the local end sees it.
    Way { Sent = "sent", Received = "received" }
}

text_enum! {
    /// How a request ended. `unanswered`: the connection ended, or the wait did, before a status
    /// line came. `aborted`: the answer had begun and the connection ended in the middle of it.
    Outcome { Answered = "answered", Unanswered = "unanswered", Aborted = "aborted" }
}

/// The ends of a connection whose payload is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct L7Ends {
    pub role: Role,
    pub local: Endpoint,
    pub remote: Endpoint,
    /// As in [`crate::L4Record`].
    pub dialled: Option<Endpoint>,
    pub netns: Netns,
    pub cgroup_id: Option<u64>,
    pub process: Option<Process>,
    /// Whether the payload was read inside a TLS library.
    pub is_tls: bool,
}

/// What one call passed through a connection, in the order in which it was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    pub way: Way,
    /// Nanoseconds since boot at which the call ended.
    pub mono_ns: u64,
    /// Bytes that were passed.
    pub length: u32,
    /// The first of them, at most what the probe copies.
    pub bytes: &'a [u8],
}

/// What a request asks for; those of one head share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// As sent, at most 16 bytes; empty where it was not seen.
    pub method: Cow<'static, str>,
    /// Without query and fragment; empty where it was not seen.
    pub path: String,
    /// 32 hexadecimal digits, from `traceparent` (W3C Trace Context).
    pub trace_id: Option<String>,
    /// The headers that are looked for, each a line `name: value` with the name in small letters;
    /// at most [`HEADERS_MAX`].
    pub headers: String,
}

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    pub protocol: L7Protocol,
    pub asked: Arc<Asked>,
    /// Of the final answer: a 1xx that is not final is none.
    pub status: Option<u16>,
    /// gRPC's own status, from the trailers.
    pub grpc_status: Option<u16>,
    pub outcome: Outcome,
    /// Nanoseconds since boot at which the request's first byte was passed.
    pub began_ns: u64,
    /// First byte of the request to first byte of the answer; absent without an answer.
    pub response_us: Option<u64>,
}

impl Exchange {
    /// HTTP 4xx and 5xx; gRPC with any status but 0; whatever was not answered to its end.
    pub fn is_error(&self) -> bool {
        self.outcome != Outcome::Answered
            || self.status.is_some_and(|status| status >= 400)
            || self.grpc_status.is_some_and(|status| status != 0)
    }
}
