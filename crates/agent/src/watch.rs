//! The thread that reads the probes and closes windows.
//!
//! Owns the order of a window's end: read everything, know whose addresses are here, name the
//! flows, find their other ends, hand the batch over without waiting for anybody.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use weir_identity::{CgroupScope, DnsNames, HostAddresses, Owner, Owners, RuntimeNames};
use weir_model::{Direction, L4Counters, LossKind, Transport};
use weir_schema::{FORMAT_VERSION, Table};
use weir_wire::{Batch, BatchHeader, FORMAT};

use crate::clock::Moment;
use crate::cloud::Whereabouts;
use crate::cpu::{CpuClock, Load, Throttle};
use crate::ends::BothEnds;
use crate::flow_ids::FlowId;
use crate::flows::{FlowKey, FlowTable};
use crate::lookups::{LookupWatch, Lookups, lookups_batch};
use crate::losses::Losses;
use crate::options::AgentOptions;
use crate::requests::{Gate, RequestWatch, Requests, Shut, flows_batch, samples_batch};
use crate::rows::{FlowRow, RowContext, record_batch};
use crate::source::{RecordSource, SourceError};
use crate::stats::Counters;
use crate::window::{Span, Window};
use crate::window_sink::WindowSink;

/// Longest wait for DNS messages in one go, so that a stop is noticed soon.
const POLL_MAX: Duration = Duration::from_millis(100);
/// How long addresses and other ends are remembered without being seen.
const HOLD_MS: i64 = 600_000;
/// Repeated errors of the source are logged once in so many.
const ERRORS_LOGGED_EVERY: u64 = 360;

/// Names that every batch of the agent carries.
#[derive(Clone, Debug)]
pub struct AgentNames {
    pub agent: String,
    pub host: String,
    pub boot_id: String,
}

/// Tells the thread to stop, and lets it sleep until then.
#[derive(Debug, Default)]
pub struct StopSignal {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl StopSignal {
    pub fn set(&self) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub fn is_set(&self) -> bool {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for `timeout` or until the signal is set.
    pub fn sleep(&self, timeout: Duration) {
        let guard = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(guard, timeout, |is_set| !*is_set));
    }
}

/// What the agent's threads share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    pub losses: Arc<Losses>,
    pub counters: Arc<Counters>,
    pub cpu: Arc<CpuClock>,
    pub whereabouts: Arc<Whereabouts>,
    pub containers: Arc<RuntimeNames>,
}

/// Reads a source window by window.
pub struct Watcher<S> {
    source: S,
    options: AgentOptions,
    names: AgentNames,
    scope: CgroupScope,
    table: FlowTable,
    owners: Owners,
    addresses: HostAddresses,
    ends: BothEnds,
    dns: DnsNames,
    requests: RequestWatch,
    lookups: LookupWatch,
    losses: Arc<Losses>,
    counters: Arc<Counters>,
    cpu: Arc<CpuClock>,
    whereabouts: Arc<Whereabouts>,
    throttle: Throttle,
    /// When the last window was judged, and what had been used until then.
    judged: (Instant, Duration),
    batches: SyncSender<Batch>,
    source_errors: u64,
}

impl<S: RecordSource> Watcher<S> {
    pub fn new(
        source: S,
        options: AgentOptions,
        names: AgentNames,
        Shared { losses, counters, cpu, whereabouts, containers }: Shared,
        batches: SyncSender<Batch>,
    ) -> Self {
        let limits = options.limits;
        Self {
            scope: CgroupScope::new(options.cgroup.clone(), options.owners.cgroups_max),
            table: FlowTable::new(options.fold_client_port, limits.flows_max),
            owners: Owners::with_names(&options.proc_root, options.owners, containers),
            addresses: HostAddresses::new(&options.proc_root, limits.addresses_max, HOLD_MS),
            ends: BothEnds::new(limits.conversations_max, limits.listeners_max, HOLD_MS),
            dns: DnsNames::new(options.dns),
            requests: RequestWatch::new(
                options.requests,
                options.headers.clone(),
                options.fold_client_port,
                random_seed(),
                losses.clone(),
            ),
            throttle: Throttle::new(options.cpu_max_percent),
            judged: (Instant::now(), source.kernel_run_time()),
            lookups: LookupWatch::new(options.lookups, options.fold_client_port, losses.clone()),
            source,
            options,
            names,
            losses,
            counters,
            cpu,
            whereabouts,
            batches,
            source_errors: 0,
        }
    }

    /// Closes window after window until `stop` is set; the last one is closed early.
    pub fn run(mut self, stop: &StopSignal) {
        let mut window = Window::open(Moment::now(), self.options.window_ms);
        loop {
            self.watch(&window, stop);
            let is_last = stop.is_set();
            let end = Moment::now();
            self.close(window.close(end));
            if is_last {
                return;
            }
            window = window.next(end);
        }
    }

    /// Reads payload and DNS messages until the window ends.
    fn watch(&mut self, window: &Window, stop: &StopSignal) {
        loop {
            let now = Moment::now();
            let left = window.deadline_mono_ns().saturating_sub(now.mono_ns);
            if left == 0 || stop.is_set() {
                return;
            }
            let timeout = Duration::from_nanos(left).min(POLL_MAX);
            let began = Instant::now();
            self.scope.refresh(now.unix_ms);
            self.owners.refresh(now.unix_ms);
            if self.source.reads_payload() {
                let polled = self.poll_payload(timeout);
                self.note_source(polled.map(|()| 0));
            }
            let polled = self.poll_dns(timeout.saturating_sub(began.elapsed()));
            if self.note_source(polled) {
                continue;
            }
            // a source that cannot wait for messages must not make this a busy loop
            stop.sleep(timeout.saturating_sub(began.elapsed()));
        }
    }

    fn poll_payload(&mut self, timeout: Duration) -> Result<(), SourceError> {
        let mut gate = Gate {
            scope: &mut self.scope,
            names: &self.options.excluded_containers,
            owners: &mut self.owners,
            sink: &mut self.requests,
            now_ms: Moment::now().unix_ms,
            shut: Shut::default(),
        };
        let polled = self.source.poll_payload(timeout, &mut gate);
        let Shut { connections, cgroups, unknown } = gate.shut;
        self.losses.add(LossKind::Discarded, "l7", "container_unknown", unknown);
        connections.into_iter().for_each(|id| self.source.ignore_payload(id));
        for cgroup_id in cgroups {
            if let Err(err) = self.source.exclude_cgroup(cgroup_id) {
                // its payload is thrown away here, as that of its first connection was
                tracing::debug!(%err, cgroup_id, "the kernel goes on reading a container");
            }
        }
        polled
    }

    fn poll_dns(&mut self, timeout: Duration) -> Result<u64, SourceError> {
        let mut messages = 0;
        let (scope, dns, lookups) = (&mut self.scope, &mut self.dns, &mut self.lookups);
        let now = Moment::now();
        self.source.poll_dns(timeout, &mut |message| {
            messages += 1;
            if !scope.has(message.cgroup_id, now.unix_ms) {
                return;
            }
            if let Some(reading) = dns.observe(&message, now.unix_ms_of(message.mono_ns)) {
                lookups.add(&message, &reading);
            }
        })?;
        self.counters.dns_messages.fetch_add(messages, Relaxed);
        Ok(messages)
    }

    /// Whether messages came; an error is counted and logged now and then.
    fn note_source(&mut self, polled: Result<u64, SourceError>) -> bool {
        match polled {
            Ok(messages) => messages > 0,
            Err(err) => {
                if self.source_errors.is_multiple_of(ERRORS_LOGGED_EVERY) {
                    tracing::warn!(%err, errors = self.source_errors, "cannot read the probes");
                }
                self.source_errors += 1;
                self.losses.add(LossKind::Lost, "window", "source_error", 1);
                false
            }
        }
    }

    fn close(&mut self, span: Span) {
        let began = Instant::now();
        let polled = self.poll_dns(Duration::ZERO);
        self.note_source(polled);
        if self.source.reads_payload() {
            let polled = self.poll_payload(Duration::ZERO);
            self.note_source(polled.map(|()| 0));
        }
        let drained = self.drain(span.to_ms);
        self.note_source(drained.map(|()| 0));
        let rows = self.name_flows(span.to_ms);
        let requests = self.requests.take(Moment::now().mono_ns);
        let lookups = self.lookups.take(Moment::now().mono_ns);
        self.judge_cost(&requests);
        self.collect_losses();
        self.hand_over_flows(&rows, span);
        self.hand_over_requests(requests, span);
        self.hand_over_lookups(lookups, span);
        self.ends.end_window(span.to_ms);
        self.addresses.expire(span.to_ms);
        let counters = &self.counters;
        counters.windows.fetch_add(1, Relaxed);
        if span.length_ms > self.options.window_ms {
            counters.windows_late.fetch_add(1, Relaxed);
        }
        counters.rows.fetch_add(rows.len() as u64, Relaxed);
        counters.last_close_us.store(began.elapsed().as_micros() as u64, Relaxed);
    }

    fn drain(&mut self, now_ms: i64) -> Result<(), SourceError> {
        let mut sink = WindowSink {
            scope: &mut self.scope,
            table: &mut self.table,
            owners: &mut self.owners,
            addresses: &mut self.addresses,
            ends: &mut self.ends,
            pids: HashMap::new(),
            now_ms,
        };
        let drained = self.source.drain(&mut sink);
        for (netns, pids) in sink.pids {
            self.addresses.read_interfaces(netns, &pids, now_ms);
        }
        drained
    }

    /// The window's flows with the names of both ends.
    fn name_flows(&mut self, now_ms: i64) -> Vec<FlowRow> {
        let (flows, records, folded) = self.table.take();
        self.counters.records.fetch_add(records, Relaxed);
        self.losses.add(LossKind::Discarded, "window", "flows_max", folded);
        self.name_both_ends(flows, now_ms)
    }

    /// First everybody's own end: each may be another one's far end.
    fn name_both_ends(&mut self, flows: Vec<(FlowKey, L4Counters)>, now_ms: i64) -> Vec<FlowRow> {
        let mut rows: Vec<FlowRow> = flows
            .into_iter()
            .map(|(key, counters)| self.local_end(key, counters, now_ms))
            .collect();
        rows.iter_mut().for_each(|row| self.name_remote(row, now_ms));
        rows
    }

    fn name_remote(&mut self, row: &mut FlowRow, now_ms: i64) {
        let (key, pid) = (&row.key, row.key.process.as_ref().map(|process| process.pid));
        if row.remote_is_here {
            row.remote = self.ends.remote_of(key, &self.addresses, now_ms);
        }
        // names are resolved to what is dialled
        let resolved = key.dialled.filter(|_| key.direction == Direction::Outgoing);
        let ip = resolved.unwrap_or(key.remote).ip;
        row.remote_domain = self.dns.name(key.netns, ip, pid, now_ms);
    }

    fn local_end(&mut self, key: FlowKey, counters: L4Counters, now_ms: i64) -> FlowRow {
        let local = self.owners.find(key.process.as_ref(), key.cgroup_id, now_ms);
        let remote_is_here = self.addresses.is_own(key.remote.ip);
        if remote_is_here {
            self.ends.saw(&key, &local);
        }
        let remote = Owner::default();
        FlowRow { key, counters, local, remote, remote_is_here, remote_domain: None }
    }

    /// Reads fewer requests in the next window if this one took too much, or more again.
    fn judge_cost(&mut self, requests: &Requests) {
        let (now, used) = (Instant::now(), self.cpu.used() + self.source.kernel_run_time());
        let (then, used_then) = std::mem::replace(&mut self.judged, (now, used));
        let load = Load {
            used: used.saturating_sub(used_then),
            took: now.duration_since(then),
            read: requests.read,
        };
        let one_in = self.throttle.after(&load);
        self.requests.read_one_in(one_in);
        let counters = &self.counters;
        counters.cpu_us.fetch_add(load.used.as_micros() as u64, Relaxed);
        counters.requests_read.fetch_add(requests.read, Relaxed);
        counters.requests_sampled.fetch_add(requests.unread, Relaxed);
        let before = counters.requests_one_in.swap(one_in, Relaxed).max(1);
        let (used_percent, cpu_max_percent) = (load.percent(), self.options.cpu_max_percent);
        if before == 1 && one_in > 1 {
            tracing::info!(one_in, used_percent, cpu_max_percent, "requests are sampled");
        } else if before > 1 && one_in == 1 {
            tracing::info!(used_percent, cpu_max_percent, "every request is read again");
        }
    }

    fn collect_losses(&mut self) {
        self.losses.add_all(self.source.losses());
        self.losses.add_all(self.dns.losses());
        let cut_walks = self.owners.take_cut_walks() + self.scope.take_cut_walks();
        self.losses.add(LossKind::Discarded, "identity", "cgroups_max", cut_walks);
    }

    /// The window's flows, in at least one batch: it tells that the agent is there.
    fn hand_over_flows(&mut self, rows: &[FlowRow], span: Span) {
        self.hand_over(Table::L4Flows, rows.len().max(1), span, |range, context| {
            record_batch(&rows[range.start..range.end.min(rows.len())], context)
        });
    }

    fn hand_over_requests(&mut self, requests: Requests, span: Span) {
        let Requests { flows, rows, samples, .. } = requests;
        let named = self.name_flows_of(flows, span);
        let now = Moment::now();
        // a client that is known by its own connection needs no guess by its address
        let flow_of = |flow: FlowId, client: Option<FlowId>| {
            let mut row = named[flow.place()].clone();
            if let Some(client) = client {
                row.remote = named[client.place()].local.clone();
            }
            row
        };
        self.hand_over(Table::L7Flows, rows.len(), span, |range, context| {
            let rows = &rows[range];
            let flows: Vec<_> = rows.iter().map(|(key, _)| flow_of(key.flow, key.client)).collect();
            flows_batch(&flows, rows, context)
        });
        self.hand_over(Table::L7Samples, samples.len(), span, |range, context| {
            let samples = &samples[range];
            let flows: Vec<_> =
                samples.iter().map(|(sample, _)| flow_of(sample.flow, sample.client)).collect();
            samples_batch(&flows, samples, context, |mono_ns| now.unix_ms_of(mono_ns))
        });
    }

    fn hand_over_lookups(&mut self, lookups: Lookups, span: Span) {
        let Lookups { flows, rows, .. } = lookups;
        let named = self.name_flows_of(flows, span);
        self.hand_over(Table::DnsFlows, rows.len(), span, |range, context| {
            let rows = &rows[range];
            let flow_of = |flow: FlowId| named[flow.place()].clone();
            let flows: Vec<_> = rows.iter().map(|(key, _)| flow_of(key.flow)).collect();
            lookups_batch(&flows, rows, context)
        });
    }

    /// The flows that requests or lookups belong to, with their names.
    fn name_flows_of(&mut self, flows: Vec<FlowKey>, span: Span) -> Vec<FlowRow> {
        let flows = flows.into_iter().map(|key| (key, L4Counters::default())).collect();
        self.name_both_ends(flows, span.to_ms)
    }

    /// Makes batches of `count` rows, which `make` gives by their places, for the spool.
    fn hand_over(
        &mut self,
        table: Table,
        count: usize,
        span: Span,
        make: impl Fn(Range<usize>, &RowContext<'_>) -> Result<RecordBatch, ArrowError>,
    ) {
        let names = self.names.clone();
        let context = RowContext {
            span,
            agent: &names.agent,
            host: &names.host,
            tcp_signals: self.source.signals(Transport::Tcp),
            udp_signals: self.source.signals(Transport::Udp),
        };
        let step = self.options.limits.batch_rows_max;
        for from in (0..count).step_by(step) {
            let range = from..(from + step).min(count);
            let lost = range.len() as u64;
            match make(range, &context) {
                Ok(rows) => self.send(table, rows, span),
                Err(err) => {
                    tracing::error!(%err, "the rows of a window do not fit the schema");
                    self.losses.add(LossKind::Lost, "window", "encode", lost);
                }
            }
        }
    }

    fn send(&mut self, table: Table, rows: RecordBatch, span: Span) {
        let count = rows.num_rows() as u64;
        match self.batches.try_send(Batch { table, header: self.header(span), rows }) {
            Ok(()) => {}
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                // its losses have not travelled: the next batch takes them
                self.losses.return_pending(batch.header.losses);
                self.losses.add(LossKind::Lost, "window", "queue_full", count);
            }
        }
    }

    /// The header of a batch; its sequence number is given by the spool.
    fn header(&self, span: Span) -> BatchHeader {
        BatchHeader {
            format: FORMAT,
            schema_version: FORMAT_VERSION,
            agent: self.names.agent.clone(),
            host: self.names.host.clone(),
            boot_id: self.names.boot_id.clone(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            sequence: 0,
            window_ms: span.length_ms,
            from_ms: span.from_ms,
            to_ms: span.to_ms.max(span.from_ms),
            created_unix_ms: Moment::now().unix_ms,
            cluster: self.options.cluster.clone(),
            place: self.whereabouts.place(),
            losses: self.losses.take_pending(),
        }
    }
}

/// Not to be guessed; without a source of randomness samples may be chosen by others, no more.
fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => Moment::now().mono_ns,
    }
}
