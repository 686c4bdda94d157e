//! Attaching to TLS libraries: which files hold one, and which of their functions are hooked.
//!
//! Owns the hooks in user space. Files are looked for when the probe starts, and in a process when it
//! begins to speak TLS, because then its library is loaded, whenever and however that happened. A
//! hook is in the file: it serves every process that uses it, in whatever container, those that
//! start later too.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use libbpf_rs::{Link, ProgramMut, UprobeOpts};

use super::skel::PayloadProgs;
use super::symbols;

/// Where the kernel says that it can hook functions of user space.
const UPROBES: &str = "/sys/bus/event_source/devices/uprobe";

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}

/// How a function says how many bytes it passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Returned,
    Written,
}

/// Of OpenSSL 1.1 and 3, and of BoringSSL as far as it has them; of GnuTLS.
const FUNCTIONS: [(&str, Way, Length); 6] = [
    ("SSL_read", Way::Read, Length::Returned),
    ("SSL_write", Way::Write, Length::Returned),
    ("SSL_read_ex", Way::Read, Length::Written),
    ("SSL_write_ex", Way::Write, Length::Written),
    ("gnutls_record_recv", Way::Read, Length::Returned),
    ("gnutls_record_send", Way::Write, Length::Returned),
];

/// A file by device and inode, as a process sees it.
type Identity = (u64, u64);

#[derive(Default)]
pub(super) struct Libraries {
    links: Vec<Link>,
    known: HashSet<Identity>,
    /// Processes and files that could not be looked into.
    pub(super) failures: u64,
}

/// Whether this kernel can hook functions of user space at all.
pub(super) fn can_attach() -> bool {
    Path::new(UPROBES).exists()
}

/// Whether a file is named like a TLS library, with or without a hash as Python's wheels have it.
fn is_library(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    (name.starts_with("libssl") || name.starts_with("libgnutls")) && name.contains(".so")
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

impl Libraries {
    /// Attaches to the libraries of every process there is, and to those of this host that none
    /// uses yet.
    pub(super) fn attach_all(&mut self, programs: &PayloadProgs<'_>) {
        let folders = FOLDERS.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        for entry in folders.flatten() {
            if is_library(&entry.path().to_string_lossy()) {
                self.attach_file(programs, &entry.path());
            }
        }
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
                // A process that ended meanwhile is none that fails.
                let _ = self.attach_libraries(programs, pid);
            }
        }
    }

    /// Attaches to what a process uses that speaks TLS: its libraries, and the program itself, into
    /// which one may be linked.
    pub(super) fn attach_process(&mut self, programs: &PayloadProgs<'_>, pid: u32) {
        let process = PathBuf::from(format!("/proc/{pid}"));
        match self.attach_libraries(programs, pid) {
            Ok(()) => self.attach_file(programs, &process.join("exe")),
            Err(_) if !process.exists() => {}
            Err(err) => {
                self.failures += 1;
                tracing::debug!(pid, %err, "a process's libraries cannot be looked for");
            }
        }
    }

    fn attach_libraries(
        &mut self,
        programs: &PayloadProgs<'_>,
        pid: u32,
    ) -> Result<(), std::io::Error> {
        let maps = fs::read(format!("/proc/{pid}/maps"))?;
        let maps = String::from_utf8_lossy(&maps);
        for path in mapped_libraries(&maps) {
            self.attach_file(programs, Path::new(&format!("/proc/{pid}/root{path}")));
        }
        Ok(())
    }

    fn attach_file(&mut self, programs: &PayloadProgs<'_>, path: &Path) {
        // Replaced or removed meanwhile: its processes keep it, and are not read.
        let Ok(metadata) = fs::metadata(path) else { return };
        let identity = (metadata.dev(), metadata.ino());
        if self.known.contains(&identity) {
            return;
        }
        if self.known.len() >= FILES_MAX {
            self.failures += 1;
            return;
        }
        self.known.insert(identity);
        let mut hooked = 0;
        for (function, offset) in symbols::offsets(path, &FUNCTIONS.map(|(name, ..)| name)) {
            let Some(function) = FUNCTIONS.get(function) else { continue };
            match attach_function(programs, path, offset, *function) {
                Ok(links) => {
                    hooked += 1;
                    self.links.extend(links);
                }
                Err(err) => {
                    self.failures += 1;
                    let (file, function) = (path.display(), function.0);
                    tracing::debug!(%file, function, %err, "a TLS function cannot be hooked");
                }
            }
        }
        if hooked > 0 {
            tracing::info!(file = %path.display(), functions = hooked, "tls: a library is read");
        }
    }
}

/// Its beginning and its end.
fn attach_function(
    programs: &PayloadProgs<'_>,
    path: &Path,
    offset: usize,
    (_, way, length): (&str, Way, Length),
) -> Result<[Link; 2], libbpf_rs::Error> {
    let begins = match length {
        Length::Returned => &programs.payload_tls_begins,
        Length::Written => &programs.payload_tls_ex_begins,
    };
    let ends = match way {
        Way::Read => &programs.payload_tls_read,
        Way::Write => &programs.payload_tls_wrote,
    };
    let attach = |program: &ProgramMut<'_>, retprobe| {
        const EVERY_PROCESS: i32 = -1;
        let opts = UprobeOpts { retprobe, ..UprobeOpts::default() };
        program.attach_uprobe_with_opts(EVERY_PROCESS, path, offset, opts)
    };
    Ok([attach(begins, false)?, attach(ends, true)?])
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
