//! What a simulated exchange can be asked for, and why a request is refused.

use super::{activity, listing};

/// The size and character of a simulated exchange. The same options, and the same start, give
/// the same run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOptions {
    /// Name of the venue in topics: 1 to 24 lowercase ASCII letters, digits or hyphens.
    pub venue: String,
    /// How many symbols are listed, 1 to 500. The first 40 are named after well-known pairs.
    pub symbols: usize,
    /// Mean number of updates a second over all symbols and kinds together, 1 to 1 000 000.
    /// Status and the opening books and quotes do not count.
    pub updates_per_second: u32,
    /// Price levels on each side of a book, 1 to 500.
    pub depth: usize,
    /// Any number; a different one gives a different run.
    pub seed: u64,
}

/// Why no exchange can be made of some [`SimOptions`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// The name would not fit a topic.
    #[error(
        "venue is {venue:?}: it must be 1 to {max} lowercase ASCII letters, digits or hyphens, such as \"sim\"",
        max = SimOptions::VENUE_LENGTH_MAX
    )]
    Venue {
        /// The refused name.
        venue: String,
    },
    /// No symbol, or too many.
    #[error("symbols is {given}: it must be 1 to {max}", max = SimOptions::SYMBOLS_MAX)]
    Symbols {
        /// The refused number.
        given: usize,
    },
    /// Standing still, or too fast.
    #[error(
        "updates_per_second is {given}: it must be 1 to {max}",
        max = SimOptions::UPDATES_PER_SECOND_MAX
    )]
    UpdatesPerSecond {
        /// The refused rate.
        given: u32,
    },
    /// Books without a level, or deeper than the cheapest symbol has prices for.
    #[error("depth is {given}: it must be 1 to {max} levels a side", max = SimOptions::DEPTH_MAX)]
    Depth {
        /// The refused depth.
        given: usize,
    },
}

impl SimOptions {
    /// Longest venue name, in bytes: what fits the generator's key beside the seed.
    pub const VENUE_LENGTH_MAX: usize = 24;
    /// Most symbols.
    pub const SYMBOLS_MAX: usize = 500;
    /// Highest mean rate. Catching up one second at once stays below some hundred megabytes.
    pub const UPDATES_PER_SECOND_MAX: u32 = 1_000_000;
    /// Deepest book, in levels a side. Half the lowest start price, in ticks, leaves room for it.
    pub const DEPTH_MAX: usize = 500;

    /// Checks every bound, in the order of the fields.
    ///
    /// # Errors
    /// The first field that is out of bounds.
    pub fn validate(&self) -> Result<(), SimError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=Self::VENUE_LENGTH_MAX).contains(&self.venue.len())
            || !self.venue.bytes().all(allowed)
        {
            return Err(SimError::Venue { venue: self.venue.chars().take(64).collect() });
        }
        if !(1..=Self::SYMBOLS_MAX).contains(&self.symbols) {
            return Err(SimError::Symbols { given: self.symbols });
        }
        if !(1..=Self::UPDATES_PER_SECOND_MAX).contains(&self.updates_per_second) {
            return Err(SimError::UpdatesPerSecond { given: self.updates_per_second });
        }
        if !(1..=Self::DEPTH_MAX).contains(&self.depth) {
            return Err(SimError::Depth { given: self.depth });
        }
        Ok(())
    }

    /// Mean nanoseconds between two updates of the symbol at `index` while it is calm: its share
    /// of the whole rate, less what its bursts add.
    pub(super) fn calm_period(&self, index: usize) -> u64 {
        let total: u64 = (0..self.symbols).map(listing::popularity).sum();
        let share = u128::from(self.updates_per_second) * u128::from(listing::popularity(index));
        let period = 1_000_000_000 * u128::from(total) * u128::from(activity::MEAN_WORK)
            / (share * u128::from(activity::MEAN_CYCLE));
        u64::try_from(period).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> SimOptions {
        let venue = "sim-1".to_owned();
        SimOptions { venue, symbols: 500, updates_per_second: 1, depth: 500, seed: 0 }
    }

    #[test]
    fn the_bounds_themselves_are_allowed() {
        assert_eq!(options().validate(), Ok(()));
        let venue = "a".repeat(24);
        let other =
            SimOptions { venue, symbols: 1, updates_per_second: 1_000_000, depth: 1, seed: 1 };
        assert_eq!(other.validate(), Ok(()));
    }

    #[test]
    fn a_refusal_says_what_where_and_what_would_be_right() {
        let refused = |options: SimOptions| options.validate().unwrap_err().to_string();
        for venue in ["", "Sim", "sim.x", "si m", "sím", &"a".repeat(25)] {
            let text = refused(SimOptions { venue: venue.into(), ..options() });
            assert_eq!(
                text,
                format!(
                    "venue is {venue:?}: it must be 1 to 24 lowercase ASCII letters, digits or hyphens, such as \"sim\""
                )
            );
        }
        assert_eq!(
            [0, 501].map(|symbols| refused(SimOptions { symbols, ..options() })),
            ["symbols is 0: it must be 1 to 500", "symbols is 501: it must be 1 to 500"]
        );
        assert_eq!(
            [0, 1_000_001]
                .map(|rate| refused(SimOptions { updates_per_second: rate, ..options() })),
            [
                "updates_per_second is 0: it must be 1 to 1000000",
                "updates_per_second is 1000001: it must be 1 to 1000000"
            ]
        );
        assert_eq!(
            [0, 501].map(|depth| refused(SimOptions { depth, ..options() })),
            [
                "depth is 0: it must be 1 to 500 levels a side",
                "depth is 501: it must be 1 to 500 levels a side"
            ]
        );
    }

    #[test]
    fn the_shares_add_up_to_the_calm_rate() {
        let options = SimOptions { updates_per_second: 10_000, ..options() };
        let a_second: u64 = (0..500).map(|i| 1_000_000_000_000 / options.calm_period(i)).sum();
        let expected = 10_000_000 * activity::MEAN_CYCLE / activity::MEAN_WORK;
        assert!(a_second.abs_diff(expected) < expected / 1000, "{a_second} {expected}");
    }
}
