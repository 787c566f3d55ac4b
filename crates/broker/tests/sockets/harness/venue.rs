//! A venue that the test plays itself: its WebSocket, its REST interface, and an adapter for the
//! few words that it speaks.

use std::net::SocketAddr;
use std::sync::Arc;

use broker::feed::VenueFeed;

use feeds::adapter::symbol::Spelling;
use feeds::adapter::{
    Action, Adapter, Desk, DeskOptions, Input, Output, Proof, Rules, SECOND, Stream, SymbolId,
    Transport,
};
use futures_util::{SinkExt, StreamExt};
use market::{Aggressor, BookDiff, Decimal, Level, Nanos, Stamps, Trade, VenueState};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::within;

/// What the venue allows unless a test says otherwise.
pub(crate) const RULES: Rules = Rules {
    transport: Transport::WebSocket,
    websocket: "ws://127.0.0.1:1/own/path",
    rest: "http://127.0.0.1:1/",
    message_bytes: 64 * 1024,
    messages_per_second: 1_000,
    connections: 1_000,
    connections_window: SECOND,
    streams: 100,
    lifetime: None,
    stale_after: 3_600 * SECOND,
    dead_after: 3_600 * SECOND,
};

/// The venue's two listeners.
pub(crate) struct ScriptedVenue {
    socket: TcpListener,
    rest: TcpListener,
}

impl ScriptedVenue {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rest = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { socket, rest }
    }

    /// A feed of `symbols` from here.
    pub(crate) fn feed(&self, rules: Rules, symbols: &[&str]) -> VenueFeed {
        let rules: &'static Rules = Box::leak(Box::new(rules));
        let desk = DeskOptions {
            venue: "demo".into(),
            symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
            ..DeskOptions::default()
        };
        let adapter = move |options| -> Box<dyn Adapter> {
            let desk = Desk::new(options, Spelling::Separated('-'));
            Box::new(Script { desk, rules, last_path: String::new() })
        };
        VenueFeed {
            url: Some(format!("ws://{}", self.address())),
            rest_url: Some(format!("http://{}", self.rest.local_addr().unwrap())),
            seed: Some(7),
            ..VenueFeed::with(Arc::new(adapter), desk)
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// The next WebSocket that a feed opens.
    pub(crate) async fn accept(&self) -> VenueSocket {
        let (stream, _) = within("connection of the feed", self.socket.accept()).await.unwrap();
        let accepting = tokio_tungstenite::accept_async(stream);
        VenueSocket(within("handshake of the feed", accepting).await.unwrap())
    }

    /// The next REST request: its path, and the way to answer it.
    pub(crate) async fn asked(&self) -> (String, TcpStream) {
        let (mut stream, _) = within("REST request", self.rest.accept()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("head of a request", stream.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), stream)
    }

    /// Answers a request; `headers` end with a line break each.
    pub(crate) async fn answer(mut stream: TcpStream, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        within("room for an answer", stream.write_all(answer.as_bytes())).await.unwrap();
    }
}

/// One connection, from the venue's side.
pub(crate) struct VenueSocket(WebSocketStream<TcpStream>);

impl VenueSocket {
    /// The next message of the feed.
    pub(crate) async fn heard(&mut self) -> String {
        loop {
            match within("message of the feed", self.0.next()).await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} instead of a message of the feed"),
            }
        }
    }

    /// The feed ends the connection; what it says before does not matter.
    pub(crate) async fn ended(&mut self) {
        let ending = async { while let Some(Ok(_)) = self.0.next().await {} };
        within("end of the feed's connection", ending).await;
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        within("room for a message", self.0.send(message)).await.unwrap();
    }

    /// Ends without a word.
    pub(crate) fn cut(self) {
        drop(self);
    }

    pub(crate) async fn trade(&mut self, symbol: &str, id: u64) {
        self.say(json!({"t": "trade", "s": symbol, "id": id})).await;
    }

    /// A book of one bid and one ask at `price` and one above.
    pub(crate) async fn book(&mut self, symbol: &str, reset: bool, price: u64) {
        self.say(json!({"t": "book", "s": symbol, "reset": reset, "price": price})).await;
    }
}

/// Speaks the venue's few words.
#[derive(Debug)]
struct Script {
    desk: Desk,
    rules: &'static Rules,
    last_path: String,
}

fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Trades => "trades",
        Stream::Quotes => "quotes",
        Stream::Book => "book",
    }
}

impl Script {
    fn text(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        self.desk.heard(now, out);
        let Ok(message) = serde_json::from_slice::<Value>(message) else {
            self.desk.counts.malformed += 1;
            return;
        };
        match message["t"].as_str() {
            Some("reconnect") => out.reconnect("the venue asks for it"),
            Some("fetch") => {
                message["path"].as_str().unwrap_or_default().clone_into(&mut self.last_path);
                self.fetch(out);
            }
            Some(kind @ ("trade" | "book")) => {
                let native = message["s"].as_str().unwrap_or_default();
                let Some(symbol) = self.desk.find(native) else { return };
                match kind {
                    "trade" => self.trade(symbol, &message, now, out),
                    _ => self.book(symbol, &message, now, out),
                }
            }
            _ => self.desk.counts.unknown += 1,
        }
    }

    fn fetch(&mut self, out: &mut Output) {
        out.actions.push(Action::Fetch { request: 1, path: self.last_path.clone() });
    }

    fn trade(&mut self, symbol: SymbolId, message: &Value, now: Nanos, out: &mut Output) {
        let one = Decimal::parse("1").unwrap();
        let trade = Trade {
            price: one,
            size: one,
            side: Aggressor::Buy,
            trade_id: message["id"].to_string().into(),
            stamps: Stamps { received: now, ..Stamps::default() },
        };
        self.desk.trade(symbol, trade, out);
    }

    fn book(&mut self, symbol: SymbolId, message: &Value, now: Nanos, out: &mut Output) {
        let price = message["price"].as_u64().unwrap_or_default();
        let level = |price: u64, size: &str| Level {
            price: Decimal::parse(&price.to_string()).unwrap(),
            size: Decimal::parse(size).unwrap(),
        };
        let diff = BookDiff {
            reset: message["reset"] == true,
            bids: vec![level(price, "2")],
            asks: vec![level(price + 1, "3")],
            stamps: Stamps { received: now, ..Stamps::default() },
        };
        if self.desk.book(symbol, diff, None, |_| Proof::Sequence, out).is_err() {
            self.desk.counts.malformed += 1;
        }
    }
}

impl Adapter for Script {
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output) {
        match input {
            Input::Connected => {
                for (_, symbol) in self.desk.symbols() {
                    for stream in [Stream::Trades, Stream::Quotes, Stream::Book] {
                        if symbol.wanted().has(stream) {
                            out.send(format!("subscribe {} {}", word(stream), symbol.native));
                        }
                    }
                }
            }
            Input::Text(message) | Input::Binary(message) => self.text(message, now, out),
            Input::Answer { status: 200, body, .. } => self.text(body, now, out),
            // It asks until it is told.
            Input::Answer { .. } | Input::NoAnswer { .. } => self.fetch(out),
            Input::Timer => {}
            Input::Silent => self.desk.status(VenueState::Stale, "silent", now, out),
            Input::Demand { symbol, stream, wanted } => {
                if self.desk.demand(symbol, stream, wanted) {
                    let verb = if wanted { "subscribe" } else { "unsubscribe" };
                    let native = &self.desk.symbol(symbol).native;
                    out.send(format!("{verb} {} {native}", word(stream)));
                }
            }
            Input::Disconnected { reason } => self.desk.disconnected(reason, now, out),
        }
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn rules(&self) -> &'static Rules {
        self.rules
    }
}
