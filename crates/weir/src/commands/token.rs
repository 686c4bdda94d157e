//! `weir token`: the operator's token anew; tokens with which agents can send, made, listed and
//! revoked.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::ArgMatches;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use weir_query::{format_time, parse_duration_ms};
use weir_server::auth::{self, Enrolment, NewEnrolment};

use super::running;
use crate::config::Config;
use crate::table::{self, Cell, Column};
use crate::usage;

/// Longest life that a token can be given, in words and in milliseconds.
const EXPIRES_MAX: (&str, i64) = ("3650d", 3_650 * 86_400_000);

pub fn run(config: &Config, matches: &ArgMatches) -> Result<ExitCode> {
    match matches.subcommand() {
        Some(("create", matches)) => create(config, matches),
        Some(("list", matches)) => list(config, matches.get_flag("json")),
        Some(("revoke", matches)) => revoke(config, matches),
        _ => replace(config),
    }
}

/// A new token of the operator.
fn replace(config: &Config) -> Result<ExitCode> {
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

fn create(config: &Config, matches: &ArgMatches) -> Result<ExitCode> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let now_ms = running::clock()();
    let expires = text("expires").map(|expires| life(&expires)).transpose()?;
    let new = NewEnrolment {
        cluster: text("cluster"),
        note: text("note"),
        expires_ms: expires.map(|life_ms| now_ms.saturating_add(life_ms)),
    };
    let dir = config.data_dir();
    running::private_folder(&dir)?;
    let _alone = alone(&dir)?;
    let (made, token) = auth::create(&dir, new, now_ms).map_err(usage)?;
    println!("{}", token.reveal());
    let of = made.cluster.as_ref().map(|cluster| format!(" for cluster {cluster}"));
    let until = made.expires_ms.map(|ms| format!(" until {}", format_time(ms)));
    eprintln!(
        "weir: token {}{}{}; it is shown this once and stored as a hash only; a running server \
         takes it at once",
        made.id,
        of.unwrap_or_default(),
        until.unwrap_or_default()
    );
    Ok(ExitCode::SUCCESS)
}

fn life(text: &str) -> Result<i64> {
    let life_ms = parse_duration_ms(text).ok().filter(|ms| (1_000..=EXPIRES_MAX.1).contains(ms));
    life_ms.ok_or_else(|| {
        usage(anyhow!(
            "--expires {text:?}: expected a duration such as 12h or 90d, from 1s to {}",
            EXPIRES_MAX.0
        ))
    })
}

const COLUMNS: &[Column] = &[
    Column { heading: "ID", cell: Cell::Text, path: "id" },
    Column { heading: "CLUSTER", cell: Cell::Text, path: "cluster" },
    Column { heading: "STANDING", cell: Cell::Text, path: "standing" },
    Column { heading: "CREATED", cell: Cell::Text, path: "created" },
    Column { heading: "EXPIRES", cell: Cell::Text, path: "expires" },
    Column { heading: "LAST USED", cell: Cell::Text, path: "last_used" },
    Column { heading: "AGENTS", cell: Cell::Count, path: "agents" },
    Column { heading: "NOTE", cell: Cell::Text, path: "note" },
];

fn list(config: &Config, as_json: bool) -> Result<ExitCode> {
    let dir = config.data_dir();
    let (tokens, uses) = (auth::list(&dir).map_err(usage)?, auth::uses(&dir));
    let now_ms = running::clock()();
    let time = |ms: Option<i64>| ms.map(format_time);
    let row = |token: &Enrolment| -> Value {
        let used = uses.get(&token.id);
        json!({
            "id": token.id,
            "cluster": token.cluster,
            "standing": token.standing(now_ms).as_str(),
            "created": format_time(token.created_ms),
            "expires": time(token.expires_ms),
            "revoked": time(token.revoked_ms),
            "last_used": time(used.map(|used| used.last_used_ms)),
            "agents": used.map_or(0, |used| used.agents),
            "note": token.note,
        })
    };
    let rows: Vec<Value> = tokens.iter().map(row).collect();
    if as_json {
        let mut out = std::io::stdout().lock();
        for row in &rows {
            writeln!(out, "{row}")?;
        }
    } else {
        table::print(COLUMNS, &rows)?;
    }
    if rows.is_empty() {
        eprintln!("weir: there are none in {}", dir.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn revoke(config: &Config, matches: &ArgMatches) -> Result<ExitCode> {
    let id = matches.get_one::<String>("id").context("no id")?;
    let dir = config.data_dir();
    running::private_folder(&dir)?;
    let _alone = alone(&dir)?;
    let revoked = auth::revoke(&dir, id, running::clock()()).map_err(usage)?;
    eprintln!(
        "weir: token {} is revoked; a running server refuses it from now on, and what its agents \
         see waits on their disks",
        revoked.id
    );
    Ok(ExitCode::SUCCESS)
}

/// Keeps other commands from changing the tokens until it is dropped.
fn alone(dir: &Path) -> Result<File> {
    let path = dir.join("agent-tokens.lock");
    let lock = || -> std::io::Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    };
    lock().with_context(|| format!("cannot lock {}", path.display())).map_err(usage)
}
