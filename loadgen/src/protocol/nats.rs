//! NATS over its WebSocket: a protocol of lines inside binary frames, which may break anywhere.

use memchr::{memchr, memrchr};

use super::{Dialect, Event, Heard, Hearing, Opening, stamp};
use crate::frames;

/// A control line above this is none.
const LINE_MAX: usize = 64 * 1024;
const CONNECT: &[u8] =
    b"CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"loadgen\",\"version\":\"1\",\
      \"protocol\":1,\"echo\":true}\r\n";

/// nats-server.
#[derive(Debug)]
pub struct Nats;

impl Dialect for Nats {
    fn subscriber(&self, base: &str, _number: usize, topics: &[String]) -> Opening {
        let mut wishes = CONNECT.to_vec();
        for (index, topic) in topics.iter().enumerate() {
            wishes.extend_from_slice(format!("SUB {topic} {}\r\n", index + 1).as_bytes());
        }
        // Answered when the lines before have been obeyed.
        wishes.extend_from_slice(b"PING\r\n");
        Opening { path: base.into(), subprotocol: "", hello: Vec::new(), wishes }
    }

    fn publisher(&self, base: &str, _number: usize) -> Opening {
        let wishes = CONNECT.to_vec();
        Opening { path: base.into(), subprotocol: "", hello: Vec::new(), wishes }
    }

    fn opcode(&self) -> u8 {
        frames::BINARY
    }

    fn hear<'b>(&self, bytes: &'b [u8]) -> Hearing<'b> {
        let Some(end) = memchr(b'\n', bytes) else {
            if bytes.len() > LINE_MAX {
                return Err("a NATS line that does not end".into());
            }
            return Ok(None);
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let after = end + 1;
        if line.starts_with(b"MSG ") {
            // MSG subject sid [reply] size
            let size = memrchr(b' ', line).and_then(|at| stamp::digits(&line[at + 1..]));
            let size = size.and_then(|(size, _)| usize::try_from(size).ok());
            let Some(size) = size.filter(|size| *size <= 1 << 26) else {
                return Err("a NATS MSG without a size".into());
            };
            let Some(payload) = bytes.get(after..after + size) else { return Ok(None) };
            let whole = after + size + 2;
            if bytes.len() < whole {
                return Ok(None);
            }
            return Ok(Some((whole, stamp::read(payload).map_or(Heard::Nothing, Heard::Event))));
        }
        let heard = match line {
            b"PING" => Heard::Ask(b"PONG\r\n"),
            b"PONG" => Heard::Ready,
            b"+OK" | b"" => Heard::Nothing,
            line if line.starts_with(b"INFO ") => Heard::Welcome,
            line if line.starts_with(b"-ERR") => Heard::Refused(line),
            _ => return Err("a line that is not NATS".into()),
        };
        Ok(Some((after, heard)))
    }

    fn publish(&self, _base: &str, _authority: &str, event: Event<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PUB ");
        out.extend_from_slice(event.topic.as_bytes());
        out.push(b' ');
        out.extend_from_slice(itoa::Buffer::new().format(event.data.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(event.data);
        out.extend_from_slice(b"\r\n");
    }
}
