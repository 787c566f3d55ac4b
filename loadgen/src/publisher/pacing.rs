//! When a publisher wakes: in time, without keeping a processor busy for it.

use std::num::NonZeroU64;
use std::time::Duration;

use rustix::thread::set_current_timer_slack;

use crate::clock::Clock;

/// Nanoseconds that a thread wakes early at least; a sleep ends that late on a machine at rest.
const EARLY_MIN: u64 = 80_000;
/// Nanoseconds that it wakes early at most.
const EARLY_MAX: u64 = 300_000;
/// All publishers together spin for at most one part in so many of one processor's time.
const SPIN_SHARE: u64 = 10;
/// Nanoseconds of spinning that may be saved up.
const SAVED_MAX: u64 = 2_000_000;

/// Waits for moments on the run's clock: asleep until shortly before, then spinning.
///
/// How long before is learned from how late the last sleeps ended, for a sleep that ends late
/// makes the event late too. What may be spun is bounded by [`SPIN_SHARE`].
#[derive(Debug)]
pub(super) struct Pacer {
    /// Nanoseconds that the next sleep ends before the moment.
    early: u64,
    /// Nanoseconds that may be spun.
    saved: u64,
    /// Of so many nanoseconds that pass, one may be spun; `None`: never, there is one processor.
    share: Option<u64>,
    /// When that was last reckoned.
    reckoned: u64,
}

impl Pacer {
    /// For one of so many publishers, on a machine with so many processors, at `now`.
    pub(super) fn new(publishers: usize, processors: usize, now: u64) -> Self {
        let share = (processors > 1).then_some(SPIN_SHARE * publishers.max(1) as u64);
        Self { early: EARLY_MIN, saved: 0, share, reckoned: now }
    }

    /// Returns at `due`, or a little later; never before.
    pub(super) fn wait(&mut self, clock: Clock, due: u64) {
        let asleep_until = self.asleep_until(clock.now(), due);
        let left = asleep_until.saturating_sub(clock.now());
        if left > 0 {
            std::thread::sleep(Duration::from_nanos(left));
        }
        let woke = clock.now();
        if left > 0 {
            self.learn(woke.saturating_sub(asleep_until));
        }
        let mut now = woke;
        while now < due {
            std::hint::spin_loop();
            now = clock.now();
        }
        self.spun(now - woke);
    }

    /// When to wake for `due`.
    fn asleep_until(&mut self, now: u64, due: u64) -> u64 {
        if let Some(share) = self.share {
            let passed = now.saturating_sub(self.reckoned);
            self.saved = (self.saved + passed / share).min(SAVED_MAX);
        }
        self.reckoned = now;
        due - self.early.min(self.saved).min(due)
    }

    /// A sleep ended `late` nanoseconds after it should have: twice that is the next margin, which
    /// shrinks again slowly. What is later than any margin says that others want the processors
    /// too; then spinning would only use up the turn that is needed for sending.
    fn learn(&mut self, late: u64) {
        let wanted = if late > EARLY_MAX { 0 } else { late * 2 };
        let shrunk = self.early - self.early / 16;
        self.early = wanted.max(shrunk).clamp(EARLY_MIN, EARLY_MAX);
    }

    fn spun(&mut self, nanoseconds: u64) {
        self.saved = self.saved.saturating_sub(nanoseconds);
    }
}

/// Sleeps of this thread end when they are to, not up to 50 µs later. False where the system
/// refuses: then the lag shows it.
pub(super) fn sleep_precisely() -> bool {
    set_current_timer_slack(Some(NonZeroU64::MIN)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn who_wakes_late_wakes_earlier_next_time() {
        let mut pacer = Pacer::new(1, 4, 0);
        assert_eq!(pacer.asleep_until(SECOND, 2 * SECOND), 2 * SECOND - EARLY_MIN);
        pacer.learn(100_000);
        assert_eq!(pacer.asleep_until(2 * SECOND, 3 * SECOND), 3 * SECOND - 200_000);
        pacer.learn(EARLY_MAX);
        assert_eq!(pacer.asleep_until(3 * SECOND, 4 * SECOND), 4 * SECOND - EARLY_MAX);
        // Later than any margin: it shrinks as if nothing were.
        pacer.learn(u64::MAX);
        assert!(pacer.early < EARLY_MAX);
        // Punctual again for a while.
        (0..100).for_each(|_| pacer.learn(1_000));
        assert_eq!(pacer.asleep_until(4 * SECOND, 5 * SECOND), 5 * SECOND - EARLY_MIN);
    }

    #[test]
    fn spinning_is_bounded_however_often_events_are_due() {
        for publishers in [1, 3] {
            let mut pacer = Pacer::new(publishers, 4, 0);
            pacer.learn(EARLY_MAX);
            let (gap, mut spun) = (100_000, 0);
            for event in 1..=20_000 {
                let (now, due) = (event * gap, (event + 1) * gap);
                let spins = due - pacer.asleep_until(now, due).max(now);
                pacer.spun(spins);
                spun += spins;
            }
            let bound = 20_000 * gap / SPIN_SHARE / publishers as u64;
            assert!(spun <= bound && spun > bound / 2, "{spun} of {bound}");
        }
    }

    #[test]
    fn a_single_processor_is_left_to_the_others() {
        let mut pacer = Pacer::new(1, 1, 0);
        assert_eq!(pacer.asleep_until(SECOND, 2 * SECOND), 2 * SECOND);
    }

    #[test]
    fn nothing_returns_before_it_is_due() {
        let clock = Clock::start();
        let mut pacer = Pacer::new(1, 4, clock.now());
        for _ in 0..20 {
            let due = clock.now() + 200_000;
            pacer.wait(clock, due);
            assert!(clock.now() >= due);
        }
        // What is over is not waited for.
        pacer.wait(clock, 1);
    }
}
