//! What a watch tells: one change after the other, to a directory here or in another program.

use std::sync::{Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::objects::{Kind, Object};
use crate::watch::WatchStatus;

/// One change of what is known of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A list of all objects of the kind begins.
    BeginList(Kind),
    /// The object exists, and is now like this.
    Put(Box<Object>),
    /// The list is complete: what it did not have is gone.
    EndList(Kind),
    /// The object of that uid was deleted.
    Remove(Kind, Box<str>),
}

/// Whoever is told.
pub trait Taker: Send + Sync {
    fn take(&self, changes: Vec<Change>, now_ms: i64);
    /// Time has passed.
    fn sweep(&self, now_ms: i64);
}

impl Directory {
    pub fn take(&mut self, change: Change, now_ms: i64) {
        match change {
            Change::BeginList(kind) => self.begin_list(kind),
            Change::Put(object) => self.apply(*object, now_ms),
            Change::EndList(kind) => self.end_list(kind, now_ms),
            Change::Remove(kind, uid) => self.remove(kind, &uid, now_ms),
        }
    }
}

impl Taker for RwLock<Directory> {
    fn take(&self, changes: Vec<Change>, now_ms: i64) {
        let mut directory = self.write().unwrap_or_else(PoisonError::into_inner);
        changes.into_iter().for_each(|change| directory.take(change, now_ms));
    }

    fn sweep(&self, now_ms: i64) {
        self.write().unwrap_or_else(PoisonError::into_inner).sweep(now_ms);
    }
}

/// What a watch in another program tells a server, in order: JSON, one message after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Another one for each time that everything is told from the beginning.
    pub session: String,
    /// 0 for the first message of a session, one more for each that was taken.
    pub sequence: u64,
    pub statuses: Vec<WatchStatus>,
    pub changes: Vec<Change>,
}

/// Changes that wait to be told to a server; bounded: of more, none are kept, and everything has
/// to be told from the beginning.
#[derive(Debug)]
pub struct Feed {
    changes: Mutex<Waiting>,
    changes_max: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    changes: Vec<Change>,
    has_lost: bool,
}

impl Feed {
    pub fn new(changes_max: usize) -> Self {
        Self { changes: Mutex::default(), changes_max }
    }

    /// The oldest changes; `None`: some were lost.
    pub fn next(&self, count_max: usize) -> Option<Vec<Change>> {
        let mut waiting = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.changes.len().min(count_max);
        (!waiting.has_lost).then(|| waiting.changes.drain(..count).collect())
    }
}

impl Taker for Feed {
    fn take(&self, changes: Vec<Change>, _: i64) {
        let mut waiting = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.changes.len() + changes.len() > self.changes_max {
            waiting.has_lost = true;
            waiting.changes = Vec::new();
        }
        if !waiting.has_lost {
            waiting.changes.extend(changes);
        }
    }

    fn sweep(&self, _: i64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_that_overflows_says_so() {
        let feed = Feed::new(3);
        feed.take(vec![Change::BeginList(Kind::Pod), Change::EndList(Kind::Pod)], 0);
        assert_eq!(feed.next(1), Some(vec![Change::BeginList(Kind::Pod)]));
        assert_eq!(feed.next(9), Some(vec![Change::EndList(Kind::Pod)]));
        assert_eq!(feed.next(9), Some(Vec::new()));
        feed.take(vec![Change::BeginList(Kind::Pod); 4], 0);
        assert_eq!(feed.next(9), None);
        feed.take(vec![Change::BeginList(Kind::Pod)], 0);
        assert_eq!(feed.next(9), None, "what follows a loss is of no use");
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        let pod = r#"{"metadata": {"uid": "u", "name": "cart", "namespace": "shop",
            "labels": {"app": "cart"}}, "spec": {"nodeName": "a"},
            "status": {"podIP": "10.0.0.1", "phase": "Running"}}"#;
        let pod = crate::read(Kind::Pod, pod, &mut crate::Names::default()).expect("a Pod");
        let told = Told {
            session: "5d".to_owned(),
            sequence: 7,
            statuses: vec![WatchStatus {
                kind: Kind::Pod,
                listed_ms: Some(1),
                problem: Some((2, "down".to_owned())),
                lists: 1,
                changes: 2,
                unreadable: 0,
                failures: 1,
            }],
            changes: vec![Change::Put(Box::new(pod)), Change::Remove(Kind::Node, "n".into())],
        };
        let json = serde_json::to_string(&told).expect("JSON");
        assert_eq!(serde_json::from_str::<Told>(&json).expect("a message"), told);
    }
}
