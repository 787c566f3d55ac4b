//! What a subscriber makes of a message: events into its books, answers into its state.

use std::collections::BTreeMap;

use client::{
    Acknowledged, Codec, Command, Gap, Message, Position, RawMessage, Sequence, Subscribe,
};

use super::{Context, Returning, Socket, Stage};
use crate::books::Books;
use crate::frames;
use crate::plan::Plan;
use crate::scan::Seen;
use crate::ticks::verify::Extent;

impl Socket {
    pub(super) fn message(
        &mut self,
        payload: &[u8],
        context: &mut Context<'_>,
        arrived: u64,
    ) -> Result<(), String> {
        context.delivered += 1;
        let Some(seen) = context.event(self.member.codec, payload) else {
            return self.reply(payload, context, arrived);
        };
        let Some(slot) = self.subset.slot_of(seen.topic) else {
            context.unasked[self.member.role as usize] += 1;
            return Ok(());
        };
        self.sequences[slot].event(seen.from, seen.seq);
        context.record(self.member.role, self.member.limited, &seen, arrived);
        if self.verifier.is_some() {
            self.verify(payload, &seen, context.plan)?;
        }
        if self.returning.is_some() {
            self.note_return(context, arrived);
        }
        Ok(())
    }

    /// Reads an event in full, and compares it with the truth.
    fn verify(&mut self, payload: &[u8], seen: &Seen, plan: &Plan) -> Result<(), String> {
        let (Some(verifier), Some(script)) = (&mut self.verifier, &plan.script) else {
            return Ok(());
        };
        let raw = RawMessage { codec: self.member.codec, bytes: payload.to_vec().into() };
        let message = raw.decode().map_err(|error| error.to_string())?;
        if let Message::Event(event) = message {
            let Seen { topic, from, seq, .. } = *seen;
            verifier.message(script, Extent { topic, from, seq, snapshot: false }, &event.data);
        }
        Ok(())
    }

    /// Anything that is no event: rare, so read in full.
    fn reply(
        &mut self,
        payload: &[u8],
        context: &mut Context<'_>,
        arrived: u64,
    ) -> Result<(), String> {
        let raw = RawMessage { codec: self.member.codec, bytes: payload.to_vec().into() };
        match raw.decode().map_err(|error| error.to_string())? {
            Message::Subscribed { topics, .. } => self.subscribed(&topics, context, arrived),
            Message::Snapshot(snapshot) => {
                let Some((topic, slot)) = self.slot_named(&snapshot.topic, context) else {
                    return Ok(());
                };
                self.sequences[slot].snapshot(snapshot.seq);
                if let (Some(verifier), Some(script)) = (&mut self.verifier, &context.plan.script) {
                    let seq = snapshot.seq;
                    let extent = Extent { topic, from: seq, seq, snapshot: true };
                    verifier.message(script, extent, &snapshot.data);
                }
            }
            Message::Gap(gap) => self.gap(&gap, context),
            Message::Event(_) => context.unasked[self.member.role as usize] += 1,
            Message::Error(error) => return Err(format!("the server refused: {error}")),
            _ => {}
        }
        if self.returning.is_some() {
            self.note_return(context, arrived);
        }
        Ok(())
    }

    fn subscribed(&mut self, topics: &[Acknowledged], context: &mut Context<'_>, arrived: u64) {
        for entry in topics {
            // A pattern's topics are this run's own: they begin with their first event.
            let Acknowledged::Topic(position) = entry else { continue };
            if context.epoch.as_deref() != Some(&position.epoch) {
                context.epoch = Some(position.epoch.clone());
            }
            let Some((_, slot)) = self.slot_named(&position.topic, context) else { continue };
            if let Some(returning) = &mut self.returning {
                returning.targets[slot] = position.seq;
            } else {
                self.sequences[slot] = Sequence::starting_after(position.seq);
                self.starts[slot] = position.seq;
            }
        }
        if self.returning.is_none() {
            context.connect.saturating_record(arrived.saturating_sub(self.dialled));
        }
        self.stage = Stage::Live;
    }

    fn gap(&mut self, gap: &Gap, context: &mut Context<'_>) {
        let Some((_, slot)) = self.slot_named(&gap.topic, context) else { return };
        if gap.reason == "restart" {
            context.epoch.clone_from(&gap.epoch);
            self.sequences[slot].restart(gap.to);
        } else {
            self.sequences[slot].gap(gap.from, gap.to);
        }
    }

    /// Who came back has caught up when it has what there was when it was subscribed again.
    fn note_return(&mut self, context: &mut Context<'_>, arrived: u64) {
        let Some(Returning { targets }) = &self.returning else { return };
        let mut ends = self.sequences.iter().zip(targets);
        if self.stage == Stage::Live && ends.all(|(sequence, target)| sequence.last() >= *target) {
            context.resume.saturating_record(arrived.saturating_sub(self.dialled));
            self.returning = None;
        }
    }

    /// The topic's number and slot.
    fn slot_named(&self, name: &str, context: &Context<'_>) -> Option<(usize, usize)> {
        let topic = match &context.plan.script {
            Some(script) if context.plan.ticks => *script.by_name.get(name)?,
            _ => name.strip_prefix(&context.plan.prefix)?.parse().ok()?,
        };
        Some((topic, self.subset.slot_of(topic)?))
    }

    /// Asks for its topics; coming back, from where it was.
    pub(super) fn subscribe(&mut self, context: &Context<'_>) -> Result<(), String> {
        let plan = context.plan;
        let mut subscribe = Subscribe {
            id: Some(1),
            on_slow: plan.on_slow,
            ..Subscribe::to(plan.subscription_of(self.subscriber))
        };
        if self.member.limited && plan.may_be_merged(self.subscriber) {
            subscribe.max_rate = plan.max_rate;
        }
        if let Some(epoch) = context.epoch.as_ref().filter(|_| self.returning.is_some()) {
            let places = self.subset.iter().zip(&self.sequences);
            let position = |(topic, sequence): (usize, &Sequence)| {
                let position = Position { epoch: epoch.clone(), seq: sequence.last() };
                (plan.topic_name(topic).to_owned(), position)
            };
            subscribe.resume = places.map(position).collect::<BTreeMap<_, _>>();
        }
        let codec = self.member.codec;
        let bytes = codec.encode(&Command::from(subscribe)).map_err(|e| e.to_string())?;
        let opcode = match codec {
            Codec::Json => frames::TEXT,
            Codec::MessagePack => frames::BINARY,
        };
        frames::push_masked(&mut self.outbound, opcode, super::MASK, &bytes);
        self.stage = Stage::Subscribing;
        self.flush()
    }

    /// Whether everything in `published` (events by topic) has come or is accounted for.
    #[must_use]
    pub fn is_complete(&self, published: &[u64]) -> bool {
        self.ends(published).all(|(sequence, _, last)| sequence.last() >= last)
    }

    /// Closes its books.
    pub fn close_books(&self, published: &[u64], books: &mut Books) {
        for (topic, (sequence, start, last)) in self.subset.iter().zip(self.ends(published)) {
            books.close(self.member.role, topic, sequence, (start, last));
        }
    }

    /// Of each of its topics the sequence, where it started, and the last number that there is.
    fn ends<'s>(&'s self, published: &'s [u64]) -> impl Iterator<Item = (&'s Sequence, u64, u64)> {
        let count = |topic: usize| published.get(topic).copied().unwrap_or(0);
        let counts = self.subset.iter().map(count);
        let books = self.sequences.iter().zip(&self.starts);
        books.zip(counts).map(|((sequence, start), count)| (sequence, *start, start + count))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    /// The first socket of a run with these arguments.
    fn subscriber(rest: &[&str], check: impl FnOnce(&mut Socket, &mut Context<'_>, &Plan)) {
        subscriber_of("ws", rest, check);
    }

    /// The same at a server that this scheme names.
    fn subscriber_of(
        scheme: &str,
        rest: &[&str],
        check: impl FnOnce(&mut Socket, &mut Context<'_>, &Plan),
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/ws", listener.local_addr().unwrap());
        let line = ["loadgen", "--url", &url, "--verify-every", "1000"].into_iter();
        let arguments = Arguments::try_parse_from(line.chain(rest.iter().copied())).unwrap();
        let plan = arguments.run.plan().unwrap();
        let mut context = Context::new(&plan);
        context.measured = (0, u64::MAX);
        // The first of a kind verifies, and that is not the hot path.
        let mut socket = Socket::connect(&plan, 1, 0).unwrap();
        check(&mut socket, &mut context, &plan);
    }

    fn message(codec: Codec, plan: &Plan, topic: usize, seq: u64) -> Vec<u8> {
        let (due, name) = (1_000_000 + seq, plan.topic_name(topic));
        let times = if plan.ticks { ["ts_event", "ts_recv"] } else { ["due", "sent"] };
        let value = serde_json::json!({"op": "event", "topic": name, "seq": seq,
            "ts": (due + 2).to_string(),
            "data": {times[0]: due.to_string(), times[1]: (due + 1).to_string(), "n": 1}});
        match codec {
            Codec::Json => value.to_string().into_bytes(),
            Codec::MessagePack => rmp_serde::to_vec_named(&value).unwrap(),
        }
    }

    /// The frame of another server that brings event `seq`.
    fn foreign_frame(scheme: &str, name: &str, topic: usize, seq: u64) -> Vec<u8> {
        let mut data = Vec::new();
        crate::protocol::stamp::write(&mut data, topic, seq, 1_000_000 + seq, 128);
        match scheme {
            "nats" => {
                [format!("MSG {name} 1 {}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat()
            }
            "mqtt" => {
                let mut packet = Vec::new();
                let event = crate::protocol::Event { topic: name, data: &data };
                let (dialect, _) = crate::protocol::of_url("mqtt+ws://h").unwrap();
                dialect.publish("/", "h", event, &mut packet);
                packet
            }
            "socketio" => [b"42[\"event\",", &data[..], b"]"].concat(),
            _ => data,
        }
    }

    #[test]
    fn counting_an_event_of_another_server_allocates_nothing() {
        for scheme in ["nats", "mqtt", "nchan", "broadcast", "socketio"] {
            let scheme_of_url = format!("{scheme}+ws");
            subscriber_of(&scheme_of_url, &["--subscribers", "10"], |socket, context, plan| {
                let topic = socket.subset.iter().next().unwrap();
                let name = plan.topic_name(topic);
                let frames: Vec<_> =
                    (1..=900).map(|seq| foreign_frame(scheme, name, topic, seq)).collect();
                let dialect = plan.target.dialect.unwrap();
                let mut count = |frames: &[Vec<u8>]| {
                    for frame in frames {
                        socket.foreign(dialect, frame, context, 2_000_000).unwrap();
                    }
                };
                // What is kept for each event grows by doubling: up to 1,024 here.
                count(&frames[..600]);
                let info = allocation_counter::measure(|| count(&frames[600..]));
                assert_eq!(info.count_total, 0, "{scheme}");
                assert_eq!(socket.sequences[0].received(), 900, "{scheme}");
                assert_eq!(context.groups[0].len(), 900, "{scheme}");
            });
        }
    }

    #[test]
    fn counting_an_event_allocates_nothing() {
        for codec in ["json", "msgpack"] {
            for data in ["fixed", "ticks"] {
                let plan = ["--codec", codec, "--data", data, "--subscribers", "10"];
                subscriber(&plan, |socket, context, plan| {
                    let topic = socket.subset.iter().next().unwrap();
                    let messages: Vec<_> =
                        (1..=900).map(|seq| message(plan.codec, plan, topic, seq)).collect();
                    let mut count = |messages: &[Vec<u8>]| {
                        for message in messages {
                            socket.message(message, context, 2_000_000).unwrap();
                        }
                    };
                    // What is kept for each event grows by doubling: up to 1,024 here.
                    count(&messages[..600]);
                    let info = allocation_counter::measure(|| count(&messages[600..]));
                    assert_eq!(info.count_total, 0, "{codec} {data}");
                    assert_eq!(socket.sequences[0].received(), 900, "{codec} {data}");
                    assert_eq!(context.groups[0].len(), 900);
                    assert_eq!(context.hops.sum(&context.groups[0], None).unwrap().count, 900);
                });
            }
        }
    }
}
