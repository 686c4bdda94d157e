//! What `weir up` and `weir agent` share: probes, the privileges given up after them, options.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use weir_agent::probes::{Collector, Options, PayloadOptions, Processes};
use weir_agent::{
    AgentHandle, AgentOptions, AgentStats, ContainerNames, Headers, capabilities_of,
    drop_capabilities, scope_directory,
};

use super::running;
use crate::config::Config;
use crate::usage;

/// What the probes watch.
pub fn probe_options(config: &Config) -> Result<Options> {
    let cgroup = cgroup(config)?;
    Ok(Options {
        loopback: config.bool("agent.loopback"),
        udp: config.bool("agent.udp"),
        dns: config.bool("agent.dns"),
        nat: config.bool("agent.nat"),
        nat_cgroup: cgroup.clone(),
        fold_client_port: config.bool("agent.fold_client_port"),
        payload: PayloadOptions {
            is_on: config.bool("agent.l7"),
            tls: config.bool("agent.l7_tls"),
            excluded_ports: ports(config, "agent.l7_exclude_ports")?,
            processes: Processes::AllBut(words(config, "agent.l7_exclude_processes")),
            // of two ends on one machine the one that is told may be another node's
            one_end: cgroup.is_none(),
            ..PayloadOptions::default()
        },
        ..Options::default()
    })
}

/// The directory of the control group that is observed; `None` for the whole machine.
fn cgroup(config: &Config) -> Result<Option<PathBuf>> {
    let Some(path) = config.text("agent.cgroup") else { return Ok(None) };
    scope_directory(Path::new("/proc"), path).context("agent.cgroup").map_err(usage).map(Some)
}

/// A key's words, which commas separate.
fn words(config: &Config, key: &str) -> Vec<String> {
    let words = config.text(key).unwrap_or_default().split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Where container runtimes listen; `off` stands for nowhere.
fn container_sockets(config: &Config) -> Vec<PathBuf> {
    let sockets = words(config, "agent.container_sockets");
    sockets.into_iter().filter(|path| path != "off").map(PathBuf::from).collect()
}

fn ports(config: &Config, key: &str) -> Result<Vec<u16>> {
    let port = |word: String| {
        let port = word.parse::<u16>().ok().filter(|port| *port != 0);
        port.with_context(|| format!("{key}: {word} is no port: expected 1 to 65535"))
            .map_err(usage)
    };
    words(config, key).into_iter().map(port).collect()
}

/// Attaches the probes, then gives up what reading them does not need. The program must not have
/// started a thread yet: privileges belong to threads.
pub fn start_probes(config: &Config) -> Result<Collector> {
    let collector = Collector::start(probe_options(config)?)
        .context("cannot watch this host; `weir check` says what its kernel gives")
        .map_err(usage)?;
    let kept = drop_capabilities(&capabilities_of(&collector))
        .context("cannot give up privileges")
        .map_err(usage)?;
    tracing::info!(kept = kept.join(","), "probes attached, other privileges given up");
    Ok(collector)
}

/// The agent's options.
pub fn options(config: &Config) -> Result<AgentOptions> {
    let dir = config.data_dir().join("agent");
    running::private_folder(&dir)?;
    let mut options = AgentOptions::new(dir);
    options.host_name = config.text("agent.host").map(str::to_owned);
    options.cgroup = cgroup(config)?;
    options.cluster = config.text("agent.cluster").map(str::to_owned);
    options.cloud.is_on = config.text("agent.cloud") != Some("off");
    options.container_sockets = container_sockets(config);
    options.window_ms = config.duration("agent.window").as_millis().try_into().unwrap_or(u32::MAX);
    options.fold_client_port = config.bool("agent.fold_client_port");
    options.limits.flows_max = config.integer("agent.flows_max").try_into().unwrap_or(usize::MAX);
    options.limits.spool_bytes_max = config.bytes("agent.spool_bytes_max");
    options.cpu_max_percent = config.integer("agent.cpu_max").try_into().unwrap_or(u32::MAX);
    options.headers = Headers::new(&words(config, "agent.l7_headers"))
        .context("agent.l7_headers")
        .map_err(usage)?;
    options.excluded_containers = ContainerNames::new(words(config, "agent.l7_exclude_containers"));
    Ok(options)
}

/// A running agent's handle, shared with whoever asks for its numbers.
#[derive(Clone, Default)]
pub struct HandleCell(Arc<Mutex<Option<AgentHandle>>>);

impl HandleCell {
    pub fn put(&self, handle: AgentHandle) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    /// The agent's counters while it runs.
    pub fn stats(&self) -> Option<AgentStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(AgentHandle::stats)
    }

    /// Stops the agent and waits for it.
    pub fn stop(&self) {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            handle.stop();
        }
    }
}
