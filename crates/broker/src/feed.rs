//! Feed threads: each drives one feed by the clock and publishes what it gives, waiting for nobody.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use feeds::{Feed, SimExchange, SimOptions, Update};
use topics::{Batch, Registry, Topic};
use wire::Payload;

use crate::clock::Clock;
use crate::config;

/// A running feed.
#[derive(Debug)]
pub(crate) struct FeedThread {
    stop: mpsc::SyncSender<Infallible>,
    thread: JoinHandle<()>,
}

impl FeedThread {
    /// Starts the feed that `settings` describe.
    ///
    /// # Errors
    /// When the settings are refused, or there is no thread to be had.
    pub(crate) fn start(
        settings: &config::Feed,
        registry: Arc<Registry>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let options = SimOptions {
            venue: settings.venue.clone(),
            symbols: settings.symbols,
            updates_per_second: settings.updates_per_second,
            depth: settings.depth,
            seed: settings.seed,
        };
        let exchange = SimExchange::new(options, clock.wall())?;
        let (stop, stopped) = mpsc::sync_channel(0);
        let venue = settings.venue.clone();
        let thread = std::thread::Builder::new()
            .name(format!("feed-{venue}"))
            .spawn(move || Publisher::new(exchange, registry, clock).run(&venue, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Stops the feed, and waits until it has said so on its status topic.
    pub(crate) fn stop(self) {
        // The other end hears that this one is gone.
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("a feed ended with a panic");
        }
    }
}

struct Publisher<F> {
    feed: F,
    batch: Batch,
    clock: Clock,
    /// The topic of each channel, once it was published to.
    topics: Vec<Option<Arc<Topic>>>,
    updates: Vec<Update>,
    refused: u64,
}

impl<F: Feed> Publisher<F> {
    fn new(feed: F, registry: Arc<Registry>, clock: Clock) -> Self {
        let topics = vec![None; feed.channels().len()];
        Self { feed, batch: Batch::new(registry), clock, topics, updates: Vec::new(), refused: 0 }
    }

    fn run(mut self, venue: &str, stopped: &mpsc::Receiver<Infallible>) {
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
        tracing::debug!(venue, "feed stopped");
    }

    fn publish(&mut self) {
        let mut updates = std::mem::take(&mut self.updates);
        for Update { channel, event } in updates.drain(..) {
            if let Err(rejection) = self.publish_one(channel, event) {
                self.refused += 1;
                // Once in full, then at each power of two, so that a full registry does not fill
                // the log as well.
                if self.refused.is_power_of_two() {
                    let topic = &self.feed.channels()[channel].topic;
                    tracing::error!(topic, refused = self.refused, %rejection, "not published");
                }
            }
        }
        self.updates = updates;
        self.batch.rouse();
    }

    fn publish_one(&mut self, channel: usize, event: market::Event) -> Result<(), wire::Rejection> {
        let topic = match &mut self.topics[channel] {
            Some(topic) => topic,
            empty => {
                empty.insert(self.batch.registry().resolve(&self.feed.channels()[channel].topic)?)
            }
        };
        self.batch.publish(topic, Payload::Market(event), self.clock.wall())?;
        Ok(())
    }
}
