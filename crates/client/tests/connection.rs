//! Connections against a server of another make: handshake, both codecs, pings, ends of all kinds.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use client::{Codec, Command, ConnectError, Connection, Message, Publish, ReceiveError, Subscribe};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message as Raw};

/// Listens for one connection, which `serve` gets after the handshake; returns the URL.
async fn server<F, S>(protocol: &'static str, serve: S) -> String
where
    S: FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the callback's type is given")]
        let answer = |request: &Request, mut response: Response| {
            assert_eq!(request.uri().path(), "/ws");
            if !protocol.is_empty() {
                let name = "Sec-WebSocket-Protocol".parse::<http_name::HeaderName>().unwrap();
                response.headers_mut().insert(name, protocol.parse().unwrap());
            }
            Ok(response)
        };
        if let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, answer).await {
            serve(socket).await;
        }
    });
    url
}

use tokio_tungstenite::tungstenite::http::header as http_name;

const JSON: &str = "tickwire.v1.json";
const MSGPACK: &str = "tickwire.v1.msgpack";

#[tokio::test]
async fn commands_go_out_and_messages_come_in_at_the_same_time() {
    let url = server(JSON, async |mut socket| {
        while let Some(Ok(Raw::Text(text))) = socket.next().await {
            let command: serde_json::Value = serde_json::from_str(&text).unwrap();
            let reply = serde_json::json!({"op": "published", "id": command["id"],
                "topic": command["topic"], "epoch": "e", "seq": command["id"]});
            socket.send(Raw::text(reply.to_string())).await.unwrap();
        }
    })
    .await;
    let (sender, mut receiver) = Connection::connect(&url, Codec::Json).await.unwrap().split();
    // More than both queues hold together: neither direction may wait for the other.
    const COUNT: u64 = 5_000;
    let sending = tokio::spawn(async move {
        for id in 1..=COUNT {
            let data = client::Data::from_json("{}").unwrap();
            let publish =
                Publish { id: Some(id), topic: "t".into(), data, will: None, native: None };
            sender.send(&publish.into()).await.unwrap();
        }
        sender
    });
    for expected in 1..=COUNT {
        let Message::Published(published) = receiver.receive().await.unwrap() else {
            panic!("published")
        };
        assert_eq!((published.id, published.seq), (Some(expected), expected));
    }
    sending.await.unwrap().close().await.unwrap();
    assert!(receiver.receive().await.unwrap_err().is_final());
}

#[tokio::test]
async fn messagepack_travels_in_binary_frames() {
    let url = server(MSGPACK, async |mut socket| {
        let Some(Ok(Raw::Binary(bytes))) = socket.next().await else { panic!("binary") };
        let command: serde_json::Value = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(command["topics"][0], "a.b");
        let reply = serde_json::json!({"op": "event", "topic": "a.b", "seq": 1,
            "ts": 1_790_000_000_000_000_000_u64, "data": {"n": u64::MAX}});
        let bytes = rmp_serde::to_vec_named(&reply).unwrap();
        socket.send(Raw::Binary(bytes.into())).await.unwrap();
        drop(socket.next().await);
    })
    .await;
    let (sender, mut receiver) =
        Connection::connect(&url, Codec::MessagePack).await.unwrap().split();
    sender.send(&Command::from(Subscribe::to(["a.b"]))).await.unwrap();
    let Message::Event(event) = receiver.receive().await.unwrap() else { panic!("an event") };
    assert_eq!(event.data.as_str(), format!("{{\"n\":{}}}", u64::MAX));
    assert_eq!(event.ts, 1_790_000_000_000_000_000);
}

#[tokio::test]
async fn pings_are_answered_fragments_joined_and_one_bad_message_is_not_the_end() {
    let url = server(JSON, async |mut socket| {
        let fragment = |text: &'static str, opcode, last| {
            Raw::Frame(Frame::message(
                Bytes::from_static(text.as_bytes()),
                OpCode::Data(opcode),
                last,
            ))
        };
        socket.send(fragment(r#"{"op":"#, Data::Text, false)).await.unwrap();
        socket.send(Raw::Ping(Bytes::from_static(b"alive?"))).await.unwrap();
        let Some(Ok(Raw::Pong(echo))) = socket.next().await else { panic!("a pong") };
        assert_eq!(&echo[..], b"alive?");
        socket.send(fragment(r#""pong","id":9}"#, Data::Continue, true)).await.unwrap();
        socket.send(Raw::text("nonsense")).await.unwrap();
        socket.send(Raw::text(r#"{"op":"pong"}"#)).await.unwrap();
        drop(socket.next().await);
    })
    .await;
    let (_sender, mut receiver) = Connection::connect(&url, Codec::Json).await.unwrap().split();
    assert_eq!(receiver.receive().await, Ok(Message::Pong { id: Some(9), ts: None }));
    let error = receiver.receive().await.unwrap_err();
    assert!(!error.is_final() && error.to_string().contains("nonsense"), "{error}");
    assert_eq!(receiver.receive().await, Ok(Message::Pong { id: None, ts: None }));
}

#[tokio::test]
async fn code_and_reason_of_a_close_arrive_and_stay() {
    let url = server(JSON, async |mut socket| {
        let frame = CloseFrame { code: 4001.into(), reason: "slow".into() };
        socket.close(Some(frame)).await.unwrap();
        // The answer repeats the code.
        let Some(Ok(Raw::Close(Some(answer)))) = socket.next().await else { panic!("a close") };
        assert_eq!(u16::from(answer.code), 4001);
    })
    .await;
    let (_sender, mut receiver) = Connection::connect(&url, Codec::Json).await.unwrap().split();
    let expected = ReceiveError::Closed { code: 4001, reason: "slow".into() };
    assert_eq!(receiver.receive().await, Err(expected.clone()));
    assert_eq!(receiver.receive().await, Err(expected.clone()));
    assert_eq!(receiver.try_receive_raw(), Err(expected));
}

#[tokio::test]
async fn a_server_that_hangs_up_or_breaks_the_rules_is_an_end_too() {
    let url = server(JSON, async |socket| drop(socket)).await;
    let (sender, mut receiver) = Connection::connect(&url, Codec::Json).await.unwrap().split();
    assert!(matches!(receiver.receive().await, Err(ReceiveError::Lost(_))));
    // Sending is refused once the writer has noticed; until then it is only queued.
    while sender.send(&Command::Ping { id: None }).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let url = server(JSON, async |mut socket| {
        socket.send(Raw::Binary(Bytes::from_static(b"\x80"))).await.unwrap();
        let Some(Ok(Raw::Close(Some(answer)))) = socket.next().await else { panic!("a close") };
        assert_eq!(u16::from(answer.code), 1002);
    })
    .await;
    let (_sender, mut receiver) = Connection::connect(&url, Codec::Json).await.unwrap().split();
    assert!(matches!(receiver.receive().await, Err(ReceiveError::Violation(_))));
}

#[tokio::test]
async fn a_cancelled_receive_loses_nothing() {
    let url = server(JSON, async |mut socket| {
        for id in 0..100 {
            socket.send(Raw::text(format!(r#"{{"op":"pong","id":{id}}}"#))).await.unwrap();
            // One at a time, so that the receiver often waits.
            tokio::task::yield_now().await;
        }
        drop(socket.next().await);
    })
    .await;
    let (_sender, mut receiver) = Connection::connect(&url, Codec::Json).await.unwrap().split();
    let mut next = 0;
    while next < 100 {
        tokio::select! {
            biased;
            message = receiver.receive() => {
                assert_eq!(message, Ok(Message::Pong { id: Some(next), ts: None }));
                next += 1;
            }
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn a_failed_connect_says_why() {
    let connect = async |url: &str| Connection::connect(url, Codec::Json).await.unwrap_err();
    assert!(matches!(connect("wss://h/ws").await, ConnectError::TlsNotSupported { .. }));
    assert!(matches!(connect("nonsense").await, ConnectError::BadUrl { .. }));
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", free.local_addr().unwrap());
    drop(free);
    assert!(matches!(connect(&url).await, ConnectError::Unreachable { .. }));
    let url = server("", async |_| {}).await;
    assert!(matches!(connect(&url).await, ConnectError::Subprotocol { .. }));
    let url = server("other", async |_| {}).await;
    assert!(connect(&url).await.to_string().contains("answered other"));
    let url =
        answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 13\r\n\r\nonly\n  ours x").await;
    assert!(connect(&url).await.to_string().ends_with("HTTP 400 only ours x"));
    let url = answering(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
    )
    .await;
    assert!(connect(&url).await.to_string().contains("Sec-WebSocket-Accept"));
    let url = answering("SSH-2.0-OpenSSH_9.9\r\n").await;
    assert!(connect(&url).await.to_string().contains("does not answer in HTTP"));
}

#[tokio::test]
async fn a_get_brings_status_and_body() {
    let url = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    let base = url.replace("ws://", "http://");
    let answer = client::http::get(&base, "/topics", &[("pattern", "a.*")]).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
}

/// A server that answers whatever is asked with `answer` and closes.
async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        drop(stream.read(&mut request).await);
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    url
}
