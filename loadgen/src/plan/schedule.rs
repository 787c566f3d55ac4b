//! When each event is due, for rates that can be computed: constant, in bursts, ramping.

use std::ops::Range;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

/// When each event is due.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Schedule {
    /// Events a second over all topics; where the rate ramps, at the beginning.
    pub rate: f64,
    /// Events a second at the end of a ramp over the measured part.
    pub rate_to: Option<f64>,
    /// Events that are due together; the rate stays the same.
    pub burst: u64,
    /// Seconds before the measurement.
    pub warmup: f64,
    /// Seconds of the measurement.
    pub seconds: f64,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "checked: numbers of events below 10^11, times below 10^14"
)]
impl Schedule {
    /// How many events there are, the warm-up's included.
    #[must_use]
    pub fn events(&self) -> u64 {
        let mean = self.rate_to.map_or(self.rate, |to| f64::midpoint(self.rate, to));
        (self.rate * self.warmup + mean * self.seconds).round().max(1.0) as u64
    }

    /// Nanoseconds after the start at which event `k` is due.
    #[must_use]
    pub fn due(&self, k: u64) -> u64 {
        let first_of_burst = (k - k % self.burst) as f64;
        let Some(to) = self.rate_to else { return (first_of_burst / self.rate * 1e9) as u64 };
        let in_warmup = self.rate * self.warmup;
        if first_of_burst < in_warmup {
            return (first_of_burst / self.rate * 1e9) as u64;
        }
        // n(t) = rate·t + slope·t²/2, solved for t; in the form that a slope of 0 does not upset.
        let n = first_of_burst - in_warmup;
        let slope = (to - self.rate) / self.seconds;
        let root = (self.rate * self.rate + 2.0 * slope * n).max(0.0).sqrt();
        ((self.warmup + 2.0 * n / (self.rate + root)) * 1e9) as u64
    }

    /// The measured part, in nanoseconds after the start.
    #[must_use]
    pub fn measured(&self) -> Range<u64> {
        let nanoseconds = |s: f64| crate::clock::nanoseconds(Duration::from_secs_f64(s));
        nanoseconds(self.warmup)..nanoseconds(self.warmup + self.seconds)
    }

    /// Says what makes no sense.
    ///
    /// # Errors
    /// The first contradiction, with what would be right.
    pub fn check(&self) -> anyhow::Result<()> {
        let Self { rate, rate_to, burst, warmup, seconds } = *self;
        let sane = |rate: f64| rate > 0.0 && rate <= 1e6;
        ensure!(sane(rate), "--rate: above 0 and at most 1000000 events a second");
        ensure!(rate_to.is_none_or(sane), "--rate-to: above 0 and at most 1000000 events a second");
        ensure!(burst > 0 && burst <= 100_000, "--burst: from 1 to 100000");
        ensure!(seconds > 0.0 && seconds <= 86_400.0, "--seconds: above 0 and at most a day");
        ensure!((0.0..=3_600.0).contains(&warmup), "--warmup: from 0 to an hour");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64, rate_to: Option<f64>, burst: u64) -> Schedule {
        Schedule { rate, rate_to, burst, warmup: 1.0, seconds: 10.0 }
    }

    #[test]
    fn a_constant_rate_is_even_and_bursts_are_due_together() {
        let even = schedule(100.0, None, 1);
        assert_eq!((even.events(), even.due(50)), (1_100, 500_000_000));
        let bursts = schedule(100.0, None, 16);
        assert_eq!((bursts.due(15), bursts.due(16)), (0, 160_000_000));
    }

    #[test]
    fn a_ramp_ends_at_its_rate_and_in_time() {
        for (from, to) in [(100.0, 500.0), (500.0, 100.0), (100.0, 100.0)] {
            let ramp = schedule(from, Some(to), 1);
            let last = ramp.events() - 1;
            let gap = |k| (ramp.due(k + 1) - ramp.due(k)) as f64 / 1e9;
            assert!((gap(0) * from - 1.0).abs() < 1e-6);
            assert!((gap(last - 1) * to - 1.0).abs() < 0.05, "{}", gap(last - 1));
            assert!(ramp.due(last) < 11_000_000_000, "{}", ramp.due(last));
            assert!((1..last).all(|k| ramp.due(k) >= ramp.due(k - 1)));
        }
    }
}
