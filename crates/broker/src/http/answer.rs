//! Answers of the HTTP front: JSON, text, the page, and errors in one shape.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::api::Rejection;
use crate::ws::Refusal;

/// Every answer has its whole body in memory.
pub(super) type Answer = Response<Full<Bytes>>;

/// The page is one file: its script and style are inline, and it talks to its own origin only.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
    style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// An answer with a body of the given type.
fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Whatever is answered here is out of date the moment it is sent.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A JSON document that is a text already.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, "application/json", body)
}

/// A value as JSON.
pub(super) fn json_of(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => json(status, body),
        // The values in here are texts and numbers, which can always be written.
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
    }
}

/// Metrics in the text format of Prometheus.
pub(super) fn metrics(body: String) -> Answer {
    answer(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", body)
}

/// The page.
pub(super) fn page(body: &'static str) -> Answer {
    let mut page = answer(StatusCode::OK, "text/html; charset=utf-8", body);
    let headers = page.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    page
}

/// An error in the shape of all errors: `{"error":{"code":"…","message":"…"}}`.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        code: &'a str,
        message: &'a str,
    }
    json_of(status, &Body { error: Error { code, message } })
}

/// An error after which the connection is closed, because the rest of the request is not read.
pub(super) fn last_error(status: StatusCode, code: &str, message: &str) -> Answer {
    let mut answer = error(status, code, message);
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The broker's own reason, as 400.
pub(super) fn rejected(rejection: &Rejection) -> Answer {
    error(StatusCode::BAD_REQUEST, rejection.code, &rejection.message)
}

/// A WebSocket handshake that failed.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    let mut answer = error(refusal.status, refusal.code, &refusal.message);
    for (name, value) in refusal.headers() {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
