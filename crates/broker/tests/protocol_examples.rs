//! Every example of docs/protocol.md, said to a real broker: what it documents is what happens.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use broker::app::App;
use broker::config::{Config, Loader};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// The epoch of the document; the real one takes its place once it is known.
const EPOCH: &str = "1790000000000000000";

/// Far longer than any answer takes; a missing one fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One line of an example.
#[derive(Debug, Clone, Copy)]
enum Line<'a> {
    Said(&'a str),
    Heard(&'a str),
}

/// The blocks of the document that have arrows, each with the number of its first line.
fn examples() -> Vec<(usize, Vec<Line<'static>>)> {
    let mut found = Vec::new();
    let mut block: Option<(usize, Vec<Line<'static>>)> = None;
    for (index, text) in DOCUMENT.lines().enumerate() {
        if text.starts_with("```") {
            match block.take() {
                None => block = Some((index + 2, Vec::new())),
                Some(ended) if !ended.1.is_empty() => found.push(ended),
                Some(_) => {}
            }
        } else if let Some((_, lines)) = &mut block {
            if let Some(said) = text.strip_prefix("→ ") {
                lines.push(Line::Said(said));
            } else if let Some(heard) = text.strip_prefix("← ") {
                lines.push(Line::Heard(heard));
            }
        }
    }
    assert!(block.is_none(), "a block of the document does not end");
    found
}

fn config() -> Config {
    let mut loader = Loader::new();
    let file = br#"
        [server]
        listen = "127.0.0.1:0"
        feeds = false
        [history]
        events = 4
        [topics]
        latest_only = ["game.*.state"]
    "#;
    loader.file("examples.toml", file);
    loader.finish().unwrap().config
}

#[test]
fn every_example_of_the_document_is_true() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let examples = examples();
    assert!(examples.len() > 10, "only {} examples were found", examples.len());
    for (number, lines) in examples {
        let app = runtime.block_on(App::start(&config())).unwrap();
        let address = app.address();
        match lines[0] {
            Line::Said(said) if said.starts_with("GET ") || said.starts_with("POST ") => {
                play_http(number, address, &lines);
            }
            Line::Said(said) if said.starts_with(|c: char| c.is_ascii_hexdigit()) => {
                play_binary(number, address, &lines);
            }
            _ => play_json(number, address, &lines),
        }
        runtime.block_on(app.shut_down());
    }
}

fn connect(address: SocketAddr, subprotocol: &'static str) -> WebSocket<TcpStream> {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    let name = HeaderValue::from_static(subprotocol);
    request.headers_mut().insert("sec-websocket-protocol", name);
    client(request, stream(address)).unwrap().0
}

fn stream(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The next message that is no ping.
fn next(socket: &mut WebSocket<TcpStream>) -> Message {
    loop {
        match socket.read().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

/// Ends a connection, and makes sure that nothing more had come than the document says.
fn leave(number: usize, mut socket: WebSocket<TcpStream>) {
    socket.close(None).unwrap();
    loop {
        match socket.read() {
            Ok(Message::Close(_)) => {}
            Ok(message) => panic!("example at line {number}: {message} was not announced"),
            Err(_) => return,
        }
    }
}

fn play_json(number: usize, address: SocketAddr, lines: &[Line<'_>]) {
    let mut socket = connect(address, "tickwire.v1.json");
    let mut known = Known::default();
    for line in lines {
        match line {
            Line::Said(said) => {
                let said = match &known.epoch {
                    Some(epoch) => said.replace(&format!("\"epoch\":\"{EPOCH}\""), epoch),
                    None => (*said).to_owned(),
                };
                socket.send(Message::text(said)).unwrap();
            }
            Line::Heard(heard) => {
                let message = next(&mut socket);
                let text = message.to_text().unwrap();
                let place = format!("example at line {number}, documented\n{heard}\ncame\n{text}");
                known.compare(heard, text, &place);
            }
        }
    }
    leave(number, socket);
}

fn play_binary(number: usize, address: SocketAddr, lines: &[Line<'_>]) {
    let byte = |text: &str| u8::from_str_radix(text, 16).unwrap();
    let mut socket = connect(address, "tickwire.v1.msgpack");
    for line in lines {
        match line {
            Line::Said(said) => {
                let bytes: Vec<u8> = said.split(' ').map(byte).collect();
                socket.send(Message::binary(bytes)).unwrap();
            }
            Line::Heard(heard) => {
                let Message::Binary(bytes) = next(&mut socket) else {
                    panic!("example at line {number}: no binary message")
                };
                let documented: Vec<&str> = heard.split(' ').collect();
                assert_eq!(bytes.len(), documented.len(), "example at line {number}: {bytes:02x?}");
                for (came, wanted) in bytes.iter().zip(documented) {
                    assert!(wanted == ".." || byte(wanted) == *came, "{number}: {bytes:02x?}");
                }
            }
        }
    }
    leave(number, socket);
}

fn play_http(number: usize, address: SocketAddr, lines: &[Line<'_>]) {
    let mut lines = lines.iter().copied().peekable();
    while let Some(Line::Said(request)) = lines.next() {
        let mut body = String::new();
        while let Some(Line::Said(line)) = lines.next_if(|line| matches!(line, Line::Said(_))) {
            body = format!("{body}{line}\n");
        }
        let mut stream = stream(address);
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n"
        );
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let place = format!("example at line {number}: {request}\n{answer}");
        let Some(Line::Heard(status)) = lines.next() else { panic!("{place}: no status") };
        assert_eq!(head.split(' ').nth(1), Some(status), "{place}");
        let Some(Line::Heard(wanted)) = lines.next() else { panic!("{place}: no body") };
        Known::default().compare(wanted, body, &place);
    }
}

/// What has become known of the placeholders of one example.
#[derive(Default)]
struct Known {
    /// The real `"epoch":"…"`.
    epoch: Option<String>,
}

impl Known {
    /// Fails unless `came` is what `documented` says: the same keys, types and values, but for
    /// stamps, texts for people, and an epoch that is the same everywhere.
    fn compare(&mut self, documented: &str, came: &str, place: &str) {
        let wanted: Value = serde_json::from_str(documented).expect(place);
        let found: Value = serde_json::from_str(came).expect(place);
        self.value("", &wanted, &found, place);
        // Of generic topics the digits count, which a parsed number has no more.
        if wanted["op"] == "event" && wanted["topic"].as_str().unwrap().starts_with("chat.") {
            let data = |text: &str| -> String {
                let fields: HashMap<&str, &RawValue> = serde_json::from_str(text).unwrap();
                fields["data"].get().to_owned()
            };
            assert_eq!(data(documented), data(came), "{place}");
        }
    }

    fn value(&mut self, key: &str, wanted: &Value, found: &Value, place: &str) {
        match (wanted, found) {
            (Value::Object(wanted), Value::Object(found)) => {
                let keys = |map: &serde_json::Map<String, Value>| -> Vec<String> {
                    let mut keys: Vec<_> = map.keys().cloned().collect();
                    keys.sort();
                    keys
                };
                assert_eq!(keys(wanted), keys(found), "the keys differ in {place}");
                for (key, wanted) in wanted {
                    self.value(key, wanted, &found[key], place);
                }
            }
            (Value::Array(wanted), Value::Array(found)) => {
                assert_eq!(wanted.len(), found.len(), "a list differs in {place}");
                for (wanted, found) in wanted.iter().zip(found) {
                    self.value(key, wanted, found, place);
                }
            }
            (Value::String(_), Value::String(found)) if matches!(key, "ts" | "ts_recv") => {
                assert!(found.parse::<u64>().is_ok(), "{key} is no stamp in {place}");
            }
            (Value::String(_), Value::String(found)) if key == "message" => {
                assert!(!found.is_empty(), "an empty text in {place}");
            }
            (Value::String(wanted), Value::String(found)) if key == "epoch" && wanted == EPOCH => {
                let field = format!("\"epoch\":\"{found}\"");
                let known = self.epoch.get_or_insert_with(|| field.clone());
                assert_eq!(*known, field, "another epoch in {place}");
            }
            _ => assert_eq!(wanted, found, "\"{key}\" differs in {place}"),
        }
    }
}
