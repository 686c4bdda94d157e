//! Requests: from payload that the probes hand over to the rows of a window.
//!
//! Owns which connections are being read, whose flow each belongs to, and the window's table.
//! Does not own what the bytes mean (`weir-l7`) nor how they were come by (`weir-probes`).

mod early;
mod gate;
mod random;
mod reservoir;
mod rows;
mod table;
mod weights;

use std::collections::HashMap;
use std::sync::Arc;

use weir_l7::{Connection, Headers, Skim, Skimmed, Templates};
use weir_model::{
    Asked, Endpoint, Exchange, L7Ends, L7Protocol, LossKind, Outcome, Payload, Role, Way,
};
use weir_probes::PayloadSink;

use crate::flow_ids::FlowId;
use crate::flows::FlowKey;
use crate::losses::Losses;

pub use gate::{ContainerNames, Gate, Shut};
pub use rows::{flows_batch, samples_batch};
pub use table::{RequestKey, Requests};

use early::{Early, Over};
use random::Random;
use table::{RequestTable, RowId, Stratum};

/// Longest wait for an answer; a request that has none by then is `unanswered`.
const ANSWER_NS_MAX: u64 = 60_000_000_000;

/// A connection whose payload is read.
#[derive(Debug)]
struct Watched {
    ends: L7Ends,
    /// The other end, where that is on this host and not told of itself.
    client: Option<L7Ends>,
    /// Made with the first payload that is read; that tells whether the beginning was seen.
    parser: Option<Connection>,
    /// Where the exchange in progress is one of those that are not read.
    skim: Option<Skim>,
    /// Bytes passed until now, by [`Way`].
    passed: [u64; 2],
    place: Option<Place>,
    early: Early,
}

/// Where a connection's exchanges are counted in one window.
#[derive(Debug)]
struct Place {
    window: u64,
    /// Which of the window's flows it is, and its client's.
    flow: FlowId,
    client: Option<FlowId>,
    last: Option<Last>,
}

/// The latest exchange of a connection: the next one is often alike.
#[derive(Debug)]
struct Last {
    asked: Arc<Asked>,
    row: RowId,
    /// What the row was found by, beside what is in its key.
    role: Role,
    template_changes: u64,
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
    connections: HashMap<u64, Watched, foldhash::fast::RandomState>,
    connections_max: usize,
    /// Of so many exchanges one is read.
    one_in: u64,
    found: Found,
    over: Over,
    losses: Arc<Losses>,
}

/// What becomes of an exchange.
#[derive(Debug)]
struct Found {
    templates: Templates<Endpoint>,
    table: RequestTable,
    headers: Arc<Headers>,
    fold_client_port: bool,
    /// Counts windows.
    window: u64,
    random: Random,
}

impl RequestWatch {
    /// The seed chooses which requests are kept whole.
    pub fn new(
        limits: RequestLimits,
        headers: Headers,
        fold_client_port: bool,
        seed: u64,
        losses: Arc<Losses>,
    ) -> Self {
        let table = RequestTable::new(limits.rows_max, limits.samples_max, seed);
        let random = Random::new(seed.rotate_left(16));
        let (templates, headers) = (Templates::new(), Arc::new(headers));
        Self {
            connections: HashMap::default(),
            connections_max: limits.connections_max,
            one_in: 1,
            found: Found { templates, table, headers, fold_client_port, window: 0, random },
            over: Over::default(),
            losses,
        }
    }

    /// From now on one of so many exchanges is read; of the others the status is counted. Rows
    /// and samples stand for all, if this is changed between windows only.
    pub fn read_one_in(&mut self, exchanges: u64) {
        self.one_in = exchanges.max(1);
    }

    /// The window's requests; open ones that waited too long are among them as unanswered.
    pub fn take(&mut self, now_mono_ns: u64) -> Requests {
        let before_ns = now_mono_ns.saturating_sub(ANSWER_NS_MAX);
        let one_in = self.one_in;
        self.over.forget();
        for watched in self.connections.values_mut() {
            watched.early.forget();
            let mut owner = Ends::of(&watched.ends, watched.client.as_ref(), &mut watched.place);
            if let Some(skim) = &mut watched.skim {
                skim.expire(before_ns, &mut |skimmed| self.found.skim(&mut owner, skimmed));
            }
            let Some(parser) = &mut watched.parser else { continue };
            let mut out = |exchange| self.found.count(&mut owner, exchange, one_in);
            parser.expire(before_ns, &mut out);
            count_losses(&self.losses, parser);
        }
        self.found.window += 1;
        self.found.templates.end_window();
        let requests = self.found.table.take();
        self.losses.add(LossKind::Discarded, "l7", "rows_max", requests.folded);
        self.losses.add(LossKind::Sampled, "l7", "cpu_max", requests.unread);
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
        let early = Early::default();
        let passed = [0; 2];
        let watched =
            Watched { ends, client: None, parser: None, skim: None, passed, place: None, early };
        self.connections.insert(id, watched);
    }

    fn payload(&mut self, id: u64, position: u64, payload: &Payload<'_>) {
        let Some(watched) = self.connections.get_mut(&id) else { return };
        let passed = &mut watched.passed[payload.way as usize];
        let hole = position.saturating_sub(*passed);
        *passed = position + u64::from(payload.length);
        let is_over = match watched.is_skimmed(position, payload, self.one_in, &mut self.found) {
            true => watched.skim(payload, &mut self.found),
            false => watched.read(position, hole, payload, self.one_in, &mut self.found),
        };
        if is_over {
            if let Some(parser) = &mut watched.parser {
                count_losses(&self.losses, parser);
            }
            self.over.remember(id, std::mem::take(&mut watched.early));
            self.connections.remove(&id);
        }
    }

    /// What the server's end tells is counted for the client's end too.
    fn withdrawn(&mut self, id: u64, server: u64) {
        let Some(client) = self.connections.remove(&id) else { return };
        let early = match self.connections.get_mut(&server) {
            Some(watched) => {
                watched.client = Some(client.ends.clone());
                watched.place = None;
                watched.early.take()
            }
            None => self.over.take(server),
        };
        let mut place = None;
        let mut owner = Ends::of(&client.ends, None, &mut place);
        let (exchanges, skimmed) = early;
        for exchange in exchanges {
            self.found.count(&mut owner, exchange, self.one_in);
        }
        skimmed.into_iter().for_each(|skimmed| self.found.skim(&mut owner, skimmed));
    }

    fn closed(&mut self, id: u64, _mono_ns: u64, is_reset: bool) {
        let Some(watched) = self.connections.remove(&id) else { return };
        let Watched { ends, client, parser, skim, mut place, mut early, .. } = watched;
        let mut owner = Ends::of(&ends, client.as_ref(), &mut place);
        if let Some(mut skim) = skim {
            skim.settle(&mut |skimmed| {
                early.remember_skimmed(skimmed);
                self.found.skim(&mut owner, skimmed);
            });
        }
        if let Some(mut parser) = parser {
            let one_in = self.one_in;
            let mut out = |exchange| {
                early.remember(&exchange);
                self.found.count(&mut owner, exchange, one_in);
            };
            parser.close(is_reset, &mut out);
            count_losses(&self.losses, &mut parser);
        }
        self.over.remember(id, early);
    }
}

impl Watched {
    /// Whether this call is part of an exchange that is not read. Chosen for each exchange of
    /// HTTP/1 at its beginning; of HTTP/2 everything is read, because what a header block means
    /// depends on those before it.
    fn is_skimmed(
        &mut self,
        position: u64,
        payload: &Payload<'_>,
        one_in: u64,
        found: &mut Found,
    ) -> bool {
        let Self { ends, client, parser, skim, place, .. } = self;
        if one_in == 1 && skim.is_none() {
            return false;
        }
        let request_way = match (&*skim, &*parser) {
            (Some(skim), _) => Some(skim.request_way()),
            (None, Some(parser)) => parser.request_way(),
            (None, None) => Some(payload.way),
        };
        if request_way != Some(payload.way) || !Skim::can_begin(payload.bytes) {
            return skim.is_some();
        }
        let mut owner = Ends::of(ends, client.as_ref(), place);
        let (is_between, is_pipelined) = match (&*skim, &mut *parser) {
            (Some(skim), _) => (skim.is_between(), skim.is_pipelined()),
            (None, Some(parser)) => {
                let mut out = |exchange| found.count(&mut owner, exchange, 1);
                (parser.pause(&mut out), false)
            }
            (None, None) => (position == 0, false),
        };
        if !is_between {
            return skim.is_some();
        }
        if !is_pipelined && found.random.below(one_in) != 0 {
            skim.get_or_insert_with(|| Skim::new(payload.way));
            return true;
        }
        if let Some(mut skim) = skim.take() {
            skim.settle(&mut |skimmed| found.skim(&mut owner, skimmed));
            // it begins with a request, whatever passed before
            parser.get_or_insert_with(|| Connection::new(ends.role).reading(&found.headers));
        }
        false
    }

    /// Counts; says whether nothing more will come of the connection.
    fn skim(&mut self, payload: &Payload<'_>, found: &mut Found) -> bool {
        let Self { ends, client, skim: Some(skim), place, early, .. } = self else { return false };
        tell_role(ends, skim.request_way());
        let mut owner = Ends::of(ends, client.as_ref(), place);
        skim.feed(payload, &mut |skimmed| {
            early.remember_skimmed(skimmed);
            found.skim(&mut owner, skimmed);
        });
        skim.is_ended()
    }

    /// Reads; says whether nothing more will come of the connection.
    fn read(
        &mut self,
        position: u64,
        hole: u64,
        payload: &Payload<'_>,
        one_in: u64,
        found: &mut Found,
    ) -> bool {
        let Self { ends, client, parser, place, early, .. } = self;
        let is_joined = parser.is_none() && position > 0;
        let parser = parser.get_or_insert_with(|| match is_joined {
            true => Connection::joined(ends.role).reading(&found.headers),
            false => Connection::new(ends.role).reading(&found.headers),
        });
        let mut owner = Ends::of(ends, client.as_ref(), place);
        let mut out = |exchange: Exchange| {
            early.remember(&exchange);
            found.count(&mut owner, exchange, one_in);
        };
        if hole > 0 && !is_joined {
            let length = u32::try_from(hole).unwrap_or(u32::MAX);
            parser.feed(&Payload { length, bytes: &[], ..*payload }, &mut out);
        }
        parser.feed(payload, &mut out);
        if let Some(request_way) = parser.request_way() {
            tell_role(ends, request_way);
        }
        parser.is_given_up()
    }
}

/// Who asks is the client, where that was not known.
fn tell_role(ends: &mut L7Ends, request_way: Way) {
    if ends.role == Role::Unknown {
        ends.role = match request_way {
            Way::Sent => Role::Client,
            Way::Received => Role::Server,
        };
    }
}

/// Whose exchange it is.
struct Ends<'a> {
    told: &'a L7Ends,
    client: Option<&'a L7Ends>,
    place: &'a mut Option<Place>,
}

impl<'a> Ends<'a> {
    fn of(told: &'a L7Ends, client: Option<&'a L7Ends>, place: &'a mut Option<Place>) -> Self {
        Self { told, client, place }
    }
}

impl Found {
    /// What HTTP/1 gives was chosen before it was read; of HTTP/2 one in so many is chosen here.
    fn count(&mut self, ends: &mut Ends<'_>, exchange: Exchange, one_in: u64) {
        let is_chosen_late = matches!(exchange.protocol, L7Protocol::Http2 | L7Protocol::Grpc);
        if is_chosen_late && self.random.below(one_in) != 0 {
            let Exchange { protocol, status, grpc_status, outcome, .. } = exchange;
            let is_answered = outcome != Outcome::Unanswered;
            return self.add_unread(ends, (protocol, status, grpc_status), is_answered);
        }
        let told = ends.told;
        let place = self.place_of(ends);
        let last = place.last.as_ref();
        let last =
            last.filter(|last| last.role == told.role && self.table.is_alike(last.row, &exchange));
        if let Some(last) = last
            && last.template_changes == self.templates.changes()
            && last.asks_as(&exchange)
        {
            return self.table.add_again(last.row, exchange);
        }
        let server = match told.role {
            Role::Server => told.local,
            Role::Client | Role::Unknown => told.remote,
        };
        let asked = exchange.asked.clone();
        let template = self.templates.fold(&server, exchange.protocol, &asked.path);
        let row = match last {
            Some(last) if self.table.is_named(last.row, &asked.method, &template) => {
                self.table.add_again(last.row, exchange);
                Some(last.row)
            }
            _ => {
                let key = RequestKey {
                    flow: place.flow,
                    client: place.client,
                    is_tls: told.is_tls,
                    protocol: exchange.protocol,
                    method: asked.method.clone(),
                    template,
                    status: exchange.status,
                    grpc_status: exchange.grpc_status,
                };
                self.table.add(key, exchange)
            }
        };
        let (role, template_changes) = (told.role, self.templates.changes());
        place.last = row.map(|row| Last { asked, row, role, template_changes });
    }

    fn skim(&mut self, ends: &mut Ends<'_>, skimmed: Skimmed) {
        let Skimmed { protocol, status, is_answered } = skimmed;
        self.add_unread(ends, (protocol, status, None), is_answered);
    }

    fn add_unread(
        &mut self,
        ends: &mut Ends<'_>,
        (protocol, status, grpc_status): (L7Protocol, Option<u16>, Option<u16>),
        is_answered: bool,
    ) {
        let Place { flow, client, .. } = *self.place_of(ends);
        let is_tls = ends.told.is_tls;
        let stratum = Stratum { flow, client, is_tls, protocol, status, grpc_status, is_answered };
        self.table.add_unread(stratum);
    }

    /// Looked up once a window and connection.
    fn place_of<'a>(&mut self, ends: &'a mut Ends<'_>) -> &'a mut Place {
        let Ends { told, client, place } = ends;
        let window = self.window;
        if place.as_ref().is_some_and(|place| place.window != window) {
            **place = None;
        }
        place.get_or_insert_with(|| {
            let mut id = |of| self.table.flow_id(FlowKey::of_ends(of, self.fold_client_port));
            let (flow, client) = (id(told), client.map(id));
            Place { window, flow, client, last: None }
        })
    }
}

impl Last {
    /// Whether method and path are the same.
    fn asks_as(&self, exchange: &Exchange) -> bool {
        let (known, asked) = (&self.asked, &exchange.asked);
        Arc::ptr_eq(known, asked) || (known.method == asked.method && known.path == asked.path)
    }
}

#[cfg(test)]
mod tests;
