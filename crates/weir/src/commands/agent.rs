//! `weir agent`: watch this host and send its flows to a server.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use weir_agent::{Agent, Credential, HttpTransport};

use super::{running, watching};
use crate::config::Config;
use crate::usage;

pub fn run(config: &Config) -> Result<ExitCode> {
    running::start_logs(config);
    let server = &running::server_url(config)?;
    let credential = credential(config)?;
    running::private_folder(&config.data_dir())?;
    let collector = watching::start_probes(config)?;

    let cluster = config.text("agent.cluster").map(str::to_owned);
    let transport = Arc::new(HttpTransport::new(server, credential, cluster));
    let agent = Agent::new(watching::options(config)?, collector, transport);
    running::runtime()?.block_on(async {
        let handle = agent.start().map_err(usage)?;
        eprintln!("weir: agent {} watches {} for {server}", handle.agent(), handle.host());
        running::until_signal().await?;
        tokio::task::spawn_blocking(move || handle.stop()).await.context("the agent broke off")
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A file is read again for each batch, so it only has to be there now for a mistake to be said.
fn credential(config: &Config) -> Result<Credential> {
    if let Some(path) = config.path("agent.token_file") {
        std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read agent.token_file {}", path.display()))
            .map_err(usage)?;
        return Ok(Credential::TokenFile(path));
    }
    let token = std::env::var("WEIR_TOKEN").ok().filter(|token| !token.is_empty());
    Ok(token.map_or(Credential::Nothing, Credential::Token))
}
