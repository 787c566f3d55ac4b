//! Which server it was, and which version of it: asked after the run, so that it costs none.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::plan::Target;

/// For connecting and for each read: a server that is asked something odd may say nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// More than any answer about health needs.
const ANSWER_MAX: u64 = 64 * 1024;

/// What the server's HTTP side says of itself, if it says anything.
#[must_use]
pub fn version(target: &Target) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&target.address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let request =
        format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", target.authority);
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // What came before an error is as good as what came before the end.
    let _read = stream.take(ANSWER_MAX).read_to_end(&mut answer);
    said(&String::from_utf8_lossy(&answer))
}

/// The `server` header, and the `version` of a JSON body.
fn said(answer: &str) -> Option<String> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let name = headers.find(|(name, _)| name.eq_ignore_ascii_case("server"));
    let name = name.map(|(_, value)| value.trim().to_owned());
    let body: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let version = body.and_then(|body| Some(body.get("version")?.as_str()?.to_owned()));
    match (name, version) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (None, Some(version)) => Some(format!("version {version}")),
        (name, None) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_understood() {
        let ours =
            "HTTP/1.1 200 OK\r\ncontent-length: 32\r\n\r\n{\"status\":\"ok\",\"version\":\"0.1\"}";
        assert_eq!(said(ours).as_deref(), Some("version 0.1"));
        let other = "HTTP/1.1 404 Not Found\r\nServer: nginx/1.22.1\r\n\r\n<html>";
        assert_eq!(said(other).as_deref(), Some("nginx/1.22.1"));
        assert_eq!((said("HTTP/1.1 404 No\r\n\r\n{}"), said("")), (None, None));
    }
}
