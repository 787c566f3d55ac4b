//! Kraken's messages.

use benches::venues::kraken::DEPTH;
use feeds::adapter::time::rfc3339;
use feeds::adapter::{Output, Proof};
use market::{Aggressor, Book, BookDiff, Decimal, Level, Nanos, Trade};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Number, Side, Typed, stamps};

fn decimal(raw: &RawValue) -> Decimal {
    Decimal::parse(raw.get()).expect("a number of the fixtures")
}

/// A message of one channel.
#[derive(Deserialize)]
struct Envelope<'a, T> {
    r#type: &'a str,
    data: Vec<T>,
}

#[derive(Deserialize)]
struct OneBook<'a> {
    symbol: &'a str,
    #[serde(borrow)]
    bids: Vec<OneLevel<'a>>,
    #[serde(borrow)]
    asks: Vec<OneLevel<'a>>,
    checksum: u32,
    timestamp: &'a str,
}

/// Numbers as they are written: a float would lose their zeros, and with them the checksum.
#[derive(Deserialize)]
struct OneLevel<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

pub(crate) fn book(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, OneBook<'_>> = serde_json::from_slice(message)?;
    for book in &read.data {
        let id = typed.symbol(book.symbol);
        let levels = |side: &[OneLevel<'_>]| {
            let levels = side.iter();
            levels.map(|l| Level { price: decimal(l.price), size: decimal(l.qty) }).collect()
        };
        let diff = BookDiff {
            reset: read.r#type == "snapshot",
            bids: levels(&book.bids),
            asks: levels(&book.asks),
            stamps: stamps(rfc3339(book.timestamp), now, 0),
        };
        let prove = |held: &Book| match held.checksum() == book.checksum {
            true => Proof::ChecksumRight,
            false => Proof::ChecksumWrong,
        };
        typed.desk.book(id, diff, Some(DEPTH), prove, out).expect("a good book");
    }
    Ok(())
}

#[derive(Deserialize)]
struct OneTrade<'a> {
    symbol: &'a str,
    side: &'a str,
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
    trade_id: u64,
    timestamp: &'a str,
}

pub(crate) fn trade(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, OneTrade<'_>> = serde_json::from_slice(message)?;
    for trade in &read.data {
        let id = typed.symbol(trade.symbol);
        let trade = Trade {
            price: decimal(trade.price),
            size: decimal(trade.qty),
            side: if trade.side == "sell" { Aggressor::Sell } else { Aggressor::Buy },
            trade_id: trade.trade_id.to_string().into(),
            stamps: stamps(rfc3339(trade.timestamp), now, trade.trade_id),
        };
        typed.desk.trade(id, trade, out);
    }
    Ok(())
}

#[derive(Deserialize)]
struct OneTicker<'a> {
    symbol: &'a str,
    #[serde(borrow)]
    bid: &'a RawValue,
    #[serde(borrow)]
    bid_qty: &'a RawValue,
    #[serde(borrow)]
    ask: &'a RawValue,
    #[serde(borrow)]
    ask_qty: &'a RawValue,
    timestamp: &'a str,
}

pub(crate) fn ticker(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, OneTicker<'_>> = serde_json::from_slice(message)?;
    for ticker in &read.data {
        let id = typed.symbol(ticker.symbol);
        let side = |price, size| Side(Number(decimal(price)), Number(decimal(size)));
        let (bid, ask) = (side(ticker.bid, ticker.bid_qty), side(ticker.ask, ticker.ask_qty));
        typed.quote(id, bid, ask, stamps(rfc3339(ticker.timestamp), now, 0), out);
    }
    Ok(())
}
