//! Which files hold TLS, and where in them are the functions to hook.
//!
//! Owns what is known of files. They are looked for when the probe starts, in a process when it begins
//! with a program that was never seen, and when it begins to speak TLS, because then its library is
//! loaded, whenever and however that happened. Hooks nothing: to look into a program of a hundred
//! megabytes takes a while, so all of this but the start is done in a thread of its own.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::{go, symbols};

/// Where distributions put libraries. Those of containers are found in their processes.
const FOLDERS: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
];

/// Files that are looked into; of more, nothing is read.
const FILES_MAX: usize = 4096;

/// A program that has just begun loads its libraries in this time.
const LOADING: Duration = Duration::from_millis(20);

/// Processes that load their libraries; of more, these are looked for when they speak TLS.
const LOADING_MAX: usize = 1024;

/// What is run at a place in a file, by the name of a program of `payload.bpf.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Begins,
    /// The length is written to memory.
    BeginsEx,
    Wrote,
    Read,
    GoBegins,
    GoWrites,
    GoWrote,
    GoRead,
}

/// One place to hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    pub(super) program: Program,
    pub(super) offset: usize,
}

/// A function with all its places: its beginning and its ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) hooks: Vec<Hook>,
}

/// A file that holds TLS. It is open, and so can be hooked even when its name is gone.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) functions: Vec<Function>,
}

/// Of OpenSSL 1.1 and 3, and of BoringSSL as far as it has them; of GnuTLS.
const FUNCTIONS: [(&str, Program, Program); 6] = [
    ("SSL_read", Program::Begins, Program::Read),
    ("SSL_write", Program::Begins, Program::Wrote),
    ("SSL_read_ex", Program::BeginsEx, Program::Read),
    ("SSL_write_ex", Program::BeginsEx, Program::Wrote),
    ("gnutls_record_recv", Program::Begins, Program::Read),
    ("gnutls_record_send", Program::Begins, Program::Wrote),
];

/// Of Go's own TLS, in every program of Go that speaks it.
const GO_FUNCTIONS: [(&str, Program, Program); 2] = [
    ("crypto/tls.(*Conn).Read", Program::GoBegins, Program::GoRead),
    ("crypto/tls.(*Conn).Write", Program::GoWrites, Program::GoWrote),
];

/// A file by device and inode, as a process sees it.
type Identity = (u64, u64);

#[derive(Default)]
pub(super) struct Finder {
    known: HashSet<Identity>,
    /// Processes that have just begun, and when to look at what they loaded.
    loading: VecDeque<(Instant, u32)>,
    /// Processes and files that could not be looked into.
    failures: Arc<AtomicU64>,
}

/// The file that a process runs, even where it has no name any more.
fn program(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/exe"))
}

/// Every process there is, the latest first.
fn running() -> Vec<u32> {
    let names =
        fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut pids: Vec<_> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// Whether a file is named like a TLS library, with or without a hash as Python's wheels have it.
fn is_library(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    (name.starts_with("libssl") || name.starts_with("libgnutls")) && name.contains(".so")
        // It calls the other one, and is hooked with it.
        && !name.starts_with("libgnutls-openssl")
}

/// Files that a process has mapped and that are named like a TLS library, from the text of
/// `/proc/PID/maps` (proc(5)).
fn mapped_libraries(maps: &str) -> Vec<&str> {
    let path = |line: &'_ str| line.find('/').map(|at| at..line.len());
    let paths = maps.lines().filter_map(|line| line.get(path(line)?));
    let mut paths: Vec<_> = paths.filter(|path| is_library(path)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// What a file has of TLS.
fn functions(file: &File) -> Vec<Function> {
    let of_libraries = symbols::offsets(file, &FUNCTIONS.map(|(name, ..)| name));
    let of_libraries = of_libraries.into_iter().filter_map(|(number, offset)| {
        let (name, begins, ends) = *FUNCTIONS.get(number)?;
        let hooks = [begins, ends].map(|program| Hook { program, offset });
        Some(Function { name, hooks: hooks.to_vec() })
    });
    let of_go = go::functions(file, &GO_FUNCTIONS.map(|(name, ..)| name));
    let of_go = of_go.into_iter().filter_map(|function| {
        let (name, begins, ends) = *GO_FUNCTIONS.get(function.number)?;
        let begins = Hook { program: begins, offset: function.body };
        let ends = function.returns.iter().map(|offset| Hook { program: ends, offset: *offset });
        Some(Function { name, hooks: std::iter::once(begins).chain(ends).collect() })
    });
    of_libraries.chain(of_go).collect()
}

impl Finder {
    /// How often something could not be looked into, for as long as this lives and after.
    pub(super) fn failures(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.failures)
    }

    /// What this host has, whether it is used or not.
    pub(super) fn installed(&mut self) -> Vec<Found> {
        let folders = FOLDERS.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let paths = folders.flatten().map(|entry| entry.path());
        let libraries = paths.filter(|path| is_library(&path.to_string_lossy()));
        libraries.filter_map(|path| self.file(&path)).collect()
    }

    /// Looks at every process there is, then at processes as they are told, with whether each has
    /// just begun, until nobody tells or takes any more. `waker` is written for each file.
    pub(super) fn run(mut self, told: &Receiver<(u32, bool)>, to: &Sender<Found>, waker: &OwnedFd) {
        let give = |found: Vec<Found>| {
            found.into_iter().all(|found| {
                let is_taken = to.send(found).is_ok();
                // Unwoken, the other thread sees it when it looks at its own time.
                let _ = rustix::io::write(waker, &1_u64.to_ne_bytes());
                is_taken
            })
        };
        // Those that are told go first: they are about to speak.
        let mut running = running();
        loop {
            let due = self.loading.front().map(|(due, _)| *due);
            let patience = due.map_or(Duration::MAX, |due| due - Instant::now().min(due));
            let patience = if running.is_empty() { patience } else { Duration::ZERO };
            let found = match told.recv_timeout(patience) {
                Ok((pid, is_new)) => self.process(pid, is_new),
                Err(RecvTimeoutError::Timeout) => {
                    let mut found = self.loaded();
                    if let Some(pid) = running.pop() {
                        // A process that ended meanwhile is none that fails.
                        found.extend(self.libraries(pid).unwrap_or_default());
                        found.extend(self.file(&program(pid)));
                    }
                    found
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !give(found) {
                return;
            }
        }
    }

    /// What a process uses that speaks TLS: its libraries, and the program itself, into which one
    /// may be linked. Libraries of one that has just begun are looked for somewhat later.
    fn process(&mut self, pid: u32, is_new: bool) -> Vec<Found> {
        let mut found = Vec::from_iter(self.file(&program(pid)));
        if is_new {
            if self.loading.len() < LOADING_MAX {
                self.loading.push_back((Instant::now() + LOADING, pid));
            }
            return found;
        }
        match self.libraries(pid) {
            Ok(libraries) => found.extend(libraries),
            Err(err) if program(pid).exists() => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(pid, %err, "a process's libraries cannot be looked for");
            }
            Err(_) => {}
        }
        found
    }

    /// Libraries of processes that have begun some time ago.
    fn loaded(&mut self) -> Vec<Found> {
        let now = Instant::now();
        let mut found = Vec::new();
        while let Some((due, pid)) = self.loading.front().copied()
            && due <= now
        {
            self.loading.pop_front();
            found.extend(self.libraries(pid).unwrap_or_default());
        }
        found
    }

    fn libraries(&mut self, pid: u32) -> io::Result<Vec<Found>> {
        let maps = fs::read(format!("/proc/{pid}/maps"))?;
        let maps = String::from_utf8_lossy(&maps);
        let paths = mapped_libraries(&maps).into_iter();
        let found = paths.filter_map(|path| {
            let path = PathBuf::from(format!("/proc/{pid}/root{path}"));
            self.file(&path)
        });
        Ok(found.collect())
    }

    /// A file that was not known and holds TLS.
    fn file(&mut self, path: &Path) -> Option<Found> {
        // Replaced or removed meanwhile: its processes keep it, and are not read.
        let metadata = fs::metadata(path).ok()?;
        if !metadata.is_file() || !self.is_new(&metadata) {
            return None;
        }
        let Ok(file) = File::open(path) else {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let functions = functions(&file);
        if functions.is_empty() {
            return None;
        }
        let path = fs::read_link(path).unwrap_or_else(|_| path.to_owned());
        Some(Found { file, path, functions })
    }

    fn is_new(&mut self, metadata: &fs::Metadata) -> bool {
        let identity = (metadata.dev(), metadata.ino());
        if self.known.contains(&identity) {
            return false;
        }
        if self.known.len() >= FILES_MAX {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.known.insert(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_among_what_is_mapped() {
        let maps = "\
55d0c0a00000-55d0c0a2c000 r--p 00000000 fe:00 1234                       /usr/sbin/nginx
7f42b1a6a000-7f42b1a88000 r--p 00000000 fe:00 26015                      /lib/x86_64-linux-gnu/libssl.so.3
7f42b1a88000-7f42b1ae2000 r-xp 0001e000 fe:00 26015                      /lib/x86_64-linux-gnu/libssl.so.3
7f42b1400000-7f42b14b2000 r--p 00000000 fe:00 26014                      /lib/x86_64-linux-gnu/libcrypto.so.3
7f42b0000000-7f42b0010000 r-xp 00000000 00:2d 77                         /app/some where/libssl-3e69114b.so.1.1
7f42b0020000-7f42b0030000 r-xp 00000000 00:2d 78                         /usr/lib/libgnutls.so.30.34.3
7ffd3c1f0000-7ffd3c211000 rw-p 00000000 00:00 0                          [stack]
7f42b0040000-7f42b0050000 rw-p 00000000 00:00 0
";
        let expected = [
            "/app/some where/libssl-3e69114b.so.1.1",
            "/lib/x86_64-linux-gnu/libssl.so.3",
            "/usr/lib/libgnutls.so.30.34.3",
        ];
        assert_eq!(mapped_libraries(maps), expected);
    }
}
