//! Kraken v2: executions, tickers, and books with their checksums.

use market::{Book, BookDiff, BookSide, Decimal, Level};

use super::{Numbered, VARIANTS, price};

/// One execution.
#[must_use]
pub fn trade() -> Numbered {
    Numbered::new(
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":64000.1,"qty":0.00215000,"ord_type":"market","trade_id":~,"timestamp":"2026-09-21T14:13:20.167634Z"}]}"#,
    )
}

/// A ticker, with best bid and offer.
#[must_use]
pub fn ticker() -> Numbered {
    Numbered::new(
        r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":64000.0,"bid_qty":0.21858092,"ask":64000.1,"ask_qty":0.17814824,"last":64000.1,"volume":3121.44870113,"vwap":64210.7,"low":63500.1,"high":64820.5,"change":80.0,"change_pct":0.13,"timestamp":"2026-09-21T14:13:20.298032Z"}]}"#,
    )
}

/// Levels a side of the book; the checksum is over ten of them.
pub const DEPTH: usize = 25;

/// A snapshot of [`DEPTH`] levels a side, and changes of it that lead back to it, each with the
/// checksum of the book it leads to.
///
/// # Panics
/// Never.
#[must_use]
pub fn book() -> (String, Vec<String>) {
    let level = |bid: bool, nth: u64, size: u64| Level {
        price: Decimal::new(price(bid, nth) as i64 * 10, 3).expect("a short number"),
        size: Decimal::new(size as i64 + 12_345, 8).expect("a short number"),
    };
    let whole = |book: &Book| BookDiff {
        reset: true,
        bids: book.levels(BookSide::Bid).copied().collect(),
        asks: book.levels(BookSide::Ask).copied().collect(),
        ..BookDiff::default()
    };
    let mut book = Book::default();
    let side = |bid| (0..DEPTH as u64).map(|nth| level(bid, nth, nth * 1_000)).collect();
    let mut first =
        BookDiff { reset: true, bids: side(true), asks: side(false), ..BookDiff::default() };
    book.apply(&mut first, DEPTH).expect("a good book");
    let mut round = || {
        let updates = (0..VARIANTS).map(|variant| {
            let nth = variant % DEPTH as u64;
            let asks = vec![level(false, nth, variant * 99), level(false, 0, variant)];
            let bids = vec![level(true, nth, variant * 77)];
            let mut diff = BookDiff { bids, asks, ..BookDiff::default() };
            book.apply(&mut diff, DEPTH).expect("a good change");
            message("update", &diff, book.checksum())
        });
        let updates: Vec<String> = updates.collect();
        (message("snapshot", &whole(&book), book.checksum()), updates)
    };
    // A second round begins with what the first one left, and so does every later one.
    let (snapshot, _) = round();
    (snapshot, round().1)
}

fn message(kind: &str, diff: &BookDiff, checksum: u32) -> String {
    let side = |levels: &[Level]| {
        let levels: Vec<String> = levels
            .iter()
            .map(|level| format!(r#"{{"price":{},"qty":{}}}"#, level.price, level.size))
            .collect();
        levels.join(",")
    };
    format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":[{}],"asks":[{}],"checksum":{checksum},"timestamp":"2026-09-21T14:13:20.483587Z"}}]}}"#,
        side(&diff.bids),
        side(&diff.asks)
    )
}
