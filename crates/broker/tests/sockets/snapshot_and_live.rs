//! Promise 1: the current state, then every later event, whoever publishes and subscribes when.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{Broker, Client, Data, Follower, bar, book, quote, trade, within};

#[tokio::test]
async fn the_current_state_comes_first_and_then_every_event() {
    let broker = Broker::start().await;
    let mut publisher = broker.client().await;
    let kinds: [(&str, Data, bool); 5] = [
        ("quote.x.A", quote, true),
        ("book.x.A", book, true),
        ("bar-1s.x.A", bar, true),
        ("trade.x.A", trade, false),
        ("chat.a", |n| json!({ "n": n }), false),
    ];
    for (topic, data, has_state) in kinds {
        for n in 1..=5 {
            assert_eq!(publisher.publish(topic, data(n)).await, n);
        }
        let mut subscriber = broker.client().await;
        let answer = subscriber.subscribe(&[topic]).await;
        assert_eq!((&answer[0]["topic"], &answer[0]["seq"]), (&json!(topic), &json!(5)));
        let mut follower = Follower::subscribed(&answer[0]);
        if has_state {
            let snapshot = subscriber.expect("snapshot").await;
            assert_eq!(snapshot["epoch"], answer[0]["epoch"]);
            assert!(follower.take(&snapshot));
        }
        for n in 6..=10 {
            publisher.tell(topic, data(n)).await;
        }
        while follower.seq < 10 {
            assert!(follower.take(&subscriber.next().await));
        }
        assert_eq!((follower.snapshots, follower.gaps.len()), (u64::from(has_state), 0));
        let last = data(10);
        for (field, value) in last.as_object().unwrap().iter().filter(|_| topic != "book.x.A") {
            assert_eq!(follower.data[field], *value, "{topic} {field}");
        }
        subscriber.assert_silence().await;
    }
}

#[tokio::test]
async fn a_topic_without_events_has_number_0_and_begins_with_1() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    let answer = client.subscribe(&["quote.x.A", "chat.a"]).await;
    assert_eq!((&answer[0]["seq"], &answer[1]["seq"]), (&json!(0), &json!(0)));
    client.assert_silence().await;
    for topic in ["quote.x.A", "chat.a"] {
        assert_eq!(client.publish(topic, quote(1)).await, 1);
        assert_eq!(client.expect("event").await["seq"], 1);
    }
}

/// Events of each publisher to each topic in the test below.
const EACH: u64 = 200;
const PUBLISHERS: u64 = 4;
const SUBSCRIBERS: u64 = 18;
const TOPICS: [&str; 4] = ["trade.x.A", "chat.a", "quote.x.A", "book.x.A"];

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_subscriber_sees_every_event_once_and_in_the_same_order() {
    let broker = Arc::new(Broker::start().await);
    // How many rounds the first publisher has made; who joins when depends on it.
    let (progress, round) = watch::channel(0);
    let mut subscribers = JoinSet::new();
    for number in 0..SUBSCRIBERS {
        let (broker, mut round) = (Arc::clone(&broker), round.clone());
        subscribers.spawn(async move {
            let mut client = match number % 3 {
                0 => broker.msgpack_client().await,
                _ => broker.client().await,
            };
            let join_at = number * EACH / SUBSCRIBERS;
            round.wait_for(|round| *round >= join_at).await.unwrap();
            subscribe_and_follow(&mut client).await
        });
    }
    let mut publishers = JoinSet::new();
    let mut progress = Some(progress);
    for publisher in 0..PUBLISHERS {
        let (broker, progress) = (Arc::clone(&broker), progress.take());
        publishers.spawn(async move {
            let mut client = broker.client().await;
            for n in 1..=EACH {
                client.tell("trade.x.A", with_author(trade(n), "trade_id", publisher, n)).await;
                client.tell("chat.a", json!({ "author": format!("{publisher} {n}") })).await;
                client.tell("quote.x.A", quote(publisher * EACH + n)).await;
                client.tell("book.x.A", book(publisher * EACH + n)).await;
                client.all_until_now().await;
                if let Some(progress) = &progress {
                    progress.send_replace(n);
                }
            }
        });
    }
    within("end of publishing", publishers.join_all()).await;
    let seen = within("end of following", subscribers.join_all()).await;
    let mut orders: Vec<Vec<Option<Value>>> = vec![vec![None; 1 + topic_total()]; TOPICS.len()];
    for (topic, seq, data) in seen.into_iter().flatten() {
        let known = &mut orders[topic][usize::try_from(seq).unwrap()];
        let known = known.get_or_insert_with(|| data.clone());
        assert_eq!(*known, data, "{} {seq} is not the same for all", TOPICS[topic]);
    }
    // Of each publisher what it sent first stands first.
    for (order, field) in [(&orders[0], "trade_id"), (&orders[1], "author")] {
        let mut last = [0; PUBLISHERS as usize];
        for data in order.iter().flatten() {
            let author: Vec<usize> =
                data[field].as_str().unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
            assert!(author[1] > last[author[0]], "{data} after {}", last[author[0]]);
            last[author[0]] = author[1];
        }
    }
    broker.ledger().await.assert_balance();
}

fn topic_total() -> usize {
    usize::try_from(PUBLISHERS * EACH).unwrap()
}

fn with_author(mut data: Value, field: &str, publisher: u64, n: u64) -> Value {
    data[field] = json!(format!("{publisher} {n}"));
    data
}

/// Follows all topics to their last event. Returns the plain events, times left out, since one
/// codec has them as texts and the other as numbers.
async fn subscribe_and_follow(client: &mut Client) -> Vec<(usize, u64, Value)> {
    let answer = client.subscribe(&TOPICS).await;
    let mut followers: Vec<_> =
        answer.as_array().unwrap().iter().map(Follower::subscribed).collect();
    let mut seen = Vec::new();
    while followers.iter().any(|follower| follower.seq < PUBLISHERS * EACH) {
        let mut message = client.next().await;
        let topic = followers.iter_mut().position(|follower| follower.take(&message)).unwrap();
        assert!(message["op"] != "gap", "{message}");
        if message["op"] == "event" && message["merged"].is_null() {
            let mut data = message["data"].take();
            let map = data.as_object_mut().unwrap();
            map.retain(|name, _| !name.starts_with("ts_"));
            seen.push((topic, message["seq"].as_u64().unwrap(), data));
        }
    }
    assert_eq!((followers[0].merged, followers[1].merged), (0, 0), "trades and chat never merge");
    assert!(followers[..2].iter().all(|follower| follower.snapshots == 0));
    seen
}

#[tokio::test]
async fn a_pattern_covers_later_topics_from_their_first_event() {
    let broker = Broker::start().await;
    let mut subscriber = broker.client().await;
    let answer = subscriber.subscribe(&["chat.*", "quote.>"]).await;
    assert_eq!((&answer[0]["pattern"], &answer[0]["matched"]), (&json!("chat.*"), &json!(0)));
    let mut publisher = broker.client().await;
    for topic in ["chat.new", "quote.x.NEW"] {
        for n in 1..=3 {
            publisher.publish(topic, quote(n)).await;
        }
        let mut follower = Follower::new(topic, 0);
        while follower.seq < 3 {
            assert!(follower.take(&subscriber.next().await));
        }
        assert_eq!(follower.snapshots, 0);
    }
    publisher.publish("chat.too.deep", json!(1)).await;
    subscriber.assert_silence().await;
    let mut late = broker.client().await;
    let answer = late.subscribe(&["chat.*", "quote.x.*"]).await;
    assert_eq!((&answer[0]["matched"], &answer[1]["matched"]), (&json!(1), &json!(1)));
    let snapshot = late.expect("snapshot").await;
    assert_eq!((&snapshot["topic"], &snapshot["seq"]), (&json!("quote.x.NEW"), &json!(3)));
    late.assert_silence().await;
}

#[tokio::test]
async fn many_new_topics_under_a_pattern_lose_nothing_while_publishers_race() {
    let broker = Arc::new(Broker::start().await);
    let mut subscriber = broker.client().await;
    subscriber.subscribe(&["race.>"]).await;
    let mut publishers = JoinSet::new();
    for _ in 0..3 {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move {
            let mut client = broker.client().await;
            for n in 0..100 {
                client.tell(&format!("race.topic{n}"), json!(n)).await;
            }
            client.all_until_now().await;
        });
    }
    within("end of publishing", publishers.join_all()).await;
    let mut followers: Vec<_> =
        (0..100).map(|n| Follower::new(&format!("race.topic{n}"), 0)).collect();
    while followers.iter().any(|follower| follower.seq < 3) {
        let message = subscriber.next().await;
        assert!(followers.iter_mut().any(|follower| follower.take(&message)), "{message}");
    }
    subscriber.assert_silence().await;
}

#[tokio::test]
async fn a_publisher_that_subscribes_gets_its_own_events() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["chat.a"]).await;
    for n in 1..=3 {
        client.tell("chat.a", json!(n)).await;
    }
    for n in 1..=3 {
        assert_eq!(client.expect("event").await["data"], n);
    }
}

#[tokio::test]
async fn both_codecs_give_the_same_data() {
    let broker = Broker::start().await;
    let (mut json_client, mut msgpack_client) =
        (broker.client().await, broker.msgpack_client().await);
    let opaque = json!({"deep": [1, -2, 3.5, "é\u{1F600}\"\\", null, true, {"x": {}}],
                        "most": u64::MAX, "least": i64::MIN, "ts_recv_like": 1});
    let events = [
        ("trade.x.A", trade(7)),
        ("quote.x.A", quote(7)),
        ("book.x.A", book(7)),
        ("bar-1s.x.A", bar(7)),
        ("status.x", json!({"state": "up", "reason": "because"})),
        ("chat.a", opaque.clone()),
    ];
    let topics: Vec<&str> = events.iter().map(|(topic, _)| *topic).collect();
    json_client.subscribe(&topics).await;
    msgpack_client.subscribe(&topics).await;
    for (number, (topic, data)) in events.into_iter().enumerate() {
        // Publishing is possible in both, too.
        let publisher = if number % 2 == 0 { &mut json_client } else { &mut msgpack_client };
        publisher.publish(topic, data).await;
        let mut text = json_client.expect("event").await;
        let mut binary = msgpack_client.expect("event").await;
        assert!(text["ts"].is_string() && binary["ts"].is_u64(), "{text} {binary}");
        assert_eq!(text["ts"], binary["ts"].to_string());
        for name in ["ts_event", "ts_recv", "start"].iter().filter(|_| topic != "chat.a") {
            let (text, binary) = (text["data"][name].take(), binary["data"][name].take());
            assert_eq!(text.is_string(), binary.is_u64(), "{topic} {name}: {text} {binary}");
            assert_eq!(text.as_str().unwrap_or("null"), binary.to_string());
        }
        assert_eq!((&text["topic"], &text["seq"]), (&binary["topic"], &binary["seq"]));
        assert_eq!(text["data"], binary["data"], "{topic}");
        if topic == "chat.a" {
            assert_eq!(text["data"], opaque);
        }
    }
}
