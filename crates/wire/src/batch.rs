//! A batch and its header.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use weir_model::{Loss, Place};
use weir_schema::Table;

/// What a batch says about itself. Field names are the keys of the JSON under `weir.batch`.
///
/// A field may be added without raising [`crate::FORMAT`] when it has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHeader {
    /// Version of the envelope, [`crate::FORMAT`].
    pub format: u32,
    /// Version of the columns, `weir_schema::FORMAT_VERSION` of the sender.
    pub schema_version: u32,
    /// Stable id of the sending agent.
    pub agent: String,
    /// Name of the agent's host.
    pub host: String,
    /// `/proc/sys/kernel/random/boot_id` of the agent's host.
    pub boot_id: String,
    /// Version of the agent's program.
    pub agent_version: String,
    /// Number of the batch, never used twice by one agent: (agent, sequence) names a batch for
    /// ever, so a batch that arrives twice counts once.
    pub sequence: u64,
    /// Nominal length of the window.
    pub window_ms: u32,
    /// What was really observed, milliseconds since 1970-01-01 UTC: later than the window's start
    /// when the agent began inside it, longer than `window_ms` when the agent was held up.
    pub from_ms: i64,
    /// End of what was observed, not included.
    pub to_ms: i64,
    /// The agent's wall clock when the batch was made.
    pub created_unix_ms: i64,
    /// Cluster that the agent was told it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Where the agent's host is, as its cloud says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What went missing since the batch before.
    #[serde(default)]
    pub losses: Vec<Loss>,
}

/// Rows of one table from one window of one agent. The rows may be none: the header alone says
/// that the agent lives and what it lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub table: Table,
    pub header: BatchHeader,
    /// Columns of `weir_schema::wire_schema(table)`.
    pub rows: RecordBatch,
}
