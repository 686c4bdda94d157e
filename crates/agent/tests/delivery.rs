//! From closed windows to acknowledgements: a server that is away, busy, wrong or stubborn.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Script, Server, lock, options, record, wait_for};
use weir_agent::{Agent, AgentHandle, Credential, HttpTransport, Transport, TransportError};
use weir_model::Role;
use weir_wire::{Limits, decode};

fn start(dir: &std::path::Path, script: &Script, server: &Server) -> AgentHandle {
    Agent::new(options(dir), script.clone(), Arc::new(server.clone())).start().expect("started")
}

fn play(script: &Script, bytes: u64) {
    script.play(record(Role::Client, "10.0.0.1:0", "198.51.100.1:443", "curl", bytes));
}

#[test]
fn nothing_is_lost_while_the_server_is_away() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    server.is_away();
    play(&script, 1);
    let agent = start(dir.path(), &script, &server);
    wait_for("a spooled batch", || (agent.stats().spool_batches >= 1).then_some(()));
    play(&script, 2);
    wait_for("three spooled batches", || (agent.stats().spool_batches >= 3).then_some(()));
    let stats = agent.stats();
    assert_eq!(stats.last_error.as_deref(), Some("connection refused"));
    assert!(stats.send_errors_total >= 1 && stats.batches_sent_total == 0);
    server.refuse(None);
    wait_for("an empty spool", || (agent.stats().spool_batches == 0).then_some(()));
    agent.stop();
    assert_eq!(server.sum("bytes_sent", |_| true), 3);
    let state = lock(&server.0);
    let sequences: Vec<u64> = state.taken.iter().map(|batch| batch.header.sequence).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "oldest first, each once: {sequences:?}");
    assert_eq!(state.attempts[0], sequences[0], "the first batch kept its number");
}

#[test]
fn a_restarted_agent_sends_what_waited_under_its_old_number() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    server.is_away();
    play(&script, 5);
    let agent = start(dir.path(), &script, &server);
    wait_for("an attempt", || (!lock(&server.0).attempts.is_empty()).then_some(()));
    agent.stop();
    let first_attempt = lock(&server.0).attempts[0];
    assert_eq!(server.sum("bytes_sent", |_| true), 0);

    server.refuse(None);
    play(&script, 7);
    let agent = start(dir.path(), &script, &server);
    wait_for("all bytes", || (server.sum("bytes_sent", |_| true) == 12).then_some(()));
    agent.stop();
    let taken = &lock(&server.0).taken;
    assert_eq!(taken[0].header.sequence, first_attempt);
    let sequences: Vec<u64> = taken.iter().map(|batch| batch.header.sequence).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "no number twice: {sequences:?}");
}

/// An answer that got lost: the server has the batch, the agent does not know and sends it again.
#[test]
fn a_batch_sent_twice_has_the_same_number_and_bytes() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = Script::default();
    let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let seen_by_server = seen.clone();
    let forgetful = move |batch: &[u8]| {
        let mut seen = lock(&seen_by_server);
        seen.push(batch.to_vec());
        match seen.len() {
            1 => Err(TransportError::Unavailable {
                detail: "connection reset".to_owned(),
                retry_after: None,
            }),
            _ => Ok(()),
        }
    };
    play(&script, 5);
    let agent = Agent::new(options(dir.path()), script, Arc::new(forgetful));
    let agent = agent.start().expect("started");
    wait_for("a second attempt", || (lock(&seen).len() >= 2).then_some(()));
    agent.stop();
    let seen = lock(&seen);
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_refused_batch_is_set_aside_and_the_next_one_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    server.refuse(Some(TransportError::Rejected { detail: "unknown table".to_owned() }));
    play(&script, 5);
    let agent = start(dir.path(), &script, &server);
    wait_for("a rejection", || (agent.stats().batches_rejected_total >= 1).then_some(()));
    server.refuse(None);
    play(&script, 7);
    wait_for("the next batch", || (server.sum("bytes_sent", |_| true) == 7).then_some(()));
    wait_for("the loss", || {
        let state = lock(&server.0);
        let mut losses = state.taken.iter().flat_map(|batch| &batch.header.losses);
        losses.find(|loss| loss.reason == "rejected" && loss.count == 1).map(|_| ())
    });
    agent.stop();
    let rejected = std::fs::read_dir(dir.path().join("spool/rejected")).expect("set aside");
    assert!(rejected.count() >= 1);
}

#[test]
fn a_full_spool_drops_the_oldest_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    server.is_away();
    let mut small = options(dir.path());
    // an empty batch takes about 18 kB
    small.limits.spool_bytes_max = 60_000;
    play(&script, 5);
    let agent = Agent::new(small, script, Arc::new(server.clone())).start().expect("started");
    let dropped = wait_for("a drop", || {
        let losses = agent.stats().losses;
        losses.into_iter().find(|loss| (&*loss.component, &*loss.reason) == ("spool", "full"))
    });
    assert_eq!(dropped.count, 1, "one row went");
    assert!(agent.stats().spool_bytes <= 60_000);
    agent.stop();
}

/// Head and sequence number of each request that a small HTTP server saw.
type Requests = Arc<Mutex<Vec<(String, u64)>>>;

/// A server that gives these answers in turn, then 204; its address and what it saw.
fn http_server(answers: Vec<&'static str>) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    let seen = Requests::default();
    let requests = seen.clone();
    std::thread::spawn(move || {
        let mut answers = answers.into_iter().peekable();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a reader"));
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a line");
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line.to_lowercase());
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let batch = decode(&body, &Limits::default()).expect("a batch");
            lock(&requests).push((head, batch.header.sequence));
            let answer = answers.next_if(|_| true).unwrap_or("204 No Content\r\n");
            let _ =
                write!(stream, "HTTP/1.1 {answer}connection: close\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (address, seen)
}

#[test]
fn http_carries_batches_and_honours_what_the_server_asks() {
    let dir = tempfile::tempdir().expect("a directory");
    let (address, seen) = http_server(vec![
        "429 Too Many Requests\r\nretry-after: 2\r\n",
        "503 Service Unavailable\r\n",
        "401 Unauthorized\r\n",
    ]);
    let transport = HttpTransport::new(&address, Credential::Token("s3cret".to_owned()), None);
    let agent = Agent::new(options(dir.path()), Script::default(), Arc::new(transport));
    let agent = agent.start().expect("started");
    let began =
        wait_for("the first attempt", || (agent.stats().send_errors_total >= 1).then(Instant::now));
    wait_for("the second attempt", || (lock(&seen).len() >= 2).then_some(()));
    assert!(began.elapsed() > Duration::from_millis(1_900), "the server asked for two seconds");
    wait_for("an acknowledgement", || (agent.stats().batches_sent_total >= 1).then_some(()));
    let stats = agent.stop();
    let seen = lock(&seen);
    let (head, first) = &seen[0];
    assert!(head.starts_with("post /api/v1/ingest http/1.1\r\n"), "{head}");
    for line in [
        "authorization: bearer s3cret\r\n",
        "content-type: application/vnd.apache.arrow.stream\r\n",
        "weir-sent-unix-ms: 1",
    ] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    assert!(seen[..4].iter().all(|(_, sequence)| sequence == first), "the same batch again");
    assert_eq!((stats.send_errors_total, stats.batches_rejected_total), (3, 0));
}

#[test]
fn http_says_what_went_wrong() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("address");
    let url = format!("http://{nobody}");
    let err =
        HttpTransport::new(&url, Credential::Nothing, None).send(b"x").expect_err("nobody listens");
    assert!(matches!(err, TransportError::Unavailable { .. }), "{err}");
    assert!(err.to_string().contains("/api/v1/ingest"), "{err}");
}
