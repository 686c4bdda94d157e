//! What a store is: the trait that every backend implements, its errors and its limits.
//!
//! Owns the contract and, behind the feature `conformance`, the suite that holds every backend to
//! it. Knows no file format and no SQL.

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;

use std::time::Duration;

use arrow_array::RecordBatch;
use weir_model::Loss;
use weir_query::{Answer, Question};
use weir_schema::Table;

pub use error::{StoreError, StoreErrorKind};

/// One batch as it is to be stored: columns of [`weir_schema::stored_schema`].
///
/// A nullable column that is missing counts as null. A column that the schema does not know, one
/// of another type, a null in a required column, bytes that are no sketch and a row whose time (see
/// [`weir_schema::Table::time_column`]) does not lie in `[from_ms, to_ms)` are
/// [`StoreErrorKind::Invalid`], and nothing of the batch is stored.
#[derive(Clone, Debug)]
pub struct StoreBatch {
    pub table: Table,
    /// The agent and its sequence number: a pair that was seen before with the same table is not
    /// stored again. So an agent never uses a number twice for a table, not even after it lost its
    /// state.
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
    /// The whole batch is older than the retention; nothing was kept, and sending it again would
    /// not help. Whoever called counts its rows as discarded.
    Expired,
}

/// State of a store, for `/status` and `/metrics`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct StoreStatus {
    pub kind: &'static str,
    pub rows: u64,
    pub bytes: u64,
    pub files: u64,
    pub journal_rows: u64,
    /// Earliest and latest time of a row that is stored.
    pub oldest_ms: Option<i64>,
    pub newest_ms: Option<i64>,
    /// The longest of the tables'.
    pub retention_s: u64,
    /// Files that were found unreadable and set aside, never deleted.
    pub corrupt_files: u64,
    /// Each table, in the order of [`weir_schema::Table::ALL`].
    pub tables: Vec<TableStatus>,
}

/// What is stored of one table.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TableStatus {
    pub table: Table,
    /// In files and in the journal.
    pub rows: u64,
    /// Of its files.
    pub bytes: u64,
    pub files: u64,
    pub journal_rows: u64,
    /// Earliest and latest time of a row.
    pub oldest_ms: Option<i64>,
    pub newest_ms: Option<i64>,
    pub retention_s: u64,
}

/// A store. Calls block; the server runs them on its blocking threads.
///
/// # What an answer means
///
/// * **Time.** A row is taken when `from_ms <= time < to_ms`; its time is the start of its window,
///   and of a single request when it began ([`weir_schema::Table::time_column`]).
/// * **Perspective.** *merged* takes every row but an incoming one with a `remote_agent` (the
///   client's row is there too), and of two rows of unknown direction that are both observed the
///   one whose `(local_ip, local_port)` is not greater than its `(remote_ip, remote_port)`
///   (addresses compared as text, an absent port first). *client* takes the outgoing and unknown
///   rows of *merged*; *server* the incoming rows; *both* every row.
/// * **Client and server.** The client is the local end, and the remote end of an incoming row.
/// * **Orientation.** A metric with a mirror (`bytes_sent`) counts client to server: of an
///   incoming row the mirror's column is read. A question that groups by a `local_*` or
///   `remote_*` field or by the entity of the local or remote end reads local to remote.
/// * **Absent values.** A metric over rows that all lack the value is `None`, never 0. Numbers are
///   `f64`, exact up to 2^53; sums saturate at 2^64 - 1.
/// * **`Formula::Last`** (`active_connections`) counts, of each agent, only the rows of its last
///   window within the range, or within the step of a series; which window that is does not
///   depend on filter or perspective.
/// * **`Formula::PerSecond`** divides by the seconds of the whole range, or of the step of a series,
///   also where a step reaches beyond the range; of a single row (filters, rows) by its window.
/// * **`Formula::Quantile`** is the estimate of the merged sketch: the same bits however rows were
///   batched, flushed or merged.
/// * **Facets** count rows; a field of either end counts a row once for each distinct value, and
///   as absent only where both ends lack it.
/// * **Groups** without `sort` come in the order of their keys. Absent metrics sort last both
///   ways. `limit` is at most [`weir_query::MAX_GROUPS`].
/// * **Series** steps are aligned to multiples of `step_ms`; rows outside the range are not
///   counted even where the first or last step reaches beyond it.
/// * **Rows** are objects with every stored column but sketches, the computed metrics, and `client_*` and
///   `server_*` for each pair of ends; what is absent is null, times are integers.
/// * **`incomplete`** of an answer holds what the store itself lacks (`corrupt`) or left out
///   (`cut`); what agents lost is [`Store::losses`].
pub trait Store: Send + Sync {
    /// Makes the batch durable, then returns.
    fn ingest(&self, batch: &StoreBatch) -> Result<Stored, StoreError>;

    /// Answers a question over everything that was acknowledged before the call.
    fn ask(&self, question: &Question) -> Result<Answer, StoreError>;

    /// Losses that were recorded with batches whose windows overlap the range, summed by agent,
    /// kind, component and reason.
    fn losses(&self, from_ms: i64, to_ms: i64) -> Result<Vec<(String, Loss)>, StoreError>;

    fn status(&self) -> Result<StoreStatus, StoreError>;

    /// Background work that is due at `now_ms`: flush, compaction, retention. Returns when to call
    /// again at the latest. The store takes no other notion of time: what is older than the
    /// retention at the latest `now_ms` is gone.
    fn maintain(&self, now_ms: i64) -> Result<Duration, StoreError>;

    /// Flushes and stops; nothing acknowledged needs it. Later calls are errors.
    fn close(&self) -> Result<(), StoreError>;
}
