//! A cluster that is not there: the double of an API server with the objects of a small shop, and
//! batches as the agents of its nodes would send them, to a real server. Browser tests and
//! screenshots of the pages of a cluster run against it; nothing is measured here.
//!
//! Says `{"url": ..., "ca_file": ..., "token_file": ...}` first. Commands come as lines of standard
//! input, each answered by `done`: `feed ADDRESS` sends the last five minutes, and each window from
//! now on; `down`, `up`; `forbid LIST`, `allow LIST`; `log LINE`. Ends with its standard input.

mod objects;
mod traffic;

use std::io::{BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use weir_schema::Table;
use weir_testkit::ApiServer;

use objects::{CLOUD_NODES, WORKLOADS};
use traffic::WINDOW_MS;

const WINDOWS_BEFORE: i64 = 30;
const TABLES: [Table; 3] = [Table::L4Flows, Table::L7Flows, Table::L7Samples];

fn main() -> Result<()> {
    let server = ApiServer::start(TcpListener::bind("127.0.0.1:0").context("a port")?)?;
    objects::put_all(&server)?;
    let (ca_file, token_file) = (server.ca_file(), server.token_file());
    say(&json!({"url": server.url(), "ca_file": ca_file, "token_file": token_file}).to_string())?;
    for line in std::io::stdin().lock().lines() {
        let line = line.context("read a command")?;
        let (command, of) = line.split_once(' ').unwrap_or((&line, ""));
        match command {
            "feed" => feed(of)?,
            "down" => server.set_down(true),
            "up" => server.set_down(false),
            "forbid" => server.forbid(of, true),
            "allow" => server.forbid(of, false),
            "log" => server.write_log("shop", &WORKLOADS[1].pod(0), of),
            _ => bail!("{line:?} is no command"),
        }
        say("done")?;
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush().context("write to standard output")
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(i64::MAX)
}

/// Sends what has passed, and from then on each window when it is over.
fn feed(address: &str) -> Result<()> {
    let address = address.to_owned();
    let mut next = now_ms().div_euclid(WINDOW_MS) * WINDOW_MS;
    for start_ms in (next - WINDOWS_BEFORE * WINDOW_MS..next).step_by(WINDOW_MS as usize) {
        send(&address, start_ms)?;
    }
    std::thread::spawn(move || {
        loop {
            let wait = next + WINDOW_MS - now_ms();
            std::thread::sleep(Duration::from_millis(wait.max(0).unsigned_abs()));
            if let Err(problem) = send(&address, next) {
                eprintln!("the window was not taken: {problem:#}");
            }
            next += WINDOW_MS;
        }
    });
    Ok(())
}

fn send(address: &str, start_ms: i64) -> Result<()> {
    for table in TABLES {
        for node in 0..CLOUD_NODES.len() {
            if let Some(bytes) = traffic::batch(table, node, start_ms)? {
                post(address, &bytes)?;
            }
        }
    }
    Ok(())
}

fn post(address: &str, body: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("reach {address}"))?;
    write!(
        stream,
        "POST /api/v1/ingest HTTP/1.1\r\nhost: {address}\r\ncontent-type: {}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        weir_wire::CONTENT_TYPE,
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "the server said {answer}");
    Ok(())
}
