//! `weir cluster-watch`: watch a cluster's API server and tell a server elsewhere of it.
//!
//! Tells everything from the beginning, then each change in order. Where the server has lost the
//! thread (it was restarted, or away for too long), a new session begins with everything again.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use weir_kubernetes::{Client, Feed, Taker, Told, WatchOptions, Watcher};

use super::running;
use crate::config::Config;
use crate::usage;

/// Changes of one message, and those that wait while the server is away.
const MESSAGE_MAX: usize = 2_000;
const WAITING_MAX: usize = 500_000;
/// Pause between two looks for changes, and the longest silence towards the server.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const SILENCE_MAX: Duration = Duration::from_secs(15);
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

pub fn run(config: &Config) -> Result<ExitCode> {
    running::start_logs(config);
    let cluster = running::watched_cluster(config)?.ok_or_else(|| {
        usage(anyhow!(
            "no cluster is known: this is no Pod with a service account; name the API server with \
             --kubernetes-url"
        ))
    })?;
    // What cannot be right is said before anything is tried.
    Client::new(cluster.access.clone()).context("kubernetes.url").map_err(usage)?;
    let server = running::server_url(config)?;
    let teller = Arc::new(Server::new(&server, &cluster.name, config)?);
    running::runtime()?.block_on(async {
        eprintln!("weir: tells {server} of the cluster {}", cluster.name);
        let telling = tell(&cluster.access, teller);
        tokio::select! {
            ended = telling => ended,
            stopped = running::until_signal() => stopped,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// One session after the other.
async fn tell(access: &weir_kubernetes::Access, server: Arc<Server>) -> Result<()> {
    loop {
        let feed = Arc::new(Feed::new(WAITING_MAX));
        let taker: Arc<dyn Taker> = feed.clone();
        let client = Client::new(access.clone())?;
        let mut watcher = Watcher::new(client, taker, running::clock(), WatchOptions::default());
        watcher.start();
        let why = session(&feed, &watcher, &server).await;
        watcher.stop().await;
        tracing::info!("{why}: telling everything from the beginning");
    }
}

/// Tells until the server has lost the thread; gives why.
async fn session(feed: &Feed, watcher: &Watcher, server: &Arc<Server>) -> &'static str {
    let session = format!("{:016x}{:08x}", random(), std::process::id());
    let mut sequence = 0;
    let mut told_at: Option<Instant> = None;
    let mut told_statuses = Vec::new();
    loop {
        let Some(changes) = feed.next(MESSAGE_MAX) else {
            return "the server was away for too long";
        };
        let statuses = watcher.status();
        let is_silent = told_at.is_none_or(|at| at.elapsed() > SILENCE_MAX);
        if changes.is_empty() && !is_silent && statuses == told_statuses {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        let told = Told { session: session.clone(), sequence, statuses, changes };
        told_statuses.clone_from(&told.statuses);
        let body: Arc<[u8]> = match serde_json::to_vec(&told) {
            Ok(body) => body.into(),
            Err(_) => return "a change could not be written as JSON",
        };
        if !send(server, body).await {
            return "the server has lost the thread";
        }
        told_at = Some(Instant::now());
        sequence += 1;
    }
}

/// Sends until the server takes it; `false`: it wants everything.
async fn send(server: &Arc<Server>, body: Arc<[u8]>) -> bool {
    let mut pause = RETRY_MIN;
    let mut known = String::new();
    loop {
        let (server, body) = (server.clone(), body.clone());
        let sent = tokio::task::spawn_blocking(move || server.send(&body)).await;
        match sent {
            Ok(Ok(is_taken)) => return is_taken,
            Ok(Err(error)) => {
                let text = format!("{error:#}");
                if text != known {
                    tracing::warn!("{text}");
                    known = text;
                }
            }
            Err(error) => tracing::error!(%error, "a message could not be sent"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// The server that is told.
struct Server {
    url: String,
    token_file: Option<std::path::PathBuf>,
    http: ureq::Agent,
}

impl Server {
    fn new(server: &str, cluster: &str, config: &Config) -> Result<Self> {
        if cluster.is_empty() || cluster.contains('/') {
            return Err(usage(anyhow!(
                "kubernetes.cluster = {cluster:?}: expected a name without /"
            )));
        }
        let name: String = cluster.bytes().map(escaped).collect();
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_TIME_MAX))
            .build();
        Ok(Self {
            url: format!("{}/api/v1/clusters/{name}/changes", server.trim_end_matches('/')),
            token_file: config.path("agent.token_file"),
            http: http.into(),
        })
    }

    /// `false`: the server wants everything from the beginning.
    fn send(&self, body: &[u8]) -> Result<bool> {
        let mut request = self.http.post(&self.url).header("content-type", "application/json");
        if let Some(token) = self.token()? {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response =
            request.send(body).with_context(|| format!("cannot reach {}", self.url))?;
        let status = response.status();
        if status.is_success() {
            return Ok(true);
        }
        let problem: Value = response.body_mut().read_json().unwrap_or_default();
        if problem["type"] == "urn:weir:problem:tell-all" {
            return Ok(false);
        }
        let detail = problem["detail"].as_str().unwrap_or("no detail");
        let expected = problem["expected"].as_str().map(|text| format!("; expected {text}"));
        Err(anyhow!("{} answered {status}: {detail}{}", self.url, expected.unwrap_or_default()))
    }

    /// Read again for each message, so that a rotated one is used at once.
    fn token(&self) -> Result<Option<String>> {
        let Some(path) = &self.token_file else {
            return Ok(std::env::var("WEIR_TOKEN").ok().filter(|token| !token.is_empty()));
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read agent.token_file {}", path.display()))?;
        Ok(Some(text.trim().to_owned()))
    }
}

/// A byte of a path, percent-encoded where it must be.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        return (byte as char).to_string();
    }
    format!("%{byte:02X}")
}

/// Tells one session from another.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
