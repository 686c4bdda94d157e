//! How a command finds the server that runs on this host: a small file per server in a runtime
//! folder, removed when it stops and ignored when its process is gone.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// A running server's note; it goes when the server does.
pub struct Announcement(PathBuf);

fn folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(dir) if !rustix::process::geteuid().is_root() => PathBuf::from(dir).join("weir"),
        _ => PathBuf::from("/run/weir"),
    }
}

impl Announcement {
    /// Writes the note of this process.
    pub fn write(url: &str) -> Result<Self> {
        let folder = folder();
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(format!("{}.url", std::process::id()));
        fs::write(&path, url).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Address of the server that started last and still runs.
pub fn running_server() -> Option<String> {
    let entries = fs::read_dir(folder()).ok()?;
    let mut alive: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let pid: i32 = path.file_stem()?.to_str()?.parse().ok()?;
            let pid = rustix::process::Pid::from_raw(pid)?;
            rustix::process::test_kill_process(pid).ok()?;
            let written = entry.metadata().ok()?.modified().ok()?;
            Some((written, fs::read_to_string(&path).ok()?))
        })
        .collect();
    alive.sort();
    alive.pop().map(|(_, url)| url.trim().to_owned())
}
