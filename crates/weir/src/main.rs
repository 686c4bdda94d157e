//! The `weir` program: one word a command, flat wiring, exit codes.
//!
//! 0: done; 1: failed while doing it; 64: bad usage, configuration or surroundings, said before
//! anything was touched. Data goes to standard output, talk to standard error.

mod cli;
mod client;
mod commands;
mod config;
mod discover;
mod table;

use std::process::ExitCode;

/// Exit code of bad usage, configuration or surroundings (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;

/// An error that was found before anything was touched.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

/// Marks an error as one of usage or surroundings, keeping its whole chain as the message.
fn usage(err: impl Into<anyhow::Error>) -> anyhow::Error {
    anyhow::Error::new(UsageError(format!("{:#}", err.into())))
}

fn main() -> ExitCode {
    let matches = match cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(err) => {
            let is_help = !err.use_stderr();
            let _ = err.print();
            return if is_help { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) };
        }
    };
    match commands::run(&matches) {
        Ok(code) => code,
        Err(err) if is_broken_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("weir: {err:#}");
            let is_usage = err.is::<UsageError>() || err.is::<config::ConfigError>();
            ExitCode::from(if is_usage { EXIT_USAGE } else { 1 })
        }
    }
}

/// `weir flows | head` is not a failure.
fn is_broken_pipe(err: &anyhow::Error) -> bool {
    err.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
