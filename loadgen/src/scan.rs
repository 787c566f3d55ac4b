//! The hot path of receiving: the few fields that count, found in the raw bytes.
//!
//! A full parse of every message would make the generator the bottleneck. The payloads are our
//! own, so the words searched for occur nowhere else in them.

use client::Codec;
use memchr::memmem::Finder;

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
}

/// Finds the fields of events in one codec.
#[derive(Debug)]
pub struct Scanner {
    codec: Codec,
    event: Finder<'static>,
    seq: Finder<'static>,
    from: Finder<'static>,
    merged: Finder<'static>,
    due: Finder<'static>,
    prefix: Finder<'static>,
}

impl Scanner {
    /// For messages in `codec` about topics that begin with `prefix`.
    #[must_use]
    pub fn new(codec: Codec, prefix: &str) -> Self {
        let find = |json: &str, msgpack: &[u8]| match codec {
            Codec::Json => Finder::new(json.as_bytes()).into_owned(),
            Codec::MessagePack => Finder::new(msgpack).into_owned(),
        };
        Self {
            codec,
            // A MessagePack text of up to 31 bytes is its length + 0xa0 and the bytes.
            event: find("\"op\":\"event\"", b"\xa2op\xa5event"),
            seq: find("\"seq\":", b"\xa3seq"),
            from: find("\"from\":", b"\xa4from"),
            merged: find("\"merged\":", b"\xa6merged"),
            due: find("\"due\":\"", b"\xa3due"),
            prefix: Finder::new(prefix.as_bytes()).into_owned(),
        }
    }

    /// The event in `message`; `None` when it is something else, to be read by a real parser.
    #[must_use]
    pub fn event(&self, message: &[u8]) -> Option<Seen> {
        self.event.find(message)?;
        let name = after(&self.prefix, message)?;
        let topic = usize::try_from(digits(name)?).ok()?;
        let seq = self.integer(after(&self.seq, message)?)?;
        let from = match self.merged.find(message) {
            None => seq,
            Some(_) => self.integer(after(&self.from, message)?)?,
        };
        let due = after(&self.due, message).and_then(|rest| self.text_digits(rest)).unwrap_or(0);
        Some(Seen { topic, from, seq, due })
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

    /// Digits of a text, behind what introduces a text.
    fn text_digits(&self, bytes: &[u8]) -> Option<u64> {
        match (self.codec, bytes) {
            (Codec::Json, digits_first) => digits(digits_first),
            (Codec::MessagePack, [0xa0..=0xbf, rest @ ..] | [0xd9, _, rest @ ..]) => digits(rest),
            _ => None,
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

    fn both(value: &Value) -> [Option<Seen>; 2] {
        let json = value.to_string();
        let msgpack = rmp_serde::to_vec_named(value).unwrap();
        [
            Scanner::new(Codec::Json, "load.r1.").event(json.as_bytes()),
            Scanner::new(Codec::MessagePack, "load.r1.").event(&msgpack),
        ]
    }

    #[test]
    fn an_event_is_found_in_both_codecs() {
        for seq in [1_u64, 127, 128, 255, 256, 65_535, 65_536, 1 << 32, u64::MAX] {
            let value = json!({"op": "event", "topic": "load.r1.17", "seq": seq, "ts": "9",
                "data": {"due": "0000001234567890", "n": 5, "pad": "xxxx"}});
            let seen = Seen { topic: 17, from: seq, seq, due: 1_234_567_890 };
            assert_eq!(both(&value), [Some(seen), Some(seen)]);
        }
    }

    #[test]
    fn a_merged_event_says_from_where() {
        let value = json!({"op": "event", "topic": "load.r1.0", "seq": 124, "from": 108,
            "merged": 17, "ts": "9", "data": {}});
        let seen = Seen { topic: 0, from: 108, seq: 124, due: 0 };
        assert_eq!(both(&value), [Some(seen), Some(seen)]);
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
            assert_eq!(both(&value), [None, None], "{value}");
        }
    }
}
