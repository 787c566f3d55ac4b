//! Commands that are wrong: an error with the id where there was one, and the connection stays.

use serde_json::{Value, json};

use crate::harness::{Broker, Client, book, quote, trade};

/// Sends a text that is no good and returns the error, after which the connection must be alive.
async fn error_for(client: &mut Client, text: &str) -> Value {
    client.send_text(text).await;
    let error = client.expect("error").await;
    client.assert_silence().await;
    error
}

#[tokio::test]
async fn text_that_is_no_json_gets_bad_json() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    for text in ["", "{", "no", "{\"op\":\"ping\"", "{\"op\":\"ping\"}}", "[1,]", "{'op':1}", "\0"]
    {
        let error = error_for(&mut client, text).await;
        assert_eq!(error["code"], "bad_json", "{text:?} {error}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(error["id"].is_null());
    }
    // Deep enough to break a parser that recurses.
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let error = error_for(&mut client, &deep).await;
    assert!(matches!(error["code"].as_str(), Some("bad_json" | "bad_command")), "{error}");
}

#[tokio::test]
async fn bytes_that_are_no_messagepack_get_bad_msgpack() {
    let broker = Broker::start().await;
    let mut client = broker.msgpack_client().await;
    let deep = vec![0x91; 100_000];
    let cases: [&[u8]; 8] = [
        b"",
        &[0xC1],
        // A map of more entries than there are bytes, a text and an array cut off.
        &[0xDF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0xA5, b'a'],
        &[0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        // Text that is not UTF-8, and something behind the end.
        &[0xA1, 0xFF],
        &[0x80, 0x80],
        &deep,
    ];
    for bytes in cases {
        client.send_binary(bytes).await;
        let error = client.expect("error").await;
        assert_eq!(error["code"], "bad_msgpack", "{bytes:.20?} {error}");
        client.assert_silence().await;
    }
}

#[tokio::test]
async fn messagepack_that_json_cannot_say_is_refused() {
    let broker = Broker::start().await;
    let mut client = broker.msgpack_client().await;
    client.subscribe(&["chat.a"]).await;
    let publish = |data: &[u8]| {
        let mut bytes = vec![0x83, 0xA2, b'o', b'p', 0xA7];
        bytes.extend(b"publish\xA5topic\xA6chat.a\xA4data");
        bytes.extend(data);
        bytes
    };
    let cases: [&[u8]; 6] = [
        // NaN and infinity, bin, ext, a map with a number for a key.
        &[0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0],
        &[0xCA, 0x7F, 0x80, 0, 0],
        &[0xC4, 1, 7],
        &[0xD4, 1, 7],
        &[0x81, 1, 1],
        &[0x91, 0xC4, 0],
    ];
    for data in cases {
        client.send_binary(&publish(data)).await;
        assert_eq!(client.expect("error").await["code"], "bad_msgpack", "{data:?}");
    }
    client.send_binary(&publish(&[0xCF, 255, 255, 255, 255, 255, 255, 255, 255])).await;
    assert_eq!(client.expect("event").await["data"], u64::MAX);
}

#[tokio::test]
async fn an_unknown_op_and_missing_or_mistyped_fields_get_bad_command_with_the_id() {
    let broker = Broker::start().await;
    let mut clients = [broker.client().await, broker.msgpack_client().await];
    for client in &mut clients {
        for command in [
            json!({}),
            json!({"op": "dance"}),
            json!({"op": 7}),
            json!({"op": null}),
            json!({"op": "Subscribe", "topics": ["a"]}),
            json!({"op": "subscribe"}),
            json!({"op": "subscribe", "topics": "chat.a"}),
            json!({"op": "subscribe", "topics": []}),
            json!({"op": "subscribe", "topics": ["chat.a", 7]}),
            json!({"op": "subscribe", "topics": {"chat.a": 1}}),
            json!({"op": "subscribe", "topics": ["chat.a"], "snapshot": "yes"}),
            json!({"op": "subscribe", "topics": ["chat.a"], "history": -1}),
            json!({"op": "subscribe", "topics": ["chat.a"], "history": "20"}),
            json!({"op": "subscribe", "topics": ["chat.a"], "on_slow": "wait"}),
            json!({"op": "subscribe", "topics": ["chat.a"], "on_slow": 1}),
            json!({"op": "subscribe", "topics": ["chat.a"], "resume": []}),
            json!({"op": "subscribe", "topics": ["chat.a"], "resume": {"chat.a": 7}}),
            json!({"op": "subscribe", "topics": ["chat.a"], "resume": {"chat.a": {"seq": 7}}}),
            json!({"op": "subscribe", "topics": ["chat.a"],
                   "resume": {"chat.a": {"epoch": "1", "seq": -7}}}),
            json!({"op": "unsubscribe"}),
            json!({"op": "unsubscribe", "topics": [null]}),
            json!({"op": "publish", "topic": "chat.a"}),
            json!({"op": "publish", "data": 1}),
            json!({"op": "publish", "topic": ["chat.a"], "data": 1}),
        ] {
            let error = client.refused(command, "bad_command").await;
            assert!(error["message"].as_str().unwrap().len() > 10, "{error}");
        }
    }
    let [client, _] = &mut clients;
    for text in ["7", "[]", "\"op\"", "null", "{\"op\":\"ping\",\"id\":{}}"] {
        let error = error_for(client, text).await;
        assert_eq!((&error["code"], &error["id"]), (&json!("bad_command"), &Value::Null));
    }
    assert_eq!(broker.metric("tickwire_subscriptions").await, 0);
}

#[tokio::test]
async fn ids_come_back_as_they_were() {
    let broker = Broker::start().await;
    let mut clients = [broker.client().await, broker.msgpack_client().await];
    for client in &mut clients {
        for id in [json!(0), json!(-5), json!(u64::MAX), json!("text \"é\""), json!("")] {
            client.send(json!({"op": "ping", "id": id})).await;
            let pong = client.expect("pong").await;
            assert_eq!(pong["id"], id);
            client.send(json!({"op": "dance", "id": id})).await;
            assert_eq!(client.expect("error").await["id"], id);
        }
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe_with(&["trade.x.A"], json!({"color": "red", "x": {"y": [1]}})).await;
    let mut data = trade(1);
    data["venue_field"] = json!({"any": "thing"});
    let publish = json!({"op": "publish", "topic": "trade.x.A", "data": data, "later": true});
    assert_eq!(client.ask(publish).await["op"], "published");
    client.expect("event").await;
}

#[tokio::test]
async fn topics_that_break_the_rules_get_bad_topic() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    let thousand = ["x"; 1000].join(".");
    let seventeen = ["x"; 17].join(".");
    let long = "x".repeat(256);
    for bad in ["", ".", "a.", ".a", "a..b", "x*", "a.*b", "a.>.b", "a b", "a.é", "a\tb", "a\0"]
        .into_iter()
        .chain([thousand.as_str(), &seventeen, &long])
    {
        client.refused(json!({"op": "subscribe", "topics": [bad]}), "bad_topic").await;
        client.refused(json!({"op": "unsubscribe", "topics": [bad]}), "bad_topic").await;
        client.refused(json!({"op": "publish", "topic": bad, "data": 1}), "bad_topic").await;
    }
    for pattern in ["*", ">", "chat.*", "chat.>", "trade.*.A"] {
        let data = trade(1);
        client.refused(json!({"op": "publish", "topic": pattern, "data": data}), "bad_topic").await;
    }
    let longest = vec!["x".repeat(15); 16].join(".");
    assert_eq!(longest.len(), 255);
    client.subscribe(&[&longest]).await;
    client.publish(&longest, json!(1)).await;
    client.expect("event").await;
    assert_eq!(broker.get("/topics").await.json()["topics"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn market_data_with_missing_or_wrong_fields_gets_bad_data_and_names_the_field() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    let without = |mut data: Value, field: &str| {
        data.as_object_mut().unwrap().remove(field);
        data
    };
    let with = |mut data: Value, field: &str, value: Value| {
        data[field] = value;
        data
    };
    let bar = crate::harness::bar(1);
    let status = json!({"state": "up", "reason": ""});
    let mut cases = Vec::new();
    for (topic, data) in [
        ("trade.x.A", trade(1)),
        ("quote.x.A", quote(1)),
        ("book.x.A", book(1)),
        ("bar-1s.x.A", bar),
        ("status.x", status),
    ] {
        for field in data.as_object().unwrap().keys().filter(|field| *field != "ts_event") {
            cases.push((topic, field.clone(), without(data.clone(), field)));
            cases.push((topic, field.clone(), with(data.clone(), field, json!({}))));
        }
        cases.push((topic, "object".into(), json!([1])));
    }
    for (field, wrong) in [
        ("price", json!(100.5)),
        ("price", json!("1e5")),
        ("price", json!("")),
        ("price", json!("NaN")),
        ("size", json!("-1")),
        ("side", json!("BUY")),
        ("ts_event", json!("yesterday")),
        ("ts_recv", json!(-1)),
    ] {
        cases.push(("trade.x.A", field.to_owned(), with(trade(1), field, wrong)));
    }
    for (field, wrong) in [
        ("bids", json!([["1"]])),
        ("bids", json!([["1", 2]])),
        ("asks", json!([{"price": "1", "size": "1"}])),
        ("asks", json!([["1", "-2"]])),
        ("reset", json!("yes")),
    ] {
        cases.push(("book.x.A", field.to_owned(), with(book(1), field, wrong)));
    }
    for (index, (topic, field, data)) in cases.into_iter().enumerate() {
        if index % 50 == 49 {
            // Fewer than a hundred errors for each connection.
            client = broker.client().await;
        }
        let shown = format!("{topic} {data}");
        let command = json!({"op": "publish", "topic": topic, "data": data});
        let error = client.refused(command, "bad_data").await;
        assert!(error["message"].as_str().unwrap().contains(&field), "{shown}: {error}");
    }
    let listed = broker.get("/topics").await.json();
    assert_eq!(listed["topics"], json!([]), "what is refused leaves nothing behind");
}

#[tokio::test]
async fn what_the_broker_adds_to_market_data() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["trade.x.A", "book.x.A"]).await;
    client.tell("trade.x.A", trade(1)).await;
    let event = client.expect("event").await;
    assert_eq!(event["data"]["ts_event"], "1790000000000000001");
    assert!(event["data"]["ts_recv"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    let mut data = trade(2);
    data["ts_recv"] = json!("17");
    client.tell("trade.x.A", data).await;
    assert_eq!(client.expect("event").await["data"]["ts_recv"], "17");
    client.tell("book.x.A", json!({"bids": [["1", "1"]], "asks": [], "reset": true})).await;
    let event = client.expect("event").await;
    assert_eq!(event["data"]["checksum"], crc32fast::hash(b"11"));
    assert!(event["data"]["ts_event"].is_null());
}
