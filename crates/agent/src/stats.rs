//! The agent's own counters.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use weir_model::Loss;

/// A reading of all counters, for `/metrics` and `/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AgentStats {
    pub agent: String,
    pub host: String,
    /// Windows closed.
    pub windows_total: u64,
    /// Windows that ended later than one window length after their end was due.
    pub windows_late_total: u64,
    /// Records read from the probes.
    pub records_total: u64,
    /// Rows made of them.
    pub rows_total: u64,
    pub dns_messages_total: u64,
    /// Time from the end of the last window to its batch, microseconds.
    pub last_close_us: u64,
    /// Run time of the agent's threads, and of its programs in the kernel if that counts it.
    pub cpu_us_total: u64,
    /// Requests of which everything was read, and those of which only the status was.
    pub requests_read_total: u64,
    pub requests_sampled_total: u64,
    /// Of so many requests one is read.
    pub requests_one_in: u64,
    /// Batches acknowledged by the server.
    pub batches_sent_total: u64,
    pub bytes_sent_total: u64,
    pub batches_rejected_total: u64,
    /// Attempts that failed.
    pub send_errors_total: u64,
    /// What waits for the server.
    pub spool_batches: u64,
    pub spool_bytes: u64,
    /// Milliseconds since 1970-01-01 UTC of the last attempt and the last acknowledgement.
    pub last_attempt_unix_ms: Option<i64>,
    pub last_acknowledged_unix_ms: Option<i64>,
    /// Why the last attempt failed; absent after a success.
    pub last_error: Option<String>,
    /// What went missing since the agent started.
    pub losses: Vec<Loss>,
}

/// The counters behind [`AgentStats`], written by the agent's threads.
#[derive(Debug, Default)]
pub struct Counters {
    pub windows: AtomicU64,
    pub windows_late: AtomicU64,
    pub records: AtomicU64,
    pub rows: AtomicU64,
    pub dns_messages: AtomicU64,
    pub last_close_us: AtomicU64,
    pub cpu_us: AtomicU64,
    pub requests_read: AtomicU64,
    pub requests_sampled: AtomicU64,
    pub requests_one_in: AtomicU64,
    pub batches_sent: AtomicU64,
    pub bytes_sent: AtomicU64,
    pub batches_rejected: AtomicU64,
    pub send_errors: AtomicU64,
    pub spool_batches: AtomicU64,
    pub spool_bytes: AtomicU64,
    /// 0: never.
    pub last_attempt_ms: AtomicI64,
    pub last_acknowledged_ms: AtomicI64,
    pub last_error: Mutex<Option<String>>,
}

impl Counters {
    pub fn set_error(&self, error: Option<String>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    pub fn read(&self, agent: &str, host: &str, losses: Vec<Loss>) -> AgentStats {
        let time = |cell: &AtomicI64| Some(cell.load(Relaxed)).filter(|ms| *ms != 0);
        AgentStats {
            agent: agent.to_owned(),
            host: host.to_owned(),
            windows_total: self.windows.load(Relaxed),
            windows_late_total: self.windows_late.load(Relaxed),
            records_total: self.records.load(Relaxed),
            rows_total: self.rows.load(Relaxed),
            dns_messages_total: self.dns_messages.load(Relaxed),
            last_close_us: self.last_close_us.load(Relaxed),
            cpu_us_total: self.cpu_us.load(Relaxed),
            requests_read_total: self.requests_read.load(Relaxed),
            requests_sampled_total: self.requests_sampled.load(Relaxed),
            requests_one_in: self.requests_one_in.load(Relaxed).max(1),
            batches_sent_total: self.batches_sent.load(Relaxed),
            bytes_sent_total: self.bytes_sent.load(Relaxed),
            batches_rejected_total: self.batches_rejected.load(Relaxed),
            send_errors_total: self.send_errors.load(Relaxed),
            spool_batches: self.spool_batches.load(Relaxed),
            spool_bytes: self.spool_bytes.load(Relaxed),
            last_attempt_unix_ms: time(&self.last_attempt_ms),
            last_acknowledged_unix_ms: time(&self.last_acknowledged_ms),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            losses,
        }
    }
}
