//! Which server it was, and which version of it: asked after the run, so that it costs none.

use crate::ask::{self, Answer};
use crate::plan::Target;

/// What the server's HTTP side says of itself, if it says anything.
#[must_use]
pub fn version(target: &Target) -> Option<String> {
    said(&ask::get(target, "/healthz")?)
}

/// The `server` header, and the `version` of a JSON body.
fn said(answer: &Answer) -> Option<String> {
    let name = answer.header("server").map(str::to_owned);
    let body: Option<serde_json::Value> = serde_json::from_str(&answer.body).ok();
    let version = body.and_then(|body| Some(body.get("version")?.as_str()?.to_owned()));
    match (name, version) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (None, Some(version)) => Some(format!("version {version}")),
        (name, None) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_understood() {
        let said = |status, head: &str, body: &str| {
            said(&Answer { status, head: head.into(), body: body.into() })
        };
        let ours = said(200, "HTTP/1.1 200 OK", "{\"status\":\"ok\",\"version\":\"0.1\"}");
        assert_eq!(ours.as_deref(), Some("version 0.1"));
        let other = said(404, "HTTP/1.1 404 Not Found\r\nServer: nginx/1.22.1", "<html>");
        assert_eq!(other.as_deref(), Some("nginx/1.22.1"));
        assert_eq!(said(404, "HTTP/1.1 404 No", "{}"), None);
    }
}
