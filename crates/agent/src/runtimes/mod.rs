//! The thread that learns what container runtimes call their containers.
//!
//! Owns when runtimes are asked: all their containers when they are first reached, then they tell
//! of new ones themselves, so that a name is known before its container's first window ends. An id
//! that is met and was told by nobody is asked for by itself. Does not own the names
//! (`weir_identity::RuntimeNames`). Only `GET` is ever sent: whoever may write to such a socket
//! rules the host.

mod http;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use weir_identity::{RuntimeNames, answers};

use crate::clock::Moment;
use crate::watch::StopSignal;
use http::{HttpError, Lines};

/// How soon a stop is noticed, and ids that were met are.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Ids are asked for at most this often, and at most so many at once.
const ASK_EVERY: Duration = Duration::from_secs(1);
const ASKED_AT_ONCE_MAX: usize = 8;
/// When a runtime is looked for again that is not there, or that failed.
const RETRY: Duration = Duration::from_secs(15);

const LIST: &str = "/containers/json";
/// `{"type":["container"],"event":["create","start","rename"]}`
const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B\
                      %22create%22%2C%22start%22%2C%22rename%22%5D%7D";

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
        if runtimes.iter().all(|runtime| runtime.events.is_none()) {
            stop.sleep(LOOK_EVERY);
            continue;
        }
        wait_for_events(&runtimes);
        for runtime in &mut runtimes {
            runtime.read_events(names);
        }
        if asked.elapsed() >= ASK_EVERY {
            asked = Instant::now();
            ask_for_wanted(&mut runtimes, names);
        }
    }
}

fn wait_for_events(runtimes: &[Runtime]) {
    let streams = runtimes.iter().filter_map(|runtime| runtime.events.as_ref());
    let mut fds: Vec<PollFd<'_>> =
        streams.map(|stream| PollFd::new(stream, PollFlags::IN)).collect();
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

/// A runtime behind a socket.
struct Runtime {
    path: PathBuf,
    /// Whether there is a socket; whether it answers is another thing.
    is_there: bool,
    events: Option<Lines>,
    retry_at: Option<Instant>,
    failures: u64,
}

impl Runtime {
    fn new(path: &Path) -> Self {
        let path = path.to_owned();
        Self { path, is_there: false, events: None, retry_at: None, failures: 0 }
    }

    /// Begins to follow the runtime, where it is time to try.
    fn reach(&mut self, names: &RuntimeNames) {
        let is_early = self.retry_at.is_some_and(|at| Instant::now() < at);
        if self.events.is_some() || is_early {
            return;
        }
        self.retry_at = Some(Instant::now() + RETRY);
        match self.begin(names) {
            Ok(count) => {
                self.is_there = true;
                self.failures = 0;
                let path = self.path.display();
                tracing::info!(%path, containers = count, "containers have names from here");
            }
            Err(err) => self.fail(&err),
        }
    }

    /// First the events, so that none is missed while the list is read.
    fn begin(&mut self, names: &RuntimeNames) -> Result<usize, HttpError> {
        let events = http::follow(&self.path, EVENTS)?;
        let list = http::get(&self.path, LIST)?;
        let list = list.and_then(|body| answers::listed(&body)).ok_or(HttpError::Garbage)?;
        for container in &list {
            names.learn(&container.id, Some(&container.name), now_ms());
        }
        names.forget_nobodys();
        self.events = Some(events);
        Ok(list.len())
    }

    fn read_events(&mut self, names: &RuntimeNames) {
        let Some(events) = &mut self.events else { return };
        let read = events.read(&mut |line| {
            if let Some(container) = answers::happened(line) {
                names.learn(&container.id, Some(&container.name), now_ms());
            }
        });
        if let Err(err) = read {
            self.fail(&err);
        }
    }

    /// The name of one container, nothing where it has none of that id, none where it cannot be
    /// asked.
    fn name_of(&mut self, id: &str) -> Option<Option<String>> {
        self.events.as_ref()?;
        match http::get(&self.path, &format!("/containers/{id}/json")) {
            Ok(body) => {
                let named = body.and_then(|body| answers::inspected(&body));
                Some(named.filter(|named| named.id == id).map(|named| named.name))
            }
            Err(err) => {
                self.fail(&err);
                None
            }
        }
    }

    /// Says once that a runtime which is there cannot be asked.
    fn fail(&mut self, err: &HttpError) {
        self.events = None;
        self.retry_at = Some(Instant::now() + RETRY);
        if matches!(err, HttpError::Io(err) if err.kind() == io::ErrorKind::NotFound) {
            self.is_there = false;
            return;
        }
        self.is_there = true;
        let path = self.path.display();
        match self.failures {
            0 => {
                tracing::warn!(%path, %err, "containers' names cannot be read, new ones are shown by id")
            }
            _ => tracing::debug!(%path, %err, "containers' names cannot be read"),
        }
        self.failures += 1;
    }
}

#[cfg(test)]
mod tests;
