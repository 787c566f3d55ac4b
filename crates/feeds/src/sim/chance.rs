//! The random source: ChaCha8 with integer distributions, the same on every platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Fixed-point one of the values that [`Chance::normal`] gives.
pub(super) const ONE: i64 = 1 << 16;

/// A stream of random numbers. No float is involved: a transcendental function may differ in its
/// last bit from one platform to the next, and a run must not.
#[derive(Debug)]
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    /// One of 2^64 independent streams of the generator keyed by `seed` and `venue`. Of a venue
    /// name longer than 24 bytes only the first 24 count.
    pub(super) fn new(seed: u64, venue: &str, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        for (slot, byte) in key[8..].iter_mut().zip(venue.bytes()) {
            *slot = byte;
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        Self(generator)
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The product's high half; its bias, below bound / 2^64, is out of anyone's sight.
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// Uniform in `low..=high`; `low` when the range is empty.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `percent` of 100 cases.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Close to exponential, with this mean: never negative, at most 44 times the mean.
    pub(super) fn exponential(&mut self, mean: u64) -> u64 {
        // The base-2 logarithm of a uniform number, its fraction interpolated linearly: the whole
        // part is the number of leading zero bits (mean 1), the fraction uniform (mean 1/2).
        let zeros = u128::from(self.0.next_u64().leading_zeros());
        let fraction = u128::from(self.0.next_u32());
        let logarithm = (zeros << 32) | fraction;
        let scaled = u128::from(mean) * logarithm * 2 / 3;
        u64::try_from(scaled >> 32).unwrap_or(u64::MAX)
    }

    /// Close to normal, with mean 0 and deviation [`ONE`]; within ±3.5 times that.
    pub(super) fn normal(&mut self) -> i64 {
        let bits = self.0.next_u64();
        let sum: i64 = (0..4).map(|n| ((bits >> (16 * n)) & 0xffff) as i64).sum();
        // Four uniform numbers deviate by 1/sqrt(3) of their range: 113_512 / 2^16 is sqrt(3).
        ((sum - 2 * 0xffff) * 113_512) >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_fixed_forever() {
        let mut chance = Chance::new(1, "sim", 0);
        let drawn: Vec<u64> = (0..4).map(|_| chance.below(1_000_000)).collect();
        assert_eq!(drawn, [539_594, 11_875, 245_828, 76_574]);
    }

    #[test]
    fn seed_venue_and_stream_all_matter() {
        let first = |seed, venue, stream| Chance::new(seed, venue, stream).below(u64::MAX);
        let all = [first(1, "sim", 0), first(2, "sim", 0), first(1, "sin", 0), first(1, "sim", 1)];
        for (n, value) in all.iter().enumerate() {
            assert!(!all[..n].contains(value), "{all:?}");
        }
    }

    #[test]
    fn ranges_are_kept_to_and_filled() {
        let mut chance = Chance::new(3, "sim", 0);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[usize::try_from(chance.between(3, 7) - 3).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
        assert_eq!((chance.below(0), chance.between(9, 9)), (0, 9));
    }

    #[test]
    fn means_and_deviations_are_as_promised() {
        let mut chance = Chance::new(4, "sim", 0);
        let count = 100_000;
        let mean = (0..count).map(|_| chance.exponential(1_000_000)).sum::<u64>() / count;
        assert!(mean.abs_diff(1_000_000) < 20_000, "{mean}");
        let normal: Vec<i64> = (0..count).map(|_| chance.normal()).collect();
        let mean = normal.iter().sum::<i64>() / normal.len() as i64;
        let square = normal.iter().map(|z| z * z).sum::<i64>() / normal.len() as i64;
        assert!(mean.abs() < ONE / 50, "{mean}");
        assert!((square - ONE * ONE).abs() < ONE * ONE / 50, "{square}");
        assert!(normal.iter().all(|z| z.abs() < ONE * 7 / 2));
    }
}
