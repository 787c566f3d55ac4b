//! The live view: a bar and the latest percentiles on a terminal, a line now and then elsewhere.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::timeline::Sample;
use crate::units::{bytes, nanoseconds};

/// Between two lines where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Samples whose p99.9 is drawn.
const HISTORY: usize = 40;
/// From the lowest of the samples drawn to the highest.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One stage of a run, as it is shown.
pub struct Progress {
    bar: ProgressBar,
    /// When the last line was written; `None` on a terminal, where the bar is enough.
    plain: Option<Cell<Instant>>,
    /// The p99.9 of the last samples, in nanoseconds.
    history: RefCell<VecDeque<u64>>,
}

impl Progress {
    /// `total` steps of what `template` shows.
    fn new(total: u64, template: &str) -> Self {
        let style = ProgressStyle::with_template(template)
            .expect("the templates are constants that parse")
            .progress_chars("━╸ ");
        Self {
            bar: ProgressBar::new(total).with_style(style),
            plain: (!std::io::stderr().is_terminal()).then(|| Cell::new(Instant::now())),
            history: RefCell::default(),
        }
    }

    /// While `sockets` connect.
    #[must_use]
    pub fn connecting(sockets: usize) -> Self {
        Self::new(sockets as u64, "connecting {bar:40} {pos}/{len} {elapsed}")
    }

    /// While events flow for `duration`.
    #[must_use]
    pub fn running(duration: Duration) -> Self {
        Self::new(milliseconds(duration), "{prefix:<10} {bar:40} {eta} left\n{wide_msg}")
    }

    /// How many sockets are there.
    pub fn position(&self, position: usize) {
        self.bar.set_position(position as u64);
        self.say(|| format!("connecting: {position} of {}", self.bar.length().unwrap_or(0)));
    }

    /// How much time is over, and what is going on.
    pub fn elapsed(&self, elapsed: Duration, part: &'static str) {
        self.bar.set_prefix(part);
        self.bar.set_position(milliseconds(elapsed));
    }

    /// What happened since the last sample.
    pub fn sample(&self, sample: &Sample) {
        let mut history = self.history.borrow_mut();
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(sample.latency.p99_9);
        let words = words(sample);
        self.say(|| format!("{:>6.1} s  {words}", sample.elapsed.as_secs_f64()));
        let line = sparkline(history.iter().copied());
        self.bar.set_message(format!("{words}\n{line}  p99.9"));
    }

    /// Takes the view away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Writes a line where there is no terminal, if it is time for one.
    fn say(&self, line: impl FnOnce() -> String) {
        if let Some(last) = self.plain.as_ref().filter(|last| last.get().elapsed() >= PLAIN_EVERY) {
            last.set(Instant::now());
            eprintln!("{}", line());
        }
    }
}

/// Rates and percentiles of one interval.
fn words(sample: &Sample) -> String {
    let seconds = sample.length.as_secs_f64().max(1e-9);
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    let rate = |count: u64| count as f64 / seconds;
    let latency = if sample.latency.count == 0 {
        String::new()
    } else {
        let latency = sample.latency;
        let [p50, p99, p99_9, max] =
            [latency.p50, latency.p99, latency.p99_9, latency.max].map(nanoseconds);
        format!("  p50 {p50}  p99 {p99}  p99.9 {p99_9}  max {max}")
    };
    format!("{:.0}/s {}/s{latency}", rate(sample.delivered), bytes(rate(sample.bytes)))
}

/// Values as bars of eight heights, by their logarithm; at least a decade high, so that small
/// changes look small.
fn sparkline(values: impl Iterator<Item = u64> + Clone) -> String {
    #[expect(clippy::cast_precision_loss, reason = "drawn in eight heights")]
    let logarithm = |value: u64| (value.max(1) as f64).log10();
    let low =
        values.clone().filter(|value| *value > 0).map(logarithm).fold(f64::INFINITY, f64::min);
    let high = values.clone().map(logarithm).fold(low + 1.0, f64::max);
    let draw = |value: u64| {
        if value == 0 {
            return ' ';
        }
        let share = (logarithm(value) - low) / (high - low);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 7 and a bit"
        )]
        let height = (share * 7.999) as usize;
        HEIGHTS[height.min(HEIGHTS.len() - 1)]
    };
    values.map(draw).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::LatencyShown;

    #[test]
    fn heights_follow_the_logarithm() {
        let line = |values: &[u64]| sparkline(values.iter().copied());
        assert_eq!(line(&[1_000, 1_100, 0, 10_000_000]), "▁▁ █");
        // A change that does not fill a decade stays low.
        assert_eq!(line(&[100_000, 120_000]), "▁▁");
        assert_eq!((line(&[]), line(&[0, 0])), (String::new(), "  ".into()));
    }

    #[test]
    fn a_sample_is_a_line() {
        let latency = LatencyShown { count: 3, p50: 1_500, p99: 2_000_000, ..Default::default() };
        let mut sample = Sample {
            elapsed: Duration::from_secs(1),
            length: Duration::from_millis(500),
            measured: true,
            latency,
            healthy: None,
            delivered: 100,
            bytes: 2_000,
            server_cpu_percent: None,
            server_resident: None,
            busiest_percent: 0.0,
            publisher_lag: None,
            steal_percent: None,
        };
        assert_eq!(words(&sample), "200/s 4.0 KB/s  p50 1.5 µs  p99 2.00 ms  p99.9 0 ns  max 0 ns");
        sample.latency.count = 0;
        assert_eq!(words(&sample), "200/s 4.0 KB/s");
    }
}
