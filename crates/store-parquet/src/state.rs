//! What is stored at this moment: rows in memory and files, as questions and maintenance see it.
//!
//! Owns the in-memory picture of the catalogue; the catalogue is always changed first.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use weir_query::TimeWindow;
use weir_schema::Table;
use weir_store::StoreError;

use crate::cache::ColumnCache;
use crate::catalogue::{Catalogue, FileRow};
use crate::files::corrupt_path;
use crate::hot::HotBatch;
use crate::maintenance::Progress;
use crate::options::Options;
use crate::read::StoredFile;

/// Everything that the threads of one store share.
pub struct Shared {
    pub options: Options,
    pub catalogue: Catalogue,
    pub cache: ColumnCache,
    contents: RwLock<Contents>,
    /// Held while files are written or dropped, so that one thread does it at a time.
    pub maintenance: Mutex<Progress>,
}

/// Rows and files.
#[derive(Default)]
pub struct Contents {
    pub hot: Vec<Arc<HotBatch>>,
    pub hot_bytes: u64,
    pub files: Vec<Arc<StoredFile>>,
    /// Files that were set aside.
    pub corrupt: Vec<FileRow>,
}

impl Contents {
    pub fn add_hot(&mut self, batch: Arc<HotBatch>) {
        self.hot_bytes += batch.bytes;
        self.hot.push(batch);
    }

    pub fn drop_hot(&mut self, journal_ids: &HashSet<i64>) {
        self.hot.retain(|batch| !journal_ids.contains(&batch.journal_id));
        self.hot_bytes = self.hot.iter().map(|batch| batch.bytes).sum();
    }

    /// Drops files, which are removed from disk when no question reads them any more.
    pub fn drop_files(&mut self, ids: &HashSet<i64>) {
        for file in self.files.iter().filter(|file| ids.contains(&file.row.id)) {
            file.remove_when_unused();
        }
        self.files.retain(|file| !ids.contains(&file.row.id));
    }
}

/// What a question reads: it stays readable however long the question takes.
pub struct Snapshot {
    pub hot: Vec<Arc<HotBatch>>,
    pub files: Vec<Arc<StoredFile>>,
    pub corrupt: Vec<FileRow>,
}

impl Shared {
    pub fn new(options: Options, catalogue: Catalogue) -> Self {
        Self {
            cache: ColumnCache::new(options.cache_bytes_max),
            options,
            catalogue,
            contents: RwLock::default(),
            maintenance: Mutex::default(),
        }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn lock_maintenance(&self) -> MutexGuard<'_, Progress> {
        self.maintenance.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// What overlaps a time range.
    pub fn snapshot(&self, table: Table, window: TimeWindow) -> Snapshot {
        let overlaps = |min_ms, max_ms| min_ms < window.to_ms && max_ms >= window.from_ms;
        let contents = self.read();
        let hot = contents.hot.iter();
        let files = contents.files.iter();
        let corrupt = contents.corrupt.iter();
        Snapshot {
            hot: hot
                .filter(|batch| batch.table == table && overlaps(batch.min_ms, batch.max_ms))
                .cloned()
                .collect(),
            files: files
                .filter(|file| file.row.table == table)
                .filter(|file| overlaps(file.row.min_ms, file.row.max_ms))
                .cloned()
                .collect(),
            corrupt: corrupt
                .filter(|row| row.table == table && overlaps(row.min_ms, row.max_ms))
                .cloned()
                .collect(),
        }
    }

    /// Takes a damaged file out of use. It is renamed, never deleted; where even that fails the
    /// catalogue's mark is enough.
    pub fn set_aside(&self, file: &StoredFile, reason: &str) -> Result<(), StoreError> {
        let mut contents = self.write();
        if !contents.files.iter().any(|known| known.row.id == file.row.id) {
            return Ok(());
        }
        self.catalogue.set_file_aside(file.row.id)?;
        contents.files.retain(|known| known.row.id != file.row.id);
        contents.corrupt.push(FileRow { corrupt: true, ..file.row.clone() });
        self.cache.forget(file.row.id);
        let path = file.path();
        let aside = corrupt_path(&path);
        let renamed = std::fs::rename(&path, &aside);
        tracing::error!(
            path = %path.display(),
            rows = file.row.rows,
            reason,
            renamed = renamed.is_ok(),
            "a stored file cannot be read and was set aside"
        );
        Ok(())
    }
}
