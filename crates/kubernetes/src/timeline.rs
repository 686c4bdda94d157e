//! Who held a key when: spans of validity, half-open, in milliseconds since 1970-01-01 UTC.
//!
//! Owns the answer for a time, when a key was handed from one holder to the next within a window,
//! and when clocks differ a little. Does not own how long the past is kept: the directory does.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

/// End of a span that is still valid.
pub const OPEN_MS: i64 = i64::MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<V> {
    pub from_ms: i64,
    pub to_ms: i64,
    pub value: V,
}

impl<V> Span<V> {
    fn is_open(&self) -> bool {
        self.to_ms == OPEN_MS
    }

    /// How long the span and `times` go together; negative: how far they are apart.
    fn common_ms(&self, times: &Range<i64>) -> i64 {
        self.to_ms.min(times.end).saturating_sub(self.from_ms.max(times.start))
    }
}

/// Spans by key. Most keys have one.
#[derive(Clone, Debug)]
pub struct Timeline<K, V> {
    spans: HashMap<K, Vec<Span<V>>>,
}

impl<K, V> Default for Timeline<K, V> {
    fn default() -> Self {
        Self { spans: HashMap::new() }
    }
}

impl<K: Hash + Eq, V: PartialEq> Timeline<K, V> {
    /// `value` holds the key from now on, and nobody else does.
    ///
    /// It is told of at `now_ms` but may have begun up to `since_ms`, when it was made: a Pod's
    /// address is used before the API shows it. So it begins where the one before it ended; if
    /// that end was never told, it was at `since_ms` at the earliest.
    pub fn claim(&mut self, key: K, value: V, since_ms: i64, now_ms: i64) {
        let since_ms = since_ms.min(now_ms);
        let spans = self.spans.entry(key).or_default();
        if spans.iter().any(|span| span.is_open() && span.value == value) {
            return;
        }
        let mut from_ms = since_ms;
        for span in spans.iter_mut() {
            if span.is_open() {
                let end_ms = if since_ms > span.from_ms { since_ms } else { now_ms };
                span.to_ms = end_ms.max(span.from_ms);
            }
            from_ms = from_ms.max(span.to_ms);
        }
        spans.push(Span { from_ms, to_ms: OPEN_MS, value });
    }

    /// `value` holds the key from `from_ms` on, perhaps with others.
    pub fn share(&mut self, key: K, value: V, from_ms: i64) {
        let spans = self.spans.entry(key).or_default();
        if !spans.iter().any(|span| span.is_open() && span.value == value) {
            spans.push(Span { from_ms, to_ms: OPEN_MS, value });
        }
    }

    /// `value` holds the key from `from_ms` on; if it does so already, it is only made anew.
    pub fn replace(&mut self, key: K, value: V, from_ms: i64) {
        let spans = self.spans.entry(key).or_default();
        match spans.iter_mut().find(|span| span.is_open() && span.value == value) {
            Some(span) => span.value = value,
            None => spans.push(Span { from_ms, to_ms: OPEN_MS, value }),
        }
    }

    /// `value` held the key in the past, as far as nobody else is known to have held it then.
    pub fn past(&mut self, key: K, value: V, from_ms: i64, to_ms: i64) {
        let known = self.spans.get(&key).map_or(&[][..], Vec::as_slice);
        let place = known.partition_point(|span| span.from_ms <= from_ms);
        let before = place.checked_sub(1).and_then(|before| known.get(before));
        let from_ms = before.map_or(from_ms, |span| span.to_ms.max(from_ms));
        let to_ms = known.get(place).map_or(to_ms, |span| span.from_ms.min(to_ms));
        if from_ms < to_ms {
            self.spans.entry(key).or_default().insert(place, Span { from_ms, to_ms, value });
        }
    }

    /// `value` holds the key no longer.
    pub fn close(&mut self, key: &K, value: &V, to_ms: i64) {
        let spans = self.spans.get_mut(key).into_iter().flatten();
        for span in spans.filter(|span| span.is_open() && span.value == *value) {
            span.to_ms = to_ms.max(span.from_ms);
        }
    }

    /// Forgets the spans of `value`.
    pub fn forget(&mut self, key: &K, value: &V) {
        let Some(spans) = self.spans.get_mut(key) else { return };
        spans.retain(|span| span.value != *value);
        if spans.is_empty() {
            self.spans.remove(key);
        }
    }

    /// Forgets what ended before `before_ms`.
    pub fn sweep(&mut self, before_ms: i64) {
        self.spans.retain(|_, spans| {
            spans.retain(|span| span.to_ms >= before_ms);
            !spans.is_empty()
        });
    }

    /// The value that held the key for the longest part of `times`, the later of two equal ones;
    /// if none did, the one nearest to it, less than `slack_ms` away.
    pub fn best(&self, key: &K, times: &Range<i64>, slack_ms: i64) -> Option<&V> {
        let times = times.start..times.end.max(times.start.saturating_add(1));
        let mut best: Option<(i64, &Span<V>)> = None;
        for span in self.spans.get(key)? {
            let common_ms = span.common_ms(&times);
            let is_better = best.is_none_or(|(most_ms, _)| common_ms >= most_ms);
            if common_ms > -slack_ms && is_better {
                best = Some((common_ms, span));
            }
        }
        best.map(|(_, span)| &span.value)
    }

    /// All values that held the key at some time of `times`, or less than `slack_ms` from it.
    pub fn all<'a>(
        &'a self,
        key: &K,
        times: &Range<i64>,
        slack_ms: i64,
    ) -> impl Iterator<Item = &'a V> + use<'a, K, V> {
        let times = times.start..times.end.max(times.start.saturating_add(1));
        let spans = self.spans.get(key).into_iter().flatten();
        spans.filter(move |span| span.common_ms(&times) > -slack_ms).map(|span| &span.value)
    }

    /// The spans of a key, in the order in which they were told.
    #[cfg(test)]
    pub fn spans(&self, key: &K) -> &[Span<V>] {
        self.spans.get(key).map_or(&[], Vec::as_slice)
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn best(timeline: &Timeline<u8, char>, times: Range<i64>) -> Option<char> {
        timeline.best(&1, &times, 50).copied()
    }

    #[test]
    fn each_time_has_its_holder() {
        let mut timeline = Timeline::default();
        timeline.claim(1, 'a', 100, 120);
        timeline.close(&1, &'a', 500);
        timeline.claim(1, 'b', 480, 900);
        assert_eq!(best(&timeline, 100..200), Some('a'), "from when it was made");
        assert_eq!(best(&timeline, 499..500), Some('a'));
        assert_eq!(best(&timeline, 500..501), Some('b'), "before it was told of");
        assert_eq!(best(&timeline, 450..520), Some('a'), "for the longer part");
        assert_eq!(best(&timeline, 450..560), Some('b'));
        assert_eq!(best(&timeline, 60..80), Some('a'), "clocks differ a little");
        assert_eq!(best(&timeline, 0..40), None);
        assert_eq!(best(&timeline, 700..700), Some('b'), "a moment");
    }

    #[test]
    fn a_holder_whose_end_was_not_told_ends_when_the_next_begins() {
        let mut timeline = Timeline::default();
        timeline.claim(1, 'a', 100, 100);
        timeline.claim(1, 'b', 300, 400);
        assert_eq!((best(&timeline, 299..300), best(&timeline, 300..301)), (Some('a'), Some('b')));
        timeline.claim(1, 'c', 200, 500);
        assert_eq!(best(&timeline, 499..500), Some('b'), "c is older, but came later");
        assert_eq!(best(&timeline, 500..501), Some('c'));
    }

    #[test]
    fn a_holder_may_come_again() {
        let mut timeline = Timeline::default();
        timeline.claim(1, 'a', 100, 100);
        timeline.claim(1, 'a', 100, 200);
        timeline.close(&1, &'a', 300);
        timeline.close(&1, &'a', 900);
        timeline.claim(1, 'a', 100, 600);
        assert_eq!(timeline.spans(&1).len(), 2);
        timeline.forget(&1, &'a');
        assert_eq!(timeline.len(), 0);
    }

    #[test]
    fn several_may_share_a_key() {
        let mut timeline = Timeline::default();
        timeline.share(1, 'a', 0);
        timeline.share(1, 'b', 100);
        timeline.share(1, 'b', 150);
        timeline.close(&1, &'a', 200);
        let all = |times: Range<i64>| timeline.all(&1, &times, 0).collect::<String>();
        assert_eq!(
            (all(0..50), all(50..150), all(200..300)),
            ("a".into(), "ab".into(), "b".into())
        );
        timeline.sweep(201);
        assert_eq!(timeline.spans(&1).len(), 1);
    }

    proptest! {
        /// Whatever is told in whatever order, a key has one holder at a time.
        #[test]
        fn holders_never_overlap(told in prop::collection::vec((0u8..5, 0i64..1_000, 0u8..3), 1..60)) {
            let mut timeline = Timeline::default();
            for (step, (value, since_ms, what)) in told.into_iter().enumerate() {
                let now_ms = step as i64 * 20;
                let is_claim = what == 0;
                match what {
                    0 => timeline.claim(1u8, value, since_ms, now_ms),
                    1 => timeline.close(&1, &value, now_ms),
                    _ => timeline.past(1, value, since_ms.min(now_ms), now_ms),
                }
                let spans = timeline.spans(&1);
                for pair in spans.windows(2) {
                    prop_assert!(pair[0].to_ms <= pair[1].from_ms, "{spans:?}");
                }
                prop_assert!(spans.iter().all(|span| span.from_ms <= span.to_ms));
                if is_claim {
                    let (last, now) = (spans.last().expect("a span"), now_ms..now_ms);
                    prop_assert_eq!(last.value, value);
                    prop_assert_eq!(timeline.best(&1, &now, 0), Some(&value));
                }
            }
        }
    }
}
