//! What a venue's limits allow when: messages, connections, and how long to stay away after a
//! failure. Times are milliseconds of the broker's own clock.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use fanout::Millis;

/// Numbers that need not be good, only different: SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// The sequence of `seed`; without one, a sequence nobody knows before.
    pub(super) fn new(seed: Option<u64>) -> Self {
        // The standard library's hashers are seeded by the system.
        Self(seed.unwrap_or_else(|| RandomState::new().build_hasher().finish()))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A time from `least` to `most`.
    pub(super) fn between(&mut self, least: Millis, most: Millis) -> Millis {
        let span = most.saturating_sub(least);
        least + self.next() % span.saturating_add(1).max(1)
    }
}

/// At most so many of something within any stretch of a certain length.
#[derive(Debug)]
pub(super) struct Window {
    most: usize,
    length: Millis,
    /// When the latest were, at most `most` of them.
    latest: VecDeque<Millis>,
}

impl Window {
    pub(super) fn new(most: u32, length: Millis) -> Self {
        Self { most: most.max(1) as usize, length, latest: VecDeque::new() }
    }

    /// How long to wait before the next one is allowed; 0 when it is allowed now.
    pub(super) fn wait(&self, now: Millis) -> Millis {
        match self.latest.front() {
            Some(oldest) if self.latest.len() >= self.most => {
                (oldest + self.length).saturating_sub(now)
            }
            _ => 0,
        }
    }

    /// Notes that one was now.
    pub(super) fn note(&mut self, now: Millis) {
        if self.latest.len() >= self.most {
            self.latest.pop_front();
        }
        self.latest.push_back(now);
    }
}

/// How long to stay away after failures: longer each time, and not all at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
}

/// After the first failure, at most.
const FIRST: Millis = 500;
/// After many.
const LONGEST: Millis = 30_000;

impl Backoff {
    pub(super) fn new() -> Self {
        Self { failures: 0 }
    }

    /// One more failure: how long to stay away.
    pub(super) fn next(&mut self, chance: &mut Chance) -> Duration {
        let most = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(chance.between(most / 2, most))
    }

    /// How many failures there were since it last went well.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// It went well.
    pub(super) fn forget(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lets_so_many_through_in_any_stretch() {
        let mut window = Window::new(3, 1_000);
        let mut sent = Vec::new();
        for now in (0..5_000).step_by(100) {
            if window.wait(now) == 0 {
                window.note(now);
                sent.push(now);
            }
        }
        assert_eq!(sent.len(), 15);
        for from in &sent {
            assert!(sent.iter().filter(|at| (*from..from + 1_000).contains(at)).count() <= 3);
        }
        assert_eq!(Window::new(0, 1_000).most, 1, "a limit of none would never let anything out");
    }

    #[test]
    fn a_wait_is_exact() {
        let mut window = Window::new(1, 300_000);
        assert_eq!(window.wait(7), 0);
        window.note(7);
        assert_eq!(window.wait(7), 300_000);
        assert_eq!(window.wait(300_006), 1);
        assert_eq!(window.wait(300_007), 0);
    }

    #[test]
    fn a_backoff_grows_to_its_bound_with_jitter_and_begins_anew() {
        let mut chance = Chance::new(Some(7));
        let mut backoff = Backoff::new();
        let mut times: Vec<u128> = Vec::new();
        for _ in 0..40 {
            times.push(backoff.next(&mut chance).as_millis());
        }
        for (index, time) in times.iter().enumerate() {
            let most = (500_u128 << index.min(20)).min(30_000);
            assert!((most / 2..=most).contains(time), "{index}: {time}");
        }
        let last: Vec<_> = times[10..].to_vec();
        assert!(last.iter().any(|time| *time != last[0]), "no jitter: {last:?}");
        backoff.forget();
        assert!(backoff.next(&mut chance).as_millis() <= 500);
    }

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        let take = |seed| {
            let mut chance = Chance::new(seed);
            [0; 4].map(|_: u8| chance.between(0, u64::MAX - 1))
        };
        assert_eq!(take(Some(1)), take(Some(1)));
        assert_ne!(take(Some(1)), take(Some(2)));
        assert_ne!(take(None), take(None));
    }
}
