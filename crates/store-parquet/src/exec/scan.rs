//! Runs one piece of work over all segments, on as many threads as pay.
//!
//! Plain scoped threads that take the next segment from a counter: the pieces are large and few,
//! so a work-stealing pool would have nothing to steal.

use std::sync::atomic::{AtomicUsize, Ordering};

use weir_store::{StoreError, StoreErrorKind};

use crate::exec::Scan;
use crate::segment::{ScanError, View};

impl Scan<'_> {
    /// Folds every segment, newest first, into one accumulator a thread. The first error ends all.
    pub fn fold<'s, P: Send>(
        &'s self,
        make: impl Fn() -> P + Sync,
        work: impl Fn(&mut P, &View<'s>) -> Result<(), ScanError> + Sync,
    ) -> Result<Vec<P>, ScanError> {
        let rows: usize = self.segments.iter().map(|segment| segment.rows).sum();
        let options = &self.shared.options;
        let wanted = (rows / options.thread_rows_min.max(1)).min(self.segments.len());
        let threads = wanted.min(options.question_threads_max).max(1);
        let next = AtomicUsize::new(0);
        let run = || -> Result<P, ScanError> {
            let mut partial = make();
            while let Some(segment) = self.segments.get(next.fetch_add(1, Ordering::Relaxed)) {
                let view = View::new(segment, &self.shared.cache);
                if let Err(error) = work(&mut partial, &view) {
                    next.store(self.segments.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(partial)
        };
        if threads == 1 {
            return Ok(vec![run()?]);
        }
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
            let mut partials = vec![run()?];
            for other in others {
                let partial = other.join().map_err(|_| {
                    StoreError::new(StoreErrorKind::Io, "a thread of the question panicked")
                })?;
                partials.push(partial?);
            }
            Ok(partials)
        })
    }
}
