//! Any bytes, and good messages that were changed: no panic, and no book that says other than what
//! a plain reading of the same messages says.

use std::collections::BTreeMap;

use market::{BookSide, Decimal};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

type Sides = [BTreeMap<Decimal, Decimal>; 2];

/// The books as serde_json and two maps make them of the same messages.
#[derive(Default)]
struct Plain {
    due: Option<u64>,
    books: BTreeMap<String, Sides>,
}

impl Plain {
    /// `None` where the message is none that a book can be trusted after.
    fn take(&mut self, message: &[u8]) -> Option<()> {
        // Texts with escapes are refused, since the venue writes none.
        if message.contains(&b'\\') {
            return None;
        }
        let message: Value = serde_json::from_slice(message).ok()?;
        let sequence = message["sequence_num"].as_u64()?;
        if self.due.replace(sequence + 1).is_some_and(|due| due != sequence) {
            return None;
        }
        message["timestamp"].as_str()?;
        if message["channel"].as_str()? != "l2_data" {
            return Some(());
        }
        for event in message["events"].as_array()? {
            let product = event["product_id"].as_str()?.to_owned();
            let levels = event["updates"].as_array()?;
            let book = match event["type"].as_str()? {
                "snapshot" => {
                    self.books.insert(product.clone(), Sides::default());
                    self.books.get_mut(&product)?
                }
                "update" => self.books.get_mut(&product)?,
                _ => return None,
            };
            for level in levels {
                let decimal = |name: &str| Decimal::parse(level[name].as_str()?).ok();
                let (price, size) = (decimal("price_level")?, decimal("new_quantity")?);
                let side = match level["side"].as_str()? {
                    "bid" => 0,
                    "offer" | "ask" => 1,
                    _ => return None,
                };
                if size.is_zero() {
                    book[side].remove(&price);
                } else {
                    book[side].insert(price, size);
                }
            }
        }
        Some(())
    }
}

fn session() -> Vec<String> {
    let messages = [
        ("l2_data", book("snapshot", "BTC-USD", &BTC)),
        ("market_trades", trades("snapshot", "BTC-USD", 1..=3)),
        ("l2_data", book("snapshot", "ETH-USD", &ETH)),
        ("subscriptions", r#"[{"subscriptions":{"level2":["BTC-USD"]}}]"#.to_owned()),
        (
            "l2_data",
            book("update", "BTC-USD", &[("bid", "64000.5", "0"), ("offer", "64000.9", "4")]),
        ),
        ("heartbeats", r#"[{"current_time":"x","heartbeat_counter":1}]"#.to_owned()),
        ("l2_data", book("update", "ETH-USD", &[("offer", "1900.2", "7.5")])),
        ("market_trades", trades("update", "ETH-USD", 9..=10)),
        ("l2_data", book("update", "BTC-USD", &[("bid", "63999.99", "2")])),
    ];
    let numbered = messages.iter().zip(0..);
    numbered.map(|((channel, events), sequence)| envelope(channel, sequence, events)).collect()
}

/// A change of some bytes, of the kind that a broken line, a careless venue or malice makes.
#[derive(Debug, Clone)]
enum Change {
    Byte(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Lost,
    Doubled,
    Swapped,
    Replaced(&'static str, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        2 => (any::<prop::sample::Index>(), prop::sample::select(&b"0123456789.-\"{}[],: e\\"[..]))
            .prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => any::<prop::sample::Index>().prop_map(Change::Cut),
        1 => Just(Change::Lost),
        1 => Just(Change::Doubled),
        1 => Just(Change::Swapped),
        2 => prop::sample::select(vec![
            Change::Replaced("\"price_level\":\"", "\"price_level\":\"-"),
            Change::Replaced("\"new_quantity\":\"", "\"new_quantity\":\"00"),
            Change::Replaced("\"new_quantity\":\"", "\"new_quantity\":null,\"x\":\""),
            Change::Replaced("\"bid\"", "\"offer\""),
            Change::Replaced("\"bid\"", "false"),
            Change::Replaced("update", "snapshot"),
            Change::Replaced("l2_data", "l3_data"),
            Change::Replaced(",", " , "),
            Change::Replaced("events", "event"),
        ]),
    ]
}

fn apply(messages: &mut Vec<Vec<u8>>, at: usize, change: &Change) {
    match change {
        Change::Byte(place, byte) => {
            let place = place.index(messages[at].len());
            messages[at][place] = *byte;
        }
        Change::Cut(place) => {
            let place = place.index(messages[at].len());
            messages[at].truncate(place);
        }
        Change::Lost => drop(messages.remove(at)),
        Change::Doubled => messages.insert(at, messages[at].clone()),
        Change::Swapped => {
            let other = (at + 1) % messages.len();
            messages.swap(at, other);
        }
        Change::Replaced(from, to) => {
            let text = String::from_utf8_lossy(&messages[at]).replace(from, to);
            messages[at] = text.into_bytes();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_panic(
        first in prop::collection::vec(any::<u8>(), 0..120),
        second in "[\\[{\\]},:\"\\\\0-9.a-z_ -]{0,120}",
    ) {
        let mut line = Line::open();
        line.live().input(Input::Text(&first)).text(&second).input(Input::Binary(&first));
        let events = envelope("l2_data", line.next, &second);
        line.text(&events);
    }

    #[test]
    fn a_changed_session_leaves_no_wrong_book_that_is_trusted(
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 0..4),
    ) {
        let mut messages: Vec<Vec<u8>> = session().into_iter().map(String::into_bytes).collect();
        for (at, change) in &changes {
            let at = at.index(messages.len());
            if !messages[at].is_empty() {
                apply(&mut messages, at, change);
            }
        }
        let mut line = Line::open();
        let mut plain = Plain::default();
        let mut trusted = true;
        for message in &messages {
            line.input(Input::Text(message));
            trusted &= plain.take(message).is_some();
            if trusted {
                prop_assert!(line.reconnects.is_empty());
            }
        }
        for (_, symbol) in line.adapter.desk().symbols() {
            if symbol.state() != BookState::Verified {
                prop_assert!(!changes.is_empty());
                continue;
            }
            prop_assert!(!symbol.book().is_crossed());
            let ours = [BookSide::Bid, BookSide::Ask]
                .map(|side| symbol.book().levels(side).map(|l| (l.price, l.size)).collect());
            // Once something was lost, a plain reading knows no better than we do.
            if trusted {
                prop_assert_eq!(Some(&ours), plain.books.get(&*symbol.native));
            }
        }
    }
}
