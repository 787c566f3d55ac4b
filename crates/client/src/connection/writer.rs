//! The writing task: frames what is queued, as much of it as is there in one write.

use fastwebsockets::{Frame, OpCode, Payload};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::Outgoing;

/// Frames taken from the queue at once.
const BATCH_MAX: usize = 64;
/// Above this the buffer of one large batch is given back.
const BUFFER_KEPT: usize = 256 * 1024;

/// Writes until a close frame has gone out, all senders are gone, or the socket breaks. What
/// broke is told by the reader, who sees it too.
pub(super) async fn run(mut socket: OwnedWriteHalf, mut outgoing: mpsc::Receiver<Outgoing>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut buffer = Vec::new();
    let mut scratch = Vec::new();
    while outgoing.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut closing = false;
        for Outgoing { opcode, payload } in batch.drain(..) {
            if closing {
                continue;
            }
            closing = opcode == OpCode::Close;
            let mut frame = Frame::new(true, opcode, None, Payload::Owned(payload));
            frame.mask();
            buffer.extend_from_slice(frame.write(&mut scratch));
        }
        if socket.write_all(&buffer).await.is_err() || closing {
            break;
        }
        buffer.clear();
        buffer.shrink_to(BUFFER_KEPT);
        scratch.shrink_to(BUFFER_KEPT);
    }
    // Dropping the half ends our direction of the socket; the reader still hears the answer.
}
