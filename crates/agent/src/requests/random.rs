//! Numbers that nobody outside can foresee, to choose with.

/// xorshift64*: good enough to choose with, and cheap.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The seed must not be known to whoever makes the traffic, or he could choose what is kept.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `end`, each as likely; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let random = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        ((u128::from(random) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_as_likely() {
        let mut random = Random::new(42);
        let mut hits = [0_u32; 8];
        (0..80_000).for_each(|_| hits[random.below(8) as usize] += 1);
        assert!(hits.iter().all(|hits| (9_500..10_500).contains(hits)), "{hits:?}");
        assert_eq!(random.below(0), 0);
    }
}
