//! A few of many, each equally likely to be kept, each with the number that it stands for.
//!
//! Vitter's algorithm R: of `n` offered, `min(n, max)` are kept.

use crate::requests::random::Random;

/// Keeps at most `max` of what it is offered.
#[derive(Debug)]
pub struct Reservoir<T> {
    kept: Vec<T>,
    offered: u64,
    /// There were so many more, which could not be offered.
    unseen: u64,
    max: usize,
    random: Random,
}

impl<T> Reservoir<T> {
    /// The seed must not be known to whoever makes the traffic, or he could choose what is kept.
    pub fn new(max: usize, seed: u64) -> Self {
        Self { kept: Vec::new(), offered: 0, unseen: 0, max, random: Random::new(seed) }
    }

    /// Offers one; it is made only when it is kept.
    pub fn offer(&mut self, make: impl FnOnce() -> T) {
        self.offered += 1;
        if self.kept.len() < self.max {
            self.kept.push(make());
            return;
        }
        let at = self.random.below(self.offered);
        if let Some(old) = self.kept.get_mut(usize::try_from(at).unwrap_or(usize::MAX)) {
            *old = make();
        }
    }

    /// What is kept stands for `count` more.
    pub fn stand_for(&mut self, count: u64) {
        self.unseen = self.unseen.saturating_add(count);
    }

    /// What was kept, with weights that add up to what was offered and what it stands for besides;
    /// empty afterwards.
    pub fn take(&mut self) -> Vec<(T, u32)> {
        let offered = std::mem::take(&mut self.offered);
        let all = offered.saturating_add(std::mem::take(&mut self.unseen));
        let kept = std::mem::take(&mut self.kept);
        let count = kept.len().max(1) as u64;
        let (each, rest) = (all / count, all % count);
        let weight = |at: usize| u32::try_from(each + u64::from((at as u64) < rest));
        kept.into_iter()
            .enumerate()
            .map(|(at, one)| (one, weight(at).unwrap_or(u32::MAX)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_what_was_offered() {
        for offered in [0, 1, 9, 10, 11, 25, 1_003] {
            let mut reservoir = Reservoir::new(10, 7);
            (0..offered).for_each(|n| reservoir.offer(|| n));
            let kept = reservoir.take();
            assert_eq!(kept.len() as u64, offered.min(10));
            assert_eq!(kept.iter().map(|(_, weight)| u64::from(*weight)).sum::<u64>(), offered);
            assert!(reservoir.take().is_empty());

            (0..offered).for_each(|n| reservoir.offer(|| n));
            reservoir.stand_for(77);
            let all: u64 = reservoir.take().iter().map(|(_, weight)| u64::from(*weight)).sum();
            assert_eq!(all, if offered == 0 { 0 } else { offered + 77 }, "those not seen as well");
        }
    }

    #[test]
    fn each_is_as_likely_to_be_kept() {
        let mut hits = [0_u32; 100];
        let mut reservoir = Reservoir::new(10, 99);
        for _ in 0..5_000 {
            (0..100_usize).for_each(|n| reservoir.offer(|| n));
            reservoir.take().iter().for_each(|(n, _)| hits[*n] += 1);
        }
        let (least, most) = (hits.iter().min().unwrap(), hits.iter().max().unwrap());
        assert!(*least > 400 && *most < 600, "{least} to {most}, expected about 500");
    }
}
