//! What a client does with received bytes: frames cut out of the stream, messages read from them.

use serde_json::{Map, Value};
use wire::Codec;

/// One WebSocket frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Text 1, binary 2, close 8, ping 9, pong 10.
    pub(crate) opcode: u8,
    /// What it carries.
    pub(crate) payload: Vec<u8>,
    /// Bytes it took in the stream, header included.
    pub(crate) length: usize,
}

/// The frame that `stream` begins with, once all of it is there.
pub(crate) fn first_frame(stream: &[u8]) -> Option<Frame> {
    let (&first, &second) = (stream.first()?, stream.get(1)?);
    assert_eq!(first & 0xF0, 0x80, "every message is one frame without extensions");
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (header, payload) = match second {
        126 => (4, usize::from(u16::from_be_bytes(stream.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(stream.get(2..10)?.try_into().ok()?) as usize),
        short => (2, usize::from(short)),
    };
    let length = header + payload;
    let payload = stream.get(header..length)?.to_vec();
    Some(Frame { opcode: first & 0x0F, payload, length })
}

/// The message in a data frame. Time stamps come out as JSON has them, as strings, so that both
/// codecs can be compared with one truth.
pub(crate) fn message(codec: Codec, frame: &Frame) -> Map<String, Value> {
    let value: Value = match codec {
        Codec::Json => {
            assert_eq!(frame.opcode, 1, "JSON goes as text");
            serde_json::from_slice(&frame.payload).expect("a text frame holds one JSON value")
        }
        Codec::MessagePack => {
            assert_eq!(frame.opcode, 2, "MessagePack goes as binary");
            rmp_serde::from_slice(&frame.payload).expect("a binary frame holds one value")
        }
    };
    let Value::Object(mut message) = value else { panic!("a message is a map: {value}") };
    if codec == Codec::MessagePack {
        stamps_as_text(&mut message, &["ts"]);
        let market = message.get("topic").and_then(Value::as_str).is_some_and(is_market);
        if let Some(Value::Object(data)) = message.get_mut("data").filter(|_| market) {
            stamps_as_text(data, &["ts_event", "ts_recv", "start"]);
        }
    }
    message
}

fn stamps_as_text(map: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(stamp) = map.get_mut(*name) {
            let number = stamp.as_u64().expect("MessagePack has stamps as integers");
            *stamp = Value::String(number.to_string());
        }
    }
}

fn is_market(topic: &str) -> bool {
    ["trade.", "quote.", "book.", "bar-", "status."].iter().any(|kind| topic.starts_with(kind))
}
