//! Batches on disk until a server has acknowledged them.
//!
//! One file per batch, `SEQUENCE-ROWS.batch`, written aside, synced and renamed, so that it is
//! there whole or not at all. Owns the sequence numbers too: none is ever used twice, not even
//! after a crash or with the directory lost. Past `bytes_max` the oldest batches go. Where the
//! disk cannot be written, batches wait in memory, within a limit of its own.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

const BATCH_EXTENSION: &str = "batch";
/// Extension of a file that is being written; left over only after a crash.
const UNFINISHED_EXTENSION: &str = "new";
const SEQUENCE_FILE: &str = "sequence";
const LOCK_FILE: &str = "lock";
const REJECTED_DIRECTORY: &str = "rejected";
/// Rejected batches kept for whoever looks into it; the oldest go.
const REJECTED_FILES_MAX: usize = 16;
/// Numbers reserved at a time, so that not every batch writes the sequence file.
const RESERVED: u64 = 1024;

/// Why a spool cannot be used.
#[derive(Debug, Error)]
pub enum SpoolError {
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{path} is in use by another weir: give each agent a data directory of its own, or stop \
         the other one"
    )]
    InUse { path: PathBuf },
}

/// A batch that waits.
#[derive(Clone, Debug)]
struct Waiting {
    sequence: u64,
    rows: u64,
    bytes: u64,
    /// The batch itself, where the disk could not take it.
    memory: Option<Arc<Vec<u8>>>,
}

/// A batch to be sent.
#[derive(Clone, Debug)]
pub struct Next {
    pub sequence: u64,
    pub rows: u64,
    pub batch: Arc<Vec<u8>>,
}

/// What had to go to make room.
#[derive(Debug, Default)]
pub struct Dropped {
    pub batches: u64,
    pub rows: u64,
}

/// The spool. One owner; the directory is locked.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    waiting: VecDeque<Waiting>,
    bytes_max: u64,
    memory_bytes_max: u64,
    disk_bytes: u64,
    memory_bytes: u64,
    next_sequence: u64,
    reserved_until: u64,
    /// Being sent right now, so not to be dropped.
    in_flight: Option<u64>,
    _lock: File,
}

impl Spool {
    /// Opens or makes the spool in `directory` and finds the batches that wait in it.
    ///
    /// New numbers begin above everything reserved, above every waiting batch, and at the
    /// present time in milliseconds: an agent makes far fewer than a thousand batches a second, so
    /// a spool that was lost, or could not be written, does not make numbers come back.
    pub fn open(
        directory: &Path,
        bytes_max: u64,
        memory_bytes_max: u64,
        now_ms: i64,
    ) -> Result<Self, SpoolError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| failed("create", directory, source))?;
        let lock = lock(directory)?;
        let waiting = find_batches(directory)?;
        let after_last = waiting.back().map_or(0, |last| last.sequence + 1);
        let reserved = read_reserved(directory)?;
        let now = u64::try_from(now_ms).unwrap_or(0);
        let mut spool = Self {
            directory: directory.to_owned(),
            disk_bytes: waiting.iter().map(|batch| batch.bytes).sum(),
            waiting,
            bytes_max,
            memory_bytes_max,
            memory_bytes: 0,
            next_sequence: reserved.max(after_last).max(now),
            reserved_until: 0,
            in_flight: None,
            _lock: lock,
        };
        spool.reserve().map_err(|source| failed("write", directory, source))?;
        Ok(spool)
    }

    /// A number that no batch of this agent has had.
    pub fn next_sequence(&mut self) -> u64 {
        if self.next_sequence >= self.reserved_until
            && let Err(err) = self.reserve()
        {
            let directory = self.directory.display();
            tracing::warn!(%directory, %err, "cannot reserve sequence numbers");
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    /// Keeps a batch and says what had to go for it.
    pub fn push(&mut self, sequence: u64, rows: u64, batch: Vec<u8>) -> Dropped {
        let bytes = batch.len() as u64;
        let written = self.write_batch(sequence, rows, &batch);
        let memory = match written {
            Ok(()) => {
                self.disk_bytes += bytes;
                None
            }
            Err(err) => {
                let directory = self.directory.display();
                tracing::warn!(%directory, %err, "cannot spool to disk, keeping a batch in memory");
                self.memory_bytes += bytes;
                Some(Arc::new(batch))
            }
        };
        self.waiting.push_back(Waiting { sequence, rows, bytes, memory });
        let mut dropped = Dropped::default();
        while self.disk_bytes > self.bytes_max && self.drop_oldest(false, &mut dropped) {}
        while self.memory_bytes > self.memory_bytes_max && self.drop_oldest(true, &mut dropped) {}
        dropped
    }

    /// The oldest batch, from now on in flight. A file that cannot be read is given up.
    pub fn first(&mut self) -> (Option<Next>, Dropped) {
        let mut unreadable = Dropped::default();
        while let Some(first) = self.waiting.front() {
            let (sequence, rows) = (first.sequence, first.rows);
            let batch = match &first.memory {
                Some(batch) => Ok(batch.clone()),
                None => fs::read(self.path(sequence, rows)).map(Arc::new),
            };
            match batch {
                Ok(batch) => {
                    self.in_flight = Some(sequence);
                    return (Some(Next { sequence, rows, batch }), unreadable);
                }
                Err(err) => {
                    let path = self.path(sequence, rows);
                    tracing::warn!(path = %path.display(), %err, "cannot read a spooled batch");
                    unreadable.batches += 1;
                    unreadable.rows += rows;
                    self.remove(sequence);
                }
            }
        }
        (None, unreadable)
    }

    /// The batch was not taken; it stays and may be dropped again.
    pub fn release(&mut self) {
        self.in_flight = None;
    }

    /// Forgets a batch: the server answers for it.
    pub fn remove(&mut self, sequence: u64) {
        if let Some(batch) = self.forget(sequence)
            && batch.memory.is_none()
        {
            // a file that comes back after a crash is sent again with its number
            let _ = fs::remove_file(self.path(batch.sequence, batch.rows));
        }
    }

    /// Moves a batch that no server will take out of the way.
    pub fn set_aside(&mut self, sequence: u64) {
        let Some(batch) = self.forget(sequence) else { return };
        if batch.memory.is_some() {
            return;
        }
        let path = self.path(batch.sequence, batch.rows);
        let moved = self.move_to_rejected(&path);
        if let Err(err) = moved {
            tracing::warn!(path = %path.display(), %err, "cannot set a rejected batch aside");
            let _ = fs::remove_file(&path);
        }
    }

    /// Batches that wait, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        (self.waiting.len() as u64, self.disk_bytes + self.memory_bytes)
    }

    /// Batches and rows that only memory holds: lost when the program ends.
    pub fn only_in_memory(&self) -> Dropped {
        let held = self.waiting.iter().filter(|batch| batch.memory.is_some());
        let rows = held.clone().map(|batch| batch.rows).sum();
        Dropped { batches: held.count() as u64, rows }
    }

    fn drop_oldest(&mut self, from_memory: bool, dropped: &mut Dropped) -> bool {
        let in_flight = self.in_flight;
        let oldest = self.waiting.iter().find(|batch| {
            batch.memory.is_some() == from_memory && Some(batch.sequence) != in_flight
        });
        let Some((sequence, rows)) = oldest.map(|batch| (batch.sequence, batch.rows)) else {
            return false;
        };
        dropped.batches += 1;
        dropped.rows += rows;
        self.remove(sequence);
        true
    }

    fn forget(&mut self, sequence: u64) -> Option<Waiting> {
        if self.in_flight == Some(sequence) {
            self.in_flight = None;
        }
        let index = self.waiting.iter().position(|batch| batch.sequence == sequence)?;
        let batch = self.waiting.remove(index)?;
        match batch.memory {
            Some(_) => self.memory_bytes -= batch.bytes,
            None => self.disk_bytes -= batch.bytes,
        }
        Some(batch)
    }

    fn path(&self, sequence: u64, rows: u64) -> PathBuf {
        self.directory.join(format!("{sequence:020}-{rows}.{BATCH_EXTENSION}"))
    }

    fn write_batch(&self, sequence: u64, rows: u64, batch: &[u8]) -> io::Result<()> {
        write_whole(&self.path(sequence, rows), batch)
    }

    fn reserve(&mut self) -> io::Result<()> {
        let until = self.next_sequence + RESERVED;
        // even where it cannot be written: the time makes the next start safe, see `open`
        self.reserved_until = until;
        write_whole(&self.directory.join(SEQUENCE_FILE), format!("{until}\n").as_bytes())
    }

    fn move_to_rejected(&self, path: &Path) -> io::Result<()> {
        let rejected = self.directory.join(REJECTED_DIRECTORY);
        fs::create_dir_all(&rejected)?;
        let Some(name) = path.file_name() else { return Ok(()) };
        fs::rename(path, rejected.join(name))?;
        let mut kept: Vec<PathBuf> =
            fs::read_dir(&rejected)?.flatten().map(|entry| entry.path()).collect();
        kept.sort();
        let surplus = kept.len().saturating_sub(REJECTED_FILES_MAX);
        kept.iter().take(surplus).try_for_each(fs::remove_file)
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> SpoolError {
    SpoolError::Io { action, path: path.to_owned(), source }
}

fn lock(directory: &Path) -> Result<File, SpoolError> {
    let path = directory.join(LOCK_FILE);
    let file = File::create(&path).map_err(|source| failed("create", &path, source))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::InUse { path: directory.to_owned() }),
        Err(errno) => Err(failed("lock", &path, errno.into())),
    }
}

/// The batches in the directory by number; what a crash left unfinished is removed.
fn find_batches(directory: &Path) -> Result<VecDeque<Waiting>, SpoolError> {
    let unreadable = |source| failed("read", directory, source);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(UNFINISHED_EXTENSION) => {
                let _ = fs::remove_file(&path);
            }
            Some(BATCH_EXTENSION) => {
                let bytes = fs::metadata(&path).map_err(unreadable)?.len();
                if let Some((sequence, rows)) = parse_name(&path) {
                    found.push(Waiting { sequence, rows, bytes, memory: None });
                }
            }
            _ => {}
        }
    }
    found.sort_by_key(|batch| batch.sequence);
    Ok(found.into())
}

fn parse_name(path: &Path) -> Option<(u64, u64)> {
    let (sequence, rows) = path.file_stem()?.to_str()?.split_once('-')?;
    Some((sequence.parse().ok()?, rows.parse().ok()?))
}

/// The end of the numbers reserved so far, 0 in a new spool. A file that holds no number is as
/// good as none: the time stands in for it.
fn read_reserved(directory: &Path) -> Result<u64, SpoolError> {
    let path = directory.join(SEQUENCE_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().unwrap_or(0)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(source) => Err(failed("read", &path, source)),
    }
}

/// Writes a file so that after a power loss it is there whole or as it was before.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED_EXTENSION);
    let written = write_synced(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
