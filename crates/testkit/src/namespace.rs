//! One network namespace: made, entered, removed.
//!
//! Owns its life, and the removal of those that a killed program left behind. Knows no addresses:
//! those are [`crate::Lab`]'s and [`crate::cluster`]'s.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::child::{Running, run};

/// Names are `weirlab-PID-...`, so that it can be told whose they are.
const PREFIX: &str = "weirlab";
const NETNS_DIR: &str = "/run/netns";

/// Where a process can be started.
pub trait Place {
    /// Starts a process there; it is killed when the handle is dropped.
    fn start(&self, command: &mut Command) -> Result<Running>;
}

/// A network namespace; dropped, it is removed.
pub struct Namespace {
    /// As `ip netns` knows it.
    pub name: String,
}

impl Namespace {
    /// Makes one whose loopback interface is up; the name ends in `tag`.
    pub(crate) fn add(tag: &str) -> Result<Self> {
        let name = format!("{PREFIX}-{}-{tag}", std::process::id());
        run("ip", &["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// `ip -n NAMESPACE WORDS...`
    pub fn ip(&self, words: &str) -> Result<String> {
        let mut args = vec!["-n", &self.name];
        args.extend(words.split(' '));
        run("ip", &args)
    }

    /// Runs `work` in a thread that has moved into the namespace, and waits for it.
    ///
    /// Sockets that it makes belong to the namespace for as long as they live.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = self.open()?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                enter(&namespace)?;
                anyhow::Ok(work())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
        .with_context(|| format!("run inside {}", self.name))
    }

    /// Starts `work` in a thread that has moved into the namespace.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let namespace = self.open()?;
        Ok(std::thread::spawn(move || {
            enter(&namespace)?;
            work()
        }))
    }

    /// Starts a process inside the namespace; it is killed when the handle is dropped.
    pub fn start(&self, command: &mut Command) -> Result<Running> {
        self.run(|| Running::start(command))?
    }

    /// Runs a program inside the namespace to its end and gives its standard output.
    pub fn output(&self, program: &str, args: &[&str]) -> Result<String> {
        self.run(|| run(program, args))?
    }

    /// Sets a sysctl of the namespace.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = PathBuf::from("/proc/sys").join(key.replace('.', "/"));
        self.run(|| fs::write(&path, value))?.with_context(|| format!("set {key} to {value}"))
    }

    pub(crate) fn open(&self) -> Result<File> {
        let path = format!("{NETNS_DIR}/{}", self.name);
        File::open(&path).with_context(|| format!("open {path}"))
    }
}

impl Place for Namespace {
    fn start(&self, command: &mut Command) -> Result<Running> {
        Namespace::start(self, command)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(err) = run("ip", &["netns", "del", &self.name]) {
            eprintln!("could not remove namespace {}: {err:#}", self.name);
        }
    }
}

/// Moves the calling thread into a network namespace.
pub(crate) fn enter(namespace: &File) -> Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .context("enter a network namespace")
}

/// Removes the namespaces of programs that are gone.
pub(crate) fn remove_stale() -> Result<()> {
    let Ok(entries) = fs::read_dir(NETNS_DIR) else {
        return Ok(()); // no namespace was ever made on this machine
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('-')) else {
            continue;
        };
        if is_stale(rest) {
            // Another test may be removing the same one: what matters is that it goes.
            let _ = run("ip", &["netns", "del", &name]);
        }
    }
    Ok(())
}

/// Whether the process whose pid a name begins with is gone: `PID-...`.
pub(crate) fn is_stale(name: &str) -> bool {
    let owner = name.split('-').next().and_then(|pid| pid.parse::<u32>().ok());
    owner.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists())
}
