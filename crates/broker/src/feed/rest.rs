//! REST requests to a venue: one GET at a time, bounded in size, time and number, and none while
//! the venue says that there were too many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fanout::Millis;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::header::{ACCEPT, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper_util::rt::TokioIo;
use market::Nanos;
use tokio::sync::Semaphore;

use super::address::Endpoint;
use super::dial::{AGENT, Dialler};
use crate::clock::{Clock, millis};

/// Requests under way at one time, over all connections of a feed.
const AT_ONCE: usize = 4;
/// From the first packet to the last byte of the answer.
const DEADLINE: Duration = Duration::from_secs(15);
/// An answer may be this long even where the venue's messages are short: snapshots are the
/// longest of all.
const ANSWER_LEAST: usize = 32 << 20;
/// Where an answer of "too many" does not say for how long.
const PAUSE: Millis = 1_000;
/// A pause longer than this is not believed.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What the venue said of when it may be asked again.
    pub(super) retry_after: Option<Nanos>,
    pub(super) body: Bytes,
}

/// The REST side of a venue, shared by all connections of a feed.
#[derive(Debug)]
pub(super) struct Rest {
    endpoint: Endpoint,
    dialler: Dialler,
    clock: Clock,
    body_max: usize,
    room: Semaphore,
    /// No request before this time.
    closed_until: AtomicU64,
}

impl Rest {
    pub(super) fn new(
        endpoint: Endpoint,
        dialler: Dialler,
        clock: Clock,
        message_bytes: usize,
    ) -> Arc<Self> {
        let body_max = message_bytes.max(ANSWER_LEAST);
        let room = Semaphore::new(AT_ONCE);
        Arc::new(Self { endpoint, dialler, clock, body_max, room, closed_until: AtomicU64::new(0) })
    }

    /// GET of `path`, once there is room for it.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, String> {
        let _room = self.room.acquire().await.map_err(|error| error.to_string())?;
        loop {
            let until = self.closed_until.load(Ordering::Relaxed);
            match until.saturating_sub(self.clock.millis()) {
                0 => break,
                wait => tokio::time::sleep(Duration::from_millis(wait)).await,
            }
        }
        let late = |_| Err(format!("no answer within {} s", DEADLINE.as_secs()));
        tokio::time::timeout(DEADLINE, self.exchange(path)).await.unwrap_or_else(late)
    }

    async fn exchange(&self, path: &str) -> Result<Answer, String> {
        let odd = |error: hyper::Error| format!("{} does not answer: {error}", self.endpoint);
        let request = Request::get(self.endpoint.below(path))
            .header(HOST, &self.endpoint.authority)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json")
            .body(Empty::<Bytes>::new())
            .map_err(|error| format!("{path} cannot be asked for: {error}"))?;
        let stream = self.dialler.connect(&self.endpoint).await?;
        let (mut requests, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(odd)?;
        let connection = tokio::spawn(async move { drop(connection.await) });
        let response = requests.send_request(request).await.map_err(odd)?;
        let status = response.status().as_u16();
        let said = said(response.headers());
        let retry_after = said.and_then(|said| Nanos::try_from(said.as_nanos()).ok());
        if let Some(pause) = pause(status, said) {
            let until = self.clock.millis() + pause;
            self.closed_until.fetch_max(until, Ordering::Relaxed);
            tracing::warn!(
                host = %self.endpoint,
                status,
                seconds = pause.div_ceil(1_000),
                "the venue wants fewer REST requests"
            );
        }
        let body = Limited::new(response.into_body(), self.body_max)
            .collect()
            .await
            .map_err(|error| format!("its answer broke off: {error}"))?;
        // The connection has served; some venues would keep it open for long.
        connection.abort();
        Ok(Answer { status, retry_after, body: body.to_bytes() })
    }
}

/// What `Retry-After` says in seconds; dates are not understood.
fn said(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = said.and_then(|text| text.trim().parse::<u64>().ok());
    seconds.map(|seconds| Duration::from_secs(seconds).min(PAUSE_MAX))
}

/// How long nobody may ask, after an answer that says "too many" and `said` for how long.
fn pause(status: u16, said: Option<Duration>) -> Option<Millis> {
    // 418 is what Binance answers to those who went on after 429.
    if !matches!(status, 418 | 429 | 503) {
        return None;
    }
    match said {
        Some(pause) => Some(millis(pause)),
        None if status == 503 => None,
        None => Some(PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_requests_close_the_door_for_as_long_as_they_say() {
        let none = HeaderMap::new();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        let pause = |status, headers: &HeaderMap| pause(status, said(headers));
        assert_eq!(pause(200, &headers), None);
        assert_eq!(pause(429, &none), Some(1_000));
        assert_eq!(pause(429, &headers), Some(7_000));
        assert_eq!(pause(418, &headers), Some(7_000));
        assert_eq!(pause(503, &none), None);
        headers.insert(RETRY_AFTER, "99999999".parse().unwrap());
        assert_eq!(pause(429, &headers), Some(millis(PAUSE_MAX)));
        headers.insert(RETRY_AFTER, "Wed, 21 Oct 2026 07:28:00 GMT".parse().unwrap());
        assert_eq!(pause(429, &headers), Some(1_000));
    }
}
