//! The book between REST and stream.

use super::*;

const BID: &str = r#"[["9.90","3"]]"#;

#[test]
fn a_snapshot_is_asked_for_with_the_first_diff_and_joined_to_what_waited() {
    let mut rig = Rig::connected();
    assert_eq!(rig.state(), BookState::Resyncing);
    let seen = rig.text(&diff(95, 98, r#"[["9.00","7"]]"#, "[]"));
    assert_eq!(seen.fetched[0].1, "/api/v3/depth?symbol=AAAUSDT&limit=5000");
    assert!(rig.text(&diff(99, 100, r#"[["9.00","8"]]"#, "[]")).fetched.is_empty());
    rig.text(&diff(101, 104, BID, "[]"));
    let request = seen.fetched[0].0;
    let seen = rig.answer(request, &snapshot(100));
    let numbers: Vec<_> =
        seen.books.iter().map(|diff| (diff.reset, diff.stamps.sequence)).collect();
    assert_eq!(numbers, [(true, Some(100)), (false, Some(104))]);
    assert_eq!(seen.flags(), [Flags::none(), Flags::none()]);
    assert_eq!(seen.books[1].stamps.event, Some(1_700_000_000_123_000_000));
    // A second answer to the same request is no answer.
    assert!(rig.answer(request, &snapshot(104)).books.is_empty());
    rig.text(&diff(105, 105, r#"[["8.00","0.00000000"]]"#, r#"[["10.10","0"],["10.20","5"]]"#));
    assert_eq!((rig.state(), rig.book()), (BookState::Verified, "3x9.90 | 5x10.20".into()));
    let counts = rig.counts();
    assert_eq!((counts.book_events, counts.snapshots, counts.stale), (4, 1, 2));
    assert_eq!((counts.gaps, counts.deletes_unknown), (0, 1));
}

#[test]
fn the_first_diff_may_hold_the_snapshots_last_change_or_follow_it() {
    // `U <= last <= u`, as documented, and `U <= last + 1 <= u`, as in use.
    for (first, last, right) in
        [(99, 103, true), (100, 101, true), (101, 103, true), (100, 100, true), (102, 103, false)]
    {
        let mut rig = Rig::connected();
        let seen = rig.text(&diff(first, last, BID, "[]"));
        let seen = rig.answer(seen.fetched[0].0, &snapshot(100));
        assert_eq!(!seen.books.is_empty(), right, "{first}..={last}");
        assert_eq!(rig.counts().gaps, 0);
        if right {
            let size = if last > 100 { "3" } else { "1" };
            assert_eq!(rig.book(), format!("{size}x9.90 | 2x10.10"));
        }
    }
}

#[test]
fn an_old_snapshot_is_asked_for_again_later_each_time_and_what_waits_is_kept() {
    let mut rig = Rig::connected();
    let mut seen = rig.text(&diff(200, 201, BID, "[]"));
    let mut waits = Vec::new();
    for _ in 0..9 {
        let nothing = rig.answer(seen.fetched[0].0, &snapshot(198));
        assert!(nothing.books.is_empty() && nothing.fetched.is_empty());
        let waited;
        (waited, seen) = rig.wake();
        waits.push(waited / (SECOND / 2));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    let seen = rig.answer(seen.fetched[0].0, &snapshot(199));
    assert_eq!(seen.books.len(), 2);
    assert_eq!((rig.state(), rig.counts().gaps), (BookState::Verified, 0));
}

#[test]
fn a_gap_ends_the_book_until_a_snapshot_that_is_younger() {
    let mut rig = Rig::live();
    // Doubled or late: nothing is missing.
    for (first, last) in [(95, 100), (99, 99)] {
        assert!(rig.text(&diff(first, last, BID, "[]")).books.is_empty());
    }
    // It overlaps, which is no gap.
    assert_eq!(rig.text(&diff(99, 102, BID, "[]")).books.len(), 1);
    assert_eq!((rig.counts().gaps, rig.counts().stale), (0, 3));

    let seen = rig.text(&diff(104, 105, r#"[["9.80","5"]]"#, "[]"));
    assert!(seen.books.is_empty());
    let (topic, status) = &seen.statuses[0];
    assert_eq!((&**topic, status.state), ("status.binance.AAA-USDT", VenueState::Resync));
    assert_eq!(rig.adapter.desk().best(ID, market::BookSide::Bid), None);
    assert!(rig.text(&diff(106, 106, r#"[["9.70","5"]]"#, "[]")).books.is_empty());
    // The first snapshot of a while is asked for after a wait.
    assert!(seen.fetched.is_empty());
    let (_, seen) = rig.wake();
    let seen = rig.answer(seen.fetched[0].0, &snapshot(104));
    assert_eq!(seen.flags()[0], Flags::GAP_BEFORE);
    assert_eq!(seen.flags()[1..], [Flags::none(), Flags::none()]);
    assert_eq!(seen.states(), [VenueState::Up]);
    assert_eq!(rig.book(), "1x9.90 5x9.80 5x9.70 | 2x10.10");
    assert_eq!((rig.counts().gaps, rig.counts().snapshots), (1, 2));
}

#[test]
fn a_gap_among_what_waits_is_found_when_it_matters() {
    let waiting = |rig: &mut Rig| {
        let seen = rig.text(&diff(101, 102, BID, "[]"));
        rig.text(&diff(105, 106, r#"[["9.80","5"]]"#, "[]"));
        seen.fetched[0].0
    };
    // The snapshot is younger than the gap.
    let mut rig = Rig::connected();
    let request = waiting(&mut rig);
    assert_eq!(rig.answer(request, &snapshot(104)).books.len(), 2);
    assert_eq!((rig.counts().gaps, rig.counts().stale), (0, 1));
    // It is older.
    let mut rig = Rig::connected();
    let request = waiting(&mut rig);
    let seen = rig.answer(request, &snapshot(101));
    assert!(seen.books.is_empty());
    assert_eq!(rig.counts().gaps, 1);
    let (_, seen) = rig.wake();
    // Only what came after the gap waits.
    assert_eq!(rig.answer(seen.fetched[0].0, &snapshot(104)).books.len(), 2);
    assert_eq!(rig.book(), "1x9.90 5x9.80 | 2x10.10");
}

#[test]
fn a_quiet_book_is_there_but_unproved_until_its_first_diff() {
    let confirmed = |rig: &mut Rig| rig.text(r#"{"result":null,"id":1}"#).fetched[0].0;
    let mut rig = Rig::connected();
    let request = confirmed(&mut rig);
    let seen = rig.answer(request, &snapshot(100));
    assert_eq!(seen.flags(), [Flags::UNVERIFIED]);
    assert_eq!(rig.state(), BookState::Unverifiable);
    assert_eq!(rig.text(&diff(101, 101, BID, "[]")).flags(), [Flags::none()]);
    assert_eq!(rig.state(), BookState::Verified);

    // It was older than the stream, which is no gap of the stream's.
    let mut rig = Rig::connected();
    let request = confirmed(&mut rig);
    rig.answer(request, &snapshot(100));
    let seen = rig.text(&diff(103, 104, BID, "[]"));
    assert_eq!((seen.books.len(), seen.states()), (0, vec![VenueState::Resync]));
    assert_eq!(rig.counts().gaps, 0);
    let (_, seen) = rig.wake();
    assert_eq!(rig.answer(seen.fetched[0].0, &snapshot(102)).flags()[0], Flags::GAP_BEFORE);
    assert_eq!(rig.state(), BookState::Verified);
}

#[test]
fn a_crossed_or_impossible_book_is_had_anew() {
    for bad in [r#"[["10.10","3"]]"#, r#"[["9.90","-1"]]"#] {
        let mut rig = Rig::live();
        let seen = rig.text(&diff(101, 101, bad, "[]"));
        assert_eq!((seen.books.len(), seen.states()), (0, vec![VenueState::Resync]));
        rig.text(&diff(102, 102, "[]", "[]"));
        let (_, seen) = rig.wake();
        // That change must be in it, or it would come again.
        assert!(rig.answer(seen.fetched[0].0, &snapshot(100)).books.is_empty());
        let (_, seen) = rig.wake();
        assert_eq!(rig.answer(seen.fetched[0].0, &snapshot(101)).books.len(), 2);
        assert_eq!(rig.state(), BookState::Verified);
    }
    // A snapshot that is itself crossed.
    let mut rig = Rig::connected();
    let seen = rig.text(&diff(101, 101, "[]", "[]"));
    let seen = rig.answer(seen.fetched[0].0, &snapshot(101).replace("9.90", "10.10"));
    assert_eq!((seen.books.len(), rig.counts().crossed), (0, 1));
    let (_, seen) = rig.wake();
    assert_eq!(rig.answer(seen.fetched[0].0, &snapshot(101)).books.len(), 1);
}

#[test]
fn rest_that_fails_is_asked_again_and_no_storm_comes_of_it() {
    let mut rig = Rig::connected();
    let seen = rig.text(&diff(101, 101, "[]", "[]"));
    let failed = rig.fails(seen.fetched[0].0, 503);
    assert_eq!(failed.reports.len(), 1);
    let (waited, seen) = rig.wake();
    assert_eq!(waited, SECOND / 2);
    let request = seen.fetched[0].0;
    assert!(rig.give(Input::NoAnswer { request, reason: "timeout" }).reports.is_empty());
    let (waited, seen) = rig.wake();
    assert_eq!(waited, SECOND);
    rig.fails(seen.fetched[0].0, 429);
    let (waited, seen) = rig.wake();
    assert_eq!(waited, super::super::rest::TOO_MANY_REQUESTS);
    rig.fails(seen.fetched[0].0, 418);
    let (waited, seen) = rig.wake();
    assert!(waited >= super::super::rest::BANNED);
    // It is no snapshot.
    for body in ["", "{}", r#"{"lastUpdateId":101,"bids":[["1","x"]],"asks":[]}"#] {
        let _seen = rig.answer(seen.fetched[0].0, body);
    }
    assert_eq!(rig.adapter.desk().counts.malformed, 1);
    let (_, seen) = rig.wake();
    assert_eq!(rig.answer(seen.fetched[0].0, &snapshot(101)).books.len(), 1);
}

#[test]
fn a_symbol_without_a_book_is_refused_once() {
    let mut rig = Rig::connected();
    let seen = rig.text(&diff(101, 101, "[]", "[]"));
    let seen = rig.fails(seen.fetched[0].0, 400);
    let (topic, status) = &seen.statuses[0];
    assert_eq!((&**topic, status.state), ("status.binance.AAA-USDT", VenueState::Down));
    assert_eq!(seen.reports.len(), 1);
    for number in 102..110 {
        let seen = rig.text(&diff(number, number, "[]", "[]"));
        assert!(seen.fetched.is_empty() && seen.reports.is_empty());
    }
    // Nothing is waited for any more.
    rig.now = rig.wake_at.take().unwrap();
    assert!(rig.give(Input::Timer).fetched.is_empty());
    assert_eq!(rig.wake_at, None);
}

#[test]
fn many_books_are_asked_for_at_the_pace_that_the_weight_allows() {
    let symbols: Vec<String> = (0..300).map(|number| format!("A{number}USDT")).collect();
    let mut rig = Rig::of(&symbols.iter().map(String::as_str).collect::<Vec<_>>());
    rig.give(Input::Connected);
    let mut fetched = 0;
    for symbol in &symbols {
        let seen = rig.text(&diff(1, 2, "[]", "[]").replace("AAAUSDT", symbol));
        fetched += seen.fetched.len();
    }
    // 50 a snapshot of 1000 levels: half of a minute's weight at once, the rest as it comes back.
    assert_eq!(fetched, 61);
    let began = rig.now;
    while fetched < symbols.len() {
        fetched += rig.wake().1.fetched.len();
    }
    assert_eq!((rig.now - began) / SECOND, 239);
}

#[test]
fn once_diffs_flow_each_begins_right_after_the_one_before_it() {
    let mut rig = Rig::live();
    rig.text(&diff(101, 103, BID, "[]"));
    // It claims to hold what was missed.
    rig.text(&diff(1, 110, BID, "[]"));
    assert_eq!((rig.state(), rig.counts().gaps), (BookState::Resyncing, 1));
}

#[test]
fn a_number_far_ahead_does_not_hide_what_comes_after_it() {
    let mut rig = Rig::live();
    rig.text(&diff(101, 60_000, BID, "[]"));
    // The next may be one that comes twice; a second one in a row may not.
    assert!(rig.text(&diff(104, 105, "[]", "[]")).fetched.is_empty());
    assert_eq!((rig.state(), rig.counts().stale), (BookState::Verified, 2));
    rig.text(&diff(106, 107, "[]", "[]"));
    assert_eq!((rig.state(), rig.counts().gaps), (BookState::Resyncing, 1));
    let (_, seen) = rig.wake();
    rig.answer(seen.fetched[0].0, &snapshot(107));
    assert_eq!(rig.state(), BookState::Verified);
    // What broke after such a number asks for no snapshot that can never be.
    rig.text(&diff(108, 60_000, BID, "[]"));
    rig.text(
        r#"{"stream":"aaausdt@depth@100ms","data":{"e":"depthUpdate","s":"AAAUSDT","U":true}}"#,
    );
    assert_eq!(rig.state(), BookState::Resyncing);
    rig.text(&diff(109, 110, "[]", "[]"));
    let (_, seen) = rig.wake();
    rig.answer(seen.fetched[0].0, &snapshot(110));
    assert_eq!(rig.state(), BookState::Verified);
}
