//! The one place that asks what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fanout::Millis;
use market::Nanos;

/// Wall time for stamps, and a clock that never goes back for everything that waits.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose milliseconds count from now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn wall(self) -> Nanos {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        // 64 bits last until the year 2554.
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since the clock was started.
    #[must_use]
    pub fn millis(self) -> Millis {
        millis(self.start.elapsed())
    }
}

/// A duration in whole milliseconds.
#[must_use]
pub(crate) fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
