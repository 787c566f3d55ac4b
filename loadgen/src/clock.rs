//! The run's clock: nanoseconds since 1970 that never go back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One clock for everybody in a run: due times, arrivals, measured edges. Set by the calendar
/// once, so that a server's stamps on the same machine can be compared with it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    base: Instant,
    since_1970: u64,
}

impl Clock {
    /// Set by the calendar now.
    #[must_use]
    pub fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // 0 stands for "never".
        Self { base: Instant::now(), since_1970: nanoseconds(since_1970).max(1) }
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn now(self) -> u64 {
        self.since_1970.saturating_add(nanoseconds(self.base.elapsed()))
    }
}

/// `duration` in nanoseconds; 584 years at most.
#[must_use]
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
