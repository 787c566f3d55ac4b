//! What the HTTP front asks of the broker behind it.

use tokio::net::TcpStream;

use wire::Codec;

/// Why the broker refuses something, in the terms of the wire protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// For programs: `bad_topic`, `bad_json`, …
    pub code: &'static str,
    /// For people: what was wrong, and what would be right.
    pub message: String,
}

/// Publishes the lines of one request; subscribers are told when it is dropped, so that a burst
/// of lines reaches each of them in one write.
pub trait LinePublisher: Send {
    /// Publishes one event, given as a JSON object. The bytes may be overwritten.
    ///
    /// # Errors
    /// A [`Rejection`] when nothing was published.
    fn publish_line(&mut self, line: &mut [u8]) -> Result<(), Rejection>;
}

/// The broker, as its HTTP front sees it.
pub trait Api: Send + Sync + 'static {
    /// True from the moment the broker shuts down: no new work is taken.
    fn draining(&self) -> bool;

    /// The topics that match `pattern`, as a JSON document.
    ///
    /// # Errors
    /// A [`Rejection`] for a pattern that is none.
    fn topics(&self, pattern: &str) -> Result<String, Rejection>;

    /// Begins to publish the lines of one request.
    fn publisher(&self) -> impl LinePublisher;

    /// All metrics in the text format that Prometheus reads (OpenMetrics 1.0).
    fn metrics(&self) -> impl Future<Output = String> + Send;

    /// Takes over a connection whose handshake is done. `early` is what the client has sent after
    /// its handshake and is to be read before the stream.
    fn accept_websocket(&self, stream: TcpStream, codec: Codec, early: Vec<u8>);
}
