//! What a client may ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Data;

/// A command, written with its `op`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Command {
    /// Ask for topics; all or nothing.
    Subscribe(Subscribe),
    /// Have no more of these topics and patterns.
    Unsubscribe {
        /// Comes back in the reply.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        /// As they were subscribed.
        topics: Vec<String>,
    },
    /// Add an event to a topic.
    Publish(Publish),
    /// Ask whether the server is there.
    Ping {
        /// Comes back in the pong.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    },
}

/// What is asked of a subscription; [`Subscribe::to`] makes the plain one.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Subscribe {
    /// Comes back in the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Topics and patterns (`*` one segment, `>` the rest).
    pub topics: Vec<String>,
    /// `Some(false)`: no snapshot first. Absent: a snapshot where the topic has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<bool>,
    /// At most so many events a second of each topic, merged between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<f64>,
    /// What happens when this client does not keep up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_slow: Option<OnSlow>,
    /// The position reached before, by topic: what came after it is sent first.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resume: BTreeMap<String, Position>,
    /// The last so many events first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<u32>,
}

impl Subscribe {
    /// A plain subscription to `topics`.
    pub fn to<T: Into<String>>(topics: impl IntoIterator<Item = T>) -> Self {
        Self { topics: topics.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

impl From<Subscribe> for Command {
    fn from(subscribe: Subscribe) -> Self {
        Self::Subscribe(subscribe)
    }
}

/// One event for a topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Publish {
    /// Comes back in the reply; without one there is a reply only on failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// A topic, not a pattern.
    pub topic: String,
    /// Any JSON value; market kinds want their fields.
    pub data: Data,
    /// What the broker publishes to the topic should this connection end before it publishes
    /// there again: how others learn that the publisher is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub will: Option<Data>,
    /// The symbol as the venue spells it, for whoever lists topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
}

impl From<Publish> for Command {
    fn from(publish: Publish) -> Self {
        Self::Publish(publish)
    }
}

/// What the server does with a client that does not take its events in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnSlow {
    /// Merge what may be merged, name what is lost.
    Conflate,
    /// Close with 4001 when an event that may not be merged is lost.
    Disconnect,
}

/// A place in a topic's life.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Which life: another epoch has other numbers.
    pub epoch: String,
    /// The last event that the client has.
    pub seq: u64,
}
