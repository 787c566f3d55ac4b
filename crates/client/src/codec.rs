//! The two ways of writing messages, and a message as it arrived.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::error::{DecodeError, SendError};
use crate::{Command, Message};

/// How messages are written, chosen by the WebSocket subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// `tickwire.v1.json`: text frames.
    #[default]
    Json,
    /// `tickwire.v1.msgpack`: binary frames.
    MessagePack,
}

impl Codec {
    /// The WebSocket subprotocol.
    #[must_use]
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "tickwire.v1.json",
            Self::MessagePack => "tickwire.v1.msgpack",
        }
    }

    /// Writes `command`.
    ///
    /// # Errors
    /// When a value has no place in this codec (a rate that is not a number in JSON).
    pub fn encode(self, command: &Command) -> Result<Vec<u8>, SendError> {
        match self {
            Self::Json => serde_json::to_vec(command).map_err(|e| SendError::Encode(e.to_string())),
            Self::MessagePack => {
                rmp_serde::to_vec_named(command).map_err(|e| SendError::Encode(e.to_string()))
            }
        }
    }
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "msgpack" => Ok(Self::MessagePack),
            _ => Err(format!("\"{text}\" is no codec: json or msgpack")),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::MessagePack => "msgpack",
        })
    }
}

/// One whole message as it came from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// How it is written.
    pub codec: Codec,
    /// The bytes, without WebSocket framing. UTF-8 when the codec is JSON.
    pub bytes: Bytes,
}

impl RawMessage {
    /// Reads it.
    ///
    /// # Errors
    /// When it is no message of the protocol. An op that this version does not know is not an
    /// error but [`Message::Unknown`].
    pub fn decode(&self) -> Result<Message, DecodeError> {
        crate::message::decode(self)
    }

    /// The message as one line of JSON: the server's own bytes where they are JSON, with line
    /// breaks between tokens (of a foreign server) taken out.
    ///
    /// # Errors
    /// When it is not readable at all.
    pub fn to_json_line(&self) -> Result<String, DecodeError> {
        let mut line = Vec::with_capacity(self.bytes.len() + 64);
        let mut writer = serde_json::Serializer::new(&mut line);
        match self.codec {
            Codec::Json if !self.bytes.contains(&b'\n') => line.extend_from_slice(&self.bytes),
            Codec::Json => {
                let mut reader = serde_json::Deserializer::from_slice(&self.bytes);
                serde_transcode::transcode(&mut reader, &mut writer)
                    .map_err(|e| self.unreadable(&e))?;
            }
            Codec::MessagePack => {
                let mut reader = rmp_serde::Deserializer::from_read_ref(&self.bytes);
                serde_transcode::transcode(&mut reader, &mut writer)
                    .map_err(|e| self.unreadable(&e))?;
            }
        }
        String::from_utf8(line).map_err(|e| self.unreadable(&e))
    }

    pub(crate) fn unreadable(&self, problem: &dyn fmt::Display) -> DecodeError {
        let head = &self.bytes[..self.bytes.len().min(120)];
        DecodeError { problem: problem.to_string(), shown: head.escape_ascii().to_string() }
    }
}
