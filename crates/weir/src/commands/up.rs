//! `weir up`: agent and server in one, the batches between them handed over in memory.
//!
//! The order matters. Probes attach first, in a program with one thread, so that every privilege
//! that reading them does not need can be given up before anything else runs.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use weir_agent::{Agent, TransportError};
use weir_server::{Ingester, Server};
use weir_store::Store;

use super::{metrics, running, server, watching};
use crate::config::Config;
use crate::usage;

pub fn run(config: &Config) -> Result<ExitCode> {
    running::start_logs(config);
    let listen = running::listen_address(config)?;
    running::private_folder(&config.data_dir())?;
    let collector = watching::start_probes(config)?;

    let store = running::open_store(config)?;
    let server_options = running::server_options(config, listen)?;
    let handle = watching::HandleCell::default();
    let sources = vec![metrics::source(handle.clone())];
    let server =
        Server::new(server_options, store.clone(), running::clock(), sources).map_err(usage)?;
    let transport = in_memory(server.ingester());
    let agent = Agent::new(watching::options(config)?, collector, Arc::new(transport));

    let ended = running::runtime()?.block_on(async {
        let server = server.start().await.map_err(usage)?;
        handle.put(agent.start().map_err(usage)?);
        let _announcement = server::announce(server.local_addr());
        running::say_ready(server.local_addr());
        let ended = running::until_signal().await;
        // The agent first: its last window still finds the server.
        let handle = handle.clone();
        let _ = tokio::task::spawn_blocking(move || handle.stop()).await;
        server.stop().await;
        ended
    });
    store.close()?;
    ended.map(|()| ExitCode::SUCCESS)
}

/// The transport of an agent whose server is in the same program: the same bytes, the same path.
fn in_memory(ingester: Ingester) -> impl Fn(&[u8]) -> Result<(), TransportError> + Send + Sync {
    move |batch| match ingester.ingest_bytes(batch) {
        Ok(_) => Ok(()),
        Err(err) if err.is_temporary() => {
            Err(TransportError::Unavailable { detail: err.to_string(), retry_after: None })
        }
        Err(err) => Err(TransportError::Rejected { detail: err.to_string() }),
    }
}
