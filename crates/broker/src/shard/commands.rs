//! The broker's service: a client's commands carried out against hub and registry.

use std::sync::Arc;

use fanout::{Hub, SubscriberId};
use topics::{Batch, Registry, TopicKind};
use wire::command::{BadCommand, Data};
use wire::{Codec, Command, CommandReader, Payload, Rejection, message};

use super::read::wrong_type;
use super::{Message, Service, Verdict};
use crate::clock::Clock;

/// Carries out commands of protocol v1.
#[derive(Debug)]
pub struct CommandService {
    batch: Batch,
    reader: CommandReader,
    clock: Clock,
}

impl CommandService {
    /// A service that takes at most `topics_max` topics in one command.
    #[must_use]
    pub fn new(registry: Arc<Registry>, topics_max: usize, clock: Clock) -> Self {
        Self { batch: Batch::new(registry), reader: CommandReader::new(topics_max), clock }
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
        let (batch, clock) = (&mut self.batch, self.clock);
        let refused = self.reader.read(codec, bytes, |command| {
            let command = command?;
            carry_out(hub, batch, clock, from, codec, command)
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
        self.batch.rouse();
    }
}

fn carry_out(
    hub: &mut Hub,
    batch: &mut Batch,
    clock: Clock,
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
        Command::Publish { id, topic, data } => match publish(batch, clock, topic, &data) {
            Ok((epoch, seq)) => {
                if let Some(id) = id {
                    hub.reply(from, |out| {
                        message::append_published(codec, out, &id, topic, epoch, seq);
                    });
                }
                Ok(())
            }
            Err(rejection) => Err(BadCommand { id, rejection }),
        },
        Command::Ping { id } => {
            let now = clock.wall();
            hub.reply(from, |out| message::append_pong(codec, out, id.as_ref(), now));
            Ok(())
        }
    }
}

/// Publishes `data` to `topic`, checked if the topic is one of market data. Returns epoch and seq.
pub(crate) fn publish(
    batch: &mut Batch,
    clock: Clock,
    topic: &str,
    data: &Data<'_>,
) -> Result<(u64, u64), Rejection> {
    let now = clock.wall();
    // The data first: a bad event must not leave an empty topic behind.
    let payload = match TopicKind::of(topic) {
        TopicKind::Market(kind) => Payload::Market(data.market(kind, now)?),
        TopicKind::Generic => Payload::Json(data.opaque()),
    };
    let mut topic: Arc<_> = batch.registry().resolve(topic)?;
    let published = batch.publish(&mut topic, payload, now)?;
    Ok((published.epoch, published.seq))
}
