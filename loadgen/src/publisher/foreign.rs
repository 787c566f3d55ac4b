//! Publishing to a server that is not tickwire.

use std::io::{self, Read as _, Write as _};

use super::Publisher;
use crate::frames;
use crate::plan::Plan;
use crate::protocol::{self, Dialect, Event, Heard, Opening, Side};

/// What publishing in another dialect needs.
pub(super) struct Foreign {
    pub(super) dialect: &'static dyn Dialect,
    /// The URL's own path, and host and port.
    pub(super) base: String,
    pub(super) authority: String,
    /// The beginning of a message, until the rest comes.
    pub(super) carry: Vec<u8>,
}

impl Publisher {
    /// The first words, on a connection that still blocks.
    pub(super) fn introduce(&mut self, opening: &Opening) -> Result<(), String> {
        let Some(dialect) = self.foreign.as_ref().map(|foreign| foreign.dialect) else {
            return Ok(());
        };
        let words = |error: io::Error| format!("a publisher could not begin: {error}");
        self.say(dialect, &opening.hello);
        let mut welcome = !dialect.welcomes();
        let mut chunk = [0; 4096];
        loop {
            self.stream.write_all(&self.outbound).map_err(words)?;
            self.outbound.clear();
            if welcome {
                return Ok(());
            }
            // What came with the answer to the upgrade may be all that there is to come.
            welcome = self.hear()?;
            if welcome {
                self.say(dialect, &opening.wishes);
                continue;
            }
            if let Some(problem) = self.outcome.problem.take() {
                return Err(problem);
            }
            let read = self.stream.read(&mut chunk).map_err(words)?;
            if read == 0 {
                return Err("the server hung up on a publisher".into());
            }
            self.inbound.extend_from_slice(&chunk[..read]);
        }
    }

    fn say(&mut self, dialect: &dyn Dialect, message: &[u8]) {
        if !message.is_empty() {
            let mask = self.mask.to_be_bytes();
            frames::push_masked(&mut self.outbound, dialect.opcode(), mask, message);
        }
    }

    /// Queues the next event of a topic.
    pub(super) fn push_foreign(&mut self, plan: &Plan, topic: usize, due: u64) {
        let Some(foreign) = &self.foreign else { return };
        self.outcome.published[topic] += 1;
        let seq = self.outcome.published[topic];
        protocol::stamp::write(&mut self.data, topic, seq, due, plan.payload);
        let name = plan.topic_name(topic);
        let event = Event { topic: name, data: &self.data };
        let dialect = foreign.dialect;
        if dialect.publishes_in_frames() {
            self.command.clear();
            dialect.publish(&foreign.base, &foreign.authority, event, &mut self.command);
            self.mask = self.mask.wrapping_add(0x9e37_79b9);
            let mask = self.mask.to_be_bytes();
            frames::push_masked(&mut self.outbound, dialect.opcode(), mask, &self.command);
        } else {
            dialect.publish(&foreign.base, &foreign.authority, event, &mut self.outbound);
        }
        self.waiting.push(due);
    }

    /// Works through what came outside of frames.
    pub(super) fn hear_bare(&mut self) -> Result<bool, String> {
        let inbound = std::mem::take(&mut self.inbound);
        let heard = self.hear_foreign(&inbound);
        self.inbound = inbound;
        self.inbound.clear();
        heard
    }

    /// Whether a welcome was in `bytes`.
    pub(super) fn hear_foreign(&mut self, bytes: &[u8]) -> Result<bool, String> {
        let Some(mut foreign) = self.foreign.take() else { return Ok(false) };
        let dialect = foreign.dialect;
        let mut welcome = false;
        let heard =
            protocol::hear_all(dialect, Side::Publisher, &mut foreign.carry, bytes, |heard| {
                match heard {
                    Heard::Welcome => welcome = true,
                    Heard::Ask(answer) => self.say(dialect, answer),
                    Heard::Refused(words) => {
                        self.outcome.refused += 1;
                        self.outcome.problem.get_or_insert_with(|| protocol::refusal(words));
                    }
                    Heard::Event(_) | Heard::Ready | Heard::Nothing => {}
                }
                Ok(())
            });
        self.foreign = Some(foreign);
        heard.map(|()| welcome)
    }
}
