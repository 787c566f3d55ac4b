//! The HTTP side of a broker: one GET at a time, which is all that its tools need.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;

use crate::address::Address;
use crate::error::ConnectError;
use crate::handshake::{DEADLINE, dial};

/// The largest answer taken: a topic list of a million entries is below it.
const ANSWER_MAX: usize = 256 * 1024 * 1024;

/// What a GET brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

/// Asks the broker at `base` (such as `http://127.0.0.1:8080`) for `path` with `query`, whose
/// values are escaped here.
///
/// # Errors
/// As for a connection: a bad URL, nobody there, no HTTP, no answer in time.
pub async fn get(base: &str, path: &str, query: &[(&str, &str)]) -> Result<Answer, ConnectError> {
    let address = Address::parse(base, "http")?;
    let late = ConnectError::TimedOut {
        authority: address.authority.clone(),
        seconds: DEADLINE.as_secs(),
    };
    tokio::time::timeout(DEADLINE, exchange(&address, &target(path, query)))
        .await
        .unwrap_or(Err(late))
}

async fn exchange(address: &Address, target: &str) -> Result<Answer, ConnectError> {
    let odd = |problem: String| ConnectError::NotTickwire {
        authority: address.authority.clone(),
        problem,
    };
    let request = Request::get(target)
        .header(HOST, &address.authority)
        .body(Empty::<Bytes>::new())
        .map_err(|error| odd(error.to_string()))?;
    let stream = dial(address).await?;
    let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| odd(error.to_string()))?;
    tokio::spawn(async move { drop(connection.await) });
    let response = requests
        .send_request(request)
        .await
        .map_err(|error| odd(format!("it does not answer in HTTP ({error})")))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_MAX)
        .collect()
        .await
        .map_err(|error| odd(format!("its answer broke off: {error}")))?;
    Ok(Answer { status, body: body.to_bytes() })
}

fn target(path: &str, query: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        escape(value, &mut target);
    }
    target
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn escape(value: &str, target: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            target.push('%');
            target.push(DIGITS[usize::from(byte >> 4)]);
            target.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_escaped() {
        let target = target("/topics", &[("pattern", "quote.*.BTC-USD"), ("x", ">&é")]);
        assert_eq!(target, "/topics?pattern=quote.%2A.BTC-USD&x=%3E%26%C3%A9");
    }
}
