//! Sampling past the CPU limit: with nginx at full speed, requests add up to what its own log
//! says, by status; the answer says that it is sampled, and it ends with the load.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use weir_testkit::{Need, Running, WeirProcess, missing, wait_for};

/// Share of a core that no agent gets by with at this load, in per cent.
const CPU_MAX: &str = "3";
const LOAD_S: u64 = 6;
/// How long sampling may last when the load has ended, and a busy machine with it.
const RECOVERY: Duration = Duration::from_secs(60);
/// What sums may be off by.
const OFF_MAX: f64 = 0.02;

/// A web server that writes down every request.
struct Nginx {
    running: Running,
    address: SocketAddr,
    log: std::path::PathBuf,
}

impl Nginx {
    fn start(dir: &Path) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (log, config) = (dir.join("access.log"), dir.join("nginx.conf"));
        let text = format!(
            "daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
            events {{ worker_connections 64; }}
            http {{
                log_format status '$status'; access_log {log} status buffer=64k;
                keepalive_requests 1000000000;
                server {{
                    listen {address};
                    location / {{ return 200 \"fine\"; }}
                    location /missing {{ return 404 \"none\"; }}
                }}
            }}",
            dir = dir.display(),
            log = log.display(),
        );
        fs::write(&config, text)?;
        let running =
            Running::start(Command::new("nginx").arg("-p").arg(dir).arg("-c").arg(config))?;
        let deadline = Instant::now() + Duration::from_secs(20);
        wait_for("nginx to listen", deadline, || Ok(TcpStream::connect(address).ok()))?;
        Ok(Self { running, address, log })
    }

    fn load(&self, path: &str, connections: u32) -> Result<Running> {
        let url = format!("http://{}{path}", self.address);
        let (connections, length) = (format!("-c{connections}"), format!("-d{LOAD_S}s"));
        Running::start(Command::new("wrk").args(["-t1", &connections, &length, &url]))
    }

    fn ask(&self, path: &str) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(())
    }

    /// Ends it; gives how many requests it answered, by status.
    fn stop(mut self) -> Result<BTreeMap<String, u64>> {
        self.running.signal(Signal::QUIT)?;
        self.running.wait(Duration::from_secs(20))?;
        let mut counted = BTreeMap::new();
        for status in fs::read_to_string(&self.log)?.lines() {
            *counted.entry(status.to_owned()).or_default() += 1;
        }
        Ok(counted)
    }
}

fn summary(weir: &WeirProcess, port: u16, filter: &str, from: &str) -> Result<Value> {
    weir.api(&format!(
        "/summary?layer=l7&level=process&perspective=server&metrics=requests,errors&from={from}\
         &filter=server_port:{port}%20{filter}"
    ))
}

fn is_sampled(answer: &Value) -> bool {
    let incomplete = answer["incomplete"].as_array().into_iter().flatten();
    incomplete.into_iter().any(|entry| entry["kind"] == "sampled")
}

#[test]
fn sums_of_sampled_requests_are_right_and_sampling_ends_with_the_load() -> Result<()> {
    let needs = [Need::Root, Need::Btf, Need::Program("nginx"), Need::Program("wrk")];
    if missing("sampling", &needs) {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let nginx = Nginx::start(dir.path())?;
    let port = nginx.address.port();
    let weir = WeirProcess::start(&["--cpu-max", CPU_MAX])?;
    // few connections of unequal load
    let loads = [nginx.load("/", 3)?, nginx.load("/missing/7", 1)?];
    for mut load in loads {
        let status = load.wait(Duration::from_secs(LOAD_S + 20))?;
        ensure!(status.success(), "wrk: {status}: {}", load.stderr());
    }
    recovers(&weir, &nginx)?;

    let counted = nginx.stop()?;
    weir.settle()?;
    let all = summary(&weir, port, "", "now-15m")?;
    assert!(is_sampled(&all), "{}", all["incomplete"]);
    for (status, expected) in &counted {
        let found = summary(&weir, port, &format!("status:{status}"), "now-15m")?;
        let requests = found["totals"]["requests"].as_f64().context("no requests")?;
        let off = (requests - *expected as f64).abs() / *expected as f64;
        println!("status {status}: {requests} counted of {expected}");
        assert!(off <= OFF_MAX, "status {status}: {requests} counted of {expected}");
        let errors = found["totals"]["errors"].as_f64().context("no errors")?;
        assert_eq!(errors, if status == "200" { 0.0 } else { requests }, "errors of {status}");
    }
    assert_eq!(counted.len(), 2, "{counted:?}");
    Ok(())
}

/// Asks a little until an answer about just that is not sampled.
fn recovers(weir: &WeirProcess, nginx: &Nginx) -> Result<()> {
    let began = Instant::now();
    wait_for("sampling to end", began + RECOVERY, || {
        // windows are whole seconds
        let from_ms = 1000 * SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        (0..5).try_for_each(|_| nginx.ask("/"))?;
        weir.settle()?;
        let found = summary(weir, nginx.address.port(), "", &from_ms.to_string())?;
        let is_there = found["totals"]["requests"].as_f64() >= Some(5.0);
        Ok((is_there && !is_sampled(&found)).then_some(()))
    })?;
    println!("sampling ended {:.0} s after the load", began.elapsed().as_secs_f64());
    Ok(())
}
