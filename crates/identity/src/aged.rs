//! A map with a maximum that forgets what was not used for longest.

use std::collections::HashMap;
use std::hash::Hash;

/// Entries are touched by every read and write. When a new key finds the map full, the eighth
/// that was touched longest ago goes at once, so that the cost of forgetting is spread.
#[derive(Debug)]
pub struct Aged<K, V> {
    entries: HashMap<K, Entry<V>>,
    entries_max: usize,
    touches: u64,
    evicted: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    touched_ms: i64,
    /// Order of touches; unlike the time it is never the same for two entries.
    touch: u64,
}

impl<K: Hash + Eq + Clone, V> Aged<K, V> {
    pub fn new(entries_max: usize) -> Self {
        Self { entries: HashMap::new(), entries_max: entries_max.max(1), touches: 0, evicted: 0 }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of `key`, touched.
    pub fn get(&mut self, key: &K, now_ms: i64) -> Option<&mut V> {
        self.touches += 1;
        let entry = self.entries.get_mut(key)?;
        entry.touch = self.touches;
        entry.touched_ms = now_ms;
        Some(&mut entry.value)
    }

    /// The value of `key`, left as it is.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Sets the value of `key`, making room first where there is none.
    pub fn insert(&mut self, key: K, value: V, now_ms: i64) {
        if self.entries.len() >= self.entries_max && !self.entries.contains_key(&key) {
            self.make_room();
        }
        self.touches += 1;
        let entry = Entry { value, touched_ms: now_ms, touch: self.touches };
        self.entries.insert(key, entry);
    }

    /// Forgets everything that was last touched before `before_ms`.
    pub fn expire(&mut self, before_ms: i64) {
        self.entries.retain(|_, entry| entry.touched_ms >= before_ms);
    }

    /// Forgets every value that `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.entries.retain(|_, entry| keep(&entry.value));
    }

    /// How many entries had to go because the map was full, since the last call.
    pub fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    fn make_room(&mut self) {
        let victims = (self.entries_max / 8).max(1);
        let mut touches: Vec<u64> = self.entries.values().map(|entry| entry.touch).collect();
        if touches.len() <= victims {
            self.entries.clear();
        } else {
            let (_, newest_victim, _) = touches.select_nth_unstable(victims - 1);
            let newest_victim = *newest_victim;
            self.entries.retain(|_, entry| entry.touch > newest_victim);
        }
        self.evicted += victims as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_go_when_it_is_full() {
        let mut map = Aged::new(16);
        for key in 0..16 {
            map.insert(key, key, 0);
        }
        assert_eq!(map.get(&0, 1), Some(&mut 0));
        map.insert(16, 16, 2);
        assert_eq!(map.take_evicted(), 2);
        assert_eq!(map.len(), 15);
        assert!(map.peek(&0).is_some(), "was touched");
        assert!(map.peek(&1).is_none() && map.peek(&2).is_none());
        for key in 0..100_000 {
            map.insert(key, key, 3);
            assert!(map.len() <= 16);
        }
    }

    #[test]
    fn a_map_of_one_holds_the_last() {
        let mut map = Aged::new(1);
        map.insert('a', 1, 0);
        map.insert('b', 2, 0);
        assert_eq!((map.peek(&'a'), map.peek(&'b'), map.len()), (None, Some(&2), 1));
    }

    #[test]
    fn replacing_makes_no_room() {
        let mut map = Aged::new(2);
        map.insert('a', 1, 0);
        map.insert('b', 1, 0);
        map.insert('b', 2, 0);
        assert_eq!((map.len(), map.take_evicted()), (2, 0));
    }

    #[test]
    fn old_entries_expire() {
        let mut map = Aged::new(8);
        map.insert("old", (), 10);
        map.insert("used", (), 10);
        map.insert("new", (), 30);
        map.get(&"used", 30);
        map.expire(20);
        assert_eq!((map.peek(&"old"), map.len()), (None, 2));
    }
}
