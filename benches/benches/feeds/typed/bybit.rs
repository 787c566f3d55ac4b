//! Bybit's messages.

use feeds::adapter::time::millis;
use feeds::adapter::{Output, Proof};
use market::{Aggressor, BookDiff, Nanos, Trade};
use serde::Deserialize;

use super::{Levels, Number, Side, Typed, stamps};

#[derive(Deserialize)]
struct Trades<'a> {
    #[serde(borrow)]
    data: Vec<OneTrade<'a>>,
}

#[derive(Deserialize)]
struct OneTrade<'a> {
    #[serde(rename = "T")]
    time: u64,
    s: &'a str,
    #[serde(rename = "S")]
    side: &'a str,
    v: Number,
    p: Number,
    i: &'a str,
    seq: u64,
}

pub(crate) fn trade(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Trades<'_> = serde_json::from_slice(message)?;
    for trade in &read.data {
        let id = typed.symbol(trade.s);
        let trade = Trade {
            price: trade.p.0,
            size: trade.v.0,
            side: if trade.side == "Sell" { Aggressor::Sell } else { Aggressor::Buy },
            trade_id: trade.i.into(),
            stamps: stamps(millis(trade.time), now, trade.seq),
        };
        typed.desk.trade(id, trade, out);
    }
    Ok(())
}

#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow)]
    data: TickerData<'a>,
    cs: u64,
    ts: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TickerData<'a> {
    symbol: &'a str,
    bid1_price: Option<Number>,
    bid1_size: Option<Number>,
    ask1_price: Option<Number>,
    ask1_size: Option<Number>,
}

pub(crate) fn ticker(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Ticker<'_> = serde_json::from_slice(message)?;
    let data = &read.data;
    let news = [data.bid1_price, data.bid1_size, data.ask1_price, data.ask1_size];
    for (held, new) in typed.ticker.iter_mut().zip(news) {
        *held = new.or(*held);
    }
    let [Some(bid), Some(bid_size), Some(ask), Some(ask_size)] = typed.ticker else {
        return Ok(());
    };
    let id = typed.symbol(data.symbol);
    let stamps = stamps(millis(read.ts), now, read.cs);
    typed.quote(id, Side(bid, bid_size), Side(ask, ask_size), stamps, out);
    Ok(())
}

#[derive(Deserialize)]
struct OneBook<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    data: BookData<'a>,
    cts: u64,
}

#[derive(Deserialize)]
struct BookData<'a> {
    s: &'a str,
    b: Levels,
    a: Levels,
    u: u64,
}

pub(crate) fn book(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: OneBook<'_> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.data.s);
    let reset = read.r#type == "snapshot";
    typed.check(read.data.u, read.data.u);
    let (bids, asks) = (read.data.b.0, read.data.a.0);
    let stamps = stamps(millis(read.cts), now, read.data.u);
    typed.book(id, BookDiff { reset, bids, asks, stamps }, Proof::Sequence, out);
    Ok(())
}
