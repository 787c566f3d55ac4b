//! Bitstamp v2: executions, and changes of a book, which have a time only. The number is a part of
//! that time.

use super::{Numbered, changes, pairs, whole};

/// One execution.
#[must_use]
pub fn trade() -> Numbered {
    Numbered::new(
        r#"{"data":{"id":~,"timestamp":"1790000000","amount":0.00215,"amount_str":"0.00215000","price":64000.01,"price_str":"64000.01","type":1,"microtimestamp":"179000~","buy_order_id":1990371552468992,"sell_order_id":1990371552460800},"channel":"live_trades_btcusd","event":"trade"}"#,
    )
}

/// A change of the book, of `levels` levels.
#[must_use]
pub fn update(variant: u64, levels: u64) -> Numbered {
    let [bids, asks] = pairs(changes(variant, levels), "", "");
    Numbered::new(&format!(
        r#"{{"data":{{"timestamp":"1790000000","microtimestamp":"179000~","bids":[{bids}],"asks":[{asks}]}},"channel":"diff_order_book_btcusd","event":"data"}}"#
    ))
}

/// The answer by REST: a whole book of `levels` levels.
#[must_use]
pub fn snapshot(levels: u64) -> Numbered {
    let [bids, asks] = pairs(whole(levels), "", "");
    Numbered::new(&format!(
        r#"{{"timestamp":"1790000000","microtimestamp":"179000~","bids":[{bids}],"asks":[{asks}]}}"#
    ))
}
