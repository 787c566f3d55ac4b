//! What the wire tests share: the message inside a frame.

use serde_json::Value;
use wire::Codec;

/// The payload of the one frame in `frame`.
pub(crate) fn payload(frame: &[u8]) -> &[u8] {
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    &frame[header..]
}

/// The message in `frame`.
pub(crate) fn message(codec: Codec, frame: &[u8]) -> Value {
    match codec {
        Codec::Json => {
            let mut source = serde_json::Deserializer::from_slice(payload(frame));
            source.disable_recursion_limit();
            serde::Deserialize::deserialize(&mut source).expect("JSON")
        }
        Codec::MessagePack => rmp_serde::from_slice(payload(frame)).expect("MessagePack"),
    }
}
