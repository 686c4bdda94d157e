//! What an operator can set, with defaults and the behaviour at each limit.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use weir_schema::Table;

const MIB: u64 = 1024 * 1024;
const HOUR: Duration = Duration::from_secs(3_600);

/// Options of [`crate::ParquetStore::open`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Created if it does not exist.
    pub data_dir: PathBuf,
    /// How long rows are kept, by table; [`Options::RETENTION_DEFAULT`] where a table is not
    /// named. Whole files of one hour are dropped, so up to an hour more is kept. At least 1 h.
    pub retention: HashMap<Table, Duration>,
    /// Bytes of rows in memory and journal from which a flush begins. Default 48 MiB.
    pub flush_bytes: u64,
    /// Age from which rows are flushed however few they are. Default 10 min.
    pub flush_age: Duration,
    /// Most bytes of rows in memory and journal. An ingest that meets it waits for a flush, and is
    /// an error of kind `Busy` where flushing does not help. Default 128 MiB.
    pub hot_bytes_max: u64,
    /// Most batches in memory and journal; as `hot_bytes_max`. Default 4,096.
    pub hot_batches_max: usize,
    /// Most rows of one batch; a larger one is `Invalid`. Default 1,000,000.
    pub batch_rows_max: usize,
    /// Longest time that the windows of one batch span; a longer one is `Invalid`. Default 24 h.
    pub batch_span_max: Duration,
    /// Most rows that compaction puts into one file. Default 524,288.
    pub file_rows_max: usize,
    /// Most rows of a row group: the unit of skipping, decoding and of work for a thread. Default
    /// 131,072.
    pub row_group_rows_max: usize,
    /// Most bytes of decoded columns kept for the next question; the longest unused go first.
    /// Default 128 MiB.
    pub cache_bytes_max: u64,
    /// Most groups that one question keeps apart; rows of further groups count in totals only, and
    /// the answer says so. Default 1,000,000.
    pub groups_max: usize,
    /// Most memory that the sketches of one question take on each of its threads; a question that
    /// needs more is `Invalid`. Default 64 MiB: quantiles of some 150,000 groups.
    pub sketch_bytes_max: u64,
    /// Most threads that work on one question. Default 2, or 1 on one processor.
    pub question_threads_max: usize,
    /// Rows that a thread must have to do for its start to pay. Default 50,000.
    pub thread_rows_min: usize,
}

impl Options {
    /// 48 hours.
    pub const RETENTION_DEFAULT: Duration = Duration::from_secs(48 * 3_600);

    /// Defaults for a data directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            data_dir: data_dir.into(),
            retention: HashMap::new(),
            flush_bytes: 48 * MIB,
            flush_age: Duration::from_secs(600),
            hot_bytes_max: 128 * MIB,
            hot_batches_max: 4_096,
            batch_rows_max: 1_000_000,
            batch_span_max: 24 * HOUR,
            file_rows_max: 524_288,
            row_group_rows_max: 131_072,
            cache_bytes_max: 128 * MIB,
            groups_max: 1_000_000,
            sketch_bytes_max: 64 * MIB,
            question_threads_max: processors.min(2),
            thread_rows_min: 50_000,
        }
    }

    /// How long rows of a table are kept.
    pub fn retention_of(&self, table: Table) -> Duration {
        self.retention.get(&table).copied().unwrap_or(Self::RETENTION_DEFAULT).max(HOUR)
    }
}
