//! Where to connect: the parts of a `ws://` or `http://` URL that a connection needs.

use hyper::Uri;

use crate::error::ConnectError;

/// A parsed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host without the brackets of an IPv6 address: what the resolver takes.
    pub(crate) host: String,
    /// Port; 80 where the URL has none.
    pub(crate) port: u16,
    /// Host and port as the `Host` header wants them.
    pub(crate) authority: String,
    /// Path and query, at least `/`.
    pub(crate) path: String,
}

impl Address {
    /// Reads `url`, whose scheme must be `scheme` (`ws` or `http`).
    pub(crate) fn parse(url: &str, scheme: &str) -> Result<Self, ConnectError> {
        let bad = |problem: &str| ConnectError::BadUrl {
            url: url.into(),
            problem: problem.into(),
            example: match scheme {
                "ws" => "ws://127.0.0.1:8080/ws",
                _ => "http://127.0.0.1:8080",
            },
        };
        let uri: Uri =
            url.parse().map_err(|error: hyper::http::uri::InvalidUri| bad(&error.to_string()))?;
        match uri.scheme_str() {
            Some(found) if found == scheme => {}
            Some("wss" | "https") => return Err(ConnectError::TlsNotSupported { url: url.into() }),
            Some(found) => return Err(bad(&format!("the scheme is {found}, not {scheme}"))),
            None => return Err(bad(&format!("it does not begin with {scheme}://"))),
        }
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("a user name or password has no meaning here"));
        }
        if authority.host().is_empty() {
            return Err(bad("it names no host"));
        }
        if authority.port_u16().is_none() && authority.as_str() != authority.host() {
            return Err(bad("the port is no number from 0 to 65535"));
        }
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).into(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().into(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_url() {
        let address = Address::parse("ws://example.org:8080/ws?a=b", "ws").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("example.org", 8080));
        assert_eq!(
            (address.authority.as_str(), address.path.as_str()),
            ("example.org:8080", "/ws?a=b")
        );
        let address = Address::parse("ws://[::1]:9000", "ws").unwrap();
        assert_eq!((address.host.as_str(), address.path.as_str()), ("::1", "/"));
        assert_eq!(Address::parse("http://h", "http").unwrap().port, 80);
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (url, words) in [
            ("127.0.0.1:8080", "ws://"),
            ("http://h/ws", "the scheme is http, not ws"),
            ("wss://h/ws", "not supported yet"),
            ("ws://h:99999/ws", "port"),
            ("ws://user@h/ws", "user name"),
            ("ws://", "ws://127.0.0.1:8080/ws"),
            ("", "ws://127.0.0.1:8080/ws"),
        ] {
            let said = Address::parse(url, "ws").unwrap_err().to_string();
            assert!(said.contains(words), "{url}: {said}");
        }
    }
}
