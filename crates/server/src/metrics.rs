//! The server's own metrics, for `/metrics` in Prometheus' text format.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

use crate::problem::Problem;
use crate::state::AppState;

/// Metrics of another part of the program in Prometheus' text format, appended to `/metrics`.
pub type MetricsSource = Arc<dyn Fn() -> String + Send + Sync>;

pub struct Metrics {
    registry: Registry,
    pub requests: IntCounterVec,
    pub request_seconds: HistogramVec,
    pub batches_received: IntCounter,
    pub batches_stored: IntCounter,
    pub batches_discarded: IntCounterVec,
    pub rows_stored: IntCounter,
    pub bytes_received: IntCounter,
    pub resolve_discarded: IntCounterVec,
    pub losses: IntCounterVec,
    store_rows: IntGauge,
    store_bytes: IntGauge,
    store_files: IntGauge,
    store_journal_rows: IntGauge,
    store_corrupt_files: IntGauge,
    agents: IntGauge,
    sources: Vec<MetricsSource>,
}

impl Metrics {
    /// Fails only when two metrics have one name.
    pub fn new(sources: Vec<MetricsSource>) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let seconds = HistogramOpts::new("weir_server_request_seconds", "time to answer")
            .buckets(vec![0.001, 0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0]);
        let request_seconds = HistogramVec::new(seconds, &["path"])?;
        registry.register(Box::new(request_seconds.clone()))?;
        Ok(Self {
            requests: counters(
                "weir_server_requests_total",
                "requests by route, method and status",
                &["path", "method", "status"],
            )?,
            request_seconds,
            batches_received: counter("weir_ingest_batches_received_total", "batches that came")?,
            batches_stored: counter("weir_ingest_batches_stored_total", "batches made durable")?,
            batches_discarded: counters(
                "weir_ingest_batches_discarded_total",
                "batches not stored, by reason",
                &["reason"],
            )?,
            rows_stored: counter("weir_ingest_rows_stored_total", "flow rows made durable")?,
            bytes_received: counter("weir_ingest_bytes_received_total", "bytes of batches")?,
            resolve_discarded: counters(
                "weir_resolve_names_discarded_total",
                "addresses and ports of agents not remembered because the directory is full",
                &["kind"],
            )?,
            losses: counters(
                "weir_ingest_losses_reported_total",
                "what agents reported missing",
                &["kind", "component", "reason"],
            )?,
            store_rows: gauge("weir_store_rows", "flow rows stored")?,
            store_bytes: gauge("weir_store_bytes", "size on disk")?,
            store_files: gauge("weir_store_files", "files")?,
            store_journal_rows: gauge("weir_store_journal_rows", "rows not yet in a file")?,
            store_corrupt_files: gauge("weir_store_corrupt_files", "files set aside")?,
            agents: gauge("weir_server_agents", "agents known")?,
            registry,
            sources,
        })
    }

    fn text(&self) -> prometheus::Result<String> {
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        let mut text = String::from_utf8_lossy(&out).into_owned();
        for source in &self.sources {
            text.push_str(&source());
        }
        Ok(text)
    }
}

/// `GET /metrics`.
pub async fn serve(State(state): State<AppState>) -> Result<Response, Problem> {
    let status = state.with_store(|store| store.status()).await?;
    let metrics = &state.metrics;
    let set = |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    set(&metrics.store_rows, status.rows);
    set(&metrics.store_bytes, status.bytes);
    set(&metrics.store_files, status.files);
    set(&metrics.store_journal_rows, status.journal_rows);
    set(&metrics.store_corrupt_files, status.corrupt_files);
    set(&metrics.agents, state.registry.len() as u64);
    let text = metrics.text().map_err(|error| Problem::internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}

/// Counts requests by route; everything that is not a route counts as one.
pub async fn count(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = path.unwrap_or_else(|| "other".to_owned());
    let method = request.method().clone();
    let method = if method.is_safe() || method == "POST" || method == "DELETE" {
        method.as_str().to_owned()
    } else {
        "other".to_owned()
    };
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    state.metrics.requests.with_label_values(&[&path, &method, &status]).inc();
    let elapsed = started.elapsed().as_secs_f64();
    state.metrics.request_seconds.with_label_values(&[&path]).observe(elapsed);
    response
}
