//! What went missing on the way, as numbers that travel with the data.

use serde::{Deserialize, Serialize};

/// Lost: we failed to record it. Dropped: the kernel dropped a packet. Discarded: we chose not
/// to keep it. Sampled: it is counted, and what it was like is estimated from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    Lost,
    Dropped,
    Discarded,
    Sampled,
}

/// One counter of something that is missing, counted once, where it went missing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Loss {
    pub kind: LossKind,
    /// The stage that counted it: `probe_tcp`, `probe_udp`, `window`, `spool`, `ingest`...
    pub component: String,
    /// One of the component's own bounded set of reasons, snake_case.
    pub reason: String,
    pub count: u64,
}
