//! What one client may have, and that the others do not notice when it wants more.

use serde_json::json;

use crate::harness::{Broker, PING, PONG, Raw, TEXT, frame};

#[tokio::test]
async fn too_many_topics_in_one_command_are_too_many() {
    let broker = Broker::with(|config| config.websocket.message_bytes = 32 << 20).await;
    let mut client = broker.client().await;
    let list = |count: usize| (0..count).map(|n| json!(format!("chat.t{n}"))).collect::<Vec<_>>();
    for count in [1_001, 1_000_000] {
        for op in ["subscribe", "unsubscribe"] {
            let command = json!({"op": op, "topics": list(count)});
            let error = client.refused(command, "too_many").await;
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("1000") && message.contains(&count.to_string()), "{error}");
        }
    }
    assert_eq!(broker.metric("tickwire_topics").await, 0);
    let command = json!({"op": "subscribe", "topics": list(1_000)});
    assert_eq!(client.ask(command).await["topics"].as_array().unwrap().len(), 1_000);
}

#[tokio::test]
async fn more_subscriptions_than_a_connection_may_have_are_too_many() {
    let broker = Broker::with(|config| config.subscriptions.per_connection = 5).await;
    let mut client = broker.client().await;
    client.subscribe(&["chat.a", "chat.b", "chat.*"]).await;
    let command = json!({"op": "subscribe", "topics": ["chat.c", "chat.d", "chat.e"]});
    client.refused(command, "too_many").await;
    assert_eq!(broker.metric("tickwire_subscriptions").await, 3, "all or nothing");
    // What is subscribed already does not count twice.
    client.subscribe(&["chat.a", "chat.b", "chat.*", "chat.c", "chat.d"]).await;
    client.refused(json!({"op": "subscribe", "topics": ["chat.e"]}), "too_many").await;
    client.unsubscribe(&["chat.a"]).await;
    client.subscribe(&["chat.e"]).await;
    broker.client().await.subscribe(&["chat.e"]).await;
}

#[tokio::test]
async fn more_topics_than_the_broker_may_have_are_too_many() {
    let broker = Broker::with(|config| config.topics.topics_max = 4).await;
    let mut client = broker.client().await;
    for n in 0..4 {
        client.publish(&format!("chat.t{n}"), json!(n)).await;
    }
    client.refused(json!({"op": "publish", "topic": "chat.t4", "data": 1}), "too_many").await;
    client.refused(json!({"op": "subscribe", "topics": ["chat.t4"]}), "too_many").await;
    assert_eq!(client.publish("chat.t0", json!("still there")).await, 2);
}

#[tokio::test]
async fn a_hundred_errors_in_a_minute_close_with_1008() {
    let broker = Broker::start().await;
    let mut raw = broker.raw("").await;
    let flood = [frame(TEXT, b"no"), frame(TEXT, br#"{"op":"ping"}"#)].concat().repeat(100);
    raw.send_in_vain(&flood).await;
    let mut errors = 0;
    loop {
        let (first, payload) = raw.next().await;
        if first != TEXT {
            assert_eq!(payload[..2], 1008u16.to_be_bytes());
            break;
        }
        let message: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        errors += u64::from(message["op"] == "error");
    }
    assert_eq!(errors, 100);
    let mut client = broker.client().await;
    for _ in 0..99 {
        client.refused(json!({"op": "dance"}), "bad_command").await;
    }
    client.assert_silence().await;
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_the_others_stay() {
    let broker = Broker::with(|config| config.server.connections_max = 3).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(broker.client().await);
    }
    for _ in 0..3 {
        // It has begun to talk, as clients do that do not wait.
        let mut raw = Raw::begin(broker.address()).await;
        let ping = frame(TEXT, br#"{"op":"ping"}"#);
        raw.send(&[Raw::handshake("").as_bytes(), &ping].concat()).await;
        raw.accepted().await;
        raw.send_in_vain(&ping).await;
        let (code, reason) = raw.closed().await;
        assert_eq!((code, reason.as_str()), (1013, "too many connections"));
    }
    for client in &mut clients {
        client.assert_silence().await;
    }
    clients.pop().unwrap().close().await;
    broker.until("tickwire_connections", |connections| connections == 2).await;
    broker.client().await.assert_silence().await;
}

/// Far more than the kernel and the broker may hold of what one client sends.
const FLOOD: usize = 64 << 20;
/// Room for answers that nobody takes, in these tests.
const UNSENT: usize = 16 << 10;

#[tokio::test]
async fn a_flood_without_reading_stops_at_its_own_socket() {
    let broker = Broker::with(|config| {
        config.server.shards = 1;
        config.websocket.unsent_bytes_max = UNSENT;
    })
    .await;
    let mut witness = broker.client().await;
    witness.subscribe(&["chat.a"]).await;
    let ping = frame(PING, &[7; 125]).repeat(64);
    let command =
        frame(TEXT, br#"{"op":"ping","id":"answer me with something longer"}"#).repeat(64);
    for bytes in [ping, command] {
        let mut flooder = broker.raw("").await;
        let (mut sent, mut refused) = (0, 0);
        // Until the broker takes nothing more although its shard has had many turns.
        while refused < 50 && sent < FLOOD {
            match flooder.stream.try_write(&bytes[sent % bytes.len()..]) {
                Ok(count) => (sent, refused) = (sent + count, 0),
                Err(_) => {
                    refused += 1;
                    witness.assert_silence().await;
                }
            }
        }
        assert!(sent < FLOOD, "the broker took all of {sent} bytes");
        witness.publish("chat.a", json!("the shard lives")).await;
        witness.expect("event").await;
        // Whoever reads again gets all answers.
        let (first, _) = flooder.next().await;
        assert!(first == PONG || first == TEXT);
        for _ in 0..1_000 {
            flooder.next().await;
        }
        drop(flooder);
        broker.until("tickwire_connections", |connections| connections == 1).await;
    }
}
