//! How long the server took from publishing events to having written them, by its own account:
//! the histogram `tickwire_write_latency_seconds` of its metrics, over the measured part.

use serde::Serialize;

use crate::ask;
use crate::plan::Target;
use crate::report::timeline::Quantile;

/// Where the figures are.
const PATH: &str = "/metrics";
/// The histogram.
const NAME: &str = "tickwire_write_latency_seconds";
/// Buckets that are read at most.
const BUCKETS_MAX: usize = 1_000;
/// A bound beyond this is written by some exporters where others write +Inf.
const ENDLESS: f64 = 1e300;

/// The histogram at one moment, or between two.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Events, once for each of the server's threads that wrote them.
    pub count: u64,
    /// Sum over them, in seconds.
    sum: f64,
    /// Upper bounds in seconds, the lowest first, and how many events took no longer.
    buckets: Vec<(f64, u64)>,
}

/// What is reported of it. Percentiles are known as far as the buckets tell.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(missing_docs, reason = "percentiles need no words")]
pub struct WrittenShown {
    /// Events, once for each of the server's threads that wrote them.
    pub count: u64,
    /// Nanoseconds on average.
    pub mean: f64,
    pub p50: Quantile,
    pub p90: Quantile,
    pub p99: Quantile,
    pub p99_9: Quantile,
}

impl Written {
    /// What the server of `target` says now; `None` when it does not say, as all but tickwire.
    #[must_use]
    pub fn ask(target: &Target) -> Option<Self> {
        if target.dialect.is_some() {
            return None;
        }
        let answer = ask::get(target, PATH)?;
        (answer.status == 200).then(|| Self::parse(&answer.body))?
    }

    /// Reads the text format of Prometheus and OpenMetrics. Series with other labels than the
    /// bucket's bound are added up.
    fn parse(text: &str) -> Option<Self> {
        let (mut count, mut sum) = (None, None);
        let mut buckets: Vec<(f64, u64)> = Vec::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix(NAME) else { continue };
            let (series, labels, value) = parts(rest)?;
            match series {
                "_count" => count = Some(count.unwrap_or(0) + value.parse::<u64>().ok()?),
                "_sum" => sum = Some(sum.unwrap_or(0.0) + value.parse::<f64>().ok()?),
                "_bucket" => {
                    let bound = bound(labels)?;
                    let within: u64 = value.parse().ok()?;
                    let same = |(known, _): &(f64, u64)| known.total_cmp(&bound).is_eq();
                    match buckets.iter().position(same) {
                        Some(at) => buckets[at].1 += within,
                        None if buckets.len() < BUCKETS_MAX => buckets.push((bound, within)),
                        None => return None,
                    }
                }
                _ => {}
            }
        }
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (count, sum) = (count?, sum.filter(|sum: &f64| sum.is_finite())?);
        Some(Self { count, sum, buckets })
    }

    /// What came since `before`; `None` when nothing came, or when it was another server.
    #[must_use]
    pub fn since(&self, before: &Self) -> Option<Self> {
        let bounds = |of: &Self| of.buckets.iter().map(|(bound, _)| bound.to_bits()).collect();
        let (ours, theirs): (Vec<u64>, Vec<u64>) = (bounds(self), bounds(before));
        if ours != theirs {
            return None;
        }
        let count = self.count.checked_sub(before.count).filter(|count| *count > 0)?;
        let pairs = self.buckets.iter().zip(&before.buckets);
        let buckets: Option<Vec<_>> = pairs
            .map(|((bound, after), (_, before))| Some((*bound, after.checked_sub(*before)?)))
            .collect();
        Some(Self { count, sum: self.sum - before.sum, buckets: buckets? })
    }

    /// Nanoseconds on average.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a number of events")]
    pub fn mean(&self) -> f64 {
        self.sum * 1e9 / self.count.max(1) as f64
    }

    /// The bound of the bucket in which this part of the events ends.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of events; bounds are seconds, not negative"
    )]
    pub fn quantile(&self, quantile: f64) -> Quantile {
        let nanoseconds = |seconds: f64| (seconds.max(0.0) * 1e9).round() as u64;
        let wanted = (quantile * self.count as f64).ceil() as u64;
        let finite = || self.buckets.iter().filter(|(bound, _)| *bound < ENDLESS);
        match finite().find(|(_, within)| *within >= wanted) {
            Some((bound, _)) => Quantile::AtMost(nanoseconds(*bound)),
            None => finite()
                .next_back()
                .map_or(Quantile::Unknown, |(bound, _)| Quantile::Above(nanoseconds(*bound))),
        }
    }

    /// For the report.
    #[must_use]
    pub fn shown(&self) -> WrittenShown {
        let [p50, p90, p99, p99_9] = [0.5, 0.9, 0.99, 0.999].map(|at| self.quantile(at));
        WrittenShown { count: self.count, mean: self.mean(), p50, p90, p99, p99_9 }
    }
}

/// `_bucket{le="0.1"} 7` in three; a time or an exemplar behind the value is not looked at.
fn parts(rest: &str) -> Option<(&str, &str, &str)> {
    let (series, labels, values) = match rest.split_once('{') {
        Some((series, rest)) => {
            let (labels, values) = rest.split_once('}')?;
            (series, labels, values)
        }
        None => {
            let (series, values) = rest.split_once(' ')?;
            (series, "", values)
        }
    };
    Some((series, labels, values.split_whitespace().next()?))
}

fn bound(labels: &str) -> Option<f64> {
    let (_, rest) = labels.split_once("le=\"")?;
    let (bound, _) = rest.split_once('"')?;
    let bound: f64 = bound.parse().ok()?;
    // Two ways to say that there is no bound are one here.
    (!bound.is_nan()).then_some(if bound > ENDLESS { f64::INFINITY } else { bound })
}

#[cfg(test)]
impl Written {
    /// One event that took so many nanoseconds.
    pub(crate) fn with_mean(nanoseconds: f64) -> Self {
        Self { count: 1, sum: nanoseconds / 1e9, buckets: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the broker writes it.
    fn text(sum: f64, within: [u64; 3]) -> String {
        let [first, second, all] = within;
        format!(
            "# TYPE {NAME} histogram\n# UNIT {NAME} seconds\n{NAME}_sum {sum}\n\
             {NAME}_count {all}\n{NAME}_bucket{{le=\"0.0005\"}} {first}\n\
             {NAME}_bucket{{le=\"0.001\"}} {second}\n\
             {NAME}_bucket{{le=\"1.7976931348623157e308\"}} {all}\ntickwire_turns_total 9\n# EOF\n"
        )
    }

    #[test]
    fn the_difference_of_two_moments_is_what_was_measured() {
        let before = Written::parse(&text(1.0, [50, 60, 100])).unwrap();
        let after = Written::parse(&text(1.5, [950, 1_050, 1_100])).unwrap();
        let between = after.since(&before).unwrap();
        assert_eq!((between.count, between.mean()), (1_000, 500_000.0));
        let at = |quantile| between.quantile(quantile);
        assert_eq!((at(0.5), at(0.9)), (Quantile::AtMost(500_000), Quantile::AtMost(500_000)));
        assert_eq!(
            (at(0.99), at(0.999)),
            (Quantile::AtMost(1_000_000), Quantile::Above(1_000_000))
        );
        // Nothing came; a server that began anew; one with other buckets.
        assert_eq!(after.since(&after), None);
        assert_eq!(before.since(&after), None);
        let other = Written::parse(&text(9.0, [1, 2, 9_000]).replace("0.001", "0.002")).unwrap();
        assert_eq!(other.since(&before), None);
    }

    #[test]
    fn other_writers_of_the_format_are_understood() {
        let plain = text(1.0, [5, 6, 10]);
        let inf = plain.replace("1.7976931348623157e308", "+Inf");
        assert_eq!(Written::parse(&inf), Written::parse(&plain));
        let labelled = plain.replace("{le=", "{shard=\"1\",le=").replace("} 5\n", "} 5 1700000\n");
        assert_eq!(Written::parse(&labelled), Written::parse(&plain));
        for other in ["", "# EOF\n", "<html>", "tickwire_write_latency_seconds_count x\n"] {
            assert_eq!(Written::parse(other), None, "{other}");
        }
        assert_eq!(Written::parse(&plain.replace("_sum 1", "_sum NaN")), None);
        assert_eq!(Written::parse(&plain.replace("le=\"0.001\"", "x=\"1\"")), None);
    }
}
