//! Counters of what went missing, shared by the agent's threads until a batch takes them along.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_model::{Loss, LossKind};

/// Distinct (kind, component, reason); past it everything else counts as reason `other`.
const REASONS_MAX: usize = 128;

type Counts = BTreeMap<(LossKind, String, String), u64>;

/// Loss counters; `pending` ones have not yet travelled with a batch.
#[derive(Debug, Default)]
pub struct Losses {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pending: Counts,
    totals: Counts,
}

impl Losses {
    pub fn add(&self, kind: LossKind, component: &str, reason: &str, count: u64) {
        if count == 0 {
            return;
        }
        let inner = &mut *self.lock();
        let key = (kind, component.to_owned(), reason.to_owned());
        let is_new = !inner.totals.contains_key(&key);
        let key = match is_new && inner.totals.len() >= REASONS_MAX {
            true => (kind, "agent".to_owned(), "other".to_owned()),
            false => key,
        };
        for counts in [&mut inner.pending, &mut inner.totals] {
            let counter = counts.entry(key.clone()).or_insert(0);
            *counter = counter.saturating_add(count);
        }
    }

    pub fn add_all(&self, losses: impl IntoIterator<Item = Loss>) {
        for loss in losses {
            self.add(loss.kind, &loss.component, &loss.reason, loss.count);
        }
    }

    /// What was counted since the last call, for the next batch.
    pub fn take_pending(&self) -> Vec<Loss> {
        list(std::mem::take(&mut self.lock().pending))
    }

    /// Gives back what was taken for a batch that came to nothing; the totals have it already.
    pub fn return_pending(&self, losses: Vec<Loss>) {
        let mut inner = self.lock();
        for loss in losses {
            let key = (loss.kind, loss.component, loss.reason);
            let counter = inner.pending.entry(key).or_insert(0);
            *counter = counter.saturating_add(loss.count);
        }
    }

    /// What was counted since the agent started.
    pub fn totals(&self) -> Vec<Loss> {
        list(self.lock().totals.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // counters are valid after any panic of a holder
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list(counts: Counts) -> Vec<Loss> {
    let entries = counts.into_iter();
    entries
        .map(|((kind, component, reason), count)| Loss { kind, component, reason, count })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_travel_once_and_stay_in_the_totals() {
        let losses = Losses::default();
        losses.add(LossKind::Lost, "spool", "full", 2);
        losses.add(LossKind::Lost, "spool", "full", 3);
        losses.add(LossKind::Discarded, "window", "flows_max", 0);
        let pending = losses.take_pending();
        assert_eq!((pending.len(), pending[0].count), (1, 5));
        assert_eq!(losses.take_pending(), []);
        losses.return_pending(pending.clone());
        assert_eq!(losses.take_pending(), pending, "as if it had never been taken");
        losses.add_all(pending);
        assert_eq!(losses.totals()[0].count, 10);
    }

    #[test]
    fn reasons_are_bounded_and_nothing_is_forgotten() {
        let losses = Losses::default();
        for n in 0..10_000 {
            losses.add(LossKind::Lost, "probe", &format!("reason_{n}"), 1);
        }
        let totals = losses.totals();
        assert!(totals.len() <= REASONS_MAX + 1);
        assert_eq!(totals.iter().map(|loss| loss.count).sum::<u64>(), 10_000);
    }
}
