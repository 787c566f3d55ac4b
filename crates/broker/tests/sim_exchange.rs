//! The simulated exchange over real sockets, met by a WebSocket client of other people's making.
//!
//! Nothing in here sleeps in order to be in step: tests read until they have what they wait for.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::time::Duration;

use broker::commands::sim_exchange::Server;
use exchange::{Fault, FaultPlan, Options, Venue};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// So that a failure does not hang.
const DEADLINE: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn serve(venue: Venue, faults: FaultPlan) -> Server {
    Server::start(Options { faults, ..Options::new(venue) }, 0).await.unwrap()
}

async fn connect(server: &Server, path: &str) -> Socket {
    connect_async(format!("ws://{}{path}", server.address())).await.unwrap().0
}

async fn next(socket: &mut Socket) -> Result<Message, Error> {
    let next = tokio::time::timeout(DEADLINE, socket.next()).await.expect("nothing came");
    next.unwrap_or(Err(Error::ConnectionClosed))
}

/// The next text message as JSON.
async fn next_json(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = next(socket).await.unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// Status, head and body of a GET.
async fn get(server: &Server, target: &str) -> (u16, String, Value) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn each_venue_answers_a_real_client_and_sends_data() {
    for venue in Venue::ALL {
        let server = serve(venue, FaultPlan::none()).await;
        let mut socket = connect(&server, venue.websocket_path()).await;
        let symbol = venue.native("BTC-USD");
        let command = match venue {
            Venue::Binance => format!(
                r#"{{"method":"SUBSCRIBE","params":["{}@depth@100ms"],"id":1}}"#,
                symbol.to_lowercase()
            ),
            Venue::Coinbase => {
                format!(r#"{{"type":"subscribe","product_ids":["{symbol}"],"channel":"level2"}}"#)
            }
            Venue::Kraken => format!(
                r#"{{"method":"subscribe","params":{{"channel":"book","symbol":["{symbol}"]}}}}"#
            ),
            Venue::Okx => format!(
                r#"{{"op":"subscribe","args":[{{"channel":"books","instId":"{symbol}"}}]}}"#
            ),
            Venue::Bybit => format!(r#"{{"op":"subscribe","args":["orderbook.50.{symbol}"]}}"#),
        };
        socket.send(Message::text(command)).await.unwrap();
        let mut data = 0;
        while data < 5 {
            let text = next_json(&mut socket).await.to_string();
            data += usize::from(
                text.contains(r#""bids""#)
                    || text.contains(r#""updates""#)
                    || text.contains(r#""b":["#),
            );
        }
        server.stop(Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn rest_snapshots_and_what_struck_can_be_asked_for() {
    let plan = FaultPlan::none().with_strike(Fault::Rest429, 2);
    let server = serve(Venue::Binance, plan).await;
    let (status, _, depth) = get(&server, "/api/v3/depth?symbol=BTCUSDT&limit=7").await;
    assert_eq!((status, depth["bids"].as_array().unwrap().len()), (200, 7));
    let (status, head, _) = get(&server, "/api/v3/depth?symbol=BTCUSDT").await;
    assert!(status == 429 && head.contains("retry-after: 1"), "{head}");
    let (_, _, faults) = get(&server, "/sim/faults").await;
    assert_eq!((&faults["faults"]["rest-429"], &faults["faults"]["drop"]), (&1.into(), &0.into()));
    let (_, _, book) = get(&server, "/sim/book?symbol=BTCUSDT").await;
    assert_eq!(book["bids"].as_array().unwrap().len(), 60);
    assert_eq!(get(&server, "/sim/book?symbol=NOPE").await.0, 404);
    server.stop(Duration::from_secs(2)).await;
}

/// Subscribes to a book of Bybit's, and reads until the connection ends.
async fn read_to_the_end(server: &Server) -> Error {
    let mut socket = connect(server, "/v5/public/linear").await;
    let command = r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#;
    socket.send(Message::text(command)).await.unwrap();
    loop {
        match next(&mut socket).await {
            Ok(Message::Close(frame)) => {
                assert_eq!(u16::from(frame.unwrap().code), 1001);
            }
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn a_connection_ends_in_mid_frame_or_with_a_close_frame() {
    let server = serve(Venue::Bybit, FaultPlan::none().with_strike(Fault::CutMidFrame, 5)).await;
    let error = read_to_the_end(&server).await;
    assert!(matches!(error, Error::Protocol(_) | Error::Io(_)), "{error:?}");
    server.change(|exchange| {
        exchange.set_faults(FaultPlan::none().with_strike(Fault::Cut, 1)).unwrap();
    });
    let error = read_to_the_end(&server).await;
    assert!(matches!(error, Error::ConnectionClosed), "{error:?}");
    assert_eq!(server.with(|exchange| exchange.faults().total()), 2);
    server.stop(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_silent_connection_stays_open_and_answers_no_ping() {
    let server = serve(Venue::Bybit, FaultPlan::none().with_strike(Fault::Silence, 5)).await;
    let mut silent = connect(&server, "/v5/public/linear").await;
    let command = r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#;
    silent.send(Message::text(command)).await.unwrap();
    // The acknowledgement and four messages; the fifth is never sent.
    for _ in 0..5 {
        next_json(&mut silent).await;
    }
    while get(&server, "/sim/faults").await.2["faults"]["silence"] == 0 {}
    silent.send(Message::Ping("x".into())).await.unwrap();
    // Another client is told much meanwhile.
    let mut other = connect(&server, "/v5/public/linear").await;
    other.send(Message::text(command)).await.unwrap();
    for _ in 0..20 {
        next_json(&mut other).await;
    }
    let more = tokio::time::timeout(Duration::from_millis(1), silent.next()).await;
    assert!(more.is_err(), "a silent connection has said {more:?}");
    assert_eq!(server.with(|exchange| exchange.faults().of(Fault::Silence)), 1);
    assert_eq!(server.with(|exchange| exchange.connections()), 2);
    server.stop(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn options_out_of_bounds_are_refused() {
    let refused = Server::start(Options { depth: 0, ..Options::new(Venue::Okx) }, 0).await;
    assert!(refused.unwrap_err().to_string().contains("depth is 0"));
}
