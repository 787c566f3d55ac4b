//! The gate before fastwebsockets: judges each frame by its header (RFC 6455 section 5.2).
//!
//! fastwebsockets takes unmasked frames, over-long close and pong frames and fragments in any
//! order, bounds a single frame but not the message, and allocates for a length it was only told.
//! All of that shows in the header, so it is judged here, as soon as the bytes that show it are
//! there and before anything is kept of the payload.

use super::Violation;

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CONTINUATION: u8 = 0x0;
const CLOSE: u8 = 0x8;
const PONG: u8 = 0xA;

/// The longest payload of a close, ping or pong frame (RFC 6455 section 5.5).
const CONTROL_PAYLOAD_MAX: u8 = 125;

/// The longest frame header that a client can send: two bytes, eight of length, four of mask.
pub(super) const HEADER_BYTES_MAX: usize = 14;

/// What the gate has to remember between frames: the fragmented message under way.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Payload bytes of the fragments that were let through so far.
    message_bytes: usize,
    /// Whether a fragmented message has begun and not ended.
    message_open: bool,
}

/// A frame header that was let through.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameHeader {
    /// Length of the frame: header, mask and payload.
    pub(super) frame_bytes: usize,
    payload_bytes: usize,
    opcode: u8,
    last: bool,
}

impl FrameHeader {
    /// True for a close frame, after which nothing counts any more.
    pub(super) fn is_close(&self) -> bool {
        self.opcode == CLOSE
    }

    fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }
}

impl Gate {
    /// Judges as much of a frame's header as `bytes` begins with. `None` when nothing is wrong so
    /// far, but the length of the frame is not there yet. Does not change the state, so it may be
    /// asked again with more bytes; [`Gate::pass`] moves on to the next frame.
    ///
    /// # Errors
    /// 1002 for whatever RFC 6455 forbids in a header, 1009 for a message that is going to have
    /// more than `message_bytes_max` bytes.
    pub(super) fn judge(
        &self,
        bytes: &[u8],
        message_bytes_max: usize,
    ) -> Result<Option<FrameHeader>, Violation> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (opcode, last) = (first & 0x0F, first & 0x80 != 0);
        self.judge_first_byte(first)?;

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let (masked, length_code) = (second & 0x80 != 0, second & 0x7F);
        if !masked {
            return Err(Violation::protocol("frames from a client must be masked"));
        }
        let control = opcode >= CLOSE;
        if control && length_code > CONTROL_PAYLOAD_MAX {
            return Err(Violation::protocol("a control frame holds at most 125 bytes"));
        }

        let Some((length, length_end)) = payload_length(bytes, length_code)? else {
            return Ok(None);
        };
        let before = if opcode == CONTINUATION { self.message_bytes } else { 0 };
        let payload_bytes = usize::try_from(length)
            .ok()
            .filter(|length| {
                let message = before.checked_add(*length);
                control || message.is_some_and(|message| message <= message_bytes_max)
            })
            .ok_or(Violation::TOO_LARGE)?;
        let frame_bytes = payload_bytes.checked_add(length_end + 4).ok_or(Violation::TOO_LARGE)?;
        Ok(Some(FrameHeader { frame_bytes, payload_bytes, opcode, last }))
    }

    /// What the first byte shows: reserved bits, opcode, and the order of fragments.
    fn judge_first_byte(&self, first: u8) -> Result<(), Violation> {
        if first & 0x70 != 0 {
            return Err(Violation::protocol("a reserved bit is set, and no extension is in use"));
        }
        let last = first & 0x80 != 0;
        match first & 0x0F {
            CONTINUATION if !self.message_open => {
                Err(Violation::protocol("a continuation frame, and no message to continue"))
            }
            TEXT | BINARY if self.message_open => {
                Err(Violation::protocol("a new message before the last fragment of the one before"))
            }
            CLOSE..=PONG if !last => {
                Err(Violation::protocol("a control frame must not be fragmented"))
            }
            CONTINUATION | TEXT | BINARY | CLOSE..=PONG => Ok(()),
            _ => Err(Violation::protocol("a reserved opcode")),
        }
    }

    /// Moves past a frame that [`Gate::judge`] let through and that is complete.
    pub(super) fn pass(&mut self, header: &FrameHeader) {
        if header.is_control() {
            return;
        }
        if header.last {
            *self = Self::default();
        } else {
            // A sum that was judged already: it is at most the message bound.
            self.message_bytes += header.payload_bytes;
            self.message_open = true;
        }
    }
}

/// The payload's length and the position after its last byte, or `None` when it is not all there.
fn payload_length(bytes: &[u8], length_code: u8) -> Result<Option<(u64, usize)>, Violation> {
    let (length, end, shortest) = match length_code {
        126 => {
            let Some(length) = bytes.get(2..4) else { return Ok(None) };
            (length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 4, 126)
        }
        127 => {
            let Some(length) = bytes.get(2..10) else { return Ok(None) };
            (length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 10, 1 << 16)
        }
        short => (u64::from(short), 2, 0),
    };
    if length >> 63 != 0 {
        return Err(Violation::protocol("the top bit of a 64-bit length must be 0"));
    }
    if length < shortest {
        return Err(Violation::protocol("a length must be written in the fewest bytes"));
    }
    Ok(Some((length, end)))
}
