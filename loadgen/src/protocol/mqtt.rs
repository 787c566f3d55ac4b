//! MQTT 3.1.1 over WebSocket at quality of service 0: packets inside binary frames.

use super::{Dialect, Event, Heard, Hearing, Opening, stamp};
use crate::frames;

/// Packet types, in the upper half of the first byte.
const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const SUBACK: u8 = 9;
/// The code of a subscription that was not granted.
const NOT_GRANTED: u8 = 0x80;

/// mosquitto, and any other broker that speaks MQTT over WebSocket.
#[derive(Debug)]
pub struct Mqtt;

impl Dialect for Mqtt {
    fn subscriber(&self, base: &str, number: usize, topics: &[String]) -> Opening {
        // Packet number 1; of each topic its name and the quality of service.
        let mut body = vec![0, 1];
        for topic in topics {
            push_text(&mut body, topic.as_bytes());
            body.push(0);
        }
        let mut wishes = Vec::new();
        push_packet(&mut wishes, SUBSCRIBE << 4 | 2, &body);
        Opening { path: base.into(), subprotocol: "mqtt", hello: connect("s", number), wishes }
    }

    fn publisher(&self, base: &str, number: usize) -> Opening {
        let (hello, wishes) = (connect("p", number), Vec::new());
        Opening { path: base.into(), subprotocol: "mqtt", hello, wishes }
    }

    fn opcode(&self) -> u8 {
        frames::BINARY
    }

    fn hear<'b>(&self, bytes: &'b [u8]) -> Hearing<'b> {
        let [first, rest @ ..] = bytes else { return Ok(None) };
        let Some((length, digits)) = length(rest)? else { return Ok(None) };
        let whole = 1 + digits + length;
        let Some(body) = bytes.get(1 + digits..whole) else { return Ok(None) };
        let heard = match (first >> 4, body) {
            (PUBLISH, [high, low, rest @ ..]) => {
                let name = usize::from(u16::from_be_bytes([*high, *low]));
                let Some(payload) = rest.get(name..) else {
                    return Err("an MQTT topic longer than its packet".into());
                };
                stamp::read(payload).map_or(Heard::Nothing, Heard::Event)
            }
            (CONNACK, [_, 0]) => Heard::Welcome,
            (CONNACK, _) => Heard::Refused(b"CONNECT was not accepted"),
            (SUBACK, [_, _, codes @ ..]) if codes.contains(&NOT_GRANTED) => {
                Heard::Refused(b"SUBSCRIBE was not granted")
            }
            (SUBACK, _) => Heard::Ready,
            (0 | 15 | PUBLISH, _) => return Err("a packet that is not MQTT 3.1.1".into()),
            _ => Heard::Nothing,
        };
        Ok(Some((whole, heard)))
    }

    fn publish(&self, _base: &str, _authority: &str, event: Event<'_>, out: &mut Vec<u8>) {
        out.push(PUBLISH << 4);
        push_length(out, 2 + event.topic.len() + event.data.len());
        push_text(out, event.topic.as_bytes());
        out.extend_from_slice(event.data);
    }
}

/// A clean session without keep-alive, so that nothing but events flows.
fn connect(kind: &str, number: usize) -> Vec<u8> {
    let mut body = Vec::new();
    push_text(&mut body, b"MQTT");
    // Level 4, clean session, no keep-alive.
    body.extend_from_slice(&[4, 2, 0, 0]);
    push_text(&mut body, format!("{kind}{:x}-{number}", std::process::id()).as_bytes());
    let mut packet = Vec::new();
    push_packet(&mut packet, CONNECT << 4, &body);
    packet
}

fn push_packet(out: &mut Vec<u8>, first: u8, body: &[u8]) {
    out.push(first);
    push_length(out, body.len());
    out.extend_from_slice(body);
}

/// Seven bits a byte, the lowest first.
fn push_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7f).expect("seven bits");
        length >>= 7;
        if length == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).expect("names are short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text);
}

/// A packet's length, and how many bytes say it; `None` when they are not all there.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() >= 4 { Err("an MQTT length of more than four bytes".into()) } else { Ok(None) }
}
