//! `weir flows`, `weir summary`, `weir map`: the pages' questions from a shell.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ArgMatches;
use serde_json::Value;

use crate::client::Client;
use crate::commands::shown;
use crate::table;

/// Most rows that one request asks for; more are fetched page by page.
const PAGE_ROWS: usize = 1_000;
/// Rows of a table when `--limit` says nothing; JSON has no such limit.
const TABLE_ROWS: usize = 100;

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
    let layer = matches.get_one::<String>("layer").map_or("l4", String::as_str);
    query.push(("layer", layer.to_owned()));
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
            let (rows, last) = flows(&client, &format!("flows/{layer}"), query, limit)?;
            (shown::flows(layer), rows, last)
        }
        "summary" => {
            query.push(("limit", limit.min(10 * PAGE_ROWS).to_string()));
            let answer = client.get("summary", &query)?;
            (shown::pairs(layer), take(&answer["rows"], limit), answer)
        }
        _ => {
            let answer = client.get("map", &query)?;
            (shown::edges(layer), take(&answer["edges"], limit), answer)
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
    path: &str,
    mut query: Vec<(&'static str, String)>,
    limit: usize,
) -> Result<(Vec<Value>, Value)> {
    let mut rows = Vec::new();
    query.push(("limit", limit.min(PAGE_ROWS).to_string()));
    let mut answer = client.get(path, &query)?;
    loop {
        rows.extend(take(&answer["rows"], limit - rows.len()));
        let Some(cursor) = answer["next_cursor"].as_str().map(str::to_owned) else { break };
        if rows.len() >= limit {
            break;
        }
        query.retain(|(name, _)| *name != "cursor");
        query.push(("cursor", cursor));
        answer = client.get(path, &query)?;
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
