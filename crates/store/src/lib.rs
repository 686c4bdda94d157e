//! What a store is: the trait that every backend implements, its errors and its limits.
//!
//! Owns the contract and the conformance suite. Knows no file format and no SQL.

mod error;

use std::time::Duration;

use arrow_array::RecordBatch;
use weir_model::Loss;
use weir_query::{Answer, Question};
use weir_schema::Table;

pub use error::{StoreError, StoreErrorKind};

/// One batch as it is to be stored: columns of [`weir_schema::stored_schema`].
#[derive(Clone, Debug)]
pub struct StoreBatch {
    pub table: Table,
    /// The agent and its sequence number: a pair that was seen before is not stored again.
    pub agent: String,
    pub sequence: u64,
    pub rows: RecordBatch,
    /// What the agent lost since its previous batch; stored with the batch, so that a page can say
    /// what its data lack.
    pub losses: Vec<Loss>,
    /// Start of the batch's earliest window and end of its latest, Unix milliseconds.
    pub from_ms: i64,
    pub to_ms: i64,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Durable: it survives `kill -9` and power loss from here on.
    New,
    /// The same agent and sequence were stored before; nothing was changed.
    Duplicate,
}

/// State of a store, for `/status` and `/metrics`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct StoreStatus {
    pub kind: &'static str,
    pub rows: u64,
    pub bytes: u64,
    pub files: u64,
    pub journal_rows: u64,
    /// Earliest and latest window start that is stored.
    pub oldest_ms: Option<i64>,
    pub newest_ms: Option<i64>,
    pub retention_s: u64,
    /// Files that were found unreadable and set aside, never deleted.
    pub corrupt_files: u64,
}

/// A store. Calls block; the server runs them on its blocking threads.
pub trait Store: Send + Sync {
    /// Makes the batch durable, then returns.
    fn ingest(&self, batch: &StoreBatch) -> Result<Stored, StoreError>;

    /// Answers a question over everything that was acknowledged before the call.
    fn ask(&self, question: &Question) -> Result<Answer, StoreError>;

    /// Losses that were recorded with batches whose windows overlap the range.
    fn losses(&self, from_ms: i64, to_ms: i64) -> Result<Vec<(String, Loss)>, StoreError>;

    fn status(&self) -> Result<StoreStatus, StoreError>;

    /// Background work that is due at `now_ms`: flush, compaction, retention. Returns when to call
    /// again at the latest.
    fn maintain(&self, now_ms: i64) -> Result<Duration, StoreError>;

    /// Flushes and stops; nothing acknowledged needs it.
    fn close(&self) -> Result<(), StoreError>;
}
