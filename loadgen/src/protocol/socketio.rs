//! Socket.IO 4 over its WebSocket transport: rooms are topics, a small server joins them.

use super::{Dialect, Event, Heard, Hearing, Opening, below, stamp};

/// A Socket.IO server that knows the events `subscribe` (topics, acknowledged) and `publish`
/// (topic, data), and emits `event` to a topic's room.
#[derive(Debug)]
pub struct SocketIo;

impl Dialect for SocketIo {
    fn subscriber(&self, base: &str, _number: usize, topics: &[String]) -> Opening {
        // A message (4), an event (2) that wants acknowledgement number 0.
        let names = topics.join("\",\"");
        Opening { wishes: format!("420[\"subscribe\",[\"{names}\"]]").into(), ..opening(base) }
    }

    fn publisher(&self, base: &str, _number: usize) -> Opening {
        opening(base)
    }

    /// Each frame is one message.
    fn hear<'b>(&self, bytes: &'b [u8]) -> Hearing<'b> {
        let heard = match bytes {
            [b'4', b'2', data @ ..] => stamp::read(data).map_or(Heard::Nothing, Heard::Event),
            [b'2'] => Heard::Ask(b"3"),
            [b'4', b'0', ..] => Heard::Welcome,
            [b'4', b'3', ..] => Heard::Ready,
            [b'0', ..] => Heard::Nothing,
            [b'4', b'4' | b'1', ..] | [b'1'] => Heard::Refused(bytes),
            _ => return Err("a message that is not Socket.IO".into()),
        };
        Ok(Some((bytes.len(), heard)))
    }

    fn publish(&self, _base: &str, _authority: &str, event: Event<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"42[\"publish\",\"");
        out.extend_from_slice(event.topic.as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(event.data);
        out.push(b']');
    }
}

fn opening(base: &str) -> Opening {
    Opening {
        path: below(base, "socket.io/?EIO=4&transport=websocket"),
        subprotocol: "",
        // Connects to the main namespace.
        hello: b"40".to_vec(),
        wishes: Vec::new(),
    }
}
