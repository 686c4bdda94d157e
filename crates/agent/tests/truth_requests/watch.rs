//! A lab under the eyes of a whole agent: its rows as counts by request.
//!
//! Owns start and end of probes and agent, the programs that are watched, and the reading of rows.
//! Judges nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use weir_agent::probes::{Collector, Options, PayloadOptions, Processes};
use weir_agent::{Agent, AgentHandle};
use weir_model::Sketch;
use weir_schema::Table;
use weir_testkit::{Lab, Need, Running, missing, run, scratch_dir};

use crate::common::{self, Row, Server, lock, wait_for};

pub const PATIENCE: Duration = Duration::from_secs(80);

/// The programs that tests start. They run under names of their own, and only those names are read:
/// what else speaks HTTP on this machine is neither in the rows nor in the losses.
const PROGRAMS: [&str; 7] = ["python3", "nginx", "curl", "h2load", "nghttp", "node", "asker"];
const PREFIX: &str = "t9-";

/// What makes two requests one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub protocol: String,
    pub is_tls: bool,
    pub method: String,
    /// With `{id}` for what identifies single things.
    pub path: String,
    pub status: Option<u64>,
    pub grpc_status: Option<u64>,
}

/// What was counted of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub requests: u64,
    pub errors: u64,
    pub unanswered: u64,
    pub aborted: u64,
    /// Those whose answer began.
    pub responses: u64,
}

/// The latencies of one, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    pub sum: u64,
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub sketch: Sketch,
}

/// All requests of one server by one end.
pub type Told = BTreeMap<Key, (Count, Latency)>;

/// What was lost, by component and reason.
pub type Lost = BTreeMap<(String, String), u64>;

/// Whether the machine lacks what every one of these tests needs, or `others`.
pub fn lacks(test: &str, others: &[Need]) -> bool {
    let always = [Need::Root, Need::Btf, Need::Program("ip"), Need::Program("python3")];
    missing(test, &[&always[..], others].concat())
}

/// Hosts with an agent that sees them all; the first is the servers', the second the clients'.
pub struct Watch {
    pub lab: Lab,
    pub folder: TempDir,
    rows: Server,
    agent: Option<AgentHandle>,
}

impl Watch {
    pub fn new() -> Self {
        let lab = Lab::new(2).expect("a lab");
        let folder = scratch_dir().expect("a folder");
        let names = PROGRAMS.iter().map(|name| format!("{PREFIX}{name}"));
        let processes = Processes::Only(names.collect());
        // An agent that is built for tests takes payload more slowly than it comes in bursts.
        let ring_bytes_max = 32 << 20;
        let payload =
            PayloadOptions { is_on: true, processes, ring_bytes_max, ..PayloadOptions::default() };
        let options = Options { payload, ..Options::default() };
        let collector = Collector::start(options).expect("the probes start");
        let rows = Server::default();
        let agent = Agent::new(common::options(folder.path()), collector, Arc::new(rows.clone()));
        let agent = agent.start().expect("the agent starts");
        for name in PROGRAMS {
            if let Some(program) = find(name) {
                let link = folder.path().join(format!("{PREFIX}{name}"));
                symlink(program, link).expect("a link to a program");
            }
        }
        Self { lab, folder, rows, agent: Some(agent) }
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A program under the name by which it is watched.
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.folder.path().join(format!("{PREFIX}{name}")))
    }

    /// A script of this folder.
    pub fn python(&self, name: &str) -> Command {
        let mut python = self.program("python3");
        python.arg(script(name));
        python
    }

    /// The address of the servers' host.
    pub fn address(&self) -> String {
        self.lab.host(0).ipv4.to_string()
    }

    /// Starts a server and waits until it says that it listens.
    pub fn serve(&self, command: &mut Command) -> Running {
        let mut server = self.lab.host(0).start(command).expect("the server starts");
        server.line_after("up", PATIENCE).expect("the server listens");
        server
    }

    /// Runs a client to its end, which is to be well, and gives what it printed.
    pub fn ask(&self, command: &mut Command) -> String {
        let output = self.lab.host(1).run(|| command.output()).expect("in the lab");
        let output = output.expect("the client starts");
        let [said, complaint] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{command:?}: {}: {said}{complaint}", output.status);
        said
    }

    /// Runs a client until the server says that it was asked, and the client sleeps: before that
    /// its call of a TLS library may not have returned, and then it is not told of.
    pub fn give_up(&self, command: &mut Command, server: &mut Running) {
        let mut client = self.lab.host(1).start(command).expect("the client starts");
        server.line_after("asked", PATIENCE).expect("the server is asked");
        let status = format!("/proc/{}/status", client.pid());
        wait_for("the client to wait for an answer", || {
            let status = fs::read_to_string(&status).expect("the client's state");
            status.contains("State:\tS").then_some(())
        });
        client.signal(Signal::TERM).expect("the client is told to end");
        client.wait(PATIENCE).expect("the client ends");
    }

    /// Plays a server and its client, which are told `HOST PORT` and more, with what they need for
    /// TLS where there is a certificate; the server is to live until all is told.
    pub fn play(
        &self,
        [mut server, mut client]: [Command; 2],
        port: u64,
        log: &str,
        certificate: &[String],
    ) -> Running {
        let (address, port) = (self.address(), port.to_string());
        server.args([&address, &port, &self.path(log)]).args(certificate);
        client.args([&address, &port]);
        if !certificate.is_empty() {
            client.arg("tls");
        }
        let server = self.serve(&mut server);
        self.ask(&mut client);
        server
    }

    /// A certificate and its key.
    pub fn certify(&self) -> (String, String) {
        let (cert, key) = (self.path("cert"), self.path("key"));
        let how = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost";
        let mut args: Vec<_> = how.split(' ').collect();
        args.extend(["-out", &cert, "-keyout", &key]);
        run("openssl", &args).expect("openssl makes a certificate");
        (cert, key)
    }

    /// Returns once all that happened before is in the rows: payload is told in its order, windows
    /// come in theirs and whole.
    pub fn settle(&self) {
        let port: u64 = self.ask(&mut self.python("mark.py")).trim().parse().expect("a port");
        wait_for("the mark to be told", || (self.requests(port) >= 2).then_some(()));
    }

    /// Requests to a server's port, as both ends counted them.
    pub fn requests(&self, port: u64) -> u64 {
        let ends = ["incoming", "outgoing"];
        let told = ends.iter().flat_map(|direction| self.told(direction, port));
        told.map(|(_, (count, _))| count.requests).sum()
    }

    /// What the rows say of requests to a server's port.
    pub fn told(&self, direction: &str, port: u64) -> Told {
        let server = if direction == "incoming" { "local_port" } else { "remote_port" };
        let is_it =
            |row: &Row<'_>| row.text("direction") == direction && row.number(server) == Some(port);
        let mut told = Told::new();
        for row in self.rows.rows_of(Table::L7Flows, is_it) {
            add(&mut told, &row.get());
        }
        told
    }

    /// What the agent and the payload probe said they lost so far, by component and reason.
    pub fn lost(&self) -> Lost {
        let mut lost = BTreeMap::new();
        for batch in &lock(&self.rows.0).taken {
            for loss in &batch.header.losses {
                let key = (loss.component.clone(), loss.reason.clone());
                if ["l7", "probe_l7"].contains(&&*loss.component) {
                    *lost.entry(key).or_default() += loss.count;
                }
            }
        }
        lost
    }
}

impl Watch {
    /// Nothing was lost but what a connection of HTTP/2 says last. A client says goodbye and
    /// closes; the server reads both in one call, and the kernel counts the end as a byte.
    pub fn assert_lost_at_goodbyes(&self, connections: usize) {
        self.assert_lost_at_goodbyes_since(&Lost::new(), connections);
    }

    /// Nothing else was lost since [`Self::lost`] said so much.
    pub fn assert_lost_at_goodbyes_since(&self, before: &Lost, connections: usize) {
        let mut lost = self.lost();
        for (what, count) in &mut lost {
            *count -= before.get(what).unwrap_or(&0);
        }
        lost.retain(|_, count| *count > 0);
        let cut = lost.remove(&("l7".to_owned(), "cut".to_owned())).unwrap_or(0);
        assert_eq!(lost, [].into(), "all was understood");
        assert!(cut <= connections as u64, "{cut} of {connections} connections");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop();
        }
    }
}

fn add(told: &mut Told, row: &Row<'_>) {
    let number = |name: &str| row.number(name).unwrap_or(0);
    let status = row.number("status");
    for class in 1..=5 {
        let is_it = status.is_some_and(|status| status / 100 == class);
        let expected = if is_it { number("requests") } else { 0 };
        assert_eq!(number(&format!("status_{class}xx")), expected, "{status:?} of class {class}");
    }
    let key = Key {
        protocol: row.text("protocol"),
        is_tls: row.text("encryption") == "tls",
        method: row.text("method"),
        path: row.text("path"),
        status,
        grpc_status: row.number("grpc_status"),
    };
    let (count, latency) = told.entry(key).or_default();
    count.requests += number("requests");
    count.errors += number("errors");
    count.unanswered += number("unanswered");
    count.aborted += number("aborted");
    count.responses += number("response_samples");
    latency.sum += number("response_us_sum");
    let least = [latency.min, row.number("response_us_min")];
    latency.min = least.into_iter().flatten().min();
    latency.max = latency.max.max(row.number("response_us_max"));
    if let Some(bytes) = row.bytes("response_sketch") {
        latency.sketch.merge(&Sketch::decode(bytes).expect("a sketch"));
    }
}

/// Where a script of this folder is.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/truth_requests").join(name)
}

/// Debian's own interpreter comes first: it has Debian's libraries.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = [PathBuf::from("/usr/bin")].into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Looks again until `judge` is content, and says what it said last if it never is.
pub fn in_time(mut judge: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(why) = judge() {
        assert!(Instant::now() < deadline, "{why}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}
