//! The agent: from the probes' records to batches that a server has acknowledged.
//!
//! Owns windows, the folding of flows, who is at both ends, the spool on disk, sending, and the
//! agent's own limits and counters. Does not own the kernel side (`weir-probes`), the caches of
//! names (`weir-identity`) or the format of a batch (`weir-wire`).
//!
//! Threads of one job each, so that nothing stalls the reading of the kernel: `weir-watch` reads
//! records and closes windows, `weir-spool` writes batches to disk, `weir-send` sends them and
//! forgets what was acknowledged, `weir-place` asks the host's cloud where it is, `weir-names` asks
//! container runtimes what their containers are called. Every batch is on disk before it is sent: it survives a crash and is sent
//! again with the number it had.

mod agent;
mod backoff;
mod capabilities;
mod clock;
mod cloud;
mod cpu;
mod ends;
mod flow_ids;
mod flows;
mod http;
mod lookups;
mod losses;
mod options;
mod requests;
mod rows;
mod runtimes;
mod send;
mod source;
mod spool;
mod stats;
mod transport;
mod watch;
mod window;
mod window_sink;

pub use agent::{Agent, AgentError, AgentHandle};
pub use capabilities::{CapabilityError, KEPT_CAPABILITIES, capabilities_of, drop_capabilities};
pub use cloud::CloudOptions;
pub use http::{Credential, HttpTransport};
pub use lookups::LookupLimits;
pub use options::{AgentLimits, AgentOptions, OptionsError};
pub use requests::{ContainerNames, RequestLimits};
pub use source::{RecordSource, SourceError};
pub use spool::SpoolError;
pub use stats::AgentStats;
pub use transport::{Transport, TransportError};
/// What a control group's path means for [`AgentOptions::cgroup`].
pub use weir_identity::{ScopeError, scope_directory};
/// The probes, for the binary that starts them: an agent takes them as a [`RecordSource`].
pub use weir_l7::{Headers, HeadersError};
pub use weir_probes as probes;
