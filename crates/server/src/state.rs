//! What every handler shares.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;
use weir_store::Store;

use crate::auth::{AgentTokens, Sessions};
use crate::clusters::Clusters;
use crate::ingest::{Ingester, Registry};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::server::Clock;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

/// The shared state itself.
pub struct Inner {
    pub options: Options,
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub started_ms: i64,
    pub sessions: Sessions,
    pub agent_tokens: AgentTokens,
    pub registry: Arc<Registry>,
    pub clusters: Arc<Clusters>,
    pub ingester: Ingester,
    pub metrics: Arc<Metrics>,
    /// Turns of questions.
    pub questions: Arc<Semaphore>,
    /// Logs of Pods that are being looked at.
    pub logs: Arc<Semaphore>,
    /// Turns of ingests, and their bytes.
    pub ingests: Arc<Semaphore>,
    pub ingest_bytes: Arc<Semaphore>,
    /// The store's last background work succeeded.
    pub is_store_well: AtomicBool,
}

impl AppState {
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    pub fn now_ms(&self) -> i64 {
        (self.clock)()
    }
}
