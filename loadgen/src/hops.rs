//! The hop ledger: where the time of an event went, in means that add up to the whole.
//!
//! An event is due at the venue, received (sent here), published by the server, written by it, and
//! arrives. The server's stamp is its wall clock; this program's clock was set by the same one.
//!
//! When an event was written is known from the server's own histogram only ([`Written`]), and
//! thus as a mean: of the turn's end, in which the first sockets had the event long before the
//! last. What is left until it arrived is reckoned: the two add up to what was measured from
//! published to arrived. It is below 0 where a turn lasts longer than the way of the bytes.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::report::timeline::{Hop, Quantile};
use crate::scan::Seen;
use crate::shared::Latencies;
use crate::written::Written;

/// The names of the hops that each event tells, in order.
const NAMES: [&str; 3] = ["venue → received", "received → published", "published → arrived"];
/// The names of the two parts of the last of them.
const PARTS: [&str; 2] = ["published → written", "written → arrived"];
/// A stamp farther than this from the arrival is no time of this run: some servers have none.
const PLAUSIBLE: u64 = 3_600_000_000_000;

/// What one thread has seen.
#[derive(Debug, Clone)]
pub struct Hops {
    /// Two digits: small enough to stay in the cache.
    distributions: [Histogram<u64>; 3],
    sums: [i64; 3],
    whole: u64,
    count: u64,
    backwards: u64,
}

/// Whether the ledger adds up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HopSum {
    /// Events whose every hop is known.
    pub count: u64,
    /// The means of the hops, added.
    pub sum: f64,
    /// The mean of the same events' latency, measured on its own.
    pub whole: f64,
    /// By how much they differ.
    pub error_percent: f64,
    /// Hops that ended before they began: two clocks that do not agree.
    pub backwards: u64,
}

impl Default for Hops {
    fn default() -> Self {
        let empty =
            || Histogram::new_with_bounds(1, 60_000_000_000, 2).expect("constants that fit");
        Self {
            distributions: [empty(), empty(), empty()],
            sums: [0; 3],
            whole: 0,
            count: 0,
            backwards: 0,
        }
    }
}

impl Hops {
    /// An event that arrived then, `latency` after it was due.
    pub fn arrived(&mut self, seen: &Seen, arrived: u64, latency: u64) {
        if seen.sent == 0 || seen.published.abs_diff(arrived) > PLAUSIBLE {
            return;
        }
        let stamps = [seen.due, seen.sent, seen.published, arrived];
        for (hop, ends) in stamps.windows(2).enumerate() {
            let signed = ends[1].wrapping_sub(ends[0]).cast_signed();
            self.sums[hop] = self.sums[hop].saturating_add(signed);
            self.backwards += u64::from(signed < 0);
            self.distributions[hop].saturating_record(signed.max(0).cast_unsigned());
        }
        self.whole = self.whole.saturating_add(latency);
        self.count += 1;
    }

    /// Adds what another thread has seen.
    pub fn add(&mut self, other: &Self) {
        for hop in 0..NAMES.len() {
            self.sums[hop] = self.sums[hop].saturating_add(other.sums[hop]);
            self.distributions[hop].add(&other.distributions[hop]).expect("the same bounds");
        }
        self.whole = self.whole.saturating_add(other.whole);
        self.count += other.count;
        self.backwards += other.backwards;
    }

    /// The hops in order; none when the server does not stamp its events. The last one is in two
    /// parts where the server told when it had written.
    #[must_use]
    pub fn ledger(&self, written: Option<&Written>) -> Vec<Hop> {
        if self.count == 0 {
            return Vec::new();
        }
        let mut hops: Vec<_> = (0..NAMES.len()).map(|index| self.hop(index)).collect();
        if let Some(written) = written {
            let whole = hops.pop().map_or(0.0, |hop| hop.mean);
            hops.push(Hop {
                name: PARTS[0].into(),
                mean: written.mean(),
                p50: written.quantile(0.5),
                p99: written.quantile(0.99),
            });
            hops.push(Hop {
                name: PARTS[1].into(),
                mean: whole - written.mean(),
                p50: Quantile::Unknown,
                p99: Quantile::Unknown,
            });
        }
        hops
    }

    /// The way from published to arrived as a whole, whose percentiles are known; `None` when the
    /// server does not stamp its events.
    #[must_use]
    pub fn published_to_arrived(&self) -> Option<Hop> {
        (self.count > 0).then(|| self.hop(NAMES.len() - 1))
    }

    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    fn hop(&self, index: usize) -> Hop {
        Hop {
            name: NAMES[index].into(),
            mean: self.sums[index] as f64 / self.count.max(1) as f64,
            p50: Quantile::Exact(self.distributions[index].value_at_quantile(0.5)),
            p99: Quantile::Exact(self.distributions[index].value_at_quantile(0.99)),
        }
    }

    /// Whether they add up to the latencies of the same events, which were recorded on their own;
    /// where some of those had no hops, to what the ones with hops took. `None`: no hops at all.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    pub fn sum(&self, whole: &Latencies, written: Option<&Written>) -> Option<HopSum> {
        let sum: f64 = self.ledger(written).iter().map(|hop| hop.mean).sum();
        let whole = if whole.len() == self.count {
            whole.mean()
        } else {
            self.whole as f64 / self.count.max(1) as f64
        };
        let error_percent = (sum - whole).abs() / whole.max(1.0) * 100.0;
        let (count, backwards) = (self.count, self.backwards);
        (count > 0).then_some(HopSum { count, sum, whole, error_percent, backwards })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(due: u64, sent: u64, published: u64) -> Seen {
        Seen { topic: 0, from: 1, seq: 1, due, sent, published }
    }

    #[test]
    fn the_hops_sum_to_the_whole() {
        let mut hops = Hops::default();
        hops.arrived(&seen(1_000, 1_010, 1_030), 1_100, 100);
        let mut other = Hops::default();
        other.arrived(&seen(2_000, 2_000, 2_050), 2_060, 60);
        hops.add(&other);
        let means: Vec<_> = hops.ledger(None).iter().map(|hop| hop.mean).collect();
        assert_eq!(means, [5.0, 35.0, 40.0]);
        let mut whole = crate::shared::latencies();
        whole.record(100).unwrap();
        whole.record(60).unwrap();
        let sum = hops.sum(&whole, None).unwrap();
        assert_eq!((sum.count, sum.sum, sum.whole, sum.backwards), (2, 80.0, 80.0, 0));
        // A server whose clock is behind: seen, not hidden.
        hops.arrived(&seen(3_000, 3_000, 2_990), 3_010, 10);
        whole.record(10).unwrap();
        let sum = hops.sum(&whole, None).unwrap();
        assert!(sum.backwards == 1 && sum.error_percent < 1.0, "{sum:?}");
        // Latencies that the hops do not explain.
        let mut longer = crate::shared::latencies();
        longer.record_n(1_000, 3).unwrap();
        assert!(hops.sum(&longer, None).unwrap().error_percent > 1.0);
    }

    #[test]
    fn what_the_server_says_of_its_writing_splits_the_last_hop() {
        let mut hops = Hops::default();
        hops.arrived(&seen(1_000, 1_010, 1_030), 1_930, 930);
        let mut whole = crate::shared::latencies();
        whole.record(930).unwrap();
        // Written sooner than the average arrival, and later: the ends of long turns.
        for (mean, left) in [(400.0, 500.0), (1_100.0, -200.0)] {
            let written = Written::with_mean(mean);
            let ledger = hops.ledger(Some(&written));
            let names: Vec<_> = ledger.iter().map(|hop| hop.name.as_str()).collect();
            assert_eq!(names, [NAMES[0], NAMES[1], PARTS[0], PARTS[1]]);
            assert!((ledger[2].mean - mean).abs() < 1e-6 && (ledger[3].mean - left).abs() < 1e-6);
            let sum = hops.sum(&whole, Some(&written)).unwrap();
            assert!(sum.error_percent < 1e-6, "{sum:?}");
        }
        assert!((hops.published_to_arrived().unwrap().mean - 900.0).abs() < 1e-6);
    }

    #[test]
    fn a_server_without_stamps_has_no_ledger() {
        let mut hops = Hops::default();
        hops.arrived(&seen(1_000, 1_010, 1), 1 << 60, 50);
        assert!(
            hops.sum(&crate::shared::latencies(), None).is_none() && hops.ledger(None).is_empty()
        );
    }
}
