//! The payload programs against real sockets and programs that know what they passed. Needs root.

mod calls;
mod connections;
mod programs;
mod tls;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use weir_model::{L7Ends, Netns, Payload, Role, Way};
use weir_testkit::{Host, Lab, Need, Running};

use super::{PayloadOptions, PayloadProbe, PayloadSink};
use crate::collector::Options;
use crate::object;

const NEEDS: [Need; 4] = [Need::Root, Need::Btf, Need::Program("ip"), Need::Program("python3")];
const PATIENCE: Duration = Duration::from_secs(60);

/// What one call passed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    way: Way,
    position: u64,
    length: u32,
    bytes: Vec<u8>,
}

/// All that was told of a connection.
#[derive(Clone, Debug)]
struct Told {
    ends: L7Ends,
    calls: Vec<Call>,
    /// Whether by a reset.
    closed: Option<bool>,
}

impl Told {
    /// What was captured one way, and whether all of it follows without a gap from position 0 on.
    fn stream(&self, way: Way) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let mut is_whole = true;
        for call in self.calls.iter().filter(|call| call.way == way) {
            is_whole &= call.position == bytes.len() as u64;
            is_whole &= call.length as usize == call.bytes.len();
            bytes.extend(&call.bytes);
        }
        (bytes, is_whole)
    }
}

#[derive(Default)]
struct Seen {
    told: BTreeMap<u64, Told>,
    withdrawn: Vec<L7Ends>,
}

impl PayloadSink for Seen {
    fn opened(&mut self, id: u64, ends: L7Ends) {
        let told = Told { ends, calls: Vec::new(), closed: None };
        assert!(self.told.insert(id, told).is_none(), "a connection opens once");
    }

    fn payload(&mut self, id: u64, position: u64, payload: &Payload<'_>) {
        let told = self.told.get_mut(&id).expect("what passes was opened");
        assert_eq!(told.closed, None, "nothing passes on a closed connection");
        let Payload { way, length, bytes, .. } = *payload;
        told.calls.push(Call { way, position, length, bytes: bytes.to_vec() });
    }

    fn closed(&mut self, id: u64, _: u64, reset: bool) {
        let told = self.told.get_mut(&id).expect("what closes was opened");
        told.closed = Some(reset);
    }

    fn withdrawn(&mut self, id: u64, _server: u64) {
        let told = self.told.remove(&id).expect("what was told can be withdrawn");
        self.withdrawn.push(told.ends);
    }
}

/// A lab under watch.
struct Watch {
    lab: Lab,
    probe: PayloadProbe,
    seen: Seen,
}

fn options(payload: PayloadOptions) -> Options {
    Options { payload: PayloadOptions { is_on: true, ..payload }, ..Options::default() }
}

impl Watch {
    /// In clear: to look for TLS in all that runs on a machine takes a while.
    fn new(hosts: usize, payload: PayloadOptions) -> Self {
        Self::tls(hosts, PayloadOptions { tls: false, ..payload })
    }

    fn tls(hosts: usize, payload: PayloadOptions) -> Self {
        Self::of(Lab::new(hosts).expect("a lab"), &options(payload))
    }

    fn of(lab: Lab, options: &Options) -> Self {
        object::take_libbpf_log();
        let probe = PayloadProbe::start(options, None).expect("the payload probe starts");
        Self { lab, probe, seen: Seen::default() }
    }

    fn poll(&mut self) {
        self.probe.poll(Duration::ZERO, &mut self.seen, &|_| {});
    }

    /// What one host told of a server's port, in one role.
    fn of_port(&self, host: usize, role: Role, server_port: u16) -> Vec<&Told> {
        let netns = netns(self.lab.host(host));
        let is_it = |told: &&Told| {
            let end = if role == Role::Client { told.ends.remote } else { told.ends.local };
            told.ends.netns == netns && told.ends.role == role && end.port == server_port
        };
        self.seen.told.values().filter(is_it).collect()
    }

    /// Polls until `is_done` or time is up.
    fn until(&mut self, mut is_done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_done(self) && Instant::now() < deadline {
            self.probe.poll(Duration::from_millis(20), &mut self.seen, &|_| {});
        }
    }

    /// Runs a script with [`PRELUDE`] on a host, and takes what comes meanwhile: of others on this
    /// machine it may be much.
    fn play(&mut self, host: usize, script: &str) {
        let mut python = Command::new("python3");
        python.args(["-c", &format!("{PRELUDE}\n{script}")]);
        let python = self.lab.host(host).start(&mut python).expect("python3 starts");
        self.wait_for(python);
    }

    /// Takes what comes until the program ends, which is to be well.
    fn wait_for(&mut self, mut program: Running) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            self.probe.poll(Duration::from_millis(5), &mut self.seen, &|_| {});
            match program.wait(Duration::from_millis(1)) {
                Ok(status) => break status,
                Err(err) => assert!(Instant::now() < deadline, "{err:#}"),
            }
        };
        assert!(status.success(), "{status}: {}", program.stderr());
        // A record that another CPU is still writing keeps those behind it back.
        self.poll();
        self.probe.poll(Duration::from_millis(10), &mut self.seen, &|_| {});
    }

    fn lost(&mut self) -> Vec<(String, u64)> {
        self.probe.losses().into_iter().map(|loss| (loss.reason, loss.count)).collect()
    }
}

fn netns(host: &Host) -> Netns {
    let inode = host.run(|| std::fs::metadata("/proc/thread-self/ns/net").map(|of| of.ino()));
    let inode = inode.expect("a host can be entered").expect("a namespace has an inode");
    Netns(u32::try_from(inode).expect("inodes of nsfs have 32 bits"))
}

/// What every script begins with: `pair` gives a client's socket and what a server accepted.
const PRELUDE: &str = r"
import array, os, socket, struct, threading, time
def pair(port, host='127.0.0.1'):
    l = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    l.bind((host, port))
    l.listen()
    c = socket.create_connection((host, port))
    a, _ = l.accept()
    l.close()
    for s in (c, a):
        s.settimeout(10)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return c, a
def take(s, n):
    got = b''
    while len(got) < n:
        got += s.recv(n - len(got)) or 1 / 0
    return got
GET = b'GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n'
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'
";

const GET: &str = "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
