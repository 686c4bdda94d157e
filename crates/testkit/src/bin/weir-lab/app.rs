//! What runs in the shop's Pods: a small HTTP server that asks others before it answers, and a
//! client that asks at a gentle rate.
//!
//! Real sockets, real name lookups, connections that are kept; no framework, so that what is on
//! the wire is plain to see.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use weir_testkit::traffic::{Conversation, Exchange};

/// Connections served at once; more wait in the kernel's backlog.
const WORKERS: usize = 16;
const HEAD_BYTES_MAX: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEPT: Duration = Duration::from_secs(10);
/// Requests that a server serves before it connects anew to those whom it asks: a connection stays
/// with the Pod that it was translated to, and others would never be asked.
const RECONNECTS_EVERY: u64 = 10;

/// Serves HTTP/1.1.
#[derive(Args)]
pub struct Serve {
    #[arg(long)]
    listen: SocketAddr,
    /// Asked for before each answer: `URL`, or `URL@N` for one request of N.
    #[arg(long)]
    calls: Vec<String>,
    /// A store that speaks the protocol of `weir-traffic`, used once a request: HOST:PORT.
    #[arg(long)]
    store: Option<String>,
    /// Of so many requests one is answered with 500; 0: none.
    #[arg(long, default_value_t = 0)]
    fails_one_in: u64,
    /// Milliseconds that an answer takes besides what others take.
    #[arg(long, default_value_t = 1)]
    work: u64,
    /// Bytes of an answer.
    #[arg(long, default_value_t = 600)]
    bytes: usize,
}

struct App {
    serve: Serve,
    calls: Vec<(String, u64)>,
    agent: Mutex<ureq::Agent>,
    requests: AtomicU64,
}

/// Serves until it is killed.
pub fn serve(serve: Serve) -> Result<()> {
    let listener =
        TcpListener::bind(serve.listen).with_context(|| format!("listen on {}", serve.listen))?;
    println!("listening {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let calls = serve.calls.iter().map(|call| match call.rsplit_once('@') {
        Some((url, often)) => Ok((url.to_owned(), often.parse().context("a number after @")?)),
        None => Ok((call.clone(), 1)),
    });
    let calls = calls.collect::<Result<_>>()?;
    let (agent, requests) = (Mutex::new(agent()), AtomicU64::new(0));
    let app = Arc::new(App { serve, calls, agent, requests });
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (listener, app) = (listener.try_clone(), app.clone());
            std::thread::spawn(move || -> Result<()> {
                for stream in listener?.incoming().flatten() {
                    // A client that breaks off is its own business.
                    let _ = app.answer_all(stream);
                }
                Ok(())
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| drop(worker.join()));
    Ok(())
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .max_idle_age(KEPT)
        .max_idle_connections_per_host(4)
        .user_agent("weir-lab")
        .build()
        .into()
}

impl App {
    /// Answers the requests of one connection until the client closes it.
    fn answer_all(&self, stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(2 * KEPT))?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        while let Some(head) = read_head(&mut reader)? {
            let code = self.code();
            let body = "x".repeat(self.serve.bytes);
            let is_last = head.contains("connection: close");
            let keep = if is_last { "close" } else { "keep-alive" };
            write!(
                stream,
                "HTTP/1.1 {code}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
                 connection: {keep}\r\n\r\n{body}",
                body.len()
            )?;
            if is_last {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does the work of one request; gives the status.
    fn code(&self) -> &'static str {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        std::thread::sleep(Duration::from_millis(self.serve.work));
        let agent = self.agent(number);
        let due = self.calls.iter().filter(|(_, often)| number.is_multiple_of(*often));
        for (url, _) in due {
            match ask(&agent, url) {
                Ok(code) if code < 500 => {}
                _ => return "502 Bad Gateway",
            }
        }
        if let Some(store) = &self.serve.store
            && keep(store).is_err()
        {
            return "503 Service Unavailable";
        }
        let one_in = self.serve.fails_one_in;
        if one_in != 0 && number.is_multiple_of(one_in) {
            return "500 Internal Server Error";
        }
        "200 OK"
    }
}

impl App {
    fn agent(&self, number: u64) -> ureq::Agent {
        let mut kept = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        if number.is_multiple_of(RECONNECTS_EVERY) {
            *kept = agent();
        }
        kept.clone()
    }
}

/// The head of the next request, in lower case; `None` at the end of the connection.
fn read_head(reader: &mut impl BufRead) -> Result<Option<String>> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        ensure!(head.len() < HEAD_BYTES_MAX, "a head of more than {HEAD_BYTES_MAX} bytes");
        if head[before..].trim().is_empty() {
            return Ok(Some(head.to_ascii_lowercase()));
        }
    }
}

fn ask(agent: &ureq::Agent, url: &str) -> Result<u16> {
    let mut answer = agent.get(url).call().with_context(|| format!("GET {url}"))?;
    answer.body_mut().read_to_string()?;
    Ok(answer.status().as_u16())
}

/// One exchange with the store.
fn keep(store: &str) -> Result<()> {
    let to = store.to_socket_addrs()?.next().with_context(|| format!("{store} has no address"))?;
    let mut conversation = Conversation::open(to)?;
    conversation.exchange(Exchange { upload_bytes: 200, download_bytes: 900 })?;
    conversation.finish()?;
    Ok(())
}

/// Asks for pages, one after the other.
#[derive(Args)]
pub struct Visit {
    /// Asked for in turn.
    #[arg(long, required = true)]
    url: Vec<String>,
    /// Requests a second.
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// Ends after so many; 0: never.
    #[arg(long, default_value_t = 0)]
    times: u64,
}

pub fn visit(visit: &Visit) -> Result<()> {
    ensure!(visit.rate > 0.0, "--rate is more than 0");
    let (agent, pause) = (agent(), Duration::from_secs_f64(1.0 / visit.rate));
    let (start, mut number) = (Instant::now(), 0u32);
    while visit.times == 0 || u64::from(number) < visit.times {
        let url = &visit.url[number as usize % visit.url.len()];
        // What does not answer is what somebody wants to see in the lab.
        let _ = ask(&agent, url);
        number = number.wrapping_add(1);
        std::thread::sleep((start + pause * number).saturating_duration_since(Instant::now()));
    }
    Ok(())
}
