//! The SQLite database: journal of acknowledged batches, catalogue of files, sequences seen and
//! losses.
//!
//! Owns every SQL statement. Knows nothing of the files' contents or of rows in memory.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use weir_model::{Loss, LossKind};
use weir_schema::{FORMAT_VERSION, Table};
use weir_store::{StoreError, StoreErrorKind, Stored};

use crate::errors::sqlite_error;

/// Version of the tables below, in `PRAGMA user_version`.
const CATALOGUE_VERSION: i64 = 1;
/// Largest count of one loss that is stored; a thousand of them still add up in SQLite's integers.
const LOSS_COUNT_MAX: u64 = 1 << 53;
/// `PRAGMA application_id`: "Weir".
const APPLICATION_ID: i64 = 0x5765_6972;

const TABLES: &str = "
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tbl TEXT NOT NULL,
    format INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    unreadable INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE sequences (
    tbl TEXT NOT NULL,
    agent TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    PRIMARY KEY (tbl, agent, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE losses (
    tbl TEXT NOT NULL,
    agent TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    component TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL
) STRICT;
CREATE INDEX losses_time ON losses (to_ms);
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    tbl TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    format INTEGER NOT NULL,
    hour_ms INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    min_ms INTEGER NOT NULL,
    max_ms INTEGER NOT NULL,
    window_ms_max INTEGER NOT NULL,
    corrupt INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE expired (
    tbl TEXT PRIMARY KEY,
    to_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE next_file (id INTEGER NOT NULL) STRICT;
INSERT INTO next_file VALUES (1);
";

/// A batch on its way into the journal.
pub struct JournalEntry {
    pub table: Table,
    pub agent: String,
    pub sequence: u64,
    pub from_ms: i64,
    pub to_ms: i64,
    pub rows: usize,
    pub losses: Vec<Loss>,
    /// What [`crate::journal::decode`] reads.
    pub body: Vec<u8>,
}

/// A batch as the journal holds it.
pub struct JournalRow {
    pub id: i64,
    pub table: Table,
    pub to_ms: i64,
    pub body: Vec<u8>,
}

/// One Parquet file as the catalogue names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    pub id: i64,
    pub table: Table,
    /// Relative to the data directory.
    pub path: PathBuf,
    pub format: u32,
    pub hour_ms: i64,
    pub rows: u64,
    pub bytes: u64,
    pub crc32: u32,
    /// Earliest and latest time of a row.
    pub min_ms: i64,
    pub max_ms: i64,
    pub window_ms_max: i64,
    pub corrupt: bool,
}

/// The open database.
pub struct Catalogue {
    connection: Mutex<Connection>,
}

impl Catalogue {
    /// Opens the database, creating it where it does not exist.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let tried = format!("open catalogue {}", path.display());
        let connection = Connection::open(path).map_err(|e| sqlite_error(&tried, e))?;
        let catalogue = Self { connection: Mutex::new(connection) };
        catalogue.prepare(path).map_err(|error| match error {
            PrepareError::Sqlite(error) => sqlite_error(&tried, error),
            PrepareError::Store(error) => error,
        })?;
        Ok(catalogue)
    }

    fn prepare(&self, path: &Path) -> Result<(), PrepareError> {
        let mut connection = self.lock();
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        let application: i64 = connection.query_row("PRAGMA application_id", [], |r| r.get(0))?;
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
        if tables > 0 && application != APPLICATION_ID {
            let message = format!("{} is not a catalogue of weir", path.display());
            return Err(StoreError::new(StoreErrorKind::Corrupt, message).into());
        }
        if version > CATALOGUE_VERSION {
            return Err(too_new(path, "catalogue version", version, CATALOGUE_VERSION).into());
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        if tables == 0 {
            let transaction = connection.transaction()?;
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", CATALOGUE_VERSION)?;
            transaction.commit()?;
        }
        let format: i64 = connection.query_row(
            "SELECT coalesce(max(format), 0)
             FROM (SELECT format FROM files UNION ALL SELECT format FROM journal)",
            [],
            |r| r.get(0),
        )?;
        if format > i64::from(FORMAT_VERSION) {
            return Err(too_new(path, "row format", format, FORMAT_VERSION.into()).into());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn transact<T>(
        &self,
        tried: &str,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let result = connection.transaction().and_then(|transaction| {
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        result.map_err(|error| sqlite_error(tried, error))
    }

    /// Commits batches to the journal, all or none. Of each: what became of it, and its journal id
    /// if it is new.
    pub fn append(&self, entries: &[&JournalEntry]) -> Result<Vec<(Stored, i64)>, StoreError> {
        self.transact("write to the journal", |transaction| {
            entries.iter().map(|entry| append_one(transaction, entry)).collect()
        })
    }

    /// The readable batches of the journal, oldest first.
    pub fn journal(&self) -> Result<Vec<JournalRow>, StoreError> {
        let connection = self.lock();
        let read = || {
            let mut statement = connection.prepare(
                "SELECT id, tbl, to_ms, body FROM journal WHERE unreadable = 0 ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = read().map_err(|error| sqlite_error("read the journal", error))?;
        let mut out = Vec::with_capacity(rows.len());
        for (id, table, to_ms, body) in rows {
            out.push(JournalRow { id, table: known_table(&table)?, to_ms, body });
        }
        Ok(out)
    }

    /// Keeps a journal row that cannot be decoded, but never reads it again.
    pub fn set_journal_row_aside(&self, id: i64) -> Result<(), StoreError> {
        self.transact("mark a journal row", |transaction| {
            transaction.execute("UPDATE journal SET unreadable = 1 WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    /// Every file, those that were set aside included.
    pub fn files(&self) -> Result<Vec<FileRow>, StoreError> {
        let connection = self.lock();
        let read = || {
            let mut statement = connection.prepare(
                "SELECT id, tbl, path, format, hour_ms, row_count, bytes, crc32, min_ms, max_ms,
                        window_ms_max, corrupt
                 FROM files ORDER BY hour_ms, id",
            )?;
            let rows = statement.query_map([], |row| {
                let table: String = row.get(1)?;
                let file = FileRow {
                    id: row.get(0)?,
                    table: Table::L4Flows,
                    path: PathBuf::from(row.get::<_, String>(2)?),
                    format: row.get(3)?,
                    hour_ms: row.get(4)?,
                    rows: row.get(5)?,
                    bytes: row.get(6)?,
                    crc32: row.get(7)?,
                    min_ms: row.get(8)?,
                    max_ms: row.get(9)?,
                    window_ms_max: row.get(10)?,
                    corrupt: row.get(11)?,
                };
                Ok((table, file))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = read().map_err(|error| sqlite_error("read the catalogue", error))?;
        let mut out = Vec::with_capacity(rows.len());
        for (table, file) in rows {
            out.push(FileRow { table: known_table(&table)?, ..file });
        }
        Ok(out)
    }

    /// A number that no file had before.
    pub fn next_file_id(&self) -> Result<i64, StoreError> {
        self.transact("number a file", |transaction| {
            let next = "UPDATE next_file SET id = id + 1 RETURNING id - 1";
            transaction.query_row(next, [], |row| row.get(0))
        })
    }

    /// Enters `add` and drops the journal rows and files that it replaces, all or nothing.
    pub fn swap(
        &self,
        add: &[FileRow],
        drop_journal: &[i64],
        drop_files: &[i64],
    ) -> Result<(), StoreError> {
        self.transact("swap files in the catalogue", |transaction| {
            for file in add {
                insert_file(transaction, file)?;
            }
            let mut journal = transaction.prepare("DELETE FROM journal WHERE id = ?1")?;
            for id in drop_journal {
                journal.execute([id])?;
            }
            let mut files = transaction.prepare("DELETE FROM files WHERE id = ?1")?;
            for id in drop_files {
                files.execute([id])?;
            }
            Ok(())
        })
    }

    /// Marks a file as set aside.
    pub fn set_file_aside(&self, id: i64) -> Result<(), StoreError> {
        self.transact("mark a file as corrupt", |transaction| {
            transaction.execute("UPDATE files SET corrupt = 1 WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    /// Forgets what ended at or before `expired_ms`: journal rows, sequences, losses and the named
    /// files. From here on a batch that old is [`Stored::Expired`], so that forgetting its
    /// sequence cannot make it count twice.
    pub fn expire(
        &self,
        table: Table,
        expired_ms: i64,
        drop_files: &[i64],
    ) -> Result<(), StoreError> {
        self.transact("expire old data", |transaction| {
            transaction.execute(
                "INSERT INTO expired (tbl, to_ms) VALUES (?1, ?2)
                 ON CONFLICT (tbl) DO UPDATE SET to_ms = max(to_ms, ?2)",
                params![table.name(), expired_ms],
            )?;
            for name in ["journal", "sequences", "losses"] {
                let delete = format!("DELETE FROM {name} WHERE tbl = ?1 AND to_ms <= ?2");
                transaction.execute(&delete, params![table.name(), expired_ms])?;
            }
            for id in drop_files {
                transaction.execute("DELETE FROM files WHERE id = ?1", [id])?;
            }
            Ok(())
        })
    }

    /// Losses of batches that overlap `[from_ms, to_ms)`, summed.
    pub fn losses(&self, from_ms: i64, to_ms: i64) -> Result<Vec<(String, Loss)>, StoreError> {
        let connection = self.lock();
        let read = || {
            let mut statement = connection.prepare(
                "SELECT agent, kind, component, reason, sum(count) FROM losses
                 WHERE to_ms > ?1 AND from_ms < ?2
                 GROUP BY agent, kind, component, reason ORDER BY 1, 2, 3, 4",
            )?;
            let rows = statement.query_map([from_ms, to_ms], |row| {
                let kind: String = row.get(1)?;
                let loss = Loss {
                    kind: loss_kind(&kind),
                    component: row.get(2)?,
                    reason: row.get(3)?,
                    count: row.get(4)?,
                };
                Ok((row.get(0)?, loss))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| sqlite_error("read losses", error))
    }

    /// Moves the write-ahead log into the database file and empties it.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let connection = self.lock();
        let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        done.map_err(|error| sqlite_error("checkpoint the catalogue", error))
    }
}

enum PrepareError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for PrepareError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for PrepareError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn too_new(path: &Path, what: &str, found: i64, known: i64) -> StoreError {
    let message = format!(
        "{} has {what} {found}, and this program knows up to {known}; run the newer program",
        path.display()
    );
    StoreError::new(StoreErrorKind::TooNew, message)
}

fn known_table(name: &str) -> Result<Table, StoreError> {
    Table::parse(name).ok_or_else(|| {
        let message = format!("the catalogue names table {name:?}, which this program lacks");
        StoreError::new(StoreErrorKind::TooNew, message)
    })
}

fn loss_kind(name: &str) -> LossKind {
    match name {
        "dropped" => LossKind::Dropped,
        "discarded" => LossKind::Discarded,
        "sampled" => LossKind::Sampled,
        _ => LossKind::Lost,
    }
}

fn loss_kind_name(kind: LossKind) -> &'static str {
    match kind {
        LossKind::Lost => "lost",
        LossKind::Dropped => "dropped",
        LossKind::Discarded => "discarded",
        LossKind::Sampled => "sampled",
    }
}

fn append_one(transaction: &Transaction, entry: &JournalEntry) -> rusqlite::Result<(Stored, i64)> {
    let table = entry.table.name();
    let expired: Option<i64> = transaction
        .prepare_cached("SELECT to_ms FROM expired WHERE tbl = ?1")?
        .query_row([table], |row| row.get(0))
        .optional()?;
    if expired.is_some_and(|expired| entry.to_ms <= expired) {
        return Ok((Stored::Expired, 0));
    }
    // SQLite's integers are signed: the sequence's 64 bits are kept, only equality matters.
    let new = transaction
        .prepare_cached("INSERT OR IGNORE INTO sequences VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![table, entry.agent, entry.sequence as i64, entry.to_ms])?;
    if new == 0 {
        return Ok((Stored::Duplicate, 0));
    }
    for loss in &entry.losses {
        transaction
            .prepare_cached("INSERT INTO losses VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![
            table,
            entry.agent,
            entry.from_ms,
            entry.to_ms,
            loss_kind_name(loss.kind),
            loss.component,
            loss.reason,
            loss.count.min(LOSS_COUNT_MAX) as i64,
        ])?;
    }
    if entry.rows == 0 {
        return Ok((Stored::New, 0));
    }
    transaction
        .prepare_cached(
            "INSERT INTO journal (tbl, format, from_ms, to_ms, row_count, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            table,
            FORMAT_VERSION,
            entry.from_ms,
            entry.to_ms,
            entry.rows,
            entry.body
        ])?;
    Ok((Stored::New, transaction.last_insert_rowid()))
}

fn insert_file(transaction: &Transaction, file: &FileRow) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(
            "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            file.id,
            file.table.name(),
            file.path.to_string_lossy(),
            file.format,
            file.hour_ms,
            file.rows,
            file.bytes,
            file.crc32,
            file.min_ms,
            file.max_ms,
            file.window_ms_max,
            file.corrupt,
        ])
}
