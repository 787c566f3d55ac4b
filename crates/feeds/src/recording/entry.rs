//! The lines of a recording.

use std::borrow::Cow;

use market::Nanos;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The only version there is.
const VERSION: u32 = 1;

/// What stands first in a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// When it was begun, by the recorder's clock.
    pub started: Nanos,
    /// The topics and patterns that were asked for.
    pub topics: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    tickwire: String,
    version: u32,
    started: String,
    topics: Vec<String>,
}

/// A line that is none of a recording's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Another kind of file.
    #[error("this is no recording of tickwire's: it begins with {0}")]
    NoRecording(String),
    /// Written by a later tickwire.
    #[error("version {0} of recordings is not known here; version {VERSION} is")]
    Version(u32),
    /// Anything else.
    #[error("{problem}: {line}")]
    Line {
        /// What is wrong.
        problem: String,
        /// The line, cut.
        line: String,
    },
}

fn shown(line: &str) -> String {
    line.chars().take(80).flat_map(char::escape_debug).collect()
}

impl Header {
    /// Appends it as a line.
    pub fn write(&self, out: &mut Vec<u8>) {
        let line = HeaderLine {
            tickwire: "recording".into(),
            version: VERSION,
            started: self.started.to_string(),
            topics: self.topics.clone(),
        };
        serde_json::to_writer(&mut *out, &line).expect("texts and numbers are JSON");
        out.push(b'\n');
    }

    /// Reads the line of a header.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &str) -> Result<Self, BadLine> {
        let no_recording = || BadLine::NoRecording(shown(line));
        let read: HeaderLine = serde_json::from_str(line).map_err(|_| no_recording())?;
        if read.tickwire != "recording" {
            return Err(no_recording());
        }
        if read.version != VERSION {
            return Err(BadLine::Version(read.version));
        }
        let started = read.started.parse().map_err(|_| no_recording())?;
        Ok(Self { started, topics: read.topics })
    }
}

/// What a line after the header tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<'a> {
    /// An event, or several merged.
    Event {
        /// When it was published at the broker that was recorded.
        ts: Nanos,
        /// Which topic.
        topic: Cow<'a, str>,
        /// Its number there.
        seq: u64,
        /// The first of those that it stands for; `seq` for one alone.
        from: u64,
        /// Its data as it was sent.
        data: &'a str,
    },
    /// The state of a topic when it was subscribed, or in place of what was merged.
    Snapshot {
        /// When its newest event was published; that may be long before the recording.
        ts: Nanos,
        /// Which topic.
        topic: Cow<'a, str>,
        /// The last event in it.
        seq: u64,
        /// The state as it was sent.
        data: &'a str,
    },
    /// Events that the recorder never got.
    Gap {
        /// Of which topic.
        topic: Cow<'a, str>,
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
        /// Why, as the broker said.
        reason: Cow<'a, str>,
    },
    /// A recorder went on with this file.
    Resumed {
        /// When.
        at: Nanos,
    },
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    ts: Option<Cow<'a, str>>,
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    seq: Option<u64>,
    from: Option<u64>,
    #[serde(default)]
    snapshot: bool,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    gap: Option<GapLine<'a>>,
    #[serde(borrow)]
    resumed: Option<Cow<'a, str>>,
}

/// Not through `Option`'s own reading: `null` is data like any other.
fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct GapLine<'a> {
    from: u64,
    to: u64,
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

impl<'a> Entry<'a> {
    /// Reads a line. What it borrows from it is not copied.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &'a str) -> Result<Self, BadLine> {
        let bad = |problem: String| BadLine::Line { problem, line: shown(line) };
        let read: Line<'a> = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        let nanos = |text: &str| {
            text.parse::<Nanos>().map_err(|_| bad(format!("\"{}\" is no time", shown(text))))
        };
        let missing = |field: &str| bad(format!("\"{field}\" is missing"));
        if let Some(at) = read.resumed {
            return Ok(Self::Resumed { at: nanos(&at)? });
        }
        let topic = read.topic.ok_or_else(|| missing("topic"))?;
        if let Some(GapLine { from, to, reason }) = read.gap {
            return Ok(Self::Gap { topic, from, to, reason });
        }
        let ts = nanos(&read.ts.ok_or_else(|| missing("ts"))?)?;
        let seq = read.seq.ok_or_else(|| missing("seq"))?;
        let data = read.data.ok_or_else(|| missing("data"))?.get();
        Ok(if read.snapshot {
            Self::Snapshot { ts, topic, seq, data }
        } else {
            Self::Event { ts, topic, seq, from: read.from.unwrap_or(seq), data }
        })
    }

    /// Appends it as a line. `data` must be one JSON value without line breaks, as the protocol
    /// has it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Event { ts, topic, seq, from, data } => {
                head(out, *ts, topic, *seq);
                if from != seq {
                    put(out, &[",\"from\":", &from.to_string()]);
                }
                put(out, &[",\"data\":", data, "}\n"]);
            }
            Self::Snapshot { ts, topic, seq, data } => {
                head(out, *ts, topic, *seq);
                put(out, &[",\"snapshot\":true,\"data\":", data, "}\n"]);
            }
            Self::Gap { topic, from, to, reason } => {
                put(out, &["{\"topic\":"]);
                quote(out, topic);
                put(out, &[",\"gap\":{\"from\":", &from.to_string(), ",\"to\":", &to.to_string()]);
                put(out, &[",\"reason\":"]);
                quote(out, reason);
                put(out, &["}}\n"]);
            }
            Self::Resumed { at } => {
                put(out, &["{\"resumed\":\"", &at.to_string(), "\"}\n"]);
            }
        }
    }
}

fn head(out: &mut Vec<u8>, ts: Nanos, topic: &str, seq: u64) {
    put(out, &["{\"ts\":\"", &ts.to_string(), "\",\"topic\":"]);
    quote(out, topic);
    put(out, &[",\"seq\":", &seq.to_string()]);
}

fn put(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

fn quote(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text is JSON");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(entry: &Entry<'_>) -> String {
        let mut out = Vec::new();
        entry.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_gives_back_what_was_written() {
        let topic: Cow<'_, str> = "chat.\"a\"".into();
        for entry in [
            Entry::Event { ts: 5, topic: topic.clone(), seq: 9, from: 9, data: "null" },
            Entry::Event { ts: u64::MAX, topic: topic.clone(), seq: 9, from: 3, data: "[1.10]" },
            Entry::Snapshot { ts: 5, topic: topic.clone(), seq: 9, data: r#"{"a":"\n"}"# },
            Entry::Gap { topic: topic.clone(), from: 1, to: 2, reason: "slow".into() },
            Entry::Resumed { at: 7 },
        ] {
            let line = written(&entry);
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert_eq!(Entry::parse(&line), Ok(entry));
        }
    }

    #[test]
    fn a_header_gives_back_what_was_written_and_other_files_are_told() {
        let header = Header { started: 12, topics: vec!["trade.>".into(), "a\"b".into()] };
        let mut line = Vec::new();
        header.write(&mut line);
        let line = String::from_utf8(line).unwrap();
        assert_eq!(Header::parse(&line), Ok(header));
        for (text, words) in [
            ("{\"ts_ns\":1}", "no recording of tickwire's: it begins with {\\\"ts_ns\\\":1}"),
            (&line.replace("recording", "other"), "no recording"),
            (&line.replace("\"version\":1", "\"version\":2"), "version 2 of recordings"),
        ] {
            let error = Header::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        for (line, words) in [
            ("{\"topic\":\"a\"}", "\"ts\" is missing: "),
            ("{\"ts\":\"x\",\"topic\":\"a\"}", "\"x\" is no time: "),
            ("{\"ts\":\"1\",\"topic\":\"a\",\"seq\":1}", "\"data\" is missing: "),
            ("{", "EOF while parsing"),
        ] {
            let error = Entry::parse(line).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            drop(Entry::parse(&text));
            drop(Header::parse(&text));
        }

        #[test]
        fn any_event_survives(
            (ts, seq, more) in any::<(u64, u64, u64)>(),
            topic in ".{0,30}",
            text in ".{0,30}",
        ) {
            let data = serde_json::to_string(&text).unwrap();
            let from = seq.saturating_sub(more);
            let entry = Entry::Event { ts, topic: topic.into(), seq, from, data: &data };
            let line = written(&entry);
            prop_assert_eq!(Entry::parse(&line), Ok(entry));
        }
    }
}
