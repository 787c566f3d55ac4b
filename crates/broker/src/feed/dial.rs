//! Opening connections to a venue: TCP, TLS where the URL says so, and the WebSocket handshake
//! where it speaks WebSocket.
//!
//! Of the client crate's handshake only the proof of the key is used: it knows no TLS, and asks
//! for a subprotocol that no venue has.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use feeds::adapter::Transport;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderMap, UPGRADE, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto};

use super::address::Endpoint;

/// From the first packet to the end of the handshake.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// How much of a refusal is read, and shown.
const REFUSAL_MAX: usize = 16 * 1024;
const REFUSAL_SHOWN: usize = 200;
/// Who may vouch for a venue.
const TRUSTED: &str =
    "; trusted are the root certificates of the system, or those in the file SSL_CERT_FILE names";
/// Some venues refuse clients that do not name themselves.
pub(super) const AGENT: &str = concat!("tickwire/", env!("CARGO_PKG_VERSION"));

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(super) type BoxedStream = Box<dyn Stream>;

/// Opens connections; holds the certificates that TLS trusts.
#[derive(Clone)]
pub(super) struct Dialler {
    tls: Option<TlsConnector>,
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialler").field("tls", &self.tls.is_some()).finish()
    }
}

impl Dialler {
    /// One that can open all of `endpoints`. The certificates of the system are read only where
    /// one of them is encrypted.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn new<'a>(
        endpoints: impl IntoIterator<Item = &'a Endpoint>,
    ) -> anyhow::Result<Self> {
        let needed = endpoints.into_iter().any(|endpoint| endpoint.tls);
        Ok(Self { tls: needed.then(tls).transpose()? })
    }

    /// A bare connection to `endpoint`.
    pub(super) async fn connect(&self, endpoint: &Endpoint) -> Result<BoxedStream, String> {
        let unreachable = |error: std::io::Error| format!("cannot connect to {endpoint}: {error}");
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
            .await
            .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        if !endpoint.tls {
            return Ok(Box::new(stream));
        }
        let Some(connector) = &self.tls else {
            return Err(format!("{endpoint} needs TLS, which was not set up"));
        };
        let name = ServerName::try_from(endpoint.host.clone())
            .map_err(|error| format!("{endpoint}: no name for TLS: {error}"))?;
        let stream = connector.connect(name, stream).await.map_err(|error| {
            // What is wrong with a certificate is all that the system's own set decides.
            let trusted = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_)) => TRUSTED,
                _ => "",
            };
            format!("TLS with {endpoint} failed: {error}{trusted}")
        })?;
        Ok(Box::new(stream))
    }

    /// A connection to `endpoint` on which `transport` may begin, with what the venue has sent
    /// already behind its answer.
    pub(super) async fn open(
        &self,
        endpoint: &Endpoint,
        transport: Transport,
    ) -> Result<(BoxedStream, Bytes), String> {
        let opening = async {
            let stream = self.connect(endpoint).await?;
            match transport {
                Transport::WebSocket => upgrade(endpoint, stream).await,
                Transport::Stream | Transport::Files => Ok((stream, Bytes::new())),
            }
        };
        tokio::time::timeout(DEADLINE, opening).await.unwrap_or_else(|_| {
            Err(format!("{endpoint} did not answer within {} s", DEADLINE.as_secs()))
        })
    }
}

fn tls() -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        anyhow::bail!(
            "this system has no root certificates{why}, so no venue could prove who it is: \
             install ca-certificates, or name a file of them in SSL_CERT_FILE"
        );
    }
    connector(roots)
}

/// TLS that trusts what `roots` vouch for.
fn connector(roots: RootCertStore) -> anyhow::Result<TlsConnector> {
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn upgrade(endpoint: &Endpoint, stream: BoxedStream) -> Result<(BoxedStream, Bytes), String> {
    let odd = |problem: &dyn fmt::Display| format!("{endpoint} speaks no WebSocket: {problem}");
    let key = fastwebsockets::handshake::generate_key();
    let request = Request::get(&endpoint.path)
        .header(HOST, &endpoint.authority)
        .header(USER_AGENT, AGENT)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", &key)
        .body(Empty::<Bytes>::new())
        .map_err(|error| odd(&error))?;
    let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| odd(&error))?;
    // It ends by itself when the stream is handed over below, or dropped.
    tokio::spawn(async move { drop(connection.with_upgrades().await) });
    let mut response = requests.send_request(request).await.map_err(|error| odd(&error))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(endpoint, response).await);
    }
    if let Err(problem) = check_answer(response.headers(), &key) {
        return Err(odd(&problem));
    }
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(|error| odd(&error))?;
    let parts = upgraded
        .downcast::<TokioIo<BoxedStream>>()
        .map_err(|_| odd(&"the upgraded stream is of another type"))?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

fn check_answer(headers: &HeaderMap, key: &str) -> Result<(), &'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err("it upgrades to something else");
    }
    let names = |value: &str| value.split(',').any(|v| v.trim().eq_ignore_ascii_case("upgrade"));
    if !header("connection").is_some_and(names) {
        return Err("its answer lacks Connection: Upgrade");
    }
    if header("sec-websocket-accept") != Some(client::handshake::accept_key(key).as_str()) {
        return Err("its Sec-WebSocket-Accept is wrong");
    }
    if header("sec-websocket-extensions").is_some() {
        return Err("it answers with an extension that nobody asked for");
    }
    Ok(())
}

async fn refusal(endpoint: &Endpoint, response: Response<Incoming>) -> String {
    let status = response.status();
    let body = match Limited::new(response.into_body(), REFUSAL_MAX).collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(_) => String::new(),
    };
    // One line, whatever it is: an error page, most likely.
    let words: Vec<&str> = body.split_whitespace().collect();
    let body: String = words.join(" ").chars().take(REFUSAL_SHOWN).collect();
    format!("{endpoint}{} refused the WebSocket: HTTP {status} {body}", endpoint.path)
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt as _;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::super::address::Scheme;
    use super::super::socket::Socket;
    use super::*;

    #[tokio::test]
    async fn a_venue_is_reached_by_tls_if_it_can_prove_who_it_is() {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let certificate = own.cert.der().clone();
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Whoever does not trust it hangs up here.
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                socket.send("hello".into()).await.unwrap();
            }
        });
        let endpoint =
            Endpoint::parse(&format!("wss://localhost:{port}/ws"), Scheme::Socket).unwrap();
        let stranger = Dialler { tls: Some(connector(RootCertStore::empty()).unwrap()) };
        let Err(refused) = stranger.open(&endpoint, Transport::WebSocket).await else {
            panic!("it was trusted")
        };
        assert!(refused.starts_with("TLS with localhost"), "{refused}");
        assert!(refused.ends_with("SSL_CERT_FILE names"), "{refused}");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let dialler = Dialler { tls: Some(connector(roots).unwrap()) };
        let (stream, ahead) = dialler.open(&endpoint, Transport::WebSocket).await.unwrap();
        let mut socket = Socket::new(Transport::WebSocket, stream, ahead, 100);
        let message = socket.inbound.recv().await.unwrap().unwrap();
        assert_eq!(&message.bytes[..], b"hello");
    }

    #[test]
    fn an_answer_must_prove_that_it_read_the_key() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let good = [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ];
        let answer = |headers: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            check_answer(&map, key)
        };
        assert_eq!(answer(&good), Ok(()));
        for left_out in 0..3 {
            let mut bad = good.to_vec();
            bad.remove(left_out);
            assert!(answer(&bad).is_err(), "{bad:?}");
        }
        let deflate = [&good[..], &[("sec-websocket-extensions", "permessage-deflate")]].concat();
        assert!(answer(&deflate).is_err());
    }
}
