//! A double of a Kubernetes API server: list and watch over TLS with a token.
//!
//! Owns the protocol as far as watchers use it: pages with continue tokens, changes from a
//! version on, bookmarks, 410 for what was compacted, 401, 403, broken connections, an outage.
//! Objects are what the test puts in; nothing here runs a cluster.

mod discovery;
mod single;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most changes that are kept for watches; of more the older half is compacted.
const CHANGES_MAX: usize = 10_000;
/// Longest wait for a client's bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One change of one object.
#[derive(Clone)]
struct Change {
    version: u64,
    list: String,
    /// `ADDED`, `MODIFIED`, `DELETED`.
    what: &'static str,
    object: Value,
}

#[derive(Default)]
struct State {
    version: u64,
    /// By path of the list and uid.
    objects: BTreeMap<(String, String), Value>,
    changes: Vec<Change>,
    /// Versions before this one are compacted.
    oldest: u64,
    token: String,
    forbidden: Vec<String>,
    is_down: bool,
    /// Watches that began before the last cut end in the middle of a line.
    cuts: u64,
    bookmarks: u64,
    asked: Vec<String>,
    /// Lines by `NAMESPACE/POD`.
    logs: BTreeMap<String, Vec<String>>,
    is_over: bool,
}

impl State {
    fn note(&mut self, change: Change) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.drain(..CHANGES_MAX / 2);
            // whoever has seen all before the first that is kept can go on
            self.oldest = self.changes.first().map_or(self.version, |first| first.version - 1);
        }
        self.changes.push(change);
    }
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// The double at work; dropped, it stops.
pub struct ApiServer {
    shared: Shared,
    address: SocketAddr,
    /// The listener as well, to end it: it may be in a namespace where nothing here can connect.
    listening: TcpStream,
    folder: tempfile::TempDir,
    thread: Option<JoinHandle<()>>,
}

impl ApiServer {
    /// Serves at `listener`, which decides the namespace, the address and the port, and accepts
    /// the token that is in the token file.
    pub fn start(listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr().context("the listener's address")?;
        let folder = crate::scratch_dir()?;
        let config = Arc::new(certificates(address.ip(), folder.path())?);
        let token = "first-token".to_owned();
        let shared: Shared = Arc::default();
        let listening = OwnedFd::from(listener.try_clone().context("the listener")?).into();
        let mut server = Self { shared: shared.clone(), address, listening, folder, thread: None };
        server.write_token(&token)?;
        server.accept_token(&token);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if lock(&shared).is_over {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (shared, config) = (shared.clone(), config.clone());
                // A client that goes away, or does not trust the certificate, is no failure.
                std::thread::spawn(move || _ = serve(stream, config, &shared));
            }
        });
        server.thread = Some(thread);
        Ok(server)
    }

    /// Where it serves.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    pub fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// Writes another token to the token file.
    pub fn write_token(&self, token: &str) -> Result<()> {
        std::fs::write(self.token_file(), format!("{token}\n")).context("write the token")
    }

    /// From now on only this token is accepted.
    pub fn accept_token(&self, token: &str) {
        self.change(|state| {
            state.version += 1; // wakes the watches
            state.token = token.to_owned();
        });
    }

    /// Adds or replaces an object of the list at `list`, `/api/v1/pods` for example.
    pub fn put(&self, list: &str, mut object: Value) -> Result<()> {
        let uid = object["metadata"]["uid"].as_str().context("an object has a uid")?.to_owned();
        self.change(|state| {
            state.version += 1;
            let version = state.version;
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            let before = state.objects.insert((list.to_owned(), uid), object.clone());
            let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
            state.note(Change { version, list: list.to_owned(), what, object });
        });
        Ok(())
    }

    /// Deletes an object.
    pub fn delete(&self, list: &str, uid: &str) -> Result<()> {
        self.change(|state| {
            let object = state.objects.remove(&(list.to_owned(), uid.to_owned()));
            let mut object = object.with_context(|| format!("{list} has no {uid}"))?;
            state.version += 1;
            let version = state.version;
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            let what = "DELETED";
            state.note(Change { version, list: list.to_owned(), what, object });
            Ok(())
        })
    }

    /// Writes a line to the log of a Pod.
    pub fn write_log(&self, namespace: &str, pod: &str, line: &str) {
        self.change(|state| {
            let lines = state.logs.entry(format!("{namespace}/{pod}")).or_default();
            lines.push(line.to_owned());
        });
    }

    /// Answers 403 to whoever asks for the list, and ends its watches; or no longer.
    pub fn forbid(&self, list: &str, is_forbidden: bool) {
        self.change(|state| {
            state.version += 1; // wakes the watches
            state.forbidden.retain(|known| known != list);
            if is_forbidden {
                state.forbidden.push(list.to_owned());
            }
        });
    }

    /// Watches that begin at an older version than the last get 410; those at work go on.
    pub fn compact(&self) {
        self.change(|state| state.oldest = state.version);
    }

    /// Breaks all watches in the middle of a line.
    pub fn cut_watches(&self) {
        self.change(|state| state.cuts += 1);
    }

    /// Ends all connections and takes no new ones; or takes them again.
    pub fn set_down(&self, is_down: bool) {
        self.change(|state| {
            state.is_down = is_down;
            state.cuts += 1;
        });
    }

    /// Tells all watches the current version.
    pub fn bookmark(&self) {
        self.change(|state| {
            state.version += 1; // something that nobody here watches changed
            state.bookmarks += 1;
        });
    }

    /// Paths with queries in the order in which they were asked for.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.shared).asked.clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut lock(&self.shared));
        self.shared.1.notify_all();
        result
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.change(|state| {
            state.is_over = true;
            state.cuts += 1;
        });
        _ = self.listening.shutdown(std::net::Shutdown::Both); // wakes the listener
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the API server's thread panicked");
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the CA's certificate to the folder and gives what a server at `ip` needs.
fn certificates(ip: IpAddr, folder: &Path) -> Result<ServerConfig> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    std::fs::write(folder.join("ca.crt"), ca.pem()).context("write the CA")?;
    let key = KeyPair::generate()?;
    let names = vec![ip.to_string(), "kubernetes.default.svc".to_owned()];
    let leaf = CertificateParams::new(names)?.signed_by(&key, &ca)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?)
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A request for a list, or to watch it.
struct Asked {
    list: String,
    query: BTreeMap<String, String>,
    token: String,
}

fn serve(tcp: TcpStream, config: Arc<ServerConfig>, shared: &Shared) -> Result<()> {
    if lock(shared).is_down {
        return Ok(());
    }
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_nodelay(true)?;
    let mut stream = StreamOwned::new(ServerConnection::new(config)?, tcp);
    let head = read_head(&mut stream)?;
    let asked = parse(&head)?;
    // Whoever sees the question in the list may count on a watch from this moment on.
    let (refusal, moment) = {
        let mut state = lock(shared);
        state.asked.push(head.split(' ').nth(1).unwrap_or_default().to_owned());
        let State { cuts, bookmarks, oldest, .. } = *state;
        (refusal(&state, &asked), Moment { cuts, bookmarks, oldest })
    };
    if let Some((code, message)) = refusal {
        return answer(&mut stream, code, &status(code, &message));
    }
    if asked.query.contains_key("watch") {
        return watch(&mut stream, shared, &asked, moment);
    }
    if asked.list.ends_with("/log") {
        return single::log(&mut stream, shared, &asked);
    }
    if let Some(body) = discovery::answer(&asked.list) {
        return answer(&mut stream, 200, &body);
    }
    if let Some((code, body)) = single::object(&lock(shared), &asked) {
        return answer(&mut stream, code, &body);
    }
    let (code, body) = list(&lock(shared), &asked);
    answer(&mut stream, code, &body)
}

fn read_head(stream: &mut Stream) -> Result<String> {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < HEAD_BYTES_MAX && stream.read(&mut byte)? == 1, "no request");
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head)?)
}

fn parse(head: &str) -> Result<Asked> {
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).context("a target")?;
    let (path, text) = target.split_once('?').unwrap_or((target, ""));
    let mut query = BTreeMap::new();
    for (key, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
        query.insert(key.to_owned(), decoded(value)?);
    }
    let token = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("authorization");
        value.trim().strip_prefix("Bearer ").filter(|_| is_it).map(str::to_owned)
    });
    Ok(Asked { list: path.to_owned(), query, token: token.unwrap_or_default() })
}

fn decoded(text: &str) -> Result<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next().context("a digit")?, bytes.next().context("a digit")?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?);
    }
    Ok(String::from_utf8(out)?)
}

fn refusal(state: &State, asked: &Asked) -> Option<(u16, String)> {
    if asked.token != state.token {
        return Some((401, "Unauthorized".to_owned()));
    }
    let resource = asked.list.rsplit('/').next().unwrap_or_default();
    let is_forbidden = state.forbidden.contains(&asked.list);
    is_forbidden.then(|| {
        let user = "system:serviceaccount:weir:weir-server";
        (403, format!("{resource} is forbidden: User \"{user}\" cannot list resource"))
    })
}

fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code})
}

fn list(state: &State, asked: &Asked) -> (u16, Value) {
    let limit = asked.query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let next = asked.query.get("continue").and_then(|next| next.split_once('/'));
    let (version, after) = next
        .map_or((state.version, ""), |(version, uid)| (version.parse().unwrap_or_default(), uid));
    if version < state.oldest {
        return (410, status(410, "The provided continue parameter is too old"));
    }
    let all = state.objects.iter();
    let mut rest = all
        .filter(|((list, uid), _)| *list == asked.list && uid.as_str() > after)
        .map(|((_, uid), object)| (uid, object));
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let (Some((last, _)), Some(_)) = (page.last(), rest.next()) {
        metadata["continue"] = json!(format!("{version}/{last}"));
    }
    let items: Vec<&Value> = page.into_iter().map(|(_, object)| object).collect();
    (200, json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}))
}

fn answer(stream: &mut Stream, code: u16, body: &Value) -> Result<()> {
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {code} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )?;
    close(stream)
}

/// Says that nothing more comes, and lets the client be the one who closes.
fn close(stream: &mut Stream) -> Result<()> {
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(std::net::Shutdown::Write)?;
    _ = stream.sock.read(&mut [0u8; 512]); // the client's own end
    Ok(())
}

fn chunk(stream: &mut Stream, line: &Value) -> Result<()> {
    let line = format!("{line}\n");
    write!(stream, "{:x}\r\n{line}\r\n", line.len())?;
    Ok(stream.flush()?)
}

/// How things were when a watch was asked for.
struct Moment {
    cuts: u64,
    bookmarks: u64,
    oldest: u64,
}

/// Answers a watch from a version on, until the time is over.
fn watch(stream: &mut Stream, shared: &Shared, asked: &Asked, moment: Moment) -> Result<()> {
    let number = |key: &str| asked.query.get(key).and_then(|text| text.parse::<u64>().ok());
    let Some(version) = number("resourceVersion") else { bail!("a watch without a version") };
    let deadline = Instant::now() + Duration::from_secs(number("timeoutSeconds").unwrap_or(60));
    write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n")?;
    stream.flush()?;
    if version < moment.oldest {
        let gone = status(410, "too old resource version");
        chunk(stream, &json!({"type": "ERROR", "object": gone}))?;
    } else if !tell(stream, shared, asked, moment, version, deadline)? {
        write!(stream, "ff\r\n{{\"type\":\"ADD")?;
        stream.flush()?;
        return Ok(stream.sock.shutdown(std::net::Shutdown::Both)?);
    }
    write!(stream, "0\r\n\r\n")?;
    close(stream)
}

/// Tells the changes as they come; `false`: the watch was cut.
fn tell(
    stream: &mut Stream,
    shared: &Shared,
    asked: &Asked,
    moment: Moment,
    mut version: u64,
    deadline: Instant,
) -> Result<bool> {
    let Moment { cuts, mut bookmarks, .. } = moment;
    loop {
        let mut lines = Vec::new();
        let (is_cut, is_refused) = {
            let state = lock(shared);
            let new = state.changes.iter().filter(|change| change.version > version);
            for change in new.filter(|change| change.list == asked.list) {
                lines.push(json!({"type": change.what, "object": change.object}));
            }
            version = version.max(state.version);
            if state.bookmarks != bookmarks {
                bookmarks = state.bookmarks;
                let metadata = json!({"resourceVersion": version.to_string()});
                lines.push(json!({"type": "BOOKMARK", "object": {"metadata": metadata}}));
            }
            (state.cuts != cuts || state.is_down, refusal(&state, asked).is_some())
        };
        if is_cut {
            return Ok(false);
        }
        for line in lines {
            chunk(stream, &line)?;
        }
        if is_refused || Instant::now() >= deadline {
            return Ok(true);
        }
        let state = lock(shared);
        if state.version == version && state.cuts == cuts {
            let left = deadline.saturating_duration_since(Instant::now());
            drop(shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner));
        }
    }
}
