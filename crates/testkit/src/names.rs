//! A name server for a lab: answers A and AAAA over UDP from a small zone.
//!
//! Owns the answers and the list of what was asked. Recursion, TCP and every other type are not
//! its business: it says NOTIMP to what it does not know.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::namespace::Namespace;

/// What a name stands for.
#[derive(Clone, Debug)]
enum Entry {
    Addresses(Vec<IpAddr>),
    Alias(String),
}

/// Names and what they stand for; a name that is not in it does not exist.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    entries: BTreeMap<String, Entry>,
    ttl_s: u32,
}

impl Zone {
    /// An empty zone whose records live for `ttl_s` seconds.
    pub fn new(ttl_s: u32) -> Self {
        Self { entries: BTreeMap::new(), ttl_s }
    }

    /// Adds a name with its addresses of both families.
    pub fn host(mut self, name: &str, addresses: &[IpAddr]) -> Self {
        self.entries.insert(name.to_owned(), Entry::Addresses(addresses.to_vec()));
        self
    }

    /// Adds an alias (CNAME).
    pub fn alias(mut self, name: &str, target: &str) -> Self {
        self.entries.insert(name.to_owned(), Entry::Alias(target.to_owned()));
        self
    }

    fn answer(&self, query: &Query, reply: &mut Message) -> Result<()> {
        let mut name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        reply.metadata.response_code = ResponseCode::NXDomain;
        // A chain is at most as long as the zone: an alias of itself ends there.
        for _ in 0..=self.entries.len() {
            let owner = Name::from_str(&format!("{name}."))?;
            match self.entries.get(&name) {
                None => return Ok(()),
                Some(Entry::Alias(target)) => {
                    let alias = RData::CNAME(CNAME(Name::from_str(&format!("{target}."))?));
                    reply.add_answer(Record::from_rdata(owner, self.ttl_s, alias));
                    name.clone_from(target);
                }
                Some(Entry::Addresses(addresses)) => {
                    reply.metadata.response_code = ResponseCode::NoError;
                    for address in addresses {
                        let data = match (query.query_type(), address) {
                            (RecordType::A, IpAddr::V4(ip)) => RData::A(A(*ip)),
                            (RecordType::AAAA, IpAddr::V6(ip)) => RData::AAAA(AAAA(*ip)),
                            _ => continue,
                        };
                        reply.add_answer(Record::from_rdata(owner.clone(), self.ttl_s, data));
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// One question that the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub name: String,
    /// `A`, `AAAA`...
    pub kind: String,
    pub code: ResponseCode,
}

/// A name server at work; dropped, it stops.
pub struct NameServer {
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl NameServer {
    /// Serves `zone` at a socket, which decides the namespace, the address and the port.
    pub fn start(socket: UdpSocket, zone: Zone) -> Result<Self> {
        socket.set_read_timeout(Some(Duration::from_millis(50))).context("set a timeout")?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (log, stopped) = (Arc::clone(&asked), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0u8; 1500];
            while !stopped.load(Ordering::Relaxed) {
                // A timeout only means that it is time to look whether to stop.
                if let Ok((size, from)) = socket.recv_from(&mut buffer) {
                    serve(&socket, from, &buffer[..size], &zone, &log)?;
                }
            }
            Ok(())
        });
        Ok(Self { asked, stop, thread: Some(thread) })
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().map(|list| list.clone()).unwrap_or_default()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(err))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the lab's name server broke: {err:#}");
        }
    }
}

fn serve(
    socket: &UdpSocket,
    from: SocketAddr,
    request: &[u8],
    zone: &Zone,
    log: &Mutex<Vec<Asked>>,
) -> Result<()> {
    let request = Message::from_vec(request).context("read a DNS message")?;
    let mut reply = Message::response(request.metadata.id, request.metadata.op_code);
    reply.metadata.recursion_desired = request.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    for query in &request.queries {
        reply.add_query(query.clone());
        match query.query_type() {
            RecordType::A | RecordType::AAAA => zone.answer(query, &mut reply)?,
            _ => reply.metadata.response_code = ResponseCode::NotImp,
        }
        if let Ok(mut log) = log.lock() {
            log.push(Asked {
                name: query.name().to_ascii().trim_end_matches('.').to_owned(),
                kind: query.query_type().to_string(),
                code: reply.metadata.response_code,
            });
        }
    }
    socket.send_to(&reply.to_vec()?, from).context("answer a DNS question")?;
    Ok(())
}

/// Resolves `name` inside `host` with the C library's resolver, as any program would, asking the
/// name server at `server`; empty when the name does not exist.
pub fn resolve(host: &Namespace, server: IpAddr, name: &str) -> Result<Vec<IpAddr>> {
    resolve_as_told(host, &format!("nameserver {server}\noptions attempts:1\n"), name)
}

/// The same, by a configuration as in `/etc/resolv.conf`; empty when there is no answer, too.
pub fn resolve_as_told(host: &Namespace, configuration: &str, name: &str) -> Result<Vec<IpAddr>> {
    let file = tempfile::NamedTempFile::new().context("make a resolver configuration")?;
    std::fs::write(file.path(), configuration)?;
    // The file is seen in place of the machine's own by this one process only.
    let script = "mount --bind \"$1\" /etc/resolv.conf && exec getent ahosts \"$2\"";
    let path = file.path().to_string_lossy().into_owned();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", &path, name]);
    let output = host.run(|| command.output())?.context("start unshare")?;
    match output.status.code() {
        Some(0) => {}
        Some(2) => return Ok(Vec::new()), // getent's word for "no such name"
        _ => bail!("getent: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found: Vec<IpAddr> =
        text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    found.dedup();
    Ok(found)
}
