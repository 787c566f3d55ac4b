//! What a slow or rate-limited client gets instead of everything.

use fanout::HubLimits;
use serde_json::json;
use topics::HistoryLimits;
use wire::close::Close;

use crate::rig::Rig;

#[test]
fn a_slow_quote_client_gets_the_latest_and_is_told_what_it_stands_for() {
    let mut rig = Rig::new();
    let who = rig.listener(&["quote.sim.X"]);
    rig.stalls(who);
    for _ in 0..5 {
        rig.publish("quote.sim.X", 2);
        rig.turn();
    }
    rig.takes_all(who);
    rig.turn();
    let messages = rig.messages(who);
    assert_eq!(messages.len(), 1);
    let told = (&messages[0]["from"], &messages[0]["seq"], &messages[0]["merged"]);
    assert_eq!(told, (&json!(1), &json!(10), &json!(10)));
    assert_eq!(messages[0]["data"]["bid_price"], "10.00");
    rig.publish("quote.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["event quote.sim.X 11"]);
    let ledger = rig.ledger();
    assert_eq!((ledger.published, ledger.delivered, ledger.merged), (11, 2, 9));
}

#[test]
fn a_slow_book_client_gets_one_diff_that_is_exactly_right() {
    let mut rig = Rig::new();
    let fill: Vec<_> = (1..=9).map(|n| [format!("{n}.00"), "1".to_owned()]).collect();
    rig.publish_data("book.sim.X", &json!({"bids": fill, "asks": []}));
    let who = rig.listener(&["book.sim.X"]);
    rig.stalls(who);
    for (price, size) in [("9.00", "5"), ("8.00", "7"), ("9.00", "0"), ("8.00", "6")] {
        rig.publish_data("book.sim.X", &json!({"bids": [[price, size]], "asks": []}));
        rig.turn();
    }
    rig.takes_all(who);
    rig.turn();
    let event = rig.messages(who).remove(0);
    assert_eq!((&event["op"], &event["merged"]), (&json!("event"), &json!(4)));
    assert_eq!(event["data"]["bids"], json!([["9.00", "0"], ["8.00", "6"]]));
    let digits = ["8006", "7001", "6001", "5001", "4001", "3001", "2001", "1001"].concat();
    assert_eq!(event["data"]["checksum"], crc32fast::hash(digits.as_bytes()));
}

#[test]
fn a_slow_book_client_gets_a_snapshot_where_that_is_shorter() {
    let mut rig = Rig::new();
    rig.publish("book.sim.X", 1);
    let who = rig.listener(&["book.sim.X"]);
    rig.stalls(who);
    rig.publish("book.sim.X", 3);
    rig.publish_data("book.sim.X", &json!({"reset": true, "bids": [["7.00", "1"]], "asks": []}));
    rig.turn();
    rig.takes_all(who);
    rig.turn();
    let snapshot = rig.messages(who).remove(0);
    assert_eq!((&snapshot["op"], &snapshot["seq"]), (&json!("snapshot"), &json!(5)));
    assert_eq!(snapshot["data"]["bids"], json!([["7.00", "1"]]));
}

#[test]
fn a_book_client_beyond_the_history_is_told_of_the_gap_and_gets_a_snapshot() {
    let mut rig = Rig::holding(2);
    let who = rig.listener(&["book.sim.X"]);
    rig.stalls(who);
    rig.publish("book.sim.X", 6);
    rig.turn();
    rig.takes_all(who);
    rig.turn();
    assert_eq!(rig.heard(who), ["gap book.sim.X 1..6 slow", "snapshot book.sim.X 6"]);
    assert_eq!(rig.ledger().dropped, 6);
}

#[test]
fn a_break_in_the_venues_stream_is_told_to_all_whether_in_step_or_slow() {
    let mut rig = Rig::new();
    let (quick, slow) = (rig.listener(&["book.sim.X"]), rig.listener(&["book.sim.X"]));
    rig.publish("book.sim.X", 1);
    rig.turn();
    rig.heard(slow);
    rig.stalls(slow);
    rig.publish("book.sim.X", 1);
    let fresh =
        json!({"reset": true, "bids": [["7.00", "1"]], "asks": [], "flags": ["gap_before"]});
    rig.publish_data("book.sim.X", &fresh);
    rig.publish_data("book.sim.X", &json!({"bids": [["7.50", "1"]], "asks": []}));
    rig.turn();
    let expected = ["1", "2", "gap 3..2", "3", "4"].map(|what| match what.strip_prefix("gap ") {
        Some(range) => format!("gap book.sim.X {range} upstream"),
        None => format!("event book.sim.X {what}"),
    });
    assert_eq!(rig.heard(quick), expected);
    rig.takes_all(slow);
    rig.turn();
    let told = rig.heard(slow);
    assert_eq!(told[0], "gap book.sim.X 2..1 upstream");
    assert!(told[1].ends_with("book.sim.X 4") && told.len() == 2, "{told:?}");
    let late = rig.listener(&["book.sim.X"]);
    rig.publish("book.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(late), ["event book.sim.X 5"], "what is over is not told anew");
}

#[test]
fn a_slow_trade_client_gets_each_in_order_as_long_as_the_history_holds_them() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X"]);
    rig.stalls(who);
    for _ in 0..4 {
        rig.publish("trade.sim.X", 1);
        rig.turn();
    }
    rig.takes_all(who);
    rig.turn();
    let all = [1, 2, 3, 4].map(|seq| format!("event trade.sim.X {seq}"));
    assert_eq!(rig.heard(who), all);
}

#[test]
fn a_trade_client_beyond_the_history_is_told_from_to_and_why() {
    let mut rig = Rig::holding(3);
    let who = rig.listener(&["trade.sim.X"]);
    rig.stalls(who);
    rig.publish("trade.sim.X", 1);
    rig.turn();
    rig.publish("trade.sim.X", 9);
    rig.turn();
    rig.takes_all(who);
    rig.turn();
    assert_eq!(
        rig.heard(who),
        [
            "gap trade.sim.X 1..7 slow",
            "event trade.sim.X 8",
            "event trade.sim.X 9",
            "event trade.sim.X 10"
        ]
    );
    let ledger = rig.ledger();
    assert_eq!((ledger.dropped, ledger.delivered, ledger.pending), (7, 3, 0));
    assert!(rig.closing().is_empty());
}

#[test]
fn an_event_larger_than_its_history_may_be_still_reaches_those_in_step() {
    let history = HistoryLimits { bytes: 10, ..HistoryLimits::default() };
    let mut rig = Rig::with(history, HubLimits::default());
    let who = rig.listener(&["chat.x"]);
    for _ in 0..2 {
        rig.publish_data("chat.x", &json!("far more than ten bytes"));
        rig.turn();
    }
    assert_eq!(rig.heard(who), ["event chat.x 1", "event chat.x 2"]);
}

#[test]
fn a_gap_that_was_not_taken_grows_and_is_told_once() {
    let mut rig = Rig::holding(3);
    let who = rig.listener(&["trade.sim.X"]);
    rig.stalls(who);
    rig.publish("trade.sim.X", 6);
    rig.turn();
    // It wakes up for no more than the first byte of a pong.
    rig.say(who, json!({"op": "ping", "id": 1}));
    rig.takes(who, 1);
    rig.turn();
    rig.publish("trade.sim.X", 4);
    rig.turn();
    rig.takes_all(who);
    rig.turn();
    let heard = rig.heard(who);
    assert_eq!(heard[..2], ["pong", "gap trade.sim.X 1..7 slow"]);
    assert_eq!(rig.ledger().dropped, 7);
}

#[test]
fn an_event_before_a_gap_stays_before_it_when_neither_is_taken() {
    let mut rig = Rig::holding(2);
    let who = rig.listener(&["trade.sim.X"]);
    rig.stalls(who);
    // Given at once to those in step, then lost by everyone, all within one turn.
    rig.publish("trade.sim.X", 1);
    rig.hub.gather();
    rig.publish("trade.sim.X", 5);
    rig.hub.gather();
    rig.hub.catch_up(0);
    rig.write();
    rig.takes_all(who);
    rig.turn();
    let expected = ["gap trade.sim.X 1..4 slow", "event trade.sim.X 5", "event trade.sim.X 6"];
    assert_eq!(rig.heard(who), expected);
    assert_eq!(rig.ledger().dropped, 4);
}

#[test]
fn who_asked_to_be_disconnected_is_named_once_when_trades_are_lost_to_it() {
    let mut rig = Rig::holding(3);
    let who = rig.join();
    let topics = ["trade.sim.X", "trade.sim.Y", "quote.sim.X"];
    rig.say(who, json!({"op": "subscribe", "topics": topics, "on_slow": "disconnect"}));
    rig.stalls(who);
    rig.turn();
    rig.publish("quote.sim.X", 9);
    rig.takes_all(who);
    rig.turn();
    assert!(rig.closing().is_empty(), "quotes are merged, not lost");
    rig.stalls(who);
    rig.publish("trade.sim.X", 1);
    rig.turn();
    rig.publish("trade.sim.X", 9);
    rig.publish("trade.sim.Y", 9);
    rig.takes_all(who);
    rig.turn();
    assert_eq!(rig.closing(), [(who, Close::SLOW)]);
}

#[test]
fn the_strictest_of_overlapping_subscriptions_decides_on_slow() {
    let mut rig = Rig::holding(3);
    let who = rig.listener(&["trade.sim.X"]);
    rig.say(who, json!({"op": "subscribe", "topics": ["trade.>"], "on_slow": "disconnect"}));
    rig.publish("trade.sim.X", 9);
    rig.turn();
    assert_eq!(rig.closing(), [(who, Close::SLOW)]);
}

#[test]
fn max_rate_merges_and_spaces() {
    let mut rig = Rig::new();
    let who = rig.join();
    let topics = ["quote.sim.X", "trade.sim.X"];
    rig.say(who, json!({"op": "subscribe", "topics": topics, "max_rate": 20}));
    rig.turn();
    rig.heard(who);
    for now in (0..=100).step_by(10) {
        rig.now = now;
        rig.publish("quote.sim.X", 1);
        rig.publish("trade.sim.X", 1);
        rig.turn();
    }
    let (trades, quotes): (Vec<_>, Vec<_>) =
        rig.heard(who).into_iter().partition(|line| line.contains("trade"));
    assert_eq!(trades.len(), 11, "trades are left alone");
    // The timer fires before the turn takes in what is new.
    assert_eq!(
        quotes,
        ["event quote.sim.X 1", "event quote.sim.X 2..6", "event quote.sim.X 7..11"]
    );
}

#[test]
fn a_paced_client_that_missed_nothing_gets_the_next_event_at_once() {
    let mut rig = Rig::new();
    let who = rig.join();
    rig.say(who, json!({"op": "subscribe", "topics": ["quote.sim.X"], "max_rate": 1}));
    rig.publish("quote.sim.X", 1);
    rig.rest();
    assert_eq!(rig.hub.next_timer(), None);
    rig.heard(who);
    rig.publish("quote.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["event quote.sim.X 2"]);
}

#[test]
fn the_fastest_of_overlapping_subscriptions_decides_the_rate() {
    let mut rig = Rig::new();
    let who = rig.join();
    rig.say(who, json!({"op": "subscribe", "topics": ["quote.>"], "max_rate": 1}));
    rig.say(who, json!({"op": "subscribe", "topics": ["quote.sim.X"]}));
    for _ in 0..3 {
        rig.publish("quote.sim.X", 1);
        rig.turn();
    }
    let heard = rig.heard(who);
    let unpaced = [1, 2, 3].map(|seq| format!("event quote.sim.X {seq}"));
    assert_eq!(heard[2..], unpaced);
}

#[test]
fn a_slower_rate_holds_from_the_next_event_on() {
    let mut rig = Rig::new();
    let who = rig.join();
    let subscribe = |rig: &mut Rig, rate: u32| {
        let command = json!({"op": "subscribe", "topics": ["quote.sim.X"], "max_rate": rate,
            "snapshot": false});
        rig.say(who, command);
    };
    subscribe(&mut rig, 100);
    rig.publish("quote.sim.X", 1);
    rig.turn();
    subscribe(&mut rig, 10);
    rig.heard(who);
    for now in 1..=250 {
        rig.now = now;
        rig.publish("quote.sim.X", 1);
        rig.turn();
    }
    let events = rig.heard(who).iter().filter(|line| line.starts_with("event")).count();
    assert_eq!(events, 3, "at 1, 101 and 201 ms");
}

#[test]
fn no_topic_of_a_very_slow_client_waits_for_ever() {
    let mut rig = Rig::new();
    let who = rig.listener(&["quote.>"]);
    rig.stalls(who);
    let mut heard = Vec::new();
    for _ in 0..12 {
        for topic in ["quote.sim.A", "quote.sim.B", "quote.sim.C"] {
            rig.publish(topic, 1);
        }
        // About one frame each time.
        rig.takes(who, 190);
        rig.turn();
        heard.extend(rig.heard(who));
    }
    for topic in ["quote.sim.A", "quote.sim.B", "quote.sim.C"] {
        let count = heard.iter().filter(|line| line.contains(topic)).count();
        assert!(count > 1, "{topic} in {heard:?}");
    }
}

#[test]
fn a_slow_client_costs_neither_the_others_nor_memory() {
    let mut rig = Rig::new();
    let (fast, slow) = (rig.listener(&["trade.>"]), rig.listener(&["trade.>"]));
    rig.stalls(slow);
    for _ in 0..100 {
        rig.publish("trade.sim.X", 5);
        rig.turn();
        assert_eq!(rig.heard(fast).len(), 5);
    }
    assert!(rig.hub.unsent(slow) < 300, "half a frame at most");
}

#[test]
fn one_turn_gives_a_slow_client_no_more_than_its_share() {
    let limits = HubLimits { catch_up_bytes: 400, ..HubLimits::default() };
    let mut rig = Rig::with(HistoryLimits::default(), limits);
    // Of those that share frames none gets more than its share either.
    let two = [rig.listener(&["trade.>", "quote.>"]), rig.listener(&["trade.>", "quote.>"])];
    for who in two {
        rig.stalls(who);
    }
    for topic in ["quote.sim.A", "quote.sim.B", "quote.sim.C", "quote.sim.D", "quote.sim.E"] {
        rig.publish(topic, 1);
    }
    rig.publish("trade.sim.X", 5);
    rig.turn();
    for who in two {
        rig.takes_all(who);
    }
    rig.turn();
    for who in two {
        assert!(rig.heard(who).len() <= 4);
    }
    rig.rest();
    for who in two {
        assert!(rig.hub.is_settled(who));
    }
    assert_eq!(rig.ledger().pending, 0);
}
