//! Coinbase Advanced Trade: executions, tickers, changes of a book and a book of 5 MB.

use std::fmt::Write as _;

use super::{Numbered, VARIANTS, cents, changes, price, size, trimmed};

/// One execution.
#[must_use]
pub fn trade() -> Numbered {
    Numbered::new(
        r#"{"channel":"market_trades","timestamp":"2026-09-21T14:13:20.251397169Z","sequence_num":~,"events":[{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"~","price":"64000.01","size":"0.00215","time":"2026-09-21T14:13:20.167634Z","side":"SELL"}]}]}"#,
    )
}

/// A ticker, with best bid and offer.
#[must_use]
pub fn ticker() -> Numbered {
    Numbered::new(
        r#"{"channel":"ticker","timestamp":"2026-09-21T14:13:20.298032046Z","sequence_num":~,"events":[{"type":"update","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"64000.01","volume_24_h":"3121.44870113","low_24_h":"63500.12","high_24_h":"64820.5","low_52_w":"51717.55","high_52_w":"121296","price_percent_chg_24_h":"0.12501394006035","best_bid":"64000","best_ask":"64000.01","best_bid_quantity":"0.21858092","best_ask_quantity":"0.17814824"}]}]}"#,
    )
}

fn book(kind: &str, levels: impl Iterator<Item = (bool, u64, String)>) -> Numbered {
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

/// A change of the book, of `levels` levels.
#[must_use]
pub fn update(variant: u64, levels: u64) -> Numbered {
    book("update", changes(variant, levels))
}

/// A whole book, of `levels` levels; 46,000 are about 5 MB.
#[must_use]
pub fn snapshot(levels: u64) -> Numbered {
    let side = |bid: bool| {
        (0..levels / 2).map(move |depth| {
            // Closer at the top than further down.
            let ticks = price(bid, depth * (1 + depth / 4096));
            (bid, ticks, size(depth % VARIANTS, depth, false))
        })
    };
    book("snapshot", side(true).chain(side(false)))
}
