//! The small servers that people write themselves: each text of a publisher goes to all who
//! connected for its topic.

use super::{Dialect, Event, Heard, Hearing, Opening, below, stamp};

/// Subscribers connect to `/sub/<topic>,<topic>`; publishers to `/pub`, and send the topic, a
/// space and the text.
#[derive(Debug)]
pub struct Broadcast;

impl Dialect for Broadcast {
    fn subscriber(&self, base: &str, _number: usize, topics: &[String]) -> Opening {
        let path = below(base, &format!("sub/{}", topics.join(",")));
        Opening { path, subprotocol: "", hello: Vec::new(), wishes: Vec::new() }
    }

    fn publisher(&self, base: &str, _number: usize) -> Opening {
        let path = below(base, "pub");
        Opening { path, subprotocol: "", hello: Vec::new(), wishes: Vec::new() }
    }

    fn welcomes(&self) -> bool {
        false
    }

    fn confirms(&self) -> bool {
        false
    }

    /// Each frame is one message.
    fn hear<'b>(&self, bytes: &'b [u8]) -> Hearing<'b> {
        Ok(Some((bytes.len(), stamp::read(bytes).map_or(Heard::Nothing, Heard::Event))))
    }

    fn publish(&self, _base: &str, _authority: &str, event: Event<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(event.topic.as_bytes());
        out.push(b' ');
        out.extend_from_slice(event.data);
    }
}
