//! One monotonic clock for publishers and subscribers of a run.

use std::time::{Duration, Instant};

/// Nanoseconds since the run began, the same in every thread.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    base: Instant,
}

impl Clock {
    /// Starts at 1, for 0 stands for "never".
    #[must_use]
    pub fn start() -> Self {
        Self { base: Instant::now() - Duration::from_nanos(1) }
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn now(self) -> u64 {
        nanoseconds(self.base.elapsed())
    }
}

/// `duration` in nanoseconds; 584 years at most.
#[must_use]
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
