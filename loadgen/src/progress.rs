//! The live line on the terminal; silent where stderr is none.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::units::nanoseconds;

/// A bar with a line of figures.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// `total` steps of what `template` shows.
    fn new(total: u64, template: &str) -> Self {
        let style = ProgressStyle::with_template(template)
            .expect("the templates are constants that parse")
            .progress_chars("━╸ ");
        Self { bar: ProgressBar::new(total).with_style(style) }
    }

    /// While `sockets` connect.
    #[must_use]
    pub fn connecting(sockets: usize) -> Self {
        Self::new(sockets as u64, "connecting {bar:30} {pos}/{len} {elapsed}")
    }

    /// While events flow for `duration`.
    #[must_use]
    pub fn running(duration: Duration) -> Self {
        Self::new(milliseconds(duration), "{prefix:<10} {bar:30} {msg}")
    }

    /// How far it is.
    pub fn position(&self, position: usize) {
        self.bar.set_position(position as u64);
    }

    /// How much time is over, and what is going on.
    pub fn elapsed(&self, elapsed: Duration, part: &'static str) {
        self.bar.set_prefix(part);
        self.bar.set_position(milliseconds(elapsed));
    }

    /// The rates of the last interval, and its p50 and p99.9 where there are any.
    pub fn figures(&self, delivered_per_second: f64, recent: Option<(u64, u64)>) {
        let latency = recent.map_or_else(String::new, |(p50, p99_9)| {
            format!("  p50 {}  p99.9 {}", nanoseconds(p50), nanoseconds(p99_9))
        });
        self.bar.set_message(format!("{delivered_per_second:.0}/s{latency}"));
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
