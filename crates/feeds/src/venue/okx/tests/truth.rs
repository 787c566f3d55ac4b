//! Whatever bytes come: no panic, and no book called verified that differs from the venue's.

use std::collections::BTreeMap;
use std::ops::Range;

use market::Decimal;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::venue::truth::{self, Changes, changed_byte, jumbled, jumbles, words};

/// Price and size of each level: offers, then bids, from the best.
type Held = Vec<(Decimal, Decimal)>;

/// The venue's book, prices in ticks of 0.1, with the text of each size.
#[derive(Debug, Default)]
struct Truth {
    bids: BTreeMap<u64, String>,
    asks: BTreeMap<u64, String>,
}

/// As the venue writes it: without trailing zeros.
fn price(ticks: u64) -> String {
    if ticks.is_multiple_of(10) {
        (ticks / 10).to_string()
    } else {
        format!("{}.{}", ticks / 10, ticks % 10)
    }
}

impl Truth {
    fn set(&mut self, bid: bool, price: u64, size: &str) {
        let side = if bid { &mut self.bids } else { &mut self.asks };
        if size == "0" {
            side.remove(&price);
        } else {
            side.insert(price, size.to_owned());
        }
    }

    fn checksum(&self) -> i32 {
        let mut parts = Vec::new();
        let (mut bids, mut asks) = (self.bids.iter().rev(), self.asks.iter());
        for _ in 0..25 {
            for (ticks, size) in [bids.next(), asks.next()].into_iter().flatten() {
                parts.push(format!("{}:{size}", price(*ticks)));
            }
        }
        crc32fast::hash(parts.join(":").as_bytes()).cast_signed()
    }

    fn levels(&self) -> Held {
        let parse = |text: &str| Decimal::parse(text).unwrap();
        let level = |(ticks, size): (&u64, &String)| (parse(&price(*ticks)), parse(size));
        self.asks.iter().chain(self.bids.iter().rev()).map(level).collect()
    }
}

fn changes(counts: Range<usize>) -> impl Strategy<Value = Vec<Changes<&'static str>>> {
    let sizes = select(&["0", "0.0000102", "3", "40.5", "0.1"][..]);
    prop::collection::vec(truth::changes(0..22, sizes, 0..4), counts)
}

/// All messages of a session, with a checksum or with a chain, and the venue's book after each.
fn session(checksums: bool, changes: &[Changes<&str>]) -> Vec<(String, Held)> {
    let mut truth = Truth::default();
    let first =
        [(true, 9_990, "1.5"), (true, 9_970, "2"), (false, 10_010, "7"), (false, 10_020, "1")];
    let mut messages = Vec::new();
    let mut message = |action: &str, levels: &[(bool, u64, &str)], truth: &Truth, at: i64| {
        let texts: Vec<_> = levels.iter().map(|(bid, p, s)| (*bid, price(*p), *s)).collect();
        let side = |of: bool| -> Vec<(&str, &str)> {
            texts.iter().filter(|(bid, ..)| *bid == of).map(|(_, p, s)| (p.as_str(), *s)).collect()
        };
        let rest = if checksums {
            format!(r#","checksum":{}"#, truth.checksum())
        } else {
            chain(at * 7, if at == 1 { -1 } else { (at - 1) * 7 })
        };
        messages.push((book(action, &side(true), &side(false), &rest), truth.levels()));
    };
    for (bid, price, size) in first {
        truth.set(bid, price, size);
    }
    message("snapshot", &first, &truth, 1);
    for (at, (bid, levels)) in (2..).zip(changes) {
        let levels: Vec<_> = levels.iter().map(|(price, size)| (*bid, *price, *size)).collect();
        for &(bid, price, size) in &levels {
            truth.set(bid, price, size);
        }
        message("update", &levels, &truth, at);
    }
    messages
}

fn held(bench: &Bench) -> Held {
    bench.levels().map(|level| (level.price, level.size)).collect()
}

proptest! {
    #[test]
    fn a_whole_session_is_followed_exactly(checksums in any::<bool>(), changes in changes(1..40)) {
        let mut bench = Bench::of("A-USDT");
        for (message, truth) in session(checksums, &changes) {
            bench.text(&message);
            prop_assert_eq!(bench.state(), BookState::Verified);
            prop_assert_eq!(held(&bench), truth);
        }
        prop_assert!(bench.sent().is_empty());
    }

    #[test]
    fn a_changed_byte_never_leaves_a_wrong_book_verified(
        changes in changes(1..20),
        changed in changed_byte(),
    ) {
        Bench::of("A-USDT").plays_changed(&session(true, &changes), changed, held)?;
    }

    #[test]
    fn lost_doubled_and_swapped_messages_never_leave_a_wrong_book_verified(
        checksums in any::<bool>(),
        changes in changes(2..20),
        jumbles in jumbles(),
    ) {
        Bench::of("A-USDT").plays(&jumbled(&session(checksums, &changes), &jumbles), held)?;
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bench = Bench::of("A-USDT");
        bench.input(Input::Text(&bytes));
        bench.input(Input::Timer);
    }

    #[test]
    fn no_text_of_the_venues_words_panics(text in words(WORDS)) {
        Bench::of("A-USDT").text(&text);
    }
}

const WORDS: &[&str] = &[
    "\"arg\"",
    "\"books\"",
    "\"trades\"",
    "\"action\"",
    "\"instId\"",
    "\"A-USDT\"",
    "\"seqId\"",
    "\"error\"",
    "\"notice\"",
    "\"msg\"",
    "pong",
];
