//! A source that plays records back, servers that remember what they took, and small helpers.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use weir_agent::{AgentOptions, RecordSource, SourceError, Transport as Carrier, TransportError};
use weir_model::{
    DnsMessage, Endpoint, L4Counters, L4Record, L7Ends, ListenRecord, Loss, Netns, Payload,
    Process, Role, Signal, SignalSet, Transport, Way,
};
use weir_probes::{PayloadSink, Sink};
use weir_schema::Table;
use weir_wire::{Batch, Limits, decode};

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test thread panicked with it")
}

/// Waits until `condition` gives something; panics with `what` after a while.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(80);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// What a [`Script`] hands over next.
#[derive(Default)]
pub struct Played {
    pub records: Vec<L4Record>,
    pub listeners: Vec<ListenRecord>,
    pub dns: VecDeque<DnsMessage>,
    pub losses: Vec<Loss>,
    pub drain_error: Option<String>,
    pub payload: Vec<PayloadEvent>,
}

/// What the payload probe would say.
pub enum PayloadEvent {
    Opened(u64, L7Ends),
    /// Connection, way, nanoseconds since boot, bytes; positions are counted by the source.
    Passed(u64, Way, u64, Vec<u8>),
    Withdrawn(u64, u64),
    Closed(u64, bool),
}

/// A source whose records a test puts in by hand.
#[derive(Clone, Default)]
pub struct Script(pub Arc<Mutex<Played>>);

impl Script {
    pub fn play(&self, record: L4Record) {
        lock(&self.0).records.push(record);
    }
}

impl RecordSource for Script {
    fn drain(&mut self, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let mut played = lock(&self.0);
        played.listeners.drain(..).for_each(|record| sink.listen(record));
        played.records.drain(..).for_each(|record| sink.l4(record));
        played.drain_error.take().map_or(Ok(()), |err| Err(SourceError(err)))
    }

    fn poll_dns(
        &mut self,
        _timeout: Duration,
        sink: &mut dyn FnMut(DnsMessage),
    ) -> Result<(), SourceError> {
        lock(&self.0).dns.drain(..).for_each(sink);
        Ok(())
    }

    fn reads_payload(&self) -> bool {
        true
    }

    fn poll_payload(
        &mut self,
        _timeout: Duration,
        sink: &mut dyn PayloadSink,
    ) -> Result<(), SourceError> {
        let played = &mut *lock(&self.0);
        let mut passed: HashMap<(u64, Way), u64> = HashMap::new();
        for event in played.payload.drain(..) {
            match event {
                PayloadEvent::Opened(id, ends) => sink.opened(id, ends),
                PayloadEvent::Passed(id, way, mono_ns, bytes) => {
                    let length = bytes.len() as u32;
                    let position = passed.entry((id, way)).or_default();
                    sink.payload(id, *position, &Payload { way, mono_ns, length, bytes: &bytes });
                    *position += u64::from(length);
                }
                PayloadEvent::Withdrawn(id, server) => sink.withdrawn(id, server),
                PayloadEvent::Closed(id, is_reset) => sink.closed(id, 0, is_reset),
            }
        }
        Ok(())
    }

    fn signals(&self, transport: Transport) -> SignalSet {
        match transport {
            Transport::Tcp => Signal::ALL.into_iter().collect(),
            Transport::Udp => [Signal::Bytes, Signal::Packets].into_iter().collect(),
        }
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut lock(&self.0).losses)
    }
}

/// A server that takes or refuses, and remembers what it saw.
#[derive(Clone, Default)]
pub struct Server(pub Arc<Mutex<ServerState>>);

#[derive(Default)]
pub struct ServerState {
    /// Sequence numbers of every attempt.
    pub attempts: Vec<u64>,
    pub taken: Vec<Batch>,
    /// The answer to everything while it is set.
    pub refusal: Option<TransportError>,
}

impl Carrier for Server {
    fn send(&self, bytes: &[u8]) -> Result<(), TransportError> {
        let batch = decode(bytes, &Limits::default()).expect("agents send readable batches");
        let mut state = lock(&self.0);
        state.attempts.push(batch.header.sequence);
        if let Some(refusal) = &state.refusal {
            return Err(refusal.clone());
        }
        state.taken.push(batch);
        Ok(())
    }
}

impl Server {
    pub fn refuse(&self, refusal: Option<TransportError>) {
        lock(&self.0).refusal = refusal;
    }

    pub fn is_away(&self) {
        let detail = "connection refused".to_owned();
        self.refuse(Some(TransportError::Unavailable { detail, retry_after: None }));
    }

    /// The flows taken so far of which `keep` says so.
    pub fn rows(&self, keep: impl Fn(&Row<'_>) -> bool) -> Vec<OwnedRow> {
        self.rows_of(Table::L4Flows, keep)
    }

    pub fn rows_of(&self, table: Table, keep: impl Fn(&Row<'_>) -> bool) -> Vec<OwnedRow> {
        let state = lock(&self.0);
        let mut found = Vec::new();
        for batch in state.taken.iter().filter(|batch| batch.table == table) {
            for index in 0..batch.rows.num_rows() {
                let row = Row { rows: &batch.rows, index };
                if keep(&row) {
                    found.push(OwnedRow { rows: batch.rows.clone(), index });
                }
            }
        }
        found
    }

    pub fn sum(&self, column: &str, keep: impl Fn(&Row<'_>) -> bool) -> u64 {
        self.rows(keep).iter().filter_map(|row| row.get().number(column)).sum()
    }
}

/// One row of a batch.
pub struct Row<'a> {
    pub rows: &'a RecordBatch,
    pub index: usize,
}

pub struct OwnedRow {
    rows: RecordBatch,
    index: usize,
}

impl OwnedRow {
    pub fn get(&self) -> Row<'_> {
        Row { rows: &self.rows, index: self.index }
    }
}

impl Row<'_> {
    /// A text column's value, empty where absent.
    pub fn text(&self, name: &str) -> String {
        let column =
            self.rows.column_by_name(name).expect("a column").as_dictionary::<UInt32Type>();
        let values = column.values().as_string::<i32>();
        column.key(self.index).map(|key| values.value(key).to_owned()).unwrap_or_default()
    }

    /// A column of bytes.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let column = self.rows.column_by_name(name).expect("a column").as_binary::<i32>();
        column.is_valid(self.index).then(|| column.value(self.index))
    }

    /// An unsigned column's value, whatever its width.
    pub fn number(&self, name: &str) -> Option<u64> {
        let column = self.rows.column_by_name(name).expect("a column");
        if column.is_null(self.index) {
            return None;
        }
        Some(match column.data_type() {
            DataType::UInt16 => column.as_primitive::<UInt16Type>().value(self.index).into(),
            DataType::UInt32 => column.as_primitive::<UInt32Type>().value(self.index).into(),
            _ => column.as_primitive::<UInt64Type>().value(self.index),
        })
    }
}

pub fn end(text: &str) -> Endpoint {
    Endpoint::from(text.parse::<SocketAddr>().expect("an end"))
}

/// A TCP record of `bytes` payload bytes.
pub fn record(role: Role, local: &str, remote: &str, process: &str, bytes: u64) -> L4Record {
    L4Record {
        transport: Transport::Tcp,
        role,
        local: end(local),
        remote: end(remote),
        dialled: None,
        netns: Netns(1),
        cgroup_id: None,
        process: Some(Process { pid: 1_000_000_007, name: Arc::from(process) }),
        counters: L4Counters { bytes_sent: bytes, connections: 1, ..L4Counters::default() },
    }
}

/// Options with the shortest window and a data directory of the test's own.
pub fn options(data_dir: &std::path::Path) -> AgentOptions {
    AgentOptions { window_ms: 1_000, ..AgentOptions::new(data_dir) }
}
