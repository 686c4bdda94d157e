//! The agent as a whole: made, started, asked, stopped.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};

use thiserror::Error;

use weir_identity::{Host, IdentityError, agent_id};

use crate::clock::Moment;
use crate::cloud::watch_place;
use crate::cpu::CpuClock;
use crate::losses::Losses;
use crate::options::{AgentOptions, OptionsError};
use crate::runtimes::watch_names;
use crate::send::Outbox;
use crate::source::RecordSource;
use crate::spool::{Spool, SpoolError};
use crate::stats::{AgentStats, Counters};
use crate::transport::Transport;
use crate::watch::{AgentNames, Shared, StopSignal, Watcher};

const SPOOL_DIRECTORY: &str = "spool";

/// Why an agent could not start.
#[derive(Debug, Error)]
pub enum AgentError {
    #[error("the agent's settings cannot be")]
    Options(#[from] OptionsError),
    #[error("the agent's data directory {0} is not a directory that exists")]
    NoDataDirectory(PathBuf),
    #[error("the host or the agent cannot be named")]
    Identity(#[from] IdentityError),
    #[error("the spool cannot be used")]
    Spool(#[from] SpoolError),
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// An agent that has not started.
pub struct Agent<S> {
    options: AgentOptions,
    source: S,
    transport: Arc<dyn Transport>,
}

impl<S: RecordSource + 'static> Agent<S> {
    pub fn new(options: AgentOptions, source: S, transport: Arc<dyn Transport>) -> Self {
        Self { options, source, transport }
    }

    /// Opens the data directory and starts watching.
    pub fn start(self) -> Result<AgentHandle, AgentError> {
        let Self { options, source, transport } = self;
        options.check()?;
        if !options.data_dir.is_dir() {
            return Err(AgentError::NoDataDirectory(options.data_dir));
        }
        let names = names(&options)?;
        let limits = options.limits;
        let spool = Spool::open(
            &options.data_dir.join(SPOOL_DIRECTORY),
            limits.spool_bytes_max,
            limits.spool_memory_bytes_max,
            Moment::now().unix_ms,
        )?;

        let shared = Shared::default();
        let Shared { losses, counters, cpu, whereabouts, containers } = shared.clone();
        let stop = Arc::new(StopSignal::default());
        let outbox = Arc::new(Outbox::new(spool, losses.clone(), counters.clone()));
        let (sender, receiver) = sync_channel(limits.queue_batches_max);
        let (cloud, sockets) = (options.cloud.clone(), options.container_sockets.clone());
        // whose container is whose is not known until the runtimes were looked for
        containers.begin(!sockets.is_empty());
        let watcher = Watcher::new(source, options, names.clone(), shared, sender);

        let storing = outbox.clone();
        let store = spawn("weir-spool", &cpu, move || storing.store(receiver))?;
        let send = spawn("weir-send", &cpu, move || outbox.send(&*transport))?;
        let signal = stop.clone();
        let watch = spawn("weir-watch", &cpu, move || watcher.run(&signal))?;
        let signal = stop.clone();
        let place = spawn("weir-place", &cpu, move || watch_place(&cloud, &whereabouts, &signal))?;
        let signal = stop.clone();
        let name = spawn("weir-names", &cpu, move || watch_names(&sockets, &containers, &signal))?;
        tracing::info!(agent = names.agent, host = names.host, "agent started");
        Ok(AgentHandle {
            names,
            losses,
            counters,
            stop,
            threads: vec![watch, store, send, place, name],
        })
    }
}

fn names(options: &AgentOptions) -> Result<AgentNames, IdentityError> {
    let host_name = options.host_name.as_deref();
    let host = Host::read(&options.proc_root, &options.etc_root, host_name)?;
    let agent = match &options.agent_id {
        Some(id) => id.clone(),
        None => agent_id(&options.data_dir, &host)?,
    };
    Ok(AgentNames { agent, host: host.name, boot_id: host.boot_id })
}

fn spawn(
    name: &str,
    cpu: &Arc<CpuClock>,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, AgentError> {
    let cpu = cpu.clone();
    let counted = move || {
        cpu.enter();
        body();
    };
    Builder::new().name(name.to_owned()).spawn(counted).map_err(AgentError::Thread)
}

/// A running agent.
pub struct AgentHandle {
    names: AgentNames,
    losses: Arc<Losses>,
    counters: Arc<Counters>,
    stop: Arc<StopSignal>,
    threads: Vec<JoinHandle<()>>,
}

impl AgentHandle {
    /// Id of the agent.
    pub fn agent(&self) -> &str {
        &self.names.agent
    }

    /// Name of its host.
    pub fn host(&self) -> &str {
        &self.names.host
    }

    pub fn stats(&self) -> AgentStats {
        self.counters.read(&self.names.agent, &self.names.host, self.losses.totals())
    }

    /// Closes the window, tries to send what waits for a short while, and waits for all threads.
    /// What could not be sent stays in the spool.
    pub fn stop(self) -> AgentStats {
        self.stop.set();
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(thread = name, "a thread of the agent ended in a panic");
            }
        }
        self.counters.read(&self.names.agent, &self.names.host, self.losses.totals())
    }
}
