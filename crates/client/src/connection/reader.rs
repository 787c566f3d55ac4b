//! The reading task: frames become whole messages, pings are answered, the close is understood.

use std::io::Cursor;

use bytes::{Bytes, BytesMut};
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocketError, WebSocketRead};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;

use super::Outgoing;
use crate::Codec;
use crate::error::ReceiveError;

/// 1000: what it was opened for is done.
pub(super) const NORMAL_CLOSE: u16 = 1000;
/// Where a close frame has no code, this stands for it (RFC 6455, section 7.1.5).
const NO_CODE: u16 = 1005;
const PROTOCOL_ERROR: u16 = 1002;
const TOO_LARGE: u16 = 1009;
/// The largest message taken, whole or in fragments.
const MESSAGE_MAX: usize = 64 * 1024 * 1024;

/// Reads until the connection is over, and says at last how it ended.
pub(super) async fn run(
    ahead: Bytes,
    socket: OwnedReadHalf,
    codec: Codec,
    incoming: mpsc::Sender<Result<Bytes, ReceiveError>>,
    replies: mpsc::Sender<Outgoing>,
) {
    // What came right behind the handshake's answer stands before the rest.
    let stream = Cursor::new(ahead).chain(socket);
    // Its write half is never used: replies are queued behind what the sender has queued.
    let (mut frames, _) =
        fastwebsockets::after_handshake_split(stream, tokio::io::sink(), Role::Client);
    frames.set_max_message_size(MESSAGE_MAX);
    frames.set_auto_close(false);
    frames.set_auto_pong(false);
    let mut assembly = Assembly { codec, started: false, bytes: BytesMut::new() };
    let end = loop {
        match next(&mut frames, &mut assembly, &replies).await {
            Ok(Some(message)) => {
                if incoming.send(Ok(message)).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(end) => break end,
        }
    };
    let code = match &end {
        ReceiveError::Violation(problem) if problem == TOO_LARGE_WORDS => Some(TOO_LARGE),
        ReceiveError::Violation(_) => Some(PROTOCOL_ERROR),
        ReceiveError::Closed { code: NO_CODE, .. } => Some(NORMAL_CLOSE),
        ReceiveError::Closed { code, .. } => Some(*code),
        _ => None,
    };
    if let Some(code) = code {
        reply(&replies, OpCode::Close, code.to_be_bytes().to_vec());
    }
    // No receiver is no failure: nobody wants to know.
    drop(incoming.send(Err(end)).await);
}

const TOO_LARGE_WORDS: &str = "a message is larger than 64 MiB";

/// Reads one frame; returns a message when it completed one.
async fn next<S: AsyncRead + Unpin>(
    frames: &mut WebSocketRead<S>,
    assembly: &mut Assembly,
    replies: &mpsc::Sender<Outgoing>,
) -> Result<Option<Bytes>, ReceiveError> {
    let mut unused = |_: Frame<'_>| async { Ok::<(), std::io::Error>(()) };
    let frame = frames.read_frame(&mut unused).await.map_err(explain)?;
    match frame.opcode {
        OpCode::Ping => {
            reply(replies, OpCode::Pong, frame.payload.to_vec());
            Ok(None)
        }
        OpCode::Pong => Ok(None),
        OpCode::Close => Err(understand_close(&frame.payload)),
        opcode => assembly.add(opcode, frame.fin, frame.payload),
    }
}

/// Queues a reply. A queue full of our own commands means that the server does not read them;
/// waiting here for it to do so could make both sides wait for ever, so the reply is left out.
fn reply(replies: &mpsc::Sender<Outgoing>, opcode: OpCode, payload: Vec<u8>) {
    drop(replies.try_send(Outgoing { opcode, payload }));
}

fn explain(error: WebSocketError) -> ReceiveError {
    match error {
        WebSocketError::IoError(error) => ReceiveError::Lost(error.to_string()),
        WebSocketError::UnexpectedEOF | WebSocketError::ConnectionClosed => {
            ReceiveError::Lost("the server hung up without closing it".into())
        }
        WebSocketError::FrameTooLarge => ReceiveError::Violation(TOO_LARGE_WORDS.into()),
        other => ReceiveError::Violation(other.to_string()),
    }
}

fn understand_close(payload: &[u8]) -> ReceiveError {
    match payload {
        [] => ReceiveError::Closed { code: NO_CODE, reason: String::new() },
        [_] => ReceiveError::Violation("a close frame with half a code".into()),
        [high, low, reason @ ..] => ReceiveError::Closed {
            code: u16::from_be_bytes([*high, *low]),
            reason: String::from_utf8_lossy(reason).into_owned(),
        },
    }
}

/// Fragments gathered until a message is whole.
struct Assembly {
    codec: Codec,
    started: bool,
    bytes: BytesMut,
}

impl Assembly {
    fn add(
        &mut self,
        opcode: OpCode,
        fin: bool,
        payload: Payload<'_>,
    ) -> Result<Option<Bytes>, ReceiveError> {
        let violation = |problem: &str| Err(ReceiveError::Violation(problem.into()));
        match (opcode, self.codec) {
            (OpCode::Continuation, _) if !self.started => {
                return violation("a continuation of nothing");
            }
            (OpCode::Text | OpCode::Binary, _) if self.started => {
                return violation("a new message inside a fragmented one");
            }
            (OpCode::Text, Codec::MessagePack) => {
                return violation("text where MessagePack was agreed");
            }
            (OpCode::Binary, Codec::Json) => return violation("binary where JSON was agreed"),
            _ => {}
        }
        if self.bytes.len() + payload.len() > MESSAGE_MAX {
            return violation(TOO_LARGE_WORDS);
        }
        let whole = if self.started || !fin {
            self.bytes.extend_from_slice(&payload);
            self.started = !fin;
            if !fin {
                return Ok(None);
            }
            self.bytes.split().freeze()
        } else {
            match payload {
                Payload::Bytes(bytes) => bytes.freeze(),
                other => Bytes::from(Vec::from(other)),
            }
        };
        // Whole text frames are checked by the frame reader, fragmented ones nowhere else.
        if self.codec == Codec::Json
            && opcode == OpCode::Continuation
            && std::str::from_utf8(&whole).is_err()
        {
            return violation("a text message that is not UTF-8");
        }
        Ok(Some(whole))
    }
}
