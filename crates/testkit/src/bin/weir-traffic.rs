//! `weir-traffic`: makes or serves known traffic as a process of its own.
//!
//! Owns the command line only; the traffic itself is `weir_testkit::traffic`. Servers say
//! `listening ADDRESS` first; everyone ends with one line of JSON that says what it did.

use std::io::{BufRead, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use serde_json::json;
use weir_testkit::traffic::{self, Conversation, Exchange, Tally};
use weir_testkit::{NameServer, Zone, wait_for};

/// Makes or serves known traffic and says, as JSON, what its own socket calls returned.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a number of TCP connections.
    TcpServe {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, default_value_t = 1)]
        connections: u64,
        #[arg(long, default_value_t = 4)]
        workers: usize,
    },
    /// Makes TCP connections one after the other, one exchange on each.
    TcpSend {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long, default_value_t = 1)]
        connections: u64,
        #[arg(long)]
        upload: u64,
        #[arg(long)]
        download: u64,
        /// Milliseconds of rest after each.
        #[arg(long, default_value_t = 0)]
        rest: u64,
    },
    /// Opens one connection; each line `UPLOAD DOWNLOAD` of standard input is an exchange, and
    /// its end closes the connection.
    TcpConverse {
        #[arg(long)]
        to: SocketAddr,
    },
    /// Tries to connect and says how it failed.
    TcpFail {
        #[arg(long)]
        to: SocketAddr,
    },
    /// Answers a number of datagrams.
    UdpServe {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        datagrams: u64,
        #[arg(long)]
        reply: usize,
    },
    /// Answers a number of questions as a name server that knows `known.test` and nothing else.
    DnsServe {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        questions: usize,
    },
    /// Sends datagrams and waits for the answer to each.
    UdpSend {
        #[arg(long)]
        to: SocketAddr,
        #[arg(long)]
        datagrams: u64,
        #[arg(long)]
        size: usize,
        /// Do not connect the socket: name the destination with each datagram.
        #[arg(long)]
        unconnected: bool,
    },
}

fn dns_serve(listen: SocketAddr, questions: usize) -> Result<()> {
    let socket = UdpSocket::bind(listen).with_context(|| format!("bind {listen}"))?;
    let zone = Zone::new(60).host("known.test", &[listen.ip()]);
    say(&format!("listening {}", socket.local_addr()?))?;
    let server = NameServer::start(socket, zone)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let asked = wait_for("the questions", deadline, || {
        Ok(Some(server.asked()).filter(|asked| asked.len() >= questions))
    })?;
    let failed = asked.iter().filter(|one| u16::from(one.code) != 0).count();
    say(&json!({ "questions": asked.len(), "failed": failed }).to_string())
}

fn main() -> Result<()> {
    match Args::parse().command {
        Command::TcpServe { listen, connections, workers } => {
            let listener =
                TcpListener::bind(listen).with_context(|| format!("listen on {listen}"))?;
            say(&format!("listening {}", listener.local_addr()?))?;
            tell(&traffic::tcp_server(&listener, connections, workers)?)
        }
        Command::TcpSend { to, connections, upload, download, rest } => {
            let exchange = Exchange { upload_bytes: upload, download_bytes: download };
            let mut total = Tally::default();
            for _ in 0..connections {
                total += traffic::tcp_client(to, 1, exchange)?;
                std::thread::sleep(Duration::from_millis(rest));
            }
            tell(&total)
        }
        Command::TcpConverse { to } => converse(to),
        Command::TcpFail { to } => {
            let outcome = match TcpStream::connect_timeout(&to, Duration::from_secs(120)) {
                Ok(_) => "connected".to_owned(),
                Err(err) => format!("{:?}", err.kind()),
            };
            tell(&json!({ "outcome": outcome }))
        }
        Command::UdpServe { listen, datagrams, reply } => {
            let socket = UdpSocket::bind(listen).with_context(|| format!("bind to {listen}"))?;
            say(&format!("listening {}", socket.local_addr()?))?;
            tell(&traffic::udp_server(&socket, datagrams, reply)?)
        }
        Command::DnsServe { listen, questions } => dns_serve(listen, questions),
        Command::UdpSend { to, datagrams, size, unconnected } => {
            let any: SocketAddr =
                if to.is_ipv4() { "0.0.0.0:0".parse()? } else { "[::]:0".parse()? };
            let socket = UdpSocket::bind(any)?;
            let name = if unconnected { Some(to) } else { None };
            if name.is_none() {
                socket.connect(to)?;
            }
            tell(&traffic::udp_client(&socket, name, datagrams, size)?)
        }
    }
}

fn converse(to: SocketAddr) -> Result<()> {
    let mut conversation = Conversation::open(to).with_context(|| format!("connect to {to}"))?;
    say(&format!("connected {}", conversation.local()?))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (upload, download) = line.split_once(' ').context("a line is `UPLOAD DOWNLOAD`")?;
        conversation.exchange(Exchange {
            upload_bytes: upload.parse()?,
            download_bytes: download.parse()?,
        })?;
        tell(&conversation.tally)?;
    }
    tell(&conversation.finish()?)
}

fn tell<T: serde::Serialize>(what: &T) -> Result<()> {
    say(&serde_json::to_string(what)?)
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
