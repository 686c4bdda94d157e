//! Queries and their answers. Pure: time comes with the messages.
//!
//! Owns what is waiting for an answer at each end, and what makes two messages one lookup: socket,
//! other end, id and question. A query that is repeated is the same lookup, whose time counts from
//! the first one. An answer that nobody waits for ends no lookup: it is late (its lookup has timed
//! out), a repetition, or forged.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use weir_identity::{DnsQuestion, DnsReading};
use weir_model::{Direction, DnsMessage, Way};

use crate::flows::FlowKey;

/// A lookup that has no answer this long after its (last) query has timed out. Resolvers wait for 5 s
/// and ask again (`timeout` of resolv.conf(5)): that repetition must still find its lookup.
pub const ANSWER_NS_MAX: u64 = 6_000_000_000;
/// Where the end of a call tells what it sent, another thread may have received the answer by then.
const EARLY_NS_MAX: u64 = 50_000_000;
/// Answers remembered in case that their query is told later; the oldest are forgotten.
const EARLY_MAX: usize = 64;

/// What of a message must be the same for two of them to be one lookup; the question must, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Exchange {
    socket: u64,
    remote: SocketAddr,
    id: u16,
    is_client: bool,
}

#[derive(Debug)]
struct Waiting {
    question: DnsQuestion,
    flow: FlowKey,
    /// Nanoseconds since boot of the first query and of the last.
    first_ns: u64,
    last_ns: u64,
}

#[derive(Debug)]
struct Early {
    exchange: Exchange,
    question: Option<DnsQuestion>,
    code: u8,
    mono_ns: u64,
}

/// How a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The time is absent where the answer was seen before the query.
    Answered {
        code: u8,
        took_us: Option<u64>,
    },
    /// Nobody waited for the answer: another one on the same socket was not whole, which makes a
    /// resolver ask everything again over TCP.
    Abandoned,
    TimedOut,
}

/// A lookup that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    pub flow: FlowKey,
    pub question: DnsQuestion,
    pub outcome: Outcome,
}

/// Lookups that have not ended.
#[derive(Debug)]
pub struct Matcher {
    waiting: HashMap<Exchange, Vec<Waiting>>,
    waiting_count: usize,
    waiting_max: usize,
    early: VecDeque<Early>,
    /// Clients' sockets whose latest partial answer came then, as many as may wait.
    partial_ns: HashMap<u64, u64>,
    fold_client_port: bool,
    not_kept: u64,
}

impl Matcher {
    /// Past `waiting_max` queries that wait for an answer, further ones are not kept, and counted.
    pub fn new(waiting_max: usize, fold_client_port: bool) -> Self {
        Self {
            waiting: HashMap::new(),
            waiting_count: 0,
            waiting_max,
            early: VecDeque::new(),
            partial_ns: HashMap::new(),
            fold_client_port,
            not_kept: 0,
        }
    }

    /// Takes a message; gives the lookup that ends with it.
    pub fn take(&mut self, message: &DnsMessage, reading: &DnsReading) -> Option<Lookup> {
        if !reading.is_lookup {
            return None;
        }
        let exchange = Exchange {
            socket: message.socket,
            remote: message.remote,
            id: reading.id,
            // who sends queries is the client, and who receives answers
            is_client: (message.way == Way::Sent) != reading.is_answer,
        };
        if reading.is_answer && reading.is_partial && exchange.is_client {
            self.note_partial(message);
        }
        match (reading.is_answer, &reading.question) {
            (false, None) => None,
            (false, Some(question)) => self.asked(exchange, question, message),
            (true, question) => self.answered(exchange, question.as_ref(), reading.code, message),
        }
    }

    fn asked(
        &mut self,
        exchange: Exchange,
        question: &DnsQuestion,
        message: &DnsMessage,
    ) -> Option<Lookup> {
        if let Some(code) = self.take_early(&exchange, question, message.mono_ns) {
            let outcome = Outcome::Answered { code, took_us: None };
            let flow = self.flow_of(&exchange, message);
            return Some(Lookup { flow, question: question.clone(), outcome });
        }
        let known = self.waiting.get_mut(&exchange);
        let mut known = known.into_iter().flatten();
        if let Some(waiting) = known.find(|waiting| waiting.question == *question) {
            waiting.last_ns = message.mono_ns;
            return None;
        }
        if self.waiting_count >= self.waiting_max {
            self.not_kept += 1;
            return None;
        }
        let waiting = Waiting {
            question: question.clone(),
            flow: self.flow_of(&exchange, message),
            first_ns: message.mono_ns,
            last_ns: message.mono_ns,
        };
        self.waiting.entry(exchange).or_default().push(waiting);
        self.waiting_count += 1;
        None
    }

    fn note_partial(&mut self, message: &DnsMessage) {
        if self.partial_ns.len() < self.waiting_max {
            self.partial_ns.insert(message.socket, message.mono_ns);
        }
    }

    fn flow_of(&self, exchange: &Exchange, message: &DnsMessage) -> FlowKey {
        let direction = match exchange.is_client {
            true => Direction::Outgoing,
            false => Direction::Incoming,
        };
        FlowKey::of_dns(direction, message, self.fold_client_port)
    }

    /// The code of an answer that came just before its query was told.
    fn take_early(
        &mut self,
        exchange: &Exchange,
        question: &DnsQuestion,
        now_ns: u64,
    ) -> Option<u8> {
        let since_ns = now_ns.saturating_sub(EARLY_NS_MAX);
        while self.early.front().is_some_and(|early| early.mono_ns < since_ns) {
            self.early.pop_front();
        }
        let place = self.early.iter().position(|early| {
            early.exchange == *exchange && early.question.as_ref().is_none_or(|q| q == question)
        })?;
        self.early.remove(place).map(|early| early.code)
    }

    fn answered(
        &mut self,
        exchange: Exchange,
        question: Option<&DnsQuestion>,
        code: u8,
        message: &DnsMessage,
    ) -> Option<Lookup> {
        let mono_ns = message.mono_ns;
        let Some(waiting) = self.take_waiting(&exchange, question) else {
            if self.early.len() >= EARLY_MAX {
                self.early.pop_front();
            }
            self.early.push_back(Early { exchange, question: question.cloned(), code, mono_ns });
            return None;
        };
        let took_us = Some(mono_ns.saturating_sub(waiting.first_ns) / 1000);
        let outcome = Outcome::Answered { code, took_us };
        Some(Lookup { flow: waiting.flow, question: waiting.question, outcome })
    }

    /// The query that an answer belongs to. Errors may come without the question: then it is the
    /// only one with that id.
    fn take_waiting(
        &mut self,
        exchange: &Exchange,
        question: Option<&DnsQuestion>,
    ) -> Option<Waiting> {
        let asked = self.waiting.get_mut(exchange)?;
        let place = match question {
            Some(question) => asked.iter().position(|waiting| waiting.question == *question)?,
            None if asked.len() == 1 => 0,
            None => return None,
        };
        let waiting = asked.swap_remove(place);
        if asked.is_empty() {
            self.waiting.remove(exchange);
        }
        self.waiting_count -= 1;
        Some(waiting)
    }

    /// Gives up what has waited too long.
    pub fn expire(&mut self, now_ns: u64, out: &mut dyn FnMut(Lookup)) {
        let Self { waiting, waiting_count, partial_ns, .. } = self;
        waiting.retain(|exchange, asked| {
            let late = |waiting: &mut Waiting| waiting.last_ns + ANSWER_NS_MAX <= now_ns;
            for Waiting { flow, question, last_ns, .. } in asked.extract_if(.., late) {
                *waiting_count -= 1;
                let is_abandoned = partial_ns.get(&exchange.socket).is_some_and(|ns| *ns > last_ns);
                let outcome = match is_abandoned {
                    true => Outcome::Abandoned,
                    false => Outcome::TimedOut,
                };
                out(Lookup { flow, question, outcome });
            }
            !asked.is_empty()
        });
        partial_ns.retain(|_, ns| *ns + ANSWER_NS_MAX > now_ns);
    }

    /// Queries that were not kept, since the last call.
    pub fn take_not_kept(&mut self) -> u64 {
        std::mem::take(&mut self.not_kept)
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
