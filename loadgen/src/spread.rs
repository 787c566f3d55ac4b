//! From the first to the last subscriber of each event.

use crate::plan::Plan;
use crate::shared::{Latencies, latencies};

/// Events that are followed in each thread at most; of more, every so-manieth.
const EVENTS_MAX: u64 = 1_000_000;

/// When an event came first and last, and to how many.
#[derive(Debug, Clone, Copy, Default)]
struct Arrivals {
    first: u64,
    last: u64,
    count: u32,
}

/// The arrivals that one thread has seen.
#[derive(Debug)]
pub struct Spread {
    stride: u64,
    /// By topic, then by seq / stride.
    topics: Vec<Vec<Arrivals>>,
}

impl Spread {
    /// For the events of a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let stride = plan.events().div_ceil(EVENTS_MAX).max(1);
        Self { stride, topics: vec![Vec::new(); plan.topics] }
    }

    /// Event `seq` of a topic came to one subscriber at `arrived`.
    pub fn arrived(&mut self, topic: usize, seq: u64, arrived: u64) {
        if !seq.is_multiple_of(self.stride) {
            return;
        }
        // A number out of all bounds is not worth its memory; the books have it.
        let Some(index) = usize::try_from(seq / self.stride).ok().filter(|&i| i < 2_000_000) else {
            return;
        };
        let events = &mut self.topics[topic];
        if index >= events.len() {
            events.resize(index + 1, Arrivals::default());
        }
        let event = &mut events[index];
        if event.count == 0 {
            event.first = arrived;
        }
        event.first = event.first.min(arrived);
        event.last = event.last.max(arrived);
        event.count += 1;
    }

    /// Adds what another thread has seen.
    pub fn add(&mut self, other: &Self) {
        for (mine, others) in self.topics.iter_mut().zip(&other.topics) {
            if mine.len() < others.len() {
                mine.resize(others.len(), Arrivals::default());
            }
            for (mine, other) in mine.iter_mut().zip(others).filter(|(_, other)| other.count > 0) {
                let first = if mine.count == 0 { other.first } else { mine.first };
                *mine = Arrivals {
                    first: first.min(other.first),
                    last: mine.last.max(other.last),
                    count: mine.count + other.count,
                };
            }
        }
    }

    /// The distribution over events that came to more than one subscriber.
    #[must_use]
    pub fn distribution(&self) -> Latencies {
        let mut all = latencies();
        for event in self.topics.iter().flatten().filter(|event| event.count > 1) {
            all.saturating_record(event.last - event.first);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_over_all_threads() {
        let empty = || Spread { stride: 1, topics: vec![Vec::new(); 2] };
        let (mut one, mut other) = (empty(), empty());
        one.arrived(0, 1, 100);
        one.arrived(0, 1, 140);
        one.arrived(1, 7, 5);
        other.arrived(0, 1, 90);
        other.arrived(0, 2, 500);
        other.arrived(0, 2, 505);
        one.add(&other);
        let spread = one.distribution();
        assert_eq!((spread.len(), spread.min(), spread.max()), (2, 5, 50));
    }
}
