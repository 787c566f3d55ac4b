//! Binance's messages.

use feeds::adapter::time::millis;
use feeds::adapter::{Output, Proof};
use market::{Aggressor, BookDiff, Nanos, Trade};
use serde::Deserialize;

use super::{Levels, Number, Side, Typed, stamps};

/// A message of a combined stream.
#[derive(Deserialize)]
struct Combined<T> {
    data: T,
}

#[derive(Deserialize)]
struct OneTrade<'a> {
    s: &'a str,
    /// Of an execution, or of several that came together.
    #[serde(rename = "t", alias = "a")]
    id: u64,
    p: Number,
    q: Number,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
}

/// A `trade` or an `aggTrade`.
pub(crate) fn trade(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let Combined { data: read }: Combined<OneTrade<'_>> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.s);
    let trade = Trade {
        price: read.p.0,
        size: read.q.0,
        side: if read.m { Aggressor::Sell } else { Aggressor::Buy },
        trade_id: read.id.to_string().into(),
        stamps: stamps(millis(read.time), now, read.id),
    };
    typed.desk.trade(id, trade, out);
    Ok(())
}

#[derive(Deserialize)]
struct OneQuote<'a> {
    u: u64,
    s: &'a str,
    b: Number,
    #[serde(rename = "B")]
    bid_size: Number,
    a: Number,
    #[serde(rename = "A")]
    ask_size: Number,
}

pub(crate) fn book_ticker(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let Combined { data: read }: Combined<OneQuote<'_>> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.s);
    let (bid, ask) = (Side(read.b, read.bid_size), Side(read.a, read.ask_size));
    typed.quote(id, bid, ask, stamps(None, now, read.u), out);
    Ok(())
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "E")]
    time: u64,
    s: &'a str,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    b: Levels,
    a: Levels,
}

pub(crate) fn depth(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let Combined { data: read }: Combined<Depth<'_>> = serde_json::from_slice(message)?;
    let id = typed.symbol(read.s);
    // The first one stands for the snapshot.
    let reset = typed.due.is_none();
    typed.check(read.first, read.u);
    let diff = BookDiff {
        reset,
        bids: read.b.0,
        asks: read.a.0,
        stamps: stamps(millis(read.time), now, read.u),
    };
    typed.book(id, diff, Proof::Sequence, out);
    Ok(())
}
