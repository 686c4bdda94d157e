//! Latency quantiles that may be added up: over windows, agents and levels, in any order.
//!
//! Owns the bucket bounds and the stored form. Sums and counts beside the sketch are columns of
//! their own; what is kept here answers only "how long did the slowest 5 % take".
//!
//! The shape is DDSketch's (Masson, Rim, Lee: "DDSketch", VLDB 2019): buckets that grow by a
//! constant factor, so that every estimate has the same *relative* error. The bounds are integers
//! made by integer arithmetic, so that every machine puts a value into the same bucket.

/// Longest value that is told apart, in microseconds: 71 minutes. Longer ones count as this.
pub const SKETCH_US_MAX: u64 = 1 << 32;

/// A bucket's last value is at most 8 % above its first (see [`bounds`]).
const GROWTH_PERCENT: u64 = 108;
const BUCKETS: usize = count_buckets();
const _: () = assert!(BUCKETS < 300, "the documented bound of a sketch's memory");
/// The last value of each bucket; bucket 0 is the value 1 alone.
const LAST_US: [u64; BUCKETS] = bounds();
/// Powers of two up to the longest value.
const POWERS: usize = SKETCH_US_MAX.ilog2() as usize + 1;
const FIRST: [u16; POWERS + 1] = first_buckets();

/// First byte of the stored form. A change of the bounds is a new version.
const VERSION: u8 = 1;

/// A histogram of latencies in microseconds with a relative error below 3.9 %.
///
/// Bucket `i` holds the values from `a = LAST_US[i - 1] + 1` to `b = LAST_US[i]`, where
/// `b <= 1.08 a`. Its estimate `2ab / (a + b)` is wrong by at most `(b - a) / (b + a)`, which is
/// `0.08 / 2.08` = 3.85 % of the true value. Up to 25 us every value has a bucket of its own.
/// Merging adds counts bucket by bucket, so the bound holds after any merge.
///
/// There are fewer than 300 buckets, which bounds the memory of one sketch to 5 KB; usually it
/// has ten to fifty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Sorted by bucket, no bucket twice, no count 0.
    buckets: Vec<(u16, u64)>,
}

/// Why bytes are not a sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SketchError {
    /// Written by a version that this one does not know.
    Version(u8),
    /// Cut short, or with bytes too many.
    Length,
    /// A bucket that does not exist or is out of order, a count of 0, a number too large.
    Value,
}

impl std::fmt::Display for SketchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "a latency sketch of version {version}, known is {VERSION}")
            }
            Self::Length => f.write_str("a latency sketch of the wrong length"),
            Self::Value => f.write_str("a latency sketch with an impossible bucket or count"),
        }
    }
}

impl std::error::Error for SketchError {}

impl Sketch {
    /// Counts one latency. 0 counts as 1 us.
    pub fn add(&mut self, value_us: u64) {
        self.add_n(value_us, 1);
    }

    /// Counts a latency that stands for `n` requests.
    pub fn add_n(&mut self, value_us: u64, n: u64) {
        if n == 0 {
            return;
        }
        let value_us = value_us.min(SKETCH_US_MAX);
        self.add_to(0, bucket_of(value_us), n);
    }

    /// Counts everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
            return;
        }
        let mut from = 0;
        for (bucket, count) in &other.buckets {
            from = self.add_to(from, *bucket, *count) + 1;
        }
    }

    /// Makes it stand for `count` latencies that are distributed as those counted; exactly so
    /// many, unless none was counted.
    pub fn scale_to(&mut self, count: u64) {
        let from = u128::from(self.count().max(1));
        let share = |below: u64| u128::from(below) * u128::from(count) / from;
        let mut below = 0u64;
        for (_, bucket_count) in &mut self.buckets {
            let before = share(below);
            below = below.saturating_add(*bucket_count);
            // a share of `count` is at most that
            *bucket_count = (share(below) - before) as u64;
        }
        self.buckets.retain(|(_, bucket_count)| *bucket_count > 0);
    }

    /// Adds to a bucket that stands at `from` or later; says where it stands.
    fn add_to(&mut self, from: usize, bucket: u16, count: u64) -> usize {
        let at = from + self.buckets[from..].partition_point(|(b, _)| *b < bucket);
        match self.buckets.get_mut(at) {
            Some((b, sum)) if *b == bucket => *sum = sum.saturating_add(count),
            _ => self.buckets.insert(at, (bucket, count)),
        }
        at
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Bytes of memory that the buckets take.
    pub fn memory_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<(u16, u64)>()
    }

    /// The latency in microseconds that the share `q` (0 to 1) of all does not exceed: the
    /// estimate of the value of rank `ceil(q * count)`, with a relative error below 3.9 %.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if self.is_empty() || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = ((q * self.count() as f64).ceil() as u64).max(1);
        let mut below = 0u64;
        let reached = self.buckets.iter().find(|(_, count)| {
            below = below.saturating_add(*count);
            below >= rank
        });
        // Rounding in floating point may ask for a rank above the count.
        reached.or(self.buckets.last()).map(|(bucket, _)| estimate_us(*bucket))
    }

    /// The stored form: version, number of buckets, then for each the distance to the one before
    /// and the count, all but the version as LEB128.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 + self.buckets.len() * 3);
        out.push(VERSION);
        put(&mut out, self.buckets.len() as u64);
        let mut next = 0;
        for (bucket, count) in &self.buckets {
            put(&mut out, u64::from(*bucket) - next);
            put(&mut out, *count);
            next = u64::from(*bucket) + 1;
        }
        out
    }

    /// The inverse of [`Self::encode`]. Takes nothing else: one sketch has one stored form.
    pub fn decode(bytes: &[u8]) -> Result<Self, SketchError> {
        let (version, mut rest) = bytes.split_first().ok_or(SketchError::Length)?;
        if *version != VERSION {
            return Err(SketchError::Version(*version));
        }
        let length = take(&mut rest)?;
        if length > BUCKETS as u64 {
            return Err(SketchError::Value);
        }
        let mut buckets = Vec::with_capacity(length as usize);
        let mut next = 0u64;
        for _ in 0..length {
            let bucket = next.checked_add(take(&mut rest)?).ok_or(SketchError::Value)?;
            let count = take(&mut rest)?;
            if bucket >= BUCKETS as u64 || count == 0 {
                return Err(SketchError::Value);
            }
            buckets.push((bucket as u16, count));
            next = bucket + 1;
        }
        if rest.is_empty() { Ok(Self { buckets }) } else { Err(SketchError::Length) }
    }
}

/// Where a value belongs: among the few buckets of its power of two.
fn bucket_of(value_us: u64) -> u16 {
    let bits = value_us.max(1).ilog2() as usize;
    let from = usize::from(FIRST[bits]);
    let few = &LAST_US[from..=usize::from(FIRST[bits + 1])];
    (from + few.partition_point(|last| *last < value_us)) as u16
}

/// What stands for every value of a bucket: the harmonic mean of its first and last, whose
/// relative error is the same at both.
fn estimate_us(bucket: u16) -> f64 {
    let bucket = usize::from(bucket).min(BUCKETS - 1);
    let first = if bucket == 0 { 1 } else { LAST_US[bucket - 1] + 1 } as f64;
    let last = LAST_US[bucket] as f64;
    2.0 * first * last / (first + last)
}

const fn next_bound(last: u64) -> u64 {
    let next = last * GROWTH_PERCENT / 100;
    let next = if next > last { next } else { last + 1 };
    if next < SKETCH_US_MAX { next } else { SKETCH_US_MAX }
}

const fn count_buckets() -> usize {
    let (mut last, mut count) = (1, 1);
    while last < SKETCH_US_MAX {
        last = next_bound(last);
        count += 1;
    }
    count
}

const fn bounds() -> [u64; BUCKETS] {
    let mut out = [1; BUCKETS];
    let mut i = 1;
    while i < BUCKETS {
        out[i] = next_bound(out[i - 1]);
        i += 1;
    }
    out
}

/// The bucket of each power of two.
const fn first_buckets() -> [u16; POWERS + 1] {
    let mut out = [0; POWERS + 1];
    let (mut power, mut bucket) = (0, 0);
    while power <= POWERS {
        while bucket < BUCKETS - 1 && LAST_US[bucket] < 1 << power {
            bucket += 1;
        }
        out[power] = bucket as u16;
        power += 1;
    }
    out
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, SketchError> {
    let mut value = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(SketchError::Length)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits || (*byte == 0 && shift > 0) {
            return Err(SketchError::Value);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(SketchError::Value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ERROR_MAX: f64 = 0.039;

    fn sketch_of(values: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.add(*value);
        }
        sketch
    }

    fn check_quantiles(sketch: &Sketch, mut values: Vec<u64>) {
        values.sort_unstable();
        for q in [0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1] as f64;
            let found = sketch.quantile(q).expect("values were added");
            let error = (found - exact).abs() / exact;
            assert!(error <= ERROR_MAX, "q {q}: {found} for {exact}, error {error}");
        }
    }

    /// Latencies as they come: every order of magnitude as likely as any other.
    fn latency() -> impl Strategy<Value = u64> {
        (0u32..32, any::<u32>())
            .prop_map(|(bits, low)| (1u64 << bits) + u64::from(low) % (1 << bits))
    }

    proptest! {
        #[test]
        fn quantiles_are_within_the_bound(values in prop::collection::vec(latency(), 1..2000)) {
            check_quantiles(&sketch_of(&values), values);
        }

        #[test]
        fn merging_changes_nothing_in_any_order(
            parts in prop::collection::vec(prop::collection::vec(latency(), 0..200), 1..8),
            turn in any::<prop::sample::Index>(),
        ) {
            let all: Vec<u64> = parts.iter().flatten().copied().collect();
            let mut sketches: Vec<Sketch> = parts.iter().map(|part| sketch_of(part)).collect();
            sketches.rotate_left(turn.index(parts.len()));
            let mut forth = Sketch::default();
            sketches.iter().for_each(|sketch| forth.merge(sketch));
            let mut back = Sketch::default();
            sketches.iter().rev().for_each(|sketch| back.merge(sketch));
            prop_assert_eq!(&forth, &back);
            prop_assert_eq!(&forth, &sketch_of(&all));
            prop_assert_eq!(forth.count(), all.len() as u64);
            if !all.is_empty() {
                check_quantiles(&forth, all);
            }
        }

        #[test]
        fn what_is_encoded_is_decoded(
            values in prop::collection::vec((latency(), 1u64..=u64::MAX), 0..300),
        ) {
            let mut sketch = Sketch::default();
            values.iter().for_each(|(value, n)| sketch.add_n(*value, *n));
            let bytes = sketch.encode();
            prop_assert_eq!(Sketch::decode(&bytes), Ok(sketch));
            prop_assert!(Sketch::decode(&bytes[..bytes.len() / 2]).is_err());
            prop_assert!(Sketch::decode(&bytes[..bytes.len() - 1]).is_err());
        }

        #[test]
        fn garbage_is_refused_or_is_the_one_form(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(sketch) = Sketch::decode(&bytes) {
                prop_assert_eq!(sketch.encode(), bytes);
            }
        }
    }

    #[test]
    fn the_ends_of_the_scale() {
        for (values, expected) in
            [(&[0, 1][..], 1.0), (&[25], 25.0), (&[u64::MAX], SKETCH_US_MAX as f64)]
        {
            let found = sketch_of(values).quantile(1.0).expect("a value");
            assert!((found - expected).abs() <= expected * ERROR_MAX, "{found} for {expected}");
        }
        let worst = (0..BUCKETS)
            .map(|i| {
                let last = LAST_US[i] as f64;
                (estimate_us(i as u16) - last).abs() / last
            })
            .fold(0.0, f64::max);
        assert!(worst < ERROR_MAX, "{worst}");
    }

    #[test]
    fn a_value_is_in_the_first_bucket_that_is_not_below_it() {
        let around = |n: u64| [n.saturating_sub(1), n, n + 1];
        let powers = (0..=SKETCH_US_MAX.ilog2()).map(|power| 1 << power);
        for value in LAST_US.into_iter().chain(powers).flat_map(around) {
            let value = value.min(SKETCH_US_MAX);
            let expected = LAST_US.partition_point(|last| *last < value);
            assert_eq!(usize::from(bucket_of(value)), expected, "{value}");
        }
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Sketch::default().quantile(0.5), None);
        assert_eq!(sketch_of(&[5]).quantile(f64::NAN), None);
        assert_eq!(sketch_of(&[5]).quantile(1.5), None);
        assert_eq!(Sketch::decode(&Sketch::default().encode()), Ok(Sketch::default()));
    }

    #[test]
    fn bytes_that_are_no_sketch() {
        for (name, bytes, expected) in [
            ("nothing", &[][..], SketchError::Length),
            ("later version", &[2, 0], SketchError::Version(2)),
            ("trailing byte", &[1, 0, 0], SketchError::Length),
            ("cut short", &[1, 1, 5], SketchError::Length),
            ("count 0", &[1, 1, 5, 0], SketchError::Value),
            ("no such bucket", &[1, 1, 0xff, 0x7f, 1], SketchError::Value),
            ("too many buckets", &[1, 0xff, 0xff, 0xff, 0x0f], SketchError::Value),
            ("number in two ways", &[1, 1, 0x85, 0x00, 1], SketchError::Value),
            (
                "more than 64 bits",
                &[1, 1, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                SketchError::Value,
            ),
        ] {
            assert_eq!(Sketch::decode(bytes), Err(expected), "{name}");
        }
    }

    #[test]
    fn scaling_keeps_the_shape_and_meets_the_count() {
        for count in [0, 1, 2, 7, 30, 1_000_003] {
            let mut sketch = Sketch::default();
            [10, 20, 20, 3_000, 3_000, 3_000].into_iter().for_each(|us| sketch.add(us));
            let of_all = |sketch: &Sketch, us: u64| {
                let bucket = LAST_US.partition_point(|last| *last < us) as u16;
                let found = sketch.buckets.iter().find(|(known, _)| *known == bucket);
                found.map_or(0, |(_, count)| *count)
            };
            sketch.scale_to(count);
            assert_eq!(sketch.count(), count);
            for (us, sixths) in [(10, 1), (20, 2), (3_000, 3)] {
                assert!(of_all(&sketch, us).abs_diff(count * sixths / 6) <= 1, "{us} of {count}");
            }
            assert_eq!(Sketch::decode(&sketch.encode()), Ok(sketch));
        }
        let mut none = Sketch::default();
        none.scale_to(9);
        assert!(none.is_empty());
    }
}
