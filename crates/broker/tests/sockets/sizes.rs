//! Large events, many topics, much coming and going: what a turn of a shard cannot hold at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Broker, Follower, book, bulk, quote, trade, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_as_large_as_a_message_may_be_come_whole() {
    const LARGE: usize = (1 << 20) - 200;
    const EVENTS: u64 = 12;
    let broker = Broker::with(|config| config.history.bytes = 64 << 20).await;
    let mut readers = JoinSet::new();
    let clients = [
        broker.client().await,
        broker.msgpack_client().await,
        broker.narrow_client().await,
        broker.client().await,
    ];
    for mut client in clients {
        client.subscribe(&["chat.large", "chat.small"]).await;
        readers.spawn(async move {
            let mut large = Follower::new("chat.large", 0);
            let mut small = Follower::new("chat.small", 0);
            while large.seq < EVENTS || small.seq < EVENTS {
                let message = client.next().await;
                assert!(large.take(&message) || small.take(&message));
                let filling = message["data"]["filling"].as_str().unwrap();
                assert!(message["topic"] == "chat.small" || filling.len() == LARGE);
            }
            assert_eq!((large.merged, large.gaps.len()), (0, 0));
            client.assert_silence().await;
        });
    }
    let mut publisher = broker.client().await;
    for n in 1..=EVENTS {
        publisher.tell("chat.large", bulk(n, LARGE)).await;
        publisher.tell("chat.small", bulk(n, 1)).await;
    }
    publisher.all_until_now().await;
    within("end of reading", readers.join_all()).await;
    broker.ledger().await.assert_balance();
}

#[tokio::test]
async fn a_pattern_over_thousands_of_topics_begins_with_the_state_of_each() {
    const TOPICS: usize = 3_000;
    let broker = Broker::start().await;
    let line = |n: usize, round: u64| {
        json!({"topic": format!("quote.x.S{n}"), "data": quote(round)}).to_string()
    };
    let publish = async |round| {
        let lines: Vec<String> = (0..TOPICS).map(|n| line(n, round)).collect();
        broker.post("/publish", &lines.join("\n")).await.assert_status(200);
    };
    publish(1).await;
    let mut client = broker.narrow_client().await;
    let answer = client.subscribe(&["quote.x.*", "quote.>"]).await;
    assert_eq!((&answer[0]["matched"], &answer[1]["matched"]), (&json!(TOPICS), &json!(TOPICS)));
    // While the first states are on their way, all of them change.
    publish(2).await;
    publish(3).await;
    let mut followers: Vec<Follower> =
        (0..TOPICS).map(|n| Follower::new(&format!("quote.x.S{n}"), 1)).collect();
    let mut behind = TOPICS;
    while behind > 0 {
        let message = client.next().await;
        let name = message["topic"].as_str().unwrap().strip_prefix("quote.x.S").unwrap();
        let follower = &mut followers[name.parse::<usize>().unwrap()];
        let before = follower.seq;
        assert!(follower.take(&message));
        assert_eq!(follower.snapshots, 1, "the state comes first, and once");
        behind -= usize::from(before < 3 && follower.seq == 3);
    }
    client.assert_silence().await;
    broker.ledger().await.assert_balance();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_ledger_balances_at_any_moment_of_much_coming_and_going() {
    const ROUNDS: u64 = 30;
    let broker = Arc::new(Broker::with(|config| config.history.events = 20).await);
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let (broker, over) = (Arc::clone(&broker), Arc::clone(&over));
        tasks.spawn(async move {
            let mut publisher = broker.client().await;
            let mut n = 0;
            while !over.load(Ordering::Relaxed) {
                n += 1;
                publisher.tell("trade.x.A", trade(n)).await;
                publisher.tell("quote.x.A", quote(n)).await;
                publisher.tell("book.x.A", book(n)).await;
                publisher.tell(&format!("chat.{}", n % 7), bulk(n, 3_000)).await;
                if n % 50 == 0 {
                    publisher.all_until_now().await;
                }
            }
        });
    }
    let mut churn = JoinSet::new();
    for number in 0..6 {
        let broker = Arc::clone(&broker);
        churn.spawn(async move {
            for round in 0..ROUNDS {
                let mut client = match (number + round) % 3 {
                    0 => broker.client().await,
                    1 => broker.msgpack_client().await,
                    _ => broker.narrow_client().await,
                };
                client.subscribe_with(&["chat.*", "*.x.A"], json!({"history": 3})).await;
                client.subscribe_with(&["quote.>", "book.x.A"], json!({"max_rate": 100})).await;
                for _ in 0..(round * 7 % 20) {
                    client.next().await;
                }
                if round % 2 == 0 {
                    client.unsubscribe(&["chat.*", "trade.x.A", "*.x.A"]).await;
                }
                match round % 3 {
                    0 => client.close().await,
                    _ => client.vanish(),
                }
            }
        });
    }
    let mut looks = 0;
    while !churn.is_empty() {
        broker.ledger().await.assert_balance();
        looks += 1;
        while let Some(ended) = churn.try_join_next() {
            ended.unwrap();
        }
    }
    assert!(looks > 10, "{looks}");
    over.store(true, Ordering::Relaxed);
    within("end of publishing", tasks.join_all()).await;
    broker.until("tickwire_connections", |connections| connections == 0).await;
    let ledger = broker.ledger().await;
    ledger.assert_balance();
    assert_eq!((ledger.pending, broker.metric("tickwire_subscriptions").await), (0, 0));
}
