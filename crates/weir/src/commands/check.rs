//! `weir check`: what this kernel gives, hook by hook, and what is lost without each.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use weir_agent::probes::Collector;

/// Prints the report; fails where the kernel cannot be watched at all.
pub fn run(as_json: bool) -> Result<ExitCode> {
    let report = Collector::check();
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.is_usable() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
