//! WebSocket, the inbound half: the handshake, and bytes from a client turned into messages.
//!
//! Nothing in here touches a socket, a clock or a runtime. [`Inbound`] is fed with the bytes that
//! were read and calls back for every complete message; what goes out to clients is framed
//! elsewhere. fastwebsockets parses, unmasks and checks the frames, but it never gets to see one
//! that the gate in `header.rs` has not let through: that gate holds the rules of RFC 6455 and the
//! bounds which the library leaves to its caller.

mod handshake;
mod header;
mod inbound;
mod message;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use handshake::{Accepted, Refusal, accept};
pub use inbound::Inbound;

/// What a client has sent, complete and unmasked.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// A text message, all fragments together. The bytes are valid UTF-8; they are mutable so that
    /// a parser which works in place can have them.
    Text(&'a mut [u8]),
    /// A binary message, all fragments together.
    Binary(&'a mut [u8]),
    /// A ping with its payload of at most 125 bytes, which the pong has to repeat.
    Ping(&'a [u8]),
    /// A pong. Its payload answers nothing that is kept, so it is not handed on.
    Pong,
    /// The peer closes, with its close code where it gave one. Nothing follows.
    Close(Option<u16>),
}

/// Why a connection must be closed (RFC 6455 section 7.1.7), as the close frame is to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} ({code})")]
pub struct Violation {
    /// The close code: 1002 protocol error, 1007 text that is not UTF-8, 1009 message too large
    /// (RFC 6455 section 7.4.1).
    pub code: u16,
    /// What was wrong, for the client's developer. At most 123 bytes, so that it fits the close
    /// frame.
    pub reason: &'static str,
}

impl Violation {
    /// A rule of the protocol is broken: close code 1002.
    const fn protocol(reason: &'static str) -> Self {
        Self { code: 1002, reason }
    }

    /// A text message, or the reason in a close frame, is not UTF-8: close code 1007.
    const NOT_UTF8: Self = Self { code: 1007, reason: "text is not valid UTF-8" };

    /// The message, over all its fragments, exceeds the bound: close code 1009.
    const TOO_LARGE: Self = Self { code: 1009, reason: "message is larger than allowed" };
}
