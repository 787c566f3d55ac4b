//! Simulated exchanges: the wire protocols of real venues, spoken by a market that is known to the
//! last level, with faults on purpose.
//!
//! An [`Exchange`] opens no socket and reads no clock. Its owner tells it what clients do
//! ([`Exchange::connect`], [`Exchange::receive`], [`Exchange::request`]) and what time it is
//! ([`Exchange::advance`]), and carries out the [`Delivery`]s that it takes from it. The market
//! behind it is [`feeds::SimExchange`]; the same [`Options`], start and calls give the same bytes.
//!
//! - [`Venue`]: which protocols are spoken.
//! - [`Fault`], [`FaultPlan`]: what goes wrong, and how often or when.
//! - [`Exchange::book`], [`Exchange::book_at`], [`Exchange::held`], [`Exchange::agrees`]: the
//!   truth, to compare a client's book with.
//! - [`Link`]: an adapter connected to an exchange in memory, on simulated time.
//!
//! ```
//! use exchange::{Effect, Exchange, Options, Venue};
//!
//! let start = 1_700_000_000_000_000_000;
//! let mut exchange = Exchange::new(Options::new(Venue::Kraken), start)?;
//! let client = exchange.connect("/v2", start);
//! let subscribe = br#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}"#;
//! exchange.receive(client, subscribe, start);
//! exchange.advance(start + 1_000_000_000);
//! let first = exchange.take_deliveries().swap_remove(0);
//! assert!(matches!(first.effect, Effect::Text(text) if text.starts_with(br#"{"channel":"status""#)));
//! # Ok::<(), exchange::ExchangeError>(())
//! ```

mod board;
mod chance;
mod connection;
mod engine;
mod fault;
mod history;
mod link;
mod options;
mod protocol;
mod transmit;
mod venue;
mod writing;

pub use connection::{ConnectionId, Delivery, Effect, Reply};
pub use engine::Exchange;
pub use fault::{Class, Fault, FaultCounts, FaultError, FaultPlan, GAP_MESSAGES, Strike};
pub use link::{Between, Link, LinkCounts};
pub use options::{ExchangeError, Options};
pub use venue::{UnknownVenue, Venue};
