//! `POST /publish`: one event as a JSON object, or many as lines of JSON (NDJSON).

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use serde::Serialize;
use serde::de::IgnoredAny;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::api::{Api, LinePublisher, Rejection};
use super::{Limits, routes};

/// How many bad lines are reported one by one; the others are only counted.
const ERRORS_MAX: usize = 1_000;

/// After how many lines other connections get their turn.
const LINES_AT_ONCE: usize = 256;

/// What became of the lines.
#[derive(Debug, Default, Serialize)]
struct Report {
    published: usize,
    errors: Vec<LineError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_omitted: Option<usize>,
}

#[derive(Debug, Serialize)]
struct LineError {
    /// Counted from 1, blank lines included, as an editor shows it.
    line: usize,
    code: &'static str,
    message: String,
}

impl Report {
    fn add(&mut self, line: usize, outcome: Result<(), Rejection>) {
        match outcome {
            Ok(()) => self.published += 1,
            Err(Rejection { code, message }) if self.errors.len() < ERRORS_MAX => {
                self.errors.push(LineError { line, code, message });
            }
            Err(_) => *self.errors_omitted.get_or_insert(0) += 1,
        }
    }
}

/// Publishes what the body holds: the good lines, whatever the bad ones are.
pub(super) async fn answer<A: Api>(body: Incoming, api: &A, limits: Limits) -> Answer {
    if api.draining() {
        return routes::draining();
    }
    let mut body = match timeout(limits.body_timeout, read(body, limits.body_bytes)).await {
        Ok(Ok(body)) => body,
        Ok(Err(refused)) => return refused,
        Err(_) => {
            let message =
                format!("the body has not come within {} s", limits.body_timeout.as_secs_f32());
            return answer::last_error(StatusCode::REQUEST_TIMEOUT, "body_timeout", &message);
        }
    };
    if body.trim_ascii().is_empty() {
        let message = "the body is empty; send {\"topic\":\"chat.room1\",\"data\":{}}, one such \
                       object or one on each line";
        return answer::error(StatusCode::BAD_REQUEST, "empty_body", message);
    }
    let report = publish(&mut body, api).await;
    let all_good = report.errors.is_empty();
    let status = if all_good { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    answer::json_of(status, &report)
}

/// Reads the whole body, bounded by what its head tells and by what comes.
async fn read(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, Answer> {
    let too_large = || {
        let message = format!("the body may have {bytes_max} bytes; send several requests");
        answer::last_error(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &message)
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let message = format!("the body broke off: {error}");
            answer::last_error(StatusCode::BAD_REQUEST, "bad_body", &message)
        })?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > bytes_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

async fn publish<A: Api>(body: &mut [u8], api: &A) -> Report {
    let mut report = Report::default();
    let mut publisher = api.publisher();
    if is_one_object_over_several_lines(body) {
        report.add(1, publisher.publish_line(body));
        return report;
    }
    for (index, line) in body.split_mut(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            report.add(index + 1, publisher.publish_line(line));
        }
        if index % LINES_AT_ONCE == LINES_AT_ONCE - 1 {
            yield_now().await;
        }
    }
    report
}

/// Tells one object that was written for people, over several lines, from lines of JSON: only the
/// former's first line is no JSON by itself while the whole is.
fn is_one_object_over_several_lines(body: &[u8]) -> bool {
    let is_json = |text: &[u8]| serde_json::from_slice::<IgnoredAny>(text).is_ok();
    let text = body.trim_ascii_start();
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first_line.len() < text.len() && !is_json(first_line) && is_json(text)
}
