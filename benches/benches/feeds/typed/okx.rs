//! OKX's messages.

use feeds::adapter::time::millis;
use feeds::adapter::{Output, Proof};
use market::{Aggressor, BookDiff, Level, Nanos, Trade};
use serde::Deserialize;

use super::{Levels, Number, Side, Typed, Whole, stamps};

#[derive(Deserialize)]
struct Envelope<'a, T> {
    #[serde(borrow)]
    arg: Arg<'a>,
    action: Option<&'a str>,
    data: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arg<'a> {
    inst_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneTrade<'a> {
    trade_id: &'a str,
    px: Number,
    sz: Number,
    side: &'a str,
    ts: Whole,
    seq_id: u64,
}

pub(crate) fn trade(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, OneTrade<'_>> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.arg.inst_id);
    for trade in &read.data {
        let trade = Trade {
            price: trade.px.0,
            size: trade.sz.0,
            side: if trade.side == "sell" { Aggressor::Sell } else { Aggressor::Buy },
            trade_id: trade.trade_id.into(),
            stamps: stamps(millis(trade.ts.0), now, trade.seq_id),
        };
        typed.desk.trade(id, trade, out);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneBook {
    bids: Levels,
    asks: Levels,
    ts: Whole,
    seq_id: u64,
    #[serde(default)]
    prev_seq_id: i64,
}

pub(crate) fn best(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, OneBook> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.arg.inst_id);
    for book in &read.data {
        let side = |levels: &[Level]| Side(Number(levels[0].price), Number(levels[0].size));
        let stamps = stamps(millis(book.ts.0), now, book.seq_id);
        typed.quote(id, side(&book.bids.0), side(&book.asks.0), stamps, out);
    }
    Ok(())
}

pub(crate) fn book(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let read: Envelope<'_, OneBook> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.arg.inst_id);
    let reset = read.action == Some("snapshot");
    for book in read.data {
        let previous = if reset { book.seq_id } else { book.prev_seq_id as u64 + 1 };
        typed.check(previous, book.seq_id);
        let (bids, asks) = (book.bids.0, book.asks.0);
        let stamps = stamps(millis(book.ts.0), now, book.seq_id);
        typed.book(id, BookDiff { reset, bids, asks, stamps }, Proof::Sequence, out);
    }
    Ok(())
}
