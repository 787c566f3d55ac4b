//! The topic registry: it numbers every event, remembers the latest ones, and tells shards.
//!
//! One [`Topic`] is shared by all threads. Publishing locks that topic alone, gives the event its
//! sequence number, adds it to the topic's bounded history and marks the topic dirty in the
//! [`Mailbox`] of each shard that has subscribers for it. Nothing is queued for anyone: a shard
//! that comes late reads from the history where it left off, and so does a slow client.
//!
//! - [`TopicName`], [`Pattern`], [`Filter`]: names, and what may be subscribed.
//! - [`Registry`]: name to topic, creation, interest, bounds over all topics.
//! - [`Topic`], [`Log`]: one topic's numbering, history and current state.

mod batch;
mod index;
mod log;
mod mailbox;
mod name;
mod pattern;
mod registry;
mod topic;
mod upkeep;

pub use batch::Batch;
pub use index::PatternIndex;
pub use log::{Form, HistoryLimits, Log, Merged};
pub use mailbox::{Mailbox, Wake};
pub use name::{NameError, TopicKind, TopicName};
pub use pattern::{Filter, Pattern};
pub use registry::{CONSOLIDATED, Published, Registry, RegistryLimits, TopicInfo};
pub use topic::{Merging, ShardId, Topic};
