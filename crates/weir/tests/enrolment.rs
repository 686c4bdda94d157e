//! Agents and a real server: enrolled by a token, refused, enrolled again; and batches that this
//! server will never take.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_agent::probes::{PayloadSink, Sink};
use weir_agent::{
    Agent, AgentHandle, AgentOptions, Credential, HttpTransport, RecordSource, SourceError,
};
use weir_model::{
    DnsMessage, Endpoint, L4Counters, L4Record, Loss, Netns, Process, Role, Signal, SignalSet,
    Transport,
};
use weir_testkit::Running;

const START: Duration = Duration::from_secs(60);
const OPERATOR: &str = "the-operators-own-token";

/// Records that a test puts in by hand.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<L4Record>>>);

impl Script {
    fn play(&self, bytes: u64) {
        let end = |text: &str| Endpoint::from(text.parse::<SocketAddr>().expect("an end"));
        self.0.lock().expect("no panic").push_back(L4Record {
            transport: Transport::Tcp,
            role: Role::Client,
            local: end("10.0.0.1:0"),
            remote: end("198.51.100.1:443"),
            dialled: None,
            netns: Netns(1),
            cgroup_id: None,
            process: Some(Process { pid: 1_000_000_007, name: Arc::from("curl") }),
            counters: L4Counters { bytes_sent: bytes, connections: 1, ..L4Counters::default() },
        });
    }
}

impl RecordSource for Script {
    fn drain(&mut self, sink: &mut dyn Sink) -> Result<(), SourceError> {
        self.0.lock().expect("no panic").drain(..).for_each(|record| sink.l4(record));
        Ok(())
    }

    fn poll_dns(
        &mut self,
        _timeout: Duration,
        _sink: &mut dyn FnMut(DnsMessage),
    ) -> Result<(), SourceError> {
        Ok(())
    }

    fn reads_payload(&self) -> bool {
        false
    }

    fn poll_payload(
        &mut self,
        _timeout: Duration,
        _sink: &mut dyn PayloadSink,
    ) -> Result<(), SourceError> {
        Ok(())
    }

    fn signals(&self, _transport: Transport) -> SignalSet {
        Signal::ALL.into_iter().collect()
    }

    fn losses(&mut self) -> Vec<Loss> {
        Vec::new()
    }
}

fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(45);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A server that demands the operator's token, and its agents' data.
struct Site {
    dir: tempfile::TempDir,
    server: Running,
    url: String,
}

impl Site {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let operator = dir.path().join("operator");
        std::fs::write(&operator, OPERATOR).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(["server", "--listen", "127.0.0.1:0", "--kubernetes-watch", "off"]);
        command.arg("--server-token-file").arg(operator);
        command.arg("--data-dir").arg(dir.path().join("data"));
        let mut server = Running::start(&mut command).expect("weir server starts");
        let url = server.line_after("ready ", START).expect("it serves");
        Self { dir, server, url }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn weir_token(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.arg("token").args(arguments).arg("--data-dir").arg(self.path("data"));
        command.output().expect("weir runs")
    }

    /// Makes a token and writes it where the agent reads it.
    fn enrol(&self, arguments: &[&str]) {
        let made = self.weir_token(&[&["create"], arguments].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let token = String::from_utf8(made.stdout).expect("UTF-8");
        assert!(token.starts_with("weir_agent_") && token.trim().len() == 75, "{token}");
        std::fs::write(self.path("token"), token).expect("written");
    }

    fn tokens(&self) -> Vec<Value> {
        let listed = self.weir_token(&["list", "--json"]);
        let text = String::from_utf8(listed.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
    }

    fn start(&self, script: &Script, cluster: Option<&str>) -> AgentHandle {
        let data = self.path("agent");
        std::fs::create_dir_all(&data).expect("a folder");
        let cluster = cluster.map(str::to_owned);
        let options =
            AgentOptions { window_ms: 1_000, cluster: cluster.clone(), ..AgentOptions::new(data) };
        let credential = Credential::TokenFile(self.path("token"));
        let transport = HttpTransport::new(&self.url, credential, cluster);
        let agent = Agent::new(options, script.clone(), Arc::new(transport));
        agent.start().expect("the agent starts")
    }

    fn ask(&self, path: &str) -> Value {
        let request = ureq::get(format!("{}/api/v1{path}", self.url));
        let request = request.header("authorization", format!("Bearer {OPERATOR}"));
        let mut answer = request.call().expect("an answer");
        answer.body_mut().read_json().expect("JSON")
    }

    /// The only agent, once it is as wanted.
    fn agent(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for("the agent on the server", || {
            let agent = self.ask("/status")["agents"][0].clone();
            is_so(&agent).then_some(agent)
        })
    }

    fn bytes_sent(&self) -> Value {
        self.ask("/summary?from=now-5m&metrics=bytes_sent")["totals"]["bytes_sent"].clone()
    }
}

#[test]
fn an_agent_is_enrolled_refused_and_enrolled_again() {
    let mut site = Site::open();
    site.enrol(&["--cluster", "east", "--expires", "90d", "--note", "the first"]);
    let script = Script::default();
    script.play(1);
    let agent = site.start(&script, None);
    let first = site.tokens()[0].clone();
    assert_eq!((&first["standing"], &first["note"]), (&json!("good"), &json!("the first")));
    let known = site.agent(|agent| agent["rows"] == 1);
    assert_eq!((&known["token"], &known["cluster"]), (&first["id"], &json!("east")));
    assert!(known["clock_ahead_ms"].as_i64().expect("a clock").abs() < 5_000, "{known}");

    let id = first["id"].as_str().expect("an id");
    assert!(site.weir_token(&["revoke", id]).status.success());
    script.play(2);
    let error = wait_for("a refusal", || agent.stats().last_error);
    assert!(error.contains(&format!("token {id} of cluster east was revoked")), "{error}");
    wait_for("batches that wait", || (agent.stats().spool_batches >= 3).then_some(()));
    assert_eq!(agent.stats().batches_rejected_total, 0, "nothing is dropped for it");
    assert_eq!(site.bytes_sent(), 1);

    script.play(4);
    site.enrol(&["--cluster", "west"]);
    wait_for("an empty spool", || (agent.stats().spool_batches == 0).then_some(()));
    wait_for("all bytes", || (site.bytes_sent() == 7).then_some(()));
    assert_eq!(agent.stop().last_error, None);
    let second = site.tokens()[1].clone();
    assert_eq!(site.agent(|_| true)["cluster"], "west");

    site.server.signal(rustix::process::Signal::TERM).expect("told to stop");
    site.server.wait(START).expect("it stops");
    let tokens = site.tokens();
    assert_eq!((&tokens[0]["standing"], &tokens[0]["agents"]), (&json!("revoked"), &json!(0)));
    assert_eq!((&tokens[1]["id"], &tokens[1]["agents"]), (&second["id"], &json!(1)));
    assert!(tokens[1]["last_used"].is_string() && tokens[1]["expires"].is_null());
    let shown = String::from_utf8(site.weir_token(&["list"]).stdout).expect("UTF-8");
    assert!(shown.contains("STANDING") && shown.contains("revoked"), "{shown}");
}

#[test]
fn a_batch_of_an_unknown_table_goes_and_the_known_ones_follow() {
    let site = Site::open();
    site.enrol(&[]);
    let script = Script::default();
    spool_unknown_table(&site.path("agent/spool"), 3);
    script.play(5);
    let agent = site.start(&script, None);
    let known = site.agent(|agent| agent["losses"].as_array().is_some_and(|all| !all.is_empty()));
    let loss = &known["losses"][0];
    let expected = (&json!("transport"), &json!("rejected"), &json!(3));
    assert_eq!((&loss["component"], &loss["reason"], &loss["count"]), expected);
    wait_for("what is known", || (site.bytes_sent() == 5).then_some(()));
    let sent = agent.stats().batches_sent_total;
    wait_for("more batches", || (agent.stats().batches_sent_total > sent + 4).then_some(()));
    let stats = agent.stop();
    assert_eq!((stats.batches_rejected_total, stats.spool_batches), (1, 0), "it was tried once");
    assert_eq!(site.ask("/status")["agents"][0]["losses"][0]["count"], 3, "counted once");
}

/// A batch as an agent left it that knew one table more.
fn spool_unknown_table(spool: &Path, rows: u64) {
    std::fs::create_dir_all(spool).expect("a folder");
    let golden = "../wire/tests/golden/format-1-l4_flows-5.arrow";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(golden);
    let mut bytes = std::fs::read(path).expect("the golden batch");
    let (known, unknown) = (b"l4_flows", b"l9_flows");
    let found: Vec<usize> = bytes
        .windows(known.len())
        .enumerate()
        .filter_map(|(at, part)| (part == known).then_some(at))
        .collect();
    assert!(!found.is_empty(), "the table's name stands in the metadata");
    for at in found {
        bytes[at..at + unknown.len()].copy_from_slice(unknown);
    }
    std::fs::write(spool.join(format!("{:020}-{rows}.batch", 1)), bytes).expect("written");
}

#[test]
fn a_cluster_that_was_put_right_does_not_hold_up_what_follows() {
    let site = Site::open();
    site.enrol(&["--cluster", "east"]);
    let script = Script::default();
    script.play(1);
    let agent = site.start(&script, Some("west"));
    let error = wait_for("a refusal", || agent.stats().last_error);
    assert!(error.contains("\"east\"") && error.contains("\"west\""), "{error}");
    assert!(error.contains("status 403"), "{error}");
    wait_for("batches that wait", || (agent.stats().spool_batches >= 2).then_some(()));
    assert_eq!(agent.stop().batches_rejected_total, 0, "the right token may still come");

    script.play(2);
    let agent = site.start(&script, None);
    wait_for("what follows", || (site.bytes_sent() == 2).then_some(()));
    assert!(agent.stop().batches_rejected_total >= 2);
}

#[test]
fn mistakes_are_said() {
    let site = Site::open();
    let cases: [(&[&str], &str); 5] = [
        (&["create", "--expires", "soon"], "12h or 90d"),
        (&["create", "--cluster", ""], "the cluster's name"),
        (&["revoke", "ffffffff"], "weir token list"),
        (&["revoke"], "ID"),
        (&["lsit"], "list"),
    ];
    for (arguments, part) in cases {
        let output = site.weir_token(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(said.contains(part) && output.stdout.is_empty(), "{arguments:?}: {said}");
    }
    assert_eq!(site.tokens(), Vec::<Value>::new());
}
