//! Shards: each one thread with its own sockets, its own hub and nothing shared but the topics.
//!
//! - [`Shard`]: the handle other threads hold; it takes connections and questions.
//! - `event_loop`: the turn, step by step.
//! - `connection`: one socket, its inbound bytes and its end.
//! - [`Service`]: what is done with a client's messages; the broker's is [`CommandService`].

mod commands;
mod connection;
mod event_loop;
mod inbox;
mod keepalive;
mod latency;
mod read;
mod write;

use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;

use fanout::{Hub, Ledger, Millis, SubscriberId};
use topics::{Registry, ShardId};
use wire::Codec;
use wire::close::Close;

pub use commands::CommandService;
pub(crate) use commands::{payload, publish};
pub use inbox::{Inbox, Owner};
pub use latency::{BOUNDS as LATENCY_BOUNDS, LatencyReport};

use crate::clock::Clock;

/// What a service makes of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// The client was told of an error; it may not make too many.
    Error,
    /// End the connection.
    Close(Close),
}

/// A message from a client.
#[derive(Debug)]
pub enum Message<'a> {
    /// A text message: valid UTF-8, mutable for parsers that work in place.
    Text(&'a mut [u8]),
    /// A binary message.
    Binary(&'a mut [u8]),
}

/// What is done with the messages of a shard's clients.
pub trait Service: Send + 'static {
    /// Acts on one message; answers go through `hub`.
    fn message(
        &mut self,
        hub: &mut Hub,
        from: SubscriberId,
        codec: Codec,
        message: Message<'_>,
    ) -> Verdict;

    /// All messages that have come in were given; what was put off may be done now.
    fn messages_done(&mut self) {}

    /// A client is no more.
    fn gone(&mut self, _from: SubscriberId) {}
}

/// Bounds of one shard's connections. Times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Bytes of one inbound message, whole or in fragments.
    pub message_bytes: usize,
    /// Between two pings.
    pub ping_interval: Millis,
    /// Without a byte from the peer.
    pub idle_timeout: Millis,
    /// Bytes of replies that wait for a socket, above which its commands are no longer read.
    pub unsent_bytes: usize,
    /// Bytes the kernel may hold unsent for a socket; `None` leaves the system's default.
    pub notsent_lowat: Option<NonZeroUsize>,
    /// Errors in a minute after which a connection is closed.
    pub errors_per_minute: usize,
}

/// What a shard says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// What became of every event.
    pub ledger: Ledger,
    /// Connections.
    pub connections: u64,
    /// Subscriptions of all connections.
    pub subscriptions: u64,
    /// Connections whose socket took less than it was offered.
    pub blocked: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// Bytes written to sockets.
    pub bytes: u64,
    /// Turns in which something was written.
    pub turns: u64,
    /// Messages taken in from clients.
    pub messages: u64,
    /// Errors that clients were told of.
    pub errors: u64,
    /// How long events took from publishing to the end of the turn that wrote them.
    pub latency: LatencyReport,
}

/// A connection whose handshake is done.
#[derive(Debug)]
pub struct NewConnection {
    /// Its socket, in non-blocking mode.
    pub stream: TcpStream,
    /// How messages are written on it.
    pub codec: Codec,
    /// Bytes that came behind the handshake.
    pub early: Vec<u8>,
    /// Released when the connection is gone.
    pub permit: Option<Permit>,
}

/// A place among the connections that there may be; free again when dropped.
#[derive(Debug)]
pub struct Permit(
    #[expect(dead_code, reason = "held for its drop")] tokio::sync::OwnedSemaphorePermit,
);

impl From<tokio::sync::OwnedSemaphorePermit> for Permit {
    fn from(permit: tokio::sync::OwnedSemaphorePermit) -> Self {
        Self(permit)
    }
}

/// A running shard.
#[derive(Debug)]
pub struct Shard {
    inbox: Inbox,
    thread: JoinHandle<()>,
}

impl Shard {
    /// Starts the thread of shard `id`, whose mailbox in `registry` must rouse `inbox`.
    ///
    /// # Errors
    /// When the system has no thread or no event queue to give.
    pub fn start(
        id: ShardId,
        inbox: (Inbox, Owner),
        registry: Arc<Registry>,
        settings: ShardSettings,
        service: impl Service,
    ) -> io::Result<Self> {
        let (inbox, owner) = inbox;
        let hub = Hub::new(Arc::clone(&registry), id, settings.hub);
        let shard = event_loop::EventLoop::new(hub, registry, id, owner, settings, service);
        let thread = std::thread::Builder::new()
            .name(format!("shard-{}", id.index()))
            .spawn(move || shard.run())?;
        Ok(Self { inbox, thread })
    }

    /// Where other threads reach it.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Waits for the thread to end, which [`Inbox::shut_down`] makes it do.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("a shard ended with a panic");
        }
    }
}

/// What a shard is made with.
#[derive(Debug, Clone, Copy)]
pub struct ShardSettings {
    /// Bounds of its hub.
    pub hub: fanout::HubLimits,
    /// Bounds of its connections.
    pub connections: ConnectionLimits,
    /// The time.
    pub clock: Clock,
}
