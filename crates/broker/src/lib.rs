//! The broker as a process: sockets, threads, clock, files and environment around the core.
//!
//! Everything below this crate decides; this crate carries bytes. It is a library so that tests
//! can start a whole broker in their own process; the `tickwire` binary is a thin shell.
//!
//! - [`config`]: from file, environment and flags to checked settings.
//! - [`app`]: builds everything in order, and takes it down again.
//! - [`http`]: the one listener: handshakes, publishing, topics, metrics, the page.
//! - [`ws`]: WebSocket bytes from clients, turned into messages, under every rule of RFC 6455.
//! - [`shard`]: one thread's sockets and its hub.
//! - [`feed`]: the simulated exchange, and venues over real sockets; they publish what they give.
//! - `consolidate`: the best of all venues, from what every publisher says.
//! - [`commands`]: `tickwire sub`, `pub`, `topics`, `feed` and `sim-exchange`.

pub mod app;
mod clock;
pub mod commands;
pub mod config;
mod consolidate;
pub mod feed;
mod housekeeping;
pub mod http;
mod metrics;
pub mod shard;
pub mod ws;

pub use clock::Clock;
