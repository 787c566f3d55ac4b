//! One question to the HTTP side of a server, on a connection of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::plan::Target;

/// For connecting and for each read: a server that is asked something odd may say nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// Bytes that an answer may have; metrics of a large server are some 100 KB.
const ANSWER_MAX: usize = 4 << 20;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The number in its first line.
    pub status: u16,
    /// All headers, the first line included.
    pub head: String,
    /// What followed.
    pub body: String,
}

/// What the server of `target` answers to `GET path`; `None` when it is no answer in HTTP. Takes
/// a second and a half at most for a server that says nothing.
#[must_use]
pub fn get(target: &Target, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&target.address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", target.authority);
    stream.write_all(request.as_bytes()).ok()?;
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    while bytes.len() < ANSWER_MAX && !is_whole(&bytes) {
        // What came before an error is as good as what came before the end.
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    parse(&String::from_utf8_lossy(&bytes))
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some(answer) = parse(&text) else { return false };
    // After such a status there is no body.
    answer.status < 200
        || answer
            .header("content-length")
            .and_then(|length| length.parse().ok())
            .is_some_and(|length: usize| answer.body.len() >= length)
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.into(), body: body.into() })
}

impl Answer {
    /// A header by its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        assert!(!is_whole(head) && !is_whole(&head[..20]));
        assert!(is_whole(&[&head[..], b"abc"].concat()));
        assert!(is_whole(b"HTTP/1.1 101 Yes\r\n\r\n"));
        // Without a length the end of the connection is the end.
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n\r\nabc"));
        let answer = parse("HTTP/1.1 404 No\r\nServer:  x/1 \r\n\r\nbody").unwrap();
        assert_eq!(
            (answer.status, answer.header("SERVER"), &*answer.body),
            (404, Some("x/1"), "body")
        );
        assert_eq!((parse("hello\r\n\r\n"), parse("")), (None, None));
    }
}
