//! nginx and its access log as the witness: HTTP/1 and HTTP/2, in clear and inside TLS, and nginx as
//! a client of another server.

use std::fs;
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;
use weir_testkit::{Need, Running, wait_for};

use crate::watch::{PATIENCE, Watch, lacks};
use crate::witness::{Line, Log};

/// Requests that one run of [`curl`] and [`Nginx::go_away`] makes.
const REQUESTS: usize = 50;
/// What `tls_client.py` asks for.
const PYTHON_REQUESTS: usize = 37;

/// Where a server listens.
#[derive(Clone, Copy)]
pub struct Ports {
    pub clear: u64,
    pub tls: u64,
    pub h2c: u64,
    upstream: u64,
}

pub struct Nginx {
    pub ports: Ports,
    running: Running,
    upstream: Running,
}

impl Nginx {
    /// Starts nginx, with an odd server behind `/through/`.
    pub fn start(watch: &Watch, first_port: u64) -> Self {
        let ports = Ports {
            clear: first_port,
            tls: first_port + 1,
            h2c: first_port + 2,
            upstream: first_port + 3,
        };
        watch.certify();
        let www = watch.folder.path().join("www");
        fs::create_dir(&www).expect("a folder");
        fs::write(www.join("large"), vec![b'a'; 1_000_000]).expect("a file");
        fs::write(www.join("zipped"), "all the same ".repeat(5_000)).expect("a file");
        let mut config = include_str!("nginx.conf").to_owned();
        for (name, value) in [
            ("FOLDER", watch.folder.path().display().to_string()),
            ("ADDRESS", watch.address()),
            ("CLEAR", ports.clear.to_string()),
            ("TLS", ports.tls.to_string()),
            ("H2C", ports.h2c.to_string()),
            ("UPSTREAM", ports.upstream.to_string()),
        ] {
            config = config.replace(name, &value);
        }
        fs::write(watch.path("nginx.conf"), config).expect("a configuration");
        let mut odd = watch.python("odd_server.py");
        odd.args([&watch.address(), &ports.upstream.to_string(), &watch.path("upstream.log")]);
        let upstream = watch.serve(&mut odd);
        let mut nginx = watch.program("nginx");
        nginx.args(["-c", &watch.path("nginx.conf"), "-e", "stderr"]);
        let running = watch.lab.host(0).start(&mut nginx).expect("nginx starts");
        let address = format!("{}:{}", watch.address(), ports.h2c);
        wait_for("nginx to listen", Instant::now() + PATIENCE, || {
            Ok(watch.lab.host(1).run(|| TcpStream::connect(&address))?.ok())
        })
        .expect("nginx listens");
        Self { ports, running, upstream }
    }

    /// Ends nginx, which ends its connections and its log, and compares what came in at ports,
    /// each of which speaks TLS or does not.
    pub fn judge(mut self, watch: &Watch, ports: &[(u64, bool)]) -> Vec<Log> {
        self.running.signal(Signal::QUIT).expect("nginx is told to end");
        self.running.wait(PATIENCE).expect("nginx ends");
        let logs = ports.iter().map(|(port, is_tls)| log(watch, *port, *is_tls));
        let logs: Vec<_> = logs.collect();
        for ((port, _), log) in ports.iter().zip(&logs) {
            log.judge(watch, *port);
        }
        logs
    }

    /// A client that goes away while nginx waits for another server.
    fn go_away(&mut self, watch: &Watch, base: &str, version: &str) {
        let mut curl = watch.program("curl");
        curl.args(["-sS", "-k", version, "-o", "/dev/null"]).arg(format!("{base}/through/give-up"));
        watch.give_up(&mut curl, &mut self.upstream);
    }

    /// Those that nginx says it passed on: now and then it refuses the body of an upload over
    /// HTTP/2 (400). The last of a run is answered after its client went away.
    fn judge_upstream(&self, watch: &Watch, runs: usize) {
        let (log, upstream) = (watch.path("log"), watch.path("upstream.log"));
        let is_whole = || {
            let log = fs::read_to_string(&log)?;
            let through = || log.lines().filter(|line| line.contains("/through/"));
            let passed_on = through().filter(|line| !line.contains(r#""upstream":"""#)).count();
            assert!(through().count() - passed_on <= runs, "nginx passes requests on: {log}");
            let given_up = through().filter(|line| line.contains("/give-up")).count();
            let is_last_there = given_up == runs;
            let answered = fs::read_to_string(&upstream)?.lines().count();
            Ok((is_last_there && answered == passed_on).then_some(()))
        };
        wait_for("the last request upstream", Instant::now() + PATIENCE, is_whole)
            .expect("all requests upstream");
        Log::read(watch, "upstream.log", false).judge(watch, self.ports.upstream);
    }
}

/// nginx's log of what came in at one port.
pub fn log(watch: &Watch, port: u64, is_tls: bool) -> Log {
    let text = fs::read_to_string(watch.path("log")).expect("a log");
    let values = text.lines().map(|line| {
        let line = line.replace("HTTP/2.0", "http/2").replace("HTTP/1", "http/1");
        (serde_json::from_str::<Value>(&line).unwrap_or_else(|err| panic!("{err}: {line}")), line)
    });
    let at_port = values.filter(|(value, _)| value["port"].as_u64() == Some(port));
    Log(at_port.map(|(value, line)| line_of(&value, &line, is_tls)).collect())
}

/// nginx tells the time to the end of the answer, in milliseconds of a clock that it reads once
/// a round of its loop. So what it does within one round is not in it: storing and deleting files
/// of megabytes takes some 10 ms, and 100 ms where processors are busy or it has to wait for one,
/// so 500 are allowed. What waits for another server takes no less time than it says, but for
/// 5 ms and 3 %.
fn line_of(value: &Value, line: &str, is_tls: bool) -> Line {
    let mut line = Line::of(line, is_tls);
    let us = value["s"].as_f64().expect("a time") * 1e6;
    let least = if line.key.path.ends_with("/slow") { us * 0.97 - 5_000.0 } else { 0.0 };
    line.us = Some([least.max(0.0) as u64, us as u64 + 500_000]);
    line.outcome = "answered".to_owned();
    // nginx's own word for a client that went away before its answer
    if line.key.status == Some(499) {
        line.key.status = None;
        line.outcome = "unanswered".to_owned();
        line.us = None;
    }
    line
}

/// Lets curl ask for everything: over one connection, or over one for each request, because curl
/// 7.88 cannot use a connection again that speaks HTTP/2 in clear.
fn curl(watch: &Watch, base: &str, version: &str, is_one_connection: bool) {
    let mut command = None;
    for (options, path) in requests(watch) {
        let is_first = command.is_none();
        let curl = command.get_or_insert_with(|| watch.program("curl"));
        if !is_first {
            curl.arg("--next");
        }
        curl.args(["-sS", "-k", version, "-o", "/dev/null"]).args(options);
        curl.arg(format!("{base}{path}"));
        if !is_one_connection {
            watch.ask(curl);
            command = None;
        }
    }
    if let Some(curl) = &mut command {
        watch.ask(curl);
    }
}

/// What curl is told, and the path.
fn requests(watch: &Watch) -> Vec<(Vec<String>, String)> {
    let body = watch.path("body-to-send");
    fs::write(&body, "GET / HTTP/1.1\r\n\r\n".repeat(25_000)).expect("a file");
    let upload = format!("@{body}");
    let mut requests = Vec::new();
    let mut ask = |options: &[&str], path: &str| {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        requests.push((options, path.to_owned()));
    };
    for n in 0..25 {
        ask(&[], &format!("/items/{n}?key=secret"));
    }
    for path in ["/hello", "/none", "/moved", "/sorry", "/absent", "/large", "/hello"] {
        ask(&[], path);
    }
    ask(&["-I"], "/large");
    ask(&["-H", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"], "/large");
    ask(&["-r", "0-99"], "/large");
    ask(&["--compressed"], "/zipped");
    ask(&["-T", &body], "/stored/file");
    ask(&["-T", &body, "-H", "Expect: 100-continue"], "/stored/file");
    ask(&["-T", &body, "-H", "Transfer-Encoding: chunked"], "/stored/file");
    ask(&["-X", "DELETE"], "/stored/file");
    ask(&["--data-binary", &upload], "/through/upload");
    ask(&[], "/through/chunks");
    ask(&[], "/through/big?bytes=300000");
    ask(&["-I"], "/through/head");
    for ms in [40, 80, 120, 160, 200] {
        ask(&[], &format!("/through/slow?ms={ms}"));
    }
    requests
}

/// One nginx for all: it takes as long to start as to ask everything.
#[test]
fn nginx_in_clear_and_inside_tls() {
    let needs = ["nginx", "curl", "openssl"].map(Need::Program);
    if lacks("nginx_in_clear_and_inside_tls", &needs) {
        return;
    }
    let watch = Watch::new();
    let mut nginx = Nginx::start(&watch, 7100);
    let Ports { clear, tls, h2c, .. } = nginx.ports;
    let mut runs = 0;
    let mut ask = |scheme: &str, port: u64, version: &str, is_one_connection| {
        let base = format!("{scheme}://{}:{port}", watch.address());
        curl(&watch, &base, version, is_one_connection);
        nginx.go_away(&watch, &base, version);
        runs += 1;
        nginx.judge_upstream(&watch, runs);
    };
    ask("http", clear, "--http1.1", true);
    ask("https", tls, "--http1.1", true);
    watch.ask(watch.python("tls_client.py").args([&watch.address(), &tls.to_string()]));
    assert_eq!(watch.lost(), [].into(), "all was understood");
    ask("http", h2c, "--http2-prior-knowledge", false);
    ask("https", tls, "--http2", true);
    let logs = nginx.judge(&watch, &[(clear, false), (tls, true), (h2c, false)]);
    let lines: Vec<_> = logs.iter().map(|log| log.0.len()).collect();
    assert_eq!(lines, [REQUESTS, 2 * REQUESTS + PYTHON_REQUESTS, REQUESTS]);
    watch.assert_lost_at_goodbyes(2 * REQUESTS);
}
