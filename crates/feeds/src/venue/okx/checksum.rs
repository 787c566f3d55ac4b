//! The checksum that OKX's books had until 2026.

use market::{Book, BookSide, Level};

/// Levels of each side that it covers.
const DEPTH: usize = 25;

/// CRC32 (IEEE), as a signed number, of the best levels as text: bid, ask, next bid, next ask, and
/// so on, each as `price:size`, with `:` between them. A side that has no more is passed over.
///
/// OKX writes prices without trailing zeros; a [`Book`] writes all at one scale, so they are taken
/// off again.
pub(super) fn of(book: &Book) -> i32 {
    let mut text = Vec::with_capacity(4096);
    let mut bids = book.levels(BookSide::Bid);
    let mut asks = book.levels(BookSide::Ask);
    for _ in 0..DEPTH {
        for level in [bids.next(), asks.next()].into_iter().flatten() {
            write(level, &mut text);
        }
    }
    text.pop();
    crc32fast::hash(&text).cast_signed()
}

fn write(level: &Level, text: &mut Vec<u8>) {
    for number in [level.price.at_scale(0), level.size] {
        number.with_ascii(|digits| text.extend_from_slice(digits));
        text.push(b':');
    }
}
