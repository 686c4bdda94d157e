//! Requests: from payload that the probes hand over to the rows of a window.
//!
//! Owns which connections are being read, whose flow each belongs to, and the window's table.
//! Does not own what the bytes mean (`weir-l7`) nor how they were come by (`weir-probes`).

mod reservoir;
mod rows;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use weir_l7::{Connection, Templates};
use weir_model::{Endpoint, Exchange, L7Ends, LossKind, Payload, Role, Way};
use weir_probes::PayloadSink;

use crate::flows::FlowKey;
use crate::losses::Losses;

pub use rows::{flows_batch, samples_batch};
pub use table::{FlowId, RequestKey, Requests};

use table::RequestTable;

/// Longest wait for an answer; a request that has none by then is `unanswered`.
const ANSWER_NS_MAX: u64 = 60_000_000_000;

/// A connection whose payload is read.
#[derive(Debug)]
struct Watched {
    ends: L7Ends,
    /// The other end, where that is on this host and not told of itself.
    client: Option<L7Ends>,
    /// Made with the first payload, which tells whether the beginning was seen.
    parser: Option<Connection>,
    /// Bytes passed until now, by [`Way`].
    passed: [u64; 2],
    /// Which of the window's flows it is, and its client's, and of which window.
    flows: Option<(u64, FlowId, Option<FlowId>)>,
}

/// Maxima of what is read of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Connections read at once; more are not read, and counted.
    pub connections_max: usize,
    /// Rows in one window. Past it new rows lose method and path, then their remote end.
    pub rows_max: usize,
    /// Requests kept whole in one window, half of the room for errors.
    pub samples_max: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { connections_max: 65_536, rows_max: 16_384, samples_max: 1_000 }
    }
}

/// Everything between the payload probe and the window's rows.
#[derive(Debug)]
pub struct RequestWatch {
    connections: HashMap<u64, Watched>,
    connections_max: usize,
    found: Found,
    losses: Arc<Losses>,
}

/// What becomes of an exchange.
#[derive(Debug)]
struct Found {
    templates: Templates<Endpoint>,
    table: RequestTable,
    fold_client_port: bool,
    /// Counts windows.
    window: u64,
}

impl RequestWatch {
    /// The seed chooses which requests are kept whole.
    pub fn new(
        limits: RequestLimits,
        fold_client_port: bool,
        seed: u64,
        losses: Arc<Losses>,
    ) -> Self {
        let table = RequestTable::new(limits.rows_max, limits.samples_max, seed);
        Self {
            connections: HashMap::new(),
            connections_max: limits.connections_max,
            found: Found { templates: Templates::new(), table, fold_client_port, window: 0 },
            losses,
        }
    }

    /// The window's requests; open ones that waited too long are among them as unanswered.
    pub fn take(&mut self, now_mono_ns: u64) -> Requests {
        let before_ns = now_mono_ns.saturating_sub(ANSWER_NS_MAX);
        for watched in self.connections.values_mut() {
            let Some(parser) = &mut watched.parser else { continue };
            let mut owner = Ends::of(&watched.ends, watched.client.as_ref(), &mut watched.flows);
            parser.expire(before_ns, &mut |exchange| self.found.count(&mut owner, exchange));
            count_losses(&self.losses, parser);
        }
        self.found.window += 1;
        let requests = self.found.table.take();
        self.losses.add(LossKind::Discarded, "l7", "rows_max", requests.folded);
        requests
    }
}

fn count_losses(losses: &Losses, parser: &mut Connection) {
    for unparsed in parser.take_losses() {
        losses.add(LossKind::Lost, "l7", unparsed.reason.as_str(), unparsed.count);
    }
}

impl PayloadSink for RequestWatch {
    fn opened(&mut self, id: u64, ends: L7Ends) {
        if self.connections.len() >= self.connections_max && !self.connections.contains_key(&id) {
            self.losses.add(LossKind::Discarded, "l7", "connections_max", 1);
            return;
        }
        self.connections
            .insert(id, Watched { ends, client: None, parser: None, passed: [0; 2], flows: None });
    }

    fn payload(&mut self, id: u64, position: u64, payload: &Payload<'_>) {
        let Some(watched) = self.connections.get_mut(&id) else { return };
        let Watched { ends, client, parser, passed, flows } = watched;
        let passed = &mut passed[payload.way as usize];
        let is_joined = parser.is_none() && position > 0;
        let parser = parser.get_or_insert_with(|| match is_joined {
            true => Connection::joined(ends.role),
            false => Connection::new(ends.role),
        });
        let hole = position.saturating_sub(*passed);
        *passed = position + u64::from(payload.length);
        let found = &mut self.found;
        let mut owner = Ends::of(ends, client.as_ref(), flows);
        let mut out = |exchange: Exchange| found.count(&mut owner, exchange);
        if hole > 0 && !is_joined {
            let length = u32::try_from(hole).unwrap_or(u32::MAX);
            parser.feed(&Payload { length, bytes: &[], ..*payload }, &mut out);
        }
        parser.feed(payload, &mut out);
        if ends.role == Role::Unknown
            && let Some(request_way) = parser.request_way()
        {
            ends.role = match request_way {
                Way::Sent => Role::Client,
                Way::Received => Role::Server,
            };
        }
        if parser.is_given_up() {
            count_losses(&self.losses, parser);
            self.connections.remove(&id);
        }
    }

    /// What the server's end tells is counted for the client's end too.
    fn withdrawn(&mut self, id: u64, server: u64) {
        let Some(client) = self.connections.remove(&id) else { return };
        if let Some(watched) = self.connections.get_mut(&server) {
            watched.client = Some(client.ends);
            watched.flows = None;
        }
    }

    fn closed(&mut self, id: u64, _mono_ns: u64, is_reset: bool) {
        let Some(watched) = self.connections.remove(&id) else { return };
        let Watched { ends, client, parser: Some(mut parser), mut flows, .. } = watched else {
            return;
        };
        let mut owner = Ends::of(&ends, client.as_ref(), &mut flows);
        parser.close(is_reset, &mut |exchange| self.found.count(&mut owner, exchange));
        count_losses(&self.losses, &mut parser);
    }
}

/// Whose exchange it is.
struct Ends<'a> {
    told: &'a L7Ends,
    client: Option<&'a L7Ends>,
    flows: &'a mut Option<(u64, FlowId, Option<FlowId>)>,
}

impl<'a> Ends<'a> {
    fn of(
        told: &'a L7Ends,
        client: Option<&'a L7Ends>,
        flows: &'a mut Option<(u64, FlowId, Option<FlowId>)>,
    ) -> Self {
        Self { told, client, flows }
    }
}

impl Found {
    fn count(&mut self, ends: &mut Ends<'_>, exchange: Exchange) {
        let (flow, client) = self.flows_of(ends);
        let server = match ends.told.role {
            Role::Server => ends.told.local,
            Role::Client | Role::Unknown => ends.told.remote,
        };
        let key = RequestKey {
            flow,
            client,
            is_tls: ends.told.is_tls,
            protocol: exchange.protocol,
            method: Arc::from(exchange.method.as_str()),
            template: self.templates.fold(&server, exchange.protocol, &exchange.path),
            status: exchange.status,
            grpc_status: exchange.grpc_status,
        };
        self.table.add(key, exchange);
    }

    /// Looked up once a window and connection.
    fn flows_of(&mut self, ends: &mut Ends<'_>) -> (FlowId, Option<FlowId>) {
        match *ends.flows {
            Some((window, flow, client)) if window == self.window => (flow, client),
            _ => {
                let mut id = |of| self.table.flow_id(FlowKey::of_ends(of, self.fold_client_port));
                let (flow, client) = (id(ends.told), ends.client.map(id));
                *ends.flows = Some((self.window, flow, client));
                (flow, client)
            }
        }
    }
}
