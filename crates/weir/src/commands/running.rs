//! What the long-running commands share: logs, the store, the server, waiting for a signal.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use weir_server::auth::{self, AgentTokenFile, AgentTokenSources};
use weir_server::{AuthMode, Clock, ClusterAccess, ClusterOptions, Limits, Link, Options};
use weir_store_parquet::ParquetStore;

use crate::config::Config;
use crate::usage;

/// Logs to standard error, in the configured form.
pub fn start_logs(config: &Config) {
    let level = config.text("log.level").unwrap_or("info");
    let filter = tracing_subscriber::EnvFilter::new(level);
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.text("log.format") {
        Some("json") => logs.json().init(),
        _ => logs.with_target(false).init(),
    }
}

/// The wall clock that the server is given.
pub fn clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        since.as_millis().try_into().unwrap_or(i64::MAX)
    })
}

/// The configured address, after a look whether it can be had.
pub fn listen_address(config: &Config) -> Result<SocketAddr> {
    let text = config.text("server.listen").unwrap_or_default();
    let listen: SocketAddr = text
        .parse()
        .with_context(|| format!("server.listen = {text:?} is not ADDRESS:PORT"))
        .map_err(usage)?;
    match TcpListener::bind(listen) {
        Ok(_) => Ok(listen),
        Err(err) => Err(usage(anyhow::anyhow!(
            "cannot listen on {listen}: {}",
            match err.kind() {
                io::ErrorKind::AddrInUse =>
                    "the port is taken; stop the program that has it or choose another port with \
                     --listen"
                        .to_owned(),
                io::ErrorKind::AddrNotAvailable =>
                    "this host has no such address; choose one of its own with --listen".to_owned(),
                io::ErrorKind::PermissionDenied =>
                    "ports below 1024 need root or CAP_NET_BIND_SERVICE".to_owned(),
                _ => err.to_string(),
            }
        ))),
    }
}

/// Opens the store of the data folder.
pub fn open_store(config: &Config) -> Result<Arc<ParquetStore>> {
    let mut options = weir_store_parquet::Options::new(config.data_dir());
    let retention = config.duration("store.retention");
    options.retention =
        weir_schema::Table::ALL.into_iter().map(|table| (table, retention)).collect();
    let memory = config.bytes("store.memory_bytes_max");
    options.hot_bytes_max = memory / 2;
    options.flush_bytes = options.hot_bytes_max * 3 / 8;
    options.cache_bytes_max = memory - options.hot_bytes_max;
    let dir = config.data_dir();
    let store = ParquetStore::open(options)
        .with_context(|| format!("cannot open the data folder {}", dir.display()))
        .map_err(usage)?;
    Ok(Arc::new(store))
}

/// The server's options. Beyond loopback a token is demanded; where it is made, it is shown once.
pub fn server_options(config: &Config, listen: SocketAddr) -> Result<Options> {
    let auth = if let Some(path) = config.path("server.token_file") {
        AuthMode::Token(auth::read(&path).map_err(usage)?)
    } else if listen.ip().is_loopback() {
        AuthMode::LoopbackOpen
    } else {
        let state = auth::load_or_create(&config.data_dir()).map_err(usage)?;
        if let Some(token) = state.created {
            show_token(token.reveal());
        }
        AuthMode::Token(state.hash)
    };
    let mut limits = Limits::default();
    limits.batch.bytes_max =
        config.bytes("server.ingest_bytes_max").try_into().unwrap_or(usize::MAX);
    let window = config.duration("agent.window");
    let clusters = watched_cluster(config)?.into_iter().collect();
    let agent_tokens = agent_tokens(config)?;
    let links = Link::read_all(config.text("ui.links").unwrap_or_default())
        .map_err(|problem| usage(anyhow::anyhow!("ui.links: {problem}")))?;
    Ok(Options { window, limits, clusters, agent_tokens, links, ..Options::new(listen, auth) })
}

/// Where tokens of agents are: what `weir token` made, and files of the operator's.
fn agent_tokens(config: &Config) -> Result<AgentTokenSources> {
    let entries = config.text("server.agent_token_files").unwrap_or_default().split(',');
    let entries = entries.map(str::trim).filter(|entry| !entry.is_empty());
    let file = |entry: &str| match entry.split_once('=') {
        Some((cluster, path)) if !cluster.is_empty() && !path.is_empty() => {
            Ok(AgentTokenFile { cluster: Some(cluster.to_owned()), path: path.into() })
        }
        _ => Err(usage(anyhow::anyhow!(
            "server.agent_token_files: {entry:?}: expected CLUSTER=PATH, several with commas \
             between them"
        ))),
    };
    let files = entries.map(file).collect::<Result<Vec<_>>>()?;
    Ok(AgentTokenSources { dir: Some(config.data_dir()), files })
}

/// The server that this program sends to.
pub fn server_url(config: &Config) -> Result<String> {
    let server = config.text("agent.server").ok_or_else(|| {
        usage(anyhow::anyhow!(
            "the server to send to is not known; give --server http://HOST:PORT (agent.server)"
        ))
    })?;
    if !server.starts_with("http://") && !server.starts_with("https://") {
        return Err(usage(anyhow::anyhow!(
            "agent.server = {server:?}: expected http://HOST:PORT or https://HOST:PORT"
        )));
    }
    Ok(server.to_owned())
}

/// The cluster to watch: the configured one, else the one that this program is a Pod of.
pub fn watched_cluster(config: &Config) -> Result<Option<ClusterOptions>> {
    let watch = config.text("kubernetes.watch").unwrap_or_default();
    if watch == "off" {
        return Ok(None);
    }
    let own = ClusterAccess::in_cluster(|name| std::env::var(name).ok());
    let url = config.text("kubernetes.url").map(str::to_owned);
    let file = |name: &str| config.text(name).map(PathBuf::from);
    let access = match (url, own) {
        (Some(url), _) => ClusterAccess { url, ca_file: None, token_file: None },
        (None, Some(own)) if watch == "on" || own.has_token() => own,
        _ if watch == "on" => {
            return Err(usage(anyhow::anyhow!(
                "kubernetes.watch is on, but no cluster is known: this is no Pod with a service \
                 account; name the API server with --kubernetes-url"
            )));
        }
        _ => return Ok(None),
    };
    let access = ClusterAccess {
        ca_file: file("kubernetes.ca_file").or(access.ca_file),
        token_file: file("kubernetes.token_file").or(access.token_file),
        ..access
    };
    let name = config.text("kubernetes.cluster").unwrap_or("kubernetes").to_owned();
    Ok(Some(ClusterOptions { name, access }))
}

/// Shows a token to the operator: the only time that it can be.
pub fn show_token(token: &str) {
    eprintln!("weir: a token was made; it is shown this once, keep it: {token}");
}

/// Says that the program watches and serves: on standard output for whoever started it, and on
/// standard error where that is another place.
pub fn say_ready(address: SocketAddr) {
    let url = format!("http://{address}");
    println!("ready {url}");
    // A closed standard output must not end a program that runs well.
    let _ = io::stdout().flush();
    if !is_same_place() {
        eprintln!("ready {url}");
    }
}

fn is_same_place() -> bool {
    let place = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino, stat.st_rdev);
    match (rustix::fs::fstat(io::stdout()), rustix::fs::fstat(io::stderr())) {
        (Ok(out), Ok(err)) => place(out) == place(err),
        _ => false,
    }
}

/// Returns at the first SIGINT or SIGTERM.
pub async fn until_signal() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    Ok(())
}

/// The runtime of the server's sockets and timers.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_secs(10))
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Makes a folder that only its owner can read.
pub fn private_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| {
            format!(
                "cannot make the folder {}; choose one that can be written with --data-dir",
                path.display()
            )
        })
        .map_err(usage)
}
