//! A client's message: which command it is, with every field checked before anyone acts on it.

use std::fmt;
use std::num::NonZeroU32;

use market::{Event, Kind, Nanos};
use serde::{Serialize, Serializer};
use simd_json::Buffers;
use simd_json::prelude::*;
use simd_json::tape::{Tape, Value};

use crate::fields::{Fields, Publication, read_command};
use crate::rejection::{Code, Rejection};
use crate::{Codec, JsonText, data_in, msgpack};

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

    pub(crate) fn read(value: Value<'_, '_>) -> Option<Self> {
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
        /// The `data` of one more event, should the connection end before it publishes to the
        /// topic again; not checked either.
        will: Option<Data<'a>>,
        /// The symbol as the venue spells it, for whoever lists topics; at most
        /// [`Command::NATIVE_MAX`] bytes, not empty.
        native: Option<&'a str>,
    },
    /// Answer with a pong.
    Ping {
        /// Comes back in the answer.
        id: Option<Id>,
    },
}

impl Command<'_> {
    /// The longest native symbol, in bytes.
    pub const NATIVE_MAX: usize = 128;
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
    pub(crate) text: &'a str,
    pub(crate) value: Value<'a, 'a>,
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
                let Publication { topic, data, .. } = Fields::of(value)?.publication(text)?;
                Ok((topic, data))
            });
            then(publication.map_err(|bad: BadCommand| bad.rejection))
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
