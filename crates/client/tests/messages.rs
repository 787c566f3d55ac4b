//! Commands and messages in both codecs: the same meaning, exact numbers, room for the future.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use client::{
    Acknowledged, Codec, Command, Data, Message, OnSlow, Position, Publish, RawMessage, Subscribe,
    TopicPosition,
};
use serde_json::{Value, json};

fn in_json(value: &Value) -> RawMessage {
    RawMessage { codec: Codec::Json, bytes: value.to_string().into() }
}

fn in_msgpack(value: &Value) -> RawMessage {
    RawMessage { codec: Codec::MessagePack, bytes: rmp_serde::to_vec_named(value).unwrap().into() }
}

/// Both codecs must decode `value` to the same message.
fn decoded(value: &Value) -> Message {
    let message = in_json(value).decode().unwrap();
    assert_eq!(in_msgpack(value).decode().unwrap(), message);
    message
}

#[test]
fn commands_are_written_as_the_protocol_says() {
    let command = Command::from(Subscribe {
        id: Some(1),
        snapshot: Some(false),
        max_rate: Some(2.5),
        on_slow: Some(OnSlow::Disconnect),
        resume: [("a.b".into(), Position { epoch: "e".into(), seq: 7 })].into(),
        history: Some(20),
        ..Subscribe::to(["a.b", "quote.>"])
    });
    let expected = json!({
        "op": "subscribe", "id": 1, "topics": ["a.b", "quote.>"], "snapshot": false,
        "max_rate": 2.5, "on_slow": "disconnect", "history": 20,
        "resume": {"a.b": {"epoch": "e", "seq": 7}},
    });
    let json: Value = serde_json::from_slice(&Codec::Json.encode(&command).unwrap()).unwrap();
    assert_eq!(json, expected);
    let msgpack: Value =
        rmp_serde::from_slice(&Codec::MessagePack.encode(&command).unwrap()).unwrap();
    assert_eq!(msgpack, expected);
    let plain = Codec::Json.encode(&Subscribe::to(["a"]).into()).unwrap();
    assert_eq!(plain, br#"{"op":"subscribe","topics":["a"]}"#);
    let ping = Codec::Json.encode(&Command::Ping { id: None }).unwrap();
    assert_eq!(ping, br#"{"op":"ping"}"#);
}

#[test]
fn published_data_keeps_its_notation_and_its_64_bits() {
    let text = r#"{"z":1.10,"a":18446744073709551615,"b":[-9223372036854775808,null,{"k":true}]}"#;
    let data = Data::from_json(text).unwrap();
    let command =
        Command::from(Publish { id: None, topic: "t".into(), data, will: None, native: None });
    let sent = String::from_utf8(Codec::Json.encode(&command).unwrap()).unwrap();
    assert_eq!(sent, format!(r#"{{"op":"publish","topic":"t","data":{text}}}"#));
    let sent: Value = rmp_serde::from_slice(&Codec::MessagePack.encode(&command).unwrap()).unwrap();
    assert_eq!(sent["data"]["a"], json!(u64::MAX));
    assert_eq!(sent["data"]["b"], json!([i64::MIN, null, {"k": true}]));
    assert!(Data::from_json("{} trailing").is_err());
}

#[test]
fn stamps_are_strings_or_integers() {
    let event = |ts: Value| json!({"op": "event", "topic": "t", "seq": 3, "ts": ts, "data": null});
    for ts in [json!("1790000000000000000"), json!(1_790_000_000_000_000_000_u64)] {
        let Message::Event(event) = decoded(&event(ts)) else { panic!("an event") };
        assert_eq!(event.ts, 1_790_000_000_000_000_000);
        assert_eq!((event.from, event.merged, event.data.as_str()), (3, 1, "null"));
    }
    for ts in [json!("soon"), json!(-1), json!(1.5)] {
        assert!(in_json(&event(ts.clone())).decode().is_err());
        assert!(in_msgpack(&event(ts)).decode().is_err());
    }
}

#[test]
fn every_message_is_understood_and_unknown_fields_are_ignored() {
    let merged = json!({"op": "event", "topic": "q", "seq": 9, "from": 5, "merged": 5, "ts": "1",
        "data": {"bid_price": "1.0"}, "later": {"field": [1]}});
    assert!(matches!(decoded(&merged), Message::Event(e) if (e.from, e.merged) == (5, 5)));
    let gap =
        json!({"op": "gap", "topic": "t", "from": 1, "to": 4, "reason": "restart", "epoch": "n"});
    assert!(matches!(decoded(&gap), Message::Gap(g) if g.epoch.as_deref() == Some("n")));
    let error = json!({"op": "error", "id": null, "code": "bad_json", "message": "what"});
    assert!(matches!(decoded(&error), Message::Error(e) if e.to_string() == "what (bad_json)"));
    let pong = json!({"op": "pong", "id": 5, "ts": "77"});
    assert_eq!(decoded(&pong), Message::Pong { id: Some(5), ts: Some(77) });
    let unsubscribed = json!({"op": "unsubscribed", "id": 4, "topics": ["a", {"pattern": "b.*"}]});
    let names = vec!["a".to_owned(), "b.*".to_owned()];
    assert_eq!(decoded(&unsubscribed), Message::Unsubscribed { id: Some(4), topics: names });
    let subscribed = json!({"op": "subscribed", "id": 1, "topics": [
        {"topic": "t", "epoch": "e", "seq": 124}, {"pattern": "q.*", "matched": 20}]});
    let position = TopicPosition { topic: "t".into(), epoch: "e".into(), seq: 124 };
    let pattern = Acknowledged::Pattern {
        pattern: "q.*".into(),
        matched: 20,
        epoch: None,
        topics: Vec::new(),
    };
    let topics = vec![Acknowledged::Topic(position), pattern];
    assert_eq!(decoded(&subscribed), Message::Subscribed { id: Some(1), topics });
}

#[test]
fn a_later_op_is_unknown_and_a_broken_message_is_an_error() {
    let later = json!({"op": "welcome", "seq": "not a number", "topics": 3});
    assert_eq!(decoded(&later), Message::Unknown { op: "welcome".into() });
    let broken = json!({"op": "event", "topic": "t", "ts": "1", "data": 1});
    let said = in_json(&broken).decode().unwrap_err().to_string();
    assert!(said.contains("event without seq"), "{said}");
    for bytes in [&b"{"[..], b"[]", b"", b"\xff"] {
        for codec in [Codec::Json, Codec::MessagePack] {
            let raw = RawMessage { codec, bytes: bytes.to_vec().into() };
            assert!(raw.decode().is_err());
        }
    }
}

#[test]
fn a_line_of_json_is_the_message_as_received() {
    let text = r#"{"op":"event","topic":"t","seq":1,"ts":"1","data":{"b":1.10,"a":2}}"#;
    let raw = RawMessage { codec: Codec::Json, bytes: text.into() };
    assert_eq!(raw.to_json_line().unwrap(), text);
    let spread = RawMessage { codec: Codec::Json, bytes: "{\n \"a\": 1\n}".into() };
    assert_eq!(spread.to_json_line().unwrap(), r#"{"a":1}"#);
    let packed = in_msgpack(&json!({"op": "pong", "ts": 1_790_000_000_000_000_001_u64}));
    assert_eq!(packed.to_json_line().unwrap(), r#"{"op":"pong","ts":1790000000000000001}"#);
}
