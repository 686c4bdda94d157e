//! `weir token`: make a new token; the old one stops working at the server's next start.

use std::process::ExitCode;

use anyhow::Result;
use weir_server::auth;

use super::running;
use crate::config::Config;
use crate::usage;

pub fn run(config: &Config) -> Result<ExitCode> {
    let dir = config.data_dir();
    running::private_folder(&dir)?;
    let token = auth::replace(&dir).map_err(usage)?;
    println!("{}", token.reveal());
    eprintln!("weir: it is stored as a hash only and works from the server's next start");
    Ok(ExitCode::SUCCESS)
}
