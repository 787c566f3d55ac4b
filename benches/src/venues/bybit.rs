//! Bybit v5 linear: executions with UUIDs, tickers, and changes of a book.

use super::{Numbered, changes, pairs, whole};

/// One execution.
#[must_use]
pub fn trade() -> Numbered {
    Numbered::new(
        r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000123,"data":[{"T":1790000000122,"s":"BTCUSDT","S":"Sell","v":"0.002","p":"64000.10","L":"ZeroMinusTick","i":"5b1f0e3a-77c2-5d1e-9a40-c0~","BT":false,"RPI":false,"seq":~}]}"#,
    )
}

/// A whole ticker.
#[must_use]
pub fn whole_ticker() -> Numbered {
    Numbered::new(
        r#"{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","tickDirection":"ZeroMinusTick","price24hPcnt":"0.001250","lastPrice":"64000.10","markPrice":"64000.00","bid1Price":"64000.00","bid1Size":"4.217","ask1Price":"64000.10","ask1Size":"1.065"},"cs":~,"ts":1790000000123}"#,
    )
}

/// What changed of a ticker: one side, and what is of no matter here.
#[must_use]
pub fn ticker() -> Numbered {
    Numbered::new(
        r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","lastPrice":"64000.10","turnover24h":"5120443218.1204","volume24h":"80014.2040","bid1Price":"64000.00","bid1Size":"3.918"},"cs":~,"ts":1790000000123}"#,
    )
}

fn book(kind: &str, [bids, asks]: [String; 2]) -> Numbered {
    Numbered::new(&format!(
        r#"{{"topic":"orderbook.200.BTCUSDT","type":"{kind}","ts":1790000000123,"data":{{"s":"BTCUSDT","b":[{bids}],"a":[{asks}],"u":~,"seq":~}},"cts":1790000000121}}"#
    ))
}

/// A change of the book, of `levels` levels.
#[must_use]
pub fn update(variant: u64, levels: u64) -> Numbered {
    book("delta", pairs(changes(variant, levels), "", ""))
}

/// A whole book of `levels` levels.
#[must_use]
pub fn snapshot(levels: u64) -> Numbered {
    book("snapshot", pairs(whole(levels), "", ""))
}
