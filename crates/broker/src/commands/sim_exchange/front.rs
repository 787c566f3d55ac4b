//! The listener: HTTP requests answered by the exchange, and those that become WebSockets.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use exchange::{Exchange, Fault, Reply};
use fastwebsockets::upgrade::UpgradeFut;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use market::BookSide;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::server::Floor;
use super::socket;
use crate::ws;

/// Connections at a time; more wait.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take over a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Accepts connections until it is told to stop.
pub(super) async fn listen(
    listener: TcpListener,
    floor: Arc<Floor>,
    mut stop: watch::Receiver<bool>,
) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            // It changes once.
            _ = stop.changed() => return,
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept(), if tasks.len() < CONNECTIONS_MAX => {
                match accepted {
                    Ok((stream, _)) => {
                        tasks.spawn(serve(stream, Arc::clone(&floor)));
                    }
                    // Out of file descriptors, most likely: some will be closed.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        }
    }
}

/// A handshake that was answered, and what it asked for.
type Handshake = Arc<Mutex<Option<(UpgradeFut, String)>>>;

/// Serves one connection to its end.
async fn serve(stream: TcpStream, floor: Arc<Floor>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a socket keeps its delay");
    }
    let handshake = Handshake::default();
    let service = service_fn(|request| {
        let (floor, handshake) = (Arc::clone(&floor), Arc::clone(&handshake));
        async move { Ok::<_, Infallible>(answer(request, &floor, &handshake).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
    let accepted = handshake.lock().take();
    let Some((upgrade, path)) = accepted else { return };
    let upgraded = match upgrade.await {
        // Nothing was read through this WebSocket, so that its own read-ahead is empty.
        Ok(websocket) => websocket.into_inner().into_inner(),
        Err(error) => return tracing::debug!(%error, "a client left during the handshake"),
    };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => socket::serve(parts.io.into_inner(), &parts.read_buf, &floor, &path).await,
        Err(_) => tracing::error!("hyper gave back another kind of stream than it was given"),
    }
}

async fn answer(
    mut request: Request<Incoming>,
    floor: &Floor,
    handshake: &Handshake,
) -> Response<Full<Bytes>> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    if fastwebsockets::upgrade::is_upgrade_request(&request) {
        return match ws::accept(&mut request) {
            Ok(accepted) => {
                *handshake.lock() = Some((accepted.upgrade, target));
                accepted.response.map(|_| Full::default())
            }
            Err(refusal) => {
                let mut response = Response::new(Full::from(refusal.message));
                *response.status_mut() = refusal.status;
                response
            }
        };
    }
    let reply = match target.split_once('?').unwrap_or((&target, "")) {
        ("/sim/faults", _) => (200, floor.look(faults)),
        ("/sim/book", query) => match floor.look(|exchange| book(exchange, query)) {
            Some(book) => (200, book),
            None => (404, r#"{"error":"no such symbol"}"#.to_owned()),
        },
        _ => {
            let Reply { status, body, retry_after, delay } = floor.request(&target);
            if delay > 0 {
                tokio::time::sleep(Duration::from_nanos(delay)).await;
            }
            let mut response = json(status, body);
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            return response;
        }
    };
    json(reply.0, reply.1)
}

fn json(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What struck so far.
fn faults(exchange: &Exchange) -> String {
    let counts = exchange.faults();
    let counted: serde_json::Map<String, serde_json::Value> = Fault::ALL
        .into_iter()
        .filter(|fault| fault.applies_to(exchange.venue()))
        .map(|fault| (fault.name().to_owned(), counts.of(fault).into()))
        .collect();
    serde_json::json!({
        "venue": exchange.venue().name(),
        "messages": exchange.messages(),
        "connections": exchange.connections(),
        "faults": counted,
    })
    .to_string()
}

/// The book of the symbol in `query` as it was last told.
fn book(exchange: &Exchange, query: &str) -> Option<String> {
    let symbol = query.split('&').find_map(|part| part.strip_prefix("symbol="))?;
    let symbol = percent_encoding::percent_decode_str(symbol).decode_utf8().ok()?;
    let book = exchange.book(&symbol)?;
    let side = |side| -> Vec<[String; 2]> {
        book.levels(side).map(|level| [level.price.to_string(), level.size.to_string()]).collect()
    };
    let told = serde_json::json!({
        "symbol": symbol,
        "number": exchange.number(&symbol),
        "bids": side(BookSide::Bid),
        "asks": side(BookSide::Ask),
    });
    Some(told.to_string())
}
