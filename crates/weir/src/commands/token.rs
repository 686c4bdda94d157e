//! `weir token`: make a new token; the old one stops working at the server's next start.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use weir_server::auth;

use super::running;
use crate::config::Config;
use crate::usage;

pub fn run(config: &Config) -> Result<ExitCode> {
    if let Some(path) = config.path("server.token_file") {
        return Err(usage(anyhow!(
            "the server takes its token from server.token_file, {}; write a new one there, for \
             instance with `openssl rand -hex 32`, and restart server and agents",
            path.display()
        )));
    }
    let dir = config.data_dir();
    running::private_folder(&dir)?;
    let token = auth::replace(&dir).map_err(usage)?;
    println!("{}", token.reveal());
    eprintln!("weir: it is stored as a hash only and works from the server's next start");
    Ok(ExitCode::SUCCESS)
}
