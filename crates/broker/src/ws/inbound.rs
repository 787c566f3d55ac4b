//! Bytes from a client in, messages out: [`Inbound`].

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::mem;
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets::{
    CloseCode, Frame, OpCode, Role, WebSocketError, WebSocketRead, after_handshake_split,
};

use super::header::{Gate, HEADER_BYTES_MAX};
use super::message::Message;
use super::{Incoming, Violation};

/// What [`Inbound::feed`] calls for each message; `Break` ends the connection's inbound side.
type Callback<'a> = dyn FnMut(Incoming<'_>) -> ControlFlow<()> + 'a;

/// The inbound side of one connection: bytes in any portions in, complete messages out.
///
/// Between messages it holds no heap memory at all. While a frame is incomplete it holds the bytes
/// of it that came, never room for a length that was only told; while a message is fragmented, its
/// fragments so far.
///
/// Frames go to a fastwebsockets reader only when they are complete, and the reader lives for one
/// batch of them. So it can neither wait in the middle of a frame, nor lose what it has read ahead,
/// nor keep its 8 KiB buffer for a connection that is silent.
#[derive(Debug, Default)]
pub struct Inbound {
    /// The beginning of a frame whose end has not come yet.
    partial: Vec<u8>,
    /// Boxed because it is rare, and there is an `Inbound` for every connection.
    message: Option<Box<Message>>,
    gate: Gate,
    finished: bool,
}

impl Inbound {
    /// The state right after the handshake.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the bytes that were read and calls `on` for each message or control frame that they
    /// complete, in order. Everything before a violation is handed on first.
    ///
    /// The inbound side is finished by a close frame, by `Break` from `on` and by a violation:
    /// whatever is fed from then on is discarded.
    ///
    /// # Errors
    /// A [`Violation`] with close code 1002, 1007 or 1009. A message may have `message_bytes_max`
    /// bytes of payload, over all its fragments; more are refused as soon as a header tells them.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        message_bytes_max: usize,
        on: &mut Callback<'_>,
    ) -> Result<(), Violation> {
        if self.finished {
            return Ok(());
        }
        let outcome = self.take(bytes, message_bytes_max, on);
        if !matches!(outcome, Ok(ControlFlow::Continue(()))) {
            *self = Self { finished: true, ..Self::default() };
        }
        outcome.map(drop)
    }

    /// True between messages, when nothing is kept on the heap.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.partial.is_empty() && self.message.is_none()
    }

    fn take(
        &mut self,
        bytes: &[u8],
        message_bytes_max: usize,
        on: &mut Callback<'_>,
    ) -> Result<ControlFlow<()>, Violation> {
        let bytes = if self.partial.is_empty() {
            bytes
        } else {
            let Some(rest) = self.complete_partial(bytes, message_bytes_max)? else {
                return Ok(ControlFlow::Continue(()));
            };
            let frame = mem::take(&mut self.partial);
            if self.read(&frame, 1, on)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            rest
        };

        // How far the complete frames go. What is wrong after them counts when they are handed on.
        let (mut end, mut count) = (0, 0);
        let stopped_by = loop {
            match self.gate.judge(&bytes[end..], message_bytes_max) {
                Ok(Some(header)) if header.frame_bytes <= bytes.len() - end => {
                    self.gate.pass(&header);
                    end += header.frame_bytes;
                    count += 1;
                    if header.is_close() {
                        break Ok(());
                    }
                }
                Ok(_) => break Ok(()),
                Err(violation) => break Err(violation),
            }
        };
        if self.read(&bytes[..end], count, on)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        stopped_by?;
        self.partial.extend_from_slice(&bytes[end..]);
        Ok(ControlFlow::Continue(()))
    }

    /// Adds bytes to the incomplete frame until it is complete, and returns those after its end;
    /// `None` when it is still incomplete.
    fn complete_partial<'a>(
        &mut self,
        mut bytes: &'a [u8],
        message_bytes_max: usize,
    ) -> Result<Option<&'a [u8]>, Violation> {
        let header = loop {
            if let Some(header) = self.gate.judge(&self.partial, message_bytes_max)? {
                break header;
            }
            // At most a header's worth of single steps; then the length is known.
            debug_assert!(self.partial.len() < HEADER_BYTES_MAX, "the length comes before that");
            let Some((next, rest)) = bytes.split_first() else { return Ok(None) };
            self.partial.push(*next);
            bytes = rest;
        };
        let missing = header.frame_bytes - self.partial.len();
        let (now, rest) = bytes.split_at(missing.min(bytes.len()));
        let room_wanted = self.partial.len() + now.len();
        if room_wanted > self.partial.capacity() {
            // Doubling, so that a frame in many portions is not copied over and over, but never
            // beyond its end.
            let room = (2 * room_wanted).min(header.frame_bytes);
            self.partial.reserve_exact(room - self.partial.len());
        }
        self.partial.extend_from_slice(now);
        if now.len() < missing {
            return Ok(None);
        }
        self.gate.pass(&header);
        Ok(Some(rest))
    }

    /// Lets fastwebsockets read `count` complete frames, which is all that `frames` holds, and
    /// hands on what they complete.
    fn read(
        &mut self,
        frames: &[u8],
        count: usize,
        on: &mut Callback<'_>,
    ) -> Result<ControlFlow<()>, Violation> {
        if count == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        let (mut reader, _) = after_handshake_split(frames, tokio::io::sink(), Role::Server);
        reader.set_auto_close(false);
        reader.set_auto_pong(false);
        // The gate has judged the sizes already, and counts over all fragments.
        reader.set_max_message_size(usize::MAX);
        for _ in 0..count {
            let mut frame = read_frame(&mut reader)?;
            if self.deliver(&mut frame, on)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn deliver(
        &mut self,
        frame: &mut Frame<'_>,
        on: &mut Callback<'_>,
    ) -> Result<ControlFlow<()>, Violation> {
        let payload = frame.payload.to_mut();
        let incoming = match frame.opcode {
            OpCode::Text if frame.fin => Incoming::Text(payload),
            OpCode::Binary if frame.fin => Incoming::Binary(payload),
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                let message = self.message.get_or_insert_with(|| {
                    let text = frame.opcode == OpCode::Text;
                    Box::new(if text { Message::text() } else { Message::binary() })
                });
                message.append(payload)?;
                if !frame.fin {
                    return Ok(ControlFlow::Continue(()));
                }
                let Some(mut message) = self.message.take() else {
                    return Ok(ControlFlow::Continue(()));
                };
                return Ok(on(message.complete()?));
            }
            OpCode::Ping => Incoming::Ping(payload),
            OpCode::Pong => Incoming::Pong,
            OpCode::Close => {
                let code = close_code(payload)?;
                // Whatever `on` says: after a close frame nothing counts (RFC 6455 section 1.4).
                return Ok(match on(Incoming::Close(code)) {
                    ControlFlow::Continue(()) | ControlFlow::Break(()) => ControlFlow::Break(()),
                });
            }
        };
        Ok(on(incoming))
    }

    /// Bytes of heap memory that are held.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.partial.capacity() + self.message.as_ref().map_or(0, |message| message.capacity())
    }
}

/// Reads one frame of which all bytes are there, so that one poll is enough.
fn read_frame<'a>(reader: &'a mut WebSocketRead<&[u8]>) -> Result<Frame<'a>, Violation> {
    // Never called: pings and closes are not answered by the reader.
    let mut send = |_: Frame<'_>| -> Ready<Result<(), Infallible>> { ready(Ok(())) };
    let reading = pin!(reader.read_frame(&mut send));
    match reading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(frame)) => Ok(frame),
        Poll::Ready(Err(WebSocketError::InvalidUTF8)) => Err(Violation::NOT_UTF8),
        // The gate leaves nothing for these two; should it ever, the connection ends here.
        Poll::Ready(Err(_)) | Poll::Pending => Err(Violation::protocol("a malformed frame")),
    }
}

/// The close code in the payload of a close frame (RFC 6455 sections 5.5.1 and 7.4), if any.
///
/// # Errors
/// 1002 for a payload of one byte and for a code that must not be sent, 1007 for a reason that is
/// not UTF-8.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    /// Bad gateway: registered after the table in fastwebsockets was made.
    const BAD_GATEWAY: u16 = 1014;
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return match payload {
            [] => Ok(None),
            _ => Err(Violation::protocol("a close frame with half a close code")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !CloseCode::from(code).is_allowed() && code != BAD_GATEWAY {
        return Err(Violation::protocol("a close code that must not be sent"));
    }
    std::str::from_utf8(reason).map_err(|_| Violation::NOT_UTF8)?;
    Ok(Some(code))
}
