//! One connection to a venue: a task that reads whole messages, a task that writes. A venue that
//! speaks no WebSocket is given its bytes as they are, and read by [`super::chunks`].
//!
//! As in the client crate each direction has a task of its own, for reading a frame must never be
//! cancelled half-way: the rest would be taken for another frame. Different from there: the
//! stream may be encrypted, text and binary both come, the bound of a message is the venue's, and
//! bytes are noticed before they are a whole message, so that a long one is no silence.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocketError, WebSocketRead};
use feeds::adapter::Transport;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::chunks;
use super::dial::BoxedStream;

/// Messages read ahead of the session.
const INBOUND_MAX: usize = 256;
/// KiB of messages read ahead of the session; more only for a single longer one.
const INBOUND_KIB: usize = 8 * 1024;
/// Frames queued ahead of the socket.
const OUTBOUND_MAX: usize = 16;
/// How long the last words may take to be written.
const PARTING: Duration = Duration::from_millis(500);
/// 1000: what it was opened for is done.
pub(super) const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_LARGE: u16 = 1009;

/// A whole message, or of a stream a part of it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) text: bool,
    pub(super) bytes: Bytes,
    /// Room in the queue, free again when the message is dropped.
    _room: OwnedSemaphorePermit,
}

/// A frame on its way out; without WebSocket only its payload goes.
#[derive(Debug)]
pub(super) struct Outgoing {
    opcode: OpCode,
    payload: Vec<u8>,
}

impl Outgoing {
    pub(super) fn text(text: String) -> Self {
        Self { opcode: OpCode::Text, payload: text.into_bytes() }
    }

    pub(super) fn binary(payload: Vec<u8>) -> Self {
        Self { opcode: OpCode::Binary, payload }
    }

    pub(super) fn ping() -> Self {
        Self { opcode: OpCode::Ping, payload: Vec::new() }
    }

    fn close(code: u16) -> Self {
        Self { opcode: OpCode::Close, payload: code.to_be_bytes().to_vec() }
    }
}

/// An open connection. Dropping it cuts it.
#[derive(Debug)]
pub(super) struct Socket {
    /// Messages, and at last why there are no more.
    pub(super) inbound: mpsc::Receiver<Result<Message, String>>,
    pub(super) outbound: mpsc::Sender<Outgoing>,
    touched: Arc<AtomicBool>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Socket {
    /// Takes over `stream` after the handshake; `ahead` was read beyond it. A message longer than
    /// `message_bytes` ends the connection.
    pub(super) fn new(
        transport: Transport,
        stream: BoxedStream,
        ahead: Bytes,
        message_bytes: usize,
    ) -> Self {
        let (read, write) = tokio::io::split(stream);
        let (outbound, outgoing) = mpsc::channel(OUTBOUND_MAX);
        let (incoming, inbound) = mpsc::channel(INBOUND_MAX);
        let touched = Arc::new(AtomicBool::new(true));
        let stream = Cursor::new(ahead).chain(Noticed { read, touched: Arc::clone(&touched) });
        let inlet = Inlet { incoming, room: Arc::new(Semaphore::new(INBOUND_KIB)) };
        let reader = if transport == Transport::WebSocket {
            let (replies, text, bytes) = (outbound.clone(), None, BytesMut::new());
            tokio::spawn(Reader { inlet, replies, message_bytes, text, bytes }.run(stream))
        } else {
            tokio::spawn(chunks::read_all(stream, inlet))
        };
        let writer = tokio::spawn(write_all(transport, write, outgoing));
        Self { inbound, outbound, touched, reader, writer }
    }

    /// Whether any byte came since this was last asked.
    pub(super) fn take_touched(&self) -> bool {
        self.touched.swap(false, Ordering::Relaxed)
    }

    /// Says goodbye, and ends.
    pub(super) async fn close(mut self, code: u16) {
        let parting = async {
            if self.outbound.send(Outgoing::close(code)).await.is_ok() {
                drop((&mut self.writer).await);
            }
        };
        // A venue that takes no bytes any more does not hear it either.
        drop(tokio::time::timeout(PARTING, parting).await);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

/// Notes that bytes came.
struct Noticed {
    read: ReadHalf<BoxedStream>,
    touched: Arc<AtomicBool>,
}

impl AsyncRead for Noticed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.read).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.touched.store(true, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

/// The reader's way to the session.
pub(super) struct Inlet {
    incoming: mpsc::Sender<Result<Message, String>>,
    room: Arc<Semaphore>,
}

impl Inlet {
    /// Passes a message on when there is room for it. False when there is no session any more.
    pub(super) async fn put(&self, text: bool, bytes: Bytes) -> bool {
        let kib = (bytes.len() / 1024 + 1).min(INBOUND_KIB) as u32;
        // Waiting here makes the venue wait, and never anybody else.
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(kib).await else { return false };
        self.incoming.send(Ok(Message { text, bytes, _room: room })).await.is_ok()
    }

    /// Says why there are no more messages.
    pub(super) async fn end(self, reason: String) {
        // No session is no failure: nobody wants to know.
        drop(self.incoming.send(Err(reason)).await);
    }
}

struct Reader {
    inlet: Inlet,
    replies: mpsc::Sender<Outgoing>,
    message_bytes: usize,
    /// Whether the message whose fragments are gathered is text.
    text: Option<bool>,
    bytes: BytesMut,
}

/// Why the connection is over: the code to say, if any, and words for a person.
type End = (Option<u16>, String);

impl Reader {
    async fn run<S: AsyncRead + Unpin>(mut self, stream: S) {
        // Its write half is never used: replies are queued behind what the session has queued.
        let (mut frames, _) =
            fastwebsockets::after_handshake_split(stream, tokio::io::sink(), Role::Client);
        // It refuses frames of exactly its bound.
        frames.set_max_message_size(self.message_bytes.saturating_add(1));
        frames.set_auto_close(false);
        frames.set_auto_pong(false);
        let (code, reason) = loop {
            let (text, bytes) = match self.next(&mut frames).await {
                Ok(Some(message)) => message,
                Ok(None) => continue,
                Err(end) => break end,
            };
            if !self.inlet.put(text, bytes).await {
                return;
            }
        };
        if let Some(code) = code {
            self.reply(Outgoing::close(code));
        }
        self.inlet.end(reason).await;
    }

    /// Reads one frame; returns a message when it completed one.
    async fn next<S: AsyncRead + Unpin>(
        &mut self,
        frames: &mut WebSocketRead<S>,
    ) -> Result<Option<(bool, Bytes)>, End> {
        let mut unused = |_: Frame<'_>| async { Ok::<(), io::Error>(()) };
        let frame = match frames.read_frame(&mut unused).await {
            Ok(frame) => frame,
            Err(error) => return Err(self.explain(error)),
        };
        match frame.opcode {
            OpCode::Ping => {
                self.reply(Outgoing { opcode: OpCode::Pong, payload: frame.payload.to_vec() });
                Ok(None)
            }
            OpCode::Pong => Ok(None),
            OpCode::Close => Err(understand_close(&frame.payload)),
            opcode => self.add(opcode, frame.fin, frame.payload),
        }
    }

    /// Queues a reply. A queue full of our own messages means that the venue does not read them;
    /// waiting for it to do so could make both sides wait for ever, so the reply is left out.
    fn reply(&self, reply: Outgoing) {
        drop(self.replies.try_send(reply));
    }

    fn explain(&self, error: WebSocketError) -> End {
        match error {
            WebSocketError::IoError(error) => (None, lost(&error)),
            WebSocketError::UnexpectedEOF | WebSocketError::ConnectionClosed => {
                (None, HUNG_UP.to_owned())
            }
            WebSocketError::FrameTooLarge => self.too_large(),
            WebSocketError::InvalidUTF8 => {
                (Some(NOT_UTF8), "the venue sent text that is no UTF-8".to_owned())
            }
            other => violation(&other.to_string()),
        }
    }

    fn too_large(&self) -> End {
        let words = format!("a message is longer than {} bytes", self.message_bytes);
        (Some(TOO_LARGE), words)
    }

    fn add(
        &mut self,
        opcode: OpCode,
        fin: bool,
        payload: Payload<'_>,
    ) -> Result<Option<(bool, Bytes)>, End> {
        let text = match (opcode, self.text) {
            (OpCode::Continuation, Some(text)) => text,
            (OpCode::Continuation, None) => return Err(violation("a continuation of nothing")),
            (_, Some(_)) => return Err(violation("a new message inside a fragmented one")),
            (opcode, None) => opcode == OpCode::Text,
        };
        if self.bytes.len() + payload.len() > self.message_bytes {
            return Err(self.too_large());
        }
        if opcode != OpCode::Continuation && fin {
            let bytes = match payload {
                Payload::Bytes(bytes) => bytes.freeze(),
                other => Bytes::from(Vec::from(other)),
            };
            return Ok(Some((text, bytes)));
        }
        self.bytes.extend_from_slice(&payload);
        self.text = (!fin).then_some(text);
        Ok(fin.then(|| (text, self.bytes.split().freeze())))
    }
}

/// Why there is no more to read, where the venue ended the connection without a word.
pub(super) const HUNG_UP: &str = "the venue hung up";

/// The same, where the connection broke.
pub(super) fn lost(error: &io::Error) -> String {
    format!("the connection was lost: {error}")
}

fn violation(problem: &str) -> End {
    (Some(PROTOCOL_ERROR), format!("the venue broke the WebSocket protocol: {problem}"))
}

fn understand_close(payload: &[u8]) -> End {
    match payload {
        [] => (Some(NORMAL), "the venue closed the connection".to_owned()),
        [high, low, reason @ ..] if reason.len() <= 123 => {
            let code = u16::from_be_bytes([*high, *low]);
            let reason = String::from_utf8_lossy(reason);
            let reason: String =
                reason.chars().filter(|character| !character.is_control()).collect();
            let words = format!("the venue closed the connection: {code} {reason}");
            (Some(NORMAL), words.trim_end().to_owned())
        }
        _ => violation("a close frame of a wrong length"),
    }
}

/// Writes until a close frame has gone out, all senders are gone, or the socket breaks. What
/// broke is told by the reader, who sees it too.
async fn write_all(
    transport: Transport,
    mut socket: WriteHalf<BoxedStream>,
    mut outgoing: mpsc::Receiver<Outgoing>,
) {
    let mut scratch = Vec::new();
    while let Some(Outgoing { opcode, payload }) = outgoing.recv().await {
        let closing = opcode == OpCode::Close;
        let mut frame;
        let bytes = match (transport, opcode) {
            (Transport::WebSocket, _) => {
                frame = Frame::new(true, opcode, None, Payload::Owned(payload));
                frame.mask();
                frame.write(&mut scratch)
            }
            (_, OpCode::Text | OpCode::Binary) => &payload[..],
            // Only a WebSocket has a word for these.
            _ => &[],
        };
        let written = async {
            socket.write_all(bytes).await?;
            socket.flush().await
        };
        if written.await.is_err() || closing {
            break;
        }
    }
    // The other side hears of the end of our direction; with TLS, in its own words.
    drop(socket.shutdown().await);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::DuplexStream;

    use super::*;

    const LONGEST: usize = 300;

    /// A socket, and the venue's end of it.
    fn pair() -> (Socket, DuplexStream) {
        let (ours, venues) = tokio::io::duplex(1 << 16);
        let transport = Transport::WebSocket;
        (Socket::new(transport, Box::new(ours), Bytes::new(), LONGEST), venues)
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(short as u8),
            long => {
                bytes.push(126);
                bytes.extend((long as u16).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Everything that comes of `bytes` and the end behind them: the messages, and why it ended.
    async fn read(bytes: &[u8]) -> (Vec<(bool, Vec<u8>)>, String) {
        let (mut socket, mut venue) = pair();
        venue.write_all(bytes).await.unwrap();
        venue.shutdown().await.unwrap();
        let mut messages = Vec::new();
        loop {
            match socket.inbound.recv().await.unwrap() {
                Ok(message) => messages.push((message.text, message.bytes.to_vec())),
                Err(reason) => return (messages, reason),
            }
        }
    }

    #[tokio::test]
    async fn fragments_become_one_message_around_control_frames() {
        let bytes = [
            frame(0x01, b"he"),
            frame(0x89, b"ping"),
            frame(0x00, b"ll"),
            frame(0x8A, b""),
            frame(0x80, b"o"),
            frame(0x82, b"bytes"),
            frame(0x88, b"\x03\xe9leaving\n"),
        ];
        let (messages, reason) = read(&bytes.concat()).await;
        assert_eq!(messages, [(true, b"hello".to_vec()), (false, b"bytes".to_vec())]);
        assert_eq!(reason, "the venue closed the connection: 1001 leaving");
    }

    #[tokio::test]
    async fn what_breaks_the_protocol_or_the_bound_ends_it_with_a_reason() {
        let long = vec![b'x'; LONGEST];
        for (frames, words) in [
            (vec![frame(0x80, b"x")], "a continuation of nothing"),
            (vec![frame(0x01, b"x"), frame(0x81, b"x")], "inside a fragmented one"),
            (vec![frame(0x88, b"x")], "close frame"),
            (vec![frame(0x82, &[&long[..], b"x"].concat())], "longer than 300 bytes"),
            (vec![frame(0x02, &long), frame(0x80, b"x")], "longer than 300 bytes"),
            (vec![frame(0xC1, b"x")], "broke the WebSocket protocol"),
            (vec![frame(0x81, b"\xFF")], "no UTF-8"),
            (vec![vec![0x82, 5, 1]], "hung up"),
            (vec![], "hung up"),
        ] {
            let (messages, reason) = read(&frames.concat()).await;
            assert!(messages.is_empty() && reason.contains(words), "{words}: {reason}");
        }
        let (messages, _) = read(&frame(0x82, &long)).await;
        assert_eq!(messages, [(false, long)], "of the greatest length");
    }

    #[tokio::test]
    async fn a_ping_is_answered_and_the_last_words_go_out() {
        let (socket, mut venue) = pair();
        venue.write_all(&frame(0x89, b"abc")).await.unwrap();
        let mut masked = [0; 9];
        venue.read_exact(&mut masked).await.unwrap();
        assert_eq!(masked[..2], [0x8A, 0x83]);
        let text: Vec<u8> = (0..3).map(|at| masked[6 + at] ^ masked[2 + at]).collect();
        assert_eq!(text, b"abc");
        assert!(socket.take_touched());
        assert!(!socket.take_touched());
        socket.close(NORMAL).await;
        let mut rest = Vec::new();
        venue.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest[..2], [0x88, 0x82], "a close frame with its code");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end_with_a_reason(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (messages, reason) = runtime.block_on(read(&bytes));
            prop_assert!(!reason.is_empty());
            prop_assert!(messages.iter().all(|(_, message)| message.len() <= LONGEST));
        }
    }
}
