//! The hot path of receiving: the few fields that count, found in the raw bytes.
//!
//! A full parse of every message would make the generator the bottleneck. The payloads are our
//! own, so the words searched for occur nowhere else in them.

use std::collections::HashMap;
use std::sync::Arc;

use client::Codec;
use memchr::memmem::Finder;
use rustc_hash::FxBuildHasher;

use crate::plan::Plan;

/// What an event says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which of the run's topics.
    pub topic: usize,
    /// First event that it stands for.
    pub from: u64,
    /// Last event that it stands for.
    pub seq: u64,
    /// When it was due; 0 when it does not say.
    pub due: u64,
    /// When the publisher sent it; 0 when it does not say.
    pub sent: u64,
    /// When the server published it; 0 when it does not say.
    pub published: u64,
}

/// How topics are told apart.
#[derive(Debug, Clone)]
pub enum Topics {
    /// A prefix, and a number.
    Numbered(String),
    /// Any names.
    Named(Arc<HashMap<Box<[u8]>, usize, FxBuildHasher>>),
}

impl Topics {
    /// Those of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        if !plan.ticks {
            return Self::Numbered(plan.prefix.clone());
        }
        let names = plan.names.iter().enumerate();
        Self::Named(Arc::new(names.map(|(i, name)| (name.as_bytes().into(), i)).collect()))
    }
}

/// Finds the fields of events in one codec.
#[derive(Debug)]
pub struct Scanner {
    codec: Codec,
    event: Finder<'static>,
    seq: Finder<'static>,
    ts: Finder<'static>,
    from: Finder<'static>,
    merged: Finder<'static>,
    due: Finder<'static>,
    sent: Finder<'static>,
    /// What stands before the topic's number, or before its name.
    topic: Finder<'static>,
    topics: Topics,
}

impl Scanner {
    /// For messages in `codec` about `topics`.
    #[must_use]
    pub fn new(codec: Codec, topics: Topics) -> Self {
        // A MessagePack text of up to 31 bytes is its length + 0xa0 and the bytes.
        let find = |json: &str, msgpack: &[u8]| match codec {
            Codec::Json => Finder::new(json.as_bytes()).into_owned(),
            Codec::MessagePack => Finder::new(msgpack).into_owned(),
        };
        let (due, sent, topic) = match &topics {
            Topics::Numbered(prefix) => (
                find("\"due\":\"", b"\xa3due"),
                find("\"sent\":\"", b"\xa4sent"),
                Finder::new(prefix.as_bytes()).into_owned(),
            ),
            // Ticks carry the same times as the venue's and the receiver's stamps.
            Topics::Named(_) => (
                find("\"ts_event\":\"", b"\xa8ts_event"),
                find("\"ts_recv\":\"", b"\xa7ts_recv"),
                find("\"topic\":\"", b"\xa5topic"),
            ),
        };
        Self {
            codec,
            event: find("\"op\":\"event\"", b"\xa2op\xa5event"),
            seq: find("\"seq\":", b"\xa3seq"),
            ts: find("\"ts\":\"", b"\xa2ts"),
            from: find("\"from\":", b"\xa4from"),
            merged: find("\"merged\":", b"\xa6merged"),
            due,
            sent,
            topic,
            topics,
        }
    }

    /// The event in `message`; `None` when it is something else, to be read by a real parser.
    #[must_use]
    pub fn event(&self, message: &[u8]) -> Option<Seen> {
        self.event.find(message)?;
        let topic = self.topic(after(&self.topic, message)?)?;
        let behind_seq = after(&self.seq, message)?;
        let seq = self.integer(behind_seq)?;
        let from = match self.merged.find(message) {
            None => seq,
            Some(_) => self.integer(after(&self.from, message)?)?,
        };
        let time = |finder: &Finder<'_>, bytes| {
            let rest = after(finder, bytes)?;
            Some((self.time(rest)?, rest))
        };
        let published = time(&self.ts, message).map_or(0, |(time, _)| time);
        let (due, rest) = time(&self.due, message).unwrap_or((0, message));
        let sent = time(&self.sent, rest).map_or(0, |(time, _)| time);
        Some(Seen { topic, from, seq, due, sent, published })
    }

    fn topic(&self, bytes: &[u8]) -> Option<usize> {
        match &self.topics {
            Topics::Numbered(_) => usize::try_from(digits(bytes)?).ok(),
            Topics::Named(names) => {
                let name = match (self.codec, bytes) {
                    (Codec::Json, _) => &bytes[..memchr::memchr(b'"', bytes)?],
                    (Codec::MessagePack, [length @ 0xa0..=0xbf, rest @ ..]) => {
                        rest.get(..usize::from(length - 0xa0))?
                    }
                    (Codec::MessagePack, [0xd9, length, rest @ ..]) => {
                        rest.get(..usize::from(*length))?
                    }
                    (Codec::MessagePack, _) => return None,
                };
                names.get(name).copied()
            }
        }
    }

    fn integer(&self, bytes: &[u8]) -> Option<u64> {
        match self.codec {
            Codec::Json => digits(bytes),
            Codec::MessagePack => match *bytes {
                [small @ 0..=0x7f, ..] => Some(small.into()),
                [0xcc, value, ..] => Some(value.into()),
                [0xcd, ref rest @ ..] => Some(u16::from_be_bytes(*rest.first_chunk()?).into()),
                [0xce, ref rest @ ..] => Some(u32::from_be_bytes(*rest.first_chunk()?).into()),
                [0xcf, ref rest @ ..] => Some(u64::from_be_bytes(*rest.first_chunk()?)),
                _ => None,
            },
        }
    }

    /// A time: the digits of a text, or in MessagePack an integer too.
    fn time(&self, bytes: &[u8]) -> Option<u64> {
        match (self.codec, bytes) {
            (Codec::Json, digits_first) => digits(digits_first),
            (Codec::MessagePack, [0xa0..=0xbf, rest @ ..] | [0xd9, _, rest @ ..]) => digits(rest),
            (Codec::MessagePack, _) => self.integer(bytes),
        }
    }
}

fn after<'m>(finder: &Finder<'_>, message: &'m [u8]) -> Option<&'m [u8]> {
    finder.find(message).map(|at| &message[at + finder.needle().len()..])
}

/// The number that `bytes` begins with.
fn digits(bytes: &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    let mut any = false;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            break;
        }
        any = true;
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    any.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn both(value: &Value, topics: &Topics) -> [Option<Seen>; 2] {
        let json = value.to_string();
        let msgpack = rmp_serde::to_vec_named(value).unwrap();
        [
            Scanner::new(Codec::Json, topics.clone()).event(json.as_bytes()),
            Scanner::new(Codec::MessagePack, topics.clone()).event(&msgpack),
        ]
    }

    fn numbered() -> Topics {
        Topics::Numbered("load.r1.".into())
    }

    #[test]
    fn an_event_is_found_in_both_codecs() {
        for seq in [1_u64, 127, 128, 255, 256, 65_535, 65_536, 1 << 32, u64::MAX] {
            let value = json!({"op": "event", "topic": "load.r1.17", "seq": seq, "ts": "9",
                "data": {"due": "0000001234567890", "sent": "0000001234567899", "pad": "xxxx"}});
            let (due, sent) = (1_234_567_890, 1_234_567_899);
            let seen = Seen { topic: 17, from: seq, seq, due, sent, published: 9 };
            assert_eq!(both(&value, &numbered()), [Some(seen), Some(seen)]);
        }
    }

    #[test]
    fn a_tick_carries_its_times_as_stamps() {
        let names = ["quote.load7.BTC-USD", "book.load7.a-name-longer-than-thirty-one-bytes"];
        let map = names.iter().enumerate().map(|(i, name)| (name.as_bytes().into(), i));
        let topics = Topics::Named(Arc::new(map.collect()));
        for (topic, name) in names.into_iter().enumerate() {
            let json = json!({"op": "event", "topic": name, "seq": 3, "ts": "900",
                "data": {"bid_price": "1", "ts_event": "700", "ts_recv": "800"}});
            let packed = json!({"op": "event", "topic": name, "seq": 3, "ts": 900,
                "data": {"bid_price": "1", "ts_event": 700, "ts_recv": 800}});
            let seen = Seen { topic, from: 3, seq: 3, due: 700, sent: 800, published: 900 };
            assert_eq!(both(&json, &topics)[0], Some(seen));
            assert_eq!(both(&packed, &topics)[1], Some(seen));
        }
    }

    #[test]
    fn a_merged_event_says_from_where() {
        let value = json!({"op": "event", "topic": "load.r1.0", "seq": 124, "from": 108,
            "merged": 17, "ts": "9", "data": {}});
        let seen = Seen { topic: 0, from: 108, seq: 124, due: 0, sent: 0, published: 9 };
        assert_eq!(both(&value, &numbered()), [Some(seen), Some(seen)]);
    }

    #[test]
    fn anything_else_is_left_to_a_parser() {
        for value in [
            json!({"op": "gap", "topic": "load.r1.0", "from": 1, "to": 2, "seq": 1}),
            json!({"op": "event", "topic": "other.1", "seq": 1}),
            json!({"op": "event", "topic": "load.r1.x", "seq": 1}),
            json!({"op": "event", "topic": "load.r1.1", "seq": null}),
            json!({}),
        ] {
            assert_eq!(both(&value, &numbered()), [None, None], "{value}");
        }
    }
}
