//! Tests of the HTTP front over real sockets, with a broker that only remembers: what each path
//! answers. What is bounded is in `limit_tests.rs`.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::{Api, Limits, LinePublisher, Rejection, serve_connection};
use wire::Codec;

#[derive(Debug)]
pub(super) struct Broker {
    draining: AtomicBool,
    pub(super) published: Mutex<Vec<String>>,
    sockets: mpsc::Sender<(TcpStream, Codec, Vec<u8>)>,
}

struct Lines<'a>(&'a Mutex<Vec<String>>);

impl LinePublisher for Lines<'_> {
    fn publish_line(&mut self, line: &mut [u8]) -> Result<(), Rejection> {
        let text = String::from_utf8_lossy(line).trim().to_owned();
        if !text.starts_with('{') {
            return Err(Rejection { code: "bad_json", message: "no object".to_owned() });
        }
        self.0.lock().push(text);
        Ok(())
    }
}

impl Api for Broker {
    fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn topics(&self, pattern: &str) -> Result<String, Rejection> {
        match pattern {
            "bad" => Err(Rejection { code: "bad_topic", message: "it is \"bad\"".to_owned() }),
            "huge" => Ok("x".repeat(64 << 20)),
            pattern => Ok(format!("{{\"pattern\":\"{pattern}\"}}")),
        }
    }

    fn publisher(&self) -> impl LinePublisher {
        Lines(&self.published)
    }

    async fn metrics(&self) -> String {
        "tickwire_ledger_pending 0\n".to_owned()
    }

    fn accept_websocket(&self, stream: TcpStream, codec: Codec, early: Vec<u8>) {
        self.sockets.try_send((stream, codec, early)).unwrap();
    }
}

pub(super) struct Front {
    pub(super) broker: Arc<Broker>,
    sockets: mpsc::Receiver<(TcpStream, Codec, Vec<u8>)>,
    pub(super) listener: TcpListener,
    pub(super) limits: Limits,
}

impl Front {
    pub(super) async fn new() -> Self {
        let (sender, sockets) = mpsc::channel(8);
        let broker = Broker {
            draining: AtomicBool::new(false),
            published: Mutex::default(),
            sockets: sender,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { broker: Arc::new(broker), sockets, listener, limits: Limits::default() }
    }

    /// A client's end of a connection that is being served, and what shuts it down.
    pub(super) async fn connect(&self) -> (TcpStream, oneshot::Sender<()>) {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = self.listener.accept().await.unwrap();
        let (shutdown, told) = oneshot::channel::<()>();
        let told = async move {
            if told.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::spawn(serve_connection(stream, Arc::clone(&self.broker), self.limits, told));
        (client, shutdown)
    }

    /// The whole answer to a request on a connection of its own.
    pub(super) async fn ask(&self, request: &[u8]) -> String {
        let (mut client, _shutdown) = self.connect().await;
        client.write_all(request).await.unwrap();
        read_all(&mut client).await
    }

    pub(super) async fn get(&self, path: &str) -> String {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .await
    }

    async fn publish(&self, body: &str) -> String {
        self.ask(&post(body)).await
    }
}

fn post(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /publish HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

pub(super) async fn read_all(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match client.read_to_end(&mut answer).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    String::from_utf8(answer).unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[track_caller]
pub(super) fn assert_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "not {status}: {answer:.500}");
}

/// The value of a header, in an answer whose header names are in lower case.
pub(super) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split_once("\r\n\r\n")?.0;
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn health_says_whether_the_broker_drains() {
    let front = Front::new().await;
    let answer = front.get("/healthz").await;
    assert_status(&answer, 200);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(body(&answer), format!("{{\"status\":\"ok\",\"version\":\"{version}\"}}"));
    front.broker.draining.store(true, Ordering::Relaxed);
    assert_status(&front.get("/healthz").await, 503);
    assert_status(&front.publish("{}").await, 503);
    assert!(front.broker.published.lock().is_empty());
}

#[tokio::test]
async fn each_path_answers_in_its_type() {
    let front = Front::new().await;
    let metrics = front.get("/metrics").await;
    assert_eq!(
        header(&metrics, "content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert_eq!(body(&metrics), "tickwire_ledger_pending 0\n");
    let page = front.get("/").await;
    assert_eq!(header(&page, "content-type"), Some("text/html; charset=utf-8"));
    assert!(header(&page, "content-security-policy").unwrap().contains("default-src 'none'"));
    assert_eq!(header(&page, "x-content-type-options"), Some("nosniff"));
    assert!(page.contains("tickwire.v1.json"));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let front = Front::new().await;
    for path in ["/", "/healthz", "/topics", "/metrics"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let head = front.ask(request.as_bytes()).await;
        let get = front.get(path).await;
        assert_status(&head, 200);
        assert_eq!(body(&head), "");
        assert_eq!(header(&head, "content-length"), Some(&*body(&get).len().to_string()));
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let front = Front::new().await;
    let cases =
        [("/", "GET, HEAD"), ("/topics", "GET, HEAD"), ("/publish", "POST"), ("/ws", "GET")];
    for (path, allowed) in cases {
        let request = format!("DELETE {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = front.ask(request.as_bytes()).await;
        assert_status(&answer, 405);
        assert_eq!(header(&answer, "allow"), Some(allowed));
    }
    assert_status(&front.get("/publish").await, 405);
}

#[tokio::test]
async fn an_unknown_path_is_told_the_known_ones() {
    let front = Front::new().await;
    let answer = front.get("/nothing/\"here\"?x=1").await;
    assert_status(&answer, 404);
    let parsed: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(parsed["error"]["code"], "not_found");
    let message = parsed["error"]["message"].as_str().unwrap();
    for path in ["/ws", "/topics", "/publish", "/metrics", "/healthz"] {
        assert!(message.contains(path), "{message}");
    }
}

#[tokio::test]
async fn topics_takes_a_pattern() {
    let front = Front::new().await;
    for (query, pattern) in [
        ("", ">"),
        ("?pattern=quote.*.*", "quote.*.*"),
        ("?other=1&pattern=quote.%3E", "quote.>"),
        ("?pattern=chat.a+b", "chat.a+b"),
    ] {
        let answer = front.get(&format!("/topics{query}")).await;
        assert_status(&answer, 200);
        assert_eq!(body(&answer), format!("{{\"pattern\":\"{pattern}\"}}"));
    }
    let answer = front.get("/topics?pattern=bad").await;
    assert_status(&answer, 400);
    let expected = r#"{"error":{"code":"bad_topic","message":"it is \"bad\""}}"#;
    assert_eq!(body(&answer), expected);
    assert_status(&front.get("/topics?pattern=%FF").await, 400);
}

#[tokio::test]
async fn publish_takes_one_object_or_many_lines() {
    let front = Front::new().await;
    for (sent, published) in
        [("{}", 1), ("{}\n", 1), ("{\"a\":1}\r\n\n{\"b\":2}\n", 2), ("\n{\n \"a\":\n 1}\n", 1)]
    {
        front.broker.published.lock().clear();
        let answer = front.publish(sent).await;
        assert_status(&answer, 200);
        assert_eq!(body(&answer), format!("{{\"published\":{published},\"errors\":[]}}"));
        assert_eq!(front.broker.published.lock().len(), published);
    }
}

#[tokio::test]
async fn bad_lines_are_reported_and_good_ones_published() {
    let front = Front::new().await;
    let answer = front.publish("{\"n\":1}\n\nbad\n{\"n\":2}").await;
    assert_status(&answer, 422);
    let error = r#"{"line":3,"code":"bad_json","message":"no object"}"#;
    assert_eq!(body(&answer), format!("{{\"published\":2,\"errors\":[{error}]}}"));
    assert_eq!(*front.broker.published.lock(), ["{\"n\":1}", "{\"n\":2}"]);

    let answer = front.publish(&"bad\n".repeat(5000)).await;
    let report: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(report["errors"].as_array().unwrap().len(), 1000, "the report is bounded");
    assert_eq!(report["errors_omitted"], 4000);
}

#[tokio::test]
async fn an_empty_body_is_told_what_to_send() {
    let front = Front::new().await;
    for sent in ["", " \r\n\n"] {
        let answer = front.publish(sent).await;
        assert_status(&answer, 400);
        assert!(body(&answer).contains("empty_body"));
    }
}

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
     Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn a_handshake_hands_the_socket_over_and_loses_no_early_byte() {
    let mut front = Front::new().await;
    let (mut client, _shutdown) = front.connect().await;
    let request = format!("{HANDSHAKE}Sec-WebSocket-Protocol: tickwire.v1.msgpack\r\n\r\nearly");
    client.write_all(request.as_bytes()).await.unwrap();
    let (mut stream, codec, early) = front.sockets.recv().await.unwrap();
    assert_eq!((codec, &early[..]), (Codec::MessagePack, &b"early"[..]));
    client.write_all(b"later").await.unwrap();
    let mut later = [0; 5];
    stream.read_exact(&mut later).await.unwrap();
    assert_eq!(&later, b"later");
    stream.write_all(b"frame").await.unwrap();
    drop(stream);
    let answer = read_all(&mut client).await;
    assert_status(&answer, 101);
    assert_eq!(header(&answer, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(header(&answer, "sec-websocket-protocol"), Some("tickwire.v1.msgpack"));
    assert_eq!(body(&answer), "frame");
}

#[tokio::test]
async fn a_failed_handshake_is_answered_in_http() {
    let front = Front::new().await;
    let answer = front.get("/ws").await;
    assert_status(&answer, 426);
    assert_eq!(header(&answer, "upgrade"), Some("websocket"));
    assert_eq!(header(&answer, "sec-websocket-version"), Some("13"));
    assert!(header(&answer, "connection").unwrap().to_lowercase().contains("upgrade"), "{answer}");
    let ask = |more: &str| format!("{HANDSHAKE}{more}Connection: close\r\n\r\n").into_bytes();
    let answer = front.ask(&ask("Sec-WebSocket-Protocol: mqtt\r\n")).await;
    assert_status(&answer, 400);
    assert!(body(&answer).contains("tickwire.v1.json and tickwire.v1.msgpack"));
    front.broker.draining.store(true, Ordering::Relaxed);
    assert_status(&front.ask(&ask("")).await, 503);
}
