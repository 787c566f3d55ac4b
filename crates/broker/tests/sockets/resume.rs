//! Promise 5 and `max_rate`: from where a client stands to now, never a silent partial answer.

use serde_json::{Value, json};

use crate::harness::{Broker, Client, Data, Follower, book, quote, trade};

async fn publish_many(
    publisher: &mut Client,
    topic: &str,
    data: Data,
    numbers: std::ops::RangeInclusive<u64>,
) {
    let last = *numbers.end();
    for n in *numbers.start()..last {
        publisher.tell(topic, data(n)).await;
    }
    assert_eq!(publisher.publish(topic, data(last)).await, last, "{topic}");
}

fn chat(n: u64) -> Value {
    json!({ "n": n })
}

/// A client that has followed `topic` to its end and then is gone; what it knows.
async fn was_here(broker: &Broker, topic: &str) -> (Follower, Value) {
    let mut client = broker.client().await;
    let answer = client.subscribe(&[topic]).await;
    let mut follower = Follower::subscribed(&answer[0]);
    for message in client.all_until_now().await {
        assert!(follower.take(&message));
    }
    client.vanish();
    (follower, answer[0]["epoch"].clone())
}

#[tokio::test]
async fn a_client_that_returns_gets_what_it_missed_and_then_live() {
    let broker = Broker::start().await;
    let mut publisher = broker.client().await;
    let kinds: [(&str, Data, bool); 4] = [
        ("trade.x.A", trade, false),
        ("chat.a", chat, false),
        ("quote.x.A", quote, true),
        ("book.x.A", book, true),
    ];
    for (topic, data, merges) in kinds {
        publish_many(&mut publisher, topic, data, 1..=20).await;
        let (mut follower, epoch) = was_here(&broker, topic).await;
        assert_eq!((follower.seq, follower.snapshots), (20, u64::from(merges)));
        publish_many(&mut publisher, topic, data, 21..=40).await;

        let mut client = broker.client().await;
        let resume = json!({"resume": {topic: {"epoch": epoch, "seq": 20}}, "history": 5});
        let answer = client.subscribe_with(&[topic], resume).await;
        assert_eq!(answer[0]["seq"], 40);
        let mut messages = 0;
        while follower.seq < 40 {
            assert!(follower.take(&client.next().await));
            messages += 1;
        }
        assert_eq!(messages, if merges { 1 } else { 20 }, "{topic}");
        assert_eq!((follower.snapshots, follower.gaps.len()), (u64::from(merges), 0), "{topic}");
        client.assert_silence().await;
        publisher.publish(topic, data(41)).await;
        assert!(follower.take(&client.next().await));
    }
    broker.ledger().await.assert_balance();
}

#[tokio::test]
async fn a_client_that_missed_nothing_gets_nothing() {
    let broker = Broker::start().await;
    let mut publisher = broker.client().await;
    for topic in ["quote.x.A", "chat.a"] {
        publish_many(&mut publisher, topic, quote, 1..=5).await;
        let (_, epoch) = was_here(&broker, topic).await;
        let mut client = broker.client().await;
        let resume = json!({"resume": {topic: {"epoch": epoch, "seq": 5}}});
        client.subscribe_with(&[topic], resume).await;
        client.assert_silence().await;
    }
}

#[tokio::test]
async fn where_the_history_no_longer_reaches_a_gap_says_so() {
    let broker = Broker::with(|config| {
        config.history.events = 10;
        config.history.merging_events = 10;
    })
    .await;
    let mut publisher = broker.client().await;
    for (topic, data) in [("trade.x.A", trade as Data), ("book.x.A", book)] {
        publish_many(&mut publisher, topic, data, 1..=5).await;
        let (mut follower, epoch) = was_here(&broker, topic).await;
        publish_many(&mut publisher, topic, data, 6..=50).await;
        let mut client = broker.client().await;
        let resume = json!({"resume": {topic: {"epoch": epoch, "seq": 5}}});
        client.subscribe_with(&[topic], resume).await;
        for message in client.all_until_now().await {
            assert!(follower.take(&message), "{message}");
        }
        assert_eq!(follower.seq, 50);
        match topic {
            "trade.x.A" => assert_eq!(follower.gaps, [(6, 40, "history".to_owned())]),
            _ => {
                assert_eq!(follower.gaps, [(6, 50, "history".to_owned())]);
                assert_eq!(follower.snapshots, 2, "the state comes behind the gap");
            }
        }
    }
    broker.ledger().await.assert_balance();
}

#[tokio::test]
async fn another_epoch_and_a_future_number_are_a_restart() {
    let broker = Broker::start().await;
    let mut publisher = broker.client().await;
    for topic in ["quote.x.A", "book.x.A", "chat.a"] {
        let data = if topic == "book.x.A" { book } else { quote };
        publish_many(&mut publisher, topic, data, 1..=5).await;
        let (_, epoch) = was_here(&broker, topic).await;
        let wrong = [json!("1"), json!("0123"), json!("not ours"), json!("")];
        let wrong = wrong.into_iter().map(|epoch| (epoch, 3)).chain([(epoch.clone(), 6)]);
        for (claimed, seq) in wrong {
            let mut client = broker.client().await;
            let resume = json!({"resume": {topic: {"epoch": claimed, "seq": seq}}});
            client.subscribe_with(&[topic], resume).await;
            let gap = client.expect("gap").await;
            assert_eq!((&gap["reason"], &gap["from"]), (&json!("restart"), &json!(1)), "{gap}");
            assert_eq!(gap["epoch"], epoch, "{gap}");
            let to = gap["to"].as_u64().unwrap();
            let rest = client.all_until_now().await;
            if topic == "chat.a" {
                assert_eq!((to, rest.len()), (5, 0), "{gap} {rest:?}");
            } else {
                assert_eq!((&rest[0]["op"], rest.len()), (&json!("snapshot"), 1), "{rest:?}");
                assert!(rest[0]["seq"].as_u64().unwrap() >= to);
            }
        }
    }
}

#[tokio::test]
async fn a_broker_that_was_started_again_has_another_epoch() {
    let first = Broker::start().await;
    first.client().await.publish("quote.x.A", quote(1)).await;
    let (_, epoch) = was_here(&first, "quote.x.A").await;
    first.shut_down().await;
    let second = Broker::start().await;
    let mut client = second.client().await;
    let resume = json!({"resume": {"quote.x.A": {"epoch": epoch, "seq": 1}}});
    let answer = client.subscribe_with(&["quote.x.A"], resume).await;
    assert!(answer[0]["epoch"] != epoch);
    let gap = client.expect("gap").await;
    assert_eq!(
        (&gap["reason"], &gap["from"], &gap["to"]),
        (&json!("restart"), &json!(1), &json!(0))
    );
    assert_eq!(gap["epoch"], answer[0]["epoch"]);
    client.publish("quote.x.A", quote(1)).await;
    assert_eq!(client.expect("event").await["seq"], 1);
}

#[tokio::test]
async fn resume_names_concrete_topics_under_a_pattern_too() {
    let broker = Broker::start().await;
    let mut publisher = broker.client().await;
    publish_many(&mut publisher, "trade.x.A", trade, 1..=10).await;
    publish_many(&mut publisher, "trade.x.B", trade, 1..=10).await;
    publish_many(&mut publisher, "quote.x.A", quote, 1..=10).await;
    let (_, epoch) = was_here(&broker, "trade.x.A").await;
    let mut client = broker.client().await;
    let resume = json!({"resume": {
        "trade.x.A": {"epoch": epoch, "seq": 4},
        "quote.x.A": {"epoch": epoch, "seq": 7},
    }});
    let answer = client.subscribe_with(&["*.x.*"], resume).await;
    assert_eq!(answer[0]["epoch"], epoch);
    let mut trades = Follower::new("trade.x.A", 4);
    let mut quotes = Follower::new("quote.x.A", 7);
    for message in client.all_until_now().await {
        assert!(trades.take(&message) || quotes.take(&message), "{message}");
    }
    assert_eq!((trades.seq, quotes.seq), (10, 10));
    assert_eq!((quotes.merged, quotes.snapshots), (1, 0));
    let foreign = json!({"op": "subscribe", "topics": ["trade.*.*"],
                         "resume": {"chat.a": {"epoch": epoch, "seq": 1}}});
    client.refused(foreign, "bad_command").await;
    let pattern = json!({"op": "subscribe", "topics": ["trade.*.*"],
                         "resume": {"trade.*.*": {"epoch": epoch, "seq": 1}}});
    client.refused(pattern, "bad_topic").await;
}

#[tokio::test]
async fn between_two_events_of_max_rate_those_between_are_merged() {
    let broker = Broker::start().await;
    let mut publisher = broker.client().await;
    for (topic, data) in [("quote.x.A", quote as Data), ("book.x.A", book)] {
        let mut limited = broker.client().await;
        let mut unlimited = broker.client().await;
        let answer = limited.subscribe_with(&[topic], json!({"max_rate": 20})).await;
        unlimited.subscribe(&[topic]).await;
        let mut slow = Follower::subscribed(&answer[0]);
        let mut fast = Follower::subscribed(&answer[0]);
        publish_many(&mut publisher, topic, data, 1..=300).await;
        let mut messages = 0;
        while slow.seq < 300 {
            assert!(slow.take(&limited.next().await));
            messages += 1;
        }
        while fast.seq < 300 {
            assert!(fast.take(&unlimited.next().await));
        }
        assert!(slow.merged > 0 && messages < 300, "{messages} messages");
        assert_eq!((slow.gaps.len(), slow.book), (0, fast.book));
        assert_eq!(slow.data["ask_price"], fast.data["ask_price"]);
    }
    broker.ledger().await.assert_balance();
}
