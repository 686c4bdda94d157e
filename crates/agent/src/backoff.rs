//! How long to wait before the next attempt.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// A server that asks for more is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// Doubling waits with jitter, so that agents which lost a server together do not return
/// together.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure; `random` is anything evenly spread over 0..=u16::MAX.
    pub fn next(&mut self, retry_after: Option<Duration>, random: u16) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // half of the wait is fixed, half is spread
        let spread = doubled.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u16::MAX));
        match retry_after {
            Some(asked) => asked.min(RETRY_AFTER_MAX).max(spread),
            None => spread,
        }
    }
}

/// A random number; without a source of randomness agents merely return together.
pub fn random() -> u16 {
    let mut bytes = [0u8; 2];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u16::from_ne_bytes(bytes),
        Err(_) => u16::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> =
            (0..10).map(|_| backoff.next(None, u16::MAX).as_millis() as u64).collect();
        assert_eq!(waits[..4], [500, 1_000, 2_000, 4_000]);
        assert_eq!(waits[9], 60_000);
        backoff.reset();
        assert_eq!(backoff.next(None, 0), Duration::from_millis(250));
    }

    #[test]
    fn the_server_may_ask_for_more_within_reason() {
        let mut backoff = Backoff::default();
        let asked = |s| Some(Duration::from_secs(s));
        assert_eq!(backoff.next(asked(30), 0), Duration::from_secs(30));
        assert_eq!(backoff.next(asked(86_400), 0), RETRY_AFTER_MAX);
        assert_eq!(backoff.next(asked(0), 0), Duration::from_millis(1_000));
    }
}
