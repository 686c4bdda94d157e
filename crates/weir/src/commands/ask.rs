//! `weir flows`, `weir summary`, `weir map`: the pages' questions from a shell.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ArgMatches;
use serde_json::Value;

use crate::client::Client;
use crate::table::{self, Cell, Column};

/// Most rows that one request asks for; more are fetched page by page.
const PAGE_ROWS: usize = 1_000;
/// Rows of a table when `--limit` says nothing; JSON has no such limit.
const TABLE_ROWS: usize = 100;

const fn column(heading: &'static str, cell: Cell, path: &'static str) -> Column {
    Column { heading, cell, path }
}

const FLOWS: &[Column] = &[
    column("TIME (UTC)", Cell::Time, "window_start_ms"),
    column("DIRECTION", Cell::Text, "direction"),
    column("PROTO", Cell::Text, "transport"),
    column("PROCESS", Cell::Text, "local_process"),
    column("PID", Cell::Count, "pid"),
    column("LOCAL", Cell::Text, "local_ip"),
    column("PORT", Cell::Count, "local_port"),
    column("REMOTE", Cell::Text, "remote_ip"),
    column("PORT", Cell::Count, "remote_port"),
    column("NAME", Cell::Text, "remote_domain"),
    column("SENT", Cell::Bytes, "bytes_sent"),
    column("RECEIVED", Cell::Bytes, "bytes_received"),
    column("DELAY", Cell::Micros, "rtt_us"),
    column("CONNS", Cell::Count, "connections"),
];

const PAIRS: &[Column] = &[
    column("CLIENT", Cell::Text, "client.name"),
    column("CLIENT HOST", Cell::Text, "client.host"),
    column("SERVER", Cell::Text, "server.name"),
    column("SERVER HOST", Cell::Text, "server.host"),
    column("SENT", Cell::Bytes, "metrics.bytes_sent"),
    column("RECEIVED", Cell::Bytes, "metrics.bytes_received"),
    column("DELAY", Cell::Micros, "metrics.rtt_us"),
    column("JITTER", Cell::Micros, "metrics.jitter_us"),
    column("CONNS", Cell::Count, "metrics.connections"),
    column("CLOSED", Cell::Count, "metrics.closures"),
    column("RETRANS", Cell::Count, "metrics.retransmits"),
];

const EDGES: &[Column] = &[
    column("CLIENT", Cell::Text, "client"),
    column("SERVER", Cell::Text, "server"),
    column("SENT", Cell::Bytes, "metrics.bytes_sent"),
    column("RECEIVED", Cell::Bytes, "metrics.bytes_received"),
    column("DELAY", Cell::Micros, "metrics.rtt_us"),
    column("CONNS", Cell::Count, "metrics.connections"),
];

/// Asks and prints.
pub fn run(command: &str, matches: &ArgMatches) -> Result<ExitCode> {
    let client = Client::new(matches)?;
    let json = matches.get_flag("json");
    let limit = match matches.get_one::<String>("limit") {
        Some(text) => text
            .parse()
            .with_context(|| format!("--limit {text}: expected a whole number"))
            .map_err(crate::usage)?,
        None if json => usize::MAX,
        None => TABLE_ROWS,
    };
    let mut query = window(matches);
    if let Some(filter) = matches.get_one::<String>("filter") {
        query.push(("filter", filter.clone()));
    }
    if let Some(perspective) = matches.get_one::<String>("perspective") {
        query.push(("perspective", perspective.clone()));
    }
    if command != "flows"
        && let Some(level) = matches.get_one::<String>("level")
    {
        query.push(("level", level.clone()));
    }
    let (columns, rows, answer) = match command {
        "flows" => {
            let (rows, last) = flows(&client, query, limit)?;
            (FLOWS, rows, last)
        }
        "summary" => {
            query.push(("limit", limit.min(10 * PAGE_ROWS).to_string()));
            let answer = client.get("summary", &query)?;
            (PAIRS, take(&answer["rows"], limit), answer)
        }
        _ => {
            let answer = client.get("map", &query)?;
            (EDGES, take(&answer["edges"], limit), answer)
        }
    };
    if json {
        let mut out = std::io::stdout().lock();
        for row in &rows {
            writeln!(out, "{row}")?;
        }
    } else {
        table::print(columns, &rows)?;
    }
    say_incomplete(&answer["incomplete"]);
    Ok(ExitCode::SUCCESS)
}

fn window(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let from = match text("from") {
        Some(from) => from,
        None => format!("now-{}", text("since").unwrap_or_default()),
    };
    vec![("from", from), ("to", text("to").unwrap_or_else(|| "now".to_owned()))]
}

/// Pages through the flows; the time range is fixed by the first answer so that pages fit.
fn flows(
    client: &Client,
    mut query: Vec<(&'static str, String)>,
    limit: usize,
) -> Result<(Vec<Value>, Value)> {
    let mut rows = Vec::new();
    query.push(("limit", limit.min(PAGE_ROWS).to_string()));
    let mut answer = client.get("flows/l4", &query)?;
    loop {
        rows.extend(take(&answer["rows"], limit - rows.len()));
        let Some(cursor) = answer["next_cursor"].as_str().map(str::to_owned) else { break };
        if rows.len() >= limit {
            break;
        }
        query.retain(|(name, _)| *name != "cursor");
        query.push(("cursor", cursor));
        answer = client.get("flows/l4", &query)?;
    }
    Ok((rows, answer))
}

fn take(rows: &Value, limit: usize) -> Vec<Value> {
    rows.as_array().map(|rows| rows.iter().take(limit).cloned().collect()).unwrap_or_default()
}

fn say_incomplete(incomplete: &Value) {
    for entry in incomplete.as_array().into_iter().flatten() {
        if let Some(message) = entry["message"].as_str() {
            eprintln!("weir: incomplete: {message}");
        }
    }
}
