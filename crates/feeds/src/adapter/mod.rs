//! What every venue's adapter is: bytes in, normalised events and wishes out, and nothing else.
//!
//! An [`Adapter`] speaks one venue's protocol on one connection. It opens no socket and reads no
//! clock: its owner gives it [`Input`]s with the time, and carries out the [`Action`]s it asks for
//! in [`Output`]. So the same adapter runs in the broker, in a process of its own, over a
//! recording and under a fuzzer.
//!
//! - [`Desk`]: the symbols of a connection, their books and what was counted. Every event leaves
//!   through it, so it is the one place that knows whether a book may be trusted.
//! - [`options`], [`trust`], [`counts`]: what a desk is opened with, how far its books can be
//!   trusted, and what it counts.
//! - [`Rules`]: what a venue allows on a connection.
//! - [`upkeep`], of [`asks`] and [`idle`]: when to ask for a stream again, and when to ping.
//! - [`by_symbol`]: what is kept of each symbol.
//! - [`repeats`]: executions that are told twice, or left out.
//! - [`json`], [`exponent`], [`time`], [`symbol`]: reading what venues write.
//!
//! Data flows one way: [`Adapter::handle`] reads a message, tells the desk, and the desk writes
//! [`Update`]s.

pub mod asks;
pub mod by_symbol;
pub mod counts;
pub mod desk;
pub mod exponent;
pub mod idle;
pub mod json;
pub mod options;
pub mod repeats;
pub mod symbol;
pub mod time;
pub mod trust;
pub mod upkeep;
mod written;

use std::fmt;

use market::Nanos;

use crate::Update;

pub use self::counts::{Counts, SymbolCounts};
pub use self::desk::{Desk, Symbol, SymbolId};
pub use self::options::{DeskOptions, Stream, Streams};
pub use self::trust::{BookState, Fault, Oddity, Proof};

/// One venue's protocol on one connection.
pub trait Adapter: Send + fmt::Debug {
    /// Takes one input that came at `now`, nanoseconds since 1970 by our wall clock, and appends
    /// what comes of it. Never panics, whatever the bytes are.
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output);

    /// Its symbols, books and counts.
    fn desk(&self) -> &Desk;

    /// What the venue allows on a connection.
    fn rules(&self) -> &'static Rules;

    /// The owner is about to end the connection: says goodbye, where the venue has a word for it.
    fn log_out(&mut self, _now: Nanos, _out: &mut Output) {}
}

/// What reaches an adapter.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// The connection is open, anew each time: everything is to be subscribed.
    Connected,
    /// A text message, whole. Not known to be UTF-8.
    Text(&'a [u8]),
    /// A binary message, or for venues without WebSocket a packet, or with [`Transport::Stream`]
    /// whatever came next, cut anywhere.
    Binary(&'a [u8]),
    /// The answer to [`Action::Fetch`].
    Answer {
        /// Which one.
        request: u32,
        /// HTTP status.
        status: u16,
        /// For how long the venue wants to be left alone, if it says so (`Retry-After`).
        retry_after: Option<Nanos>,
        /// What it says.
        body: &'a [u8],
    },
    /// [`Action::Fetch`] failed before there was an answer.
    NoAnswer {
        /// Which one.
        request: u32,
        /// Why, for a person.
        reason: &'a str,
    },
    /// The time asked for with [`Output::wake_at`] has come; it may also come unasked.
    Timer,
    /// Nothing came for [`Rules::stale_after`].
    Silent,
    /// Somebody wants a stream of a symbol now, or nobody does any more: it is to be subscribed or
    /// unsubscribed. Comes only for what the desk has as not wanted, or as wanted.
    Demand {
        /// Of which symbol.
        symbol: SymbolId,
        /// Which stream.
        stream: Stream,
        /// Whether it is wanted from now on.
        wanted: bool,
    },
    /// The connection is gone: no book is to be trusted until the next snapshot.
    Disconnected {
        /// Why, for a person.
        reason: &'a str,
    },
}

/// What an adapter wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A text message to the venue, after all those before it. The owner paces them by
    /// [`Rules::messages_per_second`].
    Send(String),
    /// The same for venues that speak binary: a message, or a packet.
    SendBinary(Vec<u8>),
    /// A REST request: GET of `path` below the venue's REST address. The owner paces and retries
    /// nothing; it answers with [`Input::Answer`] or [`Input::NoAnswer`] once.
    Fetch {
        /// Comes back in the answer. No two requests under way share one.
        request: u32,
        /// Path and query, from `/` on.
        path: String,
    },
    /// Close the connection and open another, with the owner's backoff.
    Reconnect {
        /// Why, for a person.
        reason: String,
    },
    /// A line for the log, once for each kind of trouble.
    Report(String),
}

/// What comes of an input, in order.
#[derive(Debug, Default)]
pub struct Output {
    /// Events; the channel is an index into [`Desk::channels`].
    pub updates: Vec<Update>,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// When [`Input::Timer`] is wanted next; the earliest of all wishes. The owner takes it out.
    pub wake_at: Option<Nanos>,
}

impl Output {
    /// Asks for [`Input::Timer`] at `at`, or earlier.
    pub fn wake(&mut self, at: Nanos) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Asks for a text message to be sent.
    pub fn send(&mut self, text: impl Into<String>) {
        self.actions.push(Action::Send(text.into()));
    }

    /// Asks for another connection.
    pub fn reconnect(&mut self, reason: impl Into<String>) {
        self.actions.push(Action::Reconnect { reason: reason.into() });
    }
}

/// What carries a venue's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Messages over a WebSocket.
    WebSocket,
    /// Bytes over TCP, in which the adapter finds packets by itself.
    Stream,
    /// Files and captured packets: there is no connection to be had.
    Files,
}

/// What a venue allows, from its documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What carries its bytes.
    pub transport: Transport,
    /// Where its WebSocket is, unless the configuration says otherwise; empty where it has none.
    pub websocket: &'static str,
    /// Where its REST interface is; empty where none is needed.
    pub rest: &'static str,
    /// Longest message it sends; a longer one ends the connection. Of a stream, the longest packet.
    pub message_bytes: usize,
    /// Messages it takes a second on a connection.
    pub messages_per_second: u32,
    /// Connections it takes within [`Rules::connections_window`].
    pub connections: u32,
    /// See [`Rules::connections`].
    pub connections_window: Nanos,
    /// Streams on one connection.
    pub streams: usize,
    /// After which time it cuts every connection; `None` where it does not.
    pub lifetime: Option<Nanos>,
    /// Without a message for so long, what we have counts as stale.
    pub stale_after: Nanos,
    /// Without a byte for so long, the connection counts as dead.
    pub dead_after: Nanos,
}

/// A second in nanoseconds, for [`Rules`].
pub const SECOND: Nanos = 1_000_000_000;
