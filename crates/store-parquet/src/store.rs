//! The store itself: opening a data directory and the [`Store`] trait, wired flat.

use std::collections::HashSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir_model::Loss;
use weir_query::{Answer, Question};
use weir_schema::Table;
use weir_store::{Store, StoreBatch, StoreError, StoreErrorKind, StoreStatus, Stored, TableStatus};

use crate::catalogue::Catalogue;
use crate::exec;
use crate::files::{self, CATALOGUE, DirLock};
use crate::hot::HotBatch;
use crate::ingest::ingest;
use crate::journal::{Journal, decode};
use crate::maintenance;
use crate::options::Options;
use crate::read::StoredFile;
use crate::state::{Contents, Shared};

/// The embedded store over one data directory.
///
/// Dropping it without [`Store::close`] loses nothing: what is not in a file is in the journal.
pub struct ParquetStore {
    shared: Arc<Shared>,
    journal: Journal,
    is_closed: AtomicBool,
    lock: Mutex<Option<DirLock>>,
}

impl ParquetStore {
    /// Opens a data directory, creating it where it does not exist, and reads the journal.
    ///
    /// `Busy`: another process has it open. `Io`: it cannot be created, read or written.
    /// `TooNew`: a newer program wrote it. `Corrupt`: the catalogue is damaged or not a catalogue.
    pub fn open(options: Options) -> Result<Self, StoreError> {
        files::create_data_dir(&options.data_dir)?;
        let lock = files::lock(&options.data_dir)?;
        let catalogue = Catalogue::open(&options.data_dir.join(CATALOGUE))?;
        // The names of a new directory's files are to survive power loss as their contents do.
        files::sync_dir(&options.data_dir)?;
        let shared = Arc::new(Shared::new(options, catalogue));
        load_files(&shared)?;
        load_journal(&shared)?;
        let journal = Journal::start(shared.clone())?;
        Ok(Self {
            shared,
            journal,
            is_closed: AtomicBool::new(false),
            lock: Mutex::new(Some(lock)),
        })
    }

    fn check_open(&self) -> Result<(), StoreError> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(StoreError::new(StoreErrorKind::Io, "the store is closed"));
        }
        Ok(())
    }
}

fn load_files(shared: &Shared) -> Result<(), StoreError> {
    let mut known = HashSet::new();
    let mut contents = shared.write();
    for row in shared.catalogue.files()? {
        known.insert(shared.data_dir().join(&row.path));
        if row.corrupt {
            contents.corrupt.push(row);
        } else {
            let file = StoredFile::new(shared.data_dir().to_owned(), row);
            contents.files.push(Arc::new(file));
        }
    }
    for table in Table::ALL {
        let removed = files::remove_orphans(shared.data_dir(), table, &known)?;
        if removed > 0 {
            tracing::info!(removed, "removed files of an interrupted flush");
        }
    }
    Ok(())
}

fn load_journal(shared: &Shared) -> Result<(), StoreError> {
    let mut contents = shared.write();
    for row in shared.catalogue.journal()? {
        let batch = decode(&row.body).and_then(|rows| HotBatch::new(row.table, row.to_ms, &rows));
        match batch {
            Ok(batch) => contents.add_hot(Arc::new(batch.journalled(row.id))),
            Err(error) => {
                tracing::error!(id = row.id, %error, "a journalled batch cannot be read");
                shared.catalogue.set_journal_row_aside(row.id)?;
            }
        }
    }
    Ok(())
}

fn table_status(table: Table, contents: &Contents, options: &Options) -> TableStatus {
    let files = contents.files.iter().map(|file| &file.row).filter(|row| row.table == table);
    let hot = contents.hot.iter().filter(|batch| batch.table == table);
    let journal_rows: u64 = hot.clone().map(|batch| batch.rows as u64).sum();
    let oldest = files.clone().map(|row| row.min_ms).chain(hot.clone().map(|b| b.min_ms));
    let newest = files.clone().map(|row| row.max_ms).chain(hot.map(|b| b.max_ms));
    TableStatus {
        table,
        rows: files.clone().map(|row| row.rows).sum::<u64>() + journal_rows,
        bytes: files.clone().map(|row| row.bytes).sum(),
        files: files.count() as u64,
        journal_rows,
        oldest_ms: oldest.min(),
        newest_ms: newest.max(),
        retention_s: options.retention_of(table).as_secs(),
    }
}

impl Store for ParquetStore {
    fn ingest(&self, batch: &StoreBatch) -> Result<Stored, StoreError> {
        self.check_open()?;
        ingest(&self.shared, &self.journal, batch)
    }

    fn ask(&self, question: &Question) -> Result<Answer, StoreError> {
        self.check_open()?;
        exec::ask(&self.shared, question)
    }

    fn losses(&self, from_ms: i64, to_ms: i64) -> Result<Vec<(String, Loss)>, StoreError> {
        self.check_open()?;
        self.shared.catalogue.losses(from_ms, to_ms)
    }

    fn status(&self) -> Result<StoreStatus, StoreError> {
        let options = &self.shared.options;
        let on_disk = |name: String| {
            fs::metadata(options.data_dir.join(name)).map_or(0, |metadata| metadata.len())
        };
        let catalogue = on_disk(CATALOGUE.to_owned()) + on_disk(format!("{CATALOGUE}-wal"));
        let contents = self.shared.read();
        let tables: Vec<TableStatus> =
            Table::ALL.into_iter().map(|table| table_status(table, &contents, options)).collect();
        let sum = |of: fn(&TableStatus) -> u64| tables.iter().map(of).sum::<u64>();
        Ok(StoreStatus {
            kind: "parquet",
            rows: sum(|table| table.rows),
            bytes: sum(|table| table.bytes) + catalogue,
            files: sum(|table| table.files),
            journal_rows: sum(|table| table.journal_rows),
            oldest_ms: tables.iter().filter_map(|table| table.oldest_ms).min(),
            newest_ms: tables.iter().filter_map(|table| table.newest_ms).max(),
            retention_s: tables.iter().map(|table| table.retention_s).max().unwrap_or(0),
            corrupt_files: contents.corrupt.len() as u64,
            tables,
        })
    }

    fn maintain(&self, now_ms: i64) -> Result<Duration, StoreError> {
        self.check_open()?;
        maintenance::maintain(&self.shared, now_ms)
    }

    fn close(&self) -> Result<(), StoreError> {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.journal.stop();
        let flushed = {
            let mut progress = self.shared.lock_maintenance();
            maintenance::flush(&self.shared, &mut progress)
        };
        let checkpointed = self.shared.catalogue.checkpoint();
        if let Ok(mut lock) = self.lock.lock() {
            *lock = None;
        }
        flushed.and(checkpointed)
    }
}
