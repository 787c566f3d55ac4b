//! The commands against small servers of another make.

use std::sync::{Arc, Mutex};

use clap::Parser;
use client::{Codec, Connection};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::publish::Publishing;
use super::subscribe::{SubscribeArguments, follow};

type Socket = WebSocketStream<TcpStream>;

/// A server that plays `scenes` in turn, one for each connection. Returns its URL.
async fn server<F, S>(scenes: Vec<S>) -> String
where
    S: FnOnce(Socket) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for scene in scenes {
            let (stream, _) = listener.accept().await.unwrap();
            #[expect(clippy::result_large_err, reason = "the callback's type is given")]
            let answer = |request: &Request, mut response: Response| {
                let protocol = request.headers()["sec-websocket-protocol"].clone();
                response.headers_mut().insert("sec-websocket-protocol", protocol);
                Ok(response)
            };
            scene(tokio_tungstenite::accept_hdr_async(stream, answer).await.unwrap()).await;
        }
    });
    url
}

async fn command(socket: &mut Socket) -> Value {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
        other => panic!("a command, not {other:?}"),
    }
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn close(mut socket: Socket, code: u16) {
    let frame = CloseFrame { code: code.into(), reason: "enough".into() };
    socket.close(Some(frame)).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
}

/// An output that a test can read, and that may break.
#[derive(Clone, Default)]
struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    breaks: bool,
}

impl std::io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.breaks {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        self.text.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Output {
    fn lines(&self) -> Vec<String> {
        let text = self.text.lock().unwrap().clone();
        String::from_utf8(text).unwrap().lines().map(Into::into).collect()
    }
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: SubscribeArguments,
}

fn arguments(url: &str, rest: &[&str]) -> SubscribeArguments {
    let line = ["sub", "--url", url].into_iter().chain(rest.iter().copied());
    Line::try_parse_from(line).unwrap().arguments
}

#[tokio::test]
async fn sub_prints_until_the_count_is_reached() {
    let scene = async |mut socket: Socket| {
        let asked = command(&mut socket).await;
        let expected = json!({"op": "subscribe", "id": 1, "topics": ["quote.sim.*"],
            "snapshot": false, "max_rate": 2.5, "history": 3});
        assert_eq!(asked, expected);
        say(&mut socket, json!({"op": "subscribed", "id": 1, "topics": []})).await;
        for seq in 1..=5 {
            let data = json!({"bid_price": "1.5"});
            say(
                &mut socket,
                json!({"op": "event", "topic": "quote.sim.A", "seq": seq, "ts": "1", "data": data}),
            )
            .await;
        }
        while let Some(Ok(_)) = socket.next().await {}
    };
    let url = server(vec![scene]).await;
    let rest = [
        "quote.sim.*",
        "--count",
        "2",
        "--json",
        "--no-snapshot",
        "--max-rate",
        "2.5",
        "--history",
        "3",
    ];
    let output = Output::default();
    follow(arguments(&url, &rest), output.clone()).await.unwrap();
    let lines = output.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(serde_json::from_str::<Value>(&lines[1]).unwrap()["seq"], 2);
}

#[tokio::test]
async fn sub_tells_why_it_was_refused_or_closed() {
    let refusing = async |mut socket: Socket| {
        let id = command(&mut socket).await["id"].clone();
        say(
            &mut socket,
            json!({"op": "error", "id": id, "code": "bad_topic", "message": "x* is no pattern"}),
        )
        .await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let url = server(vec![refusing]).await;
    let error = follow(arguments(&url, &["x*"]), Output::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "the broker refused: x* is no pattern (bad_topic)");
    let url = server(vec![async |socket| close(socket, 1001).await]).await;
    let error = follow(arguments(&url, &["x"]), Output::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("1001 going away (enough)"), "{error}");
    let url = server(vec![async |socket| close(socket, 1008).await]).await;
    let error =
        follow(arguments(&url, &["x", "--reconnect"]), Output::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("1008 policy (enough)"), "{error}");
}

#[tokio::test]
async fn sub_resumes_after_a_lost_connection() {
    let first = async |mut socket: Socket, resume: Value| {
        let asked = command(&mut socket).await;
        assert_eq!(asked.get("resume").cloned().unwrap_or_default(), resume);
        let entry = json!({"topic": "t", "epoch": "e", "seq": 7});
        say(&mut socket, json!({"op": "subscribed", "id": 1, "topics": [entry]})).await;
        let seq = if resume.is_null() { 8 } else { 9 };
        say(&mut socket, json!({"op": "event", "topic": "t", "seq": seq, "ts": 1, "data": seq}))
            .await;
        close(socket, 1012).await;
    };
    let resume = json!({"t": {"epoch": "e", "seq": 8}});
    let scenes = vec![Value::Null, resume];
    let scenes = scenes.into_iter().map(|resume| move |socket| first(socket, resume)).collect();
    let url = server(scenes).await;
    let output = Output::default();
    follow(arguments(&url, &["t", "--reconnect", "--count", "2"]), output.clone()).await.unwrap();
    let lines = output.lines();
    assert!(lines[0].ends_with("  8") && lines[1].ends_with("  9"), "{lines:?}");
}

#[tokio::test]
async fn sub_waits_for_a_broker_that_is_stopping() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in [
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\ndraining",
            "",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nlost",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(stream.read(&mut [0; 4096]).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let error =
        follow(arguments(&url, &["t", "--reconnect"]), Output::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("HTTP 404 lost"), "{error}");
}

#[tokio::test]
async fn sub_ends_quietly_when_nobody_reads_its_output() {
    let scene = async |mut socket: Socket| {
        command(&mut socket).await;
        say(&mut socket, json!({"op": "event", "topic": "t", "seq": 1, "ts": 1, "data": 0})).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let url = server(vec![scene]).await;
    let output = Output { breaks: true, ..Output::default() };
    follow(arguments(&url, &["t"]), output).await.unwrap();
}

#[test]
fn sub_refuses_what_makes_no_sense() {
    for rest in
        [&[][..], &["t", "--max-rate", "0.01"], &["t", "--count", "0"], &["t", "--codec", "xml"]]
    {
        assert!(Line::try_parse_from(["sub"].iter().chain(rest)).is_err(), "{rest:?}");
    }
}

/// Runs `pub` over `lines` against `scene`; returns its result, reports and summary.
async fn publish<F, S>(
    topic: Option<&str>,
    lines: &[&str],
    scene: S,
) -> (anyhow::Result<()>, Vec<String>, String)
where
    S: FnOnce(Socket) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let url = server(vec![scene]).await;
    let (sender, receiver) = Connection::connect(&url, Codec::Json).await.unwrap().split();
    let (queue, input) = mpsc::channel(lines.len().max(1));
    for line in lines {
        queue.send(Ok((*line).to_owned())).await.unwrap();
    }
    drop(queue);
    let mut reports = Vec::new();
    let mut publishing = Publishing::new(topic.map(Into::into), sender, receiver);
    let ended = publishing.run(input, |report| reports.push(report)).await;
    (ended, reports, publishing.summary())
}

#[tokio::test]
async fn pub_reports_each_failed_line_and_goes_on() {
    let lines = [r#"{"n":1.10}"#, "", "nonsense", r#""refused""#, "[5]"];
    let (ended, reports, summary) = publish(Some("chat.a"), &lines, async |mut socket| {
        let mut seq = 40;
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            let asked: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(asked["topic"], "chat.a");
            if asked["data"] == "refused" {
                say(&mut socket, json!({"op": "error", "id": asked["id"], "code": "bad_data", "message": "no"})).await;
            } else {
                seq += 1;
                say(&mut socket, json!({"op": "published", "id": asked["id"], "topic": "chat.a", "epoch": "e", "seq": seq})).await;
            }
        }
    })
    .await;
    ended.unwrap();
    assert_eq!(summary, "2 events published to chat.a (seq 41 to 42), 2 failed");
    assert!(reports[0].starts_with("line 3: not one JSON value"), "{reports:?}");
    assert_eq!(reports[1], "line 4: no (bad_data)");
}

#[tokio::test]
async fn pub_says_what_is_unconfirmed_when_the_broker_goes_away() {
    let (ended, _, summary) = publish(Some("chat.a"), &["1", "2"], async |mut socket| {
        let id = command(&mut socket).await["id"].clone();
        say(
            &mut socket,
            json!({"op": "published", "id": id, "topic": "chat.a", "epoch": "e", "seq": 1}),
        )
        .await;
        command(&mut socket).await;
        close(socket, 1001).await;
    })
    .await;
    let error = ended.unwrap_err().to_string();
    assert!(error.ends_with("1001 going away (enough) (at line 2, 1 unconfirmed)"), "{error}");
    assert_eq!(summary, "1 events published to chat.a (seq 1 to 1), 1 failed");
}

#[tokio::test]
async fn pub_stdin_takes_the_topic_from_each_line() {
    let lines = [
        r#"{"topic":"chat.a","data":{"n":1.10},"will":"gone"}"#,
        r#"{"op":"event","seq":7,"data":2,"topic":"chat.b"}"#,
        "5",
        r#"{"topic":"chat.a"}"#,
        r#"{"topic":"chat.a","data":1} 2"#,
    ];
    let (told, mut said) = mpsc::channel(8);
    let (ended, reports, summary) = publish(None, &lines, async move |mut socket| {
        while let Some(Ok(Message::Text(text))) = socket.next().await {
            told.send(text.to_string()).await.unwrap();
            let asked: Value = serde_json::from_str(&text).unwrap();
            let answer = json!({"op": "published", "id": asked["id"], "topic": asked["topic"], "epoch": "e", "seq": 1});
            say(&mut socket, answer).await;
        }
    })
    .await;
    ended.unwrap();
    assert_eq!(summary, "2 events published, 3 failed");
    assert_eq!(reports.len(), 3, "{reports:?}");
    for (report, line) in reports.iter().zip(3..) {
        let words = format!("line {line}: not an object with \"topic\" and \"data\"");
        assert!(report.starts_with(&words), "{report}");
    }
    let first = said.recv().await.unwrap();
    assert!(
        first.contains(r#""topic":"chat.a","data":{"n":1.10},"will":"gone"}"#),
        "digit for digit: {first}"
    );
    let second: Value = serde_json::from_str(&said.recv().await.unwrap()).unwrap();
    assert_eq!((&second["topic"], &second["data"]), (&json!("chat.b"), &json!(2)));
}
