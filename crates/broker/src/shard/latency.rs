//! How long events take from being published to the end of the turn that wrote them.

use hdrhistogram::Histogram;
use market::Nanos;

/// Upper bounds of the buckets that are exported, in nanoseconds.
pub const BOUNDS: [Nanos; 12] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    500_000_000,
    1_000_000_000,
];

/// Recorded by one shard, once for each event that somebody in step was given.
#[derive(Debug)]
pub(super) struct Latency {
    histogram: Histogram<u64>,
    sum: u64,
}

/// A copy to be added up over shards and exported.
#[derive(Debug, Clone, Copy, Default)]
pub struct LatencyReport {
    /// Events recorded.
    pub count: u64,
    /// Sum over them, in nanoseconds.
    pub sum: u64,
    /// Events that took no longer than each of [`BOUNDS`].
    pub within: [u64; BOUNDS.len()],
}

impl Latency {
    pub(super) fn new() -> Self {
        // A microsecond to a minute, to 1 %: 20 KB.
        let histogram = Histogram::new_with_bounds(1_000, 60_000_000_000, 2)
            .expect("the bounds are in order and two digits are allowed");
        Self { histogram, sum: 0 }
    }

    /// Records events published at these times and written by `now`.
    pub(super) fn record(&mut self, published: &[Nanos], now: Nanos) {
        for &published in published {
            // The wall clock may have been set back meanwhile.
            let took = now.saturating_sub(published);
            self.histogram.saturating_record(took);
            self.sum += took;
        }
    }

    pub(super) fn report(&self) -> LatencyReport {
        LatencyReport {
            count: self.histogram.len(),
            sum: self.sum,
            within: BOUNDS.map(|bound| self.histogram.count_between(0, bound)),
        }
    }
}

impl LatencyReport {
    /// Adds another shard's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        for (ours, theirs) in self.within.iter_mut().zip(other.within) {
            *ours += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_stands_in_its_bucket_and_all_above() {
        let mut latency = Latency::new();
        latency.record(&[1_000_000, 900_000], 1_040_000);
        latency.record(&[5], 4);
        let report = latency.report();
        assert_eq!((report.count, report.sum), (3, 180_000));
        assert_eq!(&report.within[..3], &[2, 2, 3]);
        assert_eq!(report.within[BOUNDS.len() - 1], 3);
    }
}
