//! Whatever bytes come: no panic, and no book called verified that differs from the venue's.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::adapter::BookState;
use crate::venue::truth::{self, Changes, changed_byte, jumbled, jumbles, words};

const DEPTH: usize = 10;

/// Price and size of each level as the venue writes them: offers, then bids, from the best.
type Levels = Vec<(String, String)>;

/// The venue's book, in ticks of 0.1 and lots of 10^-8.
#[derive(Debug, Default)]
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

    fn levels(&self) -> Levels {
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

fn changes(counts: Range<usize>) -> impl Strategy<Value = Vec<Changes<u64>>> {
    let lots = prop_oneof![Just(0u64), 1u64..500, 1u64..5_000_000_000];
    prop::collection::vec(truth::changes(0..15, lots, 1..4), counts)
}

/// All messages of a session with the venue's book after each, and a snapshot of the last.
fn session(version: Version, changes: &[Changes<u64>]) -> (Vec<(String, Levels)>, String) {
    let mut truth = Truth::default();
    // The last is beyond all changes, so that no side is ever empty: where one is, the checksum
    // cannot tell on which side a level stands.
    for offset in [1, 3, 20] {
        truth.set(true, 10_000 - offset, 150_000_000);
        truth.set(false, 10_000 + offset, 7);
    }
    let mut messages = vec![(snapshot(version, &truth), truth.levels())];
    for (bid, levels) in changes {
        for &(price, size) in levels {
            truth.set(*bid, price, size);
        }
        truth.truncate();
        messages.push((update(version, *bid, levels, truth.checksum()), truth.levels()));
    }
    (messages, snapshot(version, &truth))
}

fn held(bench: &Bench) -> Levels {
    bench.levels().map(|level| (level.price.to_string(), level.size.to_string())).collect()
}

fn versions() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V1), Just(Version::V2)]
}

proptest! {
    #[test]
    fn a_whole_session_is_followed_exactly(version in versions(), changes in changes(1..40)) {
        let mut bench = Bench::of(version, "A/USD");
        for (message, truth) in session(version, &changes).0 {
            bench.text(&message);
            prop_assert_ne!(bench.state(), BookState::Resyncing);
            prop_assert_eq!(held(&bench), truth);
        }
        prop_assert_eq!(bench.state(), BookState::Verified);
        prop_assert!(bench.sent().is_empty());
    }

    #[test]
    fn a_changed_byte_never_leaves_a_wrong_book_verified(
        version in versions(),
        changes in changes(1..20),
        changed in changed_byte(),
    ) {
        let (session, last) = session(version, &changes);
        let mut bench = Bench::of(version, "A/USD");
        bench.plays_changed(&session, changed, held)?;
        // A fresh snapshot heals whatever it was.
        bench.text(&last);
        prop_assert_eq!(&held(&bench), &session[session.len() - 1].1);
        prop_assert_ne!(bench.state(), BookState::Resyncing);
    }

    #[test]
    fn lost_doubled_and_swapped_messages_never_leave_a_wrong_book_verified(
        version in versions(),
        changes in changes(2..20),
        jumbles in jumbles(),
    ) {
        let (session, last) = session(version, &changes);
        let mut bench = Bench::of(version, "A/USD");
        bench.plays(&jumbled(&session, &jumbles), held)?;
        bench.text(&last);
        prop_assert_eq!(&held(&bench), &session[session.len() - 1].1);
    }

    #[test]
    fn no_bytes_panic(version in versions(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bench = Bench::of(version, "A/USD");
        bench.input(Input::Text(&bytes));
        bench.input(Input::Timer);
    }

    #[test]
    fn no_text_of_the_venues_words_panics(version in versions(), text in words(WORDS)) {
        Bench::of(version, "A/USD").text(&text);
    }
}

const WORDS: &[&str] = &[
    "\"type\"",
    "\"book\"",
    "\"trade\"",
    "\"symbol\"",
    "\"A/USD\"",
    "\"method\"",
    "\"subscribe\"",
    "\"result\"",
    "\"book-10\"",
    "\"as\"",
    "\"b\"",
    "\"c\"",
    "640",
];
