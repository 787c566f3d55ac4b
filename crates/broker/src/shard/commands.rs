//! The broker's service: a client's commands carried out against hub and registry.

use std::collections::HashMap;
use std::sync::Arc;

use fanout::{Hub, SubscriberId};
use market::{Event, Nanos};
use topics::{Batch, Published, Registry, TopicKind};
use wire::command::{BadCommand, Data};
use wire::rejection::Code;
use wire::{Codec, Command, CommandReader, Payload, Rejection, message};

use super::read::wrong_type;
use super::{Message, Service, Verdict};
use crate::clock::Clock;
use crate::consolidate::{Consolidation, Source};

/// Carries out commands of protocol v1.
#[derive(Debug)]
pub struct CommandService {
    publisher: Publisher,
    reader: CommandReader,
}

/// What publishes for the clients of one shard.
#[derive(Debug)]
struct Publisher {
    batch: Batch,
    clock: Clock,
    consolidation: Arc<Consolidation>,
    /// Of those clients that publish quotes or status.
    sources: HashMap<SubscriberId, Source>,
    wills: HashMap<SubscriberId, Wills>,
}

/// What a client wants published to which topics when it is gone.
type Wills = HashMap<Box<str>, Payload>;

/// Topics for which one client may leave a will.
const WILLS_MAX: usize = 1_000;

impl CommandService {
    /// A service that takes at most `topics_max` topics in one command.
    #[must_use]
    pub(crate) fn new(
        registry: Arc<Registry>,
        consolidation: Arc<Consolidation>,
        topics_max: usize,
        clock: Clock,
    ) -> Self {
        let (batch, sources, wills) = (Batch::new(registry), HashMap::new(), HashMap::new());
        let publisher = Publisher { batch, clock, consolidation, sources, wills };
        Self { publisher, reader: CommandReader::new(topics_max) }
    }
}

impl Publisher {
    fn publish(
        &mut self,
        from: SubscriberId,
        topic: &str,
        native: Option<&str>,
        data: &Data<'_>,
        will: Option<&Data<'_>>,
    ) -> Result<Published, Rejection> {
        let now = self.clock.wall();
        // Both first: what is refused leaves nothing behind.
        let will = will.map(|will| self.checked(from, topic, will)).transpose()?;
        let published = self.put(from, topic, native, payload(topic, data, now)?)?;
        if let Some(will) = will {
            self.wills.entry(from).or_default().insert(topic.into(), will);
        } else if let Some(wills) = self.wills.get_mut(&from) {
            wills.remove(topic);
        }
        Ok(published)
    }

    fn checked(
        &self,
        from: SubscriberId,
        topic: &str,
        will: &Data<'_>,
    ) -> Result<Payload, Rejection> {
        let full = |wills: &Wills| wills.len() >= WILLS_MAX && !wills.contains_key(topic);
        if self.wills.get(&from).is_some_and(full) {
            let message = format_args!("a will for more than {WILLS_MAX} topics");
            return Err(Rejection::new(Code::TooMany, message));
        }
        payload(topic, will, self.clock.wall()).map_err(|Rejection { code, message }| {
            Rejection::new(code, format_args!("\"will\": {message}"))
        })
    }

    fn put(
        &mut self,
        from: SubscriberId,
        topic: &str,
        native: Option<&str>,
        payload: Payload,
    ) -> Result<Published, Rejection> {
        let (published, cause) = publish(&mut self.batch, self.clock, topic, native, payload)?;
        if let Some(cause) = cause {
            let source = self.sources.entry(from);
            let source = source.or_insert_with(|| self.consolidation.source());
            source.follow(&mut self.batch, topic, &cause);
        }
        Ok(published)
    }

    /// A client is gone: what it left to be said is said.
    fn forget(&mut self, from: SubscriberId) {
        for (topic, mut payload) in self.wills.remove(&from).into_iter().flatten() {
            if let Payload::Market(event) = &mut payload {
                event.stamps_mut().received = self.clock.wall();
            }
            if let Err(rejection) = self.put(from, &topic, None, payload) {
                tracing::warn!(topic, %rejection, "the will of a client was not published");
            }
        }
        self.sources.remove(&from);
    }
}

impl Service for CommandService {
    fn message(
        &mut self,
        hub: &mut Hub,
        from: SubscriberId,
        codec: Codec,
        message: Message<'_>,
    ) -> Verdict {
        let bytes = match (codec, message) {
            (Codec::Json, Message::Text(bytes)) | (Codec::MessagePack, Message::Binary(bytes)) => {
                bytes
            }
            _ => return Verdict::Close(wrong_type(codec)),
        };
        let publisher = &mut self.publisher;
        let refused = self.reader.read(codec, bytes, |command| {
            let command = command?;
            carry_out(hub, publisher, from, codec, command)
        });
        match refused {
            Ok(()) => Verdict::Continue,
            Err(BadCommand { id, rejection }) => {
                hub.reply(from, |out| message::append_error(codec, out, id.as_ref(), &rejection));
                Verdict::Error
            }
        }
    }

    fn messages_done(&mut self) {
        self.publisher.batch.rouse();
    }

    fn gone(&mut self, from: SubscriberId) {
        self.publisher.forget(from);
    }
}

fn carry_out(
    hub: &mut Hub,
    publisher: &mut Publisher,
    from: SubscriberId,
    codec: Codec,
    command: Command<'_>,
) -> Result<(), BadCommand> {
    match command {
        Command::Subscribe(subscribe) => hub
            .subscribe(from, &subscribe)
            .map_err(|rejection| BadCommand { id: subscribe.id, rejection }),
        Command::Unsubscribe { id, topics } => hub
            .unsubscribe(from, id.as_ref(), &topics)
            .map_err(|rejection| BadCommand { id, rejection }),
        Command::Publish { id, topic, data, will, native } => {
            match publisher.publish(from, topic, native, &data, will.as_ref()) {
                Ok(Published { epoch, seq }) => {
                    if let Some(id) = id {
                        hub.reply(from, |out| {
                            message::append_published(codec, out, &id, topic, epoch, seq);
                        });
                    }
                    Ok(())
                }
                Err(rejection) => Err(BadCommand { id, rejection }),
            }
        }
        Command::Ping { id } => {
            let now = publisher.clock.wall();
            hub.reply(from, |out| message::append_pong(codec, out, id.as_ref(), now));
            Ok(())
        }
    }
}

/// `data` as what `topic` carries: checked, if that is market data.
pub(crate) fn payload(topic: &str, data: &Data<'_>, now: Nanos) -> Result<Payload, Rejection> {
    Ok(match TopicKind::of(topic) {
        TopicKind::Market(kind) => Payload::Market(data.market(kind, now)?),
        TopicKind::Generic => Payload::Json(data.opaque()),
    })
}

/// Publishes to `topic`, whose symbol the venue spells `native`. Returns besides what [`Source::follow`] must be given now.
pub(crate) fn publish(
    batch: &mut Batch,
    clock: Clock,
    topic: &str,
    native: Option<&str>,
    payload: Payload,
) -> Result<(Published, Option<Event>), Rejection> {
    let cause = match &payload {
        Payload::Market(event) => Source::cause(event),
        Payload::Book(..) | Payload::Json(_) => None,
    };
    let mut topic: Arc<_> = batch.registry().resolve(topic)?;
    let published = batch.publish(&mut topic, payload, clock.wall())?;
    if let Some(native) = native {
        topic.set_native(native);
    }
    Ok((published, cause))
}
