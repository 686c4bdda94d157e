//! Child processes of tests: run to the end, or running until dropped.
//!
//! Owns their end and what they printed. Nothing that a test started outlives it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;

/// Bytes of standard error that are kept for the message of a failed test.
const STDERR_BYTES_MAX: usize = 64 * 1024;

/// Runs a program to its end and gives its standard output; a failure says what it printed.
pub fn run(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {program}"))?;
    ensure!(
        output.status.success(),
        "{program} {}: {}: {}",
        args.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A process that runs; dropped, it is killed and waited for.
pub struct Running {
    child: Child,
    what: String,
    lines: Receiver<String>,
    stderr: Arc<Mutex<String>>,
}

impl Running {
    /// Starts `command` with its standard streams in pipes.
    pub fn start(command: &mut Command) -> Result<Self> {
        let what = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {what}"))?;
        let stdout = child.stdout.take().context("standard output is a pipe")?;
        let pipe = child.stderr.take().context("standard error is a pipe")?;
        let (send, lines) = channel();
        let stderr = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&stderr);
        // The readers end with the pipes, so nobody needs to wait for them.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        std::thread::spawn(move || keep(pipe, &kept));
        Ok(Self { child, what, lines, stderr })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output.
    pub fn line(&mut self, patience: Duration) -> Result<String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => {
                bail!("{} said nothing for {patience:?}; {}", self.what, self.stderr())
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait()?;
                bail!("{} ended ({status}); {}", self.what, self.stderr())
            }
        }
    }

    /// Waits for a line that starts with `prefix` and gives the rest of it.
    pub fn line_after(&mut self, prefix: &str, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.line(left).with_context(|| format!("wait for a line `{prefix}...`"))?;
            if let Some(rest) = line.strip_prefix(prefix) {
                return Ok(rest.trim().to_owned());
            }
        }
    }

    /// Waits for the next line and reads it as JSON.
    pub fn json<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<T> {
        let line = self.line(patience)?;
        serde_json::from_str(&line).with_context(|| format!("{} said `{line}`", self.what))
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("standard input is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("write to {}", self.what))
    }

    /// Closes its standard input.
    pub fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("signal {}", self.what))
    }

    /// Waits for its end.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "{} runs on; {}", self.what, self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().map(|text| text.clone()).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

fn keep(mut pipe: impl Read, kept: &Mutex<String>) {
    let mut chunk = [0u8; 4096];
    while let Ok(read) = pipe.read(&mut chunk) {
        if read == 0 {
            return;
        }
        let Ok(mut text) = kept.lock() else { return };
        text.push_str(&String::from_utf8_lossy(&chunk[..read]));
        let excess = text.len().saturating_sub(STDERR_BYTES_MAX);
        if excess > 0 {
            let cut = (excess..text.len()).find(|at| text.is_char_boundary(*at));
            text.drain(..cut.unwrap_or(excess));
        }
    }
}

/// Finds a program of this workspace: beside the test that runs, built if it is not there yet.
pub fn workspace_program(name: &str, package: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let test = std::env::current_exe().context("find this test's own program")?;
    let folder = test
        .ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "deps" || name == "examples"))
        .and_then(|deps| deps.parent())
        .or(test.parent())
        .context("find the folder that this test was built into")?;
    let path = folder.join(name);
    if !path.exists() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        run(&cargo, &["build", "--quiet", "--package", package, "--bin", name])?;
    }
    ensure!(path.exists(), "{} was not built; name it in {variable}", path.display());
    Ok(path)
}
