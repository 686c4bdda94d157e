//! Agents' clocks: how far each is off, and by how much its batches are put right.
//!
//! Windows are stamped by the agent's clock, names are looked up by time, and both ends of a
//! conversation must meet in one window. So what comes from a clock that is off by more than
//! [`NOTED_MS`] is shifted, windows by whole windows, single requests exactly. A send that takes
//! long looks like a clock that is behind, so one alone moves nothing that it could explain; and
//! a correction stays as it is until the clock has moved by more than [`MOVED_MS`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Up to here a clock counts as right.
const NOTED_MS: i64 = 5_000;
/// A correction is given up below this, so that a clock at the limit does not go to and fro.
const RIGHT_MS: i64 = 4_000;
/// A correction follows the clock when it has moved by more than this.
const MOVED_MS: i64 = 1_000;
/// No send takes longer (an agent gives up after 20 s): what differs by more is the clock, which
/// was set.
const SEND_MS_MAX: i64 = 30_000;
/// Readings that are kept of one agent, at most one a second.
const READINGS_MAX: usize = 7;
/// So many are needed before a clock counts as behind by less than [`SEND_MS_MAX`].
const READINGS_MIN: usize = 3;
const READING_EVERY_MS: i64 = 1_000;
/// Further off than any clock: what says so is no clock.
const AHEAD_MS_MAX: i64 = 200 * 366 * 86_400_000;

/// What is known of an agent's clock when a batch of it arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    /// How far it is ahead; `None`: the agent does not say.
    pub ahead_ms: Option<i64>,
    /// What the agent's times are ahead by, where they are put right; 0: they are taken as they
    /// are.
    pub corrected_ms: i64,
}

impl Skew {
    /// What is to be taken off the times of windows of that length.
    pub fn of_windows(&self, window_ms: u32) -> i64 {
        let window_ms = i64::from(window_ms).max(1);
        let half = window_ms / 2 * self.corrected_ms.signum();
        (self.corrected_ms + half) / window_ms * window_ms
    }
}

/// One agent's clock.
#[derive(Debug, Default)]
struct AgentClock {
    /// How far it was ahead, and when that was read.
    readings: VecDeque<(i64, i64)>,
    corrected_ms: i64,
    /// What it was before the clock was set last.
    before_ms: Option<i64>,
    heard_ms: i64,
}

impl AgentClock {
    fn read(&mut self, ahead_ms: i64, now_ms: i64) {
        self.heard_ms = now_ms;
        let was_set = self.median().is_some_and(|known| (ahead_ms - known).abs() > SEND_MS_MAX);
        if was_set {
            self.before_ms = Some(self.corrected_ms);
            self.readings.clear();
        }
        match self.readings.back_mut() {
            // Of several at once the one that was on its way for the shortest time.
            Some((last, at_ms)) if now_ms - *at_ms < READING_EVERY_MS => {
                *last = (*last).max(ahead_ms);
            }
            _ => self.readings.push_back((ahead_ms, now_ms)),
        }
        if self.readings.len() > READINGS_MAX {
            self.readings.pop_front();
        }
        self.correct(was_set);
    }

    fn correct(&mut self, was_set: bool) {
        let Some(ahead_ms) = self.median() else { return };
        let is_slow_send = (-SEND_MS_MAX..0).contains(&ahead_ms);
        if is_slow_send && self.readings.len() < READINGS_MIN && !was_set {
            return;
        }
        if ahead_ms.abs() <= if self.corrected_ms == 0 { NOTED_MS } else { RIGHT_MS } {
            self.corrected_ms = 0;
        } else if (ahead_ms - self.corrected_ms).abs() > MOVED_MS {
            self.corrected_ms = ahead_ms;
        }
    }

    fn median(&self) -> Option<i64> {
        let mut values: Vec<i64> = self.readings.iter().map(|(ahead_ms, _)| *ahead_ms).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    }
}

/// The clocks of all agents, a bounded number: the longest silent one is forgotten for a new one.
pub struct Skews {
    clocks: Mutex<HashMap<String, AgentClock>>,
    agents_max: usize,
}

impl Skews {
    pub fn new(agents_max: usize) -> Self {
        Self { clocks: Mutex::new(HashMap::new()), agents_max }
    }

    /// A batch that was made at `created_ms` and sent at `sent_ms`, both by its agent's clock,
    /// arrives.
    pub fn note(&self, agent: &str, created_ms: i64, sent_ms: Option<i64>, now_ms: i64) -> Skew {
        let ahead_ms = sent_ms.map(|sent_ms| sent_ms.saturating_sub(now_ms));
        let Some(ahead_ms) = ahead_ms.filter(|ahead| ahead.unsigned_abs() < AHEAD_MS_MAX as u64)
        else {
            return Skew::default();
        };
        let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        if !clocks.contains_key(agent) && clocks.len() >= self.agents_max.max(1) {
            let silent = clocks.iter().min_by_key(|(_, clock)| clock.heard_ms);
            if let Some(silent) = silent.map(|(agent, _)| agent.clone()) {
                clocks.remove(&silent);
            }
        }
        let clock = clocks.entry(agent.to_owned()).or_default();
        clock.read(ahead_ms, now_ms);
        let (ahead_ms, sent_ms) = (clock.median(), now_ms + ahead_ms);
        // Made later than it was sent: the clock was set back while the batch waited.
        let is_older = created_ms.saturating_sub(sent_ms) > NOTED_MS;
        let corrected_ms = clock.before_ms.filter(|_| is_older).unwrap_or(clock.corrected_ms);
        Skew { ahead_ms, corrected_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: i64 = 60_000;

    /// Corrections of batches that are sent every 10 s by a clock that is ahead by so much.
    fn corrections(ahead: &[i64]) -> Vec<i64> {
        let skews = Skews::new(10);
        let note = |(n, ahead_ms): (usize, &i64)| {
            let now_ms = 1_000_000_000 + n as i64 * 10_000;
            let sent_ms = now_ms + ahead_ms;
            skews.note("a", sent_ms, Some(sent_ms), now_ms).corrected_ms
        };
        ahead.iter().enumerate().map(note).collect()
    }

    #[test]
    fn a_clock_that_is_far_off_is_put_right_at_once() {
        for ahead in [10 * MINUTES, -10 * MINUTES, 6_000, 40_000, -50 * 365 * 1_440 * MINUTES] {
            assert_eq!(corrections(&[ahead]), [ahead]);
        }
        assert_eq!(corrections(&[5_000, -5_000, 0]), [0, 0, 0], "up to 5 s nothing is touched");
    }

    #[test]
    fn one_slow_send_moves_nothing() {
        assert_eq!(corrections(&[-20_000, 0, 0]), [0, 0, 0], "not the first one either");
        assert_eq!(corrections(&[0, 0, -20_000, 0, -15_000, 0]), [0; 6]);
        let far = 10 * MINUTES;
        assert_eq!(corrections(&[far, far, far - 20_000, far, far - 15_000]), [far; 5]);
        let behind = corrections(&[-8_000, -8_000, -8_000, -8_000]);
        assert_eq!(behind, [0, 0, -8_000, -8_000], "that many are no accident");
    }

    #[test]
    fn a_correction_is_steady() {
        let jitter = [60_000, 60_300, 59_800, 60_900, 59_200, 60_500];
        assert_eq!(corrections(&jitter), [60_000; 6]);
        let at_the_limit = [5_100, 4_900, 5_100, 4_800, 5_050];
        assert_eq!(corrections(&at_the_limit), [5_100; 5]);
        let drift: Vec<i64> = (0..20).map(|n| 60_000 + n * 500).collect();
        let followed = corrections(&drift);
        let lag = drift.iter().zip(&followed).map(|(now, then)| now - then).max();
        assert!(lag.is_some_and(|lag| lag <= 3_000), "{followed:?}");
    }

    #[test]
    fn a_clock_that_is_set_is_believed_at_once() {
        let far = 10 * MINUTES;
        assert_eq!(corrections(&[far, far, far, 0, 0]), [far, far, far, 0, 0]);
        assert_eq!(corrections(&[0, 0, 0, -far, -far]), [0, 0, 0, -far, -far]);
    }

    #[test]
    fn what_waited_while_the_clock_was_set_back_is_put_right_as_before() {
        let skews = Skews::new(10);
        let (now_ms, far) = (1_000_000_000, 10 * MINUTES);
        assert_eq!(skews.note("a", now_ms, Some(now_ms + far), now_ms).corrected_ms, far);
        let now_ms = now_ms + 10_000;
        let waited = skews.note("a", now_ms - 5_000 + far, Some(now_ms), now_ms);
        assert_eq!((waited.corrected_ms, waited.ahead_ms), (far, Some(0)));
        assert_eq!(skews.note("a", now_ms, Some(now_ms), now_ms).corrected_ms, 0);
    }

    #[test]
    fn windows_are_shifted_by_whole_windows() {
        let shift =
            |corrected_ms, window_ms| Skew { ahead_ms: None, corrected_ms }.of_windows(window_ms);
        let cases = [
            (600_400, 10_000, 600_000),
            (-600_400, 10_000, -600_000),
            (5_100, 10_000, 10_000),
            (-14_900, 10_000, -10_000),
            (14_900, 60_000, 0),
            (600_400, 1_000, 600_000),
            (0, 10_000, 0),
        ];
        for (corrected_ms, window_ms, expected) in cases {
            assert_eq!(shift(corrected_ms, window_ms), expected, "{corrected_ms} {window_ms}");
        }
    }

    #[test]
    fn who_does_not_say_is_not_corrected_and_their_number_is_bounded() {
        let skews = Skews::new(2);
        assert_eq!(skews.note("a", 0, None, 1_000), Skew::default());
        assert_eq!(skews.note("a", 0, Some(i64::MAX), -1), Skew::default(), "no clock");
        for (now_ms, agent) in ["a", "b", "c"].into_iter().enumerate() {
            skews.note(agent, 0, Some(0), now_ms as i64);
        }
        let clocks = skews.clocks.lock().unwrap();
        assert!(clocks.len() == 2 && !clocks.contains_key("a"));
    }
}
