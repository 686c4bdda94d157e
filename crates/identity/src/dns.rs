//! Names of remote addresses, learnt from the DNS answers that clients on this host receive.
//!
//! A name is kept per network namespace and address, with the process that asked. The name of an
//! answer is the one in its question: what the client called the host, whatever the chain of
//! CNAMEs behind it. A namespace that never asked (its resolver runs elsewhere, as with a cache in
//! the host's namespace) falls back to what any namespace of the host was told.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{DnsMessage, Loss, LossKind, Netns, Way};

use crate::aged::Aged;
use crate::dns_message::DnsReading;

/// Names kept per address: servers of many sites share theirs.
const NAMES_PER_ADDRESS_MAX: usize = 8;
/// Clocks and windows are not exact: an answer may be read a little before it was received.
const EARLY_MS: i64 = 1_000;
const TTL_S_MAX: u32 = 7 * 24 * 3600;

/// Limits of [`DnsNames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsLimits {
    /// Pairs of namespace and address; the least used are forgotten when full, and counted.
    pub addresses_max: usize,
    /// A name is good for its TTL, but at least this long after the answer and after each flow
    /// that used it: connections live on when their name's TTL has run out.
    pub hold_ms_min: i64,
}

impl Default for DnsLimits {
    fn default() -> Self {
        Self { addresses_max: 32_768, hold_ms_min: 300_000 }
    }
}

#[derive(Clone, Debug)]
struct Learnt {
    name: Arc<str>,
    pid: Option<u32>,
    since_ms: i64,
    until_ms: i64,
}

/// Counts of what was not used, since they were last taken.
#[derive(Clone, Copy, Debug, Default)]
struct Discards {
    malformed: u64,
    truncated: u64,
}

/// The table. Times are milliseconds since 1970-01-01 UTC.
#[derive(Debug)]
pub struct DnsNames {
    limits: DnsLimits,
    by_netns: Aged<(Netns, IpAddr), Vec<Learnt>>,
    by_host: Aged<IpAddr, Vec<Learnt>>,
    discards: Discards,
}

impl DnsNames {
    pub fn new(limits: DnsLimits) -> Self {
        Self {
            limits,
            by_netns: Aged::new(limits.addresses_max),
            by_host: Aged::new(limits.addresses_max),
            discards: Discards::default(),
        }
    }

    /// Reads a message that passed at `at_ms`, and learns from it if a client received it. Queries,
    /// failures and answers without addresses teach nothing and are no loss. `None`: it is no
    /// message.
    pub fn observe(&mut self, message: &DnsMessage, at_ms: i64) -> Option<DnsReading> {
        let is_received = message.way == Way::Received;
        let Some(reading) = DnsReading::of(&message.payload, is_received) else {
            self.discard(message.truncated);
            return None;
        };
        if is_received && reading.is_answer {
            if reading.is_cut {
                self.discard(message.truncated);
            }
            self.learn(message, &reading, at_ms);
        }
        Some(reading)
    }

    fn discard(&mut self, is_truncated: bool) {
        match is_truncated {
            true => self.discards.truncated += 1,
            false => self.discards.malformed += 1,
        }
    }

    fn learn(&mut self, message: &DnsMessage, reading: &DnsReading, at_ms: i64) {
        let Some(question) = reading.question.as_ref().filter(|asked| &*asked.name != ".") else {
            return;
        };
        let pid = message.process.as_ref().map(|process| process.pid);
        for (ip, ttl_s) in &reading.addresses {
            let ttl_ms = i64::from((*ttl_s).min(TTL_S_MAX)) * 1000;
            let learnt = Learnt {
                name: question.name.clone(),
                pid,
                since_ms: at_ms,
                until_ms: at_ms + ttl_ms.max(self.limits.hold_ms_min),
            };
            remember(&mut self.by_netns, (message.netns, *ip), learnt.clone(), at_ms);
            remember(&mut self.by_host, *ip, learnt, at_ms);
        }
    }

    /// What a client in `netns` called `ip` at the time `at_ms` of its flow. The client's own
    /// answers go before those of other processes, and later answers before earlier ones.
    pub fn name(
        &mut self,
        netns: Netns,
        ip: IpAddr,
        pid: Option<u32>,
        at_ms: i64,
    ) -> Option<Arc<str>> {
        let hold_ms = self.limits.hold_ms_min;
        let own = self.by_netns.get(&(netns, ip), at_ms);
        if let Some(name) = own.and_then(|names| pick(names, pid, at_ms, hold_ms)) {
            return Some(name);
        }
        let names = self.by_host.get(&ip, at_ms)?;
        pick(names, pid, at_ms, hold_ms)
    }

    /// What could not be used or kept since the last call.
    pub fn losses(&mut self) -> Vec<Loss> {
        // every address is in both tables; the one by namespace is never the smaller
        let full = self.by_netns.take_evicted();
        self.by_host.take_evicted();
        let Discards { malformed, truncated } = std::mem::take(&mut self.discards);
        let counts = [("malformed", malformed), ("truncated", truncated), ("addresses_max", full)];
        let counted = counts.into_iter().filter(|(_, count)| *count > 0);
        counted
            .map(|(reason, count)| Loss {
                kind: LossKind::Discarded,
                component: "dns".to_owned(),
                reason: reason.to_owned(),
                count,
            })
            .collect()
    }
}

fn remember<K: std::hash::Hash + Eq + Clone>(
    table: &mut Aged<K, Vec<Learnt>>,
    key: K,
    learnt: Learnt,
    at_ms: i64,
) {
    let Some(names) = table.get(&key, at_ms) else {
        table.insert(key, vec![learnt], at_ms);
        return;
    };
    match names.iter_mut().find(|known| known.name == learnt.name && known.pid == learnt.pid) {
        Some(known) => known.until_ms = known.until_ms.max(learnt.until_ms),
        None => {
            if names.len() >= NAMES_PER_ADDRESS_MAX {
                let oldest = names.iter().enumerate().min_by_key(|(_, known)| known.until_ms);
                if let Some(index) = oldest.map(|(index, _)| index) {
                    names.swap_remove(index);
                }
            }
            names.push(learnt);
            return;
        }
    }
    // asked for again: it is the latest answer now
    names.sort_by_key(|known| known.name == learnt.name && known.pid == learnt.pid);
}

fn pick(names: &mut [Learnt], pid: Option<u32>, at_ms: i64, hold_ms: i64) -> Option<Arc<str>> {
    let is_good = |known: &Learnt| known.since_ms <= at_ms + EARLY_MS && at_ms < known.until_ms;
    let of_client = |known: &Learnt| pid.is_some() && known.pid == pid;
    let index = names
        .iter()
        .rposition(|known| is_good(known) && of_client(known))
        .or_else(|| names.iter().rposition(is_good))?;
    let known = names.get_mut(index)?;
    known.until_ms = known.until_ms.max(at_ms + hold_ms);
    Some(known.name.clone())
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
