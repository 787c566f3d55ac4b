//! Who goes away when: those that come and go, and the storm that takes many at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::plan::{Plan, Role};

/// Until another attempt to come back.
const RETRY: u64 = 100_000_000;

/// What happens to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// It is cut, and dials again at once.
    Leave,
    /// It dials again.
    Retry,
}

/// What is to come, by time.
#[derive(Debug, Default)]
pub(super) struct Departures {
    agenda: BinaryHeap<Reverse<(u64, usize, Step)>>,
}

impl Departures {
    /// Plans when the socket `index`, which is `subscriber`, goes away during `measured`.
    pub(super) fn plan(
        &mut self,
        plan: &Plan,
        index: usize,
        subscriber: usize,
        measured: (u64, u64),
    ) {
        match plan.crew[subscriber].role {
            Role::Storm => {
                let at = measured.0 + nanoseconds(plan.storm_at);
                self.agenda.push(Reverse((at, index, Step::Leave)));
            }
            Role::Resuming => {
                // Not all in the same moment: that would be a storm.
                let every = nanoseconds(plan.resume_every);
                let mut at = measured.0 + every * (subscriber as u64 % 97) / 97;
                while at < measured.1 {
                    self.agenda.push(Reverse((at, index, Step::Leave)));
                    at += every;
                }
            }
            _ => {}
        }
    }

    /// Coming back did not work.
    pub(super) fn retry(&mut self, index: usize, now: u64) {
        self.agenda.push(Reverse((now + RETRY, index, Step::Retry)));
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<u64> {
        self.agenda.peek().map(|Reverse((due, _, _))| *due)
    }

    /// What is due at `now`.
    pub(super) fn take(&mut self, now: u64) -> Option<(usize, Step)> {
        let Reverse((due, index, step)) = *self.agenda.peek()?;
        if due > now {
            return None;
        }
        self.agenda.pop();
        Some((index, step))
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    crate::clock::nanoseconds(std::time::Duration::from_secs_f64(seconds))
}
