//! What the broker says, appended to a buffer as whole WebSocket frames.
//!
//! A frame from the server is not masked, so one encoding of a message serves every socket of
//! its codec.

use market::{Book, Nanos, Stamps};
use serde::{Serialize, Serializer};

use crate::command::Id;
use crate::frame::{self, Opcode};
use crate::rejection::Rejection;
use crate::writer::{Json, MessagePack, Writer};
use crate::{Codec, Payload, data_out};

/// What stands before the data of an event.
#[derive(Debug, Clone, Copy)]
pub struct EventHead<'a> {
    /// Which topic.
    pub topic: &'a str,
    /// Number of the event, or of the last one it stands for.
    pub seq: u64,
    /// First event it stands for; equal to `seq` for a plain one.
    pub from: u64,
    /// When it was published.
    pub published: Nanos,
}

/// What stands before the data of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotHead<'a> {
    /// Which topic.
    pub topic: &'a str,
    /// The topic's epoch.
    pub epoch: u64,
    /// The state is that after this event.
    pub seq: u64,
    /// When that event was published.
    pub published: Nanos,
}

/// Why events will never come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// The connection was too slow for the topic's history.
    Slow,
    /// The client was away longer than the history reaches.
    History,
    /// The topic's numbering began anew.
    Restart,
    /// The venue's own stream was broken; none of our events is lost.
    Upstream,
}

impl GapReason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::History => "history",
            Self::Restart => "restart",
            Self::Upstream => "upstream",
        }
    }
}

/// A run of events that are lost for good.
#[derive(Debug, Clone, Copy)]
pub struct Gap<'a> {
    /// Which topic.
    pub topic: &'a str,
    /// First lost event.
    pub from: u64,
    /// Last lost event; `from - 1` where only the numbering began anew.
    pub to: u64,
    /// Why.
    pub reason: GapReason,
    /// The new epoch, with [`GapReason::Restart`].
    pub epoch: Option<u64>,
}

/// One line of the answer to a subscribe.
#[derive(Debug, Clone)]
pub enum Subscribed<'a> {
    /// An exact subscription.
    Topic {
        /// Which.
        topic: &'a str,
        /// Its epoch.
        epoch: u64,
        /// Its last event, 0 when there is none yet.
        seq: u64,
    },
    /// A pattern subscription.
    Pattern {
        /// Which.
        pattern: &'a str,
        /// The epoch of all topics it covers.
        epoch: u64,
        /// How many topics it covers now; later ones are covered too.
        matched: usize,
    },
}

/// What is rare enough to be written through serde; events and snapshots are written by hand.
#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Message<'a> {
    Gap {
        topic: &'a str,
        from: u64,
        to: u64,
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
        epoch: Option<u64>,
    },
    Subscribed {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Id>,
        topics: &'a [SubscribedOut<'a>],
    },
    Unsubscribed {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Id>,
        topics: &'a [Box<str>],
    },
    Published {
        id: &'a Id,
        topic: &'a str,
        #[serde(serialize_with = "as_text")]
        epoch: u64,
        seq: u64,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Id>,
        #[serde(serialize_with = "as_stamp")]
        ts: Nanos,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Id>,
        code: &'static str,
        message: &'a str,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum SubscribedOut<'a> {
    Topic {
        topic: &'a str,
        #[serde(serialize_with = "as_text")]
        epoch: u64,
        seq: u64,
    },
    Pattern {
        pattern: &'a str,
        #[serde(serialize_with = "as_text")]
        epoch: u64,
        matched: usize,
    },
}

/// A 64-bit number of nanoseconds: a string in JSON (JavaScript cannot hold it), an integer in
/// MessagePack.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn as_stamp<S: Serializer>(stamp: &Nanos, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(stamp)
    } else {
        serializer.serialize_u64(*stamp)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn as_optional_text<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serializer.collect_str(number),
        None => serializer.serialize_none(),
    }
}

fn append(codec: Codec, buffer: &mut Vec<u8>, message: &Message<'_>) {
    match codec {
        Codec::Json => frame::append(buffer, Opcode::Text, |out| {
            serde_json::to_writer(out, message).expect("a Vec takes every byte, and keys are text");
        }),
        Codec::MessagePack => frame::append(buffer, Opcode::Binary, |out| {
            let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
            message.serialize(&mut serializer).expect("a Vec takes every byte");
        }),
    }
}

/// Appends an event, plain or merged. Where the venue's own stream was broken before it, a gap
/// that says so stands first.
pub fn append_event(codec: Codec, buffer: &mut Vec<u8>, head: EventHead<'_>, payload: &Payload) {
    if payload.follows_gap() {
        append_upstream_gap(codec, buffer, head.topic, head.from);
    }
    match codec {
        Codec::Json => {
            frame::append(buffer, Opcode::Text, |out| event(&mut Json(out), head, payload));
        }
        Codec::MessagePack => {
            frame::append(buffer, Opcode::Binary, |out| {
                event(&mut MessagePack(out), head, payload);
            });
        }
    }
}

fn event(out: &mut impl Writer, head: EventHead<'_>, payload: &Payload) {
    let EventHead { topic, seq, from, published } = head;
    let merged = seq - from + 1;
    out.map(if merged > 1 { 7 } else { 5 });
    out.key("op");
    out.plain("event");
    out.key("topic");
    out.text(topic);
    out.key("seq");
    out.number(seq);
    out.key("ts");
    out.stamp(published);
    if merged > 1 {
        out.key("from");
        out.number(from);
        out.key("merged");
        out.number(merged);
    }
    out.key("data");
    data_out::payload(out, payload);
    out.end_map();
}

/// Appends a snapshot whose state is that of the latest event.
pub fn append_snapshot(
    codec: Codec,
    buffer: &mut Vec<u8>,
    head: SnapshotHead<'_>,
    payload: &Payload,
) {
    match codec {
        Codec::Json => frame::append(buffer, Opcode::Text, |out| {
            snapshot(&mut Json(out), head, |out| data_out::payload(out, payload));
        }),
        Codec::MessagePack => frame::append(buffer, Opcode::Binary, |out| {
            snapshot(&mut MessagePack(out), head, |out| data_out::payload(out, payload));
        }),
    }
}

/// Appends a snapshot of a whole book; `stamps` are those of the last diff applied.
pub fn append_book_snapshot(
    codec: Codec,
    buffer: &mut Vec<u8>,
    head: SnapshotHead<'_>,
    book: &Book,
    stamps: Stamps,
) {
    match codec {
        Codec::Json => frame::append(buffer, Opcode::Text, |out| {
            snapshot(&mut Json(out), head, |out| data_out::book(out, book, stamps));
        }),
        Codec::MessagePack => frame::append(buffer, Opcode::Binary, |out| {
            snapshot(&mut MessagePack(out), head, |out| data_out::book(out, book, stamps));
        }),
    }
}

fn snapshot<W: Writer>(out: &mut W, head: SnapshotHead<'_>, data: impl FnOnce(&mut W)) {
    let SnapshotHead { topic, epoch, seq, published } = head;
    out.map(6);
    out.key("op");
    out.plain("snapshot");
    out.key("topic");
    out.text(topic);
    out.key("epoch");
    out.number_as_text(epoch);
    out.key("seq");
    out.number(seq);
    out.key("ts");
    out.stamp(published);
    out.key("data");
    data(out);
    out.end_map();
}

/// Appends the gap that tells of a break in the venue's own stream before event `from`. None of
/// our events is lost with it: how many of the venue's are, nobody knows.
pub fn append_upstream_gap(codec: Codec, buffer: &mut Vec<u8>, topic: &str, from: u64) {
    let (to, reason) = (from.saturating_sub(1), GapReason::Upstream);
    append_gap(codec, buffer, Gap { topic, from, to, reason, epoch: None });
}

/// Appends a gap.
pub fn append_gap(codec: Codec, buffer: &mut Vec<u8>, gap: Gap<'_>) {
    let Gap { topic, from, to, reason, epoch } = gap;
    append(codec, buffer, &Message::Gap { topic, from, to, reason: reason.as_str(), epoch });
}

/// Appends the answer to a subscribe.
pub fn append_subscribed(
    codec: Codec,
    buffer: &mut Vec<u8>,
    id: Option<&Id>,
    topics: &[Subscribed<'_>],
) {
    let topics: Vec<_> = topics
        .iter()
        .map(|line| match *line {
            Subscribed::Topic { topic, epoch, seq } => SubscribedOut::Topic { topic, epoch, seq },
            Subscribed::Pattern { pattern, epoch, matched } => {
                SubscribedOut::Pattern { pattern, epoch, matched }
            }
        })
        .collect();
    append(codec, buffer, &Message::Subscribed { id, topics: &topics });
}

/// Appends the answer to an unsubscribe.
pub fn append_unsubscribed(
    codec: Codec,
    buffer: &mut Vec<u8>,
    id: Option<&Id>,
    topics: &[Box<str>],
) {
    append(codec, buffer, &Message::Unsubscribed { id, topics });
}

/// Appends the answer to a publish that asked for one.
pub fn append_published(
    codec: Codec,
    buffer: &mut Vec<u8>,
    id: &Id,
    topic: &str,
    epoch: u64,
    seq: u64,
) {
    append(codec, buffer, &Message::Published { id, topic, epoch, seq });
}

/// Appends the answer to a ping command.
pub fn append_pong(codec: Codec, buffer: &mut Vec<u8>, id: Option<&Id>, now: Nanos) {
    append(codec, buffer, &Message::Pong { id, ts: now });
}

/// Appends a refusal.
pub fn append_error(codec: Codec, buffer: &mut Vec<u8>, id: Option<&Id>, rejection: &Rejection) {
    let Rejection { code, message } = rejection;
    append(codec, buffer, &Message::Error { id, code: code.as_str(), message });
}
