//! Tests of the HTTP front over real sockets, with a broker that only remembers.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::{Api, Limits, Rejection, serve_connection};
use crate::ws::Subprotocol;

/// A limit that a test waits for.
const SOON: Duration = Duration::from_millis(80);

#[derive(Debug)]
struct Broker {
    draining: AtomicBool,
    published: Mutex<Vec<String>>,
    sockets: mpsc::Sender<(TcpStream, Subprotocol, Vec<u8>)>,
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

    fn publish_line(&self, line: &mut [u8]) -> Result<(), Rejection> {
        let text = String::from_utf8_lossy(line).trim().to_owned();
        if !text.starts_with('{') {
            return Err(Rejection { code: "bad_json", message: "no object".to_owned() });
        }
        self.published.lock().push(text);
        Ok(())
    }

    async fn metrics(&self) -> String {
        "tickwire_ledger_pending 0\n".to_owned()
    }

    fn accept_websocket(&self, stream: TcpStream, subprotocol: Subprotocol, early: Vec<u8>) {
        self.sockets.try_send((stream, subprotocol, early)).unwrap();
    }
}

struct Front {
    broker: Arc<Broker>,
    sockets: mpsc::Receiver<(TcpStream, Subprotocol, Vec<u8>)>,
    listener: TcpListener,
    limits: Limits,
}

impl Front {
    async fn new() -> Self {
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
    async fn connect(&self) -> (TcpStream, oneshot::Sender<()>) {
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
    async fn ask(&self, request: &[u8]) -> String {
        let (mut client, _shutdown) = self.connect().await;
        client.write_all(request).await.unwrap();
        read_all(&mut client).await
    }

    async fn get(&self, path: &str) -> String {
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

async fn read_all(client: &mut TcpStream) -> String {
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
fn assert_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "not {status}: {answer:.500}");
}

/// The value of a header, in an answer whose header names are in lower case.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
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
    assert_eq!(header(&metrics, "content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
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

#[tokio::test]
async fn a_body_too_large_is_refused_by_its_header() {
    let front = Front::new().await;
    let request = "POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 8388609\r\n\r\n";
    assert_status(&front.ask(request.as_bytes()).await, 413);
}

#[tokio::test]
async fn a_client_that_sends_too_much_still_gets_its_answer() {
    let mut front = Front::new().await;
    front.limits.body_bytes = 10_000;
    let chunk = [&b"fa0\r\n"[..], &[b' '; 4000], b"\r\n"].concat();
    let head = b"POST /publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let request = [&head[..], &chunk.repeat(5000), b"0\r\n\r\n"].concat();
    assert_status(&front.ask(&request).await, 413);
    let head = b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n";
    let request = [&head[..], &[b' '; 20_000_000]];
    assert_status(&front.ask(&request.concat()).await, 413);
}

#[tokio::test]
async fn a_body_that_does_not_end_gets_408() {
    let mut front = Front::new().await;
    front.limits.body_timeout = SOON;
    let request = "POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}";
    let answer = front.ask(request.as_bytes()).await;
    assert_status(&answer, 408);
    assert_eq!(header(&answer, "connection"), Some("close"));
    assert!(front.broker.published.lock().is_empty());
}

#[tokio::test]
async fn a_head_that_does_not_end_ends_the_connection() {
    let mut front = Front::new().await;
    front.limits.header_timeout = SOON;
    for begun in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        assert_eq!(front.ask(begun.as_bytes()).await, "");
    }
    // The same for a connection that is kept after an answer.
    let answer = front.ask(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /").await;
    assert_status(&answer, 200);
}

#[tokio::test]
async fn a_head_too_large_gets_431() {
    let front = Front::new().await;
    let fits = format!("/healthz?{}", "x".repeat(15_000));
    assert_status(&front.get(&fits).await, 200);
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000));
    assert_status(&front.ask(request.as_bytes()).await, 431);
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_let_go() {
    let mut front = Front::new().await;
    front.limits.body_timeout = SOON;
    let client = TcpStream::connect(front.listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = front.listener.accept().await.unwrap();
    client.try_write(b"GET /topics?pattern=huge HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // Returns although not a byte is read.
    let never = std::future::pending();
    serve_connection(stream, Arc::clone(&front.broker), front.limits, never).await;
}

#[tokio::test]
async fn a_connection_is_kept_until_shutdown() {
    let front = Front::new().await;
    let (mut client, shutdown) = front.connect().await;
    let mut answer = [0; 4096];
    for _ in 0..3 {
        client.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let read = client.read(&mut answer).await.unwrap();
        assert_status(std::str::from_utf8(&answer[..read]).unwrap(), 200);
    }
    shutdown.send(()).unwrap();
    assert_eq!(read_all(&mut client).await, "");
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
    let (mut stream, subprotocol, early) = front.sockets.recv().await.unwrap();
    assert_eq!((subprotocol, &early[..]), (Subprotocol::MessagePack, &b"early"[..]));
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
