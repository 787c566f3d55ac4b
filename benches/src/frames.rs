//! WebSocket frames as a client sees them: cut out of a stream of bytes, and written masked.

use memchr::memmem;

/// One whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Text 1, binary 2, close 8, ping 9, pong 10.
    pub opcode: u8,
    /// What it carries.
    pub payload: &'a [u8],
    /// Bytes it took in the stream, header included.
    pub length: usize,
}

impl Frame<'_> {
    /// True for text and binary, false for control frames.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.opcode < 8
    }
}

/// Cuts a stream into frames. Only a frame that came in two pieces is copied.
#[derive(Debug, Default)]
pub struct Scanner {
    carry: Vec<u8>,
}

impl Scanner {
    /// Takes in what came, and shows each frame that is complete with it.
    pub fn feed(&mut self, mut bytes: &[u8], visit: &mut impl FnMut(Frame<'_>)) {
        while !bytes.is_empty() {
            if self.carry.is_empty() {
                let Some((frame, rest)) = split(bytes) else {
                    self.carry.extend_from_slice(bytes);
                    return;
                };
                visit(frame);
                bytes = rest;
                continue;
            }
            let missing = wanted(&self.carry) - self.carry.len();
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            self.carry.extend_from_slice(taken);
            bytes = rest;
            if let Some((frame, _)) = split(&self.carry) {
                visit(frame);
                self.carry.clear();
            }
        }
    }
}

/// The frame that `bytes` begin with, and what follows it. Masks are skipped, not applied: ours
/// are all zero, and a server has none.
#[must_use]
pub fn split(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let length = wanted(bytes);
    if bytes.len() < length {
        return None;
    }
    let (whole, rest) = bytes.split_at(length);
    let payload = &whole[header_length(whole[1])..];
    Some((Frame { opcode: whole[0] & 0x0F, payload, length }, rest))
}

fn header_length(second: u8) -> usize {
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    mask + match second & 0x7F {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// How many bytes the frame that starts with `bytes` has, as far as can be told yet: at least
/// one more than there are while its length is not known.
fn wanted(bytes: &[u8]) -> usize {
    let Some(&second) = bytes.get(1) else { return 2 };
    let header = header_length(second);
    if bytes.len() < header {
        return header;
    }
    header
        + match second & 0x7F {
            126 => usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
            127 => bytes[2..10].iter().fold(0, |length, &byte| length << 8 | usize::from(byte)),
            short => usize::from(short),
        }
}

/// Appends one client frame. The mask is zero, so that the payload stays legible.
pub fn append_masked(buffer: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    append_header(buffer, opcode, payload.len(), 0x80);
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(payload);
}

/// Appends one server frame of `length` bytes in all; 128 and 129, which no header allows, become
/// 126 and 127.
pub fn append_filler(buffer: &mut Vec<u8>, length: usize) {
    let header = match length {
        0..=127 => 2,
        128..=0xFFFF => 4,
        _ => 10,
    };
    let payload = length.saturating_sub(header);
    append_header(buffer, 1, payload, 0);
    buffer.resize(buffer.len() + payload, b'x');
}

fn append_header(buffer: &mut Vec<u8>, opcode: u8, length: usize, mask: u8) {
    buffer.push(0x80 | opcode);
    match length {
        0..=125 => buffer.push(mask | length as u8),
        126..=0xFFFF => {
            buffer.push(mask | 126);
            buffer.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            buffer.push(mask | 127);
            buffer.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Topic and number of an event, without parsing the rest of it. `None` for any other message.
#[must_use]
pub fn topic_and_seq(message: &[u8]) -> Option<(&[u8], u64)> {
    if !message.starts_with(b"{\"op\":\"event\"") {
        return None;
    }
    let topic = after(message, b"\"topic\":\"")?;
    let topic = &topic[..memchr::memchr(b'"', topic)?];
    let digits = after(message, b"\"seq\":")?;
    let seq = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0'));
    Some((topic, seq))
}

fn after<'a>(message: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    memmem::find(message, what).map(|at| &message[at + what.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_wherever_the_stream_is_cut() {
        let mut stream = Vec::new();
        for length in [2, 127, 130, 200, 70_000, 5] {
            append_filler(&mut stream, length);
        }
        for step in [1, 3, 7, 130, 69_999, stream.len()] {
            let mut scanner = Scanner::default();
            let mut lengths = Vec::new();
            for piece in stream.chunks(step) {
                scanner.feed(piece, &mut |frame| lengths.push(frame.length));
            }
            assert_eq!(lengths, [2, 127, 130, 200, 70_000, 5], "cut every {step}");
        }
    }

    #[test]
    fn a_masked_frame_reads_back() {
        let mut bytes = Vec::new();
        append_masked(&mut bytes, 1, b"hello");
        let (frame, rest) = split(&bytes).unwrap();
        assert_eq!((frame.opcode, frame.payload, rest.len()), (1, b"hello".as_slice(), 0));
    }

    #[test]
    fn an_event_tells_topic_and_number() {
        let event = br#"{"op":"event","topic":"bench.t07","seq":125,"ts":"17","data":"x"}"#;
        assert_eq!(topic_and_seq(event), Some((b"bench.t07".as_slice(), 125)));
        assert_eq!(topic_and_seq(br#"{"op":"gap","topic":"bench.t07","from":1}"#), None);
    }
}
