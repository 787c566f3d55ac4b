//! The random source of faults and traps: ChaCha8, integers only, the same on every platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Independent streams of one seed: what one draws does not move another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Which message a fault hits, and how.
    Faults,
    /// What is legal and still surprises: removals of unknown levels, a price told twice.
    Traps,
    /// Ids of connections.
    Names,
}

/// A stream of random numbers.
#[derive(Debug)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    /// One stream of `seed`.
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        // Apart from the generator of the market, whose key has the venue's name here.
        key[8..16].copy_from_slice(b"\0mischief"[..8].as_ref());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// Any number.
    pub(crate) fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The product's high half; its bias is below bound / 2^64.
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// True in `per_million` of a million cases.
    pub(crate) fn happens(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |seed, purpose| Chance::new(seed, purpose).any();
        assert_eq!(draw(7, Purpose::Faults), draw(7, Purpose::Faults));
        assert_ne!(draw(7, Purpose::Faults), draw(7, Purpose::Traps));
        assert_ne!(draw(7, Purpose::Faults), draw(8, Purpose::Faults));
    }

    #[test]
    fn a_share_is_about_that_share() {
        let mut chance = Chance::new(1, Purpose::Faults);
        let hits = (0..100_000).filter(|_| chance.happens(250_000)).count();
        assert!(hits.abs_diff(25_000) < 700, "{hits}");
        assert_eq!(chance.below(0), 0);
        assert!(!(0..1000).any(|_| chance.happens(0)));
    }
}
