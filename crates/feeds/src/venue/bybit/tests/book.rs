//! Books: snapshots, their numbers, gaps and what follows a gap.

use market::{Event, Flags};

use super::*;

#[test]
fn a_book_is_followed_from_its_snapshot_which_may_come_before_the_ack() {
    let mut rig = Rig::new(Market::Spot, &["ABCUSDT"]);
    rig.input(Input::Connected);
    rig.text(&snapshot(100, 7_000));
    rig.text(
        r#"{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"1","op":"subscribe"}"#,
    );
    rig.text(&delta(101, 7_005, r#"[["20.10","0"],["20.05","9"]]"#, "[]"));
    assert_eq!(rig.best(), ["20.05 9", "20.20 2"]);
    assert_eq!(rig.symbol().state(), BookState::Verified);
    let events = rig.events();
    let topics: Vec<&str> = events.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics, ["status.bybit", "book.bybit.ABC-USDT", "book.bybit.ABC-USDT"]);
    let (Event::Book(first), Event::Book(second)) = (&events[1].1, &events[2].1) else {
        panic!("{events:?}")
    };
    assert!(first.reset && !second.reset);
    // The matching engine's time, and the number that proves the order.
    assert_eq!(second.stamps.event, Some(1_790_000_000_190_000_000));
    assert_eq!((second.stamps.sequence, second.stamps.received), (Some(101), START));
    let counts = rig.symbol().counts;
    assert_eq!((counts.book_events, counts.snapshots, counts.deletes_unknown), (2, 1, 0));
}

#[test]
fn after_a_gap_nothing_is_published_until_a_fresh_snapshot() {
    let mut rig = Rig::live(Market::Spot);
    rig.now += 2 * SECOND;
    rig.text(&delta(102, 7_010, r#"[["20.11","1"]]"#, "[]"));
    assert_eq!(rig.symbol().state(), BookState::Resyncing);
    assert_eq!(rig.symbol().counts.gaps, 1);
    assert_eq!(rig.sent(), RESUBSCRIBED);
    assert_eq!(rig.topics(), ["status.bybit.ABC-USDT"]);
    rig.text(&delta(103, 7_011, r#"[["20.12","1"]]"#, "[]"));
    assert!(rig.topics().is_empty());
    rig.text(&snapshot(104, 7_020));
    let events = rig.events();
    let Event::Book(diff) = &events[0].1 else { panic!("{events:?}") };
    assert!(diff.reset && diff.stamps.flags.has(Flags::GAP_BEFORE));
    assert_eq!(events[1].0, "status.bybit.ABC-USDT");
    assert_eq!(rig.best(), ["20.10 3", "20.20 2"]);
}

#[test]
fn requests_for_snapshots_grow_rarer_and_never_stop_while_there_is_none() {
    let mut rig = Rig::live(Market::Spot);
    rig.now += 2 * SECOND;
    rig.text(&delta(102, 7_010, "[]", "[]"));
    assert_eq!(rig.sent().len(), 2);
    // No snapshot comes: 15 s at first, then up to 64.
    let mut asked = Vec::new();
    for second in 0..400 {
        rig.wait(SECOND);
        let sent = rig.sent();
        if sent.iter().any(|text| text.contains("unsubscribe")) {
            asked.push(second + 1);
        }
    }
    assert_eq!(asked, [15, 30, 45, 61, 93, 157, 221, 285, 349]);
    // A venue that breaks right after each snapshot is not stormed either.
    let mut update = 500;
    let mut asked = 0;
    for _ in 0..600 {
        rig.text(&snapshot(update, update * 10));
        rig.text(&delta(update + 5, update * 10 + 1, "[]", "[]"));
        update += 100;
        rig.wait(SECOND / 10);
        asked += rig.sent().iter().filter(|text| text.contains("unsubscribe")).count();
    }
    assert!((1..=2).contains(&asked), "{asked}");
}

#[test]
fn a_message_told_twice_is_stale_and_changes_nothing() {
    let mut rig = Rig::live(Market::Spot);
    let message = delta(101, 7_005, r#"[["20.10","5"]]"#, "[]");
    rig.text(&message);
    rig.text(&delta(102, 7_006, r#"[["20.10","6"]]"#, "[]"));
    rig.text(&message);
    rig.text(&delta(102, 7_006, r#"[["20.10","6"]]"#, "[]"));
    assert_eq!(rig.best()[0], "20.10 6");
    assert_eq!((rig.symbol().counts.stale, rig.symbol().counts.gaps), (2, 0));
    assert_eq!(rig.symbol().state(), BookState::Verified);
}

#[test]
fn a_snapshot_replaces_at_any_time_and_one_numbered_1_though_it_is_older() {
    let mut rig = Rig::live(Market::Spot);
    rig.text(&delta(101, 7_005, r#"[["20.15","5"]]"#, "[]"));
    rig.text(&snapshot(150, 7_100));
    assert_eq!(rig.best()[0], "20.10 3");
    rig.text(&delta(151, 7_105, r#"[["20.15","5"]]"#, "[]"));
    // The service was restarted.
    rig.text(&snapshot(1, 60));
    rig.text(&delta(2, 61, r#"[["20.10","4"]]"#, "[]"));
    assert_eq!(rig.best()[0], "20.10 4");
    assert_eq!((rig.symbol().counts.snapshots, rig.symbol().counts.gaps), (3, 0));
    // Without its snapshot a restart is a gap, however small its numbers are.
    let mut rig = Rig::live(Market::Spot);
    rig.text(&delta(2, 9_000, r#"[["20.10","4"]]"#, "[]"));
    assert_eq!((rig.symbol().state(), rig.symbol().counts.gaps), (BookState::Resyncing, 1));
    // So is the right number on an earlier event.
    let mut rig = Rig::live(Market::Spot);
    rig.text(&delta(101, 6_999, r#"[["20.10","4"]]"#, "[]"));
    assert_eq!((rig.symbol().state(), rig.symbol().counts.gaps), (BookState::Resyncing, 1));
    // And a snapshot older than what is held is believed as little as the book that it contradicts.
    let mut rig = Rig::live(Market::Spot);
    rig.text(&snapshot(90, 6_900));
    assert_eq!((rig.symbol().state(), rig.symbol().counts.gaps), (BookState::Resyncing, 1));
}

#[test]
fn the_best_level_alone_is_sent_again_without_a_change() {
    let options = DeskOptions {
        symbols: vec!["ABCUSDT".into()],
        venue: "bybit".into(),
        depth: Some(1),
        ..DeskOptions::default()
    };
    let mut rig = Rig::with(Market::Spot, options);
    rig.input(Input::Connected);
    let message = |update| snapshot(update, 7_000 + update).replace("orderbook.50", "orderbook.1");
    for update in [100, 100, 100, 104] {
        rig.text(&message(update));
    }
    assert_eq!(rig.topics(), ["status.bybit", "book.bybit.ABC-USDT", "book.bybit.ABC-USDT"]);
    let counts = rig.symbol().counts;
    assert_eq!((counts.book_events, counts.snapshots, counts.stale), (4, 4, 0));
}

#[test]
fn another_depth_is_no_part_of_the_book() {
    let mut rig = Rig::live(Market::Spot);
    rig.text(
        &delta(101, 7_005, r#"[["20.19","5"]]"#, "[]").replace("orderbook.50", "orderbook.200"),
    );
    assert_eq!(rig.best()[0], "20.10 3");
    assert_eq!((rig.adapter.desk.counts.unused, rig.symbol().counts.book_events), (1, 1));
    // A recording's book is the deepest that it holds.
    let options = DeskOptions { open: true, ..DeskOptions::default() };
    let mut rig = Rig::with(Market::Spot, options);
    rig.text(&snapshot(5, 7_100).replace("orderbook.50", "orderbook.1"));
    rig.text(&snapshot(100, 7_000));
    rig.text(&snapshot(6, 7_101).replace("orderbook.50", "orderbook.1"));
    rig.text(&delta(101, 7_005, r#"[["20.19","5"]]"#, "[]"));
    assert_eq!(rig.best()[0], "20.19 5");
    assert_eq!((rig.symbol().counts.book_events, rig.symbol().counts.gaps), (3, 0));
}

#[test]
fn a_crossed_book_is_not_published() {
    let mut rig = Rig::live(Market::Spot);
    rig.now += 2 * SECOND;
    rig.text(&delta(101, 7_005, r#"[["20.20","5"]]"#, "[]"));
    assert_eq!(rig.symbol().counts.crossed, 1);
    assert_eq!(rig.best(), ["none", "none"]);
    assert_eq!(rig.sent(), RESUBSCRIBED);
}

#[test]
fn members_may_come_in_any_order() {
    let mut rig = Rig::live(Market::Spot);
    rig.text(r#"{"data":{"seq":7005,"u":101,"a":[],"b":[["20.12","1"]],"s":"ABCUSDT"},"cts":1790000000190,"type":"delta","topic":"orderbook.50.ABCUSDT"}"#);
    assert_eq!(rig.best()[0], "20.12 1");
}
