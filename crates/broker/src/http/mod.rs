//! The HTTP front: one port for the WebSocket handshake, publishing, topics, metrics and the page.
//!
//! hyper serves each connection until it either ends or becomes a WebSocket; then the bare socket
//! is handed to the [`Api`], and nothing of hyper stays. What a client can keep waiting is bounded:
//! the head of a request, its body, and an answer that is not taken.

mod answer;
mod api;
#[cfg(test)]
mod limit_tests;
mod publish;
mod routes;
mod stream;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fastwebsockets::upgrade::UpgradeFut;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::TcpStream;

use wire::Codec;

pub use api::{Api, LinePublisher, Rejection};
use stream::GuardedStream;

/// hyper refuses to work with a smaller read buffer.
const READ_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// What one HTTP connection may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's first line and headers together; more are answered with 431.
    pub header_bytes: usize,
    /// Bytes of a request's body; more are answered with 413.
    pub body_bytes: usize,
    /// How long the head of a request may take to come, counted from the connection's beginning or
    /// from the answer before; then the connection is closed.
    pub header_timeout: Duration,
    /// How long a request's body may take to come (408), and how long an answer may wait for a
    /// client that takes nothing of it; then the connection is closed.
    pub body_timeout: Duration,
}

impl Default for Limits {
    /// 16 KiB of head within 5 s, 8 MiB of body within 30 s.
    fn default() -> Self {
        Self {
            header_bytes: 16 * 1024,
            body_bytes: 8 * 1024 * 1024,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// A handshake that was answered; the socket comes once the answer is sent.
type Handshake = (UpgradeFut, Codec);

/// Serves one accepted connection to its end, or until it has become a WebSocket and was handed to
/// [`Api::accept_websocket`].
///
/// When `shutdown` completes, the request under way is still answered and the connection closed.
pub async fn serve_connection<A: Api>(
    stream: TcpStream,
    api: Arc<A>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    // Filled by the request that is a handshake, which is the last one of its connection.
    let handshake = Arc::new(Mutex::new(None));
    let stream = GuardedStream::new(stream, limits.body_timeout);
    serve_requests(stream, Arc::clone(&api), limits, shutdown, &handshake).await;
    let accepted = handshake.lock().take();
    if let Some((upgrade, codec)) = accepted {
        hand_over(upgrade, codec, &*api).await;
    }
}

async fn serve_requests<A: Api>(
    stream: GuardedStream,
    api: Arc<A>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
    handshake: &Arc<Mutex<Option<Handshake>>>,
) {
    let service = service_fn(|request| {
        let (api, handshake) = (Arc::clone(&api), Arc::clone(handshake));
        async move { Ok::<_, Infallible>(routes::answer(request, &*api, limits, &handshake).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(READ_BUFFER_BYTES_MIN))
        // A client that has said all it has to say still gets its answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = shutdown => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Takes the socket back out of hyper, with the bytes that were read beyond the handshake.
async fn hand_over<A: Api>(upgrade: UpgradeFut, codec: Codec, api: &A) {
    let upgraded = match upgrade.await {
        // Nothing was read through this WebSocket, so that its own read-ahead is empty.
        Ok(websocket) => websocket.into_inner().into_inner(),
        Err(error) => {
            tracing::debug!(%error, "a client left during the WebSocket handshake");
            return;
        }
    };
    match upgraded.downcast::<TokioIo<GuardedStream>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_inner();
            // Copied, since what hyper gives is a part of its read buffer and would keep it.
            api.accept_websocket(stream, codec, parts.read_buf.to_vec());
        }
        Err(_) => tracing::error!("hyper gave back another kind of stream than it was given"),
    }
}
