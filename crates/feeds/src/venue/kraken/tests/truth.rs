//! Whatever bytes come: no panic, and no book called verified that differs from the venue's.

use std::collections::BTreeMap;

use market::BookSide;
use proptest::prelude::*;

use super::*;
use crate::adapter::BookState;

const DEPTH: usize = 10;

/// The venue's book, in ticks of 0.1 and lots of 10^-8.
#[derive(Debug, Clone, Default, PartialEq)]
struct Truth {
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
}

impl Truth {
    fn set(&mut self, bid: bool, price: u64, size: u64) {
        let side = if bid { &mut self.bids } else { &mut self.asks };
        if size == 0 {
            side.remove(&price);
        } else {
            side.insert(price, size);
        }
    }

    /// At the end of a message.
    fn truncate(&mut self) {
        while self.bids.len() > DEPTH {
            self.bids.pop_first();
        }
        while self.asks.len() > DEPTH {
            self.asks.pop_last();
        }
    }

    fn checksum(&self) -> u32 {
        let levels = self.asks.iter().chain(self.bids.iter().rev());
        let digits: String = levels.map(|(price, size)| format!("{price}{size}")).collect();
        crc32fast::hash(digits.as_bytes())
    }

    fn text(&self) -> Vec<(String, String)> {
        self.asks.iter().chain(self.bids.iter().rev()).map(|(p, s)| (price(*p), size(*s))).collect()
    }
}

fn price(ticks: u64) -> String {
    format!("{}.{}", ticks / 10, ticks % 10)
}

fn size(lots: u64) -> String {
    format!("{}.{:08}", lots / 100_000_000, lots % 100_000_000)
}

/// One side of a message.
fn levels(version: Version, levels: &[(u64, u64)]) -> String {
    let level = |&(p, s): &(u64, u64)| match version {
        Version::V1 => format!(r#"["{}","{}","1700000142.5"]"#, price(p), size(s)),
        Version::V2 => format!(r#"{{"price":{},"qty":{}}}"#, price(p), size(s)),
    };
    levels.iter().map(level).collect::<Vec<_>>().join(",")
}

fn snapshot(version: Version, truth: &Truth) -> String {
    let list = |side: &BTreeMap<u64, u64>| {
        let side: Vec<_> = side.iter().map(|(price, size)| (*price, *size)).collect();
        levels(version, &side)
    };
    let (bids, asks, checksum) = (list(&truth.bids), list(&truth.asks), truth.checksum());
    match version {
        Version::V1 => format!(r#"[640,{{"as":[{asks}],"bs":[{bids}]}},"book-10","A/USD"]"#),
        Version::V2 => format!(
            r#"{{"channel":"book","type":"snapshot","data":[{{"symbol":"A/USD","bids":[{bids}],"asks":[{asks}],"checksum":{checksum}}}]}}"#
        ),
    }
}

fn update(version: Version, bid: bool, changes: &[(u64, u64)], checksum: u32) -> String {
    let changed = levels(version, changes);
    match (version, bid) {
        (Version::V1, bid) => {
            let side = if bid { "b" } else { "a" };
            format!(r#"[640,{{"{side}":[{changed}],"c":"{checksum}"}},"book-10","A/USD"]"#)
        }
        (Version::V2, bid) => {
            let (bids, asks) = if bid { (&*changed, "") } else { ("", &*changed) };
            format!(
                r#"{{"channel":"book","type":"update","data":[{{"symbol":"A/USD","bids":[{bids}],"asks":[{asks}],"checksum":{checksum}}}]}}"#
            )
        }
    }
}

type Changes = (bool, Vec<(u64, u64)>);

fn changes() -> impl Strategy<Value = Changes> {
    // Few prices, so that they meet; never crossed.
    let lots = prop_oneof![Just(0u64), 1u64..500, 1u64..5_000_000_000];
    (any::<bool>(), prop::collection::vec((0u64..15, lots), 1..4)).prop_map(|(bid, levels)| {
        let place =
            |(offset, size)| if bid { (9_999 - offset, size) } else { (10_001 + offset, size) };
        (bid, levels.into_iter().map(place).collect())
    })
}

/// All messages of a session, and the venue's book after each.
fn session(version: Version, changes: &[Changes]) -> Vec<(String, Truth)> {
    let mut truth = Truth::default();
    // The last is beyond all changes, so that no side is ever empty: where one is, the checksum
    // cannot tell on which side a level stands.
    for offset in [1, 3, 20] {
        truth.set(true, 10_000 - offset, 150_000_000);
        truth.set(false, 10_000 + offset, 7);
    }
    let mut messages = vec![(snapshot(version, &truth), truth.clone())];
    for (bid, levels) in changes {
        for &(price, size) in levels {
            truth.set(*bid, price, size);
        }
        truth.truncate();
        messages.push((update(version, *bid, levels, truth.checksum()), truth.clone()));
    }
    messages
}

fn held(bench: &Bench) -> Vec<(String, String)> {
    let book = bench.symbol().book();
    let levels = book.levels(BookSide::Ask).chain(book.levels(BookSide::Bid));
    levels.map(|level| (level.price.to_string(), level.size.to_string())).collect()
}

fn versions() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V1), Just(Version::V2)]
}

proptest! {
    #[test]
    fn a_whole_session_is_followed_exactly(
        version in versions(),
        changes in prop::collection::vec(changes(), 1..40),
    ) {
        let mut bench = Bench::of(version, "A/USD");
        for (message, truth) in session(version, &changes) {
            bench.text(&message);
            prop_assert_ne!(bench.state(), BookState::Resyncing);
            prop_assert_eq!(held(&bench), truth.text());
        }
        prop_assert_eq!(bench.state(), BookState::Verified);
        prop_assert!(bench.sent().is_empty());
    }

    #[test]
    fn a_changed_byte_never_leaves_a_wrong_book_verified(
        version in versions(),
        changes in prop::collection::vec(changes(), 1..20),
        at in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        to in prop_oneof![prop::sample::select(&b"0123456789.-+eE\"{}[],: ab"[..]), any::<u8>()],
    ) {
        let messages = session(version, &changes);
        let mutated = at.index(messages.len());
        let mut bench = Bench::of(version, "A/USD");
        let mut before = Vec::new();
        for (index, (message, truth)) in messages.iter().enumerate() {
            let mut bytes = message.clone().into_bytes();
            if index == mutated {
                let place = byte.index(bytes.len());
                bytes[place] = to;
            }
            bench.input(Input::Text(&bytes));
            let (after, held) = (truth.text(), held(&bench));
            if bench.state() == BookState::Verified {
                let lost = index == mutated && held == before;
                prop_assert!(held == after || lost, "{held:?}\n{after:?}");
            }
            before = after;
        }
        // A fresh snapshot heals whatever it was.
        let (_, truth) = messages.last().unwrap();
        bench.text(&snapshot(version, truth));
        prop_assert_eq!(held(&bench), truth.text());
        prop_assert_ne!(bench.state(), BookState::Resyncing);
    }

    #[test]
    fn lost_doubled_and_swapped_messages_never_leave_a_wrong_book_verified(
        version in versions(),
        changes in prop::collection::vec(changes(), 2..20),
        faults in prop::collection::vec((any::<prop::sample::Index>(), 0u8..3), 1..4),
    ) {
        let mut messages = session(version, &changes);
        let whole = messages.clone();
        for (at, fault) in faults {
            let at = at.index(messages.len());
            match fault {
                0 if messages.len() > 1 => drop(messages.remove(at)),
                1 => messages.insert(at, messages[at].clone()),
                _ => messages.swap(0, at),
            }
        }
        let mut bench = Bench::of(version, "A/USD");
        for (message, truth) in &messages {
            bench.text(message);
            if bench.state() == BookState::Verified {
                prop_assert_eq!(held(&bench), truth.text());
            }
        }
        let (_, truth) = whole.last().unwrap();
        bench.text(&snapshot(version, truth));
        prop_assert_eq!(held(&bench), truth.text());
    }

    #[test]
    fn no_bytes_panic(version in versions(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bench = Bench::of(version, "A/USD");
        bench.input(Input::Text(&bytes));
        bench.input(Input::Timer);
    }

    #[test]
    fn no_text_of_the_venues_words_panics(
        version in versions(),
        words in prop::collection::vec(prop::sample::select(WORDS), 0..30),
    ) {
        let mut bench = Bench::of(version, "A/USD");
        bench.text(&words.concat());
    }
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"channel\"",
    "\"type\"",
    "\"data\"",
    "\"book\"",
    "\"trade\"",
    "\"snapshot\"",
    "\"update\"",
    "\"symbol\"",
    "\"A/USD\"",
    "\"bids\"",
    "\"asks\"",
    "1",
    "0.5",
    "-1e9",
    "null",
    "true",
    "\"checksum\"",
    "\"method\"",
    "\"subscribe\"",
    "\"result\"",
    "\"event\"",
    "\"book-10\"",
    "\"as\"",
    "\"b\"",
    "\"c\"",
    "640",
];
