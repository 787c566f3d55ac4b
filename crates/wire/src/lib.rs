//! The wire protocol v1: what clients may say, what they are told, and the bytes of both.
//!
//! This crate turns bytes into values and values into bytes. It knows no topic registry, no
//! subscriber and no socket; docs/protocol.md is its specification.
//!
//! - [`command`]: a client's message, read from JSON or MessagePack.
//! - [`message`]: what the broker answers and announces, appended to a buffer as whole
//!   WebSocket frames, so that one encoding serves any number of sockets.
//! - [`payload`]: the `data` of an event, market or opaque; [`append_publication`] writes one as a
//!   line for publishing.
//! - [`rejection`]: error codes and texts; [`close`]: close codes.

pub mod close;
mod codec;
pub mod command;
mod data_in;
mod data_out;
mod fields;
mod frame;
mod json;
pub mod message;
mod msgpack;
pub mod payload;
mod publication;
pub mod rejection;
mod writer;

pub use codec::Codec;
pub use command::{Command, CommandReader};
pub use frame::{append_binary, append_close, append_ping, append_pong, append_text};
pub use json::JsonText;
pub use payload::Payload;
pub use publication::{SymbolNames, append_publication};
pub use rejection::{Code, Rejection};
