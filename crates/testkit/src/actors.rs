//! Traffic by processes whose names a test chooses.
//!
//! Owns the folder of links to `weir-traffic`: a process is named after the link that started it.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::child::{Running, workspace_program};
use crate::namespace::Place;
use crate::traffic::{Exchange, Tally};

/// A process of a test may take this long for its part.
const PART: Duration = Duration::from_secs(60);

/// A company of processes with names of their own.
pub struct Actors {
    folder: TempDir,
    program: PathBuf,
}

impl Actors {
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for links")?;
        let program = workspace_program("weir-traffic", "weir-testkit", "WEIR_TRAFFIC_BIN")?;
        Ok(Self { folder, program })
    }

    /// `weir-traffic` as a process named `name`, not started yet.
    pub fn command(&self, name: &str, words: &str) -> Result<Command> {
        let link = self.folder.path().join(name);
        if !link.exists() {
            symlink(&self.program, &link).with_context(|| format!("link {}", link.display()))?;
        }
        let mut command = Command::new(link);
        command.args(words.split(' '));
        Ok(command)
    }

    /// Starts a server at a free port of `address` and waits until it listens.
    pub fn serve(&self, place: &dyn Place, name: &str, words: &str) -> Result<Server> {
        let mut running = place.start(&mut self.command(name, words)?)?;
        let address = running.line_after("listening ", PART)?;
        Ok(Server { running, address: address.parse().context("a server says its address")? })
    }

    /// Runs a client to its end.
    pub fn send(&self, place: &dyn Place, name: &str, words: &str) -> Result<Tally> {
        place.start(&mut self.command(name, words)?)?.json(PART)
    }

    /// Tries to connect; gives the kind of failure, as Rust names it, or `connected`.
    pub fn fail(&self, place: &dyn Place, name: &str, to: SocketAddr) -> Result<String> {
        let mut running = place.start(&mut self.command(name, &format!("tcp-fail --to {to}"))?)?;
        let said: Value = running.json(PART)?;
        said["outcome"].as_str().map(str::to_owned).context("the outcome is a word")
    }

    /// Opens a connection that stays open between exchanges.
    pub fn converse(&self, place: &dyn Place, name: &str, to: SocketAddr) -> Result<Talker> {
        let words = format!("tcp-converse --to {to}");
        let mut running = place.start(&mut self.command(name, &words)?)?;
        running.line_after("connected ", PART)?;
        Ok(Talker { running })
    }
}

/// A server process.
pub struct Server {
    running: Running,
    pub address: SocketAddr,
}

impl Server {
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Waits for its end; gives what its own sockets counted.
    pub fn finish(mut self) -> Result<Tally> {
        self.running.json(PART)
    }
}

/// A client process with one open connection.
pub struct Talker {
    running: Running,
}

impl Talker {
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Performs one exchange; gives what was counted since the connection was opened.
    pub fn exchange(&mut self, exchange: Exchange) -> Result<Tally> {
        let Exchange { upload_bytes, download_bytes } = exchange;
        self.running.tell(&format!("{upload_bytes} {download_bytes}"))?;
        self.running.json(PART)
    }

    /// Closes the connection and waits for the process to end.
    pub fn finish(mut self) -> Result<Tally> {
        self.running.close_stdin();
        let tally = self.running.json(PART)?;
        let status = self.running.wait(PART)?;
        ensure!(status.success(), "the talker ended with {status}");
        Ok(tally)
    }
}
