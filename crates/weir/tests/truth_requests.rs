//! T9 through the whole program: requests as its API tells them, against the server's own log. Each
//! kind of request, of connection and of TLS library is tried where the agent is (its
//! `truth_requests`).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use weir_testkit::{Lab, Need, Rows, Running, WeirProcess, missing, scratch_dir};

const PATIENCE: Duration = Duration::from_secs(80);
const PORT: &str = "7601";

/// Requests, errors, unanswered and aborted ones, by method, path and status.
type Counts = BTreeMap<(String, String, Option<u64>), [u64; 4]>;

fn python(script: &str, args: &[&str]) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/tests/truth_requests");
    let mut python = Command::new("python3");
    python.arg(scripts.join(script)).args(args);
    python
}

fn logged(log: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let path = text("path");
        let path = match path.strip_prefix("/users/") {
            Some(_) => "/users/{id}".to_owned(),
            None => path,
        };
        let (status, outcome) = (line["status"].as_u64(), text("outcome"));
        let is_error = outcome != "answered" || status.is_some_and(|status| status >= 400);
        let count = counts.entry((text("method"), path, status)).or_default();
        let adds = [true, is_error, outcome == "unanswered", outcome == "aborted"];
        for (total, add) in count.iter_mut().zip(adds) {
            *total += u64::from(add);
        }
    }
    Ok(counts)
}

/// The least and the greatest that a quantile can be of what the log says of a path: the server
/// knows each wait to within its own two readings of the clock. Ranks are from 0.
fn logged_wait(log: &str, path: &str, ranks: [usize; 2]) -> Result<[f64; 2]> {
    let lines = log.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let mut waits = [0.0; 2];
    for (end, rank) in ranks.into_iter().enumerate() {
        let of_path = lines.iter().filter(|line| line["path"] == path);
        let mut us: Vec<u64> = of_path.filter_map(|line| line["us"][end].as_u64()).collect();
        us.sort_unstable();
        waits[end] = *us.get(rank).context("a wait in the log")? as f64;
    }
    Ok(waits)
}

fn told(rows: &Rows) -> Counts {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let number = |row: &Value, name: &str| row[name].as_u64();
    let rows = rows.0.iter().map(|row| {
        // what rows are grouped by is text
        let key = (text(row, "method"), text(row, "path"), text(row, "status").parse().ok());
        let counts = ["requests", "errors", "unanswered", "aborted"];
        (key, counts.map(|name| number(row, name).unwrap_or(0)))
    });
    rows.collect()
}

#[test]
fn t9_requests_are_those_of_the_servers_log() -> Result<()> {
    if missing("T9", &[Need::Root, Need::Btf, Need::Program("ip"), Need::Program("python3")]) {
        return Ok(());
    }
    let (lab, folder) = (Lab::new(2)?, scratch_dir()?);
    let weir = WeirProcess::start(&[])?;
    let (address, log) = (lab.host(0).ipv4.to_string(), folder.path().join("log"));
    let log_text = log.to_string_lossy();
    let mut server: Running =
        lab.host(0).start(&mut python("odd_server.py", &[&address, PORT, &log_text]))?;
    server.line_after("up", PATIENCE)?;
    let mut client = python("odd_client.py", &[&address, PORT]);
    let output = lab.host(1).run(|| client.output())??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    weir.settle()?;
    let log = std::fs::read_to_string(&log)?;
    let logged = logged(&log)?;
    let by = ["method", "path", "status"];
    let filter = format!("server_ip:{address} server_port:{PORT}");
    for perspective in ["client", "server", "merged"] {
        let rows = weir.requests(perspective, &filter, &by)?;
        assert_eq!(told(&rows), logged, "{perspective}");
        // the server was told to take 0, 5, 10 to 95 ms
        let slow = rows.with("path", "/slow");
        let us = slow.0[0]["response_us"].as_f64().context("a mean")?;
        ensure!((47_500.0..60_000.0).contains(&us), "/slow took {us} us on average");
        // of 20 the median is the 10th or 11th, and the 99th percentile the last
        for (metric, ranks) in [("response_us_p50", [9, 10]), ("response_us_p99", [19, 19])] {
            let us = slow.0[0][metric].as_f64().context("a quantile")?;
            let [least, most] = logged_wait(&log, "/slow", ranks)?;
            let is_so = us >= 0.95 * least && (perspective != "server" || us <= 1.05 * most);
            ensure!(is_so, "{metric} of {perspective}: {us} us, the log has {least} to {most}");
        }
        let most = slow.max("response_us_max").context("a maximum")?;
        ensure!((95_000..150_000).contains(&most), "/slow took {most} us at most");
    }
    Ok(())
}
