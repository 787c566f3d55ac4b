//! Which path answers what.

use std::time::Duration;

use fastwebsockets::upgrade::is_upgrade_request;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::api::Api;
use super::{Handshake, Limits, publish};
use crate::ws;

const PAGE: &str = include_str!("page.html");

/// What there is, for those who ask for something else.
const PATHS: &str = "GET / (live page), GET /ws (WebSocket), GET /topics?pattern=, POST /publish, \
                     GET /metrics, GET /healthz";

/// How long the parts of the broker may take to report their metrics.
const METRICS_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers one request. A WebSocket handshake that succeeds is left in `handshake`.
pub(super) async fn answer<A: Api>(
    mut request: Request<Incoming>,
    api: &A,
    limits: Limits,
    handshake: &Mutex<Option<Handshake>>,
) -> Answer {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/ws" => start_websocket(&mut request, api, handshake),
        // Many tools are given no more than host and port.
        "/" if is_upgrade_request(&request) => start_websocket(&mut request, api, handshake),
        "/publish" if request.method() == Method::POST => {
            publish::answer(request.into_body(), api, limits).await
        }
        "/publish" => wrong_method("POST"),
        "/" | "/healthz" | "/topics" | "/metrics" if !reads => wrong_method("GET, HEAD"),
        "/" => answer::page(PAGE),
        "/healthz" => health(api),
        "/topics" => topics(request.uri().query().unwrap_or_default(), api),
        "/metrics" => metrics(api).await,
        path => {
            let path = path.chars().take(64).collect::<String>();
            let message = format!("there is nothing at {path}; there are: {PATHS}");
            answer::error(StatusCode::NOT_FOUND, "not_found", &message)
        }
    }
}

fn wrong_method(allowed: &'static str) -> Answer {
    let message = format!("this path takes {allowed}");
    let mut answer = answer::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &message);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// The answer to whatever would be new work while the broker shuts down.
pub(super) fn draining() -> Answer {
    let message = "the broker is shutting down; try again in a moment";
    answer::last_error(StatusCode::SERVICE_UNAVAILABLE, "draining", message)
}

fn start_websocket<A: Api>(
    request: &mut Request<Incoming>,
    api: &A,
    handshake: &Mutex<Option<Handshake>>,
) -> Answer {
    match ws::accept(request) {
        Ok(_) if api.draining() => draining(),
        Ok(accepted) => {
            *handshake.lock() = Some((accepted.upgrade, accepted.codec));
            accepted.response.map(|_| Full::default())
        }
        Err(refusal) => answer::refused(&refusal),
    }
}

fn health<A: Api>(api: &A) -> Answer {
    #[derive(serde::Serialize)]
    struct Health {
        status: &'static str,
        version: &'static str,
    }
    let (code, status) = if api.draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "ok")
    };
    answer::json_of(code, &Health { status, version: env!("CARGO_PKG_VERSION") })
}

/// The topics under the query's `pattern`; all of them when it has none.
fn topics<A: Api>(query: &str, api: &A) -> Answer {
    // Not decoded as a form: a plus sign is itself, because topics may have one, but no spaces.
    let pattern = query.split('&').find_map(|pair| pair.strip_prefix("pattern="));
    let Ok(pattern) = percent_decode_str(pattern.unwrap_or(">")).decode_utf8() else {
        let message = "the pattern is not UTF-8 after percent-decoding";
        return answer::error(StatusCode::BAD_REQUEST, "bad_topic", message);
    };
    match api.topics(&pattern) {
        Ok(topics) => answer::json(StatusCode::OK, topics),
        Err(rejection) => answer::rejected(&rejection),
    }
}

async fn metrics<A: Api>(api: &A) -> Answer {
    match timeout(METRICS_TIMEOUT, api.metrics()).await {
        Ok(metrics) => answer::metrics(metrics),
        Err(_) => {
            let message = "the broker is too busy to report its metrics";
            answer::error(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
        }
    }
}
