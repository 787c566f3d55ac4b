//! Messages that are spoilt, unknown, lost, doubled or out of order.

use market::{Book, BookDiff, BookSide, Decimal, Event, Flags, Level};
use proptest::prelude::*;

use super::*;

#[test]
fn what_cannot_be_read_is_counted_reported_once_and_ends_trust_in_its_book() {
    for bad in [
        delta(101, 7_005, r#"[["20.10",true]]"#, "[]"),
        delta(101, 7_005, r#"[["20.10","1x5"]]"#, "[]"),
        delta(101, 7_005, r#"[["20.10"]]"#, "[]"),
        delta(101, 7_005, "null", "[]"),
        delta(101, 7_005, r#"[],"b":[["20.10","1"]]"#, "[]"),
        delta(101, 7_005, "[]", "[]").replace(r#""u":101,"#, ""),
        delta(101, 7_005, "[]", "[]").replace("delta", "change"),
        delta(101, 7_005, &format!(r#"[["1.{}","1"]]"#, "1".repeat(40)), "[]"),
    ] {
        let mut rig = Rig::live(Market::Spot);
        rig.now += 2 * SECOND;
        rig.text(&bad);
        rig.text(&bad);
        assert_eq!(rig.reports().len(), 1, "{bad}");
        assert!(rig.reports()[0].contains("orderbook.50.ABCUSDT"));
        assert_eq!(rig.adapter.desk.counts.malformed, 2, "{bad}");
        assert_eq!(rig.symbol().state(), BookState::Resyncing);
        assert_eq!(rig.sent(), RESUBSCRIBED, "{bad}");
    }
    // A size or a price below zero can be read, and is refused by the desk.
    for refused in [r#"[["20.10","-1"]]"#, r#"[["-20.10","0"]]"#, r#"[["0","1"]]"#] {
        let mut rig = Rig::live(Market::Spot);
        rig.now += 2 * SECOND;
        rig.text(&delta(101, 7_005, refused, "[]"));
        assert_eq!((rig.symbol().state(), rig.sent().len()), (BookState::Resyncing, 2));
    }
    // A trade that is lost is one that the next tells of.
    let mut rig = Rig::live(Market::Spot);
    let trade = |side: &str| {
        format!(
            r#"{{"topic":"publicTrade.ABCUSDT","type":"snapshot","data":[{{"T":1790000000480,"S":"Buy","v":"1","p":"2","i":"3"}},{{"T":1790000000480,"S":"{side}","v":"1","p":"2","i":"4"}}]}}"#
        )
    };
    rig.text(&trade("Bid"));
    assert_eq!(rig.topics(), ["status.bybit"]);
    rig.text(&trade("Sell"));
    let flags: Vec<Flags> = rig
        .events()
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Trade(trade) => Some(trade.stamps.flags),
            _ => None,
        })
        .collect();
    assert_eq!(flags, [Flags::GAP_BEFORE, Flags::none()]);
}

#[test]
fn what_is_not_known_is_counted_and_skipped() {
    let mut rig = Rig::live(Market::Spot);
    rig.text(r#"{"topic":"kline.1.ABCUSDT","data":[{"start":1,"open":"1"}],"type":"snapshot"}"#);
    rig.text(r#"{"topic":"allLiquidation.ABCUSDT","data":[]}"#);
    rig.text(r#"{"data":{"b":1},"topic":"orderbook.rpi.ABCUSDT"}"#);
    // These are documented.
    assert_eq!((rig.adapter.desk.counts.unknown, rig.adapter.desk.counts.unused), (0, 3));
    rig.text(r#"{"hello":"world"}"#);
    rig.text(r#"{"topic":"orderBookL2_25.ABCUSDT","data":[]}"#);
    rig.text(r#"{"topic":"orderbook.many.ABCUSDT","data":{}}"#);
    rig.input(Input::Binary(b"x"));
    assert_eq!((rig.adapter.desk.counts.unknown, rig.adapter.desk.counts.malformed), (4, 0));
    assert!(rig.topics().is_empty() && rig.reports().is_empty());
    assert_eq!(rig.symbol().state(), BookState::Verified);
}

/// A run of messages of one book, and the book after each, by its number.
fn run(steps: &[(i64, i64, i64)]) -> (Vec<String>, Vec<Book>) {
    let decimal = |value: i64| Decimal::new(value, 2).unwrap();
    let mut book = Book::default();
    let mut first = BookDiff {
        reset: true,
        bids: vec![Level { price: decimal(2_010), size: decimal(300) }],
        asks: vec![Level { price: decimal(2_020), size: decimal(200) }],
        ..BookDiff::default()
    };
    book.apply(&mut first, 1_000).unwrap();
    let mut messages = vec![format!(
        r#"{{"topic":"orderbook.50.ABCUSDT","type":"snapshot","ts":1790000000100,"data":{{"s":"ABCUSDT","b":[["20.10","3.00"]],"a":[["20.20","2.00"]],"u":100,"seq":1000}}}}"#
    )];
    let mut books = vec![book.clone()];
    for (index, (bid, ask, size)) in steps.iter().enumerate() {
        let (bid, ask, size) = (decimal(2_000 + bid), decimal(2_020 + ask), decimal(*size));
        let mut diff = BookDiff {
            bids: vec![Level { price: bid, size }],
            asks: vec![Level { price: ask, size }],
            ..BookDiff::default()
        };
        book.apply(&mut diff, 1_000).unwrap();
        books.push(book.clone());
        let (bids, asks) = (format!(r#"[["{bid}","{size}"]]"#), format!(r#"[["{ask}","{size}"]]"#));
        let update = 101 + index as u64;
        messages.push(delta(update, update * 10, &bids, &asks));
    }
    (messages, books)
}

proptest! {
    #[test]
    fn whatever_bytes_come_nothing_panics(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..20),
        market in prop_oneof![Just(Market::Spot), Just(Market::Linear)],
    ) {
        let mut rig = Rig::live(market);
        for message in &messages {
            rig.input(Input::Text(message));
            rig.wait(SECOND);
        }
    }

    #[test]
    fn however_a_good_message_is_spoilt_nothing_panics(
        which in 0usize..5,
        at in 0usize..300,
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut rig = Rig::live(Market::Linear);
        let message = [
            snapshot(101, 7_001),
            delta(101, 7_001, r#"[["20.10","0"]]"#, r#"[["20.40","1"]]"#),
            ticker("delta", 5, r#","bid1Price":"20.10","bid1Size":"4""#),
            r#"{"topic":"publicTrade.ABCUSDT","type":"snapshot","data":[{"T":1790000000480,"S":"Buy","v":"1","p":"2","i":"3"}]}"#.into(),
            r#"{"success":false,"ret_msg":"error:handler not found,topic:orderbook.50.ABCUSDT","req_id":"1","op":"subscribe"}"#.into(),
        ][which].clone();
        let mut bytes = message.into_bytes();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        rig.input(Input::Text(&bytes));
        rig.wait(100 * SECOND);
    }

    #[test]
    fn a_verified_book_is_the_venues_own_whatever_is_lost_doubled_swapped_or_cut(
        steps in prop::collection::vec((0i64..15, 0i64..15, 0i64..4), 1..40),
        faults in prop::collection::vec((0usize..40, 0u8..4), 0..6),
        again in any::<bool>(),
    ) {
        let (messages, books) = run(&steps);
        let mut told: Vec<Vec<u8>> = messages.iter().map(|text| text.clone().into_bytes()).collect();
        for (at, fault) in faults {
            let at = at % told.len();
            match fault {
                0 => { told.remove(at); if told.is_empty() { break } }
                1 => { let copy = told[at].clone(); told.insert((at + 3).min(told.len()), copy) }
                2 => { let next = (at + 1) % told.len(); told.swap(at, next) }
                _ => { let half = told[at].len() / 2; told[at].truncate(half) }
            }
        }
        let mut rig = Rig::new(Market::Spot, &["ABCUSDT"]);
        rig.input(Input::Connected);
        let check = |rig: &Rig| {
            if rig.symbol().state() == BookState::Verified {
                let update = rig.adapter.states[0].update;
                let truth = &books[(update - 100) as usize];
                for side in [BookSide::Bid, BookSide::Ask] {
                    let held: Vec<Level> = rig.symbol().book().levels(side).copied().collect();
                    let own: Vec<Level> = truth.levels(side).copied().collect();
                    assert_eq!(held, own, "after update {update}");
                }
            }
        };
        for message in &told {
            rig.input(Input::Text(message));
            check(&rig);
            rig.wait(SECOND);
        }
        if again {
            // Whatever happened, the venue's next snapshot heals it.
            rig.wait(20 * SECOND);
            rig.text(&snapshot(9_000, 900_000));
            prop_assert_eq!(rig.symbol().state(), BookState::Verified);
        }
    }
}
