//! A client as others write them: tokio-tungstenite and JSON values, nothing of this project.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{brief, within};

/// How many of the latest messages a failure shows.
const SHOWN: usize = 8;

/// One connection.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    msgpack: bool,
    next_id: u64,
    /// What came last, for the text of failures.
    latest: VecDeque<String>,
    /// What came before an answer that was waited for.
    early: VecDeque<Value>,
}

/// What comes next.
enum Next {
    Message(Value),
    Closed(u16, String),
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, subprotocol: Option<&str>) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, address, subprotocol).await
    }

    pub(crate) async fn connect_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let stream = socket.connect(address).await.unwrap();
        Self::over(stream, address, None).await
    }

    async fn over(stream: TcpStream, address: SocketAddr, subprotocol: Option<&str>) -> Self {
        stream.set_nodelay(true).unwrap();
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        if let Some(name) = subprotocol {
            request.headers_mut().insert("sec-websocket-protocol", name.parse().unwrap());
        }
        let handshake = tokio_tungstenite::client_async(request, stream);
        let (socket, answer) = within("handshake", handshake).await.unwrap();
        let chosen = answer.headers().get("sec-websocket-protocol");
        assert_eq!(chosen.map(|name| name.to_str().unwrap()), subprotocol);
        Self {
            socket,
            msgpack: subprotocol == Some("tickwire.v1.msgpack"),
            next_id: 1,
            latest: VecDeque::new(),
            early: VecDeque::new(),
        }
    }

    /// Sends a command.
    pub(crate) async fn send(&mut self, command: Value) {
        let message = if self.msgpack {
            Message::binary(rmp_serde::to_vec_named(&command).unwrap())
        } else {
            Message::text(command.to_string())
        };
        within("room for a command", self.socket.send(message)).await.unwrap();
    }

    /// Sends a text as it is.
    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    async fn receive(&mut self, what: &str) -> Next {
        let latest = format!("{what}; the latest were {:#?}", self.latest);
        loop {
            let value = match within(&latest, self.socket.next()).await {
                Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Binary(bytes))) => rmp_serde::from_slice(&bytes).unwrap(),
                // Answered by the library when it reads on.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(Some(close)))) => {
                    return Next::Closed(close.code.into(), close.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return Next::Closed(1005, String::new()),
                Some(Err(Error::ConnectionClosed)) | None => panic!("the end instead of {latest}"),
                Some(Err(error)) => panic!("{error} instead of {latest}"),
            };
            if self.latest.len() == SHOWN {
                self.latest.pop_front();
            }
            self.latest.push_back(brief(&value));
            return Next::Message(value);
        }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        if let Some(value) = self.early.pop_front() {
            return value;
        }
        self.next_new("message").await
    }

    async fn next_new(&mut self, what: &str) -> Value {
        match self.receive(what).await {
            Next::Message(value) => value,
            Next::Closed(code, reason) => {
                panic!("closed with {code} {reason:?} instead of {what}; {:#?}", self.latest)
            }
        }
    }

    /// The next message, which must be of this kind.
    pub(crate) async fn expect(&mut self, op: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["op"], op, "{message}; the latest were {:#?}", self.latest);
        message
    }

    /// Waits for the close frame, past whatever comes before it.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Next::Closed(code, reason) = self.receive("close frame").await {
                return (code, reason);
            }
        }
    }

    /// The next message, or code and reason of the close frame.
    pub(crate) async fn next_or_close(&mut self) -> Result<Value, (u16, String)> {
        if let Some(value) = self.early.pop_front() {
            return Ok(value);
        }
        match self.receive("message or close frame").await {
            Next::Message(value) => Ok(value),
            Next::Closed(code, reason) => Err((code, reason)),
        }
    }

    /// Sends a command and waits for the answer to it; what comes before is kept for later.
    pub(crate) async fn ask(&mut self, mut command: Value) -> Value {
        let id = json!(self.next_id);
        self.next_id += 1;
        command["id"] = id.clone();
        let what = format!("answer to {}", brief(&command));
        self.send(command).await;
        loop {
            let message = self.next_new(&what).await;
            if message["id"] == id {
                return message;
            }
            self.early.push_back(message);
        }
    }

    /// Sends a command that must be refused; returns the error.
    pub(crate) async fn refused(&mut self, command: Value, code: &str) -> Value {
        let shown = brief(&command);
        let answer = self.ask(command).await;
        assert_eq!((&answer["op"], &answer["code"]), (&json!("error"), &json!(code)), "{shown}");
        answer
    }

    /// Subscribes, and returns the lines of the answer.
    pub(crate) async fn subscribe(&mut self, topics: &[&str]) -> Value {
        self.subscribe_with(topics, json!({})).await
    }

    /// Subscribes with further fields.
    pub(crate) async fn subscribe_with(&mut self, topics: &[&str], fields: Value) -> Value {
        let mut command = json!({"op": "subscribe", "topics": topics});
        for (key, value) in fields.as_object().unwrap() {
            command[key] = value.clone();
        }
        let answer = self.ask(command).await;
        assert_eq!(answer["op"], "subscribed", "{answer}");
        answer["topics"].clone()
    }

    pub(crate) async fn unsubscribe(&mut self, topics: &[&str]) {
        let answer = self.ask(json!({"op": "unsubscribe", "topics": topics})).await;
        assert_eq!(answer["op"], "unsubscribed", "{answer}");
        assert_eq!(answer["topics"], json!(topics));
    }

    /// Publishes, waits until it is done and returns the number of the event.
    pub(crate) async fn publish(&mut self, topic: &str, data: Value) -> u64 {
        let answer = self.ask(json!({"op": "publish", "topic": topic, "data": data})).await;
        assert_eq!((&answer["op"], &answer["topic"]), (&json!("published"), &json!(topic)));
        answer["seq"].as_u64().unwrap()
    }

    /// Publishes without asking for an answer.
    pub(crate) async fn tell(&mut self, topic: &str, data: Value) {
        self.send(json!({"op": "publish", "topic": topic, "data": data})).await;
    }

    /// Everything that comes up to now. What was published before this is called is in it: the
    /// answer to the first ping may stand before the events of the same turn, that to the second
    /// cannot.
    pub(crate) async fn all_until_now(&mut self) -> Vec<Value> {
        for _ in 0..2 {
            self.ask(json!({"op": "ping"})).await;
        }
        self.early.drain(..).collect()
    }

    /// The connection is alive and has nothing more to say.
    pub(crate) async fn assert_silence(&mut self) {
        let more = self.all_until_now().await;
        assert!(more.is_empty(), "{more:#?}");
    }

    /// Ends without a word, as a crash does.
    pub(crate) fn vanish(self) {
        drop(self);
    }

    /// Says goodbye, and waits for the answer.
    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        let (code, _) = self.closed().await;
        assert_eq!(code, 1005, "the close frame had no code, so the answer has none");
    }
}
