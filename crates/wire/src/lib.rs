//! Batches between agent and server: one window's rows and a header, as bytes and back.
//!
//! Owns the envelope: an Arrow IPC stream with exactly one record batch, its buffers compressed
//! with zstd, and the header as JSON in the schema's metadata under `weir.batch`. Does not own the
//! columns (`weir-schema`), the transport or the spool (`weir-agent`), nor what a server does with
//! a batch.
//!
//! Two numbers carry the compatibility. `format` is the envelope's: a reader refuses a newer one.
//! `schema_version` is that of the columns: columns a reader does not know are ignored, columns
//! that the sender did not know yet are filled with nulls, so neither side waits for the other.

mod batch;
mod decode;
mod encode;
mod error;
mod frames;
mod layout;

pub use batch::{Batch, BatchHeader};
pub use decode::{Limits, decode};
pub use encode::encode;
pub use error::WireError;

/// Version of the envelope. It only grows when an older server could misread a batch.
pub const FORMAT: u32 = 1;

/// Content type of a batch.
pub const CONTENT_TYPE: &str = "application/vnd.apache.arrow.stream";

/// HTTP request header with the agent's wall clock at the time of sending, milliseconds since
/// 1970-01-01 UTC. A batch may have waited in a spool, so the clocks are compared by this and not
/// by [`BatchHeader::created_unix_ms`].
pub const SENT_UNIX_MS_HEADER: &str = "weir-sent-unix-ms";

/// Word of the problem type, after `urn:weir:problem:`, by which a server refuses a batch that says
/// another cluster than the token that it came with.
pub const FOREIGN_CLUSTER: &str = "foreign-cluster";

/// Path of the call that takes batches.
pub const INGEST_PATH: &str = "/api/v1/ingest";
