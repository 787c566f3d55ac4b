//! The hop ledger: where the time of an event went, in means that add up to the whole.
//!
//! An event is due at the venue, received (sent here), published by the server, and arrives. The
//! server's stamp is its wall clock; this program's clock was set by the same one.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::report::timeline::Hop;
use crate::scan::Seen;
use crate::shared::Latencies;

/// The names of the hops, in order.
const NAMES: [&str; 3] = ["venue → received", "received → published", "published → arrived"];
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

    /// The hops in order; none when the server does not stamp its events.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    pub fn ledger(&self) -> Vec<Hop> {
        if self.count == 0 {
            return Vec::new();
        }
        let hop = |index: usize| Hop {
            name: NAMES[index].into(),
            mean: self.sums[index] as f64 / self.count as f64,
            p50: self.distributions[index].value_at_quantile(0.5),
            p99: self.distributions[index].value_at_quantile(0.99),
        };
        (0..NAMES.len()).map(hop).collect()
    }

    /// Whether they add up to the latencies of the same events, which were recorded on their own;
    /// where some of those had no hops, to what the ones with hops took. `None`: no hops at all.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    pub fn sum(&self, whole: &Latencies) -> Option<HopSum> {
        let sum: f64 = self.ledger().iter().map(|hop| hop.mean).sum();
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
        let means: Vec<_> = hops.ledger().iter().map(|hop| hop.mean).collect();
        assert_eq!(means, [5.0, 35.0, 40.0]);
        let mut whole = crate::shared::latencies();
        whole.record(100).unwrap();
        whole.record(60).unwrap();
        let sum = hops.sum(&whole).unwrap();
        assert_eq!((sum.count, sum.sum, sum.whole, sum.backwards), (2, 80.0, 80.0, 0));
        // A server whose clock is behind: seen, not hidden.
        hops.arrived(&seen(3_000, 3_000, 2_990), 3_010, 10);
        whole.record(10).unwrap();
        let sum = hops.sum(&whole).unwrap();
        assert!(sum.backwards == 1 && sum.error_percent < 1.0, "{sum:?}");
        // Latencies that the hops do not explain.
        let mut longer = crate::shared::latencies();
        longer.record_n(1_000, 3).unwrap();
        assert!(hops.sum(&longer).unwrap().error_percent > 1.0);
    }

    #[test]
    fn a_server_without_stamps_has_no_ledger() {
        let mut hops = Hops::default();
        hops.arrived(&seen(1_000, 1_010, 1), 1 << 60, 50);
        assert!(hops.sum(&crate::shared::latencies()).is_none() && hops.ledger().is_empty());
    }
}
