//! Dev only: real hosts, real traffic, real trouble, and independent witnesses of it.
//!
//! Owns what tests of several rooms share: a network-namespace lab, known traffic, ways to disturb
//! it, and readings by others than Weir. Ships in nothing.

mod actors;
mod api_server;
pub mod chart;
mod child;
pub mod cluster;
mod lab;
mod names;
mod namespace;
mod need;
pub mod stranger;
pub mod traffic;
pub mod trouble;
mod weir;
pub mod witness;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

pub use actors::{Actors, Server, Talker};
pub use api_server::ApiServer;
pub use child::{Running, run, workspace_program};
pub use lab::{HOSTS_MAX, Host, Lab};
pub use names::{Asked, NameServer, Zone, resolve, resolve_as_told};
pub use namespace::{Namespace, Place};
pub use need::{Need, missing};
pub use weir::{Rows, WeirProcess};

/// A new empty folder; dropped, it is removed with what is in it.
pub fn scratch_dir() -> Result<TempDir> {
    tempfile::tempdir().context("make a folder")
}

/// Asks `look` again and again until it finds something; an error ends the wait.
pub fn wait_for<T>(
    what: &str,
    deadline: Instant,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    loop {
        if let Some(found) = look().with_context(|| format!("while waiting for {what}"))? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
