//! Bytes on a socket: frames that no well-behaved library would send, and what comes back.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Answer, within};

/// First bytes of whole frames.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The header of a client's frame that tells of `length` bytes, with its mask.
pub(crate) fn frame_head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | length as u8),
        126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

/// A client's frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame_head(first, payload.len() as u64);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A connection whose handshake is done, down to its bytes.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr, subprotocol: &str) -> Self {
        let mut raw = Self::begin(address).await;
        raw.send(Self::handshake(subprotocol).as_bytes()).await;
        raw.accepted().await;
        raw
    }

    /// A bare connection, whose socket takes little that is not read.
    pub(crate) async fn begin(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let stream = socket.connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// The request for a handshake; an empty `subprotocol` offers none.
    pub(crate) fn handshake(subprotocol: &str) -> String {
        let offer = match subprotocol {
            "" => String::new(),
            name => format!("Sec-WebSocket-Protocol: {name}\r\n"),
        };
        format!(
            "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {offer}\r\n"
        )
    }

    /// Reads the answer to the handshake, and nothing beyond it.
    pub(crate) async fn accepted(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("handshake", self.stream.read_u8()).await.unwrap());
        }
        let answer = Answer::parse(&head);
        answer.assert_status(101);
        answer
    }

    /// The answer to a request after which the broker ends the connection, or one with a length.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut bytes = Vec::new();
        let reading = async {
            loop {
                bytes.push(self.stream.read_u8().await?);
                if !bytes.ends_with(b"\r\n\r\n") {
                    continue;
                }
                let length = Answer::parse(&bytes).header("content-length").map(str::to_owned);
                let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                self.stream.read_exact(&mut body).await?;
                bytes.extend(body);
                return std::io::Result::Ok(());
            }
        };
        within("answer", reading).await.unwrap_or_else(|error| panic!("no answer: {error}"));
        Answer::parse(&bytes)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        within("room for bytes", self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends what the broker may answer by hanging up before it has read all of it.
    pub(crate) async fn send_in_vain(&mut self, bytes: &[u8]) {
        drop(within("room for bytes", self.stream.write_all(bytes)).await);
    }

    pub(crate) async fn command(&mut self, text: &str) {
        self.send(&frame(TEXT, text.as_bytes())).await;
    }

    /// First byte and payload of the next frame.
    pub(crate) async fn next(&mut self) -> (u8, Vec<u8>) {
        let reading = async {
            let first = self.stream.read_u8().await?;
            let length = match self.stream.read_u8().await? {
                126 => usize::from(self.stream.read_u16().await?),
                127 => usize::try_from(self.stream.read_u64().await?).unwrap(),
                short if short < 126 => usize::from(short),
                masked => panic!("a frame from the server is masked: {masked}"),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await?;
            std::io::Result::Ok((first, payload))
        };
        within("frame", reading).await.unwrap_or_else(|error| panic!("no frame: {error}"))
    }

    /// The next JSON message.
    pub(crate) async fn message(&mut self) -> Value {
        let (first, payload) = self.next().await;
        assert_eq!(first, TEXT, "{payload:?}");
        serde_json::from_slice(&payload).unwrap()
    }

    /// Close code and reason, past whatever comes before; then the broker must have ended.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            let (first, payload) = self.next().await;
            if first != CLOSE {
                continue;
            }
            self.assert_end().await;
            let Some((code, reason)) = payload.split_first_chunk() else {
                return (1005, String::new());
            };
            return (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap());
        }
    }

    /// The broker has nothing more to say and has ended its half.
    pub(crate) async fn assert_end(&mut self) {
        let mut rest = Vec::new();
        match within("end", self.stream.read_to_end(&mut rest)).await {
            Ok(_) => assert_eq!(rest, b"", "after the end"),
            // What was sent in vain may lead to this.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
}
