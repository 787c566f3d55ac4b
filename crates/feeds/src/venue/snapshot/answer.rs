//! What a venue answers to requests for snapshots, and what comes of that.

use market::Nanos;

use super::Fetches;
use crate::adapter::json::Result;
use crate::adapter::{Desk, Output, SymbolId};

/// Characters of a refusal that are shown.
const SHOWN: usize = 200;

/// An answer to the request for a symbol's snapshot.
#[derive(Debug, Clone, Copy)]
pub(in crate::venue) struct Answer<'a> {
    pub(in crate::venue) id: SymbolId,
    /// HTTP status.
    pub(in crate::venue) status: u16,
    /// For how long the venue wants to be left alone, if it says so.
    pub(in crate::venue) retry_after: Option<Nanos>,
    pub(in crate::venue) body: &'a [u8],
}

/// What an answer is.
#[derive(Debug)]
pub(in crate::venue) enum Outcome<T> {
    /// What was asked for.
    Snapshot(T),
    /// The venue does not have this book, or not any more, which was told.
    NoBook,
    /// None that helps: the snapshot is asked for again.
    Later,
}

impl Fetches {
    /// Takes an answer. `first_wait` says how long nothing is asked of a venue that answers with a
    /// status, where it is one that refuses everybody; it grows as [`Fetches::hold`] says.
    pub(in crate::venue) fn take<T>(
        &mut self,
        answer: Answer<'_>,
        first_wait: impl Fn(u16) -> Option<Nanos>,
        read: impl Fn(&[u8], Nanos) -> Result<T>,
        desk: &mut Desk,
        now: Nanos,
        out: &mut Output,
    ) -> Outcome<T> {
        let Answer { id, status, retry_after, body } = answer;
        match status {
            200 => {
                self.welcome();
                match read(body, now) {
                    Ok(snapshot) => return Outcome::Snapshot(snapshot),
                    Err(error) => desk.malformed(error, body, now, out),
                }
                self.failed(id, "its answer is unreadable", desk, now, out);
                Outcome::Later
            }
            400 | 404 => {
                let says: String = String::from_utf8_lossy(body).chars().take(SHOWN).collect();
                desk.give_up(id, &format!("no snapshot: HTTP {status} {says}"), now, out);
                Outcome::NoBook
            }
            // An error of the server's holds up nothing but this book.
            _ => {
                if let Some(wait) = retry_after.or(first_wait(status)) {
                    self.hold(wait, now);
                }
                let why = format_args!("the venue answered HTTP {status}");
                self.failed(id, why, desk, now, out);
                Outcome::Later
            }
        }
    }
}
