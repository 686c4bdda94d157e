//! Full names and control groups of processes, from `/proc` at first sight.
//!
//! The kernel's `comm` is at most 15 bytes. Where it was cut, the command line tells the rest;
//! where the process is already gone or has changed, the cut name stays: nothing is guessed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_model::Process;

use crate::aged::Aged;

/// Bytes of `comm` without its terminating zero (`TASK_COMM_LEN` is 16).
const COMM_BYTES_MAX: usize = 15;
/// How much of a command line is read: the program and a script's path.
const CMDLINE_BYTES_MAX: u64 = 4096;
/// Arguments that are looked at for the full name: the program, an interpreter's option, a script.
const ARGUMENTS_MAX: usize = 3;
const CGROUP_FILE_BYTES_MAX: u64 = 16384;

/// Caches by (pid, comm): a pid that was reused by a program of another name is another process.
#[derive(Debug)]
pub struct Processes {
    proc_root: PathBuf,
    names: Aged<(u32, Arc<str>), Arc<str>>,
    cgroups: Aged<(u32, Arc<str>), Option<Arc<str>>>,
    reads_per_s_max: u32,
    reads: u32,
    reads_second: i64,
}

impl Processes {
    /// `reads_per_s_max`: how many processes are looked up in `/proc` in one second; past it names
    /// stay cut and control groups unknown until the process is seen again.
    pub fn new(proc_root: &Path, processes_max: usize, reads_per_s_max: u32) -> Self {
        Self {
            proc_root: proc_root.to_owned(),
            names: Aged::new(processes_max),
            cgroups: Aged::new(processes_max),
            reads_per_s_max,
            reads: 0,
            reads_second: 0,
        }
    }

    /// The process's name, completed where the kernel cut it and the rest can be known.
    pub fn name(&mut self, process: &Process, now_ms: i64) -> Arc<str> {
        if process.name.len() < COMM_BYTES_MAX {
            return process.name.clone();
        }
        let key = (process.pid, process.name.clone());
        if let Some(name) = self.names.get(&key, now_ms) {
            return name.clone();
        }
        if !self.may_read(now_ms) {
            return process.name.clone();
        }
        let name = match self.full_name(process) {
            Some(full) => Arc::from(full),
            None => process.name.clone(),
        };
        self.names.insert(key, name.clone(), now_ms);
        name
    }

    /// The text of `/proc/PID/cgroup` as it was when the process was first asked for.
    pub fn cgroup_file(&mut self, process: &Process, now_ms: i64) -> Option<Arc<str>> {
        let key = (process.pid, process.name.clone());
        if let Some(text) = self.cgroups.get(&key, now_ms) {
            return text.clone();
        }
        if !self.may_read(now_ms) {
            return None;
        }
        let text = if self.is_still(process) {
            self.read(process.pid, "cgroup", CGROUP_FILE_BYTES_MAX)
                .map(|bytes| Arc::from(String::from_utf8_lossy(&bytes)))
        } else {
            None
        };
        self.cgroups.insert(key, text.clone(), now_ms);
        text
    }

    fn may_read(&mut self, now_ms: i64) -> bool {
        let second = now_ms.div_euclid(1000);
        if second != self.reads_second {
            self.reads_second = second;
            self.reads = 0;
        }
        self.reads += 1;
        self.reads <= self.reads_per_s_max
    }

    fn full_name(&self, process: &Process) -> Option<String> {
        if !self.is_still(process) {
            return None;
        }
        let cmdline = self.read(process.pid, "cmdline", CMDLINE_BYTES_MAX)?;
        if let Some(name) = name_in_cmdline(&cmdline, &process.name) {
            return Some(name);
        }
        // readable only for processes with no more privileges than the agent's
        let exe = self.path(process.pid, "exe").read_link().ok()?;
        let name = exe.file_name()?.to_str()?;
        completes(name, &process.name).then(|| name.to_owned())
    }

    /// Whether the pid still is the process that the kernel named.
    fn is_still(&self, process: &Process) -> bool {
        let comm = self.read(process.pid, "comm", 64).unwrap_or_default();
        comm.trim_ascii_end() == process.name.trim_end().as_bytes()
    }

    fn path(&self, pid: u32, file: &str) -> PathBuf {
        self.proc_root.join(pid.to_string()).join(file)
    }

    fn read(&self, pid: u32, file: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(self.path(pid, file)).ok()?;
        file.take(bytes_max).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// Whether `name` is what was cut to `comm`.
fn completes(name: &str, comm: &str) -> bool {
    name.len() > comm.len() && name.starts_with(comm)
}

/// The first argument whose file name begins with `comm` and is longer.
fn name_in_cmdline(cmdline: &[u8], comm: &str) -> Option<String> {
    for argument in cmdline.split(|byte| *byte == 0).take(ARGUMENTS_MAX) {
        let Ok(argument) = std::str::from_utf8(argument) else { continue };
        // a title that a daemon wrote over its arguments has blanks: `name: what it does`
        let program = argument.split(' ').next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        let name = name.trim_end_matches(':');
        if completes(name, comm) {
            return Some(name.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, name: &str) -> Process {
        Process { pid, name: Arc::from(name) }
    }

    fn write(root: &Path, pid: u32, comm: &str, cmdline: &str) {
        let dir = root.join(pid.to_string());
        std::fs::create_dir_all(&dir).expect("process directory");
        std::fs::write(dir.join("comm"), format!("{comm}\n")).expect("comm");
        std::fs::write(dir.join("cmdline"), cmdline).expect("cmdline");
        std::fs::write(dir.join("cgroup"), format!("0::/unit-of-{pid}\n")).expect("cgroup");
    }

    #[test]
    fn command_lines_complete_cut_names() {
        let cases = [
            (
                "containerd-shim",
                "/usr/bin/containerd-shim-runc-v2\0-id\0x",
                "containerd-shim-runc-v2",
            ),
            ("prometheus-node", "prometheus-node-exporter\0--web", "prometheus-node-exporter"),
            ("systemd-resolve", "/lib/systemd/systemd-resolved\0", "systemd-resolved"),
            (
                "my-long-script-",
                "python3\0-u\0/opt/my-long-script-name.py\0x",
                "my-long-script-name.py",
            ),
            ("postgres-exporte", "x", ""),
            (
                "networkd-dispat",
                "/usr/bin/python3\0/usr/bin/networkd-dispatcher\0",
                "networkd-dispatcher",
            ),
            ("a-daemon-with-t", "a-daemon-with-title: idle in transaction", "a-daemon-with-title"),
            ("renamed-by-prct", "/usr/bin/java\0-jar\0app.jar", ""),
            ("exactly-fifteen", "/usr/bin/exactly-fifteen\0", ""),
            ("kworker/0:1-eve", "", ""),
        ];
        for (comm, cmdline, full) in cases {
            let found = name_in_cmdline(cmdline.as_bytes(), comm).unwrap_or_default();
            assert_eq!(found, full, "{comm}");
        }
    }

    #[test]
    fn names_outlive_their_processes() {
        let root = tempfile::tempdir().expect("a directory");
        write(root.path(), 7, "containerd-shim", "/usr/bin/containerd-shim-runc-v2\0");
        let mut processes = Processes::new(root.path(), 8, 100);
        let shim = process(7, "containerd-shim");
        assert_eq!(&*processes.name(&shim, 0), "containerd-shim-runc-v2");
        assert_eq!(processes.cgroup_file(&shim, 0).as_deref(), Some("0::/unit-of-7\n"));
        std::fs::remove_dir_all(root.path().join("7")).expect("exited");
        assert_eq!(&*processes.name(&shim, 60_000), "containerd-shim-runc-v2");
        assert_eq!(processes.cgroup_file(&shim, 60_000).as_deref(), Some("0::/unit-of-7\n"));
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let root = tempfile::tempdir().expect("a directory");
        write(root.path(), 7, "systemd-network", "/lib/systemd/systemd-networkd\0");
        let mut processes = Processes::new(root.path(), 8, 100);
        assert_eq!(&*processes.name(&process(7, "systemd-resolve"), 0), "systemd-resolve");
        assert_eq!(processes.cgroup_file(&process(7, "systemd-resolve"), 0), None);
        assert_eq!(&*processes.name(&process(7, "systemd-network"), 0), "systemd-networkd");
    }

    #[test]
    fn look_ups_are_limited_per_second() {
        let root = tempfile::tempdir().expect("a directory");
        for pid in 1..=4 {
            write(root.path(), pid, "containerd-shim", "/usr/bin/containerd-shim-runc-v2\0");
        }
        let mut processes = Processes::new(root.path(), 8, 2);
        let mut names = |now_ms| -> Vec<usize> {
            (1..=4)
                .map(|pid| processes.name(&process(pid, "containerd-shim"), now_ms).len())
                .collect()
        };
        assert_eq!(names(1_000), [23, 23, 15, 15]);
        assert_eq!(names(2_000), [23, 23, 23, 23]);
    }
}
