//! Requests of one window, folded by key, and a few of them whole.
//!
//! Owns what makes two requests one row and what happens when there are too many rows: new rows
//! give up method and path, then their ends, never their count. Requests of which only the status
//! is known are shared out among the rows of their status.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use weir_model::{Exchange, L7Protocol, Outcome, Samples, Sketch};

use crate::flow_ids::{FlowId, FlowIds};
use crate::flows::FlowKey;
use crate::requests::reservoir::Reservoir;
use crate::requests::weights::Scale;

/// Stands for every path that has no row of its own.
const OTHER: &str = "{other}";

/// What makes a row of `l7_flows`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    pub flow: FlowId,
    /// The same requests as their client's end has them, where that end is not watched itself.
    pub client: Option<FlowId>,
    pub is_tls: bool,
    pub protocol: L7Protocol,
    pub method: Cow<'static, str>,
    /// The path with what identifies single things folded away.
    pub template: Arc<str>,
    pub status: Option<u16>,
    pub grpc_status: Option<u16>,
}

/// What is known of a request that was not read: rows of the same are what it is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stratum {
    pub flow: FlowId,
    /// See [`RequestKey::client`].
    pub client: Option<FlowId>,
    pub is_tls: bool,
    pub protocol: L7Protocol,
    pub status: Option<u16>,
    pub grpc_status: Option<u16>,
    pub is_answered: bool,
}

impl RequestKey {
    fn stratum(&self) -> Stratum {
        Stratum {
            flow: self.flow,
            client: self.client,
            is_tls: self.is_tls,
            protocol: self.protocol,
            status: self.status,
            grpc_status: self.grpc_status,
            is_answered: self.status.is_some(),
        }
    }

    fn without_path(mut self) -> Self {
        self.method = Cow::Borrowed("");
        self.template = Arc::from(OTHER);
        self
    }
}

/// What was counted of one key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestCounters {
    pub requests: u64,
    pub errors: u64,
    /// Answers of 1xx to 5xx.
    pub classes: [u64; 5],
    pub unanswered: u64,
    pub aborted: u64,
    /// Microseconds.
    pub response: Samples,
    pub sketch: Sketch,
}

impl Stratum {
    fn is_error(&self) -> bool {
        !self.is_answered
            || self.status.is_some_and(|status| status >= 400)
            || self.grpc_status.is_some_and(|status| status != 0)
    }

    /// The row of those that are like no request that was read.
    fn key(&self) -> RequestKey {
        RequestKey {
            flow: self.flow,
            client: self.client,
            is_tls: self.is_tls,
            protocol: self.protocol,
            method: Cow::Borrowed(""),
            template: Arc::from(OTHER),
            status: self.status,
            grpc_status: self.grpc_status,
        }
    }

    fn counters(&self, count: u64) -> RequestCounters {
        let mut counters = RequestCounters { requests: count, ..RequestCounters::default() };
        counters.errors = if self.is_error() { count } else { 0 };
        counters.unanswered = if self.is_answered { 0 } else { count };
        counters.count_class(self.status, count);
        counters
    }
}

impl RequestCounters {
    fn count_class(&mut self, status: Option<u16>, count: u64) {
        let class = status.map(|status| usize::from(status / 100));
        if let Some(sum) = class.and_then(|class| self.classes.get_mut(class.wrapping_sub(1))) {
            *sum += count;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.classes.iter_mut().zip(other.classes).for_each(|(sum, more)| *sum += more);
        self.unanswered += other.unanswered;
        self.aborted += other.aborted;
        self.response.merge(&other.response);
        self.sketch.merge(&other.sketch);
    }

    fn add(&mut self, exchange: &Exchange) {
        self.requests += 1;
        self.errors += u64::from(exchange.is_error());
        self.count_class(exchange.status, 1);
        match exchange.outcome {
            Outcome::Answered => {}
            Outcome::Unanswered => self.unanswered += 1,
            Outcome::Aborted => self.aborted += 1,
        }
        if let Some(response_us) = exchange.response_us {
            self.response.merge(&Samples::one(response_us));
            self.sketch.add(response_us);
        }
    }
}

/// One request, kept whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub flow: FlowId,
    /// See [`RequestKey::client`].
    pub client: Option<FlowId>,
    pub is_tls: bool,
    pub template: Arc<str>,
    pub exchange: Exchange,
}

impl Sample {
    fn new(key: &RequestKey, exchange: Exchange) -> Self {
        Self {
            flow: key.flow,
            client: key.client,
            is_tls: key.is_tls,
            template: key.template.clone(),
            exchange,
        }
    }
}

/// Those of its kind.
fn reservoir<'a>(
    errors: &'a mut Reservoir<Sample>,
    others: &'a mut Reservoir<Sample>,
    exchange: &Exchange,
) -> &'a mut Reservoir<Sample> {
    if exchange.is_error() { errors } else { others }
}

/// A row's place among those of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowId(usize);

/// The requests of one window.
#[derive(Debug)]
pub struct RequestTable {
    flows: FlowIds,
    rows: Vec<(RequestKey, RequestCounters)>,
    ids: HashMap<RequestKey, RowId, foldhash::fast::RandomState>,
    /// Requests that were not read.
    unread: HashMap<Stratum, u64, foldhash::fast::RandomState>,
    /// Of rows, of flows and of kinds of requests that were not read.
    rows_max: usize,
    folded: u64,
    read: u64,
    /// Errors are what people look for: they have room of their own.
    errors: Reservoir<Sample>,
    others: Reservoir<Sample>,
}

/// What a window held.
#[derive(Debug, Default)]
pub struct Requests {
    /// The flows that rows and samples belong to, by [`FlowId`].
    pub flows: Vec<FlowKey>,
    pub rows: Vec<(RequestKey, RequestCounters)>,
    /// Each with the number of requests that it stands for.
    pub samples: Vec<(Sample, u32)>,
    /// Requests whose detail had to go.
    pub folded: u64,
    /// Requests that were read, and those of which only the status is known. Rows and samples
    /// stand for both.
    pub read: u64,
    pub unread: u64,
}

impl RequestTable {
    pub fn new(rows_max: usize, samples_max: usize, seed: u64) -> Self {
        let others_max = samples_max.div_ceil(2);
        Self {
            flows: FlowIds::new(rows_max),
            rows: Vec::new(),
            ids: HashMap::default(),
            unread: HashMap::default(),
            rows_max,
            folded: 0,
            read: 0,
            errors: Reservoir::new(samples_max - others_max, seed),
            others: Reservoir::new(others_max, seed.rotate_left(32)),
        }
    }

    /// The flow's place in this window; it is another one after [`Self::take`].
    pub fn flow_id(&mut self, flow: FlowKey) -> FlowId {
        self.flows.id_of(flow)
    }

    /// Counts a request; gives its row, unless its detail had to go.
    pub fn add(&mut self, key: RequestKey, exchange: Exchange) -> Option<RowId> {
        self.offer(&key, &exchange);
        let row = self.count(key, |row| row.add(&exchange));
        self.folded += u64::from(row.is_none());
        row
    }

    /// Whether a request is of a row of the same connection, if it is of the same name.
    pub fn is_alike(&self, row: RowId, exchange: &Exchange) -> bool {
        self.rows.get(row.0).is_some_and(|(key, _)| {
            key.protocol == exchange.protocol
                && key.status == exchange.status
                && key.grpc_status == exchange.grpc_status
        })
    }

    /// Whether a row is of this method and template.
    pub fn is_named(&self, row: RowId, method: &str, template: &Arc<str>) -> bool {
        let key = self.rows.get(row.0).map(|(key, _)| key);
        key.is_some_and(|key| key.method == method && Arc::ptr_eq(&key.template, template))
    }

    /// Counts one more request of a row of this window.
    pub fn add_again(&mut self, row: RowId, exchange: Exchange) {
        let Some((key, counters)) = self.rows.get_mut(row.0) else { return };
        counters.add(&exchange);
        self.read += 1;
        reservoir(&mut self.errors, &mut self.others, &exchange)
            .offer(|| Sample::new(key, exchange));
    }

    fn offer(&mut self, key: &RequestKey, exchange: &Exchange) {
        self.read += 1;
        reservoir(&mut self.errors, &mut self.others, exchange)
            .offer(|| Sample::new(key, exchange.clone()));
    }

    /// Counts a request of which no more is known. Past the maximum, a new kind loses its ends.
    pub fn add_unread(&mut self, mut stratum: Stratum) {
        if let Some(count) = self.unread.get_mut(&stratum) {
            *count += 1;
            return;
        }
        if self.unread.len() >= self.rows_max {
            self.folded += 1;
            let flow = self.flows.flow(stratum.flow).clone();
            stratum.flow = self.flows.id_without_ends(flow);
            stratum.client = None;
        }
        *self.unread.entry(stratum).or_default() += 1;
    }

    /// Adds to the row of a key, which it gives, or of what can be kept of it.
    fn count(&mut self, key: RequestKey, add: impl Fn(&mut RequestCounters)) -> Option<RowId> {
        let key = match self.count_below(key, &add, self.rows_max) {
            Ok(row) => return Some(row),
            Err(key) => key,
        };
        // an eighth on top of the maximum for rows that still know both ends
        let ends_max = self.rows_max + self.rows_max / 8;
        let Err(key) = self.count_below(key.without_path(), &add, ends_max) else { return None };
        let flow = self.flows.flow(key.flow).clone();
        // at most directions x families x protocols x statuses
        let key = RequestKey { flow: self.flows.id_without_ends(flow), client: None, ..key };
        let _ = self.count_below(key, &add, usize::MAX);
        None
    }

    /// Counts under `key` unless that would be one row too many; then gives the key back.
    fn count_below(
        &mut self,
        key: RequestKey,
        add: &impl Fn(&mut RequestCounters),
        max: usize,
    ) -> Result<RowId, RequestKey> {
        if let Some(id) = self.ids.get(&key) {
            add(&mut self.rows[id.0].1);
            return Ok(*id);
        }
        if self.rows.len() >= max {
            return Err(key);
        }
        let id = RowId(self.rows.len());
        self.ids.insert(key.clone(), id);
        let mut counters = RequestCounters::default();
        add(&mut counters);
        self.rows.push((key, counters));
        Ok(id)
    }

    /// Adds what was not read to what is like it; gives how many those are.
    fn share_unread(&mut self) -> u64 {
        let mut unread = std::mem::take(&mut self.unread);
        if unread.is_empty() {
            return 0;
        }
        for (stratum, count) in &unread {
            let alike = if stratum.is_error() { &mut self.errors } else { &mut self.others };
            alike.stand_for(*count);
        }
        let all = unread.values().sum();
        let mut read: HashMap<Stratum, u64> = HashMap::new();
        for (key, row) in &self.rows {
            *read.entry(key.stratum()).or_default() += row.requests;
        }
        let with_scale = |(stratum, read)| {
            let count: u64 = unread.remove(&stratum)?;
            Some((stratum, Scale::new(read, read + count)))
        };
        let mut scales: HashMap<_, _> = read.into_iter().filter_map(with_scale).collect();
        for (key, row) in &mut self.rows {
            if let Some(scale) = scales.get_mut(&key.stratum()) {
                scale.apply(row);
            }
        }
        for (stratum, count) in unread {
            let more = stratum.counters(count);
            let row = self.count(stratum.key(), |row| row.merge(&more));
            self.folded += if row.is_none() { count } else { 0 };
        }
        all
    }

    /// Everything of the window, from each end; the table is empty afterwards.
    pub fn take(&mut self) -> Requests {
        let unread = self.share_unread();
        let mut samples = self.errors.take();
        samples.append(&mut self.others.take());
        let at_client = samples.iter().filter_map(|(sample, weight)| {
            let flow = sample.client?;
            Some((Sample { flow, client: None, ..sample.clone() }, *weight))
        });
        let at_client: Vec<_> = at_client.collect();
        samples.extend(at_client);

        self.ids.clear();
        let mut rows = std::mem::take(&mut self.rows);
        let at_client = rows.iter().filter_map(|(key, counters)| {
            let flow = key.client?;
            Some((RequestKey { flow, client: None, ..key.clone() }, counters.clone()))
        });
        let at_client: Vec<_> = at_client.collect();
        rows.extend(at_client);

        let (flows, folded) = (self.flows.take(), std::mem::take(&mut self.folded));
        let read = std::mem::take(&mut self.read);
        Requests { flows, rows, samples, folded, read, unread }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use weir_model::{Asked, Direction, Endpoint, Netns, Transport};

    use super::*;

    fn key(table: &mut RequestTable, remote: &str, template: &str, status: u16) -> RequestKey {
        let end = |text: &str| Endpoint::from(text.parse::<SocketAddr>().unwrap());
        let flow = table.flow_id(FlowKey {
            direction: Direction::Incoming,
            transport: Transport::Tcp,
            local: end("10.0.0.1:80"),
            remote: end(remote),
            dialled: None,
            netns: Netns(1),
            process: None,
            cgroup_id: None,
        });
        RequestKey {
            flow,
            client: None,
            is_tls: false,
            protocol: L7Protocol::Http11,
            method: Cow::Borrowed("GET"),
            template: Arc::from(template),
            status: Some(status),
            grpc_status: None,
        }
    }

    fn exchange(status: u16, response_us: u64) -> Exchange {
        Exchange {
            protocol: L7Protocol::Http11,
            asked: Arc::new(Asked { path: "/users/7".to_owned(), ..Asked::default() }),
            status: Some(status),
            grpc_status: None,
            outcome: Outcome::Answered,
            began_ns: 1,
            response_us: Some(response_us),
        }
    }

    #[test]
    fn requests_of_one_key_are_one_row() {
        let mut table = RequestTable::new(10, 4, 1);
        for response_us in [100, 300] {
            let key = key(&mut table, "10.0.0.2:0", "/users/{id}", 200);
            table.add(key, exchange(200, response_us));
        }
        let key = key(&mut table, "10.0.0.2:0", "/users/{id}", 503);
        table.add(key, exchange(503, 50));
        let mut taken = table.take();
        taken.rows.sort_by_key(|(key, _)| key.status);
        let [(_, fine), (_, failed)] = &taken.rows[..] else { panic!("{:?}", taken.rows) };
        assert_eq!((fine.requests, fine.errors, fine.classes), (2, 0, [0, 2, 0, 0, 0]));
        assert_eq!((fine.response.sum, fine.response.min, fine.response.max), (400, 100, 300));
        assert_eq!((failed.requests, failed.errors, failed.classes), (1, 1, [0, 0, 0, 0, 1]));
        assert_eq!(taken.samples.len(), 3);
        assert_eq!(taken.flows.len(), 1);
        assert!(table.take().rows.is_empty());
    }

    #[test]
    fn too_many_rows_lose_detail_and_no_request() {
        let mut table = RequestTable::new(8, 0, 1);
        for n in 0..40 {
            let remote = format!("10.0.1.{n}:0");
            let key = key(&mut table, &remote, &format!("/p{n}"), 200);
            table.add(key, exchange(200, 1));
        }
        let taken = table.take();
        assert_eq!(taken.rows.iter().map(|(_, counted)| counted.requests).sum::<u64>(), 40);
        assert!(taken.rows.len() <= 10, "{} rows", taken.rows.len());
        assert_eq!(taken.folded, 32);
    }
}
