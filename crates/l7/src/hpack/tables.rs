//! The static table of HPACK (RFC 7541, appendix A), and which fields are read.

use crate::headers::{HEADER_VALUE_BYTES_MAX, Headers};
use crate::request::trace_id;

/// Longest value that is kept of a name that is not known: it may be the status of gRPC.
const STATUS_BYTES_MAX: usize = 2;
const TRACEPARENT_BYTES: usize = 55;

/// The fields that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Method,
    Path,
    Status,
    /// `:scheme` and `:authority`: that they are there says that it is a request.
    Target,
    ContentType,
    GrpcStatus,
    Traceparent,
    /// Of the list of headers that are asked for, by its place there.
    Header(u8),
    /// Known, and not read.
    Other,
    /// In a part of the table that was not seen.
    Unknown,
}

impl Name {
    /// What the table keeps of a value: no query of a path, nothing that nobody asks for.
    pub(super) fn kept(self, value: &[u8]) -> &[u8] {
        match self {
            Self::Path => &value[..memchr::memchr2(b'?', b'#', value).unwrap_or(value.len())],
            Self::Unknown if value.len() > STATUS_BYTES_MAX => &[],
            Self::Header(_) => &value[..value.len().min(HEADER_VALUE_BYTES_MAX)],
            Self::Target | Self::Other => &[],
            _ => value,
        }
    }

    /// What a name that is not known must be, by a value that nothing else has.
    pub(super) fn guessed(self, value: &[u8], headers: &Headers) -> Self {
        let is_traceparent = || value.len() == TRACEPARENT_BYTES && trace_id(value).is_some();
        if self == Self::Unknown && headers.reads_traceparent() && is_traceparent() {
            Self::Traceparent
        } else {
            self
        }
    }
}

pub(super) fn name_of(name: &[u8], headers: &Headers) -> Name {
    match name {
        b":method" => Name::Method,
        b":path" => Name::Path,
        b":status" => Name::Status,
        b":scheme" | b":authority" => Name::Target,
        b"content-type" => Name::ContentType,
        b"grpc-status" => Name::GrpcStatus,
        _ if headers.is_traceparent(name) => Name::Traceparent,
        _ => headers.find(name).map_or(Name::Other, Name::Header),
    }
}

pub(super) static STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];
