//! The commands, one file each.

mod agent;
mod ask;
mod check;
mod cluster_watch;
mod config;
mod metrics;
mod running;
mod server;
mod shown;
mod token;
mod up;
mod watching;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ArgMatches;

use crate::cli;
use crate::config::{Config, Inputs};
use crate::usage;

/// Configuration file that is read when none is named.
const DEFAULT_CONFIG: &str = "/etc/weir/weir.toml";

/// Runs the command that was given.
pub fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let Some((name, matches)) = matches.subcommand() else {
        anyhow::bail!("no command");
    };
    match name {
        "up" => up::run(&load_config(name, matches)?),
        "agent" => agent::run(&load_config(name, matches)?),
        "cluster-watch" => cluster_watch::run(&load_config(name, matches)?),
        "server" => server::run(&load_config(name, matches)?),
        "check" => check::run(&load_config(name, matches)?, matches.get_flag("json")),
        "config" => config::run(&load_config(name, matches)?, matches.get_flag("json")),
        "token" => {
            let part = matches.subcommand().map_or(matches, |(_, part)| part);
            token::run(&load_config(name, part)?, matches)
        }
        asked => ask::run(asked, matches),
    }
}

fn load_config(command: &str, matches: &ArgMatches) -> Result<Config> {
    let named = matches.get_one::<String>("config").map(PathBuf::from);
    let default = PathBuf::from(DEFAULT_CONFIG);
    let path = named.or_else(|| default.exists().then_some(default));
    let file = match path {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read the configuration {}", path.display()))
                .map_err(usage)?;
            Some((path, text))
        }
    };
    let inputs = Inputs {
        file,
        variables: std::env::vars().filter(|(name, _)| name.starts_with("WEIR_")).collect(),
        flags: cli::flag_values(command, matches),
        is_root: rustix::process::geteuid().is_root(),
        home: std::env::var_os("HOME").map(PathBuf::from),
    };
    Ok(Config::load(&inputs)?)
}
