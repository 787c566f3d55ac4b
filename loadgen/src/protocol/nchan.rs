//! nginx with nchan: subscribed by WebSocket, published to by HTTP on a connection kept open.

use memchr::memmem;

use super::{Dialect, Event, Heard, Hearing, Opening, below, stamp};

/// An answer's head longer than this is none.
const HEAD_MAX: usize = 16 * 1024;

/// nginx with nchan: subscribers at `/sub/<channel>,<channel>`, publishers at `/pub/<channel>`.
#[derive(Debug)]
pub struct Nchan;

impl Dialect for Nchan {
    fn subscriber(&self, base: &str, _number: usize, topics: &[String]) -> Opening {
        let path = below(base, &format!("sub/{}", topics.join(",")));
        Opening { path, subprotocol: "", hello: Vec::new(), wishes: Vec::new() }
    }

    fn publisher(&self, base: &str, _number: usize) -> Opening {
        Opening { path: base.into(), subprotocol: "", hello: Vec::new(), wishes: Vec::new() }
    }

    fn welcomes(&self) -> bool {
        false
    }

    fn confirms(&self) -> bool {
        false
    }

    fn publishes_in_frames(&self) -> bool {
        false
    }

    /// Each frame is one message.
    fn hear<'b>(&self, bytes: &'b [u8]) -> Hearing<'b> {
        Ok(Some((bytes.len(), stamp::read(bytes).map_or(Heard::Nothing, Heard::Event))))
    }

    fn hear_publisher<'b>(&self, bytes: &'b [u8]) -> Hearing<'b> {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
            if bytes.len() > HEAD_MAX {
                return Err("an HTTP answer whose head does not end".into());
            }
            return Ok(None);
        };
        let head = &bytes[..end];
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let status = lines.next().unwrap_or_default();
        let mut length = 0;
        for line in lines {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                let number = stamp::digits(value).and_then(|(n, _)| usize::try_from(n).ok());
                length = number.ok_or("an HTTP answer with a length that is no number")?;
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                return Err("an HTTP answer without a length".into());
            }
        }
        let whole = end + 4 + length;
        if bytes.len() < whole {
            return Ok(None);
        }
        let accepted = status.starts_with(b"HTTP/1.1 2");
        Ok(Some((whole, if accepted { Heard::Nothing } else { Heard::Refused(status) })))
    }

    fn publish(&self, base: &str, authority: &str, event: Event<'_>, out: &mut Vec<u8>) {
        let base = base.trim_end_matches('/');
        let mut length = itoa::Buffer::new();
        let parts: [&[u8]; 10] = [
            b"POST ",
            base.as_bytes(),
            b"/pub/",
            event.topic.as_bytes(),
            b" HTTP/1.1\r\nHost: ",
            authority.as_bytes(),
            b"\r\nContent-Type: application/json\r\nContent-Length: ",
            length.format(event.data.len()).as_bytes(),
            b"\r\n\r\n",
            event.data,
        ];
        parts.iter().for_each(|part| out.extend_from_slice(part));
    }
}
