//! Name lookups: from DNS messages to the rows of a window.
//!
//! Owns the limits and what becomes of a lookup that ended. Does not own what the bytes mean
//! (`weir-identity`) nor how they were come by (`weir-probes`).

mod matcher;
mod rows;
mod table;

use std::sync::Arc;

use weir_identity::DnsReading;
use weir_model::{DnsMessage, LossKind};

use crate::losses::Losses;

pub use rows::lookups_batch;
pub use table::Lookups;

use matcher::Matcher;
use table::LookupTable;

/// How often it is looked for lookups that have timed out.
const EXPIRE_NS_MIN: u64 = 1_000_000_000;

/// Maxima of what is kept of lookups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupLimits {
    /// Queries that wait for an answer at once; more are not counted, and that is.
    pub waiting_max: usize,
    /// Rows in one window. Past it new rows lose the name, then their ends.
    pub rows_max: usize,
}

impl Default for LookupLimits {
    fn default() -> Self {
        Self { waiting_max: 32_768, rows_max: 16_384 }
    }
}

/// Everything between the DNS probe and the window's rows.
#[derive(Debug)]
pub struct LookupWatch {
    matcher: Matcher,
    table: LookupTable,
    expired_ns: u64,
    losses: Arc<Losses>,
}

impl LookupWatch {
    pub fn new(limits: LookupLimits, fold_client_port: bool, losses: Arc<Losses>) -> Self {
        Self {
            matcher: Matcher::new(limits.waiting_max, fold_client_port),
            table: LookupTable::new(limits.rows_max),
            expired_ns: 0,
            losses,
        }
    }

    pub fn add(&mut self, message: &DnsMessage, reading: &DnsReading) {
        // before the message, which may repeat a query that has timed out
        if message.mono_ns >= self.expired_ns + EXPIRE_NS_MIN {
            self.expire(message.mono_ns);
        }
        if let Some(lookup) = self.matcher.take(message, reading) {
            self.table.add(lookup);
        }
    }

    fn expire(&mut self, now_mono_ns: u64) {
        self.expired_ns = now_mono_ns;
        let Self { matcher, table, .. } = self;
        matcher.expire(now_mono_ns, &mut |lookup| table.add(lookup));
    }

    /// The window's lookups, those that timed out in it among them.
    pub fn take(&mut self, now_mono_ns: u64) -> Lookups {
        self.expire(now_mono_ns);
        let lookups = self.table.take();
        self.losses.add(LossKind::Lost, "dns", "waiting_max", self.matcher.take_not_kept());
        self.losses.add(LossKind::Discarded, "dns", "rows_max", lookups.folded);
        lookups
    }
}
