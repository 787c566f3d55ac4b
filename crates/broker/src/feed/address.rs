//! Where a venue is: the parts of a URL that dialling and asking need.

use std::fmt;

use hyper::Uri;

/// A parsed URL of `ws`, `wss`, `http`, `https`, `tcp` or `tls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether the connection is encrypted: `wss`, `https` or `tls`.
    pub tls: bool,
    /// Host without the brackets of an IPv6 address: what the resolver takes.
    pub host: String,
    /// Port; 80 or 443 where a URL that may do without has none.
    pub port: u16,
    /// Host and port as the `Host` header wants them.
    pub authority: String,
    /// Path and query, at least `/`.
    pub path: String,
}

/// What a URL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `ws` or `wss`.
    Socket,
    /// `http` or `https`.
    Http,
    /// `tcp` or `tls`: bytes in a protocol of their own, so that there is no usual port, and no
    /// path.
    Stream,
}

impl Scheme {
    /// How a URL begins, not encrypted and encrypted.
    pub(crate) fn pair(self) -> (&'static str, &'static str) {
        match self {
            Self::Socket => ("ws", "wss"),
            Self::Http => ("http", "https"),
            Self::Stream => ("tcp", "tls"),
        }
    }

    /// Whether `url` is of this scheme, good or not.
    pub(crate) fn begins(self, url: &str) -> bool {
        let (plain, secure) = self.pair();
        url.split_once("://").is_some_and(|(name, _)| name == plain || name == secure)
    }
}

impl Endpoint {
    /// Reads `url`, which must be of `scheme`, encrypted or not.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn parse(url: &str, scheme: Scheme) -> Result<Self, String> {
        let (plain, secure) = scheme.pair();
        let uri: Uri =
            url.parse().map_err(|error: hyper::http::uri::InvalidUri| error.to_string())?;
        let tls = match uri.scheme_str() {
            Some(found) if found == plain => false,
            Some(found) if found == secure => true,
            _ => return Err(format!("does not begin with {plain}:// or {secure}://")),
        };
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("a user name or password has no meaning here".to_owned());
        }
        if authority.host().is_empty() {
            return Err("names no host".to_owned());
        }
        if authority.port_u16().is_none() && authority.as_str() != authority.host() {
            return Err("the port is no number from 0 to 65535".to_owned());
        }
        if scheme == Scheme::Stream {
            if authority.port_u16().is_none() {
                return Err("names no port".to_owned());
            }
            if uri.path_and_query().is_some_and(|path| path != "/") {
                return Err("a path has no meaning here".to_owned());
            }
        }
        Ok(Self {
            tls,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// This address, with the path of `other` where it has none of its own: whoever names another
    /// host of a venue need not repeat the venue's path.
    #[must_use]
    pub fn with_path_of(mut self, other: &Self) -> Self {
        if self.path == "/" {
            self.path.clone_from(&other.path);
        }
        self
    }

    /// `path`, which begins with `/`, below this address.
    #[must_use]
    pub fn below(&self, path: &str) -> String {
        format!("{}{path}", self.path.trim_end_matches('/'))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_url() {
        let endpoint = Endpoint::parse("wss://ws.example.org/v2?a=b", Scheme::Socket).unwrap();
        assert!(endpoint.tls);
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("ws.example.org", 443));
        assert_eq!(endpoint.path, "/v2?a=b");
        let local = Endpoint::parse("ws://[::1]:9000", Scheme::Socket).unwrap();
        assert_eq!((local.tls, local.host.as_str(), local.port), (false, "::1", 9000));
        assert_eq!(local.with_path_of(&endpoint).path, "/v2?a=b");
        let rest = Endpoint::parse("https://h/api/", Scheme::Http).unwrap();
        assert_eq!(rest.below("/v3/depth?symbol=A"), "/api/v3/depth?symbol=A");
        let bare = Endpoint::parse("http://h:81", Scheme::Http).unwrap();
        assert_eq!((bare.below("/x").as_str(), bare.port), ("/x", 81));
        let stream = Endpoint::parse("tcp://itch.example.org:9100", Scheme::Stream).unwrap();
        assert_eq!((stream.tls, &*stream.host, stream.port), (false, "itch.example.org", 9100));
        assert!(Endpoint::parse("tls://h:1/", Scheme::Stream).unwrap().tls);
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (url, words) in [
            ("127.0.0.1:8080", "ws://"),
            ("https://h/ws", "wss://"),
            ("ws://h:99999/ws", "port"),
            ("ws://user@h/ws", "user name"),
            ("", ""),
        ] {
            let said = Endpoint::parse(url, Scheme::Socket).unwrap_err();
            assert!(said.contains(words), "{url}: {said}");
        }
        for (url, words) in [("tcp://h", "port"), ("tcp://h:1/x", "path"), ("ws://h:1", "tcp://")] {
            let said = Endpoint::parse(url, Scheme::Stream).unwrap_err();
            assert!(said.contains(words), "{url}: {said}");
        }
    }
}
