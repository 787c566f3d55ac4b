//! The price process behind a symbol: a random walk whose volatility comes in clusters, and a
//! spread that returns to its mean.

use super::chance::{Chance, ONE};

/// Fixed-point digits below a tick.
const FRACTION: u32 = 20;
/// Variance, as a multiple of its mean in units of [`ONE`]: bounds of the clustering.
const VARIANCE: (i64, i64) = (ONE / 8, ONE * 16);

/// Where the market makers of a symbol want their best prices to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Best bid, in ticks.
    pub(super) bid: i64,
    /// Best ask, in ticks; above the bid.
    pub(super) ask: i64,
}

/// The price process of one symbol. Prices are ticks with 20 binary digits below the point.
#[derive(Debug)]
pub(super) struct FairPrice {
    price: i64,
    anchor: i64,
    deviation: i64,
    variance: i64,
    spread: i64,
    mean_spread: i64,
}

impl FairPrice {
    /// A process that starts at `start_ticks` and stays within half and twice that. A step
    /// deviates by one in 10 000 of the price for every second that actions are apart
    /// (`action_gap`, in nanoseconds), growing with its square root as a random walk does, but
    /// by no more than the `spacing` of the book's levels: the book has to keep up.
    pub(super) fn new(start_ticks: i64, spacing: i64, action_gap: u64) -> Self {
        let anchor = start_ticks << FRACTION;
        let root = i64::try_from(action_gap.isqrt()).unwrap_or(i64::MAX).min(1 << 20);
        let second_root = 1_000_000_000_i64.isqrt();
        let deviation = (anchor / 10_000 / second_root).saturating_mul(root);
        let mean_spread = spacing << FRACTION;
        Self {
            price: anchor,
            anchor,
            deviation: deviation.clamp(1, mean_spread),
            variance: ONE,
            spread: mean_spread,
            mean_spread,
        }
    }

    /// One step of price, volatility and spread.
    pub(super) fn step(&mut self, chance: &mut Chance) {
        let shock = chance.normal();
        let volatility = (self.variance * ONE).isqrt();
        // Below 2^24 · 2^18 · 2^18: far from overflow.
        let move_by = (self.deviation * volatility * shock) >> 32;
        // A pull too weak to be seen within an hour keeps a long run near its start.
        let pull = (self.anchor - self.price) / (1 << 20);
        self.price = (self.price + move_by + pull).clamp(self.anchor / 2, self.anchor * 2);

        // A large shock makes the next ones large (the GARCH(1,1) recursion).
        let surprise = self.variance * ((shock * shock) / ONE - ONE) / ONE;
        self.variance += surprise / 32 + (ONE - self.variance) / 256;
        self.variance = self.variance.clamp(VARIANCE.0, VARIANCE.1);

        // Makers ask for more when prices move more.
        let wanted = self.mean_spread / 2 + ((self.mean_spread * volatility) >> 17);
        let noise = (self.mean_spread / 8 * chance.normal()) >> 16;
        self.spread += (wanted - self.spread) / 16 + noise;
        self.spread = self.spread.clamp(0, self.mean_spread * 8);
    }

    /// The quotes that fit the present price and spread.
    pub(super) fn target(&self) -> Target {
        let bid = (self.price - self.spread / 2) >> FRACTION;
        let ask = (self.price + self.spread / 2) >> FRACTION;
        Target { bid, ask: (ask + 1).max(bid + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: u64 = 10_000_000;

    #[test]
    fn targets_are_never_crossed_and_spreads_return_to_their_mean() {
        let mut chance = Chance::new(1, "sim", 0);
        let mut fair = FairPrice::new(974_120, 4, GAP);
        let mut sum = 0;
        for _ in 0..20_000 {
            fair.step(&mut chance);
            let target = fair.target();
            assert!(target.bid < target.ask);
            sum += target.ask - target.bid;
        }
        assert!((3 * 20_000..7 * 20_000).contains(&sum), "{sum}");
    }

    #[test]
    fn the_walk_is_as_wide_as_asked() {
        // 100 steps of 10 ms: one part in 10 000 of 974 120 ticks is 97; the cap is not reached.
        let mut chance = Chance::new(2, "sim", 0);
        let mut squares = 0;
        let rounds = 2_000;
        for _ in 0..rounds {
            let mut fair = FairPrice::new(974_120, 40, GAP);
            (0..100).for_each(|_| fair.step(&mut chance));
            squares += ((fair.price - fair.anchor) >> FRACTION).pow(2);
        }
        let deviation = (squares / rounds).isqrt();
        assert!((85..110).contains(&deviation), "{deviation}");
    }

    #[test]
    fn volatility_comes_in_clusters() {
        let mut chance = Chance::new(3, "sim", 0);
        let mut fair = FairPrice::new(974_120, 4, GAP);
        let mut sizes = Vec::new();
        for _ in 0..50_000 {
            let before = fair.price;
            fair.step(&mut chance);
            sizes.push(f64::from(((fair.price - before) >> 8) as i32).abs());
        }
        let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
        let product = |lag: usize| {
            let pairs = sizes.iter().zip(&sizes[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>()
        };
        assert!(product(1) > product(0) * 0.05, "{} {}", product(1), product(0));
    }

    #[test]
    fn prices_stay_within_half_and_twice_the_start() {
        let mut chance = Chance::new(4, "sim", 0);
        let mut fair = FairPrice::new(1_234, 1, u64::MAX);
        for _ in 0..200_000 {
            fair.step(&mut chance);
            assert!((610..2_480).contains(&fair.target().bid));
        }
    }
}
