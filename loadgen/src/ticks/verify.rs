//! The proof that merging is right: a subscriber that reads everything in full, rebuilds each
//! book from its texts, and compares with what the exchange held at that very number.

use std::collections::HashMap;

use client::Data;
use market::{Book, BookDiff, Decimal, Level};
use serde::{Deserialize, Serialize};

use super::{LEVELS_MAX, Script, TickKind, digest};

/// What verifying subscribers have found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Subscribers that verify.
    pub subscribers: u64,
    /// Messages that were compared with the truth: quotes, trades, books after each change.
    pub compared: u64,
    /// Of these, the ones that stood for several events.
    pub compared_merged: u64,
    /// Of these, the ones that were books.
    pub compared_books: u64,
    /// Those that were not equal to it.
    pub wrong: u64,
    /// The first of them.
    pub first_wrong: Option<String>,
}

impl Verified {
    /// Adds what others found.
    pub fn add(&mut self, other: &Self) {
        self.subscribers += other.subscribers;
        self.compared += other.compared;
        self.compared_merged += other.compared_merged;
        self.compared_books += other.compared_books;
        self.wrong += other.wrong;
        if self.first_wrong.is_none() {
            self.first_wrong.clone_from(&other.first_wrong);
        }
    }
}

/// What one subscriber holds.
#[derive(Debug, Default)]
pub struct Verifier {
    books: HashMap<usize, Book>,
    /// What it has found.
    pub found: Verified,
}

/// Which events a message stands for.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// The topic's number.
    pub topic: usize,
    /// The first of the events.
    pub from: u64,
    /// The last of them.
    pub seq: u64,
    /// The message is a whole state, not a change.
    pub snapshot: bool,
}

#[derive(Deserialize)]
struct BookFields {
    #[serde(default)]
    reset: bool,
    bids: Vec<(String, String)>,
    asks: Vec<(String, String)>,
    checksum: Option<u32>,
}

#[derive(Deserialize)]
struct QuoteFields {
    bid_price: Option<String>,
    bid_size: Option<String>,
    ask_price: Option<String>,
    ask_size: Option<String>,
}

#[derive(Deserialize)]
struct TradeFields {
    price: String,
    size: String,
    side: String,
    trade_id: String,
}

impl Verifier {
    /// Compares a message's `data` with the truth.
    pub fn message(&mut self, script: &Script, extent: Extent, data: &Data) {
        let Extent { topic, from, seq, snapshot } = extent;
        let compared = self.held(script.kinds[topic], topic, snapshot, data).and_then(|held| {
            let index = usize::try_from(seq).ok().and_then(|seq| seq.checked_sub(1));
            match index.and_then(|index| script.truth[topic].get(index)) {
                Some(truth) if *truth == held => Ok(()),
                Some(_) => Err("not what the exchange held then".to_owned()),
                None => Err("a number that was never published".to_owned()),
            }
        });
        self.found.compared += 1;
        self.found.compared_merged += u64::from(from < seq);
        self.found.compared_books += u64::from(script.kinds[topic] == TickKind::Book);
        if let Err(why) = compared {
            self.found.wrong += 1;
            let name = &script.topics[topic];
            let words = || format!("{name} {from}…{seq}: {why}");
            self.found.first_wrong.get_or_insert_with(words);
        }
    }

    /// The digest of what the subscriber holds after a message.
    fn held(
        &mut self,
        kind: TickKind,
        topic: usize,
        snapshot: bool,
        data: &Data,
    ) -> Result<u64, String> {
        let unreadable = |error: serde_json::Error| format!("unreadable data: {error}");
        match kind {
            TickKind::Quote => {
                let fields: QuoteFields = data.parse().map_err(unreadable)?;
                let QuoteFields { bid_price, bid_size, ask_price, ask_size } = fields;
                let sides = [bid_price, bid_size, ask_price, ask_size];
                Ok(digest::texts(sides.iter().map(|text| text.as_deref().unwrap_or_default())))
            }
            TickKind::Trade => {
                let TradeFields { price, size, side, trade_id } =
                    data.parse().map_err(unreadable)?;
                Ok(digest::texts([price.as_str(), &size, &side, &trade_id]))
            }
            TickKind::Book => {
                let fields: BookFields = data.parse().map_err(unreadable)?;
                let book = self.books.entry(topic).or_default();
                let mut diff = BookDiff {
                    reset: fields.reset || snapshot,
                    bids: levels(&fields.bids)?,
                    asks: levels(&fields.asks)?,
                    ..BookDiff::default()
                };
                book.apply(&mut diff, LEVELS_MAX).map_err(|error| error.to_string())?;
                if fields.checksum != Some(book.checksum()) {
                    return Err(format!(
                        "checksum {:?}, but the book's is {}",
                        fields.checksum,
                        book.checksum()
                    ));
                }
                Ok(digest::book(book))
            }
        }
    }
}

fn levels(pairs: &[(String, String)]) -> Result<Vec<Level>, String> {
    let decimal = |text: &str| Decimal::parse(text).map_err(|error| error.to_string());
    let level = |(price, size): &(String, String)| {
        Ok(Level { price: decimal(price)?, size: decimal(size)? })
    };
    pairs.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticks::{Length, TickOptions};

    fn script() -> Script {
        let kinds = vec![TickKind::Quote, TickKind::Book, TickKind::Trade];
        let venue = "load7".to_owned();
        let options = TickOptions { venue, symbols: 1, kinds, rate: 500.0, depth: 10, seed: 3 };
        Script::play(&options, Length::Events(3_000)).unwrap()
    }

    /// The events of a topic, as a broker sends them: books with a checksum.
    fn events(script: &Script, topic: usize) -> Vec<serde_json::Value> {
        let mut book = Book::default();
        (0..script.due.len())
            .filter(|&k| script.topic_of[k] as usize == topic)
            .map(|k| {
                let mut data: serde_json::Value =
                    serde_json::from_str(&format!("{}}}", script.data(k))).unwrap();
                if script.kinds[topic] == TickKind::Book {
                    let fields: BookFields = serde_json::from_value(data.clone()).unwrap();
                    let (bids, asks) = (levels(&fields.bids), levels(&fields.asks));
                    let (bids, asks, reset) = (bids.unwrap(), asks.unwrap(), fields.reset);
                    let mut diff = BookDiff { reset, bids, asks, ..BookDiff::default() };
                    book.apply(&mut diff, LEVELS_MAX).unwrap();
                    data["checksum"] = book.checksum().into();
                }
                data
            })
            .collect()
    }

    #[test]
    fn a_true_copy_is_found_true_and_a_false_one_false() {
        let script = script();
        for topic in 0..script.topics.len() {
            let events = events(&script, topic);
            assert!(events.len() > 50);
            let mut verifier = Verifier::default();
            let extent = |seq| Extent { topic, from: seq, seq, snapshot: false };
            for (index, event) in events.iter().enumerate() {
                let data = Data::from_value(event).unwrap();
                verifier.message(&script, extent(index as u64 + 1), &data);
            }
            assert_eq!(verifier.found.wrong, 0, "{:?}", verifier.found);
            assert_eq!(verifier.found.compared, events.len() as u64);
            // The state of another moment, and one that never was.
            let data = Data::from_value(&events[events.len() - 1]).unwrap();
            verifier.message(&script, extent(events.len() as u64 - 1), &data);
            verifier.message(&script, extent(1_000_000), &data);
            assert_eq!(verifier.found.wrong, 2, "{:?}", verifier.found);
        }
    }

    #[test]
    fn a_book_that_missed_a_diff_is_found_out() {
        let script = script();
        let topic = script.kinds.iter().position(|kind| *kind == TickKind::Book).unwrap();
        let mut verifier = Verifier::default();
        for (index, event) in events(&script, topic).iter().enumerate() {
            if index != 5 {
                let seq = index as u64 + 1;
                let data = Data::from_value(event).unwrap();
                verifier.message(&script, Extent { topic, from: seq, seq, snapshot: false }, &data);
            }
        }
        assert!(verifier.found.wrong > 0);
    }
}
