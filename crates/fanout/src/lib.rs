//! The fan-out core: who receives what, and what those get that cannot keep up.
//!
//! One [`Hub`] belongs to one shard, which is one thread; it knows no socket, no clock and no
//! lock of its own. It works in turns:
//!
//! 1. **gather**: [`Hub::gather`] reads from each topic that moved what came since the shard last
//!    looked, encodes it once for each codec in use into the turn's buffer, and notes for each
//!    subscriber in step which run of frames is its own. Commands add replies the same way.
//! 2. **catch up**: [`Hub::catch_up`] serves those that are not in step (new, slow, rate limited,
//!    returning) from the topic's shared history, with frames shared by all at the same position.
//! 3. **drain**: for each subscriber that [`Hub::next_ready`] names, the shard writes
//!    [`Hub::pending`] to the socket at once and reports with [`Hub::wrote`] what it took.
//! 4. **end**: [`Hub::end_turn`] forgets the turn's frames. Nobody refers to them: whoever could
//!    not take all of them holds a position in the topic instead, and half a frame at most.
//!
//! A subscriber in step holds nothing for a topic. One that is not holds a cursor: the sequence
//! number it has. There are no queues, so there is nothing to overflow.
//!
//! The ledger ([`Ledger`]) balances after every turn: for each subscription
//! `published = delivered + merged + dropped + pending`.

mod audience;
mod catch_up;
mod distribute;
mod drain;
mod hub;
mod ledger;
mod subscribe;
mod subscriber;
mod timers;
mod turn;

pub use hub::{Hub, HubLimits};
pub use ledger::Ledger;
pub use subscriber::SubscriberId;

/// Milliseconds on a clock that never goes back; what zero means is up to the caller.
pub type Millis = u64;
