//! The program under test, as its users run it: `weir up` or `weir server`, asked over HTTP.
//!
//! Owns the process, its data folder, and the reading of API answers. Judges nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::child::{Running, run, workspace_program};
use crate::traffic::{self, Exchange};
use crate::wait_for;

/// Loading and attaching its programs may take this long on a busy machine.
const START: Duration = Duration::from_secs(60);
/// A window, its journal entry and some of a busy machine's leisure.
const SETTLE: Duration = Duration::from_secs(60);
/// Rows asked for at once.
const PAGE_ROWS: u64 = 1000;

/// A running `weir up` or `weir server`; dropped, it is killed and its data folder is removed.
pub struct WeirProcess {
    running: Running,
    base: String,
    data: TempDir,
    /// From the command on.
    args: Vec<String>,
}

impl WeirProcess {
    /// Starts `weir up` with one-second windows and waits until it watches and serves.
    pub fn start(args: &[&str]) -> Result<Self> {
        Self::begin(&[&["up", "--listen", "127.0.0.1:0", "--window", "1s"], args].concat())
    }

    /// Starts `weir server` and waits until it serves.
    pub fn serve(args: &[&str]) -> Result<Self> {
        Self::begin(&[&["server"], args].concat())
    }

    fn begin(args: &[&str]) -> Result<Self> {
        let data = tempfile::tempdir().context("make a data folder")?;
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (running, base) = start(data.path(), &args)?;
        Ok(Self { running, base, data, args })
    }

    /// What `weir check --json` says of this kernel.
    pub fn check() -> Result<Value> {
        let program = workspace_program("weir", "weir", "WEIR_BIN")?;
        let text = run(&program.to_string_lossy(), &["check", "--json"])?;
        serde_json::from_str(&text).context("weir check tells JSON")
    }

    /// Stops it by `signal`, then starts it again on the same data.
    pub fn restart(&mut self, signal: Signal) -> Result<()> {
        self.stop(signal)?;
        let (running, base) = start(self.data.path(), &self.args)?;
        self.running = running;
        self.base = base;
        Ok(())
    }

    /// Stops it by `signal` and waits for its end.
    pub fn stop(&mut self, signal: Signal) -> Result<()> {
        self.running.signal(signal)?;
        let status = self.running.wait(SETTLE)?;
        if signal == Signal::TERM {
            ensure!(status.success(), "weir ended with {status}; {}", self.stderr());
        }
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// `http://ADDRESS:PORT` of its API and pages.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        self.running.stderr()
    }

    /// The JSON answer to `GET /api/v1{path}`.
    pub fn api(&self, path: &str) -> Result<Value> {
        let url = format!("{}/api/v1{path}", self.base);
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.get(&url).call().with_context(|| format!("GET {url}"))?;
        let text = answer.body_mut().read_to_string().with_context(|| format!("read {url}"))?;
        ensure!(answer.status().is_success(), "GET {url}: {}: {text}", answer.status());
        serde_json::from_str(&text).with_context(|| format!("GET {url}: {text}"))
    }

    /// Every flow row of the last 15 minutes that `filter` takes, all pages of it, as each end
    /// observed it.
    pub fn flows(&self, filter: &str) -> Result<Rows> {
        let mut rows = Vec::new();
        // Together these are all rows: the server's are those of incoming flows.
        for perspective in ["client", "server"] {
            self.pages(&percent_encode(filter), perspective, &mut rows)?;
        }
        Ok(Rows(rows))
    }

    fn pages(&self, filter: &str, perspective: &str, rows: &mut Vec<Value>) -> Result<()> {
        let base = format!("/flows/l4?from=now-15m&limit={PAGE_ROWS}&perspective={perspective}");
        let mut cursor = String::new();
        loop {
            let mut answer = self.api(&format!("{base}&filter={filter}{cursor}"))?;
            let Value::Array(page) = answer["rows"].take() else {
                bail!("no rows in {answer}");
            };
            rows.extend(page);
            match answer["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={}", percent_encode(next)),
                None => return Ok(()),
            }
        }
    }

    /// Name lookups of the last 15 minutes, see [`Self::sums`].
    pub fn lookups(&self, perspective: &str, filter: &str, by: &[&str]) -> Result<Rows> {
        const METRICS: &str =
            "dns_queries,dns_failures,dns_timeouts,dns_us_samples,dns_us_min,dns_us_max";
        self.sums(("dns", METRICS), perspective, filter, by)
    }

    /// Requests of the last 15 minutes, see [`Self::sums`].
    pub fn requests(&self, perspective: &str, filter: &str, by: &[&str]) -> Result<Rows> {
        const METRICS: &str = "requests,errors,unanswered,aborted,response_us,response_us_min,\
                               response_us_max,response_us_p50,response_us_p99";
        self.sums(("l7", METRICS), perspective, filter, by)
    }

    /// A row for each value of the fields `by`, with these and a layer's metrics; fails where there
    /// are more values than an answer holds.
    fn sums(
        &self,
        (layer, metrics): (&str, &str),
        perspective: &str,
        filter: &str,
        by: &[&str],
    ) -> Result<Rows> {
        let answer = self.api(&format!(
            "/series?layer={layer}&from=now-15m&step=36500d&limit=50&metrics={metrics}\
             &perspective={perspective}&group_by={}&filter={}",
            by.join(","),
            percent_encode(filter)
        ))?;
        let mut rows = Vec::new();
        for line in answer["series"].as_array().context("no series")? {
            ensure!(line["is_rest"] == false, "too many groups by {by:?}");
            let mut row = line["group"].as_object().cloned().unwrap_or_default();
            for (metric, values) in line["metrics"].as_object().into_iter().flatten() {
                row.insert(metric.clone(), values[0].clone());
            }
            rows.push(Value::Object(row));
        }
        Ok(Rows(rows))
    }

    /// The pairs of the last 15 minutes at process level.
    pub fn summary(&self, filter: &str, perspective: &str) -> Result<Value> {
        self.api(&format!(
            "/summary?level=process&from=now-15m&perspective={perspective}&filter={}",
            percent_encode(filter)
        ))
    }

    /// Returns once everything that happened before this call can be asked for.
    ///
    /// It makes a connection of its own on the loopback interface and waits until that one is seen
    /// closed at both ends. Windows come in order and whole, so whatever came before is in too.
    pub fn settle(&self) -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
        let to: SocketAddr = listener.local_addr()?;
        let exchange = Exchange { upload_bytes: 1, download_bytes: 1 };
        std::thread::scope(|scope| {
            let server = scope.spawn(|| traffic::tcp_server(&listener, 1, 1));
            traffic::tcp_client(to, 1, exchange).context("make the mark")?;
            let served = server.join().map_err(|_| anyhow!("the mark's server panicked"))?;
            served.context("serve the mark")
        })?;
        let port = to.port();
        let filter = format!("transport:tcp (local_port:{port} OR remote_port:{port})");
        let deadline = Instant::now() + SETTLE;
        wait_for("the mark to be seen closed at both ends", deadline, || {
            Ok((self.flows(&filter)?.sum("closures") >= 2).then_some(()))
        })
        .with_context(|| format!("weir said: {}", self.stderr()))
    }
}

fn start(data: &Path, args: &[String]) -> Result<(Running, String)> {
    let program = workspace_program("weir", "weir", "WEIR_BIN")?;
    let mut command = Command::new(program);
    command.args(args).arg("--data-dir").arg(data);
    let mut running = Running::start(&mut command)?;
    let base = running.line_after("ready ", START)?;
    Ok((running, base))
}

fn percent_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Flow rows as the API gave them.
#[derive(Clone)]
pub struct Rows(pub Vec<Value>);

/// A line for each row with what is there and not 0; the `client_` and `server_` columns say the
/// same again.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.0 {
            write!(f, "\n ")?;
            for (name, value) in row.as_object().into_iter().flatten() {
                let is_told = !value.is_null() && value.as_f64() != Some(0.0);
                if is_told && !name.starts_with("client_") && !name.starts_with("server_") {
                    write!(f, " {name}={value}")?;
                }
            }
        }
        Ok(())
    }
}

impl Rows {
    /// Sum of a counter over all rows; rows in which it is absent add nothing.
    pub fn sum(&self, column: &str) -> u64 {
        self.0.iter().filter_map(|row| row[column].as_u64()).sum()
    }

    /// The largest value of a column, `None` where no row has it.
    pub fn max(&self, column: &str) -> Option<u64> {
        self.0.iter().filter_map(|row| row[column].as_u64()).max()
    }

    /// The smallest value of a column, `None` where no row has it.
    pub fn min(&self, column: &str) -> Option<u64> {
        self.0.iter().filter_map(|row| row[column].as_u64()).min()
    }

    /// The distinct values of a text column with the number of their rows; absent is "".
    pub fn values(&self, column: &str) -> BTreeMap<String, usize> {
        let mut values = BTreeMap::new();
        for row in &self.0 {
            *values.entry(row[column].as_str().unwrap_or("").to_owned()).or_default() += 1;
        }
        values
    }

    /// The rows in which a text column has this value; "" is absent.
    pub fn with(&self, column: &str, value: &str) -> Rows {
        let rows = self.0.iter().filter(|row| row[column].as_str().unwrap_or("") == value);
        Rows(rows.cloned().collect())
    }

    /// The rows in which a number column has this value.
    pub fn with_number(&self, column: &str, value: u64) -> Rows {
        let rows = self.0.iter().filter(|row| row[column].as_u64() == Some(value));
        Rows(rows.cloned().collect())
    }

    /// Value of a gauge at the end of the latest window.
    pub fn last(&self, column: &str) -> u64 {
        let latest = self.max("window_start_ms");
        let rows = self.0.iter().filter(|row| row["window_start_ms"].as_u64() == latest);
        rows.filter_map(|row| row[column].as_u64()).sum()
    }
}
