//! From an agent's bytes to durable rows: decode, check, resolve, store.
//!
//! Owns the one path that batches take, whether they came over HTTP or from the agent in the same
//! program, the directory of what agents said about themselves, and the registry of agents.

mod directory;
mod late;
mod names;
mod registry;
mod resolve;
mod rows;
mod seed;
mod skew;
mod surroundings;
mod times;

use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use weir_schema::Table;
use weir_store::{Store, StoreBatch, StoreError, StoreErrorKind, Stored};
use weir_wire::{Batch, BatchHeader, WireError};

use crate::auth::AgentToken;
use crate::clusters::{Cluster, Clusters};
use crate::metrics::Metrics;
use crate::options::Limits;
use crate::problem::chain;
use crate::server::Clock;

use directory::Directory;
use late::{Late, Wanted};
use names::Home;
pub use names::labels_of_rows;
pub use registry::{AgentView, Heard, Registry};
pub use seed::seed;
use skew::{Skew, Skews};
use surroundings::Surroundings;

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Not a batch, or not one of this version: sending it again will not help.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A batch whose times make no sense: sending it again will not help.
    #[error("{0}")]
    Time(String),
    /// A batch of another cluster than the token that it came with.
    #[error(
        "the token {token} is of cluster {bound:?}, and the batch says that host {host} belongs to \
         cluster {said:?}"
    )]
    ForeignCluster { token: Arc<str>, bound: Arc<str>, host: String, said: String },
    #[error("the batch could not be completed: {0}")]
    Resolve(#[from] arrow_schema::ArrowError),
    #[error("the batch could not be stored: {0}")]
    Store(#[from] StoreError),
}

impl IngestError {
    /// Whether the same bytes may be taken later.
    pub fn is_temporary(&self) -> bool {
        match self {
            IngestError::Wire(_) | IngestError::Time(_) | IngestError::Resolve(_) => false,
            // The right token may come.
            IngestError::ForeignCluster { .. } => true,
            IngestError::Store(error) => error.kind != StoreErrorKind::Invalid,
        }
    }

    /// A bounded snake_case word for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            IngestError::Wire(error) => error.kind(),
            IngestError::Time(_) => "time",
            IngestError::ForeignCluster { .. } => "foreign_cluster",
            IngestError::Resolve(_) => "resolve",
            IngestError::Store(error) => match error.kind {
                StoreErrorKind::Invalid => "store_invalid",
                StoreErrorKind::Busy => "store_busy",
                StoreErrorKind::Io => "store_io",
                StoreErrorKind::Corrupt => "store_corrupt",
                StoreErrorKind::TooNew => "store_too_new",
            },
        }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingested {
    pub stored: Stored,
    pub agent: String,
    pub sequence: u64,
    pub rows: u64,
}

/// The ingest path. Cheap to clone; calls block until the batch is durable.
#[derive(Clone)]
pub struct Ingester(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Clock,
    limits: Limits,
    directory: Mutex<Directory>,
    registry: Arc<Registry>,
    clusters: Arc<Clusters>,
    late: Late,
    skews: Skews,
    metrics: Arc<Metrics>,
}

/// What is known of how a batch came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrival {
    /// The agent's wall clock at sending, and the server's when the request began.
    pub sent_unix_ms: Option<i64>,
    pub arrived_ms: i64,
    /// The token that it came with, where agents have their own.
    pub token: Option<Arc<AgentToken>>,
}

/// A batch that was read and can be stored.
pub(crate) struct Prepared {
    batch: Batch,
    /// What the batch speaks of, and the part of it in which addresses were the agent's.
    times: Range<i64>,
    heard: Range<i64>,
    skew: Skew,
    token: Option<Arc<str>>,
}

/// Pause between two looks whether missing names have come.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Ingester {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        limits: Limits,
        registry: Arc<Registry>,
        clusters: Arc<Clusters>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let directory = Mutex::new(Directory::new(limits.addresses_max, limits.services_max));
        let (late, skews) = (Late::default(), Skews::new(limits.agents_max));
        Self(Arc::new(Inner {
            store,
            clock,
            limits,
            directory,
            registry,
            clusters,
            late,
            skews,
            metrics,
        }))
    }

    /// Takes one batch as it was encoded by `weir-wire` and returns when it is durable, which may
    /// take some seconds longer where names are still to come.
    pub fn ingest_bytes(&self, bytes: &[u8]) -> Result<Ingested, IngestError> {
        let prepared = self.prepare(bytes, Arrival::default())?;
        while let Some(wait) = self.wait(&prepared) {
            std::thread::sleep(wait);
        }
        self.finish(&prepared)
    }

    /// Reads a batch, and puts its times right where its agent's clock is not.
    pub(crate) fn prepare(&self, bytes: &[u8], arrival: Arrival) -> Result<Prepared, IngestError> {
        let metrics = &self.0.metrics;
        metrics.batches_received.inc();
        metrics.bytes_received.inc_by(bytes.len() as u64);
        self.read(bytes, arrival).inspect_err(|error| self.count_refused(error))
    }

    fn read(&self, bytes: &[u8], arrival: Arrival) -> Result<Prepared, IngestError> {
        let mut batch = weir_wire::decode(bytes, &self.0.limits.batch)?;
        let Arrival { sent_unix_ms, arrived_ms, token } = arrival;
        if let Some(token) = &token {
            bind(&mut batch.header, token)?;
        }
        let (agent, created_ms) = (&batch.header.agent, batch.header.created_unix_ms);
        let skew = self.0.skews.note(agent, created_ms, sent_unix_ms, arrived_ms);
        times::put_right(&mut batch, &skew)?;
        let times = times::check(&batch, (self.0.clock)())?;
        // A request may have begun long before the window in which its end was seen: what an agent
        // says of addresses is of now.
        let heard = match batch.table {
            Table::L7Samples => batch.header.from_ms..times.end,
            _ => times.clone(),
        };
        if !self.0.clusters.all().is_empty() {
            // Others may wait for what this batch says, while it waits for something else.
            self.with_surroundings(&batch, &heard, |directory, around| {
                Ok(resolve::learn(directory, &batch, around)?)
            })?;
        }
        Ok(Prepared { batch, times, heard, skew, token: token.map(|token| token.id.clone()) })
    }

    /// How long to wait before looking again for names that may still come; `None`: no longer.
    pub(crate) fn wait(&self, prepared: &Prepared) -> Option<Duration> {
        let clusters = self.0.clusters.all();
        if clusters.is_empty() {
            return None;
        }
        let mut wanted = self.wanted(prepared, &clusters).ok()?;
        for cluster in clusters.iter().filter(|cluster| cluster.is_beginning()) {
            wanted.push(Wanted::Cluster(cluster.name.as_ref().into()));
        }
        Some(self.0.late.wait(wanted, Instant::now())?.min(LOOK_EVERY))
    }

    /// The ends of a batch whose names may still come.
    fn wanted(
        &self,
        prepared: &Prepared,
        clusters: &[Arc<Cluster>],
    ) -> Result<Vec<Wanted>, IngestError> {
        let Prepared { batch, heard, .. } = prepared;
        let ends = rows::Ends::of(&batch.rows)?;
        // Before any directory is held: a watch holds its own state while it waits for one.
        let followed: Vec<Arc<str>> = clusters
            .iter()
            .filter(|cluster| cluster.is_followed())
            .map(|cluster| cluster.name.clone())
            .collect();
        self.with_surroundings(batch, heard, |agents, around| {
            let mut wanted = Vec::new();
            if !followed.is_empty() {
                let uids = ends.local.pod_uid.values().chain(ends.remote.pod_uid.values());
                let unknown = uids.filter(|uid| !around.knows_pod(uid));
                wanted.extend(unknown.map(|uid| Wanted::Pod(uid.into())));
            }
            if let Some(own) = around.own.as_ref().filter(|own| followed.contains(own.name)) {
                let is_known = |ip: IpAddr| {
                    own.directory.has_holder(ip, heard)
                        || agents.owner(&around.home.cluster, ip, heard.start).is_some()
                };
                let ips = ends.remote.ips().filter(|ip| is_private(*ip) && !is_known(*ip));
                wanted.extend(ips.map(|ip| Wanted::Address(own.name.as_ref().into(), ip)));
            }
            let agent = batch.header.agent.as_str();
            let calls = resolve::untold(agents, agent, &ends, around);
            wanted.extend(calls.map(|(call, minute)| Wanted::Call(call, minute)));
            Ok(wanted)
        })
    }

    /// Names the ends of a batch and stores it; returns when it is durable.
    pub(crate) fn finish(&self, prepared: &Prepared) -> Result<Ingested, IngestError> {
        let result = self.take(prepared);
        let metrics = &self.0.metrics;
        match &result {
            Ok(ingested) if ingested.stored == Stored::New => {
                metrics.batches_stored.inc();
                metrics.rows_stored.inc_by(ingested.rows);
            }
            Ok(ingested) => {
                let is_duplicate = ingested.stored == Stored::Duplicate;
                let reason = if is_duplicate { "duplicate" } else { "expired" };
                metrics.batches_discarded.with_label_values(&[reason]).inc();
            }
            Err(error) => self.count_refused(error),
        }
        result
    }

    fn count_refused(&self, error: &IngestError) {
        let reason = error.reason();
        self.0.metrics.batches_discarded.with_label_values(&[reason]).inc();
        tracing::warn!(reason, error = %chain(error), "a batch was not stored");
    }

    fn take(&self, prepared: &Prepared) -> Result<Ingested, IngestError> {
        let Inner { store, clock, registry, metrics, .. } = self.0.as_ref();
        let Prepared { batch, times, heard, skew, token } = prepared;
        let (rows, home) = self.complete(batch, heard)?;
        let Batch { table, header, .. } = batch;
        let stored = store.ingest(&StoreBatch {
            table: *table,
            agent: header.agent.clone(),
            sequence: header.sequence,
            losses: header.losses.clone(),
            from_ms: times.start,
            to_ms: times.end,
            rows,
        })?;
        let row_count = batch.rows.num_rows() as u64;
        if stored == Stored::New {
            for loss in &header.losses {
                count_loss(metrics, loss);
            }
        }
        let is_new = stored == Stored::New;
        registry.heard(
            header,
            Heard {
                now_ms: clock(),
                to_ms: times.end,
                rows: row_count,
                is_new,
                skew: *skew,
                home,
                token: token.clone(),
            },
        );
        let BatchHeader { agent, sequence, .. } = header;
        Ok(Ingested { stored, agent: agent.clone(), sequence: *sequence, rows: row_count })
    }

    /// Learns from the batch what its agent says about its own host, then adds what the clusters
    /// and other agents say about both ends.
    fn complete(
        &self,
        batch: &Batch,
        times: &Range<i64>,
    ) -> Result<(RecordBatch, Home), IngestError> {
        self.with_surroundings(batch, times, |directory, around| {
            let full = resolve::learn(directory, batch, around)?;
            let discarded = &self.0.metrics.resolve_discarded;
            discarded.with_label_values(&["address"]).inc_by(full.addresses);
            discarded.with_label_values(&["service"]).inc_by(full.services);
            Ok((resolve::complete(directory, batch, around)?, around.home.clone()))
        })
    }

    fn with_surroundings<T>(
        &self,
        batch: &Batch,
        times: &Range<i64>,
        work: impl FnOnce(&mut Directory, &Surroundings<'_>) -> Result<T, IngestError>,
    ) -> Result<T, IngestError> {
        let clusters = self.0.clusters.all();
        let cluster = self.0.clusters.of(&batch.header, times);
        let mut directory = self.directory();
        let around = Surroundings::new(&batch.header, cluster.as_deref(), &clusters, times);
        work(&mut directory, &around)
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.0.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `learn` on the directory before the first batch.
    pub(crate) fn teach(&self, learn: impl FnOnce(&mut Directory)) {
        learn(&mut self.directory());
    }
}

/// Whatever comes with a cluster's token belongs to that cluster; a batch that says another one is
/// somebody's mistake, and not this one's to settle.
fn bind(header: &mut BatchHeader, token: &AgentToken) -> Result<(), IngestError> {
    let Some(bound) = &token.cluster else { return Ok(()) };
    match header.cluster.replace(bound.to_string()) {
        Some(said) if *said != **bound => Err(IngestError::ForeignCluster {
            token: token.id.clone(),
            bound: bound.clone(),
            host: header.host.clone(),
            said,
        }),
        _ => Ok(()),
    }
}

/// Whether the address can be a Pod's or another one inside of a cluster's network.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

/// Names of losses come from agents: their number in the metrics is bounded by folding the reason
/// once there are many.
fn count_loss(metrics: &Metrics, loss: &weir_model::Loss) {
    const SERIES_MAX: usize = 500;
    let kind = format!("{:?}", loss.kind).to_lowercase();
    let is_full = prometheus::core::Collector::collect(&metrics.losses)
        .first()
        .is_some_and(|family| family.get_metric().len() >= SERIES_MAX);
    let labels = if is_full {
        [kind.as_str(), "other", "other"]
    } else {
        [kind.as_str(), loss.component.as_str(), loss.reason.as_str()]
    };
    metrics.losses.with_label_values(&labels).inc_by(loss.count);
}
