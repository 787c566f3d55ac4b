//! A client that returns: with what it missed, or told why not.

use serde_json::{Value, json};

use crate::rig::{EPOCH, Rig};

fn resume(topics: &[&str], topic: &str, epoch: u64, seq: u64) -> Value {
    json!({"op": "subscribe", "topics": topics,
        "resume": {topic: {"epoch": epoch.to_string(), "seq": seq}}})
}

#[test]
fn who_returns_in_time_gets_every_trade_it_missed_and_no_snapshot() {
    let mut rig = Rig::new();
    rig.publish("trade.sim.X", 5);
    let who = rig.join();
    rig.say(who, resume(&["trade.sim.X"], "trade.sim.X", EPOCH, 3));
    rig.turn();
    assert_eq!(rig.heard(who), ["subscribed", "event trade.sim.X 4", "event trade.sim.X 5"]);
}

#[test]
fn who_returns_in_time_gets_one_merged_event_of_what_merges_and_no_snapshot() {
    let mut rig = Rig::new();
    rig.publish("quote.sim.X", 5);
    rig.publish("book.sim.X", 5);
    for topic in ["quote.sim.X", "book.sim.X"] {
        let who = rig.join();
        rig.say(who, resume(&[topic], topic, EPOCH, 3));
        rig.turn();
        assert_eq!(rig.heard(who), ["subscribed".to_owned(), format!("event {topic} 4..5")]);
    }
}

#[test]
fn who_missed_nothing_gets_nothing() {
    let mut rig = Rig::new();
    rig.publish("quote.sim.X", 5);
    let who = rig.join();
    rig.say(who, resume(&["quote.>"], "quote.sim.X", EPOCH, 5));
    rig.turn();
    rig.publish("quote.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["subscribed", "event quote.sim.X 6"]);
}

#[test]
fn where_the_history_no_longer_reaches_a_gap_says_so() {
    let mut rig = Rig::holding(2);
    rig.publish("trade.sim.X", 9);
    rig.publish("book.sim.X", 9);
    let who = rig.join();
    rig.say(who, resume(&["trade.sim.X"], "trade.sim.X", EPOCH, 3));
    rig.turn();
    let expected = [
        "subscribed",
        "gap trade.sim.X 4..7 history",
        "event trade.sim.X 8",
        "event trade.sim.X 9",
    ];
    assert_eq!(rig.heard(who), expected);
    rig.say(who, resume(&["book.sim.X"], "book.sim.X", EPOCH, 3));
    rig.turn();
    let expected = ["subscribed", "gap book.sim.X 4..9 history", "snapshot book.sim.X 9"];
    assert_eq!(rig.heard(who), expected);
}

#[test]
fn a_gap_keeps_its_reason_while_nobody_takes_it() {
    let mut rig = Rig::holding(2);
    rig.publish("trade.sim.X", 9);
    let who = rig.join();
    rig.stalls(who);
    rig.say(who, resume(&["trade.sim.X"], "trade.sim.X", EPOCH, 3));
    rig.turn();
    rig.takes_all(who);
    rig.turn();
    assert_eq!(rig.heard(who)[..2], ["subscribed", "gap trade.sim.X 4..7 history"]);
}

#[test]
fn another_epoch_is_a_restart_from_1_to_the_head() {
    let mut rig = Rig::new();
    rig.publish("quote.sim.X", 5);
    rig.publish("trade.sim.X", 5);
    let who = rig.join();
    rig.say(who, resume(&["quote.sim.X"], "quote.sim.X", EPOCH - 1, 3));
    rig.turn();
    let messages = rig.messages(who);
    assert_eq!(
        Value::Object(messages[1].clone()),
        json!({"op": "gap", "topic": "quote.sim.X", "from": 1, "to": 5, "reason": "restart",
            "epoch": "77"})
    );
    assert_eq!(messages[2]["op"], "snapshot");
    rig.say(who, resume(&["trade.sim.X"], "trade.sim.X", EPOCH - 1, 3));
    rig.publish("trade.sim.X", 1);
    rig.turn();
    let expected = ["subscribed", "gap trade.sim.X 1..5 restart", "event trade.sim.X 6"];
    assert_eq!(rig.heard(who), expected);
}

#[test]
fn a_position_in_the_future_is_a_restart_too() {
    let mut rig = Rig::new();
    rig.publish("chat.x", 2);
    let who = rig.join();
    rig.say(who, resume(&["chat.x"], "chat.x", EPOCH, 3));
    rig.turn();
    assert_eq!(rig.heard(who), ["subscribed", "gap chat.x 1..2 restart"]);
}

#[test]
fn what_follows_a_restart_begins_right_after_it_with_history_too() {
    let mut rig = Rig::new();
    rig.publish("chat.x", 5);
    let who = rig.join();
    let mut command = resume(&["chat.x"], "chat.x", EPOCH + 1, 3);
    command["history"] = json!(2);
    rig.say(who, command);
    rig.turn();
    let expected = ["subscribed", "gap chat.x 1..3 restart", "event chat.x 4", "event chat.x 5"];
    assert_eq!(rig.heard(who), expected);
}

#[test]
fn a_position_in_a_topic_that_is_gone_is_answered_though_only_a_pattern_covers_it() {
    let mut rig = Rig::new();
    rig.publish("trade.sim.OLD", 5);
    assert_eq!(rig.registry.sweep(u64::MAX), 1);
    let (who, other) = (rig.join(), rig.join());
    rig.say(who, resume(&["trade.>"], "trade.sim.OLD", EPOCH, 3));
    rig.say(other, resume(&["trade.>"], "trade.sim.NEW", EPOCH - 1, 3));
    rig.turn();
    assert_eq!(rig.heard(who), ["subscribed", "gap trade.sim.OLD 4..5 history"]);
    assert_eq!(rig.heard(other), ["subscribed", "gap trade.sim.NEW 1..0 restart"]);
    rig.publish("trade.sim.OLD", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["event trade.sim.OLD 6"]);
}

#[test]
fn a_position_outside_the_subscription_is_refused() {
    let mut rig = Rig::new();
    let who = rig.join();
    rig.say(who, resume(&["trade.>"], "quote.sim.X", EPOCH, 3));
    rig.turn();
    let messages = rig.messages(who);
    assert_eq!(messages[0]["code"], "bad_command");
    assert!(messages[0]["message"].as_str().unwrap().contains("quote.sim.X"));
}
