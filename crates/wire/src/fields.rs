//! The fields of a command: each checked for its type, each refusal naming it.

use std::fmt;
use std::num::NonZeroU32;

use simd_json::prelude::*;
use simd_json::tape::{Object, Value};

use crate::command::{BadCommand, Command, Data, Id, OnSlow, Position, Subscribe};
use crate::json;
use crate::rejection::{Code, Rejection, shown};

/// Reads the command in `value`, which is `text` parsed.
pub(crate) fn read_command<'a>(
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
            let Publication { topic, data, will, native } = fields.publication(text)?;
            Ok(Command::Publish { id: fields.id, topic, data, will, native })
        }
        Some("ping") => Ok(Command::Ping { id: fields.id }),
        Some(other) => Err(fields.bad(format_args!(
            "\"op\":\"{}\" is unknown; it is subscribe, unsubscribe, publish or ping",
            shown(other)
        ))),
        None => Err(fields.bad("\"op\" must be a string")),
    }
}

/// The fields of a publish.
pub(crate) struct Publication<'a> {
    pub(crate) topic: &'a str,
    pub(crate) data: Data<'a>,
    pub(crate) will: Option<Data<'a>>,
    pub(crate) native: Option<&'a str>,
}

/// The fields of a command, and its id for whatever is to be said of them.
pub(crate) struct Fields<'a> {
    id: Option<Id>,
    object: Object<'a, 'a>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(value: Value<'a, 'a>) -> Result<Self, BadCommand> {
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

    /// Something to be published; `text` is that of the whole object.
    pub(crate) fn publication(&self, text: &'a str) -> Result<Publication<'a>, BadCommand> {
        let (mut topic, mut data, mut will, mut native) = (None, None, None, None);
        // One pass: each look-up by name would be another one.
        for (index, (key, value)) in self.object.iter().enumerate() {
            let member = match key {
                "topic" => {
                    topic = value.into_string();
                    continue;
                }
                "data" => &mut data,
                "will" if !value.is_null() => &mut will,
                "native" if !value.is_null() => {
                    native = Some(self.native(value)?);
                    continue;
                }
                _ => continue,
            };
            *member = json::member(text, index, self.object.len()).map(|text| Data { text, value });
        }
        let topic = topic.ok_or_else(|| self.bad("publish needs \"topic\", a string"))?;
        let data = data.ok_or_else(|| self.bad("publish needs \"data\""))?;
        Ok(Publication { topic, data, will, native })
    }

    fn native(&self, value: Value<'a, 'a>) -> Result<&'a str, BadCommand> {
        let fits = |native: &&str| (1..=Command::NATIVE_MAX).contains(&native.len());
        value.into_string().filter(fits).ok_or_else(|| {
            let most = Command::NATIVE_MAX;
            self.bad(format_args!("\"native\" must be a string of 1 to {most} bytes"))
        })
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
