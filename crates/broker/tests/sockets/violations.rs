//! What breaks RFC 6455 or a bound of the connection: a close code, and nobody else notices.

use serde_json::json;

use crate::harness::{BINARY, Broker, CLOSE, PING, PONG, Raw, TEXT, frame, frame_head};

/// First bytes of frames that are not the last of their message, and of such that continue one.
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
const CONTINUES: u8 = 0x00;
const ENDS: u8 = 0x80;

/// Sends `bytes` on a connection of its own, subscribed to a topic, and returns the close code.
/// What was well-formed before must have been acted on.
async fn code_for(broker: &Broker, bytes: &[u8]) -> u16 {
    let mut raw = broker.raw("").await;
    raw.command(r#"{"op":"ping","id":"before"}"#).await;
    assert_eq!(raw.message().await["id"], "before");
    raw.send_in_vain(bytes).await;
    raw.closed().await.0
}

async fn assert_codes(code: u16, cases: &[(&str, Vec<u8>)]) {
    let broker = Broker::start().await;
    let mut witness = broker.client().await;
    witness.subscribe(&["chat.a"]).await;
    for (what, bytes) in cases {
        assert_eq!(code_for(&broker, bytes).await, code, "{what}");
        witness.publish("chat.a", json!(what)).await;
        assert_eq!(witness.expect("event").await["data"], *what);
    }
    witness.assert_silence().await;
    broker.until("tickwire_connections", |connections| connections == 1).await;
}

#[tokio::test]
async fn violations_of_the_protocol_close_with_1002() {
    let mut masked = frame(PING, &[0; 125]);
    masked[1] = 0x80 | 126;
    masked.splice(2..2, [0, 126]);
    assert_codes(
        1002,
        &[
            ("an unmasked text", [&[TEXT, 2][..], b"hi"].concat()),
            ("an unmasked ping", vec![PING, 0]),
            ("an unmasked close", vec![CLOSE, 0]),
            ("reserved bit 1", frame(TEXT | 0x40, b"x")),
            ("reserved bit 2", frame(TEXT | 0x20, b"x")),
            ("reserved bit 3", frame(PING | 0x10, b"x")),
            ("opcode 3", frame(0x83, b"x")),
            ("opcode 15", frame(0x8F, b"")),
            ("a fragmented ping", frame(PING & 0x7F, b"x")),
            ("a fragmented close", frame(CLOSE & 0x7F, b"")),
            ("a ping over 125 bytes", masked),
            ("a pong over 125 bytes", frame(PONG, &[0; 126])),
            ("a close over 125 bytes", frame(CLOSE, &[[3, 232].as_slice(), &[b'x'; 124]].concat())),
            ("a continuation of nothing", frame(ENDS, b"x")),
            ("a text within a text", [frame(TEXT_BEGINS, b"{"), frame(TEXT, b"}")].concat()),
            ("a length in more bytes than needed", vec![TEXT, 0x80 | 126, 0, 5]),
            ("half a close code", frame(CLOSE, &[3])),
            ("a close code that must not be sent", frame(CLOSE, &1005u16.to_be_bytes())),
            ("HTTP on a WebSocket", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ],
    )
    .await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_with_1007() {
    assert_codes(
        1007,
        &[
            ("an overlong character", frame(TEXT, &[b'"', 0xC0, 0xAF, b'"'])),
            ("a surrogate", frame(TEXT, &[0xED, 0xA0, 0x80])),
            ("a character cut off", frame(TEXT, &[b'a', 0xC3])),
            (
                "seen in the first fragment",
                [frame(TEXT_BEGINS, &[0xFF]), frame(CONTINUES, b"")].concat(),
            ),
            ("the reason of a close", frame(CLOSE, &[3, 232, 0xFF])),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_message_too_large_closes_with_1009_by_its_header() {
    const BOUND: usize = 2_048;
    let broker = Broker::with(|config| config.websocket.message_bytes = BOUND).await;
    let mut fits = br#"{"op":"ping","id":1,"filling":""}"#.to_vec();
    fits.splice(fits.len() - 2..fits.len() - 2, vec![b'x'; BOUND - fits.len()]);
    let mut raw = broker.raw("").await;
    raw.send(&frame(TEXT, &fits)).await;
    assert_eq!(raw.message().await["op"], "pong");
    // Only headers: if the broker waited for the payload, this would never end.
    for told in [BOUND as u64 + 1, 65_536, 1 << 40, u64::MAX >> 1] {
        assert_eq!(code_for(&broker, &frame_head(TEXT, told)).await, 1009, "{told}");
    }
    let begun = frame(TEXT_BEGINS, &vec![b' '; BOUND - 10]);
    let fragments = [begun.clone(), frame(CONTINUES, b"0123456789"), frame_head(ENDS, 1)].concat();
    assert_eq!(code_for(&broker, &fragments).await, 1009, "together");
    let many = [vec![begun], vec![frame(CONTINUES, b"x"); 11]].concat().concat();
    assert_eq!(code_for(&broker, &many).await, 1009, "without an end");
    // The bound starts anew with each message.
    for _ in 0..5 {
        raw.send(&frame(TEXT_BEGINS, &fits[..1_000])).await;
        raw.send(&frame(PING, b"between")).await;
        raw.send(&frame(ENDS, &fits[1_000..])).await;
        assert_eq!(raw.next().await, (PONG, b"between".to_vec()));
        assert_eq!(raw.message().await["op"], "pong");
    }
}

#[tokio::test]
async fn the_wrong_type_of_message_closes_with_1003() {
    let broker = Broker::start().await;
    let text = br#"{"op":"ping"}"#;
    for (subprotocol, bytes) in [
        ("", frame(BINARY, text)),
        ("tickwire.v1.json", frame(BINARY, text)),
        ("tickwire.v1.json", [frame(BINARY_BEGINS, text), frame(ENDS, b"")].concat()),
        ("tickwire.v1.msgpack", frame(TEXT, text)),
    ] {
        let mut raw = broker.raw(subprotocol).await;
        raw.send(&bytes).await;
        let (code, reason) = raw.closed().await;
        assert_eq!(code, 1003, "{subprotocol}");
        assert!(reason.contains("frames only"), "{reason}");
    }
}

#[tokio::test]
async fn what_came_before_a_violation_is_done_and_nothing_after_it() {
    let broker = Broker::start().await;
    let mut witness = broker.client().await;
    witness.subscribe(&["chat.a"]).await;
    let publish = |n: u64| {
        frame(TEXT, format!(r#"{{"op":"publish","topic":"chat.a","data":{n}}}"#).as_bytes())
    };
    let mut raw = broker.raw("").await;
    raw.send(&[publish(1), publish(2), frame(0x83, b""), publish(3)].concat()).await;
    assert_eq!(raw.closed().await.0, 1002);
    for n in [1, 2] {
        assert_eq!(witness.expect("event").await["data"], n);
    }
    witness.assert_silence().await;
}

#[tokio::test]
async fn a_message_may_come_byte_by_byte_and_behind_the_handshake() {
    let broker = Broker::start().await;
    let mut raw = broker.raw("").await;
    let text = r#"{"op":"ping","id":"é"}"#.as_bytes();
    let bytes = [frame(TEXT_BEGINS, &text[..20]), frame(PING, b"!"), frame(ENDS, &text[20..])];
    for byte in bytes.concat() {
        raw.send(&[byte]).await;
    }
    assert_eq!(raw.next().await, (PONG, b"!".to_vec()));
    assert_eq!(raw.message().await["id"], "é");

    let mut eager = Raw::begin(broker.address()).await;
    let handshake = Raw::handshake("");
    eager.send(&[handshake.as_bytes(), &frame(TEXT, text)].concat()).await;
    eager.accepted().await;
    assert_eq!(eager.message().await["id"], "é");
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code() {
    let broker = Broker::start().await;
    for code in [1000u16, 1001, 3000, 4999] {
        let mut raw = broker.raw("").await;
        raw.send(&frame(CLOSE, &[&code.to_be_bytes()[..], b"bye"].concat())).await;
        assert_eq!(raw.closed().await, (code, String::new()));
    }
    let mut raw = broker.raw("").await;
    raw.send(&[frame(CLOSE, b""), frame(TEXT, br#"{"op":"ping"}"#)].concat()).await;
    assert_eq!(raw.closed().await.0, 1005);
    broker.client().await.close().await;
    broker.until("tickwire_connections", |connections| connections == 0).await;
}
