//! Takes a batch: checks it, and holds it back while too much is in memory.

use weir_store::{StoreBatch, StoreError, StoreErrorKind, Stored};

use crate::catalogue::JournalEntry;
use crate::errors::invalid;
use crate::hot::HotBatch;
use crate::journal::{Journal, encode};
use crate::maintenance;
use crate::state::Shared;

/// Most loss counters of one batch: an agent's stages times their reasons are far fewer.
const LOSSES_MAX: usize = 1_000;

/// Makes a batch durable.
pub fn ingest(
    shared: &Shared,
    journal: &Journal,
    batch: &StoreBatch,
) -> Result<Stored, StoreError> {
    check(shared, batch)?;
    let hot = HotBatch::new(batch.table, batch.to_ms, &batch.rows)?;
    if hot.rows > 0 && (hot.min_ms < batch.from_ms || hot.max_ms >= batch.to_ms) {
        return Err(invalid(format!(
            "the batch says {}..{} ms and has rows of {}..={} ms",
            batch.from_ms, batch.to_ms, hot.min_ms, hot.max_ms
        )));
    }
    make_room(shared)?;
    let entry = JournalEntry {
        table: batch.table,
        agent: batch.agent.clone(),
        sequence: batch.sequence,
        from_ms: batch.from_ms,
        to_ms: batch.to_ms,
        rows: hot.rows,
        losses: batch.losses.clone(),
        body: if hot.rows > 0 { encode(&hot.to_record_batch()?)? } else { Vec::new() },
    };
    journal.append(entry, hot)
}

fn check(shared: &Shared, batch: &StoreBatch) -> Result<(), StoreError> {
    let rows_max = shared.options.batch_rows_max;
    if batch.rows.num_rows() > rows_max {
        let rows = batch.rows.num_rows();
        return Err(invalid(format!("the batch has {rows} rows, and at most {rows_max} fit")));
    }
    let losses = batch.losses.len();
    if losses > LOSSES_MAX {
        return Err(invalid(format!(
            "the batch has {losses} losses, and at most {LOSSES_MAX} fit"
        )));
    }
    if batch.agent.is_empty() {
        return Err(invalid("the batch names no agent"));
    }
    let span_max = shared.options.batch_span_max.as_millis() as i64;
    let span = batch.to_ms.checked_sub(batch.from_ms);
    if batch.from_ms < 0 || span.is_none_or(|span| span < 0 || span > span_max) {
        return Err(invalid(format!(
            "the batch says {}..{} ms; expected from <= to, after 1970, at most {span_max} ms",
            batch.from_ms, batch.to_ms
        )));
    }
    Ok(())
}

/// Flushes when much is in memory. One caller does it while others go on, up to the hard limit,
/// where all wait.
fn make_room(shared: &Shared) -> Result<(), StoreError> {
    let full = || {
        let contents = shared.read();
        contents.hot_bytes >= shared.options.hot_bytes_max
            || contents.hot.len() >= shared.options.hot_batches_max
    };
    if full() {
        let mut progress = shared.lock_maintenance();
        if full() {
            maintenance::flush(shared, &mut progress).map_err(|error| {
                let message = "too many rows wait to be written to a file";
                StoreError::with_source(StoreErrorKind::Busy, message, error)
            })?;
        }
        return Ok(());
    }
    if shared.read().hot_bytes < shared.options.flush_bytes {
        return Ok(());
    }
    if let Ok(mut progress) = shared.maintenance.try_lock() {
        // A failure is not this batch's: it is stored in the journal, and the next one that meets
        // the hard limit says why there is no room.
        if let Err(error) = maintenance::flush(shared, &mut progress) {
            tracing::warn!(%error, "cannot write rows to a file");
        }
    }
    Ok(())
}
