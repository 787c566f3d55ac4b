//! The little that the floor understands and says.

use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::frames;

/// What a client may want.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Events of these topics.
    Subscribe { id: Option<u64>, topics: Vec<String> },
    /// An event for all others.
    Publish { topic: Vec<u8>, data: Vec<u8> },
}

#[derive(Deserialize)]
struct Subscribe {
    id: Option<u64>,
    topics: Vec<String>,
}

/// Reads a text frame; anything unknown is nothing. An event is cut out of its command, whose
/// last field has to be the data.
pub(super) fn command(text: &[u8]) -> Option<Command> {
    if memmem::find(text, b"\"op\":\"publish\"").is_some() {
        let topic = between(text, b"\"topic\":\"", b"\"")?.to_vec();
        let start = memmem::find(text, b"\"data\":")? + b"\"data\":".len();
        let data = text.get(start..text.len() - 1)?.to_vec();
        return Some(Command::Publish { topic, data });
    }
    if memmem::find(text, b"\"op\":\"subscribe\"").is_some() {
        let Subscribe { id, topics } = serde_json::from_slice(text).ok()?;
        return Some(Command::Subscribe { id, topics });
    }
    None
}

/// The answer to a request that asks for a WebSocket; `None` when it does not.
pub(super) fn upgrade(request: &[u8]) -> Option<Vec<u8>> {
    let request = std::str::from_utf8(request).ok()?;
    let header = |wanted: &str| {
        let mut headers = request.lines().skip(1).filter_map(|line| line.split_once(':'));
        let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        Some(value.trim())
    };
    let accept = client::handshake::accept_key(header("sec-websocket-key")?);
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    let json = client::Codec::Json.subprotocol();
    let offered = header("sec-websocket-protocol").unwrap_or_default();
    if offered.split(',').any(|name| name.trim() == json) {
        answer = format!("{answer}Sec-WebSocket-Protocol: {json}\r\n");
    }
    Some((answer + "\r\n").into_bytes())
}

/// The framed reply to a subscribe.
pub(super) fn subscribed(id: Option<u64>, topics: &[(String, u64)]) -> Vec<u8> {
    let entry = |(topic, seq): &(String, u64)| json!({"topic": topic, "epoch": "0", "seq": seq});
    let topics: Vec<Value> = topics.iter().map(entry).collect();
    let mut reply = json!({"op": "subscribed", "topics": topics});
    if let Some(id) = id {
        reply["id"] = id.into();
    }
    let text = reply.to_string();
    let mut frame = Vec::with_capacity(text.len() + 10);
    frames::push_head(&mut frame, frames::TEXT, text.len(), false);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Appends a framed event.
pub(super) fn event(frame: &mut Vec<u8>, topic: &[u8], seq: u64, data: &[u8]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let (mut seq_digits, mut now_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let parts: [&[u8]; 9] = [
        b"{\"op\":\"event\",\"topic\":\"",
        topic,
        b"\",\"seq\":",
        seq_digits.format(seq).as_bytes(),
        b",\"ts\":\"",
        now_digits.format(now).as_bytes(),
        b"\",\"data\":",
        data,
        b"}",
    ];
    let length = parts.iter().map(|part| part.len()).sum();
    frames::push_head(frame, frames::TEXT, length, false);
    parts.iter().for_each(|part| frame.extend_from_slice(part));
}

fn between<'t>(text: &'t [u8], before: &[u8], after: &[u8]) -> Option<&'t [u8]> {
    let start = memmem::find(text, before)? + before.len();
    let rest = &text[start..];
    Some(&rest[..memmem::find(rest, after)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_cut_out_of_their_text() {
        let publish = br#"{"op":"publish","topic":"a.b","data":{"data":[1,"}"]}}"#;
        let expected =
            Command::Publish { topic: b"a.b".to_vec(), data: br#"{"data":[1,"}"]}"#.to_vec() };
        assert_eq!(command(publish), Some(expected));
        let subscribe = br#"{"op":"subscribe","id":7,"topics":["a","b"]}"#;
        let expected = Command::Subscribe { id: Some(7), topics: vec!["a".into(), "b".into()] };
        assert_eq!(command(subscribe), Some(expected));
        assert_eq!(command(b"{}"), None);
        assert_eq!(command(br#""op":"publish""topic":"a""data":"#), None);
    }

    #[test]
    fn an_event_is_a_whole_frame_of_json() {
        let mut frame = Vec::new();
        event(&mut frame, b"a.b", 12, br#"{"n":1}"#);
        let head = frames::head(&frame).unwrap();
        assert_eq!(head.size + head.payload, frame.len());
        let value: Value = serde_json::from_slice(&frame[head.size..]).unwrap();
        assert_eq!((&value["seq"], &value["data"]["n"]), (&json!(12), &json!(1)));
    }
}
