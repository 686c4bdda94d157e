//! A server with a store in a directory of its own, a clock that tests set, and batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;
use weir_model::{Loss, LossKind};
use weir_schema::{Table, wire_schema};
use weir_server::{AuthMode, ClusterOptions, Limits, Options, Server};
use weir_store::conformance::rows::{Row, record_batch, row};
use weir_store::{Store, StoreStatus};
use weir_store_parquet::ParquetStore;
use weir_wire::{Batch, BatchHeader, CONTENT_TYPE};

const LISTEN: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// Start of the first window, a full hour.
pub const START_MS: i64 = 1_700_002_800_000;
pub const WINDOW_MS: i64 = 10_000;

pub struct World {
    pub router: Router,
    pub server: Server,
    store: Arc<ParquetStore>,
    now_ms: Arc<AtomicI64>,
    dir: tempfile::TempDir,
}

/// What came back.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error} in {} {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub fn open_world() -> World {
    World::new(AuthMode::LoopbackOpen, Limits::default())
}

impl World {
    pub fn new(auth: AuthMode, limits: Limits) -> Self {
        Self::watching(auth, limits, Vec::new())
    }

    /// A server that watches clusters once it is started.
    pub fn watching(auth: AuthMode, limits: Limits, clusters: Vec<ClusterOptions>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { limits, clusters, ..Options::new(LISTEN, auth) };
        Self::made(dir, options)
    }

    /// A server whose agents may have tokens of their own, which are in its folder `tokens`.
    pub fn with_agent_tokens(auth: AuthMode) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tokens")).unwrap();
        let mut options = Options::new(LISTEN, auth);
        options.agent_tokens.dir = Some(dir.path().join("tokens"));
        Self::made(dir, options)
    }

    fn made(dir: tempfile::TempDir, options: Options) -> Self {
        let store = weir_store_parquet::Options::new(dir.path().join("store"));
        let store = Arc::new(ParquetStore::open(store).unwrap());
        let now_ms = Arc::new(AtomicI64::new(START_MS + WINDOW_MS));
        let (clock, shared) = (now_ms.clone(), store.clone());
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        let server = Server::new(options, shared, clock, Vec::new()).unwrap();
        Self { router: server.router(), server, store, now_ms, dir }
    }
    /// The router, the server to be started, and what both live on.
    pub fn taken_apart(self) -> (Router, Server, Box<dyn std::any::Any>) {
        (self.router, self.server, Box::new((self.store, self.dir)))
    }

    pub fn tokens_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("tokens")
    }

    pub fn now(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    pub fn set_now(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    pub fn store_status(&self) -> StoreStatus {
        self.store.status().unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 64 << 20).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// The answer to a question that must be answered.
    pub async fn ask(&self, path: &str) -> Value {
        let reply = self.get(&format!("/api/v1{path}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        reply.json()
    }

    pub async fn post_batch(&self, bytes: Vec<u8>) -> Reply {
        self.post_with(bytes, &[]).await
    }

    /// A batch that is sent with headers of its own.
    pub async fn post_with(&self, bytes: Vec<u8>, headers: &[(&str, String)]) -> Reply {
        self.send(post(bytes, headers)).await
    }

    /// Stores a batch of an agent whose clock is ahead of the server's by so much, and stamped
    /// everything with it.
    pub async fn feed_ahead(&self, mut batch: Sent, ahead_ms: i64) -> Reply {
        batch.stamp_ahead(ahead_ms);
        let sent = ("weir-sent-unix-ms", (self.now() + ahead_ms).to_string());
        self.post_with(batch.bytes(), &[sent]).await
    }

    /// Stores a batch that must be taken.
    pub async fn feed(&self, batch: &Sent) {
        let reply = self.post_batch(batch.bytes()).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }
}

/// A request as a program on this host sends it.
pub fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:9347")
}

pub fn post(bytes: Vec<u8>, headers: &[(&str, String)]) -> Request<Body> {
    let mut request = request("POST", "/api/v1/ingest").header(header::CONTENT_TYPE, CONTENT_TYPE);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Body::from(bytes)).unwrap()
}

/// What an agent sends.
pub struct Sent {
    pub table: Table,
    pub header: BatchHeader,
    pub rows: Vec<Row>,
}

/// A batch of transport flows of the window that starts at `start_ms`.
pub fn batch(agent: &str, sequence: u64, start_ms: i64, rows: Vec<Row>) -> Sent {
    batch_of(Table::L4Flows, agent, sequence, start_ms, rows)
}

/// A batch of a table of the window that starts at `start_ms`.
pub fn batch_of(table: Table, agent: &str, sequence: u64, start_ms: i64, rows: Vec<Row>) -> Sent {
    let header = BatchHeader {
        format: weir_wire::FORMAT,
        schema_version: weir_schema::FORMAT_VERSION,
        agent: agent.to_owned(),
        host: format!("host-{agent}"),
        boot_id: "8f1e".to_owned(),
        agent_version: "0.1.0".to_owned(),
        sequence,
        window_ms: WINDOW_MS as u32,
        from_ms: start_ms,
        to_ms: start_ms + WINDOW_MS,
        created_unix_ms: start_ms + WINDOW_MS,
        cluster: None,
        place: None,
        losses: Vec::new(),
    };
    let name = |mut row: Row| {
        row.insert("agent".to_owned(), agent.into());
        row
    };
    Sent { table, header, rows: rows.into_iter().map(name).collect() }
}

impl Sent {
    /// As an agent makes it whose clock is ahead by so much.
    pub fn stamp_ahead(&mut self, ahead_ms: i64) {
        let header = &mut self.header;
        for time in [&mut header.from_ms, &mut header.to_ms, &mut header.created_unix_ms] {
            *time += ahead_ms;
        }
        for row in &mut self.rows {
            let time = row.get_mut(self.table.time_column()).unwrap();
            *time = (time.as_i64().unwrap() + ahead_ms).into();
        }
    }

    pub fn losing(mut self, reason: &str, count: u64) -> Self {
        let (kind, component) = (LossKind::Lost, "probe_tcp".to_owned());
        self.header.losses.push(Loss { kind, component, reason: reason.to_owned(), count });
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let stored = record_batch(self.table, &self.rows);
        let schema = wire_schema(self.table);
        let columns: Vec<usize> =
            schema.fields().iter().map(|f| stored.schema().index_of(f.name()).unwrap()).collect();
        let rows = stored.project(&columns).unwrap().with_schema(schema).unwrap();
        let batch = Batch { table: self.table, header: self.header.clone(), rows };
        weir_wire::encode(&batch).unwrap()
    }
}

/// curl on host a asks nginx on host a, both seen by agent `a`, and example.com.
pub fn small_host() -> Sent {
    let start = START_MS;
    let rows = vec![
        row(
            start,
            serde_json::json!({
                "local_ip": "127.0.0.1", "remote_ip": "127.0.0.1", "remote_port": 80, "pid": 10,
                "local_process": "curl", "remote_process": "nginx",
                "local_host": "host-a", "remote_host": "host-a", "remote_agent": "a",
                "bytes_sent": 100, "bytes_received": 5000, "connections": 2, "closures": 2,
                "retransmits": 0, "rtt_us_sum": 300, "rtt_samples": 3,
            }),
        ),
        row(
            start,
            serde_json::json!({
                "direction": "incoming",
                "local_ip": "127.0.0.1", "local_port": 80, "remote_ip": "127.0.0.1",
                "remote_port": null, "pid": 20,
                "local_process": "nginx", "remote_process": "curl",
                "local_host": "host-a", "remote_host": "host-a", "remote_agent": "a",
                "bytes_sent": 5000, "bytes_received": 100, "connections": 2, "closures": 2,
            }),
        ),
        row(
            start,
            serde_json::json!({
                "local_ip": "10.0.0.1", "remote_ip": "93.184.216.34", "remote_port": 443, "pid": 11,
                "local_process": "curl", "local_host": "host-a", "remote_domain": "example.com",
                "bytes_sent": 700, "bytes_received": 900, "connections": 1, "closures": 0,
            }),
        ),
    ];
    batch("a", 1, start, rows)
}
