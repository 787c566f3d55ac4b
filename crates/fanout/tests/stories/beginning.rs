//! How a subscription begins: state, then every later event, each once.

use serde_json::json;
use wire::Codec;

use crate::rig::Rig;

#[test]
fn a_new_subscriber_gets_the_state_and_then_every_later_event() {
    let mut rig = Rig::new();
    rig.publish("quote.sim.X", 4);
    let who = rig.join();
    rig.say(who, json!({"op": "subscribe", "id": 1, "topics": ["quote.sim.X"]}));
    rig.turn();
    let messages = rig.messages(who);
    assert_eq!(
        serde_json::Value::Object(messages[0].clone()),
        json!({"op": "subscribed", "id": 1,
            "topics": [{"topic": "quote.sim.X", "epoch": "77", "seq": 4}]})
    );
    assert_eq!(
        serde_json::Value::Object(messages[1].clone()),
        json!({"op": "snapshot", "topic": "quote.sim.X", "epoch": "77", "seq": 4, "ts": "1",
            "data": {"bid_price": "4.00", "bid_size": "1", "ask_price": "4.00", "ask_size": "1",
                "ts_recv": "1"}})
    );
    rig.publish("quote.sim.X", 2);
    rig.turn();
    assert_eq!(rig.heard(who), ["event quote.sim.X 5", "event quote.sim.X 6"]);
}

#[test]
fn both_codecs_are_told_the_same() {
    let mut rig = Rig::new();
    let both = Codec::ALL.map(|codec| rig.join_with(codec));
    for who in both {
        rig.say(who, json!({"op": "subscribe", "topics": [">"]}));
    }
    for topic in ["trade.sim.X", "quote.sim.X", "book.sim.X", "chat.x", "game.1.state"] {
        rig.publish(topic, 2);
    }
    rig.turn();
    let [json, msgpack] = both.map(|who| rig.messages(who));
    assert_eq!(json.len(), 11);
    assert_eq!(json, msgpack);
}

#[test]
fn an_event_published_before_the_subscribe_and_not_gathered_yet_is_in_the_snapshot_alone() {
    let mut rig = Rig::new();
    let early = rig.listener(&["quote.sim.X"]);
    rig.publish("quote.sim.X", 3);
    let late = rig.join();
    rig.say(late, json!({"op": "subscribe", "topics": ["quote.sim.X"]}));
    rig.turn();
    assert_eq!(rig.heard(late), ["subscribed", "snapshot quote.sim.X 3"]);
    let events = ["event quote.sim.X 1", "event quote.sim.X 2", "event quote.sim.X 3"];
    assert_eq!(rig.heard(early), events);
}

#[test]
fn a_topic_without_an_event_is_answered_with_0_and_begins_with_1() {
    let mut rig = Rig::new();
    let who = rig.join();
    rig.say(who, json!({"op": "subscribe", "topics": ["quote.sim.X"]}));
    rig.turn();
    let subscribed = rig.messages(who).remove(0);
    assert_eq!(subscribed["topics"][0]["seq"], 0);
    rig.publish("quote.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["event quote.sim.X 1"]);
}

#[test]
fn snapshot_false_begins_with_the_next_event() {
    let mut rig = Rig::new();
    rig.publish("book.sim.X", 3);
    let who = rig.join();
    rig.say(who, json!({"op": "subscribe", "topics": ["book.sim.X"], "snapshot": false}));
    rig.publish("book.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["subscribed", "event book.sim.X 4"]);
}

#[test]
fn history_gives_the_last_events_of_topics_without_a_state_first() {
    let mut rig = Rig::new();
    rig.publish("trade.sim.X", 9);
    rig.publish("quote.sim.X", 9);
    let who = rig.join();
    let topics = ["trade.sim.X", "quote.sim.X"];
    rig.say(who, json!({"op": "subscribe", "topics": topics, "history": 2}));
    rig.publish("trade.sim.X", 1);
    rig.turn();
    let mut heard = rig.heard(who);
    heard.sort();
    assert_eq!(
        heard,
        [
            "event trade.sim.X 10",
            "event trade.sim.X 8",
            "event trade.sim.X 9",
            "snapshot quote.sim.X 9",
            "subscribed"
        ]
    );
}

#[test]
fn history_never_reaches_further_than_what_is_held() {
    let mut rig = Rig::holding(3);
    rig.publish("chat.x", 9);
    let who = rig.join();
    rig.say(who, json!({"op": "subscribe", "topics": ["chat.x"], "history": 100}));
    rig.turn();
    assert_eq!(
        rig.heard(who),
        ["subscribed", "event chat.x 7", "event chat.x 8", "event chat.x 9"]
    );
    assert_eq!(rig.ledger().published, 3);
}

#[test]
fn overlapping_subscriptions_deliver_once() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X", "trade.*.X", "trade.>", "trade.sim.X"]);
    rig.publish("trade.sim.X", 2);
    rig.turn();
    assert_eq!(rig.heard(who), ["event trade.sim.X 1", "event trade.sim.X 2"]);
    assert_eq!(rig.ledger().published, 2);
    rig.say(who, json!({"op": "unsubscribe", "topics": ["trade.>", "trade.sim.X"]}));
    rig.publish("trade.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["unsubscribed", "event trade.sim.X 3"]);
}

#[test]
fn a_pattern_covers_later_topics_from_their_first_event() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.>", "quote.sim.*"]);
    rig.publish("trade.sim.NEW", 2);
    rig.publish("quote.sim.NEW", 1);
    rig.turn();
    let expected = ["event trade.sim.NEW 1", "event trade.sim.NEW 2", "event quote.sim.NEW 1"];
    assert_eq!(rig.heard(who), expected);
}

#[test]
fn who_subscribes_a_new_topic_exactly_takes_nothing_from_those_whose_pattern_covers_it() {
    let mut rig = Rig::new();
    let pattern = rig.listener(&["chat.*"]);
    rig.publish("chat.new", 2);
    let exact = rig.join();
    rig.say(exact, json!({"op": "subscribe", "topics": ["chat.new"]}));
    rig.publish("chat.new", 1);
    rig.turn();
    let all = ["event chat.new 1", "event chat.new 2", "event chat.new 3"];
    assert_eq!(rig.heard(pattern), all);
    assert_eq!(rig.heard(exact), ["subscribed", "event chat.new 3"]);
}

#[test]
fn a_publisher_that_subscribes_gets_its_own_events() {
    let mut rig = Rig::new();
    let who = rig.listener(&["chat.x"]);
    rig.say(who, json!({"op": "publish", "topic": "chat.x", "data": "hello"}));
    rig.turn();
    assert_eq!(rig.messages(who)[0]["data"], "hello");
}

#[test]
fn subscribing_again_gives_a_fresh_snapshot() {
    let mut rig = Rig::new();
    rig.publish("quote.sim.X", 1);
    let who = rig.listener(&["quote.sim.X"]);
    rig.publish("quote.sim.X", 1);
    rig.say(who, json!({"op": "subscribe", "topics": ["quote.sim.X"]}));
    rig.turn();
    assert_eq!(rig.heard(who), ["event quote.sim.X 2", "subscribed", "snapshot quote.sim.X 2"]);
    rig.publish("quote.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["event quote.sim.X 3"]);
}

#[test]
fn subscribe_is_all_or_nothing_and_the_error_names_the_bad_one() {
    let mut rig = Rig::new();
    let who = rig.join();
    let topics = ["trade.sim.X", "chat.*", "bad..topic"];
    rig.say(who, json!({"op": "subscribe", "id": "mine", "topics": topics}));
    rig.publish("trade.sim.X", 1);
    rig.publish("chat.x", 1);
    rig.turn();
    let messages = rig.messages(who);
    assert_eq!((messages.len(), &messages[0]["id"]), (1, &json!("mine")));
    assert!(messages[0]["message"].as_str().unwrap().contains("bad..topic"));
    assert_eq!(rig.hub.subscriptions(), 0);
}

#[test]
fn max_rate_where_nothing_may_be_merged_is_refused() {
    let mut rig = Rig::new();
    let who = rig.join();
    for (topic, outcome) in [
        ("trade.sim.X", "error bad_command"),
        ("chat.*", "error bad_command"),
        ("game.*.state", "subscribed"),
        ("game.1.state", "subscribed"),
        ("*.sim.X", "subscribed"),
    ] {
        rig.say(who, json!({"op": "subscribe", "topics": [topic], "max_rate": 5}));
        rig.turn();
        assert_eq!(rig.heard(who), [outcome], "{topic}");
    }
}
