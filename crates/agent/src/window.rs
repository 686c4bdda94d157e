//! When windows begin and end.
//!
//! A window's bounds are multiples of its length on the wall clock; its end is waited for on the
//! monotonic clock, so that a clock that is set in between moves the next window and not this one.

use crate::clock::Moment;

/// The stretch of time that one set of rows stands for, in wall milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Aligned start and length, as stored.
    pub start_ms: i64,
    pub length_ms: u32,
    /// What was observed of it.
    pub from_ms: i64,
    pub to_ms: i64,
}

/// A window that is being observed.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    length_ms: u32,
    start_ms: i64,
    opened: Moment,
}

impl Window {
    /// Opens the window that `now` lies in. The first one of an agent begins within it.
    pub fn open(now: Moment, length_ms: u32) -> Self {
        let into_ms = now.unix_ms.rem_euclid(i64::from(length_ms));
        Self { length_ms, start_ms: now.unix_ms - into_ms, opened: now }
    }

    /// Opens the window after this one, which was closed at `now`. A clock that is slewed may
    /// still be a little before the bound that was waited for; that little is the next window's.
    pub fn next(&self, now: Moment) -> Self {
        let length_ms = i64::from(self.length_ms);
        let bound_ms = self.start_ms + length_ms;
        let early_ms = bound_ms - now.unix_ms;
        if (1..=length_ms / 4).contains(&early_ms) {
            return Self { length_ms: self.length_ms, start_ms: bound_ms, opened: now };
        }
        Self::open(now, self.length_ms)
    }

    /// When to close it, on the monotonic clock.
    pub fn deadline_mono_ns(&self) -> u64 {
        let left_ms = self.start_ms + i64::from(self.length_ms) - self.opened.unix_ms;
        self.opened.mono_ns + left_ms.max(0) as u64 * 1_000_000
    }

    /// Closes the window at `now`. A reader that was held up past whole windows gives one span as
    /// long as all of them, so that spans neither overlap nor leave a gap.
    pub fn close(&self, now: Moment) -> Span {
        let length_ms = i64::from(self.length_ms);
        let elapsed_ms = now.mono_ns.saturating_sub(self.opened.mono_ns) / 1_000_000;
        let expected_ms = self.opened.unix_ms + elapsed_ms as i64;
        // the wall clock's own word, unless it was set meanwhile
        let is_steady = (now.unix_ms - expected_ms).abs() <= length_ms / 4;
        let to_ms = if is_steady { now.unix_ms } else { expected_ms };
        let windows = ((to_ms - self.start_ms) / length_ms).max(1);
        Span {
            start_ms: self.start_ms,
            length_ms: u32::try_from(windows * length_ms).unwrap_or(self.length_ms),
            from_ms: self.opened.unix_ms,
            to_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: i64) -> Moment {
        Moment { mono_ns: (unix_ms - 1_000_000) as u64 * 1_000_000, unix_ms }
    }

    #[test]
    fn windows_are_aligned_to_the_clock() {
        for (opened, start, left) in [
            (1_700_000_000_000, 1_700_000_000_000, 10_000),
            (1_700_000_000_001, 1_700_000_000_000, 9_999),
            (1_700_000_009_999, 1_700_000_000_000, 1),
        ] {
            let window = Window::open(at(opened), 10_000);
            assert_eq!(window.start_ms, start);
            assert_eq!(window.deadline_mono_ns() - at(opened).mono_ns, left * 1_000_000);
        }
    }

    #[test]
    fn spans_say_what_was_observed() {
        let window = Window::open(at(1_700_000_003_000), 10_000);
        let span = |to: i64| {
            let span = window.close(at(to));
            (span.start_ms - 1_700_000_000_000, span.length_ms, span.from_ms, span.to_ms)
        };
        let from = 1_700_000_003_000;
        assert_eq!(span(1_700_000_010_002), (0, 10_000, from, 1_700_000_010_002));
        assert_eq!(span(1_700_000_005_000), (0, 10_000, from, 1_700_000_005_000), "stopped early");
        assert_eq!(span(1_700_000_035_000), (0, 30_000, from, 1_700_000_035_000), "held up");
    }

    #[test]
    fn a_held_up_reader_leaves_no_gap() {
        let late = at(1_700_000_035_000);
        let span = Window::open(at(1_700_000_000_000), 10_000).close(late);
        let next = Window::open(at(1_700_000_000_000), 10_000).next(late);
        assert_eq!(span.start_ms + i64::from(span.length_ms), next.start_ms);
    }

    #[test]
    fn a_clock_that_is_slewed_makes_no_tiny_window() {
        let window = Window::open(at(1_700_000_000_000), 10_000);
        for closed_ms in [9_998, 10_000, 10_001] {
            let next = window.next(at(1_700_000_000_000 + closed_ms));
            assert_eq!(next.start_ms, 1_700_000_010_000);
            assert_eq!(next.deadline_mono_ns(), at(1_700_000_020_000).mono_ns);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stretch_the_window() {
        let opened = at(1_700_000_000_000);
        let window = Window::open(opened, 10_000);
        let later = Moment {
            mono_ns: opened.mono_ns + 10_000_000_000,
            unix_ms: opened.unix_ms - 3_600_000,
        };
        assert_eq!(window.close(later).to_ms, 1_700_000_010_000);
        assert_eq!(window.next(later).start_ms, 1_699_996_400_000);
    }
}
