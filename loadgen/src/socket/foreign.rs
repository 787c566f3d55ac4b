//! A subscriber of a server that is not tickwire: the same books, another dialect.

use super::{Context, MASK, Socket, Stage};
use crate::frames;
use crate::plan::Plan;
use crate::protocol::{self, Dialect, Heard, Opening, Side};
use crate::scan::Seen;

impl Socket {
    /// How this subscriber's connection begins.
    pub(super) fn opening(&self, plan: &Plan, dialect: &dyn Dialect) -> Opening {
        let topics: Vec<String> =
            self.subset.iter().map(|topic| plan.topic_name(topic).to_owned()).collect();
        dialect.subscriber(&plan.target.path, self.subscriber, &topics)
    }

    /// Upgraded: says what comes first. Who is not answered is subscribed by now.
    pub(super) fn greet(
        &mut self,
        context: &mut Context<'_>,
        dialect: &dyn Dialect,
        arrived: u64,
    ) -> Result<(), String> {
        let opening = self.opening(context.plan, dialect);
        self.stage = Stage::Subscribing;
        self.say(dialect, &opening.hello);
        if !dialect.welcomes() {
            self.say(dialect, &opening.wishes);
        }
        if !dialect.confirms() {
            self.live(context, arrived);
        }
        self.flush()
    }

    fn live(&mut self, context: &mut Context<'_>, arrived: u64) {
        if self.stage == Stage::Subscribing {
            self.stage = Stage::Live;
            context.connect.saturating_record(arrived.saturating_sub(self.dialled));
        }
    }

    fn say(&mut self, dialect: &dyn Dialect, message: &[u8]) {
        if !message.is_empty() {
            frames::push_masked(&mut self.outbound, dialect.opcode(), MASK, message);
        }
    }

    /// What a frame has brought: some messages, or a part of one.
    pub(super) fn foreign(
        &mut self,
        dialect: &dyn Dialect,
        payload: &[u8],
        context: &mut Context<'_>,
        arrived: u64,
    ) -> Result<(), String> {
        let mut carry = std::mem::take(&mut self.heard);
        let heard = protocol::hear_all(dialect, Side::Subscriber, &mut carry, payload, |heard| {
            match heard {
                Heard::Event(stamp) => self.stamped(stamp, context, arrived),
                Heard::Welcome => {
                    let wishes = self.opening(context.plan, dialect).wishes;
                    self.say(dialect, &wishes);
                    self.flush()?;
                }
                Heard::Ready => self.live(context, arrived),
                Heard::Ask(answer) => {
                    self.say(dialect, answer);
                    self.flush()?;
                }
                Heard::Nothing => {}
                Heard::Refused(words) => return Err(protocol::refusal(words)),
            }
            Ok(())
        });
        self.heard = carry;
        heard
    }

    fn stamped(&mut self, stamp: protocol::stamp::Stamp, context: &mut Context<'_>, arrived: u64) {
        context.delivered += 1;
        let protocol::stamp::Stamp { topic, seq, due } = stamp;
        let Some(slot) = self.subset.slot_of(topic) else {
            context.unasked[self.member.role as usize] += 1;
            return;
        };
        self.sequences[slot].event(seq, seq);
        let seen = Seen { topic, from: seq, seq, due, sent: 0, published: 0 };
        context.record(self.member.role, self.member.limited, &seen, arrived);
    }
}
