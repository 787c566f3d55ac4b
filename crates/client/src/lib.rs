//! An async client for the tickwire protocol, version 1: an independent reading of the protocol,
//! which shares no code with the broker.
//!
//! - [`Connection`]: connect, then [`split`](Connection::split) into a [`Sender`] and a
//!   [`Receiver`] that work at the same time.
//! - [`Command`] and [`Message`]: what goes out and what comes in, in both codecs.
//! - [`SubscriptionTracker`] and [`Sequence`]: the proof that nothing was lost, doubled or
//!   reordered; and the positions to resume from.
//! - [`http::get`]: the HTTP side of the same listener.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Codec, Command, Connection, Message, Subscribe};
//!
//! let connection = Connection::connect("ws://127.0.0.1:8080/ws", Codec::Json).await?;
//! let (sender, mut receiver) = connection.split();
//! sender.send(&Command::from(Subscribe::to(["quote.sim.*"]))).await?;
//! loop {
//!     if let Message::Event(event) = receiver.receive().await? {
//!         println!("{} {} {}", event.topic, event.seq, event.data);
//!     }
//! }
//! # }
//! ```

mod address;
mod codec;
mod command;
mod connection;
mod data;
mod error;
pub mod handshake;
pub mod http;
mod message;
mod sequence;
mod tracker;

pub use codec::{Codec, RawMessage};
pub use command::{Command, OnSlow, Position, Publish, Subscribe};
pub use connection::{Connection, Receiver, Sender};
pub use data::Data;
pub use error::{ConnectError, DecodeError, ReceiveError, SendError};
pub use message::{
    Acknowledged, ErrorReply, Event, Gap, Message, Published, Snapshot, TopicPosition,
};
pub use sequence::{Sequence, Step};
pub use tracker::{Fault, SubscriptionTracker};
