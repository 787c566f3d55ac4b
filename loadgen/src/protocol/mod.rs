//! How servers other than tickwire are spoken to: what differs between them, behind one trait.
//!
//! The URL says which: `nats+ws://…`, `mqtt+ws://…`, `nchan+ws://…`, `broadcast+ws://…` and
//! `socketio+ws://…`. Plain `ws://` is tickwire's own protocol, which the engine speaks itself.
//! Each event carries its due time, topic and number in its data ([`stamp`]), for these servers
//! do not number what they deliver. Nothing here allocates for a message that is received.

use std::fmt::Debug;

use crate::frames;
pub mod broadcast;
pub mod mqtt;
pub mod nats;
pub mod nchan;
pub mod socketio;
pub mod stamp;

use stamp::Stamp;

/// How a connection begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Path and query of the upgrade.
    pub path: String,
    /// The WebSocket subprotocol to ask for; empty for none.
    pub subprotocol: &'static str,
    /// Sent once upgraded, unless empty.
    pub hello: Vec<u8>,
    /// Sent when the server has said its welcome, unless empty.
    pub wishes: Vec<u8>,
}

/// One event on its way to the server.
#[derive(Debug, Clone, Copy)]
pub struct Event<'e> {
    /// The topic's full name.
    pub topic: &'e str,
    /// The data, stamped.
    pub data: &'e [u8],
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'b> {
    /// An event.
    Event(Stamp),
    /// The server is ready to be told wishes.
    Welcome,
    /// The wishes are granted: events flow.
    Ready,
    /// Something that wants this answer.
    Ask(&'static [u8]),
    /// Nothing that matters here.
    Nothing,
    /// The server refused, in its own words.
    Refused(&'b [u8]),
}

/// The size of the message at the front, and what it says; `None` when it is not there whole.
pub type Hearing<'b> = Result<Option<(usize, Heard<'b>)>, String>;

/// What differs between servers.
pub trait Dialect: Debug + Send + Sync {
    /// How a subscriber of `topics` opens its connection, below the URL's own path `base`.
    /// `number` is another one for each connection.
    fn subscriber(&self, base: &str, number: usize, topics: &[String]) -> Opening;

    /// How a publisher opens its connection.
    fn publisher(&self, base: &str, number: usize) -> Opening;

    /// Opcode of the frames to be sent.
    fn opcode(&self) -> u8 {
        frames::TEXT
    }

    /// Whether the server speaks first or answers the hello, and wishes must wait for that.
    fn welcomes(&self) -> bool {
        true
    }

    /// Whether a subscriber's wishes are answered; otherwise it is subscribed once upgraded.
    fn confirms(&self) -> bool {
        true
    }

    /// Whether a publisher's connection is upgraded; otherwise its messages are bare bytes.
    fn publishes_in_frames(&self) -> bool {
        true
    }

    /// The message at the front of what frames have brought. Messages may end inside a frame.
    ///
    /// # Errors
    /// When the bytes are nothing that this server should say.
    fn hear<'b>(&self, bytes: &'b [u8]) -> Hearing<'b>;

    /// The same on a publisher's connection.
    ///
    /// # Errors
    /// When the bytes are nothing that this server should say.
    fn hear_publisher<'b>(&self, bytes: &'b [u8]) -> Hearing<'b> {
        self.hear(bytes)
    }

    /// Appends the message that publishes an event.
    fn publish(&self, base: &str, authority: &str, event: Event<'_>, out: &mut Vec<u8>);
}

/// The dialect of a URL's scheme, and the rest of the URL as a plain `ws://`; `None` for plain
/// URLs, which are tickwire's.
#[must_use]
pub fn of_url(url: &str) -> Option<(&'static dyn Dialect, &str)> {
    let (name, rest) = url.split_once('+')?;
    let dialect: &'static dyn Dialect = match name {
        "nats" => &nats::Nats,
        "mqtt" => &mqtt::Mqtt,
        "nchan" => &nchan::Nchan,
        "broadcast" => &broadcast::Broadcast,
        "socketio" => &socketio::SocketIo,
        _ => return None,
    };
    Some((dialect, rest))
}

/// Which side of a conversation listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A subscriber.
    Subscriber,
    /// A publisher.
    Publisher,
}

/// Hears all whole messages in `bytes`, which follow what `carry` holds of an earlier, broken
/// one. What is left of a message stays in `carry`, whose room is kept.
///
/// # Errors
/// The first problem, of the dialect or of `each`.
pub fn hear_all(
    dialect: &dyn Dialect,
    side: Side,
    carry: &mut Vec<u8>,
    bytes: &[u8],
    mut each: impl FnMut(Heard<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut hear_whole = |bytes: &[u8]| -> Result<usize, String> {
        let mut used = 0;
        while used < bytes.len() {
            let heard = match side {
                Side::Subscriber => dialect.hear(&bytes[used..])?,
                Side::Publisher => dialect.hear_publisher(&bytes[used..])?,
            };
            let Some((size, heard)) = heard else { break };
            used += size;
            each(heard)?;
        }
        Ok(used)
    };
    if carry.is_empty() {
        let used = hear_whole(bytes)?;
        carry.extend_from_slice(&bytes[used..]);
    } else {
        carry.extend_from_slice(bytes);
        let used = hear_whole(carry)?;
        carry.drain(..used);
    }
    Ok(())
}

/// The words of a server's refusal.
#[must_use]
pub fn refusal(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let shown: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    format!("the server refused: {shown}")
}

/// A path below the URL's own.
fn below(base: &str, rest: &str) -> String {
    format!("{}/{rest}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests;
