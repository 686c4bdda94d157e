//! Requests inside the TLS that languages bring with them: Node.js, whose library is linked into the
//! program and never touches a socket, and Go, which has its own. Servers log what they answered.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use weir_testkit::{Need, Running, missing};

use crate::common::wait_for;
use crate::watch::{Lost, Watch, lacks, script};
use crate::witness::Log;

/// What `node_client.js`, [`curl`] and `asker.go` ask for.
const NODE_REQUESTS: usize = 81;
const CURL_REQUESTS: usize = 39;
const GO_REQUESTS: usize = 115;
/// Connections of HTTP/2, at both ends: curl's, as many as it is started, and Go's.
const CURL_CONNECTIONS: usize = 2 * 14;
const GO_CONNECTIONS: usize = 2;

/// Starts servers, each with a log of its port's name.
struct Servers<'a> {
    watch: &'a Watch,
    cert: String,
    key: String,
}

impl<'a> Servers<'a> {
    fn new(watch: &'a Watch) -> Self {
        let (cert, key) = watch.certify();
        Self { watch, cert, key }
    }

    fn start(&self, mut program: Command, port: u16) -> Running {
        let log = self.watch.path(&port.to_string());
        program.args([&self.watch.address(), &port.to_string(), &log, &self.cert, &self.key]);
        self.watch.serve(&mut program)
    }

    /// The log, which is to be so long, and the rows must say the same.
    fn judge(&self, port: u16, requests: usize) {
        let read = || Log::read(self.watch, &port.to_string(), true);
        let is_whole = || (read().0.len() >= requests).then_some(());
        wait_for("the last request's line", is_whole);
        let log = read();
        assert_eq!(log.0.len(), requests, "at {port}");
        log.judge(self.watch, port.into());
    }

    /// Asks a server until it is told of: a program is looked into when it begins, which takes a
    /// while, and what passes before is not read. Gives what was lost by that.
    fn until_read(&self, mut ask: impl FnMut(), port: u16) -> Lost {
        wait_for("a program to be read", || {
            ask();
            self.watch.settle();
            (self.watch.requests(u64::from(port)) > 0).then_some(())
        });
        self.watch.lost()
    }
}

/// `curl --http2`: many streams at once, the slow ones each alone, and one that is given up.
fn curl(watch: &Watch, server: &mut Running, port: u16) {
    let base = format!("https://{}:{port}", watch.address());
    let start = || {
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        let mut curl = watch.program("curl");
        curl.args(["-sS", "-k", "--http2", "-H", &format!("x-asked-us: {asked}")]);
        curl
    };
    let nowhere = |curl: &mut Command, path: &str| {
        curl.args(["-o", "/dev/null", &format!("{base}{path}")]);
    };
    let mut many = start();
    many.args(["--parallel", "--parallel-max", "10"]);
    for n in 0..20 {
        nowhere(&mut many, &format!("/items/{n}?key=value"));
    }
    let large = "/large?bytes=300000";
    for path in ["/missing", "/broken", "/none", "/moved", "/parts", large] {
        nowhere(&mut many, path);
    }
    watch.ask(&mut many);
    let body = watch.path("body-to-send");
    fs::write(&body, "GET / HTTP/1.1\r\n\r\n".repeat(5_000)).expect("a file");
    for (options, path) in [(&["-I"][..], "/items/7"), (&["-T", &body], "/stored/a")] {
        let mut curl = start();
        nowhere(curl.args(options), path);
        watch.ask(&mut curl);
    }
    for n in 0..10 {
        let mut curl = start();
        nowhere(&mut curl, &format!("/slow?ms={}", 5 * n));
        watch.ask(&mut curl);
    }
    let mut curl = start();
    nowhere(&mut curl, "/silent");
    watch.give_up(&mut curl, server);
}

fn node(watch: &Watch, servers: &Servers<'_>) {
    let node = |name: &str, version: &[&str]| {
        let mut node = watch.program("node");
        node.arg(script(name)).args(version);
        node
    };
    let [_first, _http1, mut http2] = [("http1", 7400), ("http1", 7401), ("http2", 7402)]
        .map(|(version, port)| servers.start(node("node_server.js", &[version]), port));
    let ask = |port: &str| {
        watch.ask(node("node_client.js", &[]).args([&watch.address(), port]));
    };
    let before = servers.until_read(|| ask("7400"), 7400);
    ask("7401");
    curl(watch, &mut http2, 7402);
    servers.judge(7401, NODE_REQUESTS);
    servers.judge(7402, CURL_REQUESTS);
    watch.assert_lost_at_goodbyes_since(&before, CURL_CONNECTIONS);
}

/// Builds `asker.go` as many programs are, without symbols, and under a name that is read.
fn build_go(watch: &Watch) {
    let folder = watch.folder.path().join("asker");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("main.go"), include_str!("asker.go")).expect("a source");
    fs::write(folder.join("go.mod"), "module asker\n\ngo 1.18\n").expect("a module");
    let mut go = Command::new("go");
    go.args(["build", "-ldflags", "-s -w", "-o", "asker", "."]).current_dir(&folder);
    let cache = std::env::temp_dir().join("weir-go");
    go.env("GOCACHE", cache).env("GOFLAGS", "-mod=mod").env("GOTOOLCHAIN", "local");
    assert!(go.status().expect("go runs").success());
    symlink(folder.join("asker"), watch.path("t9-asker")).expect("a link to the program");
}

fn go(watch: &Watch, servers: &Servers<'_>) {
    build_go(watch);
    let asker = |deed: &str| {
        let mut asker = watch.program("asker");
        asker.arg(deed);
        asker
    };
    let [_first, _http1, _http2] =
        [7500, 7501, 7502].map(|port| servers.start(asker("serve"), port));
    let ask = |port: &str, version: &str| {
        watch.ask(asker("ask").args([&*watch.address(), port, version]));
    };
    let before = servers.until_read(|| ask("7500", "1"), 7500);
    ask("7501", "1");
    ask("7502", "2");
    servers.judge(7501, GO_REQUESTS);
    servers.judge(7502, GO_REQUESTS);
    watch.assert_lost_at_goodbyes_since(&before, GO_CONNECTIONS);
}

/// One agent for both: it takes as long to start as to ask everything. Each is left out where it is
/// missing; Go's package is so large that `scripts/setup` does not ask for it.
#[test]
fn runtimes_inside_tls() {
    if lacks("runtimes_inside_tls", &[Need::Program("openssl")]) {
        return;
    }
    let watch = Watch::new();
    let servers = Servers::new(&watch);
    if !missing("runtimes_inside_tls, Node.js", &["node", "curl"].map(Need::Program)) {
        node(&watch, &servers);
    }
    if !missing("runtimes_inside_tls, Go", &[Need::Program("go")]) {
        go(&watch, &servers);
    }
}
