//! How other threads reach a shard: connections, questions, and the word to end.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanout::Millis;
use mio::{Poll, Token, Waker};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use topics::Wake;

use super::{NewConnection, Report};

/// The token of the waker; connections have the others.
pub(super) const WAKE: Token = Token(usize::MAX);

/// What another thread wants of a shard. Bounded by the number of connections there may be and of
/// requests under way.
pub(super) enum Request {
    Connection(NewConnection),
    Report(oneshot::Sender<Report>),
    ShutDown { drain_until: Millis },
}

/// The sending half; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` once the shard has ended: what comes then is dropped, and whoever waits for an
    /// answer hears of it.
    requests: Mutex<Option<Vec<Request>>>,
    waker: Waker,
    /// Set while the shard waits for events; only then it has to be roused.
    asleep: AtomicBool,
}

/// The receiving half, with the event queue that rousing it stirs.
pub struct Owner {
    shared: Arc<Shared>,
    pub(super) poll: Poll,
}

impl Inbox {
    /// Both halves.
    ///
    /// # Errors
    /// When the system has no event queue to give.
    pub fn new() -> io::Result<(Self, Owner)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let shared = Arc::new(Shared {
            requests: Mutex::new(Some(Vec::new())),
            waker,
            asleep: AtomicBool::new(false),
        });
        Ok((Self { shared: Arc::clone(&shared) }, Owner { shared, poll }))
    }

    fn send(&self, request: Request) {
        if let Some(requests) = &mut *self.shared.requests.lock() {
            requests.push(request);
        }
        self.wake();
    }

    /// Hands over a connection; a shard that has ended lets it go.
    pub fn connection(&self, connection: NewConnection) {
        self.send(Request::Connection(connection));
    }

    /// Asks for the state after the turn under way; `None` when the shard has ended.
    pub async fn report(&self) -> Option<Report> {
        let (answer, report) = oneshot::channel();
        self.send(Request::Report(answer));
        report.await.ok()
    }

    /// Tells the shard to end: when every client has what it had coming, or at `drain_until` on
    /// the shard's clock.
    pub fn shut_down(&self, drain_until: Millis) {
        self.send(Request::ShutDown { drain_until });
    }
}

impl Wake for Inbox {
    fn wake(&self) {
        if self.shared.asleep.swap(false, Ordering::SeqCst)
            && let Err(error) = self.shared.waker.wake()
        {
            tracing::error!(%error, "a shard could not be roused");
        }
    }
}

impl Owner {
    pub(super) fn take(&self) -> Vec<Request> {
        self.shared.requests.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The shard is about to wait: from now on it has to be roused. False when something came in
    /// before, so that it must not wait.
    pub(super) fn fall_asleep(&self, mailbox_is_empty: impl FnOnce() -> bool) -> bool {
        self.shared.asleep.store(true, Ordering::SeqCst);
        let nothing = self.shared.requests.lock().as_ref().is_none_or(Vec::is_empty);
        nothing && mailbox_is_empty()
    }

    pub(super) fn awake(&self) {
        self.shared.asleep.store(false, Ordering::SeqCst);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Else a question that came too late would wait for ever.
        drop(self.shared.requests.lock().take());
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_to_a_shard_that_has_ended_does_not_wait() {
        let (inbox, owner) = Inbox::new().unwrap();
        let (answer, before) = oneshot::channel();
        inbox.send(Request::Report(answer));
        drop(owner);
        assert!(before.await.is_err());
        assert!(inbox.report().await.is_none());
        inbox.shut_down(0);
    }
}
