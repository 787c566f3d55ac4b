//! OKX v5: executions, best bids and offers, tickers, and changes of a book, each of which names the
//! one before it.

use super::{Numbered, changes, pairs, trimmed, whole};

/// One execution.
#[must_use]
pub fn trade() -> Numbered {
    Numbered::new(
        r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"~","px":"64000.1","sz":"0.00215","side":"sell","ts":"1790000000122","count":"1","source":"0","seqId":~}]}"#,
    )
}

/// A best bid and offer, of `bbo-tbt`.
#[must_use]
pub fn best() -> Numbered {
    Numbered::new(
        r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["64000.1","1.06522","0","3"]],"bids":[["64000","4.21763","0","11"]],"ts":"1790000000122","checksum":0,"seqId":~}]}"#,
    )
}

/// As the venue writes them: without zeros at the end, and with how many orders there are.
fn short(levels: impl Iterator<Item = (bool, u64, String)>) -> [String; 2] {
    let levels = levels.map(|(bid, ticks, size)| (bid, ticks, trimmed(&size).to_owned()));
    pairs(levels, "", r#","0","4""#)
}

fn book(action: &str, sides: [String; 2], previous: &str) -> Numbered {
    let [bids, asks] = sides;
    Numbered::new(&format!(
        r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{action}","data":[{{"asks":[{asks}],"bids":[{bids}],"ts":"1790000000122","checksum":0,"prevSeqId":{previous},"seqId":~}}]}}"#
    ))
}

/// A change of the book, of `levels` levels.
#[must_use]
pub fn update(variant: u64, levels: u64) -> Numbered {
    book("update", short(changes(variant, levels)), "^")
}

/// A whole book of `levels` levels.
#[must_use]
pub fn snapshot(levels: u64) -> Numbered {
    book("snapshot", short(whole(levels)), "-1")
}
