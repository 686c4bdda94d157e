//! The thread that learns what container runtimes call their containers.
//!
//! Owns when runtimes are asked: all their containers when they are first reached, then they tell
//! of new ones themselves or are asked again, so that a name is known before its container's first
//! window ends. An id that is met and was told by nobody is asked for by itself. Does not own the
//! names (`weir_identity::RuntimeNames`). Only what reads is ever sent: whoever may write to such a
//! socket rules the host.

mod grpc;
mod http;
mod runtime;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weir_identity::RuntimeNames;

use crate::clock::Moment;
use crate::watch::StopSignal;
use runtime::Runtime;

/// How soon a stop is noticed, and ids that were met are.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Ids are asked for at most this often, and at most so many at once.
const ASK_EVERY: Duration = Duration::from_secs(1);
const ASKED_AT_ONCE_MAX: usize = 8;

/// Learns names from the runtimes behind `sockets` until `stop` is set.
pub fn watch_names(sockets: &[PathBuf], names: &RuntimeNames, stop: &StopSignal) {
    let mut runtimes: Vec<Runtime> = sockets.iter().map(|path| Runtime::new(path)).collect();
    let mut is_asked = !sockets.is_empty();
    names.begin(is_asked);
    let mut asked = Instant::now();
    while !stop.is_set() && !runtimes.is_empty() {
        for runtime in &mut runtimes {
            runtime.reach(names);
        }
        let is_any = runtimes.iter().any(|runtime| runtime.is_there);
        if is_any != is_asked {
            names.begin(is_any);
            is_asked = is_any;
        }
        wait_for_events(&runtimes, stop);
        for runtime in &mut runtimes {
            runtime.read_news(names, Instant::now());
        }
        let is_any_reached = runtimes.iter().any(Runtime::is_reached);
        if is_any_reached && asked.elapsed() >= ASK_EVERY {
            asked = Instant::now();
            ask_for_wanted(&mut runtimes, names);
        }
    }
}

fn wait_for_events(runtimes: &[Runtime], stop: &StopSignal) {
    let streams = runtimes.iter().filter_map(Runtime::events);
    let mut fds: Vec<PollFd<'_>> =
        streams.map(|stream| PollFd::from_borrowed_fd(stream, PollFlags::IN)).collect();
    if fds.is_empty() {
        stop.sleep(LOOK_EVERY);
        return;
    }
    let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY.subsec_nanos().into() };
    // what there is is read in any case
    let _ = poll(&mut fds, Some(&timeout));
}

/// An id is nobody's when every runtime that is there says so.
fn ask_for_wanted(runtimes: &mut [Runtime], names: &RuntimeNames) {
    for id in names.take_wanted(ASKED_AT_ONCE_MAX) {
        let mut is_nobodys = true;
        for runtime in runtimes.iter_mut().filter(|runtime| runtime.is_there) {
            match runtime.name_of(&id) {
                Some(Some(name)) => {
                    names.learn(&id, Some(&name), now_ms());
                    is_nobodys = false;
                    break;
                }
                Some(None) => {}
                None => is_nobodys = false,
            }
        }
        if is_nobodys {
            names.learn(&id, None, now_ms());
        }
    }
}

fn now_ms() -> i64 {
    Moment::now().unix_ms
}

#[cfg(test)]
mod cri_tests;
#[cfg(test)]
mod tests;
