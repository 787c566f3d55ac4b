//! Messages in the venues' shapes, with numbers of our own: one function for each kind.
//!
//! Where a venue numbers its messages, the number has [`NUMBER_DIGITS`] digits, so that
//! [`Numbered`] can give one message another number without writing it anew.

use std::fmt::Write as _;

use market::{Book, BookDiff, BookSide, Decimal, Level};

/// Digits of a message's number.
pub const NUMBER_DIGITS: usize = 10;

/// The first number of that length.
pub const FIRST_NUMBER: u64 = 1_000_000_000;

/// A message whose number counts up.
#[derive(Debug, Clone)]
pub struct Numbered {
    bytes: Vec<u8>,
    /// Where the number stands.
    at: Vec<usize>,
}

impl Numbered {
    /// A message in which each `~` stands for the number.
    #[must_use]
    pub fn new(template: &str) -> Self {
        let (mut bytes, mut at) = (Vec::new(), Vec::new());
        for (index, part) in template.split('~').enumerate() {
            if index > 0 {
                at.push(bytes.len());
                bytes.extend([b'0'; NUMBER_DIGITS]);
            }
            bytes.extend_from_slice(part.as_bytes());
        }
        Self { bytes, at }
    }

    /// The message with this number, which is brought to [`NUMBER_DIGITS`] digits.
    pub fn with(&mut self, number: u64) -> &[u8] {
        for &at in &self.at {
            let mut rest = FIRST_NUMBER + number;
            for digit in self.bytes[at..at + NUMBER_DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        &self.bytes
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Messages of which each changes what the ones before it said.
pub const VARIANTS: u64 = 16;

/// A size that differs from message to message: of five one is zero where `removals` says so.
fn size(variant: u64, level: u64, removals: bool) -> String {
    let seed = (variant * 31 + level * 17) % 101;
    if removals && (variant + level).is_multiple_of(5) {
        "0".to_owned()
    } else {
        format!("{}.{:08}", seed % 3, (seed * 7_654_321) % 100_000_000)
    }
}

fn cents(ticks: u64) -> String {
    format!("{}.{:02}", ticks / 100, ticks % 100)
}

/// The best bid of all books here, in ticks of 0.01; the best offer is one above.
const BEST_BID: u64 = 6_400_000;

/// The price of a level of one side, in ticks.
fn price(bid: bool, depth: u64) -> u64 {
    if bid { BEST_BID - depth } else { BEST_BID + 1 + depth }
}

/// Changes of `levels` levels, half of them bids: some at the top, more further down.
fn changes(variant: u64, levels: u64) -> impl Iterator<Item = (bool, u64, String)> {
    (0..levels).map(move |level| {
        let bid = level < levels / 2;
        let nth = if bid { level } else { level - levels / 2 };
        let depth = nth * nth * 3 + (variant * 7 + nth) % 3;
        (bid, price(bid, depth), size(variant, level, nth > 0))
    })
}

/// Binance: one execution, not wrapped.
#[must_use]
pub fn binance_trade() -> Numbered {
    Numbered::new(
        r#"{"e":"trade","E":1790000000123,"s":"BTCUSDT","t":~,"p":"64000.01000000","q":"0.00215000","T":1790000000122,"m":true,"M":true}"#,
    )
}

/// Binance: a best bid and offer.
#[must_use]
pub fn binance_book_ticker() -> Numbered {
    Numbered::new(
        r#"{"u":~,"s":"BTCUSDT","b":"64000.00000000","B":"4.21763000","a":"64000.01000000","A":"1.06522000"}"#,
    )
}

/// Binance: a change of the book, of `levels` levels.
///
/// # Panics
/// Never.
#[must_use]
pub fn binance_depth(variant: u64, levels: u64) -> Numbered {
    let (mut bids, mut asks) = (String::new(), String::new());
    for (bid, ticks, size) in changes(variant, levels) {
        let side = if bid { &mut bids } else { &mut asks };
        let comma = if side.is_empty() { "" } else { "," };
        let size = if size == "0" { "0.00000000" } else { &size };
        write!(side, r#"{comma}["{}000000","{size}"]"#, cents(ticks)).expect("memory");
    }
    Numbered::new(&format!(
        r#"{{"e":"depthUpdate","E":1790000000123,"s":"BTCUSDT","U":~,"u":~,"b":[{bids}],"a":[{asks}]}}"#
    ))
}

/// Coinbase: one execution.
#[must_use]
pub fn coinbase_trade() -> Numbered {
    Numbered::new(
        r#"{"channel":"market_trades","timestamp":"2026-09-21T14:13:20.251397169Z","sequence_num":~,"events":[{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"~","price":"64000.01","size":"0.00215","time":"2026-09-21T14:13:20.167634Z","side":"SELL"}]}]}"#,
    )
}

/// Coinbase: a ticker, with best bid and offer.
#[must_use]
pub fn coinbase_ticker() -> Numbered {
    Numbered::new(
        r#"{"channel":"ticker","timestamp":"2026-09-21T14:13:20.298032046Z","sequence_num":~,"events":[{"type":"update","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"64000.01","volume_24_h":"3121.44870113","low_24_h":"63500.12","high_24_h":"64820.5","low_52_w":"51717.55","high_52_w":"121296","price_percent_chg_24_h":"0.12501394006035","best_bid":"64000","best_ask":"64000.01","best_bid_quantity":"0.21858092","best_ask_quantity":"0.17814824"}]}]}"#,
    )
}

fn coinbase_book(kind: &str, levels: impl Iterator<Item = (bool, u64, String)>) -> Numbered {
    let mut updates = String::new();
    for (bid, ticks, size) in levels {
        let comma = if updates.is_empty() { "" } else { "," };
        let side = if bid { "bid" } else { "offer" };
        let price = cents(ticks);
        // The venue cuts zeros off.
        let (price, size) = (trimmed(&price), trimmed(&size));
        write!(
            updates,
            r#"{comma}{{"side":"{side}","event_time":"2026-09-21T14:13:20.170326Z","price_level":"{price}","new_quantity":"{size}"}}"#
        )
        .expect("memory");
    }
    Numbered::new(&format!(
        r#"{{"channel":"l2_data","timestamp":"2026-09-21T14:13:20.483587501Z","sequence_num":~,"events":[{{"type":"{kind}","product_id":"BTC-USD","updates":[{updates}]}}]}}"#
    ))
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// Coinbase: a change of the book, of `levels` levels.
#[must_use]
pub fn coinbase_update(variant: u64, levels: u64) -> Numbered {
    coinbase_book("update", changes(variant, levels))
}

/// Coinbase: a whole book, of `levels` levels; 46,000 are about 5 MB.
#[must_use]
pub fn coinbase_snapshot(levels: u64) -> Numbered {
    let side = |bid: bool| {
        (0..levels / 2).map(move |depth| {
            // Closer at the top than further down.
            let ticks = price(bid, depth * (1 + depth / 4096));
            (bid, ticks, size(depth % VARIANTS, depth, false))
        })
    };
    coinbase_book("snapshot", side(true).chain(side(false)))
}

/// Levels a side of Kraken's book; the checksum is over ten of them.
pub const KRAKEN_DEPTH: usize = 25;

/// Kraken: a snapshot of [`KRAKEN_DEPTH`] levels a side, and changes of it that lead back to it, each with the
/// checksum of the book it leads to.
///
/// # Panics
/// Never.
#[must_use]
pub fn kraken_book() -> (String, Vec<String>) {
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
    let side = |bid| (0..KRAKEN_DEPTH as u64).map(|nth| level(bid, nth, nth * 1_000)).collect();
    let mut first =
        BookDiff { reset: true, bids: side(true), asks: side(false), ..BookDiff::default() };
    book.apply(&mut first, KRAKEN_DEPTH).expect("a good book");
    let mut round = || {
        let updates = (0..VARIANTS).map(|variant| {
            let nth = variant % KRAKEN_DEPTH as u64;
            let asks = vec![level(false, nth, variant * 99), level(false, 0, variant)];
            let bids = vec![level(true, nth, variant * 77)];
            let mut diff = BookDiff { bids, asks, ..BookDiff::default() };
            book.apply(&mut diff, KRAKEN_DEPTH).expect("a good change");
            kraken_message("update", &diff, book.checksum())
        });
        let updates: Vec<String> = updates.collect();
        (kraken_message("snapshot", &whole(&book), book.checksum()), updates)
    };
    // A second round begins with what the first one left, and so does every later one.
    let (snapshot, _) = round();
    (snapshot, round().1)
}

fn kraken_message(kind: &str, diff: &BookDiff, checksum: u32) -> String {
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
