//! When a symbol acts next: random gaps, ten times shorter during its bursts.

use market::Nanos;

use super::chance::Chance;

const MILLISECOND: Nanos = 1_000_000;

/// How much faster a symbol is during a burst.
const BURST_FACTOR: u64 = 10;
/// Shortest and longest burst.
const BURST: (Nanos, Nanos) = (100 * MILLISECOND, 300 * MILLISECOND);
/// Shortest and longest calm between two bursts.
const CALM: (Nanos, Nanos) = (10_000 * MILLISECOND, 20_000 * MILLISECOND);

/// Mean time from burst to burst.
pub(super) const MEAN_CYCLE: Nanos = (CALM.0 + CALM.1 + BURST.0 + BURST.1) / 2;
/// How long a calm symbol would take for what is done in a [`MEAN_CYCLE`].
pub(super) const MEAN_WORK: Nanos = (CALM.0 + CALM.1 + BURST_FACTOR * (BURST.0 + BURST.1)) / 2;

/// The rhythm of one symbol.
#[derive(Debug)]
pub(super) struct Activity {
    calm_period: u64,
    burst_start: Nanos,
    burst_end: Nanos,
    // Its own: what is done must not depend on when.
    chance: Chance,
}

impl Activity {
    /// One update in `calm_period` nanoseconds on average while calm; the first burst comes
    /// within one cycle after `start`.
    pub(super) fn new(calm_period: u64, start: Nanos, mut chance: Chance) -> Self {
        let burst_start = start.saturating_add(chance.below(MEAN_CYCLE));
        let burst_end = burst_start.saturating_add(chance.between(BURST.0, BURST.1));
        Self { calm_period, burst_start, burst_end, chance }
    }

    /// The instant of the next action, after one at `now` that made `updates` updates. Gaps are
    /// proportional to the updates, so that the mean rate holds whatever the actions are. Bursts
    /// that were due before `now` are over, seen or not.
    pub(super) fn next_after(&mut self, now: Nanos, updates: u64) -> Nanos {
        let mut work = self.chance.exponential(self.calm_period.saturating_mul(updates));
        let mut at = now;
        while at < Nanos::MAX {
            let calm = self.burst_start.saturating_sub(at);
            if work < calm {
                at = at.saturating_add(work);
                break;
            }
            work -= calm;
            at = at.max(self.burst_start);
            let burst = self.burst_end.saturating_sub(at).saturating_mul(BURST_FACTOR);
            if work < burst {
                at = at.saturating_add(work / BURST_FACTOR);
                break;
            }
            work -= burst;
            at = at.max(self.burst_end);
            self.burst_start = at.saturating_add(self.chance.between(CALM.0, CALM.1));
            self.burst_end = self.burst_start.saturating_add(self.chance.between(BURST.0, BURST.1));
        }
        at.max(now.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_about_ten_times_as_busy() {
        let chance = Chance::new(1, "sim", 0);
        let mut activity = Activity::new(MILLISECOND, 0, chance);
        let (start, end) = (activity.burst_start, activity.burst_end);
        let mut at = start.saturating_sub(2_000 * MILLISECOND);
        let (mut calm, mut burst) = (0, 0);
        while at < end {
            at = activity.next_after(at, 1);
            if at < start { calm += 1 } else { burst += 1 }
        }
        let calm_rate = calm * 1000 / (start.min(2_000 * MILLISECOND) / MILLISECOND);
        let burst_rate = burst * 1000 / ((end - start) / MILLISECOND);
        assert!((800..1200).contains(&calm_rate), "{calm_rate}");
        assert!((8_000..12_000).contains(&burst_rate), "{burst_rate}");
    }

    #[test]
    fn the_mean_rate_holds_for_quick_and_slow_symbols() {
        let slow = 60_000 * MILLISECOND;
        for (calm_period, end) in [(MILLISECOND, 100 * MEAN_CYCLE), (slow, 40_000 * slow)] {
            let chance = Chance::new(2, "sim", 0);
            let mut activity = Activity::new(calm_period, 0, chance);
            let (mut at, mut updates) = (0, 0_u64);
            while at < end {
                updates += 2;
                at = activity.next_after(at, 2);
            }
            let expected = end / calm_period * MEAN_WORK / MEAN_CYCLE;
            assert!(
                updates.abs_diff(expected) < expected / 20,
                "period {calm_period}: {updates} against {expected}"
            );
        }
    }

    #[test]
    fn time_always_moves_on_and_ends_at_its_end() {
        let chance = Chance::new(3, "sim", 0);
        let mut activity = Activity::new(1, 5, chance);
        let mut at = 5;
        for _ in 0..1000 {
            let next = activity.next_after(at, 1);
            assert!(next > at);
            at = next;
        }
        assert_eq!(activity.next_after(Nanos::MAX, 1), Nanos::MAX);
    }
}
