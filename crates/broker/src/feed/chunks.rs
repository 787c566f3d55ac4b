//! Bytes of a venue that speaks no WebSocket: passed on as they come, for the adapter finds its
//! packets in them by itself.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::socket::{HUNG_UP, Inlet, lost};

/// Most bytes passed on at a time.
const CHUNK: usize = 64 * 1024;
/// A buffer with less room than this is done with. Small chunks share one, so that what waits for
/// the session costs little more than its bytes.
const ROOM: usize = 4 * 1024;

/// Reads until the venue hangs up, the connection breaks, or nobody listens any more.
pub(super) async fn read_all<S: AsyncRead + Unpin>(mut stream: S, inlet: Inlet) {
    let mut buffer = BytesMut::new();
    let reason = loop {
        if buffer.capacity() < ROOM {
            buffer = BytesMut::with_capacity(CHUNK);
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) => break HUNG_UP.to_owned(),
            Ok(_) => {}
            Err(error) => break lost(&error),
        }
        if !inlet.put(false, buffer.split().freeze()).await {
            return;
        }
    };
    inlet.end(reason).await;
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use feeds::adapter::Transport;
    use tokio::io::AsyncWriteExt as _;

    use super::super::socket::{NORMAL, Outgoing, Socket};

    #[tokio::test]
    async fn bytes_come_in_order_whatever_they_are_until_the_venue_hangs_up() {
        let (ours, mut venue) = tokio::io::duplex(1 << 10);
        let mut socket = Socket::new(Transport::Stream, Box::new(ours), Bytes::from("ahead"), 1);
        let sent: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
        let expected = [b"ahead", &sent[..]].concat();
        let sending = tokio::spawn(async move {
            for chunk in sent.chunks(777) {
                venue.write_all(chunk).await.unwrap();
            }
        });
        let mut came = Vec::new();
        let reason = loop {
            match socket.inbound.recv().await.unwrap() {
                Ok(message) => {
                    assert!(!message.text && message.bytes.len() <= super::CHUNK);
                    came.extend_from_slice(&message.bytes);
                }
                Err(reason) => break reason,
            }
        };
        sending.await.unwrap();
        assert!(came == expected, "{} bytes", came.len());
        assert_eq!(reason, "the venue hung up");
    }

    #[tokio::test]
    async fn what_is_sent_goes_out_as_it_is_and_the_end_is_the_end_of_the_stream() {
        let (ours, mut venue) = tokio::io::duplex(1 << 10);
        let socket = Socket::new(Transport::Stream, Box::new(ours), Bytes::new(), 1);
        for frame in [Outgoing::binary(vec![0, 1, b'R']), Outgoing::ping()] {
            socket.outbound.send(frame).await.unwrap();
        }
        socket.outbound.send(Outgoing::binary(vec![0, 1, b'O'])).await.unwrap();
        socket.close(NORMAL).await;
        let mut heard = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut venue, &mut heard).await.unwrap();
        assert_eq!(heard, [0, 1, b'R', 0, 1, b'O']);
    }
}
