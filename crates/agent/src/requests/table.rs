//! Requests of one window, folded by key, and a few of them whole.
//!
//! Owns what makes two requests one row and what happens when there are too many rows: new rows
//! give up method and path, then their ends, never their count.

use std::collections::HashMap;
use std::sync::Arc;

use weir_model::{Exchange, L7Protocol, Outcome, Samples, Sketch};

use crate::flows::FlowKey;
use crate::requests::reservoir::Reservoir;

/// Stands for every path that has no row of its own.
const OTHER: &str = "{other}";

/// A flow of the window's requests: its place in [`Requests::flows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowId(u32);

/// What makes a row of `l7_flows`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    pub flow: FlowId,
    /// The same requests as their client's end has them, where that end is not watched itself.
    pub client: Option<FlowId>,
    pub is_tls: bool,
    pub protocol: L7Protocol,
    pub method: Arc<str>,
    /// The path with what identifies single things folded away.
    pub template: Arc<str>,
    pub status: Option<u16>,
    pub grpc_status: Option<u16>,
}

impl FlowId {
    /// The place in [`Requests::flows`].
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

impl RequestKey {
    fn without_path(mut self) -> Self {
        self.method = Arc::from("");
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

impl RequestCounters {
    fn add(&mut self, exchange: &Exchange) {
        self.requests += 1;
        self.errors += u64::from(exchange.is_error());
        let class = exchange.status.map(|status| usize::from(status / 100));
        if let Some(count) = class.and_then(|class| self.classes.get_mut(class.wrapping_sub(1))) {
            *count += 1;
        }
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

/// The requests of one window.
#[derive(Debug)]
pub struct RequestTable {
    flows: Vec<FlowKey>,
    flow_ids: HashMap<FlowKey, FlowId>,
    rows: HashMap<RequestKey, RequestCounters, foldhash::fast::RandomState>,
    rows_max: usize,
    folded: u64,
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
}

impl RequestTable {
    pub fn new(rows_max: usize, samples_max: usize, seed: u64) -> Self {
        let others_max = samples_max.div_ceil(2);
        Self {
            flows: Vec::new(),
            flow_ids: HashMap::new(),
            rows: HashMap::default(),
            rows_max,
            folded: 0,
            errors: Reservoir::new(samples_max - others_max, seed),
            others: Reservoir::new(others_max, seed.rotate_left(32)),
        }
    }

    /// The flow's place in this window; it is another one after [`Self::take`].
    pub fn flow_id(&mut self, flow: FlowKey) -> FlowId {
        if let Some(id) = self.flow_ids.get(&flow) {
            return *id;
        }
        let id = FlowId(self.flows.len() as u32);
        self.flows.push(flow.clone());
        self.flow_ids.insert(flow, id);
        id
    }

    pub fn add(&mut self, key: RequestKey, exchange: Exchange) {
        let reservoir = match exchange.is_error() {
            true => &mut self.errors,
            false => &mut self.others,
        };
        reservoir.offer(|| Sample {
            flow: key.flow,
            client: key.client,
            is_tls: key.is_tls,
            template: key.template.clone(),
            exchange: exchange.clone(),
        });
        let Some(key) = self.count(key, &exchange, self.rows_max) else { return };
        self.folded += 1;
        // an eighth on top of the maximum for rows that still know both ends
        let ends_max = self.rows_max + self.rows_max / 8;
        let Some(key) = self.count(key.without_path(), &exchange, ends_max) else { return };
        let flow = self.flows[key.flow.place()].clone().without_ends();
        // at most directions x families x protocols x statuses
        let key = RequestKey { flow: self.flow_id(flow), client: None, ..key };
        self.count(key, &exchange, usize::MAX);
    }

    /// Counts under `key` unless that would be one row too many; then gives the key back.
    fn count(&mut self, key: RequestKey, exchange: &Exchange, max: usize) -> Option<RequestKey> {
        if let Some(known) = self.rows.get_mut(&key) {
            known.add(exchange);
            return None;
        }
        if self.rows.len() >= max {
            return Some(key);
        }
        self.rows.entry(key).or_default().add(exchange);
        None
    }

    /// Everything of the window, from each end; the table is empty afterwards.
    pub fn take(&mut self) -> Requests {
        let mut samples = self.errors.take();
        samples.append(&mut self.others.take());
        let at_client = samples.iter().filter_map(|(sample, weight)| {
            let flow = sample.client?;
            Some((Sample { flow, client: None, ..sample.clone() }, *weight))
        });
        let at_client: Vec<_> = at_client.collect();
        samples.extend(at_client);

        let mut rows: Vec<_> = std::mem::take(&mut self.rows).into_iter().collect();
        let at_client = rows.iter().filter_map(|(key, counters)| {
            let flow = key.client?;
            Some((RequestKey { flow, client: None, ..key.clone() }, counters.clone()))
        });
        let at_client: Vec<_> = at_client.collect();
        rows.extend(at_client);

        self.flow_ids.clear();
        let (flows, folded) = (std::mem::take(&mut self.flows), std::mem::take(&mut self.folded));
        Requests { flows, rows, samples, folded }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use weir_model::{Direction, Endpoint, Netns, Transport};

    use super::*;

    fn key(table: &mut RequestTable, remote: &str, template: &str, status: u16) -> RequestKey {
        let end = |text: &str| Endpoint::from(text.parse::<SocketAddr>().unwrap());
        let flow = table.flow_id(FlowKey {
            direction: Direction::Incoming,
            transport: Transport::Tcp,
            local: end("10.0.0.1:80"),
            remote: end(remote),
            netns: Netns(1),
            process: None,
            cgroup_id: None,
        });
        RequestKey {
            flow,
            client: None,
            is_tls: false,
            protocol: L7Protocol::Http11,
            method: Arc::from("GET"),
            template: Arc::from(template),
            status: Some(status),
            grpc_status: None,
        }
    }

    fn exchange(status: u16, response_us: u64) -> Exchange {
        Exchange {
            protocol: L7Protocol::Http11,
            method: "GET".to_owned(),
            path: "/users/7".to_owned(),
            status: Some(status),
            grpc_status: None,
            outcome: Outcome::Answered,
            began_ns: 1,
            response_us: Some(response_us),
            trace_id: None,
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
