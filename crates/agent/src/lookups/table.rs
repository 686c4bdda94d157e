//! Lookups of one window, folded by key.
//!
//! Owns what makes two lookups one row and what happens when there are too many rows: new rows
//! give up the name, then their ends, never their count.

use std::collections::HashMap;
use std::sync::Arc;

use weir_model::{Samples, Sketch};

use crate::flow_ids::{FlowId, FlowIds};
use crate::flows::FlowKey;
use crate::lookups::matcher::{Lookup, Outcome};

/// Stands for every name that has no row of its own.
const OTHER: &str = "{other}";

/// What makes a row of `dns_flows`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LookupKey {
    pub flow: FlowId,
    pub name: Arc<str>,
    pub kind: u16,
    /// Absent without an answer.
    pub code: Option<u8>,
}

/// What was counted of one key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LookupCounters {
    pub queries: u64,
    pub failures: u64,
    pub timeouts: u64,
    /// Microseconds.
    pub took: Samples,
    pub sketch: Sketch,
}

impl LookupCounters {
    fn add(&mut self, outcome: Outcome) {
        self.queries += 1;
        match outcome {
            Outcome::Answered { code, took_us } => {
                self.failures += u64::from(code != 0);
                if let Some(took_us) = took_us {
                    self.took.merge(&Samples::one(took_us));
                    self.sketch.add(took_us);
                }
            }
            Outcome::Abandoned => {}
            Outcome::TimedOut => self.timeouts += 1,
        }
    }
}

/// The lookups of one window.
#[derive(Debug)]
pub struct LookupTable {
    flows: FlowIds,
    rows: HashMap<LookupKey, LookupCounters>,
    rows_max: usize,
    folded: u64,
}

/// What a window held.
#[derive(Debug, Default)]
pub struct Lookups {
    /// The flows that rows belong to, by [`FlowId`].
    pub flows: Vec<FlowKey>,
    pub rows: Vec<(LookupKey, LookupCounters)>,
    /// Lookups whose detail had to go.
    pub folded: u64,
}

impl LookupTable {
    pub fn new(rows_max: usize) -> Self {
        Self { flows: FlowIds::new(rows_max), rows: HashMap::new(), rows_max, folded: 0 }
    }

    pub fn add(&mut self, lookup: Lookup) {
        let Lookup { flow, question, outcome } = lookup;
        let code = match outcome {
            Outcome::Answered { code, .. } => Some(code),
            Outcome::Abandoned | Outcome::TimedOut => None,
        };
        let flow = self.flows.id_of(flow);
        let key = LookupKey { flow, name: question.name, kind: question.kind, code };
        let Some(key) = self.count(key, outcome, self.rows_max) else { return };
        self.folded += 1;
        // an eighth on top of the maximum for rows that still know both ends
        let ends_max = self.rows_max + self.rows_max / 8;
        let key = LookupKey { name: Arc::from(OTHER), ..key };
        let Some(key) = self.count(key, outcome, ends_max) else { return };
        let flow = self.flows.flow(key.flow).clone();
        // and past it at most directions x transports x families x codes
        let key = LookupKey { flow: self.flows.id_without_ends(flow), kind: TYPE_ANY, ..key };
        self.count(key, outcome, usize::MAX);
    }

    /// Counts under `key` unless that would be one row too many; then gives the key back.
    fn count(&mut self, key: LookupKey, outcome: Outcome, max: usize) -> Option<LookupKey> {
        if let Some(known) = self.rows.get_mut(&key) {
            known.add(outcome);
            return None;
        }
        if self.rows.len() >= max {
            return Some(key);
        }
        self.rows.entry(key).or_default().add(outcome);
        None
    }

    /// Everything of the window; the table is empty afterwards.
    pub fn take(&mut self) -> Lookups {
        let rows = std::mem::take(&mut self.rows).into_iter().collect();
        Lookups { flows: self.flows.take(), rows, folded: std::mem::take(&mut self.folded) }
    }
}

/// `ANY` (RFC 1035, section 3.2.3).
const TYPE_ANY: u16 = 255;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use weir_identity::DnsQuestion;
    use weir_model::{Direction, Endpoint, Netns, Transport};

    use super::*;

    fn lookup(remote: &str, name: &str, kind: u16, outcome: Outcome) -> Lookup {
        let end = |text: &str| Endpoint::from(text.parse::<SocketAddr>().unwrap());
        let flow = FlowKey {
            direction: Direction::Outgoing,
            transport: Transport::Udp,
            local: end("10.0.0.1:0"),
            remote: end(remote),
            dialled: None,
            netns: Netns(1),
            process: None,
            cgroup_id: None,
        };
        Lookup { flow, question: DnsQuestion { name: Arc::from(name), kind }, outcome }
    }

    fn answered(code: u8, took_us: u64) -> Outcome {
        Outcome::Answered { code, took_us: Some(took_us) }
    }

    #[test]
    fn lookups_of_one_key_are_one_row() {
        let mut table = LookupTable::new(10);
        let outcomes = [
            answered(0, 100),
            answered(0, 300),
            answered(3, 50),
            Outcome::Answered { code: 0, took_us: None },
            Outcome::TimedOut,
            Outcome::Abandoned,
        ];
        for outcome in outcomes {
            table.add(lookup("10.0.0.53:53", "a.test", 1, outcome));
        }
        let mut taken = table.take();
        taken.rows.sort_by_key(|(key, _)| key.code);
        let [(_, timed_out), (_, fine), (_, failed)] = &taken.rows[..] else {
            panic!("{:?}", taken.rows)
        };
        assert_eq!((fine.queries, fine.failures, fine.timeouts), (3, 0, 0));
        assert_eq!((fine.took.sum, fine.took.count, fine.sketch.count()), (400, 2, 2));
        assert_eq!((failed.queries, failed.failures, failed.timeouts), (1, 1, 0));
        assert_eq!((timed_out.queries, timed_out.failures, timed_out.timeouts), (2, 0, 1));
        assert!(timed_out.sketch.is_empty());
        assert_eq!(taken.flows.len(), 1);
        assert!(table.take().rows.is_empty());
    }

    #[test]
    fn too_many_rows_lose_detail_and_no_lookup() {
        let mut table = LookupTable::new(8);
        for n in 0..40 {
            let remote = format!("10.0.1.{n}:53");
            table.add(lookup(&remote, &format!("n{n}.test"), n, answered(0, 1)));
        }
        let taken = table.take();
        assert_eq!(taken.rows.iter().map(|(_, counted)| counted.queries).sum::<u64>(), 40);
        assert!(taken.rows.len() <= 10, "{} rows", taken.rows.len());
        assert_eq!(taken.folded, 32);
    }
}
