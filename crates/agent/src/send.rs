//! The two threads after a window is closed: onto the disk, and from the disk to the server.
//!
//! Owns what happens to a batch with each answer of the server. A batch leaves the spool when it
//! was acknowledged or when the server will never take it; everything else is tried again.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_model::LossKind;
use weir_wire::{Batch, encode};

use crate::backoff::{Backoff, random};
use crate::clock::Moment;
use crate::losses::Losses;
use crate::spool::{Dropped, Next, Spool};
use crate::stats::Counters;
use crate::transport::{Transport, TransportError};

/// How long a stopping agent goes on sending what waits; the rest stays on disk.
const STOP_SEND_MAX: Duration = Duration::from_secs(5);
/// Repeated failures are logged this often; what only a person can put right, less often.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
const LOG_REFUSED_INTERVAL: Duration = Duration::from_secs(3600);

/// What the two threads share.
pub struct Outbox {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// What the server refused for good last, and when that was logged.
    last_refusal: Mutex<Option<(Instant, String)>>,
    losses: Arc<Losses>,
    counters: Arc<Counters>,
}

struct Inner {
    spool: Spool,
    /// No batch will be added any more, since when.
    sealed: Option<Instant>,
}

impl Outbox {
    pub fn new(spool: Spool, losses: Arc<Losses>, counters: Arc<Counters>) -> Self {
        let outbox = Self {
            inner: Mutex::new(Inner { spool, sealed: None }),
            changed: Condvar::new(),
            last_refusal: Mutex::default(),
            losses,
            counters,
        };
        outbox.note_size(&outbox.lock());
        outbox
    }

    /// Gives every batch that comes its number and puts it into the spool, until the last sender
    /// is gone.
    pub fn store(&self, batches: Receiver<Batch>) {
        for mut batch in batches {
            let rows = batch.rows.num_rows() as u64;
            batch.header.sequence = self.lock().spool.next_sequence();
            match encode(&batch) {
                Ok(bytes) => {
                    let mut inner = self.lock();
                    let dropped = inner.spool.push(batch.header.sequence, rows, bytes);
                    self.note_size(&inner);
                    drop(inner);
                    self.count_lost("full", &dropped);
                }
                Err(err) => {
                    tracing::error!(%err, rows, "a batch could not be encoded");
                    self.losses.add(LossKind::Lost, "spool", "encode", rows.max(1));
                }
            }
            self.changed.notify_all();
        }
        self.lock().sealed = Some(Instant::now());
        self.changed.notify_all();
    }

    /// Sends what waits, oldest first, until the outbox is sealed and empty or the stop takes
    /// too long.
    pub fn send(&self, transport: &dyn Transport) {
        let mut backoff = Backoff::default();
        let mut trouble = Trouble::default();
        while let Some(next) = self.wait_for_next() {
            self.counters.last_attempt_ms.store(Moment::now().unix_ms, Relaxed);
            match transport.send(&next.batch) {
                Ok(()) => {
                    self.acknowledged(&next);
                    backoff.reset();
                    trouble.over();
                }
                Err(TransportError::Rejected { detail }) => {
                    self.rejected(&next, detail);
                    backoff.reset();
                }
                Err(err) => {
                    self.counters.send_errors.fetch_add(1, Relaxed);
                    self.counters.set_error(Some(err.to_string()));
                    trouble.log(&err);
                    let retry_after = match err {
                        TransportError::Unavailable { retry_after, .. } => retry_after,
                        _ => None,
                    };
                    if !self.wait_to_retry(backoff.next(retry_after, random())) {
                        break;
                    }
                }
            }
        }
        self.account_for_memory();
    }

    fn acknowledged(&self, next: &Next) {
        let mut inner = self.lock();
        inner.spool.remove(next.sequence);
        self.note_size(&inner);
        drop(inner);
        self.counters.batches_sent.fetch_add(1, Relaxed);
        self.counters.bytes_sent.fetch_add(next.batch.len() as u64, Relaxed);
        self.counters.last_acknowledged_ms.store(Moment::now().unix_ms, Relaxed);
        self.counters.set_error(None);
    }

    fn rejected(&self, next: &Next, detail: String) {
        let sequence = next.sequence;
        if self.is_news(&detail) {
            let rows = next.rows;
            tracing::error!(sequence, rows, detail, "the server refused a batch for good");
        }
        let mut inner = self.lock();
        inner.spool.set_aside(sequence);
        self.note_size(&inner);
        drop(inner);
        self.counters.batches_rejected.fetch_add(1, Relaxed);
        self.counters.set_error(Some(detail));
        self.losses.add(LossKind::Lost, "transport", "rejected", next.rows);
    }

    /// Whether a refusal is another one than the last, so that a server which does not know one of
    /// the tables does not fill the log.
    fn is_news(&self, detail: &str) -> bool {
        let mut last = self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = last.as_ref().is_none_or(|(logged, known)| {
            known != detail || logged.elapsed() >= LOG_REFUSED_INTERVAL
        });
        if is_news {
            *last = Some((Instant::now(), detail.to_owned()));
        }
        is_news
    }

    /// The oldest batch as soon as there is one; `None` when there will be none.
    fn wait_for_next(&self) -> Option<Next> {
        let mut inner = self.lock();
        loop {
            let (next, unreadable) = inner.spool.first();
            self.note_size(&inner);
            self.count_lost("unreadable", &unreadable);
            match (next, inner.sealed) {
                (Some(_), Some(since)) if since.elapsed() > STOP_SEND_MAX => return None,
                (Some(next), _) => return Some(next),
                (None, Some(_)) => return None,
                (None, None) => {
                    inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Waits before the next attempt; false when the agent stops and has tried once more already.
    fn wait_to_retry(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut inner = self.lock();
        inner.spool.release();
        if inner.sealed.is_some() {
            return false;
        }
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if left.is_zero() || inner.sealed.is_some() {
                break;
            }
            let waited = self.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn account_for_memory(&self) {
        let held = self.lock().spool.only_in_memory();
        if held.batches > 0 {
            let (batches, rows) = (held.batches, held.rows);
            tracing::error!(batches, rows, "batches that the disk did not take are lost");
        }
    }

    fn count_lost(&self, reason: &str, lost: &Dropped) {
        if lost.batches > 0 {
            let (batches, rows) = (lost.batches, lost.rows);
            tracing::warn!(batches, rows, reason, "spooled batches are lost");
            self.losses.add(LossKind::Lost, "spool", reason, rows);
        }
    }

    fn note_size(&self, inner: &Inner) {
        let (batches, bytes) = inner.spool.size();
        self.counters.spool_batches.store(batches, Relaxed);
        self.counters.spool_bytes.store(bytes, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // the spool is consistent between its calls
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says once that sending fails, again from time to time, and when it works again.
#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    logged: Option<(Instant, String)>,
    failures: u64,
}

impl Trouble {
    fn log(&mut self, err: &TransportError) {
        self.failures += 1;
        self.since.get_or_insert_with(Instant::now);
        if !self.is_due(err, Instant::now()) {
            return;
        }
        let failures = self.failures;
        if matches!(err, TransportError::Unauthorized { .. }) {
            tracing::error!(%err, "the server does not accept the token, batches wait in the spool");
        } else {
            tracing::warn!(%err, failures, "cannot send, batches wait in the spool");
        }
    }

    /// Whether a failure is to be logged: the first of its kind, and later ones from time to time.
    fn is_due(&mut self, err: &TransportError, now: Instant) -> bool {
        let text = err.to_string();
        let is_refused = matches!(err, TransportError::Unauthorized { .. });
        let is_due = self.logged.as_ref().is_none_or(|(at, logged)| {
            let since = now.duration_since(*at);
            match is_refused {
                true => *logged != text || since >= LOG_REFUSED_INTERVAL,
                false => since >= LOG_INTERVAL,
            }
        });
        if is_due {
            self.logged = Some((now, text));
        }
        is_due
    }

    fn over(&mut self) {
        if let Some(since) = self.since.take() {
            let seconds = since.elapsed().as_secs();
            tracing::info!(failures = self.failures, seconds, "sending works again");
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_refused_is_logged_once() {
        let mut trouble = Trouble::default();
        let start = Instant::now();
        let mut is_due = |detail: &str, seconds| {
            let err = TransportError::Unauthorized { detail: detail.to_owned() };
            trouble.is_due(&err, start + Duration::from_secs(seconds))
        };
        assert!(is_due("token 1a2b expired", 0));
        assert!(!is_due("token 1a2b expired", 61) && !is_due("token 1a2b expired", 3_599));
        assert!(is_due("token 1a2b was revoked", 3_599), "another reason");
        assert!(is_due("token 1a2b was revoked", 7_200), "so that rotated logs have it as well");
        let away = |trouble: &mut Trouble, seconds| {
            let err = TransportError::Unavailable { detail: "refused".into(), retry_after: None };
            trouble.is_due(&err, start + Duration::from_secs(seconds))
        };
        let mut trouble = Trouble::default();
        let due = [0, 59, 60, 61].map(|seconds| away(&mut trouble, seconds));
        assert_eq!(due, [true, false, true, false]);
    }
}
