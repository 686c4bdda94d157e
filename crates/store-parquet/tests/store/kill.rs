//! `kill -9` in the middle of ingest, flush and compaction: nothing acknowledged is missing,
//! nothing is doubled.
//!
//! The test runs itself again as a child that ingests from several threads, keeps flushing, and
//! prints what was acknowledged. The parent kills it, opens the store, and looks. A batch that was
//! not acknowledged is sent again with its number by the next child, as an agent does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::support::{groups, open};
use serde_json::json;
use weir_query::GroupValue;
use weir_store::conformance::rows::{batch, row};
use weir_store::conformance::{HOUR_MS, START_MS, WINDOW_MS};
use weir_store::{Store, StoreBatch};
use weir_store_parquet::{Options, ParquetStore};

const KILLS: u64 = 50;
const AGENTS: u64 = 4;
const ROWS: u64 = 5;
const CHILD_DIR: &str = "WEIR_KILL_TEST_DIR";
const CHILD_FIRST: &str = "WEIR_KILL_TEST_FIRST";

fn agent(number: u64) -> String {
    format!("agent{number}")
}

/// The batch with this number: its rows carry the number as pid.
fn numbered(agent: &str, sequence: u64) -> StoreBatch {
    let rows: Vec<_> = (0..ROWS)
        .map(|n| {
            let window = (sequence * 37 + n * 100) % 1_000;
            let start_ms = START_MS + window as i64 * WINDOW_MS;
            row(start_ms, json!({"agent": agent, "pid": sequence, "bytes_sent": 1}))
        })
        .collect();
    batch(agent, sequence, &rows)
}

/// Ingests until killed. `firsts` are the first numbers that were not acknowledged, by agent.
fn child(dir: &str, firsts: &str) -> ! {
    let mut options = Options::new(dir);
    options.flush_bytes = 10_000;
    options.flush_age = Duration::ZERO;
    let store = Arc::new(ParquetStore::open(options).expect("the child opens the store"));
    for (number, first) in firsts.split(',').enumerate() {
        let first: u64 = first.parse().expect("a number");
        let (agent, store) = (agent(number as u64), store.clone());
        std::thread::spawn(move || {
            for sequence in first.. {
                store.ingest(&numbered(&agent, sequence)).expect("the child ingests");
                let mut out = std::io::stdout().lock();
                writeln!(out, "ack {agent} {sequence}").expect("the parent reads");
                out.flush().expect("the parent reads");
            }
        });
    }
    loop {
        store.maintain(START_MS + 10 * HOUR_MS).expect("maintenance");
    }
}

/// Kills a child after `acks` acknowledgements and `spins` turns more; gives all that it printed.
fn run_and_kill(dir: &Path, firsts: &[u64], acks: u64, spins: u64) -> Vec<(String, u64)> {
    let firsts: Vec<String> = firsts.iter().map(u64::to_string).collect();
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["kill::killed_while_it_ingests", "--exact", "--nocapture"])
        .env(CHILD_DIR, dir)
        .env(CHILD_FIRST, firsts.join(","))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut acknowledged = Vec::new();
    let mut take = |line: &str| {
        // Test output and acknowledgements share the pipe.
        let Some(at) = line.find("ack ") else { return false };
        let mut words = line[at..].split(' ').skip(1);
        let (Some(agent), Some(sequence)) = (words.next(), words.next()) else { return false };
        acknowledged.push((agent.to_owned(), sequence.parse().expect("a number")));
        true
    };
    let mut seen = 0;
    while seen < acks {
        let line = lines.next().expect("the child runs until killed").expect("text");
        seen += u64::from(take(&line));
    }
    for _ in 0..spins {
        std::hint::spin_loop();
    }
    child.kill().expect("the child is killed");
    child.wait().expect("the child ends");
    // What it had printed before the kill is acknowledged too; a line cut short is not.
    for line in lines.map_while(Result::ok) {
        take(&line);
    }
    acknowledged
}

/// What is stored: rows by agent and number.
fn stored(store: &dyn Store) -> BTreeMap<(String, u64), u64> {
    let mut out = BTreeMap::new();
    for group in groups(store, &["agent", "pid"]).groups {
        let [GroupValue::Text(Some(agent)), GroupValue::Number(Some(pid))] = &group.key[..] else {
            panic!("{:?}", group.key);
        };
        let rows = group.metrics[0].expect("each row weighs one");
        out.insert((agent.clone(), *pid), rows as u64);
    }
    out
}

#[test]
fn killed_while_it_ingests() {
    if let (Ok(dir), Ok(firsts)) = (std::env::var(CHILD_DIR), std::env::var(CHILD_FIRST)) {
        child(&dir, &firsts);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeSet<(String, u64)> = BTreeSet::new();
    let mut firsts = vec![0; AGENTS as usize];
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let new = run_and_kill(dir.path(), &firsts, random % 25, (random >> 32) % 3_000_000);
        for (agent, sequence) in new {
            acknowledged.insert((agent, sequence));
        }
        for (number, first) in firsts.iter_mut().enumerate() {
            let of_agent = acknowledged.iter().filter(|(name, _)| *name == agent(number as u64));
            *first = of_agent.map(|(_, sequence)| sequence + 1).max().unwrap_or(0);
        }
        let store = open(dir.path());
        let stored = stored(&store);
        for batch in &acknowledged {
            assert!(stored.contains_key(batch), "kill {kill}: {batch:?} was lost");
        }
        for (batch, rows) in &stored {
            assert_eq!(*rows, ROWS, "kill {kill}: {batch:?} is there in part or twice");
        }
    }
    assert!(acknowledged.len() as u64 > KILLS, "the children got to work: {}", acknowledged.len());
}
