//! What a request costs between the probe and the rows of a window:
//! `cargo run --release -p weir-agent --example requests_cost [EXCHANGES]`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use weir_agent::{Agent, AgentOptions, RecordSource, SourceError};
use weir_model::{
    DnsMessage, Endpoint, L7Ends, Loss, Netns, Payload, Process, Role, SignalSet, Transport, Way,
};
use weir_probes::{PayloadSink, Sink};

const CONNECTIONS: u64 = 32;
/// Each load is played this often; the best is told.
const ROUNDS: usize = 5;

/// The calls of the server's end of an exchange, as a probe hands them over.
struct Load {
    name: &'static str,
    /// Requests and answers in turn; the heads of requests differ as paths do.
    requests: Vec<Vec<u8>>,
    answer: Vec<u8>,
    /// Of the answer's call, of which only the beginning is copied.
    answer_length: u32,
}

/// As a load generator has it: one short request, again and again.
fn smallest() -> Load {
    let answer = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\n\
                   Content-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n";
    Load {
        name: "one short request again and again",
        requests: vec![b"GET / HTTP/1.1\r\nHost: 198.18.255.1:8080\r\n\r\n".to_vec()],
        answer: answer.to_vec(),
        answer_length: answer.len() as u32,
    }
}

/// As programs ask each other: ids in the path, and a trace.
fn usual() -> Load {
    let head = |n: u64| {
        format!(
            "GET /api/v1/users/{n}/orders?limit=50 HTTP/1.1\r\nHost: orders.example:8080\r\n\
             User-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\n\
             Accept: */*\r\nConnection: keep-alive\r\n\
             traceparent: 00-{n:032x}-00f067aa0ba902b7-01\r\n\r\n"
        )
        .into_bytes()
    };
    let answer = "HTTP/1.1 200 OK\r\nServer: nginx/1.26.2\r\nDate: Sun, 22 Nov 2026 01:19:48 GMT\r\n\
                  Content-Type: application/json\r\nContent-Length: 4000\r\n\
                  Connection: keep-alive\r\nETag: \"66f3a1b2-fa0\"\r\n\r\n";
    let mut copied = answer.as_bytes().to_vec();
    copied.resize(1024, b'x');
    Load {
        name: "ids in the path, a trace, a body of 4,000 bytes",
        requests: (0..1024).map(|n| head(n * 7919 + 1)).collect(),
        answer: copied,
        answer_length: answer.len() as u32 + 4000,
    }
}

/// Plays the loads as if a kernel had passed them.
struct Played {
    loads: VecDeque<Load>,
    exchanges: u64,
    done: SyncSender<()>,
}

impl Played {
    fn play(&self, load: &Load, sink: &mut dyn PayloadSink) -> f64 {
        let end = |text: String| Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap());
        for id in 0..CONNECTIONS {
            let ends = L7Ends {
                role: Role::Server,
                local: end("198.18.255.1:8080".to_owned()),
                remote: end(format!("198.18.255.2:{}", 40_000 + id)),
                dialled: None,
                netns: Netns(1),
                cgroup_id: None,
                process: Some(Process { pid: 1_000_000_009, name: Arc::from("nginx") }),
                is_tls: false,
            };
            sink.opened(id, ends);
        }
        let mut positions = [[0; 2]; CONNECTIONS as usize];
        let began = Instant::now();
        for n in 0..self.exchanges {
            let id = n % CONNECTIONS;
            let [received, sent] = &mut positions[id as usize];
            let mono_ns = 1_000 * n;
            let bytes = &load.requests[n as usize % load.requests.len()];
            let length = bytes.len() as u32;
            sink.payload(id, *received, &Payload { way: Way::Received, mono_ns, length, bytes });
            *received += u64::from(length);
            let (mono_ns, length) = (mono_ns + 50_000, load.answer_length);
            let answer = Payload { way: Way::Sent, mono_ns, length, bytes: &load.answer };
            sink.payload(id, *sent, &answer);
            *sent += u64::from(length);
        }
        let took = began.elapsed();
        (0..CONNECTIONS).for_each(|id| sink.closed(id, 0, false));
        took.as_nanos() as f64 / self.exchanges as f64
    }
}

impl RecordSource for Played {
    fn drain(&mut self, _: &mut dyn Sink) -> Result<(), SourceError> {
        Ok(())
    }

    fn poll_dns(&mut self, _: Duration, _: &mut dyn FnMut(DnsMessage)) -> Result<(), SourceError> {
        Ok(())
    }

    fn reads_payload(&self) -> bool {
        true
    }

    fn poll_payload(&mut self, _: Duration, sink: &mut dyn PayloadSink) -> Result<(), SourceError> {
        for load in self.loads.drain(..).collect::<Vec<_>>() {
            let best = (0..ROUNDS).map(|_| self.play(&load, sink)).fold(f64::MAX, f64::min);
            println!("{:<48} {best:7.0} ns a request", load.name);
            let _ = self.done.try_send(());
        }
        Ok(())
    }

    fn signals(&self, _: Transport) -> SignalSet {
        SignalSet::empty()
    }

    fn losses(&mut self) -> Vec<Loss> {
        Vec::new()
    }
}

fn main() {
    let asked = std::env::args().nth(1).map(|text| text.parse().expect("a number of exchanges"));
    let folder = tempfile::tempdir().expect("a directory of its own");
    let (done, played) = sync_channel(2);
    let source =
        Played { loads: [smallest(), usual()].into(), exchanges: asked.unwrap_or(500_000), done };
    let agent = Agent::new(AgentOptions::new(folder.path()), source, Arc::new(|_: &[u8]| Ok(())));
    let running = agent.start().expect("the agent starts");
    (0..2).for_each(|_| played.recv().expect("the loads are played"));
    running.stop();
}
