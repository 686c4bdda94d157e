//! Attaching to what a [`Finder`] finds: the hooks in user space.
//!
//! A hook is in the file: it serves every process that uses it, in whatever container, those that
//! start later too.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use libbpf_rs::{Link, ProgramMut, UprobeMultiOpts, UprobeOpts};
use rustix::event::{EventfdFlags, eventfd};

use super::finder::{Finder, Found, Function, Program};
use super::skel::PayloadProgs;
use crate::check::chain;
use crate::error::ProbeError;

/// Where the kernel says that it can hook functions of user space.
const UPROBES: &str = "/sys/bus/event_source/devices/uprobe";

/// Whether this kernel can hook functions of user space at all.
pub(super) fn can_attach() -> bool {
    Path::new(UPROBES).exists()
}

/// A finder whose thread is not started yet, and the ends of channels that it will hold.
type Idle = (Finder, Sender<Found>, Receiver<(u32, bool)>);

pub(super) struct Libraries {
    links: Vec<Link>,
    /// Whether the programs were loaded for many places each.
    at_once: bool,
    /// Until the first look: a program must have no threads while it gives up what it may not keep.
    finder: Option<Idle>,
    processes: Sender<(u32, bool)>,
    found: Receiver<Found>,
    waker: Arc<OwnedFd>,
    failures: Arc<AtomicU64>,
}

impl Libraries {
    /// Attaches to what is installed on this host; what runs is looked into later.
    pub(super) fn start(programs: &PayloadProgs<'_>, at_once: bool) -> Result<Self, ProbeError> {
        let mut finder = Finder::default();
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|err| ProbeError::io("cannot be told of TLS libraries", err))?;
        let failures = finder.failures();
        let ready = finder.installed();
        let (processes, told) = channel();
        let (to, found) = channel();
        let finder = Some((finder, to, told));
        let waker = Arc::new(waker);
        let mut libraries =
            Self { links: Vec::new(), at_once, finder, processes, found, waker, failures };
        for found in ready {
            libraries.attach(programs, &found);
        }
        Ok(libraries)
    }

    /// What is ready when there is something to attach to.
    pub(super) fn waker(&self) -> &OwnedFd {
        &self.waker
    }

    /// Whether hooking what is found later needs `CAP_SYS_ADMIN` (`perf_uprobe_event_init()`).
    pub(super) fn needs_admin(&self) -> bool {
        !self.at_once
    }

    /// How many processes, files and functions could not be read.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Has a process looked at; what is found is attached to by [`Self::attach_found`].
    pub(super) fn look_at(&mut self, pid: u32, is_new: bool) {
        if self.processes.send((pid, is_new)).is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Attaches to what was found meanwhile.
    pub(super) fn attach_found(&mut self, programs: &PayloadProgs<'_>) {
        if let Some((finder, to, told)) = self.finder.take() {
            let waker = Arc::clone(&self.waker);
            let thread = thread::Builder::new().name("weir-tls".to_owned());
            if let Err(err) = thread.spawn(move || finder.run(&told, &to, &waker)) {
                tracing::warn!(%err, "no thread to look for TLS libraries");
            }
        }
        while let Ok(found) = self.found.try_recv() {
            self.attach(programs, &found);
        }
    }

    /// Each function at all its places, or not at all.
    fn attach(&mut self, programs: &PayloadProgs<'_>, found: &Found) {
        let path = found.path.display();
        for function in &found.functions {
            match attach_function(programs, found, function, self.at_once) {
                Ok(links) => {
                    self.links.extend(links);
                    tracing::info!(file = %path, function = function.name, "tls: it is read");
                }
                Err(err) => {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    let err = chain(&ProbeError::libbpf("cannot hook a function", err));
                    tracing::debug!(file = %path, function = function.name, err, "tls");
                }
            }
        }
    }
}

/// Many places at once where the kernel can, which needs fewer privileges as well.
fn attach_function(
    programs: &PayloadProgs<'_>,
    found: &Found,
    function: &Function,
    at_once: bool,
) -> Result<Vec<Link>, libbpf_rs::Error> {
    const EVERY_PROCESS: i32 = -1;
    let path = format!("/proc/self/fd/{}", found.file.as_raw_fd());
    if !at_once {
        let links = function.hooks.iter().map(|hook| {
            let (program, retprobe) = program_of(programs, hook.program);
            let opts = UprobeOpts { retprobe, ..UprobeOpts::default() };
            program.attach_uprobe_with_opts(EVERY_PROCESS, &path, hook.offset, opts)
        });
        return links.collect();
    }
    let of_one = function.hooks.chunk_by(|one, next| one.program == next.program);
    let links = of_one.filter_map(|hooks| {
        let (program, retprobe) = program_of(programs, hooks.first()?.program);
        let offsets = hooks.iter().map(|hook| hook.offset).collect();
        let opts = UprobeMultiOpts { offsets, retprobe, ..UprobeMultiOpts::default() };
        Some(program.attach_uprobe_multi_with_opts(EVERY_PROCESS, &path, "", opts))
    });
    links.collect()
}

/// And whether it is run when the function returns to where it was called from.
fn program_of<'a, 'obj>(
    programs: &'a PayloadProgs<'obj>,
    program: Program,
) -> (&'a ProgramMut<'obj>, bool) {
    match program {
        Program::Begins => (&programs.payload_tls_begins, false),
        Program::BeginsEx => (&programs.payload_tls_ex_begins, false),
        Program::Wrote => (&programs.payload_tls_wrote, true),
        Program::Read => (&programs.payload_tls_read, true),
        Program::GoBegins => (&programs.payload_go_begins, false),
        Program::GoWrites => (&programs.payload_go_writes, false),
        Program::GoWrote => (&programs.payload_go_wrote, false),
        Program::GoRead => (&programs.payload_go_read, false),
    }
}
