//! Books of v2: what is applied in which order, what proves them, and what follows a wrong one.

use market::{BookDiff, BookSide};

use super::*;
use crate::adapter::BookState;

type Levels<'a> = &'a [(&'a str, &'a str)];

fn message(kind: &str, symbol: &str, bids: Levels<'_>, asks: Levels<'_>, checksum: u32) -> String {
    let side = |levels: Levels<'_>| {
        let level = |(price, qty): &(&str, &str)| format!(r#"{{"price":{price},"qty":{qty}}}"#);
        levels.iter().map(level).collect::<Vec<_>>().join(",")
    };
    format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{}],"asks":[{}],"checksum":{checksum},"timestamp":"2026-09-22T10:00:00.000001Z"}}]}}"#,
        side(bids),
        side(asks)
    )
}

pub(super) fn update(symbol: &str, bids: Levels<'_>, asks: Levels<'_>, checksum: u32) -> String {
    message("update", symbol, bids, asks, checksum)
}

/// A small book, and its checksum by another program.
const ASKS: Levels<'_> =
    &[("250.10", "0.00050000"), ("250.20", "12.00000000"), ("251.00", "1.50000000")];
const BIDS: Levels<'_> = &[("249.90", "3.25000000"), ("249.50", "0.00000001")];
const CHECKSUM: u32 = 653_481_887;

/// The same after the best offer went and a better bid came.
const CHECKSUM_AFTER: u32 = 1_380_295_198;
const GONE: (&str, &str) = ("250.10", "0.00000000");
const CAME: (&str, &str) = ("250.00", "0.40000000");

fn snapshot() -> String {
    message("snapshot", "SOL/USD", BIDS, ASKS, CHECKSUM)
}

fn with_book() -> Bench {
    let mut bench = Bench::of(Version::V2, "SOL/USD");
    bench.text(&snapshot());
    bench
}

impl Bench {
    pub(super) fn diffs(&mut self) -> Vec<BookDiff> {
        let diff = |event| match event {
            Event::Book(diff) => Some(diff),
            _ => None,
        };
        self.events().into_iter().filter_map(diff).collect()
    }

    fn side(&self, side: BookSide) -> Vec<String> {
        let book = self.symbol().book();
        book.levels(side).map(|level| format!("{} {}", level.price, level.size)).collect()
    }
}

#[test]
fn a_snapshot_and_a_change_are_proved_and_each_is_one_event() {
    let mut bench = with_book();
    bench.text(&update("SOL/USD", &[CAME], &[GONE], CHECKSUM_AFTER));
    assert_eq!(bench.state(), BookState::Verified);
    assert_eq!(bench.side(BookSide::Ask), ["250.20 12.00000000", "251.00 1.50000000"]);
    assert_eq!(bench.side(BookSide::Bid)[0], "250.00 0.40000000");
    let counts = bench.symbol().counts;
    assert_eq!((counts.book_events, counts.snapshots, counts.checksums_ok), (2, 1, 2));
    let diffs = bench.diffs();
    assert_eq!(diffs.len(), 2);
    assert!(diffs[0].reset && !diffs[1].reset);
    assert!(diffs.iter().all(|diff| diff.stamps.flags.is_empty()));
    assert_eq!(diffs[1].stamps.event, Some(1_790_071_200_000_001_000));
    assert!(bench.sent().is_empty());
}

#[test]
fn of_one_price_several_times_in_a_message_the_last_word_stands() {
    let mut bench = with_book();
    let changes = [("250.00", "9.00000000"), ("250.00", "0.00000000"), CAME];
    bench.text(&update("SOL/USD", &changes, &[("250.10", "7.00000000"), GONE], CHECKSUM_AFTER));
    assert_eq!(bench.state(), BookState::Verified);
    assert_eq!(bench.symbol().counts.checksums_bad, 0);
}

#[test]
fn a_change_that_comes_twice_is_used_once() {
    let mut bench = with_book();
    let changes = [("250.00", "9.00000000"), CAME];
    let change = update("SOL/USD", &changes, &[GONE], CHECKSUM_AFTER);
    bench.text(&change);
    bench.text(&change);
    assert_eq!(bench.diffs().len(), 2);
    assert_eq!((bench.state(), bench.symbol().counts.stale), (BookState::Verified, 1));
    // The same time and checksum, but news: it is not passed over.
    let other = update("SOL/USD", &[("249.90", "3.25000000"), ("1.00", "0.50000000")], &[], 1);
    bench.text(&other.replace("\"checksum\":1,", &format!("\"checksum\":{CHECKSUM_AFTER},")));
    assert_eq!((bench.state(), bench.symbol().counts.stale), (BookState::Resyncing, 1));
}

#[test]
fn a_removal_may_be_a_bare_zero_and_sizes_may_have_exponents() {
    let mut bench = with_book();
    // Both are the digits and places of the fixture.
    let changes = [("249.50", "1e-8"), ("250.00", "4000.0000e-4")];
    bench.text(&update("SOL/USD", &changes, &[("250.10", "0")], CHECKSUM_AFTER));
    assert_eq!(bench.state(), BookState::Verified, "{:?}", bench.events());
}

#[test]
fn levels_beyond_the_subscribed_depth_fall_out_and_come_back_when_told() {
    let mut bench = Bench::of(Version::V2, "SOL/USD");
    let prices: Vec<_> = (1..=11).map(|n| format!("{}.0", 100 + n)).collect();
    let ten: Vec<_> = prices[1..].iter().map(|price| (price.as_str(), "1.0")).collect();
    let checksum = |prices: &[String]| {
        let digits: String = prices.iter().map(|p| p.replace('.', "") + "10").collect();
        crc32fast::hash(digits.as_bytes())
    };
    bench.text(&message("snapshot", "SOL/USD", &[], &ten, checksum(&prices[1..])));
    bench.text(&update("SOL/USD", &[], &[("101.0", "1.0")], checksum(&prices[..10])));
    assert_eq!(bench.side(BookSide::Ask).len(), 10);
    let diffs = bench.diffs();
    // Who follows the events has the same ten.
    let texts: Vec<_> = diffs[1].asks.iter().map(|l| format!("{} {}", l.price, l.size)).collect();
    assert_eq!(texts, ["101.0 1.0", "111.0 0"]);
    bench.text(&update(
        "SOL/USD",
        &[],
        &[("101.0", "0.0"), ("111.0", "1.0")],
        checksum(&prices[1..]),
    ));
    assert_eq!(bench.state(), BookState::Verified);
    assert_eq!(bench.symbol().counts.deletes_unknown, 0);
}

#[test]
fn the_depth_is_what_the_venue_says_or_what_its_snapshot_has() {
    let prices: Vec<_> = (0..25).map(|n| format!("{}.0", 100 + n)).collect();
    let levels: Vec<_> = prices.iter().map(|price| (price.as_str(), "1.0")).collect();
    let digits: String = prices[..10].iter().map(|p| p.replace('.', "") + "10").collect();
    let snapshot = message("snapshot", "SOL/USD", &[], &levels, crc32fast::hash(digits.as_bytes()));
    for (answer, levels) in [("", 25), (r#","depth":25"#, 25), (r#","depth":1000"#, 26)] {
        let mut bench = Bench::of(Version::V2, "SOL/USD");
        bench.text(&format!(
            r#"{{"method":"subscribe","result":{{"channel":"book"{answer},"snapshot":true,"symbol":"SOL/USD"}},"success":true}}"#
        ));
        bench.text(&snapshot);
        let checksum = crc32fast::hash(digits.as_bytes());
        bench.text(&update("SOL/USD", &[], &[("150.0", "1.0")], checksum));
        assert_eq!(bench.side(BookSide::Ask).len(), levels);
    }
}

#[test]
fn a_wrong_checksum_ends_trust_until_a_fresh_snapshot() {
    let mut bench = with_book();
    bench.events();
    bench.now += 3600 * SECOND;
    bench.text(&update("SOL/USD", &[CAME], &[], CHECKSUM_AFTER));
    assert_eq!(bench.state(), BookState::Resyncing);
    assert_eq!(bench.statuses(), [(VenueState::Resync, "wrong checksum".into())]);
    let sent = bench.sent();
    assert_eq!(sent.len(), 2);
    assert!(sent[0].contains(r#""method":"unsubscribe""#) && sent[0].contains("book"));
    assert!(sent[1].contains(r#""method":"subscribe""#) && sent[1].contains(r#""snapshot":true"#));
    // Even a right change of a wrong book is none.
    bench.text(&update("SOL/USD", &[CAME], &[GONE], CHECKSUM_AFTER));
    assert!(bench.events().is_empty() && bench.sent().is_empty());
    bench.text(&snapshot());
    assert_eq!(bench.state(), BookState::Verified);
    let events = bench.events();
    let Event::Book(diff) = &events[0] else { panic!("{events:?}") };
    assert!(diff.reset && diff.stamps.flags.has(Flags::GAP_BEFORE));
    let Event::Status(status) = &events[1] else { panic!("{events:?}") };
    assert_eq!(status.state, VenueState::Up);
    let counts = bench.symbol().counts;
    assert_eq!((counts.checksums_bad, counts.checksums_ok, counts.book_events), (1, 2, 4));
}

#[test]
fn snapshots_that_stay_wrong_are_asked_for_ever_more_seldom() {
    let mut bench = with_book();
    bench.now += 3600 * SECOND;
    let wrong = message("snapshot", "SOL/USD", BIDS, ASKS, CHECKSUM + 1);
    bench.text(&wrong);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert_eq!(bench.sent().len(), 2);
        let asked = bench.now;
        bench.out.wake_at = None;
        bench.text(&wrong);
        // Whatever comes before the time brings it no nearer.
        assert!(bench.sent().is_empty());
        bench.text(&wrong);
        assert!(bench.sent().is_empty());
        bench.now = bench.out.wake_at.take().unwrap();
        pauses.push((bench.now - asked) / SECOND);
        bench.input(Input::Timer);
        bench.out.actions.retain(|action| *action != Action::Send(r#"{"method":"ping"}"#.into()));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
}

#[test]
fn a_change_without_a_snapshot_asks_for_one() {
    let mut bench = Bench::of(Version::V2, "SOL/USD");
    bench.text(&snapshot());
    bench.input(Input::Disconnected { reason: "reset" });
    bench.input(Input::Connected);
    bench.sent();
    bench.text(&update("SOL/USD", &[CAME], &[GONE], CHECKSUM_AFTER));
    assert!(bench.sent().is_empty(), "it was asked for just now");
    bench.now += 11 * SECOND;
    bench.input(Input::Timer);
    assert!(bench.sent().iter().any(|text| text.contains("unsubscribe")));
    assert!(bench.diffs().iter().all(|diff| diff.reset));
}

#[test]
fn an_unreadable_book_message_ends_trust() {
    for unreadable in [
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":[{"price":"x","qty":1}],"asks":[],"checksum":1}]}"#,
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":[],"asks":[]}]}"#,
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":[],"asks":[],"checksum":4294967296}]}"#,
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":[{"price":1.00}],"asks":[],"checksum":1}]}"#,
        // A number that no mantissa holds.
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":[{"price":1.00,"qty":1e-99}],"asks":[],"checksum":1}]}"#,
        // Numbers of another precision than all before: the checksum leaves the point out.
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":[{"price":24.950,"qty":0.00000001}],"asks":[],"checksum":1}]}"#,
        r#"{"channel":"book","type":"update","data":[{"symbol":"SOL/USD","bids":[{"price":-249.50,"qty":0.00000001}],"asks":[],"checksum":1}]}"#,
    ] {
        let mut bench = with_book();
        bench.now += 3600 * SECOND;
        bench.text(unreadable);
        assert_eq!(bench.state(), BookState::Resyncing, "{unreadable}");
        assert_eq!(bench.symbol().counts.malformed, 1);
        assert_eq!(bench.adapter.desk().counts.malformed, 1);
        assert_eq!(bench.reports(), 1);
        assert_eq!(bench.sent().len(), 2);
    }
}

#[test]
fn a_point_that_moved_is_seen_though_the_checksum_is_right() {
    // The digits are those of the right snapshot.
    let moved = snapshot().replace("3.25000000", "32.5000000");
    let mut bench = Bench::of(Version::V2, "SOL/USD");
    bench.text(&moved);
    assert_eq!(bench.state(), BookState::Unverifiable);
    assert_eq!(bench.symbol().counts.checksums_ok, 1);
    assert!(bench.diffs()[0].stamps.flags.has(Flags::UNVERIFIED));
    let mut bench = with_book();
    let change = update("SOL/USD", &[("250.00", "4.0000000")], &[GONE], CHECKSUM_AFTER);
    bench.text(&change);
    assert_eq!(bench.state(), BookState::Resyncing);
}

#[test]
fn an_empty_book_is_proved_too() {
    let mut bench = Bench::of(Version::V2, "NEW/USD");
    bench.text(&message("snapshot", "NEW/USD", &[], &[], 0));
    assert_eq!(bench.state(), BookState::Verified);
}
