//! The figures that conditions can be about, by name.

use crate::report::{LatencyShown, Report};

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    /// Bytes.
    Size,
    /// Just a number.
    Plain,
}

/// The percentiles of a distribution.
const PERCENTILES: [&str; 6] = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
/// The distributions: their percentiles are written as `healthy.p99`.
const DISTRIBUTIONS: [&str; 8] =
    ["healthy", "slow", "resuming", "storm", "untouched", "spread", "connect", "resume"];
const SIZES: [&str; 3] = ["bytes_per_second", "rss_per_connection", "rss"];
const TIMES: [&str; 4] = ["lag_p50", "lag_p99", "send_p50", "send_p99"];

impl Report {
    /// The figures that stand alone; the percentiles of the distributions come to them.
    pub const FIGURES: [&'static str; 36] = [
        "p50",
        "p90",
        "p99",
        "p99.9",
        "p99.99",
        "max",
        "lag_p50",
        "lag_p99",
        "send_p50",
        "send_p99",
        "lost",
        "doubled",
        "reordered",
        "merged",
        "announced",
        "received",
        "expected",
        "unasked",
        "never_read",
        "published",
        "refused",
        "ended",
        "reconnects",
        "reconnect_failures",
        "verified",
        "verified_merged",
        "wrong",
        "delivered_per_second",
        "bytes_per_second",
        "cpu_us",
        "rss_per_connection",
        "rss",
        "busy_percent",
        "steal_percent",
        "hops_error_percent",
        "measured_seconds",
    ];

    /// Whether a figure is a time, in nanoseconds.
    #[must_use]
    pub fn is_time(name: &str) -> bool {
        Self::unit(name) == Some(Unit::Time)
    }

    /// What a figure is measured in; `None` when there is none of this name.
    #[must_use]
    pub fn unit(name: &str) -> Option<Unit> {
        let name = plain_name(name);
        let percentile = match name.split_once('.') {
            Some((group, rest)) if DISTRIBUTIONS.contains(&group) => rest,
            _ => name,
        };
        if PERCENTILES.contains(&percentile) || TIMES.contains(&name) {
            Some(Unit::Time)
        } else if SIZES.contains(&name) {
            Some(Unit::Size)
        } else {
            Self::FIGURES.contains(&name).then_some(Unit::Plain)
        }
    }

    /// The names of all figures, for a person.
    #[must_use]
    pub fn figure_names() -> String {
        format!(
            "{}; and the percentiles and max of {}, as in healthy.p99",
            Self::FIGURES.join(", "),
            DISTRIBUTIONS.join(", ")
        )
    }

    /// A figure by its name; `None` when it was not measured.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        let name = plain_name(name);
        if let Some((group, percentile)) =
            name.split_once('.').filter(|(group, _)| DISTRIBUTIONS.contains(group))
        {
            return percentile_of(self.distribution(group)?, percentile);
        }
        percentile_of(&self.latency, name).or_else(|| self.plain(name))
    }

    fn distribution(&self, name: &str) -> Option<&LatencyShown> {
        match name {
            "spread" => Some(&self.spread),
            "connect" => Some(&self.connect),
            "resume" => Some(&self.resume),
            // Who is healthy in a run with a storm was not touched by it.
            "untouched" if self.groups.contains_key("storm") => self.groups.get("healthy"),
            group => self.groups.get(group),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "compared and shown, exact below 2^53")]
    fn plain(&self, name: &str) -> Option<f64> {
        let totals = &self.totals;
        let count = match name {
            "lost" => totals.lost,
            "doubled" => totals.doubled,
            "reordered" => totals.reordered,
            "merged" => totals.merged,
            "announced" => totals.announced,
            "received" => totals.received,
            "expected" => totals.expected,
            "unasked" => totals.unasked,
            "never_read" => self.books.total.never_read,
            "published" => self.publisher.published,
            "refused" => self.publisher.refused,
            "ended" => self.ended.values().sum::<usize>() as u64,
            "reconnects" => self.reconnects,
            "reconnect_failures" => self.reconnect_failures,
            "verified" => self.verified.compared,
            "verified_merged" => self.verified.compared_merged,
            "wrong" => self.verified.wrong,
            "lag_p50" => self.publisher.lag_p50,
            "lag_p99" => self.publisher.lag_p99,
            "send_p50" => self.publisher.send_p50,
            "send_p99" => self.publisher.send_p99,
            "rss" => self.server?.resident_end,
            _ => return self.fraction(name),
        };
        Some(count as f64)
    }

    fn fraction(&self, name: &str) -> Option<f64> {
        match name {
            "delivered_per_second" => Some(self.delivered_per_second),
            "bytes_per_second" => Some(self.bytes_per_second),
            "cpu_us" => self.server.map(|server| server.cpu_microseconds_per_delivered),
            "rss_per_connection" => self.server.map(|server| server.resident_per_connection),
            "busy_percent" => Some(self.busy_percent.iter().copied().fold(0.0, f64::max)),
            "steal_percent" => self.steal_percent,
            "hops_error_percent" => self.hop_sum.map(|sum| sum.error_percent),
            "measured_seconds" => Some(self.measured_seconds),
            _ => None,
        }
    }
}

/// Longer names that mean the same.
fn plain_name(name: &str) -> &str {
    match name {
        "cpu_microseconds_per_delivered" => "cpu_us",
        "resident_per_connection" => "rss_per_connection",
        name => name,
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared and shown, exact below 2^53")]
fn percentile_of(latency: &LatencyShown, name: &str) -> Option<f64> {
    let value = match name {
        "p50" => latency.p50,
        "p90" => latency.p90,
        "p99" => latency.p99,
        "p99.9" => latency.p99_9,
        "p99.99" => latency.p99_99,
        "max" => latency.max,
        _ => return None,
    };
    (latency.count > 0).then_some(value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_unit() {
        for name in Report::FIGURES {
            assert!(Report::unit(name).is_some(), "{name}");
        }
        assert_eq!(Report::unit("lost"), Some(Unit::Plain));
        for name in ["p99.9", "healthy.p99.9", "spread.max", "lag_p99", "untouched.p50"] {
            assert_eq!(Report::unit(name), Some(Unit::Time), "{name}");
        }
        assert_eq!(Report::unit("resident_per_connection"), Some(Unit::Size));
        for name in ["p42", "somebody.p99", "spread", "spread.p42", "spread.lost"] {
            assert_eq!(Report::unit(name), None, "{name}");
        }
    }
}
