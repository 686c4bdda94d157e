//! `weir check`: what this kernel gives, hook by hook, and what is lost without each.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use weir_agent::probes::{Collector, HookReport, Report};

use super::watching;
use crate::config::Config;

/// Prints the report; fails where the host cannot be watched at all.
pub fn run(config: &Config, as_json: bool) -> Result<ExitCode> {
    let report = Collector::check(&watching::probe_options(config)?);
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(if report.is_usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "kernel {}", report.kernel)?;
    let width = report.hooks.iter().map(|hook| hook.name.chars().count()).max().unwrap_or(0);
    let mut probe = "";
    for hook in &report.hooks {
        if hook.probe != probe {
            probe = &hook.probe;
            writeln!(out, "\n{probe}")?;
        }
        writeln!(out, "  {:<width$}  {}", hook.name, state(hook))?;
        let notes = [
            ("because", &hook.reason),
            ("instead", &hook.chosen),
            ("not seen without it", &hook.lost),
        ];
        for (word, note) in notes {
            if let Some(note) = note {
                writeln!(out, "  {:width$}    {word}: {note}", "")?;
            }
        }
    }
    match &report.obstacle {
        None => writeln!(out, "\nthis host can be watched"),
        Some(obstacle) => writeln!(out, "\nthis host cannot be watched: {obstacle}"),
    }
}

fn state(hook: &HookReport) -> &'static str {
    match (hook.is_available, hook.is_used) {
        (_, true) => "used",
        (true, false) => "available, not used",
        (false, false) => "not available",
    }
}
