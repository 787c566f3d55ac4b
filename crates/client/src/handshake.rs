//! The opening handshake of RFC 6455, from the client's side.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};
use tokio::net::TcpStream;

use crate::Codec;
use crate::address::Address;
use crate::error::ConnectError;

/// From the first packet to the end of the handshake.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// How much of a refusal is read and shown.
const REFUSAL_MAX: usize = 16 * 1024;
const REFUSAL_SHOWN: usize = 300;

/// What a server must answer to `key`: `Sec-WebSocket-Accept` of RFC 6455, section 4.2.2.
#[must_use]
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// Connects to the host and port of `address`.
pub(crate) async fn dial(address: &Address) -> Result<TcpStream, ConnectError> {
    let unreachable =
        |source| ConnectError::Unreachable { authority: address.authority.clone(), source };
    let stream =
        TcpStream::connect((address.host.as_str(), address.port)).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(stream)
}

/// Upgrades `stream`; returns it with what the server has sent behind its answer.
pub(crate) async fn upgrade(
    address: &Address,
    stream: TcpStream,
    codec: Codec,
) -> Result<(TcpStream, Bytes), ConnectError> {
    let odd = |problem: String| ConnectError::NotTickwire {
        authority: address.authority.clone(),
        problem,
    };
    let key = fastwebsockets::handshake::generate_key();
    let request = Request::get(&address.path)
        .header(HOST, &address.authority)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", &key)
        .header("Sec-WebSocket-Protocol", codec.subprotocol())
        .body(Empty::<Bytes>::new())
        .map_err(|error| odd(error.to_string()))?;
    let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| odd(error.to_string()))?;
    // It ends by itself when the stream is handed over below, or dropped.
    tokio::spawn(async move { drop(connection.with_upgrades().await) });
    let mut response = requests
        .send_request(request)
        .await
        .map_err(|error| odd(format!("it does not answer in HTTP ({error})")))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(address, response).await);
    }
    check_answer(address, &response, &key, codec)?;
    let upgraded =
        hyper::upgrade::on(&mut response).await.map_err(|error| odd(error.to_string()))?;
    let parts = upgraded
        .downcast::<TokioIo<TcpStream>>()
        .map_err(|_| odd("the upgraded stream is of another type".into()))?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

fn check_answer(
    address: &Address,
    response: &Response<Incoming>,
    key: &str,
    codec: Codec,
) -> Result<(), ConnectError> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let odd = |problem: &str| ConnectError::NotTickwire {
        authority: address.authority.clone(),
        problem: problem.into(),
    };
    if !header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err(odd("it upgrades to something other than WebSocket"));
    }
    let names = |value: &str| value.split(',').any(|v| v.trim().eq_ignore_ascii_case("upgrade"));
    if !header("connection").is_some_and(names) {
        return Err(odd("its answer lacks Connection: Upgrade"));
    }
    if header("sec-websocket-accept") != Some(accept_key(key).as_str()) {
        return Err(odd("its Sec-WebSocket-Accept is wrong"));
    }
    let answered = header("sec-websocket-protocol");
    if answered != Some(codec.subprotocol()) {
        return Err(ConnectError::Subprotocol {
            authority: address.authority.clone(),
            offered: codec.subprotocol(),
            answered: answered.map_or("named none".into(), |name| format!("answered {name}")),
        });
    }
    Ok(())
}

async fn refusal(address: &Address, response: Response<Incoming>) -> ConnectError {
    let status = response.status();
    let body = match Limited::new(response.into_body(), REFUSAL_MAX).collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(_) => String::new(),
    };
    // One line, whatever it is: an error page of some web server, most likely.
    let words: Vec<&str> = body.split_whitespace().collect();
    let body: String = words.join(" ").chars().take(REFUSAL_SHOWN).collect();
    ConnectError::Refused {
        authority: address.authority.clone(),
        path: address.path.clone(),
        status: status.as_u16(),
        body: if body.is_empty() {
            status.canonical_reason().unwrap_or_default().into()
        } else {
            body
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_of_the_standard() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
