//! Binance spot: executions, aggregates of them, best bids and offers, and changes of a book, all as
//! in a combined stream, which is what the adapter subscribes.

use super::{Numbered, changes, pairs, whole};

fn combined(stream: &str, data: &str) -> Numbered {
    Numbered::new(&format!(r#"{{"stream":"btcusdt@{stream}","data":{data}}}"#))
}

/// One execution.
#[must_use]
pub fn trade() -> Numbered {
    combined(
        "trade",
        r#"{"e":"trade","E":1790000000123,"s":"BTCUSDT","t":~,"p":"64000.01000000","q":"0.00215000","T":1790000000122,"m":true,"M":true}"#,
    )
}

/// Several executions of one order at one price; here it is one.
#[must_use]
pub fn aggregate() -> Numbered {
    combined(
        "aggTrade",
        r#"{"e":"aggTrade","E":1790000000123,"s":"BTCUSDT","a":~,"p":"64000.01000000","q":"0.00215000","f":~,"l":~,"T":1790000000122,"m":true,"M":true}"#,
    )
}

/// A best bid and offer.
#[must_use]
pub fn book_ticker() -> Numbered {
    combined(
        "bookTicker",
        r#"{"u":~,"s":"BTCUSDT","b":"64000.00000000","B":"4.21763000","a":"64000.01000000","A":"1.06522000"}"#,
    )
}

/// As the venue writes them: eight digits after the point, always.
fn long(levels: impl Iterator<Item = (bool, u64, String)>) -> [String; 2] {
    let size = |size: String| if size == "0" { "0.00000000".to_owned() } else { size };
    pairs(levels.map(|(bid, ticks, text)| (bid, ticks, size(text))), "000000", "")
}

/// A change of the book, of `levels` levels.
#[must_use]
pub fn depth(variant: u64, levels: u64) -> Numbered {
    let [bids, asks] = long(changes(variant, levels));
    combined(
        "depth@100ms",
        &format!(
            r#"{{"e":"depthUpdate","E":1790000000123,"s":"BTCUSDT","U":~,"u":~,"b":[{bids}],"a":[{asks}]}}"#
        ),
    )
}

/// The answer by REST: a whole book of `levels` levels.
#[must_use]
pub fn snapshot(levels: u64) -> Numbered {
    let [bids, asks] = long(whole(levels));
    Numbered::new(&format!(r#"{{"lastUpdateId":~,"bids":[{bids}],"asks":[{asks}]}}"#))
}
