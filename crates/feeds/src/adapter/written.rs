//! How a venue wrote the prices of a book: a [`Book`] holds all of them at one scale, so that the
//! text alone is lost where a venue writes `78725` beside `78724.1`.

use std::collections::{BTreeMap, BTreeSet};

use market::{Book, BookDiff, BookSide, Decimal, Level};

/// So many prices more than the book has are kept before those that left it are forgotten.
const SURPLUS_MAX: usize = 4_096;

/// Digits after the point of each price of a book, by side.
#[derive(Debug, Default)]
pub(super) struct Written {
    bids: BTreeMap<Decimal, u32>,
    asks: BTreeMap<Decimal, u32>,
}

impl Written {
    /// Notes what `diff` says, before a book takes it.
    pub(super) fn note(&mut self, diff: &BookDiff, book: &Book) {
        if diff.reset {
            *self = Self::default();
        }
        for (side, changes, of) in [
            (&mut self.bids, &diff.bids, BookSide::Bid),
            (&mut self.asks, &diff.asks, BookSide::Ask),
        ] {
            for Level { price, size } in changes {
                if size.is_zero() {
                    side.remove(price);
                } else {
                    side.insert(*price, price.scale());
                }
            }
            // Levels that fall out of a book of fixed depth are not told.
            if side.len() > 2 * book.len() + changes.len() + SURPLUS_MAX {
                let held: BTreeSet<Decimal> =
                    book.levels(of).chain(changes).map(|level| level.price).collect();
                side.retain(|price, _| held.contains(price));
            }
        }
    }

    /// `price` as the venue wrote it last.
    pub(super) fn price(&self, side: BookSide, price: Decimal) -> Decimal {
        let scales = match side {
            BookSide::Bid => &self.bids,
            BookSide::Ask => &self.asks,
        };
        scales.get(&price).map_or(price, |scale| price.at_scale(*scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: &str, size: &str) -> Level {
        let number = |text| Decimal::parse(text).unwrap_or_default();
        Level { price: number(price), size: number(size) }
    }

    #[test]
    fn the_last_word_on_a_price_stands_and_what_is_gone_is_forgotten() {
        let (mut written, mut book) = (Written::default(), Book::default());
        let mut say = |reset, bids: Vec<Level>, asks: Vec<Level>| {
            let mut diff = BookDiff { reset, bids, asks, ..BookDiff::default() };
            written.note(&diff, &book);
            assert!(book.apply(&mut diff, 100_000).is_ok());
            let best = |side| {
                let price = book.best(side).map_or(Decimal::ZERO, |level| level.price);
                (price.to_string(), written.price(side, price).to_string())
            };
            (best(BookSide::Bid), best(BookSide::Ask), written.bids.len())
        };
        let pair = |book: &str, written: &str| (book.to_owned(), written.to_owned());
        assert_eq!(
            say(true, vec![level("9.25", "1"), level("9.5", "1")], vec![level("10", "1")]),
            (pair("9.50", "9.5"), pair("10.00", "10"), 2)
        );
        assert_eq!(
            say(false, vec![level("9.5", "0")], vec![level("10.0", "2")]),
            (pair("9.25", "9.25"), pair("10.00", "10.0"), 1)
        );
        // Many that the book does not hold any more.
        for price in 0..3 * SURPLUS_MAX {
            let gone = vec![level(&price.to_string(), "1")];
            let mut diff = BookDiff { bids: gone, ..BookDiff::default() };
            written.note(&diff, &book);
            assert!(book.apply(&mut diff, 100_000).is_ok());
            book.truncate(1, &mut diff);
        }
        assert!(written.bids.len() <= SURPLUS_MAX + 8, "{}", written.bids.len());
    }
}
