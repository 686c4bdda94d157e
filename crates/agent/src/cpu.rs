//! The agent's own use of CPU, and what is done when it is too much.
//!
//! Owns measuring and deciding; what is given up is [`crate::requests`]' business. Deciding is
//! pure: use comes in, what to read comes out.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::thread::gettid;

/// Of so many exchanges at least one is read, however busy: fewer would say little of paths.
const ONE_IN_MAX: u64 = 64;
/// More than reading an exchange costs, so that reading more is never regretted at once.
const EXCHANGE_COST_MAX: Duration = Duration::from_micros(20);

/// Run time of the agent's threads.
#[derive(Debug, Default)]
pub struct CpuClock {
    threads: Mutex<Vec<i32>>,
}

impl CpuClock {
    /// Counts the calling thread from now on.
    pub fn enter(&self) {
        let id = gettid().as_raw_nonzero().get();
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    /// User and system time of all threads that entered and still run.
    pub fn used(&self) -> Duration {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.iter().filter_map(|id| run_time(*id)).sum()
    }
}

/// The scheduler's own account of a thread, exact to the nanosecond.
fn run_time(thread: i32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// What a window cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub used: Duration,
    pub took: Duration,
    /// Exchanges that were read.
    pub read: u64,
}

impl Load {
    /// Use in per cent of one core.
    pub fn percent(&self) -> f64 {
        100.0 * self.used.as_secs_f64() / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Decides how much is read.
#[derive(Debug)]
pub struct Throttle {
    cpu_max_percent: u32,
    one_in: u64,
}

impl Throttle {
    /// The limit is in per cent of one core.
    pub fn new(cpu_max_percent: u32) -> Self {
        Self { cpu_max_percent, one_in: 1 }
    }

    /// Of how many exchanges one is to be read in the next window.
    ///
    /// Past the limit fewer are read, at once by as much as the limit is passed. Twice as many are
    /// read again when that cannot pass it. What reading has little to do with, reading less does
    /// not help.
    pub fn after(&mut self, load: &Load) -> u64 {
        let limit = load.took * self.cpu_max_percent / 100;
        let read = u32::try_from(load.read).unwrap_or(u32::MAX);
        let reading = EXCHANGE_COST_MAX.saturating_mul(read).min(load.used);
        let is_little = reading <= limit / 10;
        if load.used > limit && !is_little {
            let times = load.used.as_nanos().div_ceil(limit.as_nanos().max(1));
            let times = u64::try_from(times).unwrap_or(ONE_IN_MAX).clamp(2, ONE_IN_MAX);
            self.one_in = (self.one_in * times.next_power_of_two()).min(ONE_IN_MAX);
            return self.one_in;
        }
        if load.used + reading <= limit || is_little {
            self.one_in = (self.one_in / 2).max(1);
        }
        self.one_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays windows of a second: per cent of a core, exchanges read, what is expected.
    fn check(cpu_max_percent: u32, windows: &[(u64, u64, u64)]) {
        let mut throttle = Throttle::new(cpu_max_percent);
        for (at, (percent, read, expected)) in windows.iter().enumerate() {
            let used = Duration::from_millis(percent * 10);
            let load = Load { used, took: Duration::from_secs(1), read: *read };
            assert_eq!(throttle.after(&load), *expected, "window {at} of {windows:?}");
        }
    }

    #[test]
    fn what_is_read_follows_the_limit() {
        check(50, &[(10, 100_000, 1), (50, 100_000, 1)]);
        // over by a little, by much, by far
        check(50, &[(51, 100_000, 2)]);
        check(50, &[(130, 100_000, 4)]);
        check(1, &[(90, 100_000, 64), (90, 1_500, 64)]);
        // in between nothing changes; below half it recovers step by step
        check(50, &[(130, 100_000, 4), (40, 25_000, 4), (25, 25_000, 2), (26, 50_000, 2)]);
        // nothing left to read: it recovers although the rest of the agent needs most of the limit
        check(2, &[(90, 100_000, 64), (2, 0, 32), (2, 0, 16), (2, 0, 8)]);
        check(2, &[(90, 100_000, 64), (5, 0, 32), (5, 90, 16), (5, 1_500, 64)]);
        // what is too much has other causes
        check(2, &[(3, 10, 1), (90, 90, 1)]);
    }

    #[test]
    fn a_thread_that_works_is_seen() {
        let clock = CpuClock::default();
        assert_eq!(clock.used(), Duration::ZERO);
        clock.enter();
        let before = clock.used();
        let mut sum = 0_u64;
        while clock.used() < before + Duration::from_millis(5) {
            sum = (0..100_000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
    }
}
