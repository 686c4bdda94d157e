//! Start, serve, stop; over a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use std::time::{Duration, Instant};

use weir_server::{AuthMode, Limits, Options, Server, ServerError};
use weir_store::Store;
use weir_store_parquet::ParquetStore;
use weir_wire::CONTENT_TYPE;

use super::world::{START_MS, WINDOW_MS, small_host};

fn server(dir: &tempfile::TempDir, listen: SocketAddr) -> (Server, Arc<ParquetStore>) {
    limited(dir, listen, Limits::default())
}

fn limited(
    dir: &tempfile::TempDir,
    listen: SocketAddr,
    limits: Limits,
) -> (Server, Arc<ParquetStore>) {
    let store = ParquetStore::open(weir_store_parquet::Options::new(dir.path())).unwrap();
    let store = Arc::new(store);
    let options = Options { limits, ..Options::new(listen, AuthMode::LoopbackOpen) };
    let clock = Arc::new(|| START_MS + WINDOW_MS);
    (Server::new(options, store.clone(), clock, Vec::new()).unwrap(), store)
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// One request on a connection of its own.
async fn fetch(addr: SocketAddr, path: &str) -> String {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    call(addr, text.into_bytes()).await
}

/// The head of a request that posts a batch.
fn post_head(addr: SocketAddr, length: usize) -> Vec<u8> {
    let head = format!(
        "POST /api/v1/ingest HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\
         Content-Type: {CONTENT_TYPE}\r\nContent-Length: {length}\r\n\r\n"
    );
    head.into_bytes()
}

async fn call(addr: SocketAddr, request: Vec<u8>) -> String {
    let call = move || {
        let mut stream = TcpStream::connect(addr)?;
        stream.write_all(&request)?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok::<_, std::io::Error>(reply)
    };
    tokio::task::spawn_blocking(call).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_serves_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let (server, store) = server(&dir, any_port());
    let running = server.start().await.unwrap();
    let addr = running.local_addr();
    assert!(fetch(addr, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(fetch(addr, "/readyz").await.ends_with("ready\n"));
    running.ingester().ingest_bytes(&small_host().bytes()).unwrap();
    assert!(fetch(addr, "/api/v1/summary").await.contains("host-a/nginx"));
    running.stop().await;
    assert!(TcpStream::connect(addr).is_err(), "it listens no more");
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_ends_a_request_is_hung_up_on() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { head_time_max: Duration::from_millis(300), ..Limits::default() };
    let (server, _store) = limited(&dir, any_port(), limits);
    let running = server.start().await.unwrap();
    let addr = running.local_addr();
    let read_to_end = move |sent: &'static [u8]| {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(sent).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    };
    for sent in [&b"GET /healthz HTTP/1.1\r\nHost"[..], b""] {
        tokio::task::spawn_blocking(move || read_to_end(sent)).await.unwrap();
    }
    assert!(fetch(addr, "/healthz").await.starts_with("HTTP/1.1 200"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_does_not_hold_a_stop_up() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _store) = server(&dir, any_port());
    let running = server.start().await.unwrap();
    let idle = TcpStream::connect(running.local_addr()).unwrap();
    assert!(fetch(running.local_addr(), "/healthz").await.contains("ok"));
    let stopped = tokio::time::timeout(Duration::from_secs(9), running.stop()).await;
    assert!(stopped.is_ok());
    drop(idle);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(any_port()).unwrap();
    let addr = taken.local_addr().unwrap();
    let error = server(&dir, addr).0.start().await.err().unwrap();
    assert!(matches!(error, ServerError::Bind { .. }));
    let text = error.to_string();
    assert!(text.contains(&addr.to_string()) && text.contains("taken"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_remembers_agents_and_addresses() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (server, store) = server(&dir, any_port());
        server.ingester().ingest_bytes(&small_host().bytes()).unwrap();
        store.close().unwrap();
    }
    let (server, _store) = server(&dir, any_port());
    let running = server.start().await.unwrap();
    let status = fetch(running.local_addr(), "/api/v1/status").await;
    assert!(status.contains("\"agent\":\"a\"") && status.contains("\"version\":null"), "{status}");

    let seen_by_b = super::world::batch(
        "b",
        1,
        START_MS,
        vec![weir_store::conformance::rows::row(
            START_MS,
            serde_json::json!({
                "direction": "incoming", "local_ip": "10.0.0.9", "local_port": 22,
                "remote_ip": "10.0.0.1", "remote_port": null, "local_host": "host-b", "bytes_sent": 1,
            }),
        )],
    );
    running.ingester().ingest_bytes(&seen_by_b.bytes()).unwrap();
    let flows =
        fetch(running.local_addr(), "/api/v1/flows/l4?filter=agent:b&perspective=server").await;
    assert!(flows.contains("\"remote_agent\":\"a\""), "{flows}");
    running.stop().await;
}

/// Posts until the answer begins as wanted.
async fn post_until(addr: SocketAddr, bytes: &[u8], wanted: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let request = [post_head(addr, bytes.len()), bytes.to_vec()].concat();
        let reply = call(addr, request).await;
        if reply.starts_with(wanted) {
            return reply;
        }
        assert!(Instant::now() < deadline, "{reply}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_room_is_full_agents_are_told_to_come_again() {
    const ROOM: usize = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let mut limits = Limits { ingest_bytes_max: ROOM, ..Limits::default() };
    limits.batch.bytes_max = ROOM;
    let (server, _store) = limited(&dir, any_port(), limits);
    let running = server.start().await.unwrap();
    let addr = running.local_addr();
    let bytes = small_host().bytes();

    let mut stalled = TcpStream::connect(addr).unwrap();
    let head = String::from_utf8(post_head(addr, ROOM)).unwrap();
    let head = head.trim_end().to_owned() + "\r\nExpect: 100-continue\r\n\r\n";
    stalled.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stalled.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "its room is taken");
    let full = post_until(addr, &bytes, "HTTP/1.1 429").await;
    assert!(full.contains("retry-after: 2") && full.contains("urn:weir:problem:busy"), "{full}");
    drop(stalled);
    post_until(addr, &bytes, "HTTP/1.1 200").await;
    running.stop().await;
}
