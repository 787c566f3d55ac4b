//! WebSocket framing and the upgrade, by hand: just what a load generator needs, allocation-free.

use memchr::memmem;

/// The sample key of RFC 6455. A random one would protect a browser's users from confused
/// proxies; here its known answer saves a hash for each of thousands of sockets.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// An answer to the upgrade longer than this is none.
const ANSWER_MAX: usize = 16 * 1024;

/// Opcode of a further part of a message.
pub const CONTINUATION: u8 = 0;
/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;
/// Opcode of a ping frame.
pub const PING: u8 = 9;
/// Opcode of a pong frame.
pub const PONG: u8 = 10;

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Last fragment of its message.
    pub fin: bool,
    /// What it is.
    pub opcode: u8,
    /// The mask, on frames from a client.
    pub mask: Option<[u8; 4]>,
    /// Bytes of the head itself.
    pub size: usize,
    /// Bytes of the payload.
    pub payload: usize,
}

/// The head at the front of `bytes`; `None` when it is not there whole.
#[must_use]
pub fn head(bytes: &[u8]) -> Option<Head> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (length, extended) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        short => (u64::from(short), 0),
    };
    let masked = second & 0x80 != 0;
    let mask = if masked { Some(*rest.get(extended..)?.first_chunk()?) } else { None };
    Some(Head {
        fin: first & 0x80 != 0,
        opcode: first & 0x0f,
        mask,
        size: 2 + extended + if masked { 4 } else { 0 },
        payload: usize::try_from(length).unwrap_or(usize::MAX),
    })
}

/// Appends the head of a whole message of `length` bytes.
pub fn push_head(out: &mut Vec<u8>, opcode: u8, length: usize, masked: bool) {
    let bit = if masked { 0x80 } else { 0 };
    out.push(0x80 | opcode);
    if length < 126 {
        out.push(bit | u8::try_from(length).expect("below 126"));
    } else if let Ok(length) = u16::try_from(length) {
        out.push(bit | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(bit | 127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// Appends `payload` as a client must send it: masked.
pub fn push_masked(out: &mut Vec<u8>, opcode: u8, mask: [u8; 4], payload: &[u8]) {
    push_head(out, opcode, payload.len(), true);
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[start..], mask);
}

/// Masks or unmasks, which is the same.
pub fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    for chunk in payload.chunks_mut(4) {
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

/// The code and reason in a close frame's payload.
#[must_use]
pub fn close_words(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            format!("closed with {code} {}", String::from_utf8_lossy(reason).trim())
        }
        _ => "closed without a code".into(),
    }
}

/// The request that asks for a WebSocket; without a subprotocol when that is empty.
#[must_use]
pub fn upgrade_request(authority: &str, path: &str, subprotocol: &str) -> Vec<u8> {
    let wanted = match subprotocol {
        "" => String::new(),
        name => format!("Sec-WebSocket-Protocol: {name}\r\n"),
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
         {wanted}\r\n"
    )
    .into_bytes()
}

/// Reads the answer to [`upgrade_request`]: its size when it is there and right, `None` when
/// more must be read.
///
/// # Errors
/// When it is an answer to something else.
pub fn upgrade_answer(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        if bytes.len() > ANSWER_MAX {
            return Err("the answer to the upgrade does not end".into());
        }
        return Ok(None);
    };
    let answer = String::from_utf8_lossy(&bytes[..end]);
    let first = answer.lines().next().unwrap_or_default();
    if !first.starts_with("HTTP/1.1 101") {
        let shown: String = first.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(format!("the upgrade was refused: {shown}"));
    }
    let accepted = answer.lines().skip(1).any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT
        })
    });
    if !accepted {
        return Err("the answer to the upgrade lacks the right Sec-WebSocket-Accept".into());
    }
    Ok(Some(end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_known_answer_belongs_to_the_known_key() {
        assert_eq!(client::handshake::accept_key(KEY), ACCEPT);
    }

    #[test]
    fn answers_are_told_apart() {
        let good = format!("HTTP/1.1 101 OK\r\nsec-websocket-accept: {ACCEPT}\r\n\r\nmore");
        assert_eq!(upgrade_answer(good.as_bytes()), Ok(Some(good.len() - 4)));
        assert_eq!(upgrade_answer(&good.as_bytes()[..20]), Ok(None));
        let refused = upgrade_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err();
        assert!(refused.contains("400 Bad Request"), "{refused}");
        assert!(upgrade_answer(b"HTTP/1.1 101 OK\r\n\r\n").unwrap_err().contains("Accept"));
        assert!(upgrade_answer(&[b'x'; ANSWER_MAX + 1]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_framed_is_read_again(
            length in prop_oneof![0usize..300, 65_000usize..66_000],
            mask in any::<[u8; 4]>(),
        ) {
            let payload = vec![7u8; length];
            let mut bytes = Vec::new();
            push_masked(&mut bytes, TEXT, mask, &payload);
            let read = head(&bytes).unwrap();
            prop_assert_eq!((read.fin, read.opcode, read.payload), (true, TEXT, length));
            prop_assert_eq!(read.size + read.payload, bytes.len());
            prop_assert_eq!(head(&bytes[..read.size - 1]), None);
            apply_mask(&mut bytes[read.size..], read.mask.unwrap());
            prop_assert_eq!(&bytes[read.size..], &payload[..]);
        }
    }
}
