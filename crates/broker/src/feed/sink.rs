//! Where a feed's events go: the registry of this process, or a broker elsewhere.

use std::sync::Arc;

use feeds::Channel;
use market::{Event, Status};
use tokio::sync::watch;
use topics::{Batch, Registry, Topic, TopicName};
use wire::Payload;

use crate::clock::Clock;
use crate::consolidate::{Consolidation, Source};

/// Takes events. Nothing here waits: what a sink cannot pass on at once it keeps or counts.
pub(crate) trait Sink: Send + Sized + 'static {
    /// Another way into the same place, for another connection: channels are its own.
    fn another(&self) -> Self;

    /// Takes one event. `channel` is always the same for a `number`.
    fn publish(&mut self, number: usize, channel: &Channel, event: Event);

    /// Notes the state of the connection whose events these are. It is not published: the venue's,
    /// on the same topic, may be another.
    fn connection_state(&mut self, topic: &str, status: &Status);

    /// A burst is over.
    fn flush(&mut self);

    /// Changes when what the other side holds of the books is not to be built on any more:
    /// [`Sink::renew`], and then publish them whole.
    fn renewal(&self) -> watch::Receiver<u64>;

    /// From now on books are published from a snapshot on.
    fn renew(&mut self);

    /// Whether anybody subscribes to a topic, existing or not. Where that cannot be known,
    /// everybody does.
    fn is_wanted(&self, topic: &TopicName) -> bool;

    /// Changes when the answer of [`Sink::is_wanted`] may have changed for any topic.
    fn interest(&self) -> u64;
}

/// Into the registry of this process.
#[derive(Debug)]
pub(super) struct RegistrySink {
    batch: Batch,
    clock: Clock,
    consolidation: Arc<Consolidation>,
    source: Source,
    /// The topic of each channel, once it was published to.
    topics: Vec<Option<Arc<Topic>>>,
    refused: u64,
    renewal: watch::Sender<u64>,
}

impl RegistrySink {
    pub(super) fn new(
        registry: Arc<Registry>,
        consolidation: Arc<Consolidation>,
        clock: Clock,
    ) -> Self {
        let source = consolidation.source();
        let renewal = watch::Sender::new(0);
        let (batch, topics) = (Batch::new(registry), Vec::new());
        Self { batch, clock, consolidation, source, topics, refused: 0, renewal }
    }

    fn try_publish(
        &mut self,
        number: usize,
        channel: &Channel,
        event: Event,
    ) -> Result<(), wire::Rejection> {
        if self.topics.len() <= number {
            self.topics.resize(number + 1, None);
        }
        let topic = channel.topic.as_str();
        let known = match &mut self.topics[number] {
            Some(known) => known,
            empty => empty.insert(self.batch.registry().resolve(topic)?),
        };
        let cause = Source::cause(&event).filter(|_| !is_venues(topic));
        self.batch.publish(known, Payload::Market(event), self.clock.wall())?;
        if let Some(native) = &channel.native {
            known.set_native(native);
        }
        if let Some(cause) = cause {
            self.source.follow(&mut self.batch, topic, &cause);
        }
        Ok(())
    }
}

impl Sink for RegistrySink {
    fn another(&self) -> Self {
        let registry = Arc::clone(self.batch.registry());
        Self::new(registry, Arc::clone(&self.consolidation), self.clock)
    }

    fn publish(&mut self, number: usize, channel: &Channel, event: Event) {
        if let Err(rejection) = self.try_publish(number, channel, event) {
            self.refused += 1;
            let topic = &channel.topic;
            // Once in full, then at each power of two, so that a full registry does not fill the
            // log as well.
            if self.refused.is_power_of_two() {
                tracing::error!(topic, refused = self.refused, %rejection, "not published");
            }
        }
    }

    fn connection_state(&mut self, topic: &str, status: &Status) {
        self.source.follow(&mut self.batch, topic, &Event::Status(status.clone()));
    }

    fn flush(&mut self) {
        self.batch.rouse();
    }

    /// Never: the registry loses no book.
    fn renewal(&self) -> watch::Receiver<u64> {
        self.renewal.subscribe()
    }

    fn renew(&mut self) {}

    fn is_wanted(&self, topic: &TopicName) -> bool {
        self.batch.registry().is_wanted(topic)
    }

    fn interest(&self) -> u64 {
        self.batch.registry().interest_changes()
    }
}

/// Whether `topic` is `status.<venue>`, without a symbol.
pub(super) fn is_venues(topic: &str) -> bool {
    topic.split('.').nth(2).is_none()
}
