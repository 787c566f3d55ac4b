//! A client's message: which command it is, with every field checked before anyone acts on it.

use std::fmt;
use std::num::NonZeroU32;

use market::{Event, Kind, Nanos};
use serde::{Serialize, Serializer};
use simd_json::Buffers;
use simd_json::prelude::*;
use simd_json::tape::{Object, Tape, Value};

use crate::rejection::{Code, Rejection, shown};
use crate::{Codec, JsonText, data_in, json, msgpack};

/// The id a client gave a command; it comes back as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Id {
    /// A whole number of 0 or more.
    Unsigned(u64),
    /// A negative whole number.
    Signed(i64),
    /// A string of at most [`Id::TEXT_MAX`] bytes.
    Text(Box<str>),
}

impl Id {
    /// The longest id, in bytes.
    pub const TEXT_MAX: usize = 128;

    fn read(value: Value<'_, '_>) -> Option<Self> {
        if let Some(number) = value.as_u64() {
            return Some(Self::Unsigned(number));
        }
        if let Some(number) = value.as_i64() {
            return Some(Self::Signed(number));
        }
        let text = value.as_str().filter(|text| text.len() <= Self::TEXT_MAX)?;
        Some(Self::Text(text.into()))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// What a client asks for.
#[derive(Debug)]
pub enum Command<'a> {
    /// Deliver these topics.
    Subscribe(Subscribe),
    /// Stop delivering these subscriptions.
    Unsubscribe {
        /// Comes back in the answer.
        id: Option<Id>,
        /// Topics and patterns, as they were subscribed.
        topics: Vec<Box<str>>,
    },
    /// Publish one event.
    Publish {
        /// Without it there is no answer unless the publish fails.
        id: Option<Id>,
        /// Not checked yet.
        topic: &'a str,
        /// The event's `data`, not checked against the topic's kind yet.
        data: Data<'a>,
    },
    /// Answer with a pong.
    Ping {
        /// Comes back in the answer.
        id: Option<Id>,
    },
}

/// What to do for a subscriber of trades or generic events that the history has outrun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnSlow {
    /// Tell it with a gap and go on.
    #[default]
    Conflate,
    /// Close the connection with 4001.
    Disconnect,
}

/// Where a returning client stands in one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The epoch it was told; `None` when it is none that this broker could have written.
    pub epoch: Option<u64>,
    /// The last event it has.
    pub seq: u64,
}

/// A subscribe command.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// Comes back in the answer.
    pub id: Option<Id>,
    /// Topics and patterns, not checked yet.
    pub topics: Vec<Box<str>>,
    /// False: begin with the next event, without the current state.
    pub snapshot: bool,
    /// Shortest time between two events of a topic that may be merged, in milliseconds.
    pub interval: Option<NonZeroU32>,
    /// What to do when the history no longer holds what this client needs.
    pub on_slow: OnSlow,
    /// Topics to go on with where the client left off.
    pub resume: Vec<(Box<str>, Position)>,
    /// How many past events to begin with, for topics that have no snapshot.
    pub history: u64,
}

/// The `data` of a publish: text and parsed form of the same value.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    text: &'a str,
    value: Value<'a, 'a>,
}

impl Data<'_> {
    /// The value as a market event of `kind`; `received` stands in for an absent `ts_recv`.
    ///
    /// # Errors
    /// `bad_data`, naming the field that is missing or wrong.
    pub fn market(&self, kind: Kind, received: Nanos) -> Result<Event, Rejection> {
        data_in::read_event(kind, self.value, received)
    }

    /// The value as opaque JSON, digit for digit as it was sent.
    #[must_use]
    pub fn opaque(&self) -> JsonText {
        JsonText::from_valid(self.text)
    }
}

/// A command that could not be read, with its id where that much was legible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCommand {
    /// Comes back in the error.
    pub id: Option<Id>,
    /// What was wrong.
    pub rejection: Rejection,
}

/// Reads commands, reusing its buffers from one to the next.
pub struct CommandReader {
    topics_max: usize,
    text: Vec<u8>,
    scratch: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl fmt::Debug for CommandReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandReader")
            .field("topics_max", &self.topics_max)
            .finish_non_exhaustive()
    }
}

/// Buffers larger than this are given back after the message that needed them.
const KEPT_BYTES: usize = 64 * 1024;

impl CommandReader {
    /// Takes at most `topics_max` topics in one command.
    #[must_use]
    pub fn new(topics_max: usize) -> Self {
        Self {
            topics_max,
            text: Vec::new(),
            scratch: Vec::new(),
            buffers: Buffers::default(),
            tape: Tape::null(),
        }
    }

    /// Reads one message and hands it to `then`, whose result it returns.
    pub fn read<T>(
        &mut self,
        codec: Codec,
        message: &[u8],
        then: impl FnOnce(Result<Command<'_>, BadCommand>) -> T,
    ) -> T {
        self.parse(codec, message, |parsed, topics_max| {
            then(parsed.and_then(|(text, value)| read_command(text, value, topics_max)))
        })
    }

    /// Reads one `{"topic":…,"data":…}` object of JSON, as HTTP publishing takes it, and hands
    /// topic and data to `then`.
    pub fn read_publication<T>(
        &mut self,
        line: &[u8],
        then: impl FnOnce(Result<(&str, Data<'_>), Rejection>) -> T,
    ) -> T {
        self.parse(Codec::Json, line, |parsed, _| {
            let publication = parsed.and_then(|(text, value)| {
                let object = Fields::of(value)?;
                object.publication(text)
            });
            then(publication.map_err(|bad| bad.rejection))
        })
    }

    fn parse<T>(
        &mut self,
        codec: Codec,
        message: &[u8],
        then: impl FnOnce(Result<(&str, Value<'_, '_>), BadCommand>, usize) -> T,
    ) -> T {
        let refuse = |rejection| Err(BadCommand { id: None, rejection });
        let text = match codec {
            Codec::Json => message,
            Codec::MessagePack => {
                self.text.clear();
                if let Err(rejection) = msgpack::to_json(message, &mut self.text) {
                    return then(refuse(rejection), self.topics_max);
                }
                &self.text
            }
        };
        let Ok(text) = std::str::from_utf8(text) else {
            return then(
                refuse(Rejection::new(Code::BadJson, "not JSON: the text is not UTF-8")),
                self.topics_max,
            );
        };
        // simd-json parses in place, and the text is needed as it came.
        self.scratch.clear();
        self.scratch.extend_from_slice(text.as_bytes());
        let mut tape = std::mem::replace(&mut self.tape, Tape::null()).reset();
        let parsed = simd_json::fill_tape(&mut self.scratch, &mut self.buffers, &mut tape);
        let result = match parsed {
            Ok(()) => then(Ok((text, tape.as_value())), self.topics_max),
            Err(error) => then(refuse(bad_json(&error)), self.topics_max),
        };
        self.tape = tape.reset();
        if self.scratch.capacity() > KEPT_BYTES {
            *self = Self::new(self.topics_max);
        }
        result
    }
}

fn bad_json(error: &simd_json::Error) -> Rejection {
    Rejection::new(
        Code::BadJson,
        format_args!("not JSON we take: {:?} at byte {}", error.error(), error.index()),
    )
}

fn read_command<'a>(
    text: &'a str,
    value: Value<'a, 'a>,
    topics_max: usize,
) -> Result<Command<'a>, BadCommand> {
    let fields = Fields::of(value)?;
    let Some(op) = fields.object.get("op") else {
        return Err(fields.bad("\"op\" is missing; it is subscribe, unsubscribe, publish or ping"));
    };
    match op.as_str() {
        Some("subscribe") => fields.subscribe(topics_max).map(Command::Subscribe),
        Some("unsubscribe") => {
            Ok(Command::Unsubscribe { topics: fields.topics(topics_max)?, id: fields.id })
        }
        Some("publish") => {
            let (topic, data) = fields.publication(text)?;
            Ok(Command::Publish { id: fields.id, topic, data })
        }
        Some("ping") => Ok(Command::Ping { id: fields.id }),
        Some(other) => Err(fields.bad(format_args!(
            "\"op\":\"{}\" is unknown; it is subscribe, unsubscribe, publish or ping",
            shown(other)
        ))),
        None => Err(fields.bad("\"op\" must be a string")),
    }
}

/// The fields of a command, and its id for whatever is to be said of them.
struct Fields<'a> {
    id: Option<Id>,
    object: Object<'a, 'a>,
}

impl<'a> Fields<'a> {
    fn of(value: Value<'a, 'a>) -> Result<Self, BadCommand> {
        let Some(object) = value.as_object() else {
            let rejection = Rejection::new(
                Code::BadCommand,
                "a message must be one object, such as {\"op\":\"ping\",\"id\":1}",
            );
            return Err(BadCommand { id: None, rejection });
        };
        let mut fields = Self { id: None, object };
        if let Some(id) = fields.given("id") {
            fields.id = Id::read(id);
            if fields.id.is_none() {
                return Err(fields.bad(format_args!(
                    "\"id\" must be a whole number or a string of at most {} bytes",
                    Id::TEXT_MAX
                )));
            }
        }
        Ok(fields)
    }

    fn bad(&self, message: impl fmt::Display) -> BadCommand {
        self.refused(Code::BadCommand, message)
    }

    fn refused(&self, code: Code, message: impl fmt::Display) -> BadCommand {
        BadCommand { id: self.id.clone(), rejection: Rejection::new(code, message) }
    }

    fn given(&self, name: &str) -> Option<Value<'a, 'a>> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn publication(&self, text: &'a str) -> Result<(&'a str, Data<'a>), BadCommand> {
        let topic = self.given("topic").and_then(ValueIntoString::into_string);
        let topic = topic.ok_or_else(|| self.bad("publish needs \"topic\", a string"))?;
        let value = self.object.get("data");
        match value.zip(json::member(text, "data")) {
            Some((value, text)) => Ok((topic, Data { text, value })),
            None => Err(self.bad("publish needs \"data\"")),
        }
    }

    fn topics(&self, topics_max: usize) -> Result<Vec<Box<str>>, BadCommand> {
        const WANTED: &str = "\"topics\" must be a list of topics and patterns";
        let list = self.given("topics").and_then(|topics| topics.as_array());
        let list = list.ok_or_else(|| self.bad(WANTED))?;
        if list.len() > topics_max {
            return Err(self.refused(
                Code::TooMany,
                format_args!("{} topics in one command; at most {topics_max}", list.len()),
            ));
        }
        if list.is_empty() {
            return Err(self.bad("\"topics\" is empty; name at least one topic or pattern"));
        }
        list.iter()
            .enumerate()
            .map(|(index, topic)| {
                let name = topic.as_str();
                name.map(Into::into)
                    .ok_or_else(|| self.bad(format_args!("{WANTED}; [{index}] is no string")))
            })
            .collect()
    }

    fn subscribe(&self, topics_max: usize) -> Result<Subscribe, BadCommand> {
        let snapshot = match self.given("snapshot") {
            None => true,
            Some(value) => {
                value.as_bool().ok_or_else(|| self.bad("\"snapshot\" must be true or false"))?
            }
        };
        let on_slow = match self.given("on_slow").map(ValueIntoString::into_string) {
            None | Some(Some("conflate")) => OnSlow::Conflate,
            Some(Some("disconnect")) => OnSlow::Disconnect,
            Some(_) => return Err(self.bad("\"on_slow\" must be \"conflate\" or \"disconnect\"")),
        };
        let history = match self.given("history") {
            None => 0,
            Some(value) => value
                .as_u64()
                .ok_or_else(|| self.bad("\"history\" must be a whole number of events"))?,
        };
        Ok(Subscribe {
            topics: self.topics(topics_max)?,
            snapshot,
            interval: self.interval()?,
            on_slow,
            resume: self.resume(topics_max)?,
            history,
            id: self.id.clone(),
        })
    }

    fn interval(&self) -> Result<Option<NonZeroU32>, BadCommand> {
        let Some(value) = self.given("max_rate") else { return Ok(None) };
        let rate = value.as_f64().or_else(|| value.as_u64().map(|rate| rate as f64));
        match rate {
            Some(rate) if (0.1..=1000.0).contains(&rate) => {
                Ok(NonZeroU32::new((1000.0 / rate).ceil() as u32))
            }
            _ => Err(self.bad("\"max_rate\" must be a number from 0.1 to 1000 (events a second)")),
        }
    }

    fn resume(&self, topics_max: usize) -> Result<Vec<(Box<str>, Position)>, BadCommand> {
        const WANTED: &str =
            "\"resume\" must map topics to {\"epoch\":\"…\",\"seq\":n} as events gave them";
        let Some(value) = self.given("resume") else { return Ok(Vec::new()) };
        let object = value.as_object().ok_or_else(|| self.bad(WANTED))?;
        if object.len() > topics_max {
            return Err(self.refused(
                Code::TooMany,
                format_args!("{} topics in \"resume\"; at most {topics_max}", object.len()),
            ));
        }
        let mut positions = Vec::with_capacity(object.len());
        for (topic, position) in object.iter() {
            let epoch = position.get("epoch").and_then(ValueIntoString::into_string);
            let seq = position.get("seq").and_then(|seq| seq.as_u64());
            let (Some(epoch), Some(seq)) = (epoch, seq) else {
                return Err(self.bad(format_args!("{WANTED}; that of \"{}\" is not", shown(topic))));
            };
            positions.push((topic.into(), Position { epoch: epoch.parse().ok(), seq }));
        }
        Ok(positions)
    }
}
