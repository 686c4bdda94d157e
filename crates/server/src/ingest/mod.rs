//! From an agent's bytes to durable rows: decode, check, resolve, store.
//!
//! Owns the one path that batches take, whether they came over HTTP or from the agent in the same
//! program, the directory of what agents said about themselves, and the registry of agents.

mod directory;
mod registry;
mod resolve;
mod seed;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use weir_schema::Table;
use weir_store::{Store, StoreBatch, StoreError, StoreErrorKind, Stored};
use weir_wire::{Batch, BatchHeader, WireError};

use crate::metrics::Metrics;
use crate::options::Limits;
use crate::problem::chain;
use crate::server::Clock;

use directory::Directory;
pub use registry::{AgentView, Registry};
pub use seed::seed;

/// How far a batch may lie in the future of the server's clock.
const AHEAD_MS_MAX: i64 = 24 * 3_600_000;
/// Longest time that one batch may speak of.
const SPAN_MS_MAX: i64 = 24 * 3_600_000;

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Not a batch, or not one of this version: sending it again will not help.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A batch whose times make no sense: sending it again will not help.
    #[error("{0}")]
    Time(String),
    #[error("the batch could not be completed: {0}")]
    Resolve(#[from] arrow_schema::ArrowError),
    #[error("the batch could not be stored: {0}")]
    Store(#[from] StoreError),
}

impl IngestError {
    /// Whether the same bytes may be taken later.
    pub fn is_temporary(&self) -> bool {
        match self {
            IngestError::Wire(_) | IngestError::Time(_) | IngestError::Resolve(_) => false,
            IngestError::Store(error) => error.kind != StoreErrorKind::Invalid,
        }
    }

    /// A bounded snake_case word for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            IngestError::Wire(error) => error.kind(),
            IngestError::Time(_) => "time",
            IngestError::Resolve(_) => "resolve",
            IngestError::Store(error) => match error.kind {
                StoreErrorKind::Invalid => "store_invalid",
                StoreErrorKind::Busy => "store_busy",
                StoreErrorKind::Io => "store_io",
                StoreErrorKind::Corrupt => "store_corrupt",
                StoreErrorKind::TooNew => "store_too_new",
            },
        }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingested {
    pub stored: Stored,
    pub agent: String,
    pub sequence: u64,
    pub rows: u64,
}

/// The ingest path. Cheap to clone; calls block until the batch is durable.
#[derive(Clone)]
pub struct Ingester(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Clock,
    limits: Limits,
    directory: Mutex<Directory>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
}

impl Ingester {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        limits: Limits,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let directory = Mutex::new(Directory::new(limits.addresses_max, limits.services_max));
        Self(Arc::new(Inner { store, clock, limits, directory, registry, metrics }))
    }

    /// Takes one batch as it was encoded by `weir-wire` and returns when it is durable.
    pub fn ingest_bytes(&self, bytes: &[u8]) -> Result<Ingested, IngestError> {
        self.ingest_sent(bytes, None)
    }

    /// As [`Self::ingest_bytes`]; `sent_unix_ms` is the agent's wall clock at sending.
    pub(crate) fn ingest_sent(
        &self,
        bytes: &[u8],
        sent_unix_ms: Option<i64>,
    ) -> Result<Ingested, IngestError> {
        let metrics = &self.0.metrics;
        metrics.batches_received.inc();
        metrics.bytes_received.inc_by(bytes.len() as u64);
        let result = self.take(bytes, sent_unix_ms);
        match &result {
            Ok(ingested) if ingested.stored == Stored::New => {
                metrics.batches_stored.inc();
                metrics.rows_stored.inc_by(ingested.rows);
            }
            Ok(ingested) => {
                let is_duplicate = ingested.stored == Stored::Duplicate;
                let reason = if is_duplicate { "duplicate" } else { "expired" };
                metrics.batches_discarded.with_label_values(&[reason]).inc();
            }
            Err(error) => {
                metrics.batches_discarded.with_label_values(&[error.reason()]).inc();
                let reason = error.reason();
                tracing::warn!(reason, error = %chain(error), "a batch was not stored");
            }
        }
        result
    }

    fn take(&self, bytes: &[u8], sent_unix_ms: Option<i64>) -> Result<Ingested, IngestError> {
        let Inner { store, clock, limits, registry, metrics, .. } = self.0.as_ref();
        let batch = weir_wire::decode(bytes, &limits.batch)?;
        let now_ms = clock();
        let times = check_times(&batch, now_ms)?;
        // A request may have begun long before the window in which its end was seen: what an agent
        // says of addresses is of now.
        let heard = match batch.table {
            Table::L7Samples => batch.header.from_ms..times.end,
            _ => times.clone(),
        };
        let rows = self.complete(&batch, &heard)?;
        let Batch { table, header, .. } = batch;
        let stored = store.ingest(&StoreBatch {
            table,
            agent: header.agent.clone(),
            sequence: header.sequence,
            losses: header.losses.clone(),
            from_ms: times.start,
            to_ms: times.end,
            rows,
        })?;
        let row_count = batch.rows.num_rows() as u64;
        if stored == Stored::New {
            for loss in &header.losses {
                count_loss(metrics, loss);
            }
        }
        let is_new = stored == Stored::New;
        registry.heard(&header, now_ms, sent_unix_ms, times.end, row_count, is_new);
        let BatchHeader { agent, sequence, .. } = header;
        Ok(Ingested { stored, agent, sequence, rows: row_count })
    }

    /// Learns from the batch what its agent says about its own host, then adds what other agents
    /// said about the far ends.
    fn complete(&self, batch: &Batch, times: &Range<i64>) -> Result<RecordBatch, IngestError> {
        let metrics = &self.0.metrics;
        let mut directory = self.0.directory.lock().unwrap_or_else(PoisonError::into_inner);
        let full = resolve::learn(&mut directory, batch, times)?;
        metrics.resolve_discarded.with_label_values(&["address"]).inc_by(full.addresses);
        metrics.resolve_discarded.with_label_values(&["service"]).inc_by(full.services);
        Ok(resolve::complete(&directory, batch, times)?)
    }

    /// Runs `learn` on the directory before the first batch.
    pub(crate) fn teach(&self, learn: impl FnOnce(&mut Directory)) {
        learn(&mut self.0.directory.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Names of losses come from agents: their number in the metrics is bounded by folding the reason
/// once there are many.
fn count_loss(metrics: &Metrics, loss: &weir_model::Loss) {
    const SERIES_MAX: usize = 500;
    let kind = format!("{:?}", loss.kind).to_lowercase();
    let is_full = prometheus::core::Collector::collect(&metrics.losses)
        .first()
        .is_some_and(|family| family.get_metric().len() >= SERIES_MAX);
    let labels = if is_full {
        [kind.as_str(), "other", "other"]
    } else {
        [kind.as_str(), loss.component.as_str(), loss.reason.as_str()]
    };
    metrics.losses.with_label_values(&labels).inc_by(loss.count);
}

/// The time that the batch speaks of: its header's range together with its rows' times.
fn check_times(batch: &Batch, now_ms: i64) -> Result<Range<i64>, IngestError> {
    let BatchHeader { from_ms, to_ms, window_ms, .. } = batch.header;
    let error = |text: String| Err(IngestError::Time(text));
    let (mut start, mut end) = (from_ms, to_ms);
    if let Some(column) = batch.rows.column_by_name(batch.table.time_column()) {
        let column = column.as_primitive_opt::<TimestampMillisecondType>();
        let times = column.into_iter().flat_map(|column| column.values().iter().copied());
        for time in times {
            start = start.min(time);
            end = end.max(time.saturating_add(1));
        }
    }
    if from_ms > to_ms || start < 0 {
        return error(format!("the batch begins at {start} ms and ends at {to_ms} ms since 1970"));
    }
    if end.saturating_sub(start) > SPAN_MS_MAX.max(i64::from(window_ms)) {
        return error(format!(
            "the batch spans {} s, the limit is {} s",
            (end - start) / 1_000,
            SPAN_MS_MAX / 1_000
        ));
    }
    if end.saturating_sub(now_ms) > AHEAD_MS_MAX {
        return error(format!(
            "the batch ends {} s in the future of this server; set the clock of host {}",
            (end - now_ms) / 1_000,
            batch.header.host
        ));
    }
    Ok(start..end)
}
