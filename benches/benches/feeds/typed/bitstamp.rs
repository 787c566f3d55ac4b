//! Bitstamp's messages.

use feeds::adapter::time::micros;
use feeds::adapter::{Output, Proof};
use market::{Aggressor, BookDiff, Nanos, Trade};
use serde::Deserialize;

use super::{Levels, Number, Typed, Whole, stamps};

#[derive(Deserialize)]
struct Envelope<'a, T> {
    data: T,
    channel: &'a str,
}

#[derive(Deserialize)]
struct OneTrade {
    id: u64,
    amount_str: Number,
    price_str: Number,
    r#type: u8,
    microtimestamp: Whole,
}

pub(crate) fn trade(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let Envelope { data, channel }: Envelope<'_, OneTrade> = serde_json::from_slice(message)?;
    let id = typed.symbol(channel.strip_prefix("live_trades_").unwrap_or_default());
    let trade = Trade {
        price: data.price_str.0,
        size: data.amount_str.0,
        side: if data.r#type == 1 { Aggressor::Sell } else { Aggressor::Buy },
        trade_id: data.id.to_string().into(),
        stamps: stamps(micros(data.microtimestamp.0), now, data.id),
    };
    typed.desk.trade(id, trade, out);
    Ok(())
}

#[derive(Deserialize)]
struct OneBook {
    microtimestamp: Whole,
    bids: Levels,
    asks: Levels,
}

pub(crate) fn book(
    typed: &mut Typed,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> serde_json::Result<()> {
    let Envelope { data, channel }: Envelope<'_, OneBook> = serde_json::from_slice(message)?;
    let id = typed.symbol(channel.strip_prefix("diff_order_book_").unwrap_or_default());
    let at = data.microtimestamp.0;
    // The first one stands for the snapshot.
    let reset = typed.due.is_none();
    assert!(typed.due.unwrap_or(at) <= at, "a time that goes back");
    typed.due = Some(at + 1);
    let (bids, asks) = (data.bids.0, data.asks.0);
    let stamps = stamps(micros(at), now, at);
    typed.book(id, BookDiff { reset, bids, asks, stamps }, Proof::Nothing, out);
    Ok(())
}
