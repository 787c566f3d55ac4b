//! Coinbase's messages.

use feeds::adapter::time::rfc3339;
use feeds::adapter::{Output, Proof};
use market::{Aggressor, BookDiff, Level, Nanos, Trade};
use serde::Deserialize;

use super::{Number, Side, Typed, stamps};

/// A message of Coinbase, of one channel.
#[derive(Deserialize)]
struct Envelope<'a, E> {
    timestamp: &'a str,
    sequence_num: u64,
    events: Vec<E>,
}

#[derive(Deserialize)]
struct Trades<'a> {
    #[serde(borrow)]
    trades: Vec<OneTrade<'a>>,
}

#[derive(Deserialize)]
struct OneTrade<'a> {
    product_id: &'a str,
    trade_id: &'a str,
    price: Number,
    size: Number,
    time: &'a str,
    side: &'a str,
}

pub(crate) fn trade(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, Trades<'_>> = serde_json::from_slice(message)?;
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
struct Tickers<'a> {
    #[serde(borrow)]
    tickers: Vec<OneTicker<'a>>,
}

#[derive(Deserialize)]
struct OneTicker<'a> {
    product_id: &'a str,
    best_bid: Number,
    best_bid_quantity: Number,
    best_ask: Number,
    best_ask_quantity: Number,
}

pub(crate) fn ticker(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, Tickers<'_>> = serde_json::from_slice(message)?;
    typed.check(read.sequence_num, read.sequence_num);
    for event in &read.events {
        for ticker in &event.tickers {
            let id = typed.symbol(ticker.product_id);
            let bid = Side(ticker.best_bid, ticker.best_bid_quantity);
            let ask = Side(ticker.best_ask, ticker.best_ask_quantity);
            let stamps = stamps(rfc3339(read.timestamp), now, read.sequence_num);
            typed.quote(id, bid, ask, stamps, out);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct OneBook<'a> {
    r#type: &'a str,
    product_id: &'a str,
    updates: Vec<OneLevel<'a>>,
}

#[derive(Deserialize)]
struct OneLevel<'a> {
    side: &'a str,
    event_time: &'a str,
    price_level: Number,
    new_quantity: Number,
}

pub(crate) fn book(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, OneBook<'_>> = serde_json::from_slice(message)?;
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
        typed.book(id, diff, Proof::Sequence, out);
    }
    Ok(())
}
