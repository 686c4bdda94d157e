//! Flush, compaction and retention.
//!
//! Each writes whole files first, then changes the catalogue in one transaction, then the picture
//! in memory. Interrupted anywhere, the catalogue names a consistent set.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use weir_schema::Table;
use weir_store::StoreError;

use crate::catalogue::FileRow;
use crate::files::{HOUR_MS, hour_of};
use crate::hot::HotBatch;
use crate::merge::{Part, merge};
use crate::read::StoredFile;
use crate::segment::{ScanError, Segment, View};
use crate::state::Shared;
use crate::write::{Layout, write_file};

/// How long after its end an hour is compacted: late batches have come in by then.
const COMPACT_AFTER_MS: i64 = 600_000;
/// How often maintenance wants to be called when nothing is pressing.
const IDLE: Duration = Duration::from_secs(10);

/// Rows of several segments: each segment's place, and its rows that take part.
type Parts = Vec<(usize, Vec<u32>)>;

/// What maintenance remembers between calls.
#[derive(Default)]
pub struct Progress {
    /// When rows in memory were first seen by [`maintain`].
    hot_since_ms: Option<i64>,
    /// Up to when each table was expired.
    expired_ms: HashMap<Table, i64>,
}

/// Everything that is due at `now_ms`.
pub fn maintain(shared: &Shared, now_ms: i64) -> Result<Duration, StoreError> {
    let mut progress = shared.lock_maintenance();
    for table in Table::ALL {
        expire(shared, &mut progress, table, now_ms)?;
    }
    let (hot_bytes, is_empty) = {
        let contents = shared.read();
        (contents.hot_bytes, contents.hot.is_empty())
    };
    if is_empty {
        progress.hot_since_ms = None;
    } else {
        let since = *progress.hot_since_ms.get_or_insert(now_ms);
        let age = Duration::from_millis(now_ms.saturating_sub(since).max(0) as u64);
        if hot_bytes >= shared.options.flush_bytes || age >= shared.options.flush_age {
            flush(shared, &mut progress)?;
        }
    }
    for table in Table::ALL {
        if compact_one(shared, table, now_ms)? {
            return Ok(Duration::ZERO);
        }
    }
    Ok(IDLE)
}

/// Writes all rows in memory to files, one an hour.
pub fn flush(shared: &Shared, progress: &mut Progress) -> Result<(), StoreError> {
    let hot: Vec<Arc<HotBatch>> = shared.read().hot.clone();
    if hot.is_empty() {
        return Ok(());
    }
    let ids: HashSet<i64> = hot.iter().map(|batch| batch.journal_id).collect();
    let mut added = Vec::new();
    for table in Table::ALL {
        let segments: Vec<Segment> = hot
            .iter()
            .filter(|batch| batch.table == table)
            .map(|batch| Segment::hot(batch.clone()))
            .collect();
        for (hour_ms, rows) in rows_by_hour(shared, &segments).map_err(store_error)? {
            added.push(write_hour(shared, table, hour_ms, &segments, rows).map_err(store_error)?);
        }
    }
    let journal: Vec<i64> = ids.iter().copied().collect();
    let rows: Vec<FileRow> = added.iter().map(|file| file.row.clone()).collect();
    if let Err(error) = shared.catalogue.swap(&rows, &journal, &[]) {
        added.iter().for_each(|file| file.remove_when_unused());
        return Err(error);
    }
    let mut contents = shared.write();
    contents.drop_hot(&ids);
    contents.files.extend(added);
    progress.hot_since_ms = None;
    Ok(())
}

/// Of each hour, the rows of each segment (by place) that lie in it.
fn rows_by_hour(shared: &Shared, segments: &[Segment]) -> Result<BTreeMap<i64, Parts>, ScanError> {
    let mut hours: BTreeMap<i64, Parts> = BTreeMap::new();
    for (place, segment) in segments.iter().enumerate() {
        let view = View::new(segment, &shared.cache);
        let Some(times) = view.times()? else { continue };
        for (row, time) in times.iter().enumerate() {
            let parts = hours.entry(hour_of(*time as i64)).or_default();
            match parts.last_mut() {
                Some((last, rows)) if *last == place => rows.push(row as u32),
                _ => parts.push((place, vec![row as u32])),
            }
        }
    }
    Ok(hours)
}

fn write_hour(
    shared: &Shared,
    table: Table,
    hour_ms: i64,
    segments: &[Segment],
    rows: Parts,
) -> Result<Arc<StoredFile>, ScanError> {
    let part = |(place, rows)| {
        let segment: &Segment = &segments[place];
        Part { view: View::new(segment, &shared.cache), rows }
    };
    let parts: Vec<Part> = rows.into_iter().map(part).collect();
    let merged = merge(table, &parts)?;
    let id = shared.catalogue.next_file_id()?;
    let row_group_rows_max = shared.options.row_group_rows_max;
    let layout = Layout { table, hour_ms, id, row_group_rows_max };
    let row = write_file(shared.data_dir(), &layout, &merged)?;
    Ok(Arc::new(StoredFile::new(shared.data_dir().to_owned(), row)))
}

/// Joins the small files of one past hour. Says whether there was something to do.
fn compact_one(shared: &Shared, table: Table, now_ms: i64) -> Result<bool, StoreError> {
    let Some(files) = files_to_join(shared, table, now_ms) else { return Ok(false) };
    match join_files(shared, table, &files) {
        Ok(joined) => {
            let replaced: Vec<i64> = files.iter().map(|file| file.row.id).collect();
            if let Err(error) =
                shared.catalogue.swap(std::slice::from_ref(&joined.row), &[], &replaced)
            {
                joined.remove_when_unused();
                return Err(error);
            }
            let mut contents = shared.write();
            contents.drop_files(&replaced.iter().copied().collect());
            contents.files.push(joined);
            drop(contents);
            replaced.iter().for_each(|id| shared.cache.forget(*id));
            Ok(true)
        }
        Err(ScanError::Corrupt { file, reason }) => {
            shared.set_aside(&file, &reason)?;
            Ok(true)
        }
        Err(ScanError::Store(error)) => Err(error),
    }
}

fn files_to_join(shared: &Shared, table: Table, now_ms: i64) -> Option<Vec<Arc<StoredFile>>> {
    let rows_max = shared.options.file_rows_max as u64;
    let mut hours: BTreeMap<i64, Vec<Arc<StoredFile>>> = BTreeMap::new();
    for file in &shared.read().files {
        let is_over = file.row.hour_ms + HOUR_MS + COMPACT_AFTER_MS <= now_ms;
        if file.row.table == table && is_over && file.row.rows <= rows_max / 2 {
            hours.entry(file.row.hour_ms).or_default().push(file.clone());
        }
    }
    for mut files in hours.into_values() {
        files.sort_unstable_by_key(|file| file.row.rows);
        let mut rows = 0;
        files.retain(|file| {
            rows += file.row.rows;
            rows <= rows_max
        });
        if files.len() > 1 {
            return Some(files);
        }
    }
    None
}

fn join_files(
    shared: &Shared,
    table: Table,
    files: &[Arc<StoredFile>],
) -> Result<Arc<StoredFile>, ScanError> {
    let mut segments = Vec::new();
    for file in files {
        segments.extend(file.segments()?);
    }
    let whole = |(place, segment): (usize, &Segment)| (place, (0..segment.rows as u32).collect());
    let rows = segments.iter().enumerate().map(whole).collect();
    let hour_ms = files.first().map_or(0, |file| file.row.hour_ms);
    write_hour(shared, table, hour_ms, &segments, rows)
}

/// Drops files whose hour has left the retention, and what the journal holds of the same age.
fn expire(
    shared: &Shared,
    progress: &mut Progress,
    table: Table,
    now_ms: i64,
) -> Result<(), StoreError> {
    let retention_ms = shared.options.retention_of(table).as_millis() as i64;
    let expired_ms = hour_of(now_ms.saturating_sub(retention_ms));
    let done_ms = progress.expired_ms.get(&table).copied().unwrap_or(0);
    if expired_ms <= done_ms {
        return Ok(());
    }
    let mut contents = shared.write();
    let is_old = |row: &FileRow| row.table == table && row.hour_ms + HOUR_MS <= expired_ms;
    let files: Vec<i64> =
        contents.files.iter().filter(|f| is_old(&f.row)).map(|f| f.row.id).collect();
    shared.catalogue.expire(table, expired_ms, &files)?;
    contents.drop_files(&files.iter().copied().collect());
    let old = contents.hot.iter().filter(|b| b.table == table && b.to_ms <= expired_ms);
    let hot = old.map(|batch| batch.journal_id).collect();
    contents.drop_hot(&hot);
    drop(contents);
    progress.expired_ms.insert(table, expired_ms);
    files.iter().for_each(|id| shared.cache.forget(*id));
    Ok(())
}

fn store_error(error: ScanError) -> StoreError {
    match error {
        ScanError::Store(error) => error,
        ScanError::Corrupt { file, reason } => StoreError::new(
            weir_store::StoreErrorKind::Corrupt,
            format!("cannot read {}: {reason}", file.path().display()),
        ),
    }
}
