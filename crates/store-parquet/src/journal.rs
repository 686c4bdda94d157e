//! The thread that makes batches durable: many waiting batches, one transaction.
//!
//! Owns the encoding of a batch in the journal (an Arrow IPC stream, zstd). A commit costs one
//! sync of the disk however many batches it holds, so the batches that arrive during one commit
//! share the next.

use std::io::Cursor;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use weir_store::{StoreError, StoreErrorKind, Stored};

use crate::catalogue::JournalEntry;
use crate::errors::{invalid, repeat};
use crate::hot::HotBatch;
use crate::state::Shared;

/// Batches that may wait for the next commit; an ingest beyond that waits to be let in.
const WAITING_MAX: usize = 256;
/// Encoded bytes from which a commit takes no further batch.
const COMMIT_BYTES_MAX: usize = 32 * 1024 * 1024;

type Reply = SyncSender<Result<Stored, StoreError>>;

struct Job {
    entry: JournalEntry,
    hot: HotBatch,
    reply: Reply,
}

/// The running thread.
pub struct Journal {
    sender: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    pub fn start(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("weir-journal".to_owned())
            .spawn(move || run(&shared, &receiver))
            .map_err(|error| {
                let message = "cannot start the journal thread";
                StoreError::with_source(StoreErrorKind::Io, message, error)
            })?;
        Ok(Self { sender: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Returns when the batch is durable and visible to questions.
    pub fn append(&self, entry: JournalEntry, hot: HotBatch) -> Result<Stored, StoreError> {
        let closed = || StoreError::new(StoreErrorKind::Io, "the store is closed");
        let sender = match self.sender.lock() {
            Ok(sender) => sender.clone().ok_or_else(closed)?,
            Err(_) => return Err(closed()),
        };
        let (reply, answer) = sync_channel(1);
        sender.send(Job { entry, hot, reply }).map_err(|_| closed())?;
        drop(sender);
        answer.recv().map_err(|_| closed())?
    }

    /// Takes no more batches, finishes those that wait, and returns when the thread has ended.
    pub fn stop(&self) {
        if let Ok(mut sender) = self.sender.lock() {
            *sender = None;
        }
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the journal thread panicked");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Shared, receiver: &Receiver<Job>) {
    while let Ok(first) = receiver.recv() {
        let mut bytes = first.entry.body.len();
        let mut jobs = vec![first];
        while bytes < COMMIT_BYTES_MAX {
            let Ok(job) = receiver.try_recv() else { break };
            bytes += job.entry.body.len();
            jobs.push(job);
        }
        commit(shared, jobs);
    }
}

fn commit(shared: &Shared, jobs: Vec<Job>) {
    let entries: Vec<&JournalEntry> = jobs.iter().map(|job| &job.entry).collect();
    let outcomes = match shared.catalogue.append(&entries) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            for job in jobs {
                // Whoever stopped waiting needs no answer.
                let _ = job.reply.send(Err(repeat(&error)));
            }
            return;
        }
    };
    let mut replies = Vec::with_capacity(jobs.len());
    let mut contents = shared.write();
    for (job, (stored, journal_id)) in jobs.into_iter().zip(outcomes) {
        if stored == Stored::New && job.hot.rows > 0 {
            contents.add_hot(Arc::new(job.hot.journalled(journal_id)));
        }
        replies.push((job.reply, stored));
    }
    drop(contents);
    for (reply, stored) in replies {
        // As above: the batch is durable whether or not anyone waits.
        let _ = reply.send(Ok(stored));
    }
}

/// A batch as the journal keeps it.
pub fn encode(rows: &RecordBatch) -> Result<Vec<u8>, StoreError> {
    let encode = || {
        let options =
            IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
        let schema = rows.schema();
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options)?;
        writer.write(rows)?;
        writer.into_inner()
    };
    encode().map_err(|error: arrow_schema::ArrowError| {
        StoreError::with_source(StoreErrorKind::Invalid, "cannot encode the rows", error)
    })
}

/// The inverse of [`encode`].
pub fn decode(body: &[u8]) -> Result<RecordBatch, StoreError> {
    let decode = || {
        let mut reader = StreamReader::try_new(Cursor::new(body), None)?;
        reader.next().transpose()
    };
    let rows = decode().map_err(|error: arrow_schema::ArrowError| {
        StoreError::with_source(StoreErrorKind::Corrupt, "cannot decode the rows", error)
    })?;
    rows.ok_or_else(|| invalid("the journal row holds no batch"))
}
