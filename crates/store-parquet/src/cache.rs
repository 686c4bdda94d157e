//! Decoded columns of files, kept for the next question up to a limit.

use std::sync::{Mutex, MutexGuard};

use hashbrown::HashMap;

use crate::segment::{ColumnId, Loaded, ScanError};

/// Names a decoded column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    pub file: i64,
    pub group: usize,
    pub column: ColumnId,
}

struct Entry {
    column: Loaded,
    bytes: u64,
    last_used: u64,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<CacheKey, Entry>,
    bytes: u64,
    clock: u64,
}

/// The cache. When it is full the columns that were unused longest go, a quarter at a time.
pub struct ColumnCache {
    bytes_max: u64,
    entries: Mutex<Entries>,
}

/// What an entry takes beside its column.
const ENTRY_BYTES: u64 = 64;

impl ColumnCache {
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, entries: Mutex::new(Entries::default()) }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The column, loaded if it is not kept. Two threads may load the same column at once; both
    /// get it.
    pub fn get_or_load(
        &self,
        key: CacheKey,
        load: impl FnOnce() -> Result<Loaded, ScanError>,
    ) -> Result<Loaded, ScanError> {
        {
            let mut entries = self.lock();
            entries.clock += 1;
            let now = entries.clock;
            if let Some(entry) = entries.by_key.get_mut(&key) {
                entry.last_used = now;
                return Ok(entry.column.clone());
            }
        }
        let column = load()?;
        let bytes = ENTRY_BYTES + column.as_ref().map_or(0, |column| column.bytes());
        if bytes <= self.bytes_max / 4 {
            self.keep(key, column.clone(), bytes);
        }
        Ok(column)
    }

    fn keep(&self, key: CacheKey, column: Loaded, bytes: u64) {
        let mut entries = self.lock();
        let last_used = entries.clock;
        let replaced = entries.by_key.insert(key, Entry { column, bytes, last_used });
        entries.bytes += bytes;
        entries.bytes -= replaced.map_or(0, |entry| entry.bytes);
        if entries.bytes > self.bytes_max {
            entries.shrink(self.bytes_max / 4 * 3);
        }
    }

    /// Forgets the columns of a file.
    pub fn forget(&self, file: i64) {
        let mut entries = self.lock();
        entries.by_key.retain(|key, _| key.file != file);
        entries.bytes = entries.by_key.values().map(|entry| entry.bytes).sum();
    }

    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.lock().bytes
    }
}

impl Entries {
    fn shrink(&mut self, target: u64) {
        let mut ages: Vec<(u64, CacheKey)> =
            self.by_key.iter().map(|(key, entry)| (entry.last_used, *key)).collect();
        ages.sort_unstable_by_key(|(last_used, _)| *last_used);
        for (_, key) in ages {
            if self.bytes <= target {
                break;
            }
            if let Some(entry) = self.by_key.remove(&key) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::segment::ColumnData;

    fn column(rows: usize) -> Loaded {
        Some(Arc::new(ColumnData::Numbers { values: vec![1; rows].into(), nulls: None }))
    }

    #[test]
    fn it_stays_below_its_limit_and_keeps_what_is_used() {
        let cache = ColumnCache::new(100_000);
        let key = |column| CacheKey { file: 1, group: 0, column };
        for id in 1..300 {
            cache.get_or_load(key(0), || Ok(column(100))).unwrap();
            cache.get_or_load(key(id), || Ok(column(100))).unwrap();
            assert!(cache.bytes() <= 100_000);
        }
        cache.get_or_load(key(0), || panic!("the column in use was dropped")).unwrap();
        let mut loaded = false;
        let load = || {
            loaded = true;
            Ok(column(100))
        };
        cache.get_or_load(key(1), load).unwrap();
        assert!(loaded, "the longest unused column was kept");
        cache.forget(1);
        assert_eq!(cache.bytes(), 0);
    }
}
