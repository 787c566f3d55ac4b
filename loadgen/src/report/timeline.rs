//! What a run leaves for its report beside the figures: samples over time, and distributions.
//!
//! The engine records into it, once for each interval: [`Recording::push`] with a [`Sample`] and
//! the histograms of that interval alone (they are written to the log at once, in compressed
//! form, so that a long run needs no memory for them). At the end it fills the other fields of
//! [`Recording`], each of which may stay empty: the page then leaves that chart out.

use std::fmt::{Display, Formatter};
use std::time::{Duration, SystemTime};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::report::LatencyShown;
use crate::report::histograms::IntervalLog;
use crate::shared::Latencies;
use crate::units::nanoseconds;

/// What all subscribers together are called, as a series and as a tag in the log.
pub const ALL: &str = "all";

/// Samples for a chart: more would not be seen.
const SAMPLES: u32 = 240;
/// Shorter intervals hold too few events for a p99.9.
const INTERVAL_MIN: Duration = Duration::from_millis(250);

/// One interval of a run.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sample {
    /// Its end, counted from the moment that the first event was due.
    #[serde(rename = "elapsed_seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// How long it was.
    #[serde(rename = "length_seconds", serialize_with = "seconds")]
    pub length: Duration,
    /// False in the warm-up.
    pub measured: bool,
    /// Of all subscribers, in this interval alone; its count is 0 when nothing came.
    pub latency: LatencyShown,
    /// Of the healthy ones alone, where there are others that read.
    pub healthy: Option<LatencyShown>,
    /// Events delivered in it.
    pub delivered: u64,
    /// Bytes received in it, framing included.
    pub bytes: u64,
    /// Processor time of the server, in percent of one processor; may exceed 100.
    pub server_cpu_percent: Option<f64>,
    /// Resident memory of the server at its end, in bytes.
    pub server_resident: Option<u64>,
    /// The busiest thread of this program.
    pub busiest_percent: f64,
    /// The latest that an event was handed to the kernel, in nanoseconds after it was due.
    pub publisher_lag: Option<u64>,
    /// What the host took away, in percent of all processors.
    pub steal_percent: Option<f64>,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// The samples of a run, in order.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Timeline {
    /// Of the warm-up too.
    pub samples: Vec<Sample>,
}

/// A named distribution: all, healthy, slow, untouched.
#[derive(Debug, Clone)]
pub struct Series {
    /// Short, for a legend and a tag.
    pub name: String,
    /// Its latencies in the measured part.
    pub latencies: Latencies,
}

/// One stretch of an event's way, such as "received → published". The means of all hops add up
/// to the mean of the whole.
#[derive(Debug, Clone, Serialize)]
pub struct Hop {
    /// From where to where.
    pub name: String,
    /// Nanoseconds on average; below 0 where most events were there before the hop had ended.
    pub mean: f64,
    /// The median.
    pub p50: Quantile,
    /// The 99th percentile.
    pub p99: Quantile,
}

/// A percentile in nanoseconds, as well as it is known. In JSON a number, `{"at_most": …}`,
/// `{"above": …}` or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantile {
    /// It is this.
    Exact(u64),
    /// It is in a bucket that ends here.
    AtMost(u64),
    /// It is beyond the last bucket, which ends here.
    Above(u64),
    /// Nobody knows.
    Unknown,
}

impl Display for Quantile {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Exact(value) => f.write_str(&nanoseconds(value)),
            Self::AtMost(bound) => write!(f, "≤ {}", nanoseconds(bound)),
            Self::Above(bound) => write!(f, "> {}", nanoseconds(bound)),
            Self::Unknown => f.write_str("–"),
        }
    }
}

impl Serialize for Quantile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bound = |serializer: S, name, bound| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(name, &bound)?;
            map.end()
        };
        match *self {
            Self::Exact(value) => serializer.serialize_u64(value),
            Self::AtMost(value) => bound(serializer, "at_most", value),
            Self::Above(value) => bound(serializer, "above", value),
            Self::Unknown => serializer.serialize_none(),
        }
    }
}

/// Everything that a run recorded for its report.
#[derive(Debug, Clone)]
pub struct Recording {
    /// When the first event was due, by the calendar.
    pub started: SystemTime,
    /// Samples over time.
    pub timeline: Timeline,
    /// The intervals' histograms, compressed.
    pub log: IntervalLog,
    /// Distributions of the measured part; the one of [`ALL`] first.
    pub series: Vec<Series>,
    /// From the first to the last subscriber of each event.
    pub spread: Option<Latencies>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            timeline: Timeline::default(),
            log: IntervalLog::default(),
            series: Vec::new(),
            spread: None,
        }
    }
}

impl Recording {
    /// The interval that suits a run of this length, warm-up included.
    #[must_use]
    pub fn interval(run: Duration) -> Duration {
        (run / SAMPLES).max(INTERVAL_MIN)
    }

    /// Adds an interval: its sample, and its latencies for each tag ([`ALL`] first).
    pub fn push(&mut self, sample: Sample, latencies: &[(&str, &Latencies)]) {
        let start = sample.elapsed.saturating_sub(sample.length);
        for (tag, latencies) in latencies {
            self.log.push(tag, start, sample.length, latencies);
        }
        self.timeline.samples.push(sample);
    }

    /// The distribution of a series.
    #[must_use]
    pub fn latencies(&self, name: &str) -> Option<&Latencies> {
        self.series.iter().find(|series| series.name == name).map(|series| &series.latencies)
    }
}
