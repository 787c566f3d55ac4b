//! A client's own book, kept from the texts alone and proved by the checksum.

use std::collections::BTreeMap;
use std::fmt;

use market::{Book, BookDiff, Decimal, Level};
use serde_json::Value;

/// How many levels of each side the checksum covers.
const CHECKSUM_LEVELS: usize = 10;

/// Price, at a scale that all fit, to price and size as they were written.
type Side = BTreeMap<i128, (String, String)>;

/// The levels that a client holds.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct ClientBook {
    bids: Side,
    asks: Side,
}

impl ClientBook {
    /// Applies the data of an event or of a snapshot, and checks the book against its checksum.
    #[track_caller]
    pub(crate) fn apply(&mut self, data: &Value) {
        if data["reset"] == true {
            *self = Self::default();
        }
        set_levels(&mut self.bids, &data["bids"]);
        set_levels(&mut self.asks, &data["asks"]);
        assert_eq!(data["checksum"], self.checksum(), "{self:?} after {}", super::brief(data));
    }

    /// The same levels, to be compared with an exchange's own.
    pub(crate) fn as_market(&self) -> Book {
        let number = |text: &str| Decimal::parse(text).unwrap();
        let levels = |side: &Side| -> Vec<Level> {
            let levels = side.values();
            levels.map(|(price, size)| Level { price: number(price), size: number(size) }).collect()
        };
        let (bids, asks) = (levels(&self.bids), levels(&self.asks));
        let mut book = Book::default();
        let mut whole = BookDiff { reset: true, bids, asks, ..BookDiff::default() };
        book.apply(&mut whole, usize::MAX).unwrap();
        book
    }

    fn checksum(&self) -> u32 {
        let asks = self.asks.values().take(CHECKSUM_LEVELS);
        let bids = self.bids.values().rev().take(CHECKSUM_LEVELS);
        let mut text = String::new();
        for (price, size) in asks.chain(bids) {
            for number in [price, size] {
                text.push_str(number.replace('.', "").trim_start_matches('0'));
            }
        }
        crc32fast::hash(text.as_bytes())
    }
}

impl fmt::Debug for ClientBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bids and {} asks", self.bids.len(), self.asks.len())
    }
}

#[track_caller]
fn set_levels(side: &mut Side, levels: &Value) {
    for level in levels.as_array().unwrap() {
        let (price, size) = (level[0].as_str().unwrap(), level[1].as_str().unwrap());
        let key = scaled(price);
        if size == "0" {
            side.remove(&key);
        } else {
            side.insert(key, (price.to_owned(), size.to_owned()));
        }
    }
}

fn scaled(price: &str) -> i128 {
    let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
    format!("{whole}{fraction:0<18}").parse().unwrap()
}
