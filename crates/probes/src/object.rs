//! Small things that every probe does with libbpf: its log, iterators, run times.
//!
//! Owns no probe's logic.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Once;

use libbpf_rs::libbpf_sys::{bpf_prog_get_info_by_fd, bpf_prog_info};
use libbpf_rs::{Iter, Link, Object, PrintLevel, Program};

use crate::error::ProbeError;

/// What one BPF program cost so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramStats {
    pub name: String,
    /// Counted only while `kernel.bpf_stats_enabled` is 1.
    pub run_count: u64,
    pub run_time_ns: u64,
    /// Times that the kernel did not run it because it would have interrupted itself.
    pub recursion_misses: u64,
}

fn log(level: PrintLevel, message: String) {
    let message = message.trim_end();
    match level {
        PrintLevel::Warn => tracing::debug!(target: "libbpf", level = "warn", "{message}"),
        PrintLevel::Info => tracing::debug!(target: "libbpf", level = "info", "{message}"),
        PrintLevel::Debug => tracing::trace!(target: "libbpf", "{message}"),
    }
}

/// Sends what libbpf prints to the log, once for the whole process.
pub(crate) fn take_libbpf_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        libbpf_rs::set_print(Some((PrintLevel::Debug, log)));
    });
}

/// Runs an iterator that writes nothing to its end.
pub(crate) fn run_iterator(link: &Link, what: &str) -> Result<(), ProbeError> {
    let mut iterator =
        Iter::new(link).map_err(|err| ProbeError::libbpf(format!("cannot start {what}"), err))?;
    let mut nothing = [0; 64];
    loop {
        match iterator.read(&mut nothing) {
            Ok(0) => return Ok(()),
            // The kernel pauses after a million objects (MAX_ITER_OBJECTS).
            Ok(_) => {}
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            Err(err) => return Err(ProbeError::io(format!("{what} stopped early"), err)),
        }
    }
}

/// What the loaded programs of an object cost. Asks by descriptor: to ask by id takes
/// `CAP_SYS_ADMIN`, which the agent gives up.
pub(crate) fn program_stats(object: &Object) -> Vec<ProgramStats> {
    object.progs().filter(|program| program.autoload()).filter_map(stats_of).collect()
}

fn stats_of(program: Program<'_>) -> Option<ProgramStats> {
    let mut info = bpf_prog_info::default();
    let mut bytes = size_of::<bpf_prog_info>() as u32;
    let fd = program.as_fd().as_raw_fd();
    // SAFETY: the kernel writes at most `bytes` bytes, which is the size of `info`; zeroed, it asks
    // for none of the arrays that it could point to.
    let result = unsafe { bpf_prog_get_info_by_fd(fd, &mut info, &mut bytes) };
    (result == 0).then(|| ProgramStats {
        name: program.name().to_string_lossy().into_owned(),
        run_count: info.run_cnt,
        run_time_ns: info.run_time_ns,
        recursion_misses: info.recursion_misses,
    })
}
