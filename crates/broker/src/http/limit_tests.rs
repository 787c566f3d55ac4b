//! Tests of what a client can keep the HTTP front waiting for, and of how connections end.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::serve_connection;
use super::tests::{Front, assert_status, header, read_all};

/// A limit that a test waits for.
const SOON: Duration = Duration::from_millis(80);

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
