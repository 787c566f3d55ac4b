//! The `data` of an event: one of the market kinds, or opaque JSON.

use market::{BookDiff, Event, Flags};

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

impl Payload {
    /// Whether events of the venue are missing before it.
    #[must_use]
    pub fn follows_gap(&self) -> bool {
        let flags = match self {
            Self::Market(event) => event.stamps().flags,
            Self::Book(diff, _) => diff.stamps.flags,
            Self::Json(_) => Flags::none(),
        };
        flags.has(Flags::GAP_BEFORE)
    }
}

/// Appends the `data` of a market event as JSON, as a publisher sends it: without the checksum of
/// a book, which the broker counts anew.
pub fn append_json(out: &mut Vec<u8>, event: &Event) {
    crate::data_out::event(&mut crate::writer::Json(out), event);
}
