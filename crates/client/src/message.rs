//! What the server says, read from either codec.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::error::DecodeError;
use crate::{Codec, Data, RawMessage};

/// One message of the server. Fields that this version does not know are ignored.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// A subscribe command was carried out.
    Subscribed {
        /// The command's id.
        id: Option<u64>,
        /// One entry for each topic or pattern asked for.
        topics: Vec<Acknowledged>,
    },
    /// An unsubscribe command was carried out.
    Unsubscribed {
        /// The command's id.
        id: Option<u64>,
        /// The topics and patterns, where the server repeats them.
        topics: Vec<String>,
    },
    /// A topic's state, instead of everything up to its seq.
    Snapshot(Snapshot),
    /// One event, or several merged.
    Event(Event),
    /// Events that this client will never get.
    Gap(Gap),
    /// A publish command with an id was carried out.
    Published(Published),
    /// The answer to a ping command.
    Pong {
        /// The command's id.
        id: Option<u64>,
        /// The server's clock in nanoseconds since 1970.
        ts: Option<u64>,
    },
    /// A command failed; the connection stays open.
    Error(ErrorReply),
    /// An op of a later version of the protocol.
    Unknown {
        /// Its name.
        op: String,
    },
}

/// How one entry of a subscribe command stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledged {
    /// A topic, and where it stands: what follows begins after that.
    Topic(TopicPosition),
    /// A pattern.
    Pattern {
        /// As it was asked for.
        pattern: String,
        /// How many topics it matches now.
        matched: u64,
        /// The epoch of the matched topics, where the server says it for all of them at once.
        epoch: Option<String>,
        /// Where each matched topic stands, where the server lists them.
        topics: Vec<TopicPosition>,
    },
}

/// Where a topic stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TopicPosition {
    /// Its name.
    pub topic: String,
    /// Which of its lives.
    pub epoch: String,
    /// Its last event; 0 before the first.
    #[serde(deserialize_with = "wide")]
    pub seq: u64,
}

/// The state of a topic at `seq`.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Which topic.
    pub topic: String,
    /// Which of its lives.
    pub epoch: String,
    /// Everything up to here is in it.
    pub seq: u64,
    /// When the newest of it was published, nanoseconds since 1970.
    pub ts: u64,
    /// The state.
    pub data: Data,
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Which topic.
    pub topic: String,
    /// Its number; the newest one's when several are merged.
    pub seq: u64,
    /// When it was published, nanoseconds since 1970.
    pub ts: u64,
    /// The first event merged into this; `seq` when it is only one.
    pub from: u64,
    /// How many events this stands for.
    pub merged: u64,
    /// The topic's epoch, where the server adds it.
    pub epoch: Option<String>,
    /// What happened.
    pub data: Data,
}

/// Events that are lost for good to this client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Which topic.
    pub topic: String,
    /// The first one lost.
    pub from: u64,
    /// The last one lost.
    pub to: u64,
    /// `slow`, `history`, `restart` or `upstream`.
    pub reason: String,
    /// The topic's epoch, where the server adds it: always after a restart.
    pub epoch: Option<String>,
}

/// Where a published event went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The command's id.
    pub id: Option<u64>,
    /// Which topic.
    pub topic: String,
    /// Which of its lives.
    pub epoch: String,
    /// The event's number.
    pub seq: u64,
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct ErrorReply {
    /// The command's id, where one could be read.
    pub id: Option<u64>,
    /// For programs: `bad_topic`, `bad_data`, …
    pub code: String,
    /// For people.
    pub message: String,
}

/// Every field of every message; which of them matter depends on the op.
#[derive(Deserialize)]
struct Flat {
    op: String,
    #[serde(default)]
    id: Option<Data>,
    topic: Option<String>,
    #[serde(default)]
    epoch: Option<String>,
    #[serde(default, deserialize_with = "maybe_wide")]
    seq: Option<u64>,
    #[serde(default, deserialize_with = "maybe_wide")]
    ts: Option<u64>,
    #[serde(default, deserialize_with = "maybe_wide")]
    from: Option<u64>,
    #[serde(default, deserialize_with = "maybe_wide")]
    to: Option<u64>,
    #[serde(default, deserialize_with = "maybe_wide")]
    merged: Option<u64>,
    reason: Option<String>,
    code: Option<String>,
    message: Option<String>,
    // Not through `Option`'s own reading: `null` is data like any other.
    #[serde(default, deserialize_with = "present")]
    data: Option<Data>,
    topics: Option<Data>,
}

#[derive(Deserialize)]
struct OnlyOp {
    op: String,
}

#[derive(Deserialize)]
struct Entry {
    topic: Option<String>,
    pattern: Option<String>,
    epoch: Option<String>,
    #[serde(default, deserialize_with = "maybe_wide")]
    seq: Option<u64>,
    #[serde(default, deserialize_with = "maybe_wide")]
    matched: Option<u64>,
    #[serde(default)]
    topics: Vec<TopicPosition>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EntryOrName {
    Name(String),
    Entry(Entry),
}

/// The ops of this version, to tell a broken message from one of a later version.
const KNOWN: [&str; 8] =
    ["subscribed", "unsubscribed", "snapshot", "event", "gap", "published", "pong", "error"];

pub(crate) fn decode(raw: &RawMessage) -> Result<Message, DecodeError> {
    let flat = match read::<Flat>(raw) {
        Ok(flat) => flat,
        Err(problem) => {
            // A later version may give a field another type in an op of its own.
            return match read::<OnlyOp>(raw) {
                Ok(OnlyOp { op }) if !KNOWN.contains(&op.as_str()) => Ok(Message::Unknown { op }),
                _ => Err(raw.unreadable(&problem)),
            };
        }
    };
    assemble(flat).map_err(|problem| raw.unreadable(&problem))
}

fn read<T: for<'a> Deserialize<'a>>(raw: &RawMessage) -> Result<T, String> {
    match raw.codec {
        Codec::Json => serde_json::from_slice(&raw.bytes).map_err(|e| e.to_string()),
        Codec::MessagePack => rmp_serde::from_slice(&raw.bytes).map_err(|e| e.to_string()),
    }
}

fn assemble(flat: Flat) -> Result<Message, String> {
    fn need<T>(field: Option<T>, name: &str, op: &str) -> Result<T, String> {
        field.ok_or_else(|| format!("{op} without {name}"))
    }
    let op = flat.op.as_str();
    let id = flat.id.and_then(|id| id.parse::<u64>().ok());
    Ok(match op {
        "event" => {
            let seq = need(flat.seq, "seq", op)?;
            let from = flat.from.unwrap_or(seq);
            Message::Event(Event {
                topic: need(flat.topic, "topic", op)?,
                seq,
                ts: need(flat.ts, "ts", op)?,
                from,
                merged: flat.merged.unwrap_or(1),
                epoch: flat.epoch,
                data: need(flat.data, "data", op)?,
            })
        }
        "snapshot" => Message::Snapshot(Snapshot {
            topic: need(flat.topic, "topic", op)?,
            epoch: need(flat.epoch, "epoch", op)?,
            seq: need(flat.seq, "seq", op)?,
            ts: need(flat.ts, "ts", op)?,
            data: need(flat.data, "data", op)?,
        }),
        "gap" => Message::Gap(Gap {
            topic: need(flat.topic, "topic", op)?,
            from: need(flat.from, "from", op)?,
            to: need(flat.to, "to", op)?,
            reason: flat.reason.unwrap_or_default(),
            epoch: flat.epoch,
        }),
        "published" => Message::Published(Published {
            id,
            topic: need(flat.topic, "topic", op)?,
            epoch: need(flat.epoch, "epoch", op)?,
            seq: need(flat.seq, "seq", op)?,
        }),
        "error" => Message::Error(ErrorReply {
            id,
            code: need(flat.code, "code", op)?,
            message: flat.message.unwrap_or_default(),
        }),
        "pong" => Message::Pong { id, ts: flat.ts },
        "subscribed" => {
            let topics = need(flat.topics, "topics", op)?;
            let entries: Vec<Entry> = topics.parse().map_err(|e| format!("topics: {e}"))?;
            let topics = entries.into_iter().map(acknowledged).collect::<Result<_, _>>()?;
            Message::Subscribed { id, topics }
        }
        "unsubscribed" => Message::Unsubscribed { id, topics: names(flat.topics) },
        _ => Message::Unknown { op: flat.op },
    })
}

fn acknowledged(entry: Entry) -> Result<Acknowledged, String> {
    match entry {
        Entry { topic: Some(topic), epoch: Some(epoch), seq: Some(seq), .. } => {
            Ok(Acknowledged::Topic(TopicPosition { topic, epoch, seq }))
        }
        Entry { pattern: Some(pattern), matched, epoch, topics, .. } => {
            Ok(Acknowledged::Pattern { pattern, matched: matched.unwrap_or(0), epoch, topics })
        }
        _ => Err("subscribed with an entry that is neither a topic with epoch and seq \
                  nor a pattern"
            .into()),
    }
}

/// Names of an `unsubscribed`, which may be written as texts or as objects.
fn names(topics: Option<Data>) -> Vec<String> {
    let entries: Vec<EntryOrName> =
        topics.and_then(|topics| topics.parse().ok()).unwrap_or_default();
    let name = |entry| match entry {
        EntryOrName::Name(name) => Some(name),
        EntryOrName::Entry(entry) => entry.topic.or(entry.pattern),
    };
    entries.into_iter().filter_map(name).collect()
}

/// A 64-bit number: an integer, or digits in a string because JavaScript cannot hold it.
fn wide<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Wide;
    impl Visitor<'_> for Wide {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number, as a number or as a string of digits")
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<u64, E> {
            Ok(value)
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<u64, E> {
            u64::try_from(value).map_err(|_| E::custom(format!("{value} is below zero")))
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<u64, E> {
            value.parse().map_err(|_| E::custom(format!("\"{value}\" is no whole number")))
        }
    }
    deserializer.deserialize_any(Wide)
}

fn maybe_wide<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    wide(deserializer).map(Some)
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Data>, D::Error> {
    Data::deserialize(deserializer).map(Some)
}
