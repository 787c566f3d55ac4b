//! The best of all venues: quotes and status of every publisher, brought together and published
//! to `nbbo.<symbol>`.
//!
//! Each publisher has a [`Source`]: each connection of a feed, each client that publishes quotes,
//! and one for all that comes by HTTP. When a source is gone so is what it said: a quote nobody
//! stands for any more is not the best of anything.

use std::collections::HashMap;
use std::sync::Arc;

use feeds::derive::{Consolidated, Consolidator, Member};
use market::{Event, Flags, Nanos};
use parking_lot::Mutex;
use topics::{Batch, Registry, Topic};
use wire::{JsonText, Payload, Rejection};

use crate::clock::Clock;

/// Symbols that are consolidated; quotes of further ones are left out, with a line in the log.
const SYMBOLS_MAX: usize = 100_000;
/// Venues that one publisher may speak for; what it says of further ones is left out.
const VENUES_MAX: usize = 1_000;

/// What all sources share.
#[derive(Debug)]
pub(crate) struct Consolidation {
    registry: Arc<Registry>,
    clock: Clock,
    /// Locked until what follows of an event is published, so that it comes in that order.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    consolidator: Consolidator,
    /// Those of the consolidator's channels that were published to.
    topics: Vec<Option<Arc<Topic>>>,
    news: Vec<Consolidated>,
    /// Events that the registry did not take.
    refused: u64,
    left_out: u64,
}

/// One publisher's part in it, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Source {
    shared: Arc<Consolidation>,
    /// By venue.
    members: HashMap<Box<str>, Member>,
}

impl Consolidation {
    pub(crate) fn new(registry: Arc<Registry>, clock: Clock) -> Arc<Self> {
        let consolidator = Consolidator::new(SYMBOLS_MAX);
        let state =
            State { consolidator, topics: Vec::new(), news: Vec::new(), refused: 0, left_out: 0 };
        Arc::new(Self { registry, clock, state: Mutex::new(state) })
    }

    /// Another publisher.
    pub(crate) fn source(self: &Arc<Self>) -> Source {
        Source { shared: Arc::clone(self), members: HashMap::new() }
    }
}

impl Source {
    /// What of `event` is to be given to [`Source::follow`] after it was published, if anything.
    pub(crate) fn cause(event: &Event) -> Option<Event> {
        let matters = matches!(event, Event::Quote(_) | Event::Status(_))
            // A recording tells what was best then, and nothing of now.
            && !event.stamps().flags.has(Flags::REPLAYED);
        matters.then(|| event.clone())
    }

    /// Publishes what follows from `cause`, which was published to `topic` just now.
    pub(crate) fn follow(&mut self, batch: &mut Batch, topic: &str, cause: &Event) {
        let Some(venue) = topic.split('.').nth(1) else { return };
        let mut state = self.shared.state.lock();
        let member = match self.members.get(venue) {
            Some(member) => *member,
            None if self.members.len() < VENUES_MAX => {
                let member = state.consolidator.join(venue);
                self.members.insert(venue.into(), member);
                member
            }
            None => return state.leave_out(topic, "its publisher speaks for too many venues"),
        };
        let refused = state.consolidator.refused();
        let State { consolidator, news, .. } = &mut *state;
        consolidator.update(member, topic, cause, news);
        if state.consolidator.refused() > refused {
            state.leave_out(topic, "there are too many symbols");
        }
        state.publish(batch, self.shared.clock.wall());
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if self.members.is_empty() {
            return;
        }
        let mut batch = Batch::new(Arc::clone(&self.shared.registry));
        let now = self.shared.clock.wall();
        let mut state = self.shared.state.lock();
        let State { consolidator, news, .. } = &mut *state;
        for member in self.members.values() {
            consolidator.leave(*member, now, news);
        }
        state.publish(&mut batch, now);
    }
}

impl State {
    fn publish(&mut self, batch: &mut Batch, now: Nanos) {
        let Self { consolidator, topics, news, refused, .. } = self;
        topics.resize(consolidator.topics().len(), None);
        for Consolidated { channel, nbbo } in news.drain(..) {
            let name = &consolidator.topics()[channel];
            if let Err(problem) = publish(batch, &mut topics[channel], name, nbbo.json(), now) {
                *refused += 1;
                if refused.is_power_of_two() {
                    tracing::error!(topic = name, refused, %problem, "not published");
                }
            }
        }
    }

    fn leave_out(&mut self, topic: &str, reason: &str) {
        self.left_out += 1;
        // Not a line each: a flood of them is what the bounds are there for.
        if self.left_out.is_power_of_two() {
            tracing::warn!(topic, left_out = self.left_out, reason, "not part of any nbbo topic");
        }
    }
}

fn publish(
    batch: &mut Batch,
    topic: &mut Option<Arc<Topic>>,
    name: &str,
    json: String,
    now: Nanos,
) -> Result<(), Rejection> {
    let payload = Payload::Json(JsonText::written(json));
    let topic = match topic {
        Some(topic) => topic,
        empty => empty.insert(batch.registry().resolve(name)?),
    };
    batch.publish(topic, payload, now).map(drop)
}
