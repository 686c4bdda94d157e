//! List and watch: tells a directory what the cluster is like.
//!
//! Owns one task a kind: it lists page by page, goes on watching from there, resumes where a
//! watch ended, and lists again when the API server no longer has the changes in between (410).
//! While the API server cannot be asked, what is known stays known, and [`Watcher::status`] says
//! since when. Does not own what the objects mean.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::change::{Change, Taker};
use crate::client::{Client, error_text, page};
use crate::names::Names;
use crate::objects::Kind;
use crate::problem::Problem;
use crate::read::read;

/// Longest line of a watch: an object of the largest size that etcd takes, with room to spare.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Changes after which texts that nobody holds any more are let go.
const CHANGES_A_SWEEP: u64 = 10_000;
/// A watch that ended after less has not worked.
const WATCH_TIME_MIN: Duration = Duration::from_secs(1);

/// Wall clock, Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// Objects of one page of a list.
    pub page_max: u32,
    /// How long one watch lives before it is begun anew.
    pub watch_time: Duration,
    /// First and longest pause after a failure; it doubles in between.
    pub retry_min: Duration,
    pub retry_max: Duration,
    /// How often the directory forgets what has been gone for long enough.
    pub sweep_every: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            page_max: 500,
            watch_time: Duration::from_secs(290),
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            sweep_every: Duration::from_secs(60),
        }
    }
}

/// How the watch of one kind is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStatus {
    pub kind: Kind,
    /// When the list was complete for the first time; until then names may be missing.
    pub listed_ms: Option<i64>,
    /// What is wrong now, and since when what is known is not renewed.
    pub problem: Option<(i64, String)>,
    pub lists: u64,
    pub changes: u64,
    /// Objects that could not be read.
    pub unreadable: u64,
    pub failures: u64,
}

/// The watch over one cluster.
pub struct Watcher {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    client: Client,
    taker: Arc<dyn Taker>,
    clock: Clock,
    options: WatchOptions,
    statuses: Mutex<Vec<WatchStatus>>,
}

impl Watcher {
    pub fn new(client: Client, taker: Arc<dyn Taker>, clock: Clock, options: WatchOptions) -> Self {
        let status = |kind| WatchStatus {
            kind,
            listed_ms: None,
            problem: None,
            lists: 0,
            changes: 0,
            unreadable: 0,
            failures: 0,
        };
        let statuses = Mutex::new(Kind::ALL.map(status).to_vec());
        let shared = Arc::new(Shared { client, taker, clock, options, statuses });
        Self { shared, tasks: JoinSet::new() }
    }

    /// Starts one task a kind; to be called within a tokio runtime.
    pub fn start(&mut self) {
        for kind in Kind::ALL {
            let shared = self.shared.clone();
            self.tasks.spawn(async move { KindWatch::new(shared, kind).run().await });
        }
        let shared = self.shared.clone();
        self.tasks.spawn(async move {
            loop {
                sleep(shared.options.sweep_every).await;
                let now_ms = (shared.clock)();
                shared.taker.sweep(now_ms);
            }
        });
    }

    /// Ends all tasks and waits for them. What is known stays in the directory.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    pub fn status(&self) -> Vec<WatchStatus> {
        self.shared.statuses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    fn tell(&self, change: Change) {
        self.taker.take(vec![change], (self.clock)());
    }
}

/// How a watch ended without a problem.
enum Ended {
    ByItsTime,
    /// At once, as some proxies do: not to be begun again without a pause.
    Early,
}

/// The watch of one kind.
struct KindWatch {
    shared: Arc<Shared>,
    kind: Kind,
    names: Names,
    /// Where to go on from; `None`: list first.
    version: Option<String>,
    unswept: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    change: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Versioned {
    metadata: ListMeta,
    /// Of a status in the place of an object.
    code: u16,
}

impl KindWatch {
    fn new(shared: Arc<Shared>, kind: Kind) -> Self {
        Self { shared, kind, names: Names::default(), version: None, unswept: 0 }
    }

    async fn run(&mut self) {
        let WatchOptions { retry_min, retry_max, .. } = self.shared.options;
        let mut pause = retry_min;
        loop {
            let began = Instant::now();
            let result = self.step().await;
            if began.elapsed() > retry_max {
                pause = retry_min; // it worked for a while
            }
            match result {
                Ok(Ended::ByItsTime) => {
                    pause = retry_min;
                    continue;
                }
                Ok(Ended::Early) => {}
                Err(Problem::Gone) => self.version = None,
                Err(problem) => self.fail(&problem),
            }
            sleep(with_jitter(pause)).await;
            pause = (pause * 2).min(retry_max);
        }
    }

    /// Lists where that is needed, then watches until the watch ends.
    async fn step(&mut self) -> Result<Ended, Problem> {
        let version = match &self.version {
            Some(version) => version.clone(),
            None => self.list().await?,
        };
        self.watch(version).await
    }

    async fn list(&mut self) -> Result<String, Problem> {
        let kind = self.kind;
        self.shared.tell(Change::BeginList(kind));
        let mut next = String::new();
        loop {
            let mut path = format!("{}?limit={}", kind.path(), self.shared.options.page_max);
            if !next.is_empty() {
                path.push_str("&continue=");
                path.push_str(&encoded(&next));
            }
            let response = self.ask(&path, "list").await?;
            let body = page(response).await?;
            let list: List<'_> = serde_json::from_slice(&body)
                .map_err(|err| Problem::Broken(format!("a list of {}: {err}", kind.resource())))?;
            self.apply_page(list.items.unwrap_or_default());
            next = list.metadata.next;
            if next.is_empty() {
                let now_ms = (self.shared.clock)();
                self.shared.taker.take(vec![Change::EndList(kind)], now_ms);
                self.names.sweep();
                self.note(|status| {
                    status.lists += 1;
                    status.listed_ms = status.listed_ms.or(Some(now_ms));
                });
                let version = list.metadata.resource_version;
                self.version = Some(version.clone());
                return Ok(version);
            }
        }
    }

    fn apply_page(&mut self, items: Vec<&RawValue>) {
        let mut objects = Vec::with_capacity(items.len());
        let mut unreadable = 0;
        for item in items {
            match read(self.kind, item.get(), &mut self.names) {
                Ok(object) => objects.push(object),
                Err(_) => unreadable += 1,
            }
        }
        let changes = objects.into_iter().map(|object| Change::Put(Box::new(object))).collect();
        self.shared.taker.take(changes, (self.shared.clock)());
        self.note(|status| status.unreadable += unreadable);
    }

    async fn watch(&mut self, version: String) -> Result<Ended, Problem> {
        let options = self.shared.options;
        let path = format!(
            "{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            self.kind.path(),
            options.watch_time.as_secs().max(1),
            encoded(&version)
        );
        let response = self.ask(&path, "watch").await?;
        let began = Instant::now();
        self.note(|status| status.problem = None);
        // The API server ends the watch by itself; one that is silent for longer is dead.
        let silence_max = options.watch_time + Duration::from_secs(30);
        let mut body = response.into_body();
        let mut pending = Vec::new();
        loop {
            let chunk = timeout(silence_max, next_chunk(&mut body)).await;
            let chunk = chunk.map_err(|_| Problem::Broken("a watch fell silent".to_owned()))??;
            let Some(chunk) = chunk else { break };
            pending.extend_from_slice(&chunk);
            let mut from = 0;
            while let Some(length) = pending[from..].iter().position(|byte| *byte == b'\n') {
                self.line(&pending[from..from + length])?;
                from += length + 1;
            }
            pending.drain(..from);
            if pending.len() > LINE_BYTES_MAX {
                let text = format!("a line of a watch over {LINE_BYTES_MAX} bytes");
                return Err(Problem::Broken(text));
            }
        }
        if pending.is_empty() && began.elapsed() >= WATCH_TIME_MIN.min(options.watch_time) {
            return Ok(Ended::ByItsTime);
        }
        Ok(Ended::Early)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Problem> {
        let broken = |err: serde_json::Error| Problem::Broken(format!("a change: {err}"));
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let Line { change, object } = serde_json::from_slice(line).map_err(broken)?;
        let versioned: Versioned = serde_json::from_str(object.get()).map_err(broken)?;
        let version = Some(versioned.metadata.resource_version).filter(|text| !text.is_empty());
        match change {
            "ADDED" | "MODIFIED" | "DELETED" => self.changed(change == "DELETED", object.get()),
            "BOOKMARK" => {}
            "ERROR" => {
                let token_file = self.shared.client.token_file();
                let body = object.get();
                let code = versioned.code;
                return Err(Problem::of_status(code, body, self.kind, "watch", &token_file));
            }
            other => return Err(Problem::Broken(format!("a change of the type {other:?}"))),
        }
        // only now: a change that was not taken must come again
        self.version = version.or(self.version.take());
        Ok(())
    }

    fn changed(&mut self, is_deleted: bool, json: &str) {
        let Ok(object) = read(self.kind, json, &mut self.names) else {
            self.note(|status| status.unreadable += 1);
            return;
        };
        self.shared.tell(match is_deleted {
            true => Change::Remove(self.kind, object.uid().as_ref().into()),
            false => Change::Put(Box::new(object)),
        });
        self.note(|status| status.changes += 1);
        self.unswept += 1;
        if self.unswept >= CHANGES_A_SWEEP {
            self.unswept = 0;
            self.names.sweep();
        }
    }

    async fn ask(
        &self,
        path: &str,
        verb: &'static str,
    ) -> Result<hyper::Response<Incoming>, Problem> {
        let client = &self.shared.client;
        let response = client.get(path).await?;
        let code = response.status();
        if code == StatusCode::OK {
            return Ok(response);
        }
        let text = error_text(response).await;
        let token_file = client.token_file();
        Err(Problem::of_status(code.as_u16(), &text, self.kind, verb, &token_file))
    }

    /// Notes what is wrong; it is logged when it is new.
    fn fail(&self, problem: &Problem) {
        let (now_ms, text) = ((self.shared.clock)(), problem.to_string());
        let mut is_new = false;
        self.note(|status| {
            status.failures += 1;
            let since_ms = status.problem.as_ref().map_or(now_ms, |(since_ms, _)| *since_ms);
            is_new = status.problem.as_ref().is_none_or(|(_, known)| *known != text);
            status.problem = Some((since_ms, text.clone()));
        });
        if is_new {
            let (resource, url) = (self.kind.resource(), self.shared.client.url());
            tracing::warn!(resource, url, "{text}");
        }
    }

    fn note(&self, note: impl FnOnce(&mut WatchStatus)) {
        let mut statuses = self.shared.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = statuses.iter_mut().find(|status| status.kind == self.kind) {
            note(status);
        }
    }
}

async fn next_chunk(body: &mut Incoming) -> Result<Option<hyper::body::Bytes>, Problem> {
    loop {
        let frame = match body.frame().await {
            None => return Ok(None),
            Some(frame) => frame.map_err(|err| Problem::Broken(format!("a watch: {err}")))?,
        };
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Between half of the pause and all of it, so that the kinds do not come all at once.
fn with_jitter(pause: Duration) -> Duration {
    let chance = getrandom::u32().unwrap_or(u32::MAX);
    pause / 2 + (pause / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// A value of a query, percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
