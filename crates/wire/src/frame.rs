//! WebSocket frames from the server (RFC 6455 section 5.2): unmasked, so equal for every client.

/// Text or binary data, or a control frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

const FIN: u8 = 0x80;
/// Two bytes and a 16-bit length: the header of most messages, for which room is left at first.
const HEADER_USUAL: usize = 4;

/// Appends one whole frame whose payload is what `write` appends.
pub(crate) fn append(buffer: &mut Vec<u8>, opcode: Opcode, write: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend_from_slice(&[FIN | opcode as u8, 0, 0, 0]);
    write(buffer);
    let (second, after) = (start + 1, start + HEADER_USUAL);
    let length = buffer.len() - after;
    match length {
        0..=125 => {
            buffer[second] = length as u8;
            buffer.drain(second + 1..after);
        }
        126..=0xFFFF => {
            buffer[second] = 126;
            buffer[second + 1..after].copy_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            buffer[second] = 127;
            buffer.splice(second + 1..after, (length as u64).to_be_bytes());
        }
    }
}

/// Appends a text message; `text` must be UTF-8.
pub fn append_text(buffer: &mut Vec<u8>, text: &[u8]) {
    append(buffer, Opcode::Text, |out| out.extend_from_slice(text));
}

/// Appends a binary message.
pub fn append_binary(buffer: &mut Vec<u8>, bytes: &[u8]) {
    append(buffer, Opcode::Binary, |out| out.extend_from_slice(bytes));
}

/// Appends a ping without payload.
pub fn append_ping(buffer: &mut Vec<u8>) {
    append(buffer, Opcode::Ping, |_| {});
}

/// Appends the answer to a ping with `payload` (at most 125 bytes; more is cut).
pub fn append_pong(buffer: &mut Vec<u8>, payload: &[u8]) {
    append(buffer, Opcode::Pong, |out| out.extend_from_slice(&payload[..payload.len().min(125)]));
}

/// Appends a close frame; `code` 1005 (none) gives an empty one. The reason is cut to 123 bytes.
pub fn append_close(buffer: &mut Vec<u8>, code: u16, reason: &str) {
    append(buffer, Opcode::Close, |out| {
        if code != 1005 {
            out.extend_from_slice(&code.to_be_bytes());
            let end = (0..=reason.len().min(123)).rev().find(|&end| reason.is_char_boundary(end));
            out.extend_from_slice(&reason.as_bytes()[..end.unwrap_or(0)]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_header() {
        for (length, header) in
            [(0usize, 2), (125, 2), (126, 4), (0xFFFF, 4), (0x1_0000, 10), (100_000, 10)]
        {
            let mut buffer = b"before".to_vec();
            append(&mut buffer, Opcode::Binary, |out| out.extend(std::iter::repeat_n(7, length)));
            assert_eq!(buffer.len(), 6 + header + length);
            assert_eq!((buffer[6], &buffer[..6]), (0x82, b"before".as_slice()));
            assert!(buffer[6 + header..].iter().all(|&b| b == 7));
        }
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        let mut buffer = Vec::new();
        append_close(&mut buffer, 4001, &"é".repeat(100));
        assert_eq!(buffer[1], 124);
        assert!(std::str::from_utf8(&buffer[4..]).is_ok());
    }
}
