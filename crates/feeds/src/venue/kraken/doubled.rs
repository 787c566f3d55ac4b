//! A message of a book that comes twice. There is no sequence to tell, but time and checksum are
//! the same then, and it changes nothing.

use market::{Book, BookDiff, BookSide, Level, Nanos};

/// Most changes of a side that are looked at; messages are far shorter.
const CHANGES_MAX: usize = 64;

/// Time and checksum of a message, where it has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark(Option<(Nanos, u32)>);

impl Mark {
    pub(super) fn of(diff: &BookDiff, checksum: Option<u32>) -> Self {
        Self(diff.stamps.event.zip(checksum))
    }

    /// Whether a message with this mark, after one with `last`, is the same once more. Where it is
    /// not told, it is applied, and changes nothing either.
    pub(super) fn is_doubled(self, last: Self, diff: &BookDiff, book: &Book) -> bool {
        self.0.is_some()
            && self == last
            && !diff.reset
            && nothing_new(book, BookSide::Bid, &diff.bids)
            && nothing_new(book, BookSide::Ask, &diff.asks)
    }
}

/// Whether the book is already as the last word on each price says.
fn nothing_new(book: &Book, side: BookSide, changes: &[Level]) -> bool {
    changes.len() <= CHANGES_MAX
        && changes.iter().enumerate().all(|(at, level)| {
            if changes[at + 1..].iter().any(|later| later.price == level.price) {
                return true;
            }
            let held = book.levels(side).find(|held| held.price == level.price);
            held.map_or(level.size.is_zero(), |held| held.size == level.size)
        })
}
