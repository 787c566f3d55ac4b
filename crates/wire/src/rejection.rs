//! Why a command was refused: a code for programs and a text for people.

use std::fmt;

/// The error codes of the protocol; docs/protocol.md explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The text is not JSON.
    BadJson,
    /// The bytes are not MessagePack, or hold what JSON cannot say.
    BadMsgpack,
    /// An unknown `op`, or a field that is missing or of the wrong type.
    BadCommand,
    /// A topic or pattern that breaks the rules of names.
    BadTopic,
    /// `data` that does not fit the topic's kind.
    BadData,
    /// More than a limit allows.
    TooMany,
}

impl Code {
    /// As it stands in `"code"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadMsgpack => "bad_msgpack",
            Self::BadCommand => "bad_command",
            Self::BadTopic => "bad_topic",
            Self::BadData => "bad_data",
            Self::TooMany => "too_many",
        }
    }
}

/// A refusal. The message says what was wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct Rejection {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
}

impl Rejection {
    /// A refusal with `message` as [`fmt::Display`] writes it.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

/// At most the first 64 characters of a text from outside, for use in messages.
#[must_use]
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
