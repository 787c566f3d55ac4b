//! Tests of the adapter for Bitstamp: what it is given, and what is seen of it.

use super::*;
use crate::adapter::BookState;
use crate::venue::rig::ID;
use market::{Aggressor, BookSide, Flags};
use proptest::prelude::*;

type Rig = crate::venue::rig::Rig<Bitstamp>;

impl Rig {
    fn connected() -> Self {
        let options = DeskOptions {
            venue: "bitstamp".into(),
            symbols: vec!["AAAUSD".into()],
            ..DeskOptions::default()
        };
        let mut rig = Self::on(Bitstamp::new(options));
        rig.give(Input::Connected);
        rig
    }

    /// With a book as it was at 1000.
    fn live() -> Self {
        let mut rig = Self::connected();
        rig.text(&diff(990, "[]", "[]"));
        let request = rig.fetched().0;
        assert_eq!(rig.answer(request, &snapshot(1_000)).books.len(), 1);
        rig
    }

    /// Waits until a snapshot is asked for.
    fn fetched(&mut self) -> (u32, String) {
        for _ in 0..10 {
            self.now = self.wake_at.take().unwrap();
            if let Some(fetched) = self.give(Input::Timer).fetched.pop() {
                return fetched;
            }
        }
        panic!("nothing is asked for");
    }

    fn best(&self) -> String {
        let best = |side| self.adapter.desk().best(ID, side).unwrap();
        let (bid, ask) = (best(BookSide::Bid), best(BookSide::Ask));
        format!("{}x{} {}x{}", bid.size, bid.price, ask.size, ask.price)
    }
}

fn diff(at: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"data":{{"timestamp":"0","microtimestamp":"{at}","bids":{bids},"asks":{asks}}},"channel":"diff_order_book_aaausd","event":"data"}}"#
    )
}

fn snapshot(at: u64) -> String {
    format!(
        r#"{{"timestamp": "0", "microtimestamp": "{at}", "bids": [["9.90", "1.0"]], "asks": [["10.10", "2.0"]]}}"#
    )
}

fn trade(id: u64) -> String {
    format!(
        r#"{{"data":{{"id":{id},"timestamp":"1700000000","amount":0.1,"amount_str":"0.10000000","price":10.1,"price_str":"10.10","type":1,"microtimestamp":"1700000000123456","buy_order_id":1,"sell_order_id":2}},"channel":"live_trades_aaausd","event":"trade"}}"#
    )
}

#[test]
fn trades_keep_their_digits_and_name_the_taker() {
    let mut rig = Rig::connected();
    let first = &rig.text(&trade(5)).trades[0];
    assert_eq!(
        (first.price.to_string(), first.size.to_string()),
        ("10.10".into(), "0.10000000".into())
    );
    assert_eq!((first.side, &*first.trade_id), (Aggressor::Sell, "5"));
    assert_eq!(first.stamps.event, Some(1_700_000_000_123_456_000));
    // The same again is the same.
    assert!(rig.text(&trade(5)).trades.is_empty());
    // The smallest sizes are written with an exponent; other keys first.
    let other = r#"{"event": "trade", "channel": "live_trades_aaausd", "data": {"amount_str": "1E-8", "amount": 1e-08, "price": 10.1, "id": 6, "type": 0, "microtimestamp": "0"}}"#;
    let second = &rig.text(other).trades[0];
    assert_eq!(
        (second.price.to_string(), second.size.to_string()),
        ("10.1".into(), "0.00000001".into())
    );
    assert_eq!(second.side, Aggressor::Buy);
    assert_eq!((second.stamps.event, second.stamps.flags), (None, Flags::BAD_TIMESTAMP));
    assert_eq!(rig.counts().trades, 2);
    assert_eq!(rig.adapter.desk().channels()[1].topic, "trade.bitstamp.AAA-USD");
}

#[test]
fn a_connection_begins_with_all_channels_and_beats() {
    let mut rig = Rig::connected();
    rig.give(Input::Disconnected { reason: "cut" });
    let seen = rig.give(Input::Connected);
    assert_eq!(
        seen.sent,
        [
            r#"{"event":"bts:subscribe","data":{"channel":"live_trades_aaausd"}}"#,
            r#"{"event":"bts:subscribe","data":{"channel":"diff_order_book_aaausd"}}"#,
        ]
    );
    for beat in 1..=3 {
        rig.now = rig.wake_at.take().unwrap();
        assert_eq!(rig.now, (1_700_000_000 + 30 * beat) * SECOND);
        assert_eq!(rig.give(Input::Timer).sent, [r#"{"event":"bts:heartbeat"}"#]);
    }
    rig.text(r#"{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}"#);
    assert_eq!(rig.adapter.desk().counts.unknown, 0);
    assert_eq!(rig.give(Input::Silent).states(), [VenueState::Stale]);
}

#[test]
fn demand_subscribes_and_unsubscribes() {
    let mut rig = Rig::live();
    let want =
        |rig: &mut Rig, stream, wanted| rig.give(Input::Demand { symbol: ID, stream, wanted }).sent;
    assert_eq!(
        want(&mut rig, Stream::Book, false),
        [r#"{"event":"bts:unsubscribe","data":{"channel":"diff_order_book_aaausd"}}"#]
    );
    assert!(rig.text(&diff(1_001, "[]", "[]")).books.is_empty());
    assert_eq!(want(&mut rig, Stream::Book, false), [""; 0]);
    assert_eq!(want(&mut rig, Stream::Quotes, false), [""; 0]);
    assert_eq!(want(&mut rig, Stream::Book, true).len(), 1);
    rig.text(&diff(1_001, "[]", "[]"));
    let request = rig.fetched().0;
    assert_eq!(rig.answer(request, &snapshot(1_001)).books.len(), 1);
}

#[test]
fn a_snapshot_is_joined_by_time_and_never_called_verified() {
    let mut rig = Rig::connected();
    let confirmed =
        r#"{"event":"bts:subscription_succeeded","channel":"diff_order_book_aaausd","data":{}}"#;
    rig.text(confirmed);
    rig.text(&diff(990, r#"[["9.90","7"]]"#, "[]"));
    rig.text(&diff(1_000, r#"[["9.90","8"]]"#, "[]"));
    rig.text(&diff(1_010, r#"[["9.91","9"]]"#, "[]"));
    let began = rig.now;
    let (request, path) = rig.fetched();
    assert_eq!((rig.now - began, &*path), (REST_LAG, "/api/v2/order_book/aaausd/"));
    let seen = rig.answer(request, &snapshot(1_000));
    let flags: Vec<_> = seen.books.iter().map(|diff| diff.stamps.flags).collect();
    assert_eq!(flags, [Flags::UNVERIFIED; 2]);
    assert_eq!(seen.books[1].stamps.event, Some(1_010_000));
    assert_eq!(seen.books[1].stamps.sequence, None);
    assert_eq!((rig.state(), &*rig.best()), (BookState::Unverifiable, "9x9.91 2.0x10.10"));
    let counts = rig.counts();
    assert_eq!((counts.book_events, counts.snapshots, counts.stale), (3, 1, 2));
    // One that came twice changes nothing.
    assert_eq!(rig.text(&diff(1_010, r#"[["9.91","9"]]"#, "[]")).books.len(), 0);
}

#[test]
fn a_quiet_pair_has_its_book_too() {
    let mut rig = Rig::connected();
    rig.text(r#"{"event":"bts:subscription_succeeded","channel":"diff_order_book_aaausd"}"#);
    assert_eq!(rig.adapter.desk().counts.unknown, 1, "without data it is something else");
    rig.text(
        r#"{"event":"bts:subscription_succeeded","channel":"diff_order_book_aaausd","data":{}}"#,
    );
    let request = rig.fetched().0;
    assert_eq!(rig.answer(request, &snapshot(1_000)).books.len(), 1);
    assert_eq!(rig.text(&diff(1_500, "[]", r#"[["10.05","1"]]"#)).books.len(), 1);
    assert_eq!(rig.best(), "1.0x9.90 1x10.05");
}

#[test]
fn a_snapshot_older_than_the_stream_is_taken_only_when_none_better_comes() {
    for better in [true, false] {
        let mut rig = Rig::connected();
        rig.text(&diff(2_000, r#"[["9.95","1"]]"#, "[]"));
        let request = rig.fetched().0;
        assert!(rig.answer(request, &snapshot(1_000)).books.is_empty());
        let request = rig.fetched().0;
        if better {
            assert_eq!(rig.answer(request, &snapshot(2_000)).books.len(), 1);
            continue;
        }
        assert!(rig.text(&diff(2_001, "[]", "[]")).books.is_empty());
        rig.now += DOUBT_MAX;
        assert_eq!(rig.text(&diff(2_002, "[]", "[]")).books.len(), 4);
        assert_eq!(rig.best(), "1x9.95 2.0x10.10");
    }
}

#[test]
fn a_crossed_book_and_a_broken_order_bring_a_new_snapshot() {
    let mut rig = Rig::live();
    let seen = rig.text(&diff(1_010, r#"[["10.10","1"]]"#, "[]"));
    assert_eq!((seen.books.len(), seen.states()), (0, vec![VenueState::Resync]));
    assert_eq!((rig.state(), rig.counts().crossed), (BookState::Resyncing, 1));
    rig.text(&diff(1_020, "[]", r#"[["10.20","1"]]"#));
    // It lags: the cause of it all could be in it.
    let request = rig.fetched().0;
    assert!(rig.answer(request, &snapshot(1_009)).books.is_empty());
    let request = rig.fetched().0;
    let seen = rig.answer(request, &snapshot(1_020));
    assert_eq!(seen.states(), [VenueState::Up]);
    assert_eq!(seen.books[0].stamps.flags, Flags::GAP_BEFORE.with(Flags::UNVERIFIED));

    rig.text(&diff(1_030, "[]", "[]"));
    let seen = rig.text(&diff(1_025, "[]", "[]"));
    assert_eq!((seen.states(), rig.counts().gaps), (vec![VenueState::Resync], 1));
    let request = rig.fetched().0;
    assert!(rig.answer(request, &snapshot(1_029)).books.is_empty());
    let request = rig.fetched().0;
    assert_eq!(rig.answer(request, &snapshot(1_030)).books.len(), 1);
}

#[test]
fn rest_that_fails_is_asked_again_and_what_is_not_there_is_not() {
    let mut rig = Rig::connected();
    rig.text(&diff(1_000, "[]", "[]"));
    let mut request = rig.fetched().0;
    for status in [500, 429, 403] {
        rig.give(Input::Answer { request, status, retry_after: None, body: b"<html>" });
        let before = rig.now;
        request = rig.fetched().0;
        assert!(rig.now - before >= SECOND / 2, "{status}");
    }
    rig.answer(request, "<html>");
    assert_eq!(rig.adapter.desk().counts.malformed, 1);
    request = rig.fetched().0;
    rig.give(Input::NoAnswer { request, reason: "timeout" });
    request = rig.fetched().0;
    let seen = rig.give(Input::Answer { request, status: 404, retry_after: None, body: b"" });
    assert_eq!((seen.states(), seen.reports.len()), (vec![VenueState::Down], 1));
    for at in 1_001..1_005 {
        assert!(rig.text(&diff(at, "[]", "[]")).reports.is_empty());
        assert!(!rig.adapter.fetches.changed());
    }
}

#[test]
fn the_rest_of_the_protocol() {
    let mut rig = Rig::connected();
    let ask = r#"{"event":"bts:request_reconnect","channel":"","data":""}"#;
    assert_eq!((rig.text(ask).reconnects, rig.text(ask).reconnects), (1, 0));
    rig.give(Input::Connected);
    assert_eq!(rig.text(r#"{"event":"bts:request_reconnect"}"#).reconnects, 1);

    let error = |channel: &str| {
        format!(
            r#"{{"event":"bts:error","channel":"{channel}","data":{{"code":null,"message":"Bad \"x\""}}}}"#
        )
    };
    let seen = rig.text(&error("diff_order_book_aaausd"));
    assert_eq!((seen.states(), seen.reports.len()), (vec![VenueState::Down], 1));
    assert_eq!((rig.text(&error("")).reports.len(), rig.text(&error("")).reports.len()), (1, 0));

    for event in ["order_created", "order_changed", "order_deleted"] {
        rig.text(&format!(
            r#"{{"data":{{"id":1}},"channel":"live_orders_aaausd","event":"{event}"}}"#
        ));
    }
    rig.text(&diff(1, "[]", "[]").replace("diff_order", "detail_order"));
    assert_eq!((rig.adapter.desk().counts.unused, rig.adapter.desk().counts.unknown), (4, 0));
    for unknown in [
        r#"{"data":{},"channel":"funding_rate_aaausd","event":"funding_rate_saved"}"#,
        r#"{"data":{},"channel":"x","event":"data"}"#,
        r#"{"bids":[],"asks":[]}"#,
        "[]",
    ] {
        rig.text(unknown);
    }
    assert_eq!(rig.adapter.desk().counts.unknown, 4);
    // The best levels alone, where no diffs come.
    let best = |at| diff(at, r#"[["9.90","1"]]"#, "[]").replace("diff_order", "order");
    assert_eq!((rig.text(&best(5)).books.len(), rig.text(&best(4)).books.len()), (1, 0));
    assert_eq!(rig.state(), BookState::Unverifiable);
    assert_eq!(rig.adapter.desk().counts.malformed, 0);
}

#[test]
fn a_known_message_of_another_form_is_counted_and_its_book_had_anew() {
    let mut rig = Rig::live();
    let seen = rig.text(&diff(1_010, r#"[["9.90"]]"#, "[]"));
    assert_eq!((seen.states(), seen.reports.len()), (vec![VenueState::Up, VenueState::Resync], 1));
    assert_eq!((rig.counts().malformed, rig.adapter.desk().counts.malformed), (1, 1));
    let request = rig.fetched().0;
    assert_eq!(rig.answer(request, &snapshot(1_020)).books.len(), 1);
    rig.text(&trade(1));
    for wrong in [
        trade(2).replace(r#""type":1"#, r#""type":2"#),
        trade(2).replace(r#""id":2,"#, ""),
        trade(2).replace("10.10", "x"),
        trade(2).replace("0.10000000", "-1"),
    ] {
        assert!(rig.text(&wrong).trades.is_empty(), "{wrong}");
    }
    assert!(rig.text(&trade(3)).trades[0].stamps.flags.has(Flags::GAP_BEFORE));
    rig.text("{\"event\":5}");
    rig.text(&trade(4)[..50]);
    assert_eq!((rig.counts().malformed, rig.adapter.desk().counts.malformed), (5, 7));
    assert_eq!(rig.state(), BookState::Unverifiable);
}

proptest! {
    #[test]
    fn neither_any_bytes_nor_changed_messages_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        which in 0usize..3,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut rig = Rig::live();
        rig.give(Input::Text(&bytes));
        let level = r#"[["9.90","1"]]"#;
        let mut text = [diff(1_001, level, level), trade(5), snapshot(1_000)][which].clone().into_bytes();
        for (at, byte) in edits {
            let at = at.index(text.len());
            text[at] = byte;
        }
        rig.give(Input::Text(&text));
        rig.give(Input::Binary(&text[..text.len() / 2]));
        rig.give(Input::Answer { request: 2, status: 200, retry_after: None, body: &text });
        prop_assert_ne!(rig.state(), BookState::Verified);
        let book = rig.adapter.desk().symbol(ID).book();
        prop_assert!(rig.state() == BookState::Resyncing || !book.is_crossed());
    }
}
