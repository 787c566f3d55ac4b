//! The opening handshake (RFC 6455 section 4.2): what a request must say, and which subprotocol.

use bytes::Bytes;
use fastwebsockets::upgrade::UpgradeFut;
use http_body_util::Empty;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode, Version};
use wire::Codec;

/// A handshake that succeeded.
#[derive(Debug)]
pub struct Accepted {
    /// The answer, `101 Switching Protocols`.
    pub response: Response<Empty<Bytes>>,
    /// Gives the connection once the answer was sent.
    pub upgrade: UpgradeFut,
    /// What both sides speak from then on.
    pub codec: Codec,
}

/// A handshake that failed; the answer is an ordinary HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 405 or 426.
    pub status: StatusCode,
    /// For programs.
    pub code: &'static str,
    /// For people: what was wrong, and what would be right.
    pub message: String,
}

impl Refusal {
    fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "bad_handshake", message: message.into() }
    }

    fn upgrade_required(message: impl Into<String>) -> Self {
        let status = StatusCode::UPGRADE_REQUIRED;
        Self { status, code: "upgrade_required", message: message.into() }
    }

    /// The headers that the status demands besides its text: for 426 the protocol to change to
    /// (RFC 9110 section 15.5.22) and the version of it (RFC 6455 section 4.4), for 405 what is
    /// allowed.
    #[must_use]
    pub fn headers(&self) -> &'static [(HeaderName, &'static str)] {
        match self.status {
            StatusCode::UPGRADE_REQUIRED => {
                &[(UPGRADE, "websocket"), (CONNECTION, "Upgrade"), (SEC_WEBSOCKET_VERSION, "13")]
            }
            StatusCode::METHOD_NOT_ALLOWED => &[(hyper::header::ALLOW, "GET")],
            _ => &[],
        }
    }
}

/// Checks the request and makes the answer that completes the handshake.
///
/// # Errors
/// A [`Refusal`] that says which requirement of RFC 6455 section 4.2.1 the request misses, or that
/// none of the subprotocols it offers is known here.
pub fn accept<B>(request: &mut Request<B>) -> Result<Accepted, Refusal> {
    check_request(request)?;
    let chosen = choose(&offered(request.headers())?)?;

    let (mut response, upgrade) = fastwebsockets::upgrade::upgrade(request)
        .map_err(|error| Refusal::bad_request(error.to_string()))?;
    if let Some(chosen) = chosen {
        let name = HeaderValue::from_static(chosen.subprotocol());
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok(Accepted { response, upgrade, codec: chosen.unwrap_or(Codec::Json) })
}

fn check_request<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let message = "a WebSocket handshake is a GET request".to_owned();
        return Err(Refusal { status, code: "method_not_allowed", message });
    }
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::upgrade_required(
            "this is a WebSocket endpoint: connect with a WebSocket client, which sends \
             \"Connection: Upgrade\" and \"Upgrade: websocket\"",
        ));
    }
    let told_length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if told_length || headers.contains_key(TRANSFER_ENCODING) {
        // The body would be taken for the first frames.
        return Err(Refusal::bad_request("a WebSocket handshake has no body"));
    }
    if request.version() != Version::HTTP_11 {
        return Err(Refusal::bad_request("a WebSocket handshake needs HTTP/1.1"));
    }
    if only(headers, &HOST).is_none_or(|host| host.is_empty()) {
        return Err(Refusal::bad_request("a WebSocket handshake needs one Host header"));
    }
    if only(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::upgrade_required("Sec-WebSocket-Version must be 13"));
    }
    if !only(headers, &SEC_WEBSOCKET_KEY).is_some_and(|key| is_key(key.as_bytes())) {
        return Err(Refusal::bad_request(
            "one Sec-WebSocket-Key header is needed, with 16 bytes in base64",
        ));
    }
    Ok(())
}

/// The subprotocols that the client offers, most wanted first. One header or several mean the same.
fn offered(headers: &HeaderMap) -> Result<Vec<&str>, Refusal> {
    let mut offered = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let names = value.to_str().map_err(|_| {
            Refusal::bad_request("Sec-WebSocket-Protocol holds characters other than visible ASCII")
        })?;
        offered.extend(names.split(',').map(str::trim).filter(|name| !name.is_empty()));
    }
    Ok(offered)
}

/// The first of the offered subprotocols that is known: the client's order decides. `None` when
/// nothing is offered, so that nothing is to be answered either.
fn choose(offered: &[&str]) -> Result<Option<Codec>, Refusal> {
    if offered.is_empty() {
        return Ok(None);
    }
    let known = |name: &&str| Codec::ALL.into_iter().find(|known| known.subprotocol() == *name);
    offered.iter().find_map(known).map(Some).ok_or_else(|| {
        let known = Codec::ALL.map(Codec::subprotocol).join(" and ");
        let message = format!("none of the subprotocols offered is known; there are {known}");
        Refusal { status: StatusCode::BAD_REQUEST, code: "unknown_subprotocol", message }
    })
}

/// The value of a header that must be there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether a comma-separated list, in one header or several, holds `token` in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether `key` is base64 of exactly 16 bytes: 22 digits and the padding. Only its length matters,
/// because the key is hashed as it is written (RFC 6455 section 4.2.2) and never decoded.
fn is_key(key: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|digits| digits.len() == 22 && digits.iter().all(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::get("/ws").body(()).unwrap();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        request
    }

    const SAMPLE: [(&str, &str); 5] = [
        ("host", "127.0.0.1:8080"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];

    fn sample_without(name: &str) -> Vec<(&'static str, &'static str)> {
        SAMPLE.into_iter().filter(|(header, _)| *header != name).collect()
    }

    fn sample_with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        let mut headers = sample_without(name);
        headers.push((name, value));
        headers
    }

    fn refused(headers: &[(&str, &str)]) -> Refusal {
        accept(&mut request(headers)).unwrap_err()
    }

    #[test]
    fn the_sample_key_of_the_standard_gets_its_answer() {
        let accepted = accept(&mut request(&SAMPLE)).unwrap();
        assert_eq!(accepted.response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let headers = accepted.response.headers();
        assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(headers["upgrade"], "websocket");
        assert!(has_token(headers, &CONNECTION, "upgrade"));
    }

    #[test]
    fn without_an_offer_json_is_spoken_and_no_header_answers() {
        let accepted = accept(&mut request(&SAMPLE)).unwrap();
        assert_eq!(accepted.codec, Codec::Json);
        assert!(!accepted.response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn the_order_of_the_client_decides_over_several_headers() {
        let name = "sec-websocket-protocol";
        let cases: [(&[&str], Codec); 4] = [
            (&["tickwire.v1.json"], Codec::Json),
            (&["other, tickwire.v1.msgpack ,tickwire.v1.json"], Codec::MessagePack),
            (&["tickwire.v9", "tickwire.v1.json", "tickwire.v1.msgpack"], Codec::Json),
            (&["tickwire.v1.msgpack"], Codec::MessagePack),
        ];
        for (offers, expected) in cases {
            let mut headers = SAMPLE.to_vec();
            headers.extend(offers.iter().map(|offer| (name, *offer)));
            let accepted = accept(&mut request(&headers)).unwrap();
            assert_eq!(accepted.codec, expected, "{offers:?}");
            assert_eq!(accepted.response.headers()[name], expected.subprotocol());
        }
    }

    #[test]
    fn an_unknown_subprotocol_is_refused_with_the_known_ones() {
        for offer in ["mqtt", "TICKWIRE.V1.JSON", "a,b"] {
            let refusal = refused(&sample_with("sec-websocket-protocol", offer));
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
            for known in Codec::ALL {
                assert!(refusal.message.contains(known.subprotocol()), "{}", refusal.message);
            }
        }
    }

    #[test]
    fn a_request_without_upgrade_headers_is_told_to_upgrade() {
        let refusals = [
            refused(&[("host", "x")]),
            refused(&sample_without("upgrade")),
            refused(&sample_without("connection")),
            refused(&sample_with("upgrade", "h2c")),
        ];
        for refusal in refusals {
            assert_eq!(refusal.status, StatusCode::UPGRADE_REQUIRED);
            assert!(refusal.headers().contains(&(UPGRADE, "websocket")));
            assert!(refusal.headers().contains(&(CONNECTION, "Upgrade")));
        }
    }

    #[test]
    fn a_missing_or_foreign_version_gets_426_and_the_right_one() {
        let missing = sample_without("sec-websocket-version");
        for headers in [missing, sample_with("sec-websocket-version", "8")] {
            let refusal = refused(&headers);
            assert_eq!(refusal.status, StatusCode::UPGRADE_REQUIRED);
            assert!(refusal.headers().contains(&(SEC_WEBSOCKET_VERSION, "13")));
        }
    }

    #[test]
    fn the_key_must_be_sixteen_bytes_once() {
        let name = "sec-websocket-key";
        let mut cases = vec![sample_without(name), [&SAMPLE[..], &[(name, SAMPLE[3].1)]].concat()];
        for key in ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==A", "dGhlIHNhbXBs"]
        {
            cases.push(sample_with(name, key));
        }
        cases.push(sample_with(name, "dGhlIHNhbXBsZSBub25j?Q=="));
        cases.push(sample_with(name, "AAAAAAAAAAAAAAAAAAAAAAAA"));
        for headers in cases {
            assert_eq!(refused(&headers).status, StatusCode::BAD_REQUEST, "{headers:?}");
        }
    }

    #[test]
    fn method_version_and_host_are_checked() {
        let mut post = request(&SAMPLE);
        *post.method_mut() = Method::POST;
        let refusal = accept(&mut post).unwrap_err();
        assert_eq!(refusal.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(!refusal.headers().is_empty());

        let mut old = request(&SAMPLE);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(accept(&mut old).unwrap_err().status, StatusCode::BAD_REQUEST);

        assert_eq!(refused(&sample_without("host")).status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_handshake_has_no_body() {
        let status = |name, value| {
            accept(&mut request(&sample_with(name, value)))
                .map_or_else(|refusal| refusal.status, |accepted| accepted.response.status())
        };
        assert_eq!(status("content-length", "0"), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(status("content-length", "5"), StatusCode::BAD_REQUEST);
        assert_eq!(status("transfer-encoding", "chunked"), StatusCode::BAD_REQUEST);
    }
}
