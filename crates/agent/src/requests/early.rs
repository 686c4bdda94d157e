//! Exchanges that were counted before it was known that their client is on this host, too.
//!
//! Owns what is remembered of them, and for how long. A client's end is told once its first call
//! has returned; by then the server, on another processor, may have answered, and the connection
//! may even be over.

use std::collections::VecDeque;

use weir_l7::Skimmed;
use weir_model::Exchange;

/// Exchanges that are remembered of one connection; those after them are not counted at the
/// client's end, if that is told of so late.
const EXCHANGES_MAX: usize = 4;
/// Connections that are remembered though they are over; the oldest are forgotten.
const CONNECTIONS_MAX: usize = 64;

/// The first exchanges of one connection.
#[derive(Debug, Default)]
pub struct Early {
    exchanges: Vec<Exchange>,
    skimmed: Vec<Skimmed>,
    is_late: bool,
}

impl Early {
    pub fn remember(&mut self, exchange: &Exchange) {
        if self.has_room() {
            self.exchanges.push(exchange.clone());
        }
    }

    /// The same of one that is not read.
    pub fn remember_skimmed(&mut self, skimmed: Skimmed) {
        if self.has_room() {
            self.skimmed.push(skimmed);
        }
    }

    fn has_room(&self) -> bool {
        !self.is_late && self.exchanges.len() + self.skimmed.len() < EXCHANGES_MAX
    }

    fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.skimmed.is_empty()
    }

    /// Its client is not on this host, or would have been told of.
    pub fn forget(&mut self) {
        *self = Self { is_late: true, ..Self::default() };
    }

    /// Its client is known: what there was until now is to be counted there, the rest will be.
    pub fn take(&mut self) -> (Vec<Exchange>, Vec<Skimmed>) {
        let Self { exchanges, skimmed, .. } = std::mem::take(self);
        self.forget();
        (exchanges, skimmed)
    }
}

/// The first exchanges of connections that are over.
#[derive(Debug, Default)]
pub struct Over(VecDeque<(u64, Early)>);

impl Over {
    pub fn remember(&mut self, id: u64, early: Early) {
        if early.is_empty() {
            return;
        }
        if self.0.len() >= CONNECTIONS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((id, early));
    }

    pub fn take(&mut self, id: u64) -> (Vec<Exchange>, Vec<Skimmed>) {
        let at = self.0.iter().position(|(known, _)| *known == id);
        let found = at.and_then(|at| self.0.remove(at));
        found.map(|(_, mut early)| early.take()).unwrap_or_default()
    }

    pub fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_model::{L7Protocol, Outcome};

    use super::*;

    fn exchange(status: u16) -> Exchange {
        Exchange {
            protocol: L7Protocol::Http11,
            asked: Arc::default(),
            status: Some(status),
            grpc_status: None,
            outcome: Outcome::Answered,
            began_ns: 1,
            response_us: Some(1),
        }
    }

    #[test]
    fn the_first_few_are_remembered_until_they_are_asked_for() {
        let mut early = Early::default();
        for status in 200..210 {
            early.remember(&exchange(status));
        }
        let statuses: Vec<_> = early.take().0.into_iter().filter_map(|e| e.status).collect();
        assert_eq!(statuses, [200, 201, 202, 203]);
        early.remember(&exchange(200));
        assert!(early.take().0.is_empty(), "its client is known");
    }

    #[test]
    fn connections_that_are_over_are_remembered_in_their_order() {
        let mut over = Over::default();
        for id in 0..=CONNECTIONS_MAX as u64 {
            let mut early = Early::default();
            early.remember(&exchange(200));
            over.remember(id, early);
        }
        assert!(over.take(0).0.is_empty(), "the oldest had to go");
        assert_eq!(over.take(1).0.len(), 1);
        assert!(over.take(1).0.is_empty());
        over.remember(2000, Early::default());
        assert_eq!(over.0.len(), CONNECTIONS_MAX - 1, "of nothing nothing is remembered");
    }
}
