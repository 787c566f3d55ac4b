//! Where market data comes from: adapters for real venues, and a simulated exchange built in.
//!
//! - [`adapter`]: what every venue's adapter is, and the [`adapter::Desk`] through which all its
//!   events leave.
//! - [`venue`]: one adapter for each venue.
//! - [`mod@derive`]: topics made from others: bars, quotes, the best of all venues.
//! - [`session`]: recorded sessions, and playing one to an adapter.
//! - [`recording`]: recordings of our own: what a broker published, written and read again.
//! - [`replay`]: recorded data played again, at any speed.
//! - [`zstandard`]: compressed files as plain bytes.
//!
//! Nothing here opens a socket, reads a clock or starts a thread. Time is an argument, so the
//! same calls give the same updates in a test, in a benchmark and in the broker.
//!
//! - [`Feed`]: a source of [`Update`]s on a fixed list of [`Channel`]s, driven by its owner.
//! - [`SimExchange`]: a feed that plays an exchange: price processes, order books that never
//!   cross, trades that take from them, quotes, bars; the same run for the same [`SimOptions`].
//!
//! A driver sleeps until [`Feed::next_due`], then calls [`Feed::advance`]:
//!
//! ```
//! use feeds::{Feed, SimExchange, SimOptions};
//!
//! let options = SimOptions {
//!     venue: "sim".into(),
//!     symbols: 2,
//!     updates_per_second: 100,
//!     depth: 10,
//!     seed: 7,
//! };
//! let start = 1_700_000_000_000_000_000;
//! let mut feed = SimExchange::new(options, start)?;
//! let mut updates = Vec::new();
//! feed.advance(start, &mut updates);
//! // The venue's status, then a whole book and a quote for each of the two symbols.
//! assert_eq!(updates.len(), 5);
//! assert_eq!(feed.channels()[updates[1].channel].topic, "book.sim.BTC-USD");
//! # Ok::<(), feeds::SimError>(())
//! ```

pub mod adapter;
pub mod derive;
pub mod recording;
pub mod replay;
pub mod session;
mod sim;
pub mod venue;
pub mod zstandard;

use market::{Event, Kind, Nanos};

pub use sim::{SimError, SimExchange, SimOptions};

/// One topic a feed writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What the topic carries; every event of the channel is of this kind.
    pub kind: Kind,
    /// The topic's full name, such as `trade.sim.BTC-USD`, `bar-1s.sim.BTC-USD` or `status.sim`.
    pub topic: String,
    /// The symbol as the venue spells it, where the topic has one and that is known.
    pub native: Option<Box<str>>,
}

impl Channel {
    /// A channel of which it is not known how the venue spells its symbol, if it has one.
    #[must_use]
    pub fn new(kind: Kind, topic: impl Into<String>) -> Self {
        Self { kind, topic: topic.into(), native: None }
    }

    /// The same, of the symbol that the venue calls `native`.
    #[must_use]
    pub fn of(self, native: &str) -> Self {
        Self { native: Some(native.into()), ..self }
    }
}

/// One event of one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Index into [`Feed::channels`].
    pub channel: usize,
    /// What happened.
    pub event: Event,
}

/// A source of market data, driven by whoever owns it.
pub trait Feed {
    /// The topics this feed writes to. New ones may come while it runs, but only at the end.
    fn channels(&self) -> &[Channel];

    /// Appends to `out`, oldest first, every update due at or before `now`, in nanoseconds since
    /// 1970-01-01 UTC. A `now` earlier than that of a previous call adds nothing new.
    fn advance(&mut self, now: Nanos, out: &mut Vec<Update>);

    /// The earliest instant at which [`Feed::advance`] has something to add; `None` when that is
    /// never, as after [`Feed::stop`].
    fn next_due(&self) -> Option<Nanos>;

    /// Ends the feed: appends its last update, the status `down` with `reason` for a person to
    /// read. What was due but not yet fetched is dropped. Later calls of any method add nothing.
    fn stop(&mut self, now: Nanos, reason: &str, out: &mut Vec<Update>);
}
