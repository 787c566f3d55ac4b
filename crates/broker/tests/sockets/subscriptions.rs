//! The fine print of subscribe and unsubscribe.

use serde_json::json;
use topics::Pattern;

use crate::harness::{Broker, Follower, quote, trade};

#[tokio::test]
async fn overlapping_subscriptions_deliver_an_event_once() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["chat.a", "chat.*", "chat.>", ">"]).await;
    client.subscribe(&["chat.a"]).await;
    for n in 1..=20 {
        assert_eq!(client.publish("chat.a", json!(n)).await, n);
        assert_eq!(client.expect("event").await["seq"], n);
    }
    client.assert_silence().await;
    broker.ledger().await.assert_balance();
}

#[tokio::test]
async fn after_unsubscribed_nothing_more_comes() {
    let broker = Broker::start().await;
    let (mut publisher, mut client) = (broker.client().await, broker.client().await);
    client.subscribe(&["chat.a", "quote.*.A"]).await;
    for round in 0..20 {
        for n in 0..10 {
            publisher.tell("chat.a", json!(n)).await;
            publisher.tell("quote.x.A", quote(n)).await;
        }
        client.unsubscribe(&["chat.a", "quote.*.A"]).await;
        // What came before the answer is all there is.
        client.all_until_now().await;
        publisher.all_until_now().await;
        client.assert_silence().await;
        publisher.publish("chat.a", json!(round)).await;
        client.assert_silence().await;
        client.subscribe_with(&["chat.a", "quote.*.A"], json!({"snapshot": false})).await;
    }
    broker.ledger().await.assert_balance();
}

#[tokio::test]
async fn unsubscribing_what_is_not_subscribed_is_no_error() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.unsubscribe(&["chat.never", "nothing.>"]).await;
    client.subscribe(&["chat.a", "chat.*"]).await;
    client.unsubscribe(&["chat.a", "chat.a", "chat.>"]).await;
    client.publish("chat.a", json!("still covered by chat.*")).await;
    client.expect("event").await;
    client.unsubscribe(&["chat.*"]).await;
    client.publish("chat.a", json!("not covered")).await;
    client.assert_silence().await;
    client.refused(json!({"op": "unsubscribe", "topics": ["a..b"]}), "bad_topic").await;
}

#[tokio::test]
async fn a_subscribe_with_one_bad_topic_subscribes_nothing_and_names_it() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    for bad in ["chat.x*", "chat..x", "chat. ", "trade.only", ""] {
        let topics = json!(["chat.a", "chat.*", bad, "chat.b"]);
        let error = client.refused(json!({"op": "subscribe", "topics": topics}), "bad_topic").await;
        assert!(error["message"].as_str().unwrap().contains(bad), "{error}");
    }
    client.publish("chat.a", json!(1)).await;
    client.publish("chat.b", json!(1)).await;
    client.assert_silence().await;
    assert_eq!(broker.metric("tickwire_subscriptions").await, 0);
}

#[tokio::test]
async fn history_gives_the_last_events_first_where_there_is_no_state() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    for n in 1..=30 {
        client.publish("trade.x.A", trade(n)).await;
        client.publish("chat.a", json!(n)).await;
        client.publish("quote.x.A", quote(n)).await;
    }
    let answer =
        client.subscribe_with(&["trade.x.A", "chat.*", "quote.x.A"], json!({"history": 20})).await;
    assert_eq!(answer[0]["seq"], 30, "the head, not the first of the history");
    let mut trades = Follower::new("trade.x.A", 10);
    let mut chat = Follower::new("chat.a", 10);
    let mut quotes = Follower::new("quote.x.A", 30);
    while trades.seq < 30 || chat.seq < 30 || quotes.snapshots < 1 {
        let message = client.next().await;
        assert!(trades.take(&message) || chat.take(&message) || quotes.take(&message), "{message}");
    }
    client.assert_silence().await;
    client.publish("trade.x.A", trade(31)).await;
    assert!(trades.take(&client.next().await));

    let mut other = broker.client().await;
    other.subscribe_with(&["chat.a"], json!({"history": 1000})).await;
    let mut all = Follower::new("chat.a", 0);
    while all.seq < 30 {
        assert!(all.take(&other.next().await));
    }
    other.assert_silence().await;
    broker.ledger().await.assert_balance();
}

#[tokio::test]
async fn snapshot_false_begins_with_the_next_event() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.publish("quote.x.A", quote(1)).await;
    let answer = client.subscribe_with(&["quote.x.A"], json!({"snapshot": false})).await;
    assert_eq!(answer[0]["seq"], 1);
    client.assert_silence().await;
    client.publish("quote.x.A", quote(2)).await;
    assert_eq!(client.expect("event").await["seq"], 2);
}

#[tokio::test]
async fn a_generic_topic_of_which_only_the_latest_matters_has_a_state() {
    let pattern = Pattern::parse("game.*.state").unwrap();
    let broker = Broker::with(|config| config.topics.latest_only = vec![pattern]).await;
    let mut client = broker.client().await;
    client.publish("game.7.state", json!({"score": 1})).await;
    client.publish("game.7.state", json!({"score": 2})).await;
    client.publish("game.7.chat", json!("hi")).await;
    client.subscribe_with(&["game.7.*"], json!({"max_rate": 5})).await;
    let snapshot = client.expect("snapshot").await;
    assert_eq!((&snapshot["seq"], &snapshot["data"]), (&json!(2), &json!({"score": 2})));
    client.assert_silence().await;
    let command = json!({"op": "subscribe", "topics": ["game.7.chat"], "max_rate": 5});
    client.refused(command, "bad_command").await;
}

#[tokio::test]
async fn max_rate_leaves_alone_what_may_not_be_merged_and_is_refused_for_nothing_else() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    for topics in [json!(["trade.x.A"]), json!(["trade.*.A", "chat.>"])] {
        let command = json!({"op": "subscribe", "topics": topics, "max_rate": 5});
        client.refused(command, "bad_command").await;
    }
    for rate in [json!(0.09), json!(1000.1), json!(0), json!(-1), json!("5"), json!(true)] {
        let command = json!({"op": "subscribe", "topics": ["quote.x.A"], "max_rate": rate});
        client.refused(command, "bad_command").await;
    }
    client.subscribe_with(&["quote.x.A", "trade.x.A"], json!({"max_rate": 0.1})).await;
    for n in 1..=50 {
        client.publish("trade.x.A", trade(n)).await;
    }
    let mut trades = Follower::new("trade.x.A", 0);
    while trades.seq < 50 {
        assert!(trades.take(&client.next().await));
    }
    assert_eq!(trades.merged, 0);
}
