//! Giving up privileges once the probes are attached.
//!
//! Capabilities belong to threads, so this happens while the program still has one thread, or is
//! refused: a server that shares the program must not keep what the agent gave up.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use caps::{CapSet, Capability};
use thiserror::Error;
use weir_probes::Collector;

/// What an agent keeps: reading BPF maps and iterators. Names of processes and control groups
/// come from files that everyone may read, so nothing is kept for `/proc`.
pub const KEPT_CAPABILITIES: &[Capability] = &[Capability::CAP_BPF, Capability::CAP_PERFMON];

/// What an agent keeps besides when it reads inside TLS: it looks into processes that begin later,
/// whoever they belong to.
pub const LOOKING_CAPABILITIES: &[Capability] =
    &[Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// What a collector needs to go on.
pub fn capabilities_of(collector: &Collector) -> Vec<Capability> {
    let mut needed = KEPT_CAPABILITIES.to_vec();
    if collector.reads_tls() {
        needed.extend(LOOKING_CAPABILITIES);
    }
    if collector.needs_admin() {
        needed.push(Capability::CAP_SYS_ADMIN);
    }
    needed
}

/// A thread that was joined is still listed for a moment, until the kernel has buried it.
const ENDING_MAX: Duration = Duration::from_secs(1);
const ENDING_LOOK: Duration = Duration::from_millis(2);

/// Why privileges could not be given up.
#[derive(Debug, Error)]
pub enum CapabilityError {
    #[error("cannot {action}")]
    System {
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "threads {0:?} still hold more capabilities than are kept: privileges must be given up \
         before threads are started"
    )]
    OtherThreads(Vec<String>),
}

/// Gives up every capability but those to keep for good, in this thread and those it starts later,
/// and says which are left. Programs started from here gain none (`no_new_privs`).
///
/// Fails when another thread of the program holds more and goes on; nothing is undone then.
pub fn drop_capabilities(keep: &[Capability]) -> Result<Vec<String>, CapabilityError> {
    let kept: HashSet<Capability> = keep.iter().copied().collect();
    drop_in_this_thread(&kept)?;
    let mask = kept_mask(&kept);
    let since = Instant::now();
    loop {
        let others = threads_with_more(mask)?;
        if others.is_empty() {
            break;
        }
        if since.elapsed() > ENDING_MAX {
            return Err(CapabilityError::OtherThreads(others));
        }
        thread::sleep(ENDING_LOOK);
    }
    let left = caps::read(None, CapSet::Permitted).map_err(system("read capabilities"))?;
    let mut names: Vec<String> = left.iter().map(Capability::to_string).collect();
    names.sort();
    Ok(names)
}

fn drop_in_this_thread(keep: &HashSet<Capability>) -> Result<(), CapabilityError> {
    let permitted = caps::read(None, CapSet::Permitted).map_err(system("read capabilities"))?;
    let kept: HashSet<Capability> = permitted.intersection(keep).copied().collect();
    // the bounding set can only be changed with CAP_SETPCAP (capabilities(7)); without it there
    // is nothing to be gained from it under no_new_privs
    if permitted.contains(&Capability::CAP_SETPCAP) {
        let bounding = caps::read(None, CapSet::Bounding).map_err(system("read capabilities"))?;
        for cap in bounding.difference(&kept) {
            caps::drop(None, CapSet::Bounding, *cap).map_err(system("shrink the bounding set"))?;
        }
    }
    rustix::thread::set_no_new_privs(true).map_err(system("set no_new_privs"))?;
    caps::clear(None, CapSet::Inheritable).map_err(system("clear inheritable capabilities"))?;
    caps::set(None, CapSet::Effective, &kept).map_err(system("drop effective capabilities"))?;
    caps::set(None, CapSet::Permitted, &kept).map_err(system("drop permitted capabilities"))
}

fn kept_mask(kept: &HashSet<Capability>) -> u64 {
    kept.iter().map(|cap| cap.bitmask()).fold(0, |mask, bit| mask | bit)
}

/// Ids of this program's threads that have effective or permitted capabilities beyond `mask`.
fn threads_with_more(mask: u64) -> Result<Vec<String>, CapabilityError> {
    let read = |err: io::Error| system("read /proc/self/task")(err);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/task").map_err(read)? {
        let entry = entry.map_err(read)?;
        // a thread that has just ended has no status any more
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
        if capability_masks(&status).iter().any(|held| held & !mask != 0) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

/// The permitted and effective sets in the text of `/proc/PID/status`.
fn capability_masks(status: &str) -> Vec<u64> {
    let lines = status
        .lines()
        .filter_map(|line| line.strip_prefix("CapPrm:").or_else(|| line.strip_prefix("CapEff:")));
    lines.filter_map(|digits| u64::from_str_radix(digits.trim(), 16).ok()).collect()
}

fn system<E>(action: &'static str) -> impl Fn(E) -> CapabilityError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| CapabilityError::System { action, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tweir\nCapInh:\t0000000000000000\nCapPrm:\t000000c000001000\n\
                          CapEff:\t000000c000001000\nCapBnd:\t000001ffffffffff\n";

    #[test]
    fn statuses_are_read() {
        assert_eq!(capability_masks(STATUS), [0xc0_0000_1000, 0xc0_0000_1000]);
        assert_eq!(capability_masks("nothing"), [] as [u64; 0]);
    }

    fn this_threads_masks() -> Vec<u64> {
        let status = fs::read_to_string("/proc/thread-self/status").expect("status");
        capability_masks(&status)
    }

    /// In a thread of its own, since it cannot be undone; the test's main thread keeps its
    /// capabilities, which is the case that must be refused.
    #[test]
    fn what_is_dropped_is_gone_for_the_thread_and_its_children() {
        let privileged = this_threads_masks().iter().all(|mask| *mask != 0);
        let kept = kept_mask(&KEPT_CAPABILITIES.iter().copied().collect());
        let worker = std::thread::spawn(move || {
            let outcome = drop_capabilities(KEPT_CAPABILITIES);
            let child = std::thread::spawn(this_threads_masks).join().expect("a child");
            (outcome, this_threads_masks(), child)
        });
        let (outcome, own, child) = worker.join().expect("a worker");
        for masks in [own, child] {
            assert_eq!(masks.len(), 2);
            assert!(masks.iter().all(|mask| mask & !kept == 0), "{masks:x?}");
        }
        if privileged {
            let err = outcome.expect_err("the main thread has more");
            assert!(matches!(err, CapabilityError::OtherThreads(_)), "{err}");
        } else {
            outcome.expect("nobody has more");
        }
    }
}
