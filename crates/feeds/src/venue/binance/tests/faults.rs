//! Any bytes, and a venue that drops, doubles, swaps, garbles and cuts: no panic, and never a book
//! that is called verified and is not the venue's.

use super::*;
use std::collections::BTreeMap;

use market::{Book, BookSide};
use proptest::prelude::*;

/// The venue's book: changes numbered from 1 on, of each the side, the price and the size.
type Change = (bool, u32, u32);

type Levels = (BTreeMap<String, String>, BTreeMap<String, String>);

fn price(&(is_bid, price, _): &Change) -> String {
    if is_bid { format!("9.{price:02}") } else { format!("10.{price:02}") }
}

/// The venue's book after its first `count` changes.
fn truth(changes: &[Change], count: usize) -> Levels {
    let mut levels = Levels::default();
    for change in &changes[..count] {
        let side = if change.0 { &mut levels.0 } else { &mut levels.1 };
        side.insert(price(change), change.2.to_string());
    }
    levels.0.retain(|_, size| size != "0");
    levels.1.retain(|_, size| size != "0");
    levels
}

fn held(book: &Book) -> Levels {
    let side = |side| {
        let levels = book.levels(side).map(|l| (l.price.to_string(), l.size.to_string()));
        levels.collect()
    };
    (side(BookSide::Bid), side(BookSide::Ask))
}

fn json(levels: &BTreeMap<String, String>) -> String {
    let levels: Vec<_> =
        levels.iter().map(|(price, size)| format!(r#"["{price}","{size}"]"#)).collect();
    format!("[{}]", levels.join(","))
}

/// The diff of the changes from `first` to `last`.
fn stream(changes: &[Change], first: usize, last: usize) -> String {
    let mut levels = Levels::default();
    for change in &changes[first - 1..last] {
        let side = if change.0 { &mut levels.0 } else { &mut levels.1 };
        side.insert(price(change), change.2.to_string());
    }
    diff(first as u64, last as u64, &json(&levels.0), &json(&levels.1))
}

fn rest(changes: &[Change], last: usize) -> String {
    let levels = truth(changes, last);
    let (bids, asks) = (json(&levels.0), json(&levels.1));
    format!(r#"{{"lastUpdateId":{last},"bids":{bids},"asks":{asks}}}"#)
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Drop,
    Double,
    Swap,
    WrongType,
    Cut,
    Reconnect,
}

/// What becomes of a REST request, and how many changes behind the stream it is.
#[derive(Debug, Clone, Copy)]
enum Rest {
    Old(usize),
    Late,
    Error(u16),
    Garbage,
}

fn faults() -> impl Strategy<Value = Vec<(usize, Fault, Rest)>> {
    let fault = prop_oneof![
        8 => Just(Fault::None),
        1 => Just(Fault::Drop),
        1 => Just(Fault::Double),
        1 => Just(Fault::Swap),
        1 => Just(Fault::WrongType),
        1 => Just(Fault::Cut),
        1 => Just(Fault::Reconnect),
    ];
    let rest = prop_oneof![
        4 => Just(Rest::Old(0)),
        2 => (1usize..20).prop_map(Rest::Old),
        1 => Just(Rest::Late),
        1 => prop_oneof![Just(429u16), Just(500), Just(418)].prop_map(Rest::Error),
        1 => Just(Rest::Garbage),
    ];
    proptest::collection::vec((1usize..5, fault, rest), 1..80)
}

/// The adapter, a client that only sees what is published, and the venue.
struct World<'a> {
    rig: Rig,
    client: Book,
    changes: &'a [Change],
    /// How many changes have happened.
    happened: usize,
    open: Vec<u32>,
}

impl World<'_> {
    fn see(&mut self, seen: Seen) {
        self.open.extend(seen.fetched.iter().map(|(request, _)| *request));
        for mut diff in seen.books {
            let at = diff.stamps.sequence.unwrap() as usize;
            let proved = !diff.stamps.flags.has(Flags::UNVERIFIED);
            self.client.apply(&mut diff, 1_000).unwrap();
            if proved {
                assert_eq!(held(&self.client), truth(self.changes, at), "after change {at}");
            }
        }
    }

    fn text(&mut self, text: &str) {
        let seen = self.rig.text(text);
        self.see(seen);
    }

    fn step(&mut self, rest: Rest) {
        self.rig.now += SECOND / 10;
        if self.rig.wake_at.is_some_and(|at| at <= self.rig.now) {
            self.rig.wake_at = None;
            let seen = self.rig.give(Input::Timer);
            self.see(seen);
        }
        if matches!(rest, Rest::Late) {
            return;
        }
        for request in std::mem::take(&mut self.open) {
            let seen = match rest {
                Rest::Old(behind) => {
                    let last = self.happened.saturating_sub(behind);
                    self.rig.answer(request, &super::faults::rest(self.changes, last))
                }
                Rest::Error(status) => self.rig.fails(request, status),
                Rest::Garbage | Rest::Late => self.rig.answer(request, "<html>"),
            };
            self.see(seen);
        }
    }
}

proptest! {
    #[test]
    fn a_verified_book_is_the_venues_whatever_happens_to_the_stream(
        changes in proptest::collection::vec((any::<bool>(), 0u32..30, 0u32..4), 500),
        faults in faults(),
    ) {
        let mut world = World {
            rig: Rig::connected(),
            client: Book::default(),
            changes: &changes,
            happened: 0,
            open: Vec::new(),
        };
        let mut overtaken: Option<String> = None;
        // In the end all is well again, for long enough to wait out every refusal.
        let calm = std::iter::repeat_n((1, Fault::None, Rest::Old(0)), 60);
        let stormy = faults.len();
        for (index, (count, fault, rest)) in faults.into_iter().chain(calm).enumerate() {
            let first = world.happened + 1;
            world.happened = (world.happened + count).min(changes.len());
            let text = stream(&changes, first, world.happened);
            if index >= stormy {
                world.rig.now += 100 * SECOND;
            }
            match fault {
                Fault::None => world.text(&text),
                Fault::Drop => {}
                Fault::Double => {
                    world.text(&text);
                    world.text(&text);
                }
                Fault::Swap => {
                    overtaken = Some(text);
                    continue;
                }
                Fault::WrongType => world.text(&text.replacen(r#""b":["#, r#""b":5,"x":["#, 1)),
                Fault::Cut => world.text(&text[..text.len() / 2]),
                Fault::Reconnect => {
                    let seen = world.rig.give(Input::Disconnected { reason: "cut" });
                    world.see(seen);
                    world.open.clear();
                    let seen = world.rig.give(Input::Connected);
                    world.see(seen);
                    overtaken = None;
                }
            }
            if let Some(late) = overtaken.take() {
                world.text(&late);
            }
            world.step(rest);
        }
        prop_assert_eq!(world.rig.state(), BookState::Verified);
        prop_assert_eq!(held(&world.client), truth(&changes, world.happened));
        prop_assert_eq!(held(world.rig.adapter.desk().symbol(ID).book()), held(&world.client));
    }

    #[test]
    fn no_bytes_panic(frames in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 0..80), 1..20,
    )) {
        let mut rig = Rig::live();
        for frame in &frames {
            rig.give(Input::Text(frame));
            rig.give(Input::Binary(frame));
            for request in 0..3 {
                rig.give(Input::Answer { request, status: 200, retry_after: None, body: frame });
            }
        }
        prop_assert_eq!(rig.adapter.desk().counts.frames, 1 + 2 * frames.len() as u64);
    }

    #[test]
    fn no_changed_message_panics_and_every_one_is_counted(
        which in 0usize..9,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let level = r#"[["9.90","1"]]"#;
        let texts = [
            trade(5),
            aggregate(5, 6, 7),
            r#"{"u":5,"s":"AAAUSDT","b":"9.90","B":"1","a":"10.10","A":"2"}"#.to_owned(),
            diff(101, 102, level, level),
            format!(r#"{{"stream":"aaausdt@depth@100ms","data":{}}}"#, diff(101, 102, level, "[]")),
            format!(r#"{{"stream":"aaausdt@depth5","data":{}}}"#, snapshot(100)),
            r#"{"code":2,"msg":"Invalid request","id":1}"#.to_owned(),
            r#"{"result":null,"id":1}"#.to_owned(),
            r#"{"e":"kline","s":"AAAUSDT","k":{"t":1,"T":2,"o":"1","h":"1","l":"1","c":"1","v":"1","x":true}}"#.to_owned(),
        ];
        let mut bytes = texts[which].clone().into_bytes();
        for (at, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        let mut rig = Rig::live();
        rig.give(Input::Text(&bytes));
        rig.answer(1, &String::from_utf8_lossy(&bytes));
        let desk = rig.adapter.desk();
        prop_assert_eq!(desk.counts.frames, 2);
        let book = desk.symbol(ID).book();
        prop_assert!(rig.state() == BookState::Resyncing || !book.is_crossed());
    }
}
