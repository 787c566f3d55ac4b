//! Promise 3: whoever does not read holds back nobody, and gets what leads from there to now.

use serde_json::{Value, json};

use crate::harness::{Broker, Client, Data, Follower, book, brief, bulk, quote, trade};

/// Bytes of an event, far more than a tenth of what a small socket takes.
const BULKY: usize = 4_000;
/// Events kept of a topic in these tests.
const HISTORY: u64 = 100;
/// Events published to a topic while somebody does not read.
const FLOOD: u64 = 2_000;
/// Events published ahead of the client that keeps up: fewer than the history holds.
const AHEAD: u64 = 50;

async fn broker() -> Broker {
    Broker::with(|config| {
        config.history.events = usize::try_from(HISTORY).unwrap();
        config.history.merging_events = usize::try_from(HISTORY).unwrap();
    })
    .await
}

/// Publishes `FLOOD` bulky events to `topic`, and what `aside` adds to each, only as fast as a
/// client that reads takes them: it must lose nothing.
async fn flood(broker: &Broker, topic: &str, aside: &[(&str, Data)]) {
    let mut reader = broker.client().await;
    let mut publisher = broker.client().await;
    let answer = reader.subscribe(&[topic]).await;
    let mut follower = Follower::subscribed(&answer[0]);
    let first = follower.seq;
    for n in first + 1..=first + FLOOD {
        publisher.tell(topic, bulk(n, BULKY)).await;
        for (topic, data) in aside {
            publisher.tell(topic, data(n)).await;
        }
        while follower.seq + AHEAD < n {
            assert!(follower.take(&reader.next().await));
        }
        if n % 500 == 0 {
            broker.ledger().await.assert_balance();
        }
    }
    while follower.seq < first + FLOOD {
        assert!(follower.take(&reader.next().await));
    }
    assert_eq!((follower.merged, follower.gaps.len()), (0, 0), "the one that reads lost something");
    publisher.all_until_now().await;
}

/// Reads on until `follower` has the event `last`; messages of other topics go to `other`.
async fn read_to(
    client: &mut Client,
    follower: &mut Follower,
    last: u64,
    mut other: impl FnMut(&Value) -> bool,
) {
    while follower.seq < last {
        let message = client.next().await;
        assert!(follower.take(&message) || other(&message), "{}", brief(&message));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_read_gets_all_in_order_and_a_gap_for_what_the_history_lost() {
    let broker = broker().await;
    let mut stalled = broker.narrow_client().await;
    stalled.subscribe(&["chat.a"]).await;
    flood(&broker, "chat.a", &[]).await;
    broker.until("tickwire_connections_blocked", |blocked| blocked == 1).await;
    let ledger = broker.ledger().await;
    ledger.assert_balance();
    assert!(ledger.pending > HISTORY, "what it has coming is counted: {ledger:?}");

    let mut follower = Follower::new("chat.a", 0);
    read_to(&mut stalled, &mut follower, FLOOD, |_| false).await;
    let [(from, to, reason)] = &follower.gaps[..] else { panic!("not one gap: {follower:?}") };
    assert_eq!((reason.as_str(), follower.merged), ("slow", 0));
    // The follower has checked that events lead to `from` and from `to` on.
    assert!(*from > 1 && *to == FLOOD - HISTORY, "{from} to {to}");
    broker.until("tickwire_connections_blocked", |blocked| blocked == 0).await;
    let ledger = broker.ledger().await;
    ledger.assert_balance();
    assert_eq!((ledger.pending, ledger.dropped), (0, to - from + 1), "{ledger:?}");
    let mut publisher = broker.client().await;
    publisher.publish("chat.a", json!("live again")).await;
    assert!(follower.take(&stalled.next().await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_asked_to_be_disconnected_is_closed_with_4001_when_something_is_lost() {
    let broker = broker().await;
    let mut stalled = broker.narrow_client().await;
    stalled.subscribe_with(&["chat.a"], json!({"on_slow": "disconnect"})).await;
    flood(&broker, "chat.a", &[]).await;
    let mut follower = Follower::new("chat.a", 0);
    // It still gets what was on its way, in order: how much that is, the kernel decides.
    let closed = loop {
        match stalled.next_or_close().await {
            Ok(message) => assert!(follower.take(&message)),
            Err(closed) => break closed,
        }
    };
    assert_eq!(closed, (4001, "slow".to_owned()));
    broker.until("tickwire_connections", |connections| connections == 0).await;
    broker.ledger().await.assert_balance();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotes_and_books_of_one_that_does_not_read_are_merged_exactly() {
    let broker = broker().await;
    let mut publisher = broker.client().await;
    publisher.publish("quote.x.A", quote(0)).await;
    publisher.publish("book.x.A", book(0)).await;
    publisher.publish("book.x.B", book(0)).await;

    let mut stalled = broker.narrow_client().await;
    let topics = ["chat.flood", "quote.x.A", "book.x.A", "book.x.B"];
    let answer = stalled.subscribe(&topics).await;
    let followers: Vec<_> = answer.as_array().unwrap().iter().map(Follower::subscribed).collect();
    let [mut chat, mut quotes, mut books, mut other_books] =
        <[Follower; 4]>::try_from(followers).unwrap();
    // It has the first state of all, so that what follows must lead on from there.
    while quotes.snapshots + books.snapshots + other_books.snapshots < 3 {
        let message = stalled.next().await;
        assert!(
            quotes.take(&message) || books.take(&message) || other_books.take(&message),
            "{message}"
        );
    }
    flood(&broker, "chat.flood", &[("quote.x.A", quote), ("book.x.A", book)]).await;
    // This one moves less than the history holds.
    for n in 1..HISTORY {
        publisher.publish("book.x.B", book(n)).await;
    }

    let mut witness = broker.client().await;
    let heads = witness.subscribe(&["quote.x.A", "book.x.A", "book.x.B"]).await;
    let mut states: Vec<_> = heads.as_array().unwrap().iter().map(Follower::subscribed).collect();
    for message in witness.all_until_now().await {
        assert!(states.iter_mut().any(|state| state.take(&message)), "{message}");
    }
    read_to(&mut stalled, &mut chat, FLOOD, |message| {
        quotes.take(message) || books.take(message) || other_books.take(message)
    })
    .await;
    for message in stalled.all_until_now().await {
        assert!(quotes.take(&message) || books.take(&message) || other_books.take(&message));
    }
    assert_eq!((quotes.seq, &quotes.data), (FLOOD + 1, &states[0].data));
    assert!(quotes.merged > 0 && quotes.gaps.is_empty(), "{quotes:?}");
    assert_eq!((books.seq, &books.book), (FLOOD + 1, &states[1].book));
    assert_eq!((other_books.seq, &other_books.book), (HISTORY, &states[2].book));
    assert!(other_books.gaps.is_empty(), "{other_books:?}");
    broker.ledger().await.assert_balance();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_and_generic_events_of_one_that_was_slow_are_all_there_while_the_history_holds() {
    let broker = Broker::start().await;
    let mut stalled = broker.narrow_client().await;
    stalled.subscribe(&["trade.x.A", "chat.a"]).await;
    flood(&broker, "chat.b", &[]).await;
    let mut publisher = broker.client().await;
    for n in 1..=700 {
        publisher.tell("trade.x.A", trade(n)).await;
        publisher.tell("chat.a", bulk(n, BULKY)).await;
    }
    publisher.all_until_now().await;
    let mut trades = Follower::new("trade.x.A", 0);
    let mut chat = Follower::new("chat.a", 0);
    while trades.seq < 700 || chat.seq < 700 {
        let message = stalled.next().await;
        assert!(trades.take(&message) || chat.take(&message), "{}", brief(&message));
    }
    for follower in [&trades, &chat] {
        assert_eq!((follower.merged, follower.gaps.len()), (0, 0));
    }
    broker.ledger().await.assert_balance();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn many_that_never_read_cost_those_that_do_nothing() {
    let broker = broker().await;
    let mut stalled = Vec::new();
    for number in 0..20 {
        let mut client = broker.narrow_client().await;
        let on_slow = if number % 4 == 0 { "disconnect" } else { "conflate" };
        client.subscribe_with(&["chat.*", "quote.>"], json!({"on_slow": on_slow})).await;
        stalled.push(client);
    }
    flood(&broker, "chat.a", &[("quote.x.A", quote)]).await;
    let blocked = broker.metric("tickwire_connections_blocked").await;
    assert!(blocked >= 15, "{blocked}");
    for client in stalled {
        client.vanish();
    }
    broker.until("tickwire_connections", |connections| connections == 0).await;
    let ledger = broker.ledger().await;
    ledger.assert_balance();
    assert_eq!(ledger.pending, 0);
}

#[tokio::test]
async fn the_history_keeps_to_its_bounds_whatever_is_published() {
    const TOPIC_BYTES: usize = 64 * 1024;
    const TOTAL_BYTES: usize = 256 * 1024;
    let broker = Broker::with(|config| {
        config.history.bytes = TOPIC_BYTES;
        config.history.total_bytes = TOTAL_BYTES;
    })
    .await;
    let mut publisher = broker.client().await;
    for n in 1..=200 {
        publisher.tell("chat.a", bulk(n, BULKY)).await;
    }
    publisher.all_until_now().await;
    let held = broker.metric("tickwire_history_bytes").await;
    assert!(held <= TOPIC_BYTES as u64, "{held} bytes of one topic");
    for topic in 0..20 {
        for n in 1..=10 {
            publisher.tell(&format!("chat.many{topic}"), bulk(n, BULKY)).await;
        }
    }
    publisher.all_until_now().await;
    broker.until("tickwire_history_bytes", |held| held <= TOTAL_BYTES as u64).await;
}
