//! The times of a batch: put right where the agent's clock is not, and checked.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use weir_schema::Table;
use weir_wire::{Batch, BatchHeader};

use super::IngestError;
use super::skew::Skew;

/// How far a batch may lie in the future of the server's clock.
const AHEAD_MS_MAX: i64 = 24 * 3_600_000;
/// Longest time that one batch may speak of.
const SPAN_MS_MAX: i64 = 24 * 3_600_000;

/// Takes what the agent's clock is ahead by off all times of the batch: single requests exactly,
/// everything else by whole windows, so that windows go on beginning where others' do.
pub fn put_right(batch: &mut Batch, skew: &Skew) -> Result<(), ArrowError> {
    let ahead_ms = match batch.table {
        Table::L7Samples => skew.corrected_ms,
        _ => skew.of_windows(batch.header.window_ms),
    };
    if ahead_ms == 0 {
        return Ok(());
    }
    let header = &mut batch.header;
    header.from_ms = header.from_ms.saturating_sub(ahead_ms);
    header.to_ms = header.to_ms.saturating_sub(ahead_ms);
    let columns = batch.rows.columns().iter().map(|column| shifted(column, ahead_ms)).collect();
    batch.rows = RecordBatch::try_new(batch.rows.schema(), columns)?;
    Ok(())
}

/// A column of times, earlier by so much; any other as it is.
fn shifted(column: &ArrayRef, ahead_ms: i64) -> ArrayRef {
    match column.as_primitive_opt::<TimestampMillisecondType>() {
        Some(times) => {
            let earlier =
                times.unary::<_, TimestampMillisecondType>(|ms| ms.saturating_sub(ahead_ms));
            Arc::new(earlier.with_data_type(column.data_type().clone()))
        }
        None => column.clone(),
    }
}

/// The time that the batch speaks of: its header's range together with its rows' times.
pub fn check(batch: &Batch, now_ms: i64) -> Result<Range<i64>, IngestError> {
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
