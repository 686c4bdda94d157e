//! `weir server`: receive, store and show the flows of agents.

use std::process::ExitCode;

use anyhow::Result;
use weir_server::Server;
use weir_store::Store;

use super::running;
use crate::config::Config;
use crate::discover::Announcement;
use crate::usage;

pub fn run(config: &Config) -> Result<ExitCode> {
    running::start_logs(config);
    let listen = running::listen_address(config)?;
    running::private_folder(&config.data_dir())?;
    let store = running::open_store(config)?;
    let options = running::server_options(config, listen)?;
    let server =
        Server::new(options, store.clone(), running::clock(), Vec::new()).map_err(usage)?;

    running::runtime()?.block_on(async {
        let server = server.start().await.map_err(usage)?;
        let _announcement = announce(server.local_addr());
        running::say_ready(server.local_addr());
        running::until_signal().await?;
        server.stop().await;
        anyhow::Ok(())
    })?;
    store.close()?;
    Ok(ExitCode::SUCCESS)
}

/// Lets `weir flows` find this server; without it people name it with `--url`.
pub fn announce(address: std::net::SocketAddr) -> Option<Announcement> {
    match Announcement::write(&format!("http://{address}")) {
        Ok(announcement) => Some(announcement),
        Err(err) => {
            tracing::warn!(error = %format!("{err:#}"), "commands will need --url to find this");
            None
        }
    }
}
