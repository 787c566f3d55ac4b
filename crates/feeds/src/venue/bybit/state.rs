//! What is held of one symbol besides its book: the ticker so far, and the book's numbers.

use market::QuoteSide;

use super::message::{BookData, Field, TickerData};
use super::subscriptions::Refetch;

/// What is held of one symbol besides its book.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The depth whose messages are the book's; none yet on an open desk.
    pub(super) depth: Option<usize>,
    /// On spot: whether the book is wanted for itself, and for quotes made of it.
    pub(super) asked: [bool; 2],
    /// Number of the book's latest message.
    pub(super) update: u64,
    /// Its cross sequence.
    pub(super) cross: Option<u64>,
    /// That was a snapshot, which nothing has followed yet.
    pub(super) fresh: bool,
    /// The id of the last execution; empty before the first.
    pub(super) traded: String,
    pub(super) ticker: Ticker,
    pub(super) book: Refetch,
    pub(super) quotes: Refetch,
    /// Which of its streams the venue refused.
    pub(super) refused: [bool; 3],
}

/// The ticker so far: linear sends whole ones first, then what changed.
#[derive(Debug, Default)]
pub(super) struct Ticker {
    bid: [Field; 2],
    ask: [Field; 2],
    pub(super) cross: Option<u64>,
}

impl Ticker {
    /// Takes over what `data` tells; the quote, if that was of it and both sides are known.
    pub(super) fn merge(
        &mut self,
        data: TickerData,
    ) -> Option<(Option<QuoteSide>, Option<QuoteSide>)> {
        let news = [data.bid_price, data.bid_size, data.ask_price, data.ask_size];
        let [bid_price, bid_size] = &mut self.bid;
        let [ask_price, ask_size] = &mut self.ask;
        for (held, new) in [bid_price, bid_size, ask_price, ask_size].into_iter().zip(news) {
            *held = new.or(*held);
        }
        let told = news.iter().any(Option::is_some);
        if told { side(self.bid).zip(side(self.ask)) } else { None }
    }
}

/// One side of a quote, if it is known; nothing where there are no orders.
fn side([price, size]: [Field; 2]) -> Option<Option<QuoteSide>> {
    let (price, size) = price.zip(size)?;
    Some(
        price
            .zip(size)
            .map(|(price, size)| QuoteSide { price, size })
            .filter(|s| !s.size.is_zero()),
    )
}

/// What a book's message is, by its numbers.
pub(super) enum Verdict {
    /// To be applied.
    Next,
    /// Told already.
    Old,
    /// A snapshot of what is held.
    Again,
    /// A change while there is nothing that it could change.
    Waiting,
    /// Something is missing before it.
    Gap,
}

impl State {
    /// Judges a message of a book. `u` counts each topic's messages by one; `seq` grows, with jumps.
    pub(super) fn judge(
        &self,
        live: bool,
        depth: usize,
        snapshot: bool,
        data: &BookData,
    ) -> Verdict {
        let crosses = data.cross.zip(self.cross);
        let older = crosses.is_some_and(|(cross, last)| cross < last);
        if snapshot {
            return match live {
                // Without a change the best level is sent again every few seconds.
                true if depth == 1 && data.update == self.update => Verdict::Again,
                // The venue counts from 1 after a restart. Any other that is older than what is held
                // contradicts it.
                true if older && data.update != 1 => Verdict::Gap,
                _ => Verdict::Next,
            };
        }
        if !live {
            return Verdict::Waiting;
        }
        let newer = crosses.is_some_and(|(cross, last)| cross > last);
        if data.update == self.update.wrapping_add(1) && !older {
            Verdict::Next
        } else if data.update > self.update || (data.update < self.update && newer) {
            // A smaller number on a later event: the venue counts anew, and the snapshot is missing.
            Verdict::Gap
        } else {
            Verdict::Old
        }
    }
}
