//! What the cluster says happened, by the object that it happened to.

use std::collections::{HashMap, VecDeque};

use crate::objects::{About, Event};

/// The newest of each object. Of objects, those that were spoken of last.
#[derive(Debug)]
pub struct Events {
    by_object: HashMap<About, VecDeque<Event>>,
    objects_max: usize,
    per_object_max: usize,
    /// Events that had to go for newer ones.
    dropped: u64,
}

impl Events {
    /// When full, the eighth of the objects whose last event is oldest goes at once.
    pub fn new(objects_max: usize, per_object_max: usize) -> Self {
        let (objects_max, per_object_max) = (objects_max.max(1), per_object_max.max(1));
        Self { by_object: HashMap::new(), objects_max, per_object_max, dropped: 0 }
    }

    pub fn put(&mut self, event: Event) {
        if self.by_object.len() >= self.objects_max && !self.by_object.contains_key(&event.about) {
            self.make_room();
        }
        let events = self.by_object.entry(event.about.clone()).or_default();
        events.retain(|known| known.uid != event.uid);
        let place = events.partition_point(|known| known.last_ms <= event.last_ms);
        events.insert(place, event);
        if events.len() > self.per_object_max {
            events.pop_front();
            self.dropped += 1;
        }
    }

    /// Newest first.
    pub fn of(&self, about: &About) -> impl Iterator<Item = &Event> {
        self.by_object.get(about).into_iter().flatten().rev()
    }

    /// Forgets events that were last seen before `before_ms`.
    pub fn sweep(&mut self, before_ms: i64) {
        self.by_object.retain(|_, events| {
            events.retain(|event| event.last_ms >= before_ms);
            !events.is_empty()
        });
    }

    pub fn len(&self) -> usize {
        self.by_object.values().map(VecDeque::len).sum()
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn make_room(&mut self) {
        let newest = |events: &VecDeque<Event>| events.back().map_or(0, |event| event.last_ms);
        let mut times: Vec<(i64, About)> =
            self.by_object.iter().map(|(about, events)| (newest(events), about.clone())).collect();
        times.sort_unstable_by_key(|(last_ms, _)| *last_ms);
        for (_, about) in times.iter().take((self.objects_max / 8).max(1)) {
            let events = self.by_object.remove(about);
            self.dropped += events.map_or(0, |events| events.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn about(name: &str) -> About {
        About { kind: "Pod".into(), namespace: "shop".into(), name: name.into() }
    }

    fn event(name: &str, uid: u32, last_ms: i64, count: u32) -> Event {
        let text: Arc<str> = Arc::from("BackOff");
        Event {
            uid: Arc::from(uid.to_string()),
            about: about(name),
            severity: text.clone(),
            reason: text.clone(),
            message: text,
            source: None,
            count,
            first_ms: 0,
            last_ms,
        }
    }

    fn counts(events: &Events, name: &str) -> Vec<u32> {
        events.of(&about(name)).map(|event| event.count).collect()
    }

    #[test]
    fn the_newest_of_an_object_stay_in_order() {
        let mut events = Events::new(10, 2);
        events.put(event("a", 1, 300, 3));
        events.put(event("a", 2, 100, 1));
        events.put(event("a", 3, 200, 2));
        assert_eq!((counts(&events, "a"), events.dropped()), (vec![3, 2], 1));
        events.put(event("a", 3, 400, 9));
        assert_eq!(counts(&events, "a"), [9, 3], "the same event again, with another count");
        events.sweep(350);
        assert_eq!((counts(&events, "a"), events.len()), (vec![9], 1));
    }

    #[test]
    fn objects_of_which_nothing_is_heard_go_first() {
        let mut events = Events::new(3, 5);
        for (uid, name) in ["a", "b", "c"].into_iter().enumerate() {
            events.put(event(name, uid as u32, 100 + uid as i64, 1));
        }
        events.put(event("a", 9, 900, 2));
        events.put(event("d", 10, 950, 1));
        assert_eq!((counts(&events, "a").len(), counts(&events, "b").len()), (2, 0));
        assert_eq!((events.len(), events.dropped()), (4, 1));
    }
}
