//! Requests and their answers, out of the payload of TCP connections: HTTP/1, HTTP/2, gRPC.
//!
//! Owns the state of one connection's conversation and the folding of paths into templates. Does
//! no IO and knows no clock: payload comes in call by call with its time, exchanges go out as
//! they end. Keeps nothing of bodies and query strings, and of headers only those of a list,
//! which is `traceparent` unless somebody says otherwise.
//!
//! A probe copies only some bytes of each call, so everything here lives with holes: bodies
//! are stepped over by their length, and where the length is in the hole, the next call that
//! begins like a message is where reading goes on. What a hole swallowed is counted.

mod connection;
mod headers;
pub mod hpack;
mod http1;
mod http2;
mod look;
mod losses;
mod request;
mod skim;
mod templates;

pub use connection::{Connection, JOIN_CALLS_MAX};
pub use headers::{HEADER_NAME_BYTES_MAX, HEADER_VALUE_BYTES_MAX, Headers, HeadersError};
pub use losses::{Reason, Unparsed};
pub use request::PATH_BYTES_MAX;
pub use skim::{Skim, Skimmed};
pub use templates::{
    CHILDREN_MAX, OTHER, ROOT_CHILDREN_MAX, TEMPLATES_MAX, TEMPLATES_PER_SERVICE_MAX, Templates,
};
