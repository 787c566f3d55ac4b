//! The commands that talk to a running broker, `tickwire sub`, `pub`, `topics`, `feed`, `record`
//! and `replay`; `inspect`, which reads files; and `sim-exchange`, which plays a venue.
//!
//! Each is a clap `Args` struct and a `run` function; they know the broker only through its
//! protocol, by way of the `client` crate, and could as well live in a binary of their own.

pub mod feed;
pub mod inspect;
mod progress;
pub mod publish;
pub mod record;
mod render;
pub mod replay;
pub mod sim_exchange;
pub mod subscribe;
#[cfg(test)]
mod tests;
pub mod topics;

use std::io;

/// Where a broker listens unless told otherwise.
const DEFAULT_SOCKET_URL: &str = "ws://127.0.0.1:8080/ws";
/// The same for plain HTTP.
const DEFAULT_HTTP_URL: &str = "http://127.0.0.1:8080";

/// `text` for a terminal: control characters, which could steer it, are replaced. Topics and data
/// come from whoever may publish.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A reader that has seen enough (`| head`) is not a failure: `Ok(false)` says to stop.
fn still_read(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends with Ctrl-C, or where there is such a thing with SIGTERM.
async fn interrupted() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
