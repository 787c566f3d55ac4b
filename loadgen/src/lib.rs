//! An open-loop load generator for WebSocket brokers, and the send loop to compare them with.
//!
//! Event k is due at t0 + k/rate and carries its due time; latency is receive time minus due
//! time, so that waiting anywhere, in the generator too, is never hidden. What follows, in the
//! order of a run:
//!
//! - [`arguments`] becomes a checked [`plan`]; [`run`] carries it out.
//! - [`subscribers`]: threads of non-blocking sockets, each a small [`socket`] state machine that
//!   reads [`frames`], finds the few fields it needs by [`scan`] and keeps its [`accounting`],
//!   which make the run's [`books`].
//! - [`ticks`]: a simulated exchange as the source of events, and the truth to compare with.
//! - [`recorded`]: when the messages of a recorded session came, as a rhythm for events.
//! - [`hops`] and [`spread`]: where an event's time went, and how far apart it arrived.
//! - [`ask`] and [`written`]: what the server says of itself, and of its writing.
//! - [`publisher`]: threads that send what is due, and never wait for anybody.
//! - [`system`] and [`limits`]: what the server and the host did meanwhile; what is allowed.
//! - [`report`]: figures, whether they can be believed ([`verdict`]), [`assertion`]s on them.
//! - [`floor`]: accept, upgrade, send; the least that any server has to do.

pub mod accounting;
pub mod arguments;
pub mod ask;
pub mod assertion;
pub mod books;
pub mod clock;
pub mod dial;
pub mod figures;
pub mod findings;
pub mod floor;
pub mod frames;
pub mod hops;
pub mod limits;
pub mod payload;
pub mod plan;
pub mod progress;
pub mod protocol;
pub mod publisher;
pub mod recorded;
pub mod report;
pub mod run;
pub mod scan;
pub mod shared;
pub mod socket;
pub mod spread;
pub mod subscribers;
pub mod system;
pub mod ticks;
pub mod units;
pub mod verdict;
pub mod written;
