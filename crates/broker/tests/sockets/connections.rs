//! Promise 7 and 8: how a connection is kept alive, and how it ends.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::harness::{
    Broker, CLOSE, Follower, PATIENCE, PING, PONG, Raw, TEXT, bulk, frame, within,
};

#[tokio::test]
async fn pings_come_at_their_interval_and_answers_keep_the_connection() {
    let broker = Broker::with(|config| {
        config.websocket.ping_interval = Duration::from_millis(20);
        config.websocket.idle_timeout = Duration::from_secs(3600);
    })
    .await;
    let mut raw = broker.raw("").await;
    for _ in 0..5 {
        assert_eq!(raw.next().await, (PING, Vec::new()));
        raw.send(&frame(PONG, b"")).await;
    }
}

#[tokio::test]
async fn one_that_says_nothing_for_too_long_is_closed_and_one_that_says_anything_is_not() {
    let broker = Broker::with(|config| {
        config.websocket.ping_interval = Duration::from_millis(300);
        config.websocket.idle_timeout = Duration::from_millis(1500);
    })
    .await;
    let mut silent = broker.raw("").await;
    // Half a frame, one byte with each ping: any byte counts as life.
    let mut dribbling = broker.raw("").await;
    let dribble = async {
        let text = frame(TEXT, br#"{"op":"ping","id":7}"#);
        for byte in &text {
            dribbling.send(&[*byte]).await;
            if byte != text.last().unwrap() {
                assert_eq!(dribbling.next().await.0, PING);
            }
        }
        loop {
            let (first, payload) = dribbling.next().await;
            if first == TEXT {
                let pong: serde_json::Value = serde_json::from_slice(&payload).unwrap();
                break assert_eq!(pong["id"], 7);
            }
        }
    };
    let (closed, ()) = tokio::join!(silent.closed(), dribble);
    assert_eq!(closed.0, 1008, "{closed:?}");
}

#[tokio::test]
async fn one_that_vanishes_without_a_word_while_blocked_is_given_up() {
    let broker = Broker::with(|config| {
        config.websocket.ping_interval = Duration::from_millis(100);
        config.websocket.idle_timeout = Duration::from_millis(400);
    })
    .await;
    let mut vanished = broker.raw("").await;
    vanished.command(r#"{"op":"subscribe","topics":["chat.a"]}"#).await;
    assert_eq!(vanished.message().await["op"], "subscribed");
    let mut publisher = broker.client().await;
    for n in 0..500 {
        publisher.tell("chat.a", bulk(n, 4_000)).await;
    }
    publisher.all_until_now().await;
    // It neither reads nor ends: the peer of a cut cable. The publisher reads meanwhile, so that
    // it answers its pings.
    let gone = async {
        while broker.metric("tickwire_connections").await > 1 {
            publisher.assert_silence().await;
        }
    };
    within("end of the connection that vanished", gone).await;
    broker.ledger().await.assert_balance();
    drop(vanished);
}

#[tokio::test]
async fn a_pong_is_not_stuck_behind_events() {
    const EVENTS: u64 = 1_000;
    let broker = Broker::start().await;
    let mut raw = broker.raw("").await;
    raw.command(r#"{"op":"subscribe","topics":["chat.a"]}"#).await;
    assert_eq!(raw.message().await["op"], "subscribed");
    let mut publisher = broker.client().await;
    for n in 1..=EVENTS {
        publisher.tell("chat.a", bulk(n, 4_000)).await;
    }
    publisher.all_until_now().await;
    broker.until("tickwire_connections_blocked", |blocked| blocked == 1).await;
    let before = broker.metric("tickwire_messages_received_total").await;
    raw.send(&[frame(PING, b"urgent"), frame(TEXT, br#"{"op":"ping"}"#)].concat()).await;
    // Read by the broker, so that both answers wait with the events.
    broker.until("tickwire_messages_received_total", |count| count == before + 1).await;
    let (mut follower, mut pong_after, mut answer_after) = (Follower::new("chat.a", 0), None, None);
    while follower.seq < EVENTS {
        let (first, payload) = raw.next().await;
        if first == PONG {
            assert_eq!(payload, b"urgent");
            pong_after = Some(follower.seq);
            continue;
        }
        let message = serde_json::from_slice(&payload).unwrap();
        if !follower.take(&message) {
            assert_eq!(message["op"], "pong");
            answer_after = Some(follower.seq);
        }
    }
    // What stands before the pong is what the kernel held already: two megabytes would be half of
    // the events, and the kernel is kept from hoarding.
    let pong_after = pong_after.unwrap();
    assert!(pong_after < EVENTS / 2, "{pong_after} of {EVENTS} events came before the pong");
    assert_eq!(answer_after, Some(pong_after), "both are first in line");
}

#[tokio::test]
async fn a_client_that_half_closes_has_its_commands_carried_out_and_is_let_go() {
    let broker = Broker::start().await;
    let mut witness = broker.client().await;
    witness.subscribe(&["chat.a"]).await;
    let mut raw = broker.raw("").await;
    for n in 0..10 {
        raw.command(&json!({"op": "publish", "topic": "chat.a", "data": n}).to_string()).await;
    }
    raw.stream.shutdown().await.unwrap();
    for n in 0..10 {
        assert_eq!(witness.expect("event").await["data"], n);
    }
    raw.assert_end().await;
    broker.until("tickwire_connections", |connections| connections == 1).await;
}

#[tokio::test]
async fn clients_that_come_and_go_leave_nothing_behind() {
    let broker = Broker::start().await;
    for round in 0..20 {
        let mut client = broker.client().await;
        client.subscribe(&[&format!("chat.{round}"), "chat.>", "quote.x.A"]).await;
        if round % 2 == 0 {
            client.vanish();
        } else {
            client.close().await;
        }
        let mut raw = broker.raw("").await;
        raw.send(&frame(TEXT, b"{")[..3]).await;
        drop(raw);
    }
    for figure in ["connections", "subscriptions", "topics", "ledger_pending"] {
        broker.until(&format!("tickwire_{figure}"), |value| value == 0).await;
    }
}

#[tokio::test]
async fn shutting_down_gives_what_is_due_and_then_closes_with_1001() {
    let broker = Broker::with(|config| config.shutdown.drain = PATIENCE).await;
    let mut subscribers = Vec::new();
    for _ in 0..6 {
        let mut client = broker.client().await;
        client.subscribe(&["chat.a"]).await;
        subscribers.push(client);
    }
    let mut late = broker.narrow_client().await;
    late.subscribe(&["chat.a"]).await;
    let mut publisher = broker.client().await;
    for n in 1..=300 {
        publisher.tell("chat.a", bulk(n, 2_000)).await;
    }
    publisher.all_until_now().await;
    // Nobody has read yet; all of it still comes.
    subscribers.push(late);
    let mut reading = JoinSet::new();
    for mut client in subscribers {
        reading.spawn(async move {
            let mut follower = Follower::new("chat.a", 0);
            while follower.seq < 300 {
                assert!(follower.take(&client.next().await));
            }
            assert_eq!(client.closed().await, (1001, "shutting down".to_owned()));
        });
    }
    reading.spawn(async move { assert_eq!(publisher.closed().await.0, 1001) });
    tokio::join!(broker.shut_down(), reading.join_all());
}

#[tokio::test]
async fn one_that_does_not_read_delays_the_end_by_no_more_than_the_deadline() {
    let broker = Broker::with(|config| config.shutdown.drain = Duration::from_millis(50)).await;
    let mut stalled = broker.narrow_client().await;
    stalled.subscribe(&["chat.a"]).await;
    let mut publisher = broker.client().await;
    for n in 1..=500 {
        publisher.tell("chat.a", bulk(n, 4_000)).await;
    }
    publisher.all_until_now().await;
    let address = broker.address();
    // Requests that never end must not hold up the end either.
    let mut endless = Raw::begin(address).await;
    endless.send(b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await;
    let mut idle = Raw::begin(address).await;
    idle.send(b"GET /hea").await;
    tokio::join!(broker.shut_down(), async {
        assert_eq!(publisher.closed().await.0, 1001);
    });
    let refused = tokio::net::TcpStream::connect(address).await;
    assert!(refused.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn while_it_drains_it_takes_no_new_work_and_gives_what_is_due() {
    let broker = Broker::with(|config| {
        config.server.shards = 1;
        config.shutdown.drain = PATIENCE;
    })
    .await;
    let mut stalled = broker.narrow_client().await;
    stalled.subscribe(&["chat.a"]).await;
    let mut publisher = broker.client().await;
    for n in 1..=500 {
        publisher.tell("chat.a", bulk(n, 4_000)).await;
    }
    publisher.all_until_now().await;
    let address = broker.address();
    let drained = async {
        // The broker drains as long as this one has not read.
        loop {
            let mut probe = Raw::begin(address).await;
            probe.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            if probe.answer().await.status == 503 {
                break;
            }
        }
        let mut late = Raw::begin(address).await;
        late.send(Raw::handshake("").as_bytes()).await;
        late.answer().await.assert_status(503);
        let mut follower = Follower::new("chat.a", 0);
        while follower.seq < 500 {
            assert!(follower.take(&stalled.next().await));
        }
        assert_eq!(stalled.closed().await.0, 1001);
        assert_eq!(publisher.closed().await.0, 1001);
    };
    tokio::join!(broker.shut_down(), drained);
}

#[tokio::test]
async fn the_first_frame_of_a_closing_broker_is_whole() {
    // The close frame must not stand in the middle of a half-written event.
    let broker = Broker::with(|config| config.shutdown.drain = Duration::ZERO).await;
    let mut raw = broker.raw("").await;
    raw.command(r#"{"op":"subscribe","topics":["chat.a"]}"#).await;
    assert_eq!(raw.message().await["op"], "subscribed");
    let mut publisher = broker.client().await;
    for n in 1..=200 {
        publisher.tell("chat.a", bulk(n, 30_000)).await;
    }
    publisher.all_until_now().await;
    let read = async {
        let mut follower = Follower::new("chat.a", 0);
        loop {
            let (first, payload) = raw.next().await;
            if first == CLOSE {
                break assert_eq!(payload[..2], 1001u16.to_be_bytes());
            }
            assert!(follower.take(&serde_json::from_slice(&payload).unwrap()));
        }
    };
    tokio::join!(broker.shut_down(), read, async {
        assert_eq!(publisher.closed().await.0, 1001);
    });
}

#[tokio::test]
async fn what_a_publisher_leaves_to_be_said_is_said_when_it_is_gone() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["status.a", "chat.>"]).await;
    let state = |state: &str| json!({"state": state, "reason": "r"});
    let down = json!({"state": "down", "reason": "gone"});
    for says_goodbye in [false, true] {
        let mut publisher = broker.client().await;
        let leave = |topic: &str, data: Value, will: Value| json!({"op": "publish", "topic": topic, "data": data, "will": will});
        publisher.ask(leave("status.a", state("up"), down.clone())).await;
        publisher.ask(leave("chat.taken-back", json!(1), json!("never"))).await;
        publisher.publish("chat.taken-back", json!(2)).await;
        publisher.ask(leave("chat.other", json!(1), json!("first"))).await;
        publisher.ask(leave("chat.other", json!(2), json!("last words"))).await;
        publisher.ask(leave("chat.null", json!(1), Value::Null)).await;
        // What is refused leaves nothing behind.
        for (topic, will) in [("status.a", json!({"state": "dead"})), ("chat.*", json!(1))] {
            let answer = publisher.ask(leave(topic, state("up"), will)).await;
            assert_eq!(answer["op"], "error", "{answer}");
        }
        let before: Vec<_> =
            client.all_until_now().await.iter().map(|event| event["data"].clone()).collect();
        assert_eq!(before.iter().filter(|data| data["state"] == "up").count(), 1);
        if says_goodbye {
            publisher.close().await;
        } else {
            publisher.vanish();
        }
        let mut last = [client.expect("event").await, client.expect("event").await];
        last.sort_by_key(|event| event["topic"].to_string());
        assert_eq!(last[0]["data"], "last words");
        assert_eq!(
            (&last[1]["topic"], &last[1]["data"]["state"]),
            (&json!("status.a"), &json!("down"))
        );
        assert_eq!(last[1]["data"]["reason"], "gone");
        client.assert_silence().await;
    }
}

#[tokio::test]
async fn one_connection_leaves_at_most_a_thousand_things_to_be_said() {
    let broker = Broker::start().await;
    let mut publisher = broker.client().await;
    let leave =
        |n: usize| json!({"op": "publish", "topic": format!("a.{n}"), "data": 1, "will": 2});
    for n in 0..1_000 {
        publisher.send(leave(n)).await;
    }
    publisher.refused(leave(1_000), "too_many").await;
    assert_eq!(publisher.ask(leave(999)).await["op"], "published", "it has one for that topic");
}
