//! Unsubscribe, leave, limits, and what vanishes with the last subscriber.

use fanout::HubLimits;
use serde_json::json;
use topics::HistoryLimits;

use crate::rig::Rig;

#[test]
fn after_unsubscribed_nothing_more_comes() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X"]);
    rig.publish("trade.sim.X", 2);
    rig.say(who, json!({"op": "unsubscribe", "id": 4, "topics": ["trade.sim.X"]}));
    rig.publish("trade.sim.X", 2);
    rig.turn();
    let messages = rig.messages(who);
    let answer = json!({"op": "unsubscribed", "id": 4, "topics": ["trade.sim.X"]});
    assert_eq!(serde_json::Value::Object(messages[0].clone()), answer);
    assert_eq!(messages.len(), 1);
}

#[test]
fn what_a_slow_client_had_coming_is_dropped_with_its_subscription() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X", "trade.sim.Y"]);
    rig.takes(who, 10);
    rig.publish("trade.sim.X", 3);
    rig.publish("trade.sim.Y", 1);
    rig.turn();
    rig.say(who, json!({"op": "unsubscribe", "topics": ["trade.sim.X"]}));
    rig.takes_all(who);
    rig.turn();
    assert_eq!(rig.heard(who), ["event trade.sim.X 1", "unsubscribed", "event trade.sim.Y 1"]);
    let ledger = rig.ledger();
    assert_eq!((ledger.published, ledger.delivered, ledger.dropped), (4, 2, 2));
}

#[test]
fn subscribing_anew_in_the_same_turn_does_not_bring_back_what_was_dropped() {
    let mut rig = Rig::new();
    let who = rig.listener(&["trade.sim.X"]);
    rig.stalls(who);
    rig.publish("trade.sim.X", 2);
    rig.hub.gather();
    rig.say(who, json!({"op": "unsubscribe", "topics": ["trade.sim.X"]}));
    rig.say(who, json!({"op": "subscribe", "topics": ["trade.sim.X"]}));
    rig.turn();
    rig.takes_all(who);
    rig.publish("trade.sim.X", 1);
    rig.turn();
    assert_eq!(rig.heard(who), ["unsubscribed", "subscribed", "event trade.sim.X 3"]);
}

#[test]
fn unsubscribing_what_is_not_subscribed_is_no_error() {
    let mut rig = Rig::new();
    let who = rig.join();
    rig.say(who, json!({"op": "unsubscribe", "topics": ["trade.sim.X", "chat.*"]}));
    rig.say(who, json!({"op": "unsubscribe", "topics": ["x*"]}));
    rig.turn();
    assert_eq!(rig.heard(who), ["unsubscribed", "error bad_topic"]);
    assert!(!rig.exists("trade.sim.X"));
}

#[test]
fn one_that_left_is_not_written_to_any_more() {
    let mut rig = Rig::new();
    let (gone, there) = (rig.listener(&["trade.sim.X"]), rig.listener(&["trade.sim.X"]));
    rig.publish("trade.sim.X", 1);
    rig.hub.gather();
    rig.hub.remove(gone);
    rig.turn();
    assert_eq!((rig.heard(gone).len(), rig.heard(there).len()), (0, 1));
    assert_eq!((rig.hub.subscribers(), rig.hub.subscriptions()), (1, 1));
}

#[test]
fn a_subscriber_in_the_place_of_one_that_left_is_another() {
    let mut rig = Rig::new();
    let gone = rig.listener(&["trade.sim.X"]);
    rig.hub.remove(gone);
    rig.turn();
    let new = rig.join();
    assert_eq!((gone.index(), gone == new), (new.index(), false));
    rig.hub.reply(gone, |bytes| bytes.push(0));
    rig.hub.writable(gone);
    rig.publish("trade.sim.X", 1);
    rig.turn();
    assert!(rig.heard(new).is_empty());
}

#[test]
fn subscriptions_of_one_client_are_limited_and_each_counts_once() {
    let limits = HubLimits { subscriptions: 3, ..HubLimits::default() };
    let mut rig = Rig::with(HistoryLimits::default(), limits);
    let who = rig.join();
    for (topics, outcome) in [
        (vec!["chat.a", "chat.a", "chat.*", "chat.a"], "subscribed"),
        (vec!["chat.b", "chat.c"], "error too_many"),
        (vec!["chat.*", "chat.b"], "subscribed"),
        (vec!["chat.a", "chat.b", "chat.*"], "subscribed"),
        (vec!["chat.c"], "error too_many"),
    ] {
        rig.say(who, json!({"op": "subscribe", "topics": topics}));
        rig.turn();
        assert_eq!(rig.heard(who), [outcome], "{topics:?}");
    }
    rig.say(who, json!({"op": "unsubscribe", "topics": ["chat.a"]}));
    rig.say(who, json!({"op": "subscribe", "topics": ["chat.c"]}));
    rig.turn();
    assert_eq!(rig.heard(who), ["unsubscribed", "subscribed"]);
}

#[test]
fn topics_that_nobody_published_to_vanish_with_their_last_subscriber() {
    let mut rig = Rig::new();
    let exact = rig.listener(&["chat.x", "chat.y"]);
    let pattern = rig.listener(&["chat.*"]);
    assert!(rig.exists("chat.x") && rig.exists("chat.y"));
    rig.publish("chat.y", 1);
    rig.hub.remove(exact);
    rig.turn();
    assert!(rig.exists("chat.x"), "the pattern still covers it");
    rig.say(pattern, json!({"op": "unsubscribe", "topics": ["chat.*"]}));
    rig.turn();
    assert!(!rig.exists("chat.x"));
    assert!(rig.exists("chat.y"), "it has an event");
}

#[test]
fn a_failed_subscribe_leaves_no_topic_behind() {
    let mut rig = Rig::new();
    let who = rig.join();
    rig.say(who, json!({"op": "subscribe", "topics": ["chat.x", "a.*", "b..c"]}));
    rig.turn();
    assert!(!rig.exists("chat.x"));
}

#[test]
fn a_topic_that_came_back_goes_on_where_it_left_off_without_a_gap_for_new_subscribers() {
    let mut rig = Rig::new();
    rig.publish("chat.x", 5);
    rig.registry.sweep(u64::MAX);
    assert!(!rig.exists("chat.x"));
    let who = rig.listener(&["chat.*"]);
    rig.publish_data("chat.x", &json!(1));
    rig.turn();
    assert_eq!(rig.heard(who), ["event chat.x 6"]);
    assert_eq!(rig.ledger().published, 1);
}

#[test]
fn news_of_a_retired_topic_does_not_reach_who_subscribed_after_it_went() {
    let mut rig = Rig::new();
    let early = rig.listener(&["chat.*"]);
    rig.publish("chat.x", 3);
    rig.say(early, json!({"op": "unsubscribe", "topics": ["chat.*"]}));
    rig.hub.end_turn();
    // Its interest goes with the pattern; the mailbox still holds the topic.
    rig.registry.sweep(u64::MAX);
    let late = rig.join();
    rig.say(late, json!({"op": "subscribe", "topics": ["chat.*"]}));
    rig.turn();
    assert_eq!(rig.heard(late), ["subscribed"]);
    assert_eq!(rig.ledger().published, 0);
}
