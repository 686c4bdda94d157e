//! Objects of one kind, with those that are gone for a while longer.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How much is kept of one kind. Full of what exists, a new object is refused and counted; what
/// is gone makes room first, the oldest before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptLimits {
    /// Objects, those that are gone included.
    pub objects_max: usize,
    /// How many of them may be gone.
    pub gone_max: usize,
}

#[derive(Debug)]
struct Entry<T> {
    object: Arc<T>,
    /// The list in which it was last seen, or during which it was told of.
    list: u32,
    gone_ms: Option<i64>,
}

/// What became of an object that was told of.
#[derive(Debug, PartialEq, Eq)]
pub enum Put<T> {
    New,
    /// Known before, like this; gone since when, if it was.
    Known(Arc<T>),
    Refused,
}

/// By uid. What is dropped for good is handed to the caller, who has it in its indexes.
#[derive(Debug)]
pub struct Kept<T> {
    entries: HashMap<Arc<str>, Entry<T>>,
    /// In the order in which they went.
    gone: VecDeque<(i64, Arc<str>)>,
    limits: KeptLimits,
    list: u32,
    refused: u64,
}

impl<T> Kept<T> {
    pub fn new(limits: KeptLimits) -> Self {
        let (entries, gone) = (HashMap::new(), VecDeque::new());
        Self { entries, gone, limits, list: 0, refused: 0 }
    }

    /// The object exists. Gives what was dropped to make room.
    pub fn put(&mut self, uid: &Arc<str>, object: Arc<T>) -> (Put<T>, Option<Arc<T>>) {
        if let Some(entry) = self.entries.get_mut(uid) {
            // Deleted and told of again: a list that was read while it went.
            entry.gone_ms = None;
            entry.list = self.list;
            return (Put::Known(std::mem::replace(&mut entry.object, object)), None);
        }
        let mut dropped = None;
        if self.entries.len() >= self.limits.objects_max {
            dropped = self.drop_oldest();
            if dropped.is_none() {
                self.refused += 1;
                return (Put::Refused, None);
            }
        }
        self.entries.insert(uid.clone(), Entry { object, list: self.list, gone_ms: None });
        (Put::New, dropped)
    }

    /// The object exists no longer. Gives it, if it was known to exist, and what was dropped.
    pub fn end(&mut self, uid: &str, now_ms: i64) -> (Option<Arc<T>>, Option<Arc<T>>) {
        let Some((key, _)) = self.entries.get_key_value(uid) else { return (None, None) };
        let key = key.clone();
        let Some(entry) = self.entries.get_mut(uid) else { return (None, None) };
        if entry.gone_ms.is_some() {
            return (None, None);
        }
        entry.gone_ms = Some(now_ms);
        let object = entry.object.clone();
        self.gone.push_back((now_ms, key));
        let is_full = self.gone.len() > self.limits.gone_max;
        (Some(object), if is_full { self.drop_oldest() } else { None })
    }

    /// A list of all objects begins: those that are not told of until its end are gone.
    pub fn begin_list(&mut self) {
        self.list = self.list.wrapping_add(1);
    }

    /// Uids of what the list did not have.
    pub fn missing(&self) -> Vec<Arc<str>> {
        let entries = self.entries.iter();
        let is_missing = |entry: &Entry<T>| entry.gone_ms.is_none() && entry.list != self.list;
        entries.filter(|(_, entry)| is_missing(entry)).map(|(uid, _)| uid.clone()).collect()
    }

    /// Drops what went before `before_ms`.
    pub fn sweep(&mut self, before_ms: i64) -> Vec<Arc<T>> {
        let mut dropped = Vec::new();
        while self.gone.front().is_some_and(|(gone_ms, _)| *gone_ms < before_ms) {
            dropped.extend(self.drop_oldest());
        }
        dropped
    }

    /// Drops the one that has been gone for longest.
    fn drop_oldest(&mut self) -> Option<Arc<T>> {
        while let Some((gone_ms, uid)) = self.gone.pop_front() {
            // It may have come back since.
            if self.entries.get(&uid).is_some_and(|entry| entry.gone_ms == Some(gone_ms)) {
                return self.entries.remove(&uid).map(|entry| entry.object);
            }
        }
        None
    }

    /// What exists.
    pub fn living(&self) -> impl Iterator<Item = &Arc<T>> {
        let entries = self.entries.values().filter(|entry| entry.gone_ms.is_none());
        entries.map(|entry| &entry.object)
    }

    /// What exists, then what is gone and still known.
    pub fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        let gone = self.entries.values().filter(|entry| entry.gone_ms.is_some());
        self.living().chain(gone.map(|entry| &entry.object))
    }

    pub fn is_living(&self, uid: &str) -> bool {
        self.entries.get(uid).is_some_and(|entry| entry.gone_ms.is_none())
    }

    pub fn get(&self, uid: &str) -> Option<&Arc<T>> {
        self.entries.get(uid).map(|entry| &entry.object)
    }

    pub fn counts(&self) -> Counts {
        let gone = self.entries.values().filter(|entry| entry.gone_ms.is_some()).count();
        Counts { living: self.entries.len() - gone, gone, refused: self.refused }
    }
}

/// How many objects of a kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub living: usize,
    /// Remembered for flows of the time when they lived.
    pub gone: usize,
    /// Tellings of objects that found no room, since the start.
    pub refused: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(objects_max: usize, gone_max: usize) -> Kept<u32> {
        Kept::new(KeptLimits { objects_max, gone_max })
    }

    fn put(kept: &mut Kept<u32>, uid: &str, object: u32) -> (Put<u32>, Option<u32>) {
        let (put, dropped) = kept.put(&Arc::from(uid), Arc::new(object));
        (put, dropped.map(|object| *object))
    }

    #[test]
    fn what_is_gone_is_remembered_for_a_while() {
        let mut kept = kept(10, 10);
        assert_eq!(put(&mut kept, "a", 1), (Put::New, None));
        assert_eq!(put(&mut kept, "a", 2), (Put::Known(Arc::new(1)), None));
        assert_eq!(kept.end("a", 100).0.as_deref(), Some(&2));
        assert_eq!(kept.end("a", 110).0, None, "told twice");
        assert_eq!(kept.end("b", 110), (None, None), "never heard of");
        assert_eq!(kept.get("a").map(|object| **object), Some(2));
        assert!(kept.sweep(100).is_empty());
        assert_eq!(kept.sweep(101), [Arc::new(2)]);
        assert_eq!(kept.get("a"), None);
    }

    #[test]
    fn what_comes_back_is_not_swept() {
        let mut kept = kept(10, 10);
        put(&mut kept, "a", 1);
        kept.end("a", 100);
        put(&mut kept, "a", 1);
        assert!(kept.sweep(500).is_empty());
        assert_eq!(kept.counts(), Counts { living: 1, gone: 0, refused: 0 });
    }

    #[test]
    fn room_is_made_by_what_is_gone_and_by_nothing_else() {
        let mut kept = kept(2, 1);
        put(&mut kept, "a", 1);
        put(&mut kept, "b", 2);
        assert_eq!(put(&mut kept, "c", 3), (Put::Refused, None));
        kept.end("b", 100);
        assert_eq!(put(&mut kept, "c", 3), (Put::New, Some(2)));
        kept.end("a", 200);
        assert_eq!(kept.end("c", 300).1.as_deref(), Some(&1), "one may be gone");
        assert_eq!(kept.counts(), Counts { living: 0, gone: 1, refused: 1 });
    }

    #[test]
    fn a_list_tells_what_is_missing() {
        let mut kept = kept(10, 10);
        for (uid, object) in [("a", 1), ("b", 2), ("c", 3)] {
            put(&mut kept, uid, object);
        }
        kept.end("c", 50);
        kept.begin_list();
        put(&mut kept, "a", 1);
        assert_eq!(kept.missing(), [Arc::from("b")]);
    }
}
