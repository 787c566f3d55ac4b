//! What can go wrong, each with words for a person.

use std::io;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be used.
    #[error("\"{url}\" is no usable URL: {problem}; try one such as {example}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        example: &'static str,
    },
    /// `wss://` or `https://`.
    #[error("\"{url}\": TLS is not supported yet, only ws:// and http://")]
    TlsNotSupported {
        /// As it was given.
        url: String,
    },
    /// Nobody listens there, or the way there is barred.
    #[error("cannot connect to {authority}: {source}; is the broker running there?")]
    Unreachable {
        /// Host and port.
        authority: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Connected, but no answer in time.
    #[error("{authority} did not answer within {seconds} s")]
    TimedOut {
        /// Host and port.
        authority: String,
        /// The deadline.
        seconds: u64,
    },
    /// The answer to the handshake was a refusal.
    #[error("{authority}{path} refused the WebSocket handshake: HTTP {status} {body}")]
    Refused {
        /// Host and port.
        authority: String,
        /// The path asked for; tickwire listens on `/ws`.
        path: String,
        /// HTTP status.
        status: u16,
        /// The first words of the answer.
        body: String,
    },
    /// It speaks something, but not this.
    #[error("{authority} does not look like a tickwire broker: {problem}")]
    NotTickwire {
        /// Host and port.
        authority: String,
        /// What was odd.
        problem: String,
    },
    /// The server took the WebSocket but not the subprotocol.
    #[error("{authority} does not speak {offered} (it {answered}): not a tickwire broker?")]
    Subprotocol {
        /// Host and port.
        authority: String,
        /// What was offered.
        offered: &'static str,
        /// What came back.
        answered: String,
    },
}

/// Why nothing more can be received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The server closed the connection and said so.
    #[error("the server closed the connection: {}", describe_close(*.code, .reason))]
    Closed {
        /// Close code; 1005 where the server gave none.
        code: u16,
        /// The server's words, possibly none.
        reason: String,
    },
    /// The connection broke without a word.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The server broke the WebSocket protocol.
    #[error("the server broke the WebSocket protocol: {0}")]
    Violation(String),
    /// One message could not be read; the next one may.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
}

impl ReceiveError {
    /// True when the connection is over; false for a single unreadable message.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Undecodable(_))
    }
}

/// Why a command was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is over; the receiver knows why.
    #[error("the connection is closed")]
    Closed,
    /// The command cannot be written in this codec.
    #[error("the command cannot be encoded: {0}")]
    Encode(String),
}

/// A message that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message cannot be read: {problem} in {shown}")]
pub struct DecodeError {
    /// What is wrong.
    pub problem: String,
    /// Its first bytes.
    pub shown: String,
}

/// `1001 going away (drain)`: the number, what it means, and the server's own words.
fn describe_close(code: u16, reason: &str) -> String {
    let meaning = match code {
        1000 => " normal",
        1001 => " going away",
        1002 => " protocol error",
        1003 => " wrong kind of frame",
        1005 => " no code given",
        1007 => " not UTF-8",
        1008 => " policy",
        1009 => " message too large",
        1011 => " server error",
        1012 => " restart",
        1013 => " try again later",
        4001 => " slow",
        _ => "",
    };
    if reason.is_empty() {
        format!("{code}{meaning}")
    } else {
        format!("{code}{meaning} ({reason})")
    }
}
