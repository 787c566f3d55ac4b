//! Whatever bytes come: no panic, and no book called verified that differs from the venue's.

use std::collections::BTreeMap;

use market::Decimal;
use proptest::prelude::*;

use super::*;

/// The venue's book, prices in ticks of 0.1, with the text of each size.
#[derive(Debug, Clone, Default)]
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

    fn levels(&self) -> Vec<(Decimal, Decimal)> {
        let parse = |text: &str| Decimal::parse(text).unwrap();
        let level = |(ticks, size): (&u64, &String)| (parse(&price(*ticks)), parse(size));
        self.asks.iter().chain(self.bids.iter().rev()).map(level).collect()
    }
}

type Changes = (bool, Vec<(u64, &'static str)>);

fn changes() -> impl Strategy<Value = Changes> {
    let sizes = prop::sample::select(&["0", "0.0000102", "3", "40.5", "0.1"][..]);
    (any::<bool>(), prop::collection::vec((0u64..22, sizes), 0..4)).prop_map(|(bid, levels)| {
        let place =
            |(offset, size)| if bid { (9_999 - offset, size) } else { (10_001 + offset, size) };
        (bid, levels.into_iter().map(place).collect())
    })
}

/// All messages of a session, with a checksum or with a chain, and the venue's book after each.
fn session(checksums: bool, changes: &[Changes]) -> Vec<(String, Truth)> {
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
        messages.push((book(action, &side(true), &side(false), &rest), truth.clone()));
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

fn held(bench: &Bench) -> Vec<(Decimal, Decimal)> {
    let book = bench.symbol().book();
    let levels = book.levels(BookSide::Ask).chain(book.levels(BookSide::Bid));
    levels.map(|level| (level.price, level.size)).collect()
}

proptest! {
    #[test]
    fn a_whole_session_is_followed_exactly(
        checksums in any::<bool>(),
        changes in prop::collection::vec(changes(), 1..40),
    ) {
        let mut bench = Bench::of("A-USDT");
        for (message, truth) in session(checksums, &changes) {
            bench.text(&message);
            prop_assert_eq!(bench.state(), BookState::Verified);
            prop_assert_eq!(held(&bench), truth.levels());
        }
        prop_assert!(bench.sent().is_empty());
    }

    #[test]
    fn a_changed_byte_never_leaves_a_wrong_book_verified(
        changes in prop::collection::vec(changes(), 1..20),
        at in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        to in prop_oneof![prop::sample::select(&b"0123456789.-+eE\"{}[],: ab"[..]), any::<u8>()],
    ) {
        let messages = session(true, &changes);
        let mutated = at.index(messages.len());
        let mut bench = Bench::of("A-USDT");
        let mut before = Vec::new();
        for (index, (message, truth)) in messages.iter().enumerate() {
            let mut bytes = message.clone().into_bytes();
            if index == mutated {
                let place = byte.index(bytes.len());
                bytes[place] = to;
            }
            bench.input(Input::Text(&bytes));
            let (after, held) = (truth.levels(), held(&bench));
            if bench.state() == BookState::Verified {
                let lost = index == mutated && held == before;
                prop_assert!(held == after || lost, "{held:?}\n{after:?}");
            }
            before = after;
        }
    }

    #[test]
    fn lost_doubled_and_swapped_messages_never_leave_a_wrong_book_verified(
        checksums in any::<bool>(),
        changes in prop::collection::vec(changes(), 2..20),
        faults in prop::collection::vec((any::<prop::sample::Index>(), 0u8..3), 1..4),
    ) {
        let mut messages = session(checksums, &changes);
        for (at, fault) in faults {
            let at = at.index(messages.len());
            match fault {
                0 if messages.len() > 1 => drop(messages.remove(at)),
                1 => messages.insert(at, messages[at].clone()),
                _ => messages.swap(0, at),
            }
        }
        let mut bench = Bench::of("A-USDT");
        for (message, truth) in &messages {
            bench.text(message);
            if bench.state() == BookState::Verified {
                prop_assert_eq!(held(&bench), truth.levels());
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bench = Bench::of("A-USDT");
        bench.input(Input::Text(&bytes));
        bench.input(Input::Timer);
    }

    #[test]
    fn no_text_of_the_venues_words_panics(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..30),
    ) {
        let mut bench = Bench::of("A-USDT");
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
    "\"arg\"",
    "\"channel\"",
    "\"books\"",
    "\"trades\"",
    "\"data\"",
    "\"action\"",
    "\"snapshot\"",
    "\"update\"",
    "\"instId\"",
    "\"A-USDT\"",
    "\"bids\"",
    "\"asks\"",
    "1",
    "\"0.5\"",
    "-1e9",
    "null",
    "true",
    "\"checksum\"",
    "\"seqId\"",
    "\"event\"",
    "\"error\"",
    "\"notice\"",
    "\"msg\"",
    "pong",
];
