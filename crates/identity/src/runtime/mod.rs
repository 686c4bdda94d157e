//! What container runtimes call their containers.
//!
//! Owns the names that were learned and which ids are yet to be asked for; [`docker`] and [`cri`]
//! say what runtimes' answers mean. Does not own sockets: one thread asks and learns here, others
//! look up, and neither ever waits for the other longer than a map takes.

pub mod cri;
pub mod docker;
mod name;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::aged::Aged;
pub use name::{ContainerName, Named};

/// Ids that wait to be asked for. When it is full, more have to be seen again in a later window.
const WANTED_MAX: usize = 256;

/// Containers whose names are kept.
const NAMES_MAX: usize = 16_384;

/// What is known of a container's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    Name(ContainerName),
    /// No runtime that can be asked has a container of this id.
    Nothing,
    NotYetKnown,
}

/// Names by container id. A full map forgets what was not used for longest.
#[derive(Debug)]
pub struct RuntimeNames(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    /// None: every runtime was asked, and none has it.
    names: Aged<Arc<str>, Option<ContainerName>>,
    wanted: HashSet<Arc<str>>,
    /// Without a runtime to ask, everything is called nothing at once.
    is_asked: bool,
}

impl Default for RuntimeNames {
    fn default() -> Self {
        Self::new(NAMES_MAX)
    }
}

impl RuntimeNames {
    /// Nothing is asked for until [`Self::begin`].
    pub fn new(names_max: usize) -> Self {
        let (names, wanted) = (Aged::new(names_max), HashSet::new());
        Self(Mutex::new(Inner { names, wanted, is_asked: false }))
    }

    /// From now on somebody asks runtimes, or nobody does any more.
    pub fn begin(&self, is_asked: bool) {
        let mut inner = self.lock();
        inner.is_asked = is_asked;
        inner.wanted.clear();
    }

    /// The container's name; an id that was never heard of is noted to be asked for.
    pub fn called(&self, id: &Arc<str>, now_ms: i64) -> Called {
        let mut inner = self.lock();
        match inner.names.get(id, now_ms) {
            Some(Some(name)) => return Called::Name(name.clone()),
            Some(None) => return Called::Nothing,
            None => {}
        }
        if !inner.is_asked {
            return Called::Nothing;
        }
        if inner.wanted.len() < WANTED_MAX {
            inner.wanted.insert(id.clone());
        }
        Called::NotYetKnown
    }

    /// At most `count` of the ids to ask for; they are noted again when they are seen again.
    pub fn take_wanted(&self, count: usize) -> Vec<Arc<str>> {
        let mut inner = self.lock();
        let taken: Vec<Arc<str>> = inner.wanted.iter().take(count).cloned().collect();
        for id in &taken {
            inner.wanted.remove(id);
        }
        taken
    }

    /// A runtime says what a container is called, or none has it.
    pub fn learn(&self, id: &str, name: Option<&ContainerName>, now_ms: i64) {
        let mut inner = self.lock();
        inner.wanted.remove(id);
        inner.names.insert(Arc::from(id), name.cloned(), now_ms);
    }

    /// Forgets that ids are nobody's: a runtime that could not be asked before may have them.
    pub fn forget_nobodys(&self) {
        self.lock().names.retain(|name| name.is_some());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Called {
        Called::Name(ContainerName::from(text))
    }

    fn called(names: &RuntimeNames, id: &str) -> Called {
        names.called(&Arc::from(id), 0)
    }

    #[test]
    fn ids_are_asked_for_once_and_remembered() {
        let names = RuntimeNames::new(8);
        assert_eq!(called(&names, "a"), Called::Nothing, "nobody asks");
        names.begin(true);
        assert_eq!(called(&names, "a"), Called::NotYetKnown);
        assert_eq!(called(&names, "a"), Called::NotYetKnown);
        assert_eq!(names.take_wanted(8), [Arc::from("a")]);
        assert_eq!(names.take_wanted(8), [] as [Arc<str>; 0]);
        let learn = |id: &str, name: &str| names.learn(id, Some(&ContainerName::from(name)), 0);
        learn("a", "web");
        names.learn("b", None, 0);
        assert_eq!((called(&names, "a"), called(&names, "b")), (name("web"), Called::Nothing));
        learn("a", "web-2");
        assert_eq!(called(&names, "a"), name("web-2"), "renamed");
        names.forget_nobodys();
        assert_eq!(
            (called(&names, "a"), called(&names, "b")),
            (name("web-2"), Called::NotYetKnown)
        );
        names.begin(false);
        assert_eq!((called(&names, "a"), called(&names, "b")), (name("web-2"), Called::Nothing));
    }

    #[test]
    fn nothing_grows_without_end() {
        let names = RuntimeNames::new(16);
        names.begin(true);
        for id in 0..10_000 {
            called(&names, &format!("wanted-{id}"));
            names.learn(&format!("learned-{id}"), Some(&ContainerName::from("x")), id);
        }
        assert_eq!(called(&names, "learned-9999"), name("x"));
        assert!(names.lock().names.len() <= 16);
        assert_eq!(names.take_wanted(usize::MAX).len(), WANTED_MAX);
    }
}
