//! Best bid and offer of a book, for venues that have no stream of them.

use market::{Book, BookDiff, BookSide, Event, Flags, Kind, Quote, QuoteSide};

use super::Topics;
use crate::Update;

/// Follows one book.
#[derive(Debug, Default)]
pub(super) struct QuoteMaker {
    book: Book,
    /// There was a whole book, and nothing was lost since.
    whole: bool,
    /// What was given last; `None` when the next one is to be given whatever it is.
    last: Option<[Option<QuoteSide>; 2]>,
    channel: Option<usize>,
}

impl QuoteMaker {
    /// Takes a change of the book; one quote at most comes of it, if the best of a side is
    /// another, or after a break.
    pub(super) fn follow(
        &mut self,
        diff: &BookDiff,
        topics: &mut Topics<'_>,
        out: &mut Vec<Update>,
    ) {
        self.whole |= diff.reset;
        if !self.whole {
            return;
        }
        self.book.follow(diff);
        let [bid, ask] = [BookSide::Bid, BookSide::Ask].map(|side| {
            self.book.best(side).map(|level| QuoteSide { price: level.price, size: level.size })
        });
        let after_break = diff.stamps.flags.has(Flags::GAP_BEFORE);
        if self.last.replace([bid, ask]) != Some([bid, ask]) || after_break {
            let channel = topics.channel(&mut self.channel, Kind::Quote, "quote");
            let quote = Quote { bid, ask, stamps: diff.stamps };
            out.push(Update { channel, event: Event::Quote(quote) });
        }
    }

    /// The book is not to be trusted until it comes whole again.
    pub(super) fn lose(&mut self) {
        self.whole = false;
        self.last = None;
    }
}
