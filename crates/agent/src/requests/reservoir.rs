//! A few of many, each equally likely to be kept, each with the number that it stands for.
//!
//! Vitter's algorithm R: of `n` offered, `min(n, max)` are kept.

/// Keeps at most `max` of what it is offered.
#[derive(Debug)]
pub struct Reservoir<T> {
    kept: Vec<T>,
    offered: u64,
    max: usize,
    random: u64,
}

impl<T> Reservoir<T> {
    /// The seed must not be known to whoever makes the traffic, or he could choose what is kept.
    pub fn new(max: usize, seed: u64) -> Self {
        Self { kept: Vec::new(), offered: 0, max, random: seed | 1 }
    }

    /// Offers one; it is made only when it is kept.
    pub fn offer(&mut self, make: impl FnOnce() -> T) {
        self.offered += 1;
        if self.kept.len() < self.max {
            self.kept.push(make());
            return;
        }
        let at = (u128::from(self.next_random()) * u128::from(self.offered)) >> 64;
        if let Some(old) = self.kept.get_mut(at as usize) {
            *old = make();
        }
    }

    /// What was kept, with weights that add up to what was offered; empty afterwards.
    pub fn take(&mut self) -> Vec<(T, u32)> {
        let offered = std::mem::take(&mut self.offered);
        let kept = std::mem::take(&mut self.kept);
        let count = kept.len().max(1) as u64;
        let (each, rest) = (offered / count, offered % count);
        let weight = |at: usize| u32::try_from(each + u64::from((at as u64) < rest));
        kept.into_iter()
            .enumerate()
            .map(|(at, one)| (one, weight(at).unwrap_or(u32::MAX)))
            .collect()
    }

    /// xorshift64*: good enough to choose with, and cheap.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
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
