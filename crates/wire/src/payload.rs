//! The `data` of an event: one of the market kinds, or opaque JSON.

use market::{BookDiff, Event};

use crate::JsonText;

/// What an event carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// A checked market event. Book events carry the checksum of the book after them.
    Market(Event),
    /// A book diff and the CRC32 of the book after it.
    Book(BookDiff, u32),
    /// Opaque JSON of a generic topic.
    Json(JsonText),
}
