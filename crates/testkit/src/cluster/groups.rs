//! Control groups of a cluster's nodes, in the mounted tree of cgroup v2.
//!
//! Owns their life, what runs in them included, and the removal of those that a killed program
//! left behind. What they are called is the nodes' and Pods' business.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::namespace::is_stale;
use crate::wait_for;

/// Names below the mount are `weircluster-PID-...`, so that it can be told whose they are.
const PREFIX: &str = "weircluster-";
/// Killed processes take this long at most to be gone.
const END: Duration = Duration::from_secs(60);

/// A control group with all below it; dropped, what runs in it is killed and it is removed.
pub struct Group {
    directory: PathBuf,
}

impl Group {
    /// Makes one right below the mount.
    pub fn top(tag: &str) -> Result<Self> {
        let mount = mount()?;
        remove_stale(&mount);
        Self::make(mount.join(format!("{PREFIX}{}-{tag}", std::process::id())))
    }

    /// Makes one at a path below this one.
    pub fn below(&self, path: &str) -> Result<Self> {
        Self::make(self.directory.join(path))
    }

    fn make(directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        Ok(Self { directory })
    }

    /// Where it is in the file system.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its path as seen from the mount.
    pub fn path(&self) -> Result<String> {
        let below = self.directory.strip_prefix(mount()?).context("a group is below the mount")?;
        Ok(format!("/{}", below.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(err) = remove(&self.directory) {
            eprintln!("could not remove {}: {err:#}", self.directory.display());
        }
    }
}

fn mount() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("read the mounts")?;
    let of_cgroup2 = |line: &&str| line.split(' ').nth(2) == Some("cgroup2");
    let line = mounts.lines().find(of_cgroup2).context("cgroup v2 is not mounted")?;
    Ok(line.split(' ').nth(1).unwrap_or_default().into())
}

fn remove(directory: &Path) -> Result<()> {
    if !directory.exists() {
        return Ok(()); // with the group that it was in
    }
    fs::write(directory.join("cgroup.kill"), "1").context("kill what runs in it")?;
    wait_for("the end of its processes", Instant::now() + END, || {
        let events = fs::read_to_string(directory.join("cgroup.events"))?;
        Ok(events.contains("populated 0").then_some(()))
    })?;
    remove_folders(directory)
}

fn remove_folders(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_folders(&entry.path())?;
        }
    }
    fs::remove_dir(directory).with_context(|| format!("remove {}", directory.display()))
}

fn remove_stale(mount: &Path) {
    for entry in fs::read_dir(mount).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_prefix(PREFIX).is_some_and(is_stale) {
            // Another test may be removing the same one: what matters is that it goes.
            let _ = remove(&entry.path());
        }
    }
}
