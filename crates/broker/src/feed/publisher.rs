//! The thread of a feed that needs no socket: it drives the feed by the clock and publishes what it
//! gives, waiting for nobody.

use std::convert::Infallible;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use feeds::{Feed, Update};
use market::Event;

use super::sink::{RegistrySink, Sink as _};
use crate::clock::Clock;

/// Drives one feed.
pub(super) struct Publisher<F> {
    feed: F,
    sink: RegistrySink,
    clock: Clock,
    updates: Vec<Update>,
}

impl<F: Feed> Publisher<F> {
    pub(super) fn new(feed: F, sink: RegistrySink, clock: Clock) -> Self {
        Self { feed, sink, clock, updates: Vec::new() }
    }

    /// Runs until the sender of `stopped` is gone, or the feed has no more to say; returns it.
    pub(super) fn run(mut self, stopped: &mpsc::Receiver<Infallible>) -> F {
        loop {
            let now = self.clock.wall();
            self.feed.advance(now, &mut self.updates);
            self.publish();
            let Some(due) = self.feed.next_due() else { break };
            let wait = Duration::from_nanos(due.saturating_sub(self.clock.wall()));
            match stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Ok(never) => match never {},
            }
        }
        self.feed.stop(self.clock.wall(), "the broker shuts down", &mut self.updates);
        self.publish();
        self.feed
    }

    fn publish(&mut self) {
        for Update { channel, event } in self.updates.drain(..) {
            let target = &self.feed.channels()[channel];
            if let Event::Status(status) = &event {
                self.sink.connection_state(&target.topic, status);
            }
            self.sink.publish(channel, target, event);
        }
        self.sink.flush();
    }
}
