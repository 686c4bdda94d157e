//! The server as a thing that starts and stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use weir_store::Store;

use crate::api;
use crate::auth::{AgentTokens, EnrolmentError, Sessions};
use crate::clusters::Clusters;
use crate::ingest::{Ingester, Registry, seed};
use crate::listener::BoundedListener;
use crate::metrics::{Metrics, MetricsSource};
use crate::options::{AuthMode, Options};
use crate::problem::chain;
use crate::serving::serve;
use crate::state::{AppState, Inner};

/// Wall clock, Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Longest and shortest sleep between two rounds of the store's background work.
const MAINTAIN_EVERY_MAX: Duration = Duration::from_secs(60);
const MAINTAIN_EVERY_MIN: Duration = Duration::from_millis(100);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(
        "cannot listen on {listen} without a token: anyone who reaches the address could read \
         and write; listen on a loopback address or use a token"
    )]
    OpenToAll { listen: SocketAddr },
    #[error("cannot listen on {listen}: {}", reason(source))]
    Bind { listen: SocketAddr, source: io::Error },
    #[error(transparent)]
    Tokens(#[from] EnrolmentError),
    #[error("cannot watch the cluster: {0}")]
    Cluster(#[from] weir_kubernetes::Problem),
    #[error("cannot register the metrics")]
    Metrics(#[from] prometheus::Error),
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is taken by another program; stop it or choose another port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this host does not have the address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE".to_owned()
        }
        _ => error.to_string(),
    }
}

/// A server that does nothing yet but take batches through its [`Ingester`].
pub struct Server {
    state: AppState,
}

impl Server {
    /// `sources` give metrics of other parts of the program for `/metrics`. The store is not
    /// closed by the server: whoever opened it does that after [`Running::stop`].
    pub fn new(
        options: Options,
        store: Arc<dyn Store>,
        clock: Clock,
        sources: Vec<MetricsSource>,
    ) -> Result<Self, ServerError> {
        if options.auth == AuthMode::LoopbackOpen && !options.listen.ip().is_loopback() {
            return Err(ServerError::OpenToAll { listen: options.listen });
        }
        // Room for less than one batch would refuse every batch for ever.
        let limits = options.limits.clone();
        let ingest_bytes = limits.ingest_bytes_max.max(limits.batch.bytes_max);
        let agent_tokens = AgentTokens::open(options.agent_tokens.clone())?;
        let metrics = Arc::new(Metrics::new(sources)?);
        let registry = Arc::new(Registry::new(limits.agents_max, limits.agent_silence_max));
        let clusters = Arc::new(Clusters::new(&options.clusters));
        let ingester = Ingester::new(
            store.clone(),
            clock.clone(),
            limits.clone(),
            registry.clone(),
            clusters.clone(),
            metrics.clone(),
        );
        let state = AppState::new(Inner {
            started_ms: clock(),
            sessions: Sessions::new(limits.sessions_max, limits.session_age_max),
            agent_tokens,
            registry,
            clusters,
            ingester,
            metrics,
            logs: Arc::new(Semaphore::new(limits.logs_max)),
            questions: Arc::new(Semaphore::new(limits.questions_max)),
            ingests: Arc::new(Semaphore::new(limits.ingests_max)),
            ingest_bytes: Arc::new(Semaphore::new(ingest_bytes)),
            is_store_well: AtomicBool::new(true),
            options,
            store,
            clock,
        });
        Ok(Self { state })
    }

    /// The ingest path for an agent in the same program; the same as `POST /api/v1/ingest`.
    pub fn ingester(&self) -> Ingester {
        self.state.ingester.clone()
    }

    /// Everything that is served, for whoever brings a listener of his own.
    pub fn router(&self) -> axum::Router {
        api::router(self.state.clone())
    }

    /// Listens, reads back from the store what it needs, and serves until [`Running::stop`].
    pub async fn start(self) -> Result<Running, ServerError> {
        let state = self.state;
        let listen = state.options.listen;
        let bind = |source| ServerError::Bind { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let local_addr = listener.local_addr().map_err(bind)?;
        remember(&state).await;
        state.clusters.start(&state.clock)?;

        let (stop, stopped) = watch::channel(false);
        let maintenance = tokio::spawn(maintain(state.clone(), stopped.clone()));
        let listener = BoundedListener::new(listener, state.options.limits.connections_max);
        let router = api::router(state.clone());
        let head_time_max = state.options.limits.head_time_max;
        let serving = tokio::spawn(serve(listener, router, head_time_max, stopped));
        Ok(Running { state, local_addr, stop, serving, maintenance })
    }
}

async fn remember(state: &AppState) {
    let (ingester, registry) = (state.ingester.clone(), state.registry.clone());
    let now_ms = state.now_ms();
    let work = move |store: &dyn Store| seed(store, &ingester, &registry, now_ms);
    if let Err(problem) = state.with_store(work).await {
        tracing::warn!(
            error = %problem.detail,
            "the last hour's agents could not be read from the store"
        );
    }
}

/// Writes down which tokens of agents are used.
fn save_used_tokens(state: &AppState) {
    state.agent_tokens.save_used(&state.registry.agents_by_token());
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: that is a stop too.
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}

/// Runs the store's background work when it is due.
async fn maintain(state: AppState, stopped: watch::Receiver<bool>) {
    loop {
        let (all, now_ms) = (state.clone(), state.now_ms());
        let work = tokio::task::spawn_blocking(move || {
            save_used_tokens(&all);
            all.store.maintain(now_ms)
        });
        let next = match work.await {
            Ok(Ok(next)) => {
                state.is_store_well.store(true, Ordering::Relaxed);
                next
            }
            Ok(Err(error)) => {
                state.is_store_well.store(false, Ordering::Relaxed);
                tracing::error!(error = %chain(&error), "the store's background work failed");
                MAINTAIN_EVERY_MAX
            }
            Err(error) => {
                state.is_store_well.store(false, Ordering::Relaxed);
                tracing::error!(%error, "the store's background work broke off");
                MAINTAIN_EVERY_MAX
            }
        };
        let next = next.clamp(MAINTAIN_EVERY_MIN, MAINTAIN_EVERY_MAX);
        if timeout(next, until(stopped.clone())).await.is_ok() {
            return;
        }
    }
}

/// A server that listens.
pub struct Running {
    state: AppState,
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    maintenance: JoinHandle<()>,
}

impl Running {
    /// The address with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// See [`Server::ingester`].
    pub fn ingester(&self) -> Ingester {
        self.state.ingester.clone()
    }

    /// Stops listening, waits for open requests up to a limit, and ends.
    pub async fn stop(self) {
        // Fails only when nobody listens any more, which is what is wanted.
        let _ = self.stop.send(true);
        let wait = self.state.options.limits.stop_wait_max;
        let serving_abort = self.serving.abort_handle();
        match timeout(wait, self.serving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "serving broke off"),
            Err(_) => {
                serving_abort.abort();
                tracing::warn!("requests were still open when the server stopped");
            }
        }
        self.state.clusters.stop().await;
        save_used_tokens(&self.state);
        if let Err(error) = self.maintenance.await {
            tracing::error!(%error, "the store's background work broke off");
        }
    }
}
