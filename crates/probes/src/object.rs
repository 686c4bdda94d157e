//! Small things that every probe does with libbpf: its log, iterators, run times.
//!
//! Owns no probe's logic.

use std::io::Read;
use std::sync::Once;

use libbpf_rs::query::ProgInfoIter;
use libbpf_rs::{Iter, Link, PrintLevel};

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
            Err(err) if err.raw_os_error() == Some(libc_eagain()) => {}
            Err(err) => return Err(ProbeError::io(format!("{what} stopped early"), err)),
        }
    }
}

fn libc_eagain() -> i32 {
    rustix::io::Errno::AGAIN.raw_os_error()
}

/// Run times of the loaded programs with these ids.
pub(crate) fn program_stats(ids: &[u32]) -> Vec<ProgramStats> {
    ProgInfoIter::default()
        .filter(|info| ids.contains(&info.id))
        .map(|info| ProgramStats {
            name: info.name.to_string_lossy().into_owned(),
            run_count: info.run_cnt,
            run_time_ns: info.run_time_ns,
            recursion_misses: info.recursion_misses,
        })
        .collect()
}
