//! The same work through serde_json: typed structs that borrow, the same decimals, the same desk.

use feeds::adapter::time::{millis, rfc3339};
use feeds::adapter::{Desk, Output};
use feeds::adapter::{Proof, SymbolId};
use market::{Aggressor, BookDiff, Decimal, Level, Nanos, Quote, QuoteSide, Stamps, Trade};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::Session;

/// Reads one message and tells the desk.
pub(super) type Take = fn(&mut Typed, &[u8], Nanos, &mut Output) -> serde_json::Result<()>;

/// What every session here has.
#[derive(Debug)]
pub(super) struct Typed {
    desk: Desk,
    due: Option<u64>,
    read: Take,
}

impl Typed {
    /// A session on this desk that reads with `read`.
    pub(super) fn new(desk: Desk, read: Take) -> Self {
        Self { desk, due: None, read }
    }

    fn symbol(&mut self, native: &str) -> SymbolId {
        self.desk.find(native).expect("a symbol of the fixtures")
    }

    fn check(&mut self, first: u64, last: u64) {
        assert_eq!(self.due.unwrap_or(first), first, "a gap");
        self.due = Some(last + 1);
    }
}

impl Session for Typed {
    fn take(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        self.desk.heard(now, out);
        (self.read)(self, message, now, out).expect("a message of the fixtures");
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }
}

fn stamps(event: Option<Nanos>, received: Nanos, sequence: u64) -> Stamps {
    Stamps { event, received, sequence: Some(sequence), ..Stamps::default() }
}

/// A decimal in a text.
#[derive(Debug, Clone, Copy)]
struct Number(Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a decimal in a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                Decimal::parse(text).map(Number).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn levels(pairs: &[(Number, Number)]) -> Vec<Level> {
    pairs.iter().map(|&(Number(price), Number(size))| Level { price, size }).collect()
}

#[derive(Deserialize)]
struct BinanceTrade<'a> {
    s: &'a str,
    t: u64,
    p: Number,
    q: Number,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
}

pub(super) fn binance_trade(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: BinanceTrade<'_> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.s);
    let trade = Trade {
        price: read.p.0,
        size: read.q.0,
        side: if read.m { Aggressor::Sell } else { Aggressor::Buy },
        trade_id: read.t.to_string().into(),
        stamps: stamps(millis(read.time), now, read.t),
    };
    typed.desk.trade(id, trade, out);
    Ok(())
}

#[derive(Deserialize)]
struct BinanceBookTicker<'a> {
    u: u64,
    s: &'a str,
    b: Number,
    #[serde(rename = "B")]
    bid_size: Number,
    a: Number,
    #[serde(rename = "A")]
    ask_size: Number,
}

pub(super) fn binance_book_ticker(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: BinanceBookTicker<'_> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.s);
    let quote = Quote {
        bid: Some(QuoteSide { price: read.b.0, size: read.bid_size.0 }),
        ask: Some(QuoteSide { price: read.a.0, size: read.ask_size.0 }),
        stamps: stamps(None, now, read.u),
    };
    typed.desk.quote(id, quote, out);
    Ok(())
}

#[derive(Deserialize)]
struct BinanceDepth<'a> {
    #[serde(rename = "E")]
    time: u64,
    s: &'a str,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    b: Vec<(Number, Number)>,
    a: Vec<(Number, Number)>,
}

pub(super) fn binance_depth(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: BinanceDepth<'_> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.s);
    // The first one stands for the REST snapshot.
    let reset = typed.due.is_none();
    typed.check(read.first, read.u);
    let diff = BookDiff {
        reset,
        bids: levels(&read.b),
        asks: levels(&read.a),
        stamps: stamps(millis(read.time), now, read.u),
    };
    typed.desk.book(id, diff, None, |_| Proof::Sequence, out).expect("a good book");
    Ok(())
}

/// A message of Coinbase, of one channel.
#[derive(Deserialize)]
struct Coinbase<'a, E> {
    timestamp: &'a str,
    sequence_num: u64,
    events: Vec<E>,
}

#[derive(Deserialize)]
struct CoinbaseTrades<'a> {
    #[serde(borrow)]
    trades: Vec<CoinbaseTrade<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseTrade<'a> {
    product_id: &'a str,
    trade_id: &'a str,
    price: Number,
    size: Number,
    time: &'a str,
    side: &'a str,
}

pub(super) fn coinbase_trade(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Coinbase<'_, CoinbaseTrades<'_>> = serde_json::from_slice(message)?;
    typed.check(read.sequence_num, read.sequence_num);
    for event in &read.events {
        for trade in &event.trades {
            let id = typed.symbol(trade.product_id);
            let trade = Trade {
                price: trade.price.0,
                size: trade.size.0,
                side: if trade.side == "SELL" { Aggressor::Buy } else { Aggressor::Sell },
                trade_id: trade.trade_id.into(),
                stamps: stamps(rfc3339(trade.time), now, read.sequence_num),
            };
            typed.desk.trade(id, trade, out);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct CoinbaseTickers<'a> {
    #[serde(borrow)]
    tickers: Vec<CoinbaseTicker<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseTicker<'a> {
    product_id: &'a str,
    best_bid: Number,
    best_bid_quantity: Number,
    best_ask: Number,
    best_ask_quantity: Number,
}

pub(super) fn coinbase_ticker(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Coinbase<'_, CoinbaseTickers<'_>> = serde_json::from_slice(message)?;
    typed.check(read.sequence_num, read.sequence_num);
    for event in &read.events {
        for ticker in &event.tickers {
            let id = typed.symbol(ticker.product_id);
            let side =
                |price: Number, size: Number| Some(QuoteSide { price: price.0, size: size.0 });
            let quote = Quote {
                bid: side(ticker.best_bid, ticker.best_bid_quantity),
                ask: side(ticker.best_ask, ticker.best_ask_quantity),
                stamps: stamps(rfc3339(read.timestamp), now, read.sequence_num),
            };
            typed.desk.quote(id, quote, out);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct CoinbaseBook<'a> {
    r#type: &'a str,
    product_id: &'a str,
    updates: Vec<CoinbaseLevel<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseLevel<'a> {
    side: &'a str,
    event_time: &'a str,
    price_level: Number,
    new_quantity: Number,
}

pub(super) fn coinbase_book(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Coinbase<'_, CoinbaseBook<'_>> = serde_json::from_slice(message)?;
    typed.check(read.sequence_num, read.sequence_num);
    for event in &read.events {
        let id = typed.symbol(event.product_id);
        let time = event.updates.last().and_then(|level| rfc3339(level.event_time));
        let mut diff = BookDiff {
            reset: event.r#type == "snapshot",
            stamps: stamps(time, now, read.sequence_num),
            ..BookDiff::default()
        };
        for level in &event.updates {
            let side = if level.side == "bid" { &mut diff.bids } else { &mut diff.asks };
            side.push(Level { price: level.price_level.0, size: level.new_quantity.0 });
        }
        typed.desk.book(id, diff, None, |_| Proof::Sequence, out).expect("a good book");
    }
    Ok(())
}

#[derive(Deserialize)]
struct Kraken<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    data: Vec<KrakenBook<'a>>,
}

#[derive(Deserialize)]
struct KrakenBook<'a> {
    symbol: &'a str,
    #[serde(borrow)]
    bids: Vec<KrakenLevel<'a>>,
    #[serde(borrow)]
    asks: Vec<KrakenLevel<'a>>,
    checksum: u32,
    timestamp: &'a str,
}

/// Numbers as they are written: a float would lose their zeros, and with them the checksum.
#[derive(Deserialize)]
struct KrakenLevel<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

pub(super) fn kraken_book(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Kraken<'_> = serde_json::from_slice(message)?;
    for book in &read.data {
        let id = typed.symbol(book.symbol);
        let decimal = |raw: &RawValue| Decimal::parse(raw.get()).expect("a number of the fixtures");
        let levels = |side: &[KrakenLevel<'_>]| {
            let levels = side.iter();
            levels.map(|l| Level { price: decimal(l.price), size: decimal(l.qty) }).collect()
        };
        let diff = BookDiff {
            reset: read.r#type == "snapshot",
            bids: levels(&book.bids),
            asks: levels(&book.asks),
            stamps: stamps(rfc3339(book.timestamp), now, 0),
        };
        crate::readers::prove(&mut typed.desk, id, diff, book.checksum, out);
    }
    Ok(())
}
