//! The two clocks, and the one place where one is turned into the other.

use rustix::time::{ClockId, clock_gettime};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// `CLOCK_MONOTONIC`, nanoseconds: the kernel's `bpf_ktime_get_ns`.
    pub mono_ns: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub unix_ms: i64,
}

impl Moment {
    pub fn now() -> Self {
        let mono = clock_gettime(ClockId::Monotonic);
        let wall = clock_gettime(ClockId::Realtime);
        let mono_ns = mono.tv_sec as u64 * 1_000_000_000 + mono.tv_nsec as u64;
        Self { mono_ns, unix_ms: wall.tv_sec * 1000 + wall.tv_nsec / 1_000_000 }
    }

    /// The wall time of another moment of the monotonic clock, as the clocks stand now.
    pub fn unix_ms_of(&self, mono_ns: u64) -> i64 {
        let ahead_ns = i128::from(mono_ns) - i128::from(self.mono_ns);
        self.unix_ms.saturating_add(i64::try_from(ahead_ns / 1_000_000).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_times_become_wall_times() {
        let now = Moment { mono_ns: 5_000_000_000, unix_ms: 1_700_000_000_000 };
        assert_eq!(now.unix_ms_of(5_000_000_000), 1_700_000_000_000);
        assert_eq!(now.unix_ms_of(4_000_000_000), 1_699_999_999_000);
        assert_eq!(now.unix_ms_of(5_250_000_000), 1_700_000_000_250);
        assert_eq!(now.unix_ms_of(0), 1_699_999_995_000);
    }
}
