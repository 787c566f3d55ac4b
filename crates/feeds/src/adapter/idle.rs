//! Pings while a venue is silent: so that it keeps the connection, and we know that it is there.

use market::Nanos;

use super::Output;

/// When to ping on one connection.
#[derive(Debug)]
pub struct Idle {
    after: Nanos,
    connected: bool,
    /// Of the last message or ping.
    last: Nanos,
}

impl Idle {
    /// A ping is due when nothing came, nor was pinged, for `after`.
    #[must_use]
    pub fn new(after: Nanos) -> Self {
        Self { after, connected: false, last: 0 }
    }

    /// The connection is open.
    pub fn connected(&mut self, now: Nanos, out: &mut Output) {
        self.connected = true;
        self.last = now;
        out.wake(now.saturating_add(self.after));
    }

    /// A message came.
    pub fn heard(&mut self, now: Nanos) {
        self.last = now;
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// Whether the connection is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether to ping now. Asks to be woken for the next time.
    pub fn is_due(&mut self, now: Nanos, out: &mut Output) -> bool {
        if !self.connected {
            return false;
        }
        let due = now.saturating_sub(self.last) >= self.after;
        if due {
            self.last = now;
        }
        out.wake(self.last.saturating_add(self.after));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_is_due_after_silence_only_and_only_while_connected() {
        let (mut idle, mut out) = (Idle::new(10), Output::default());
        assert!(!idle.is_due(100, &mut out));
        assert_eq!(out.wake_at, None);
        idle.connected(100, &mut out);
        assert_eq!(out.wake_at.take(), Some(110));
        idle.heard(105);
        assert!(!idle.is_due(110, &mut out));
        assert_eq!(out.wake_at.take(), Some(115));
        assert!(idle.is_due(115, &mut out));
        assert_eq!(out.wake_at.take(), Some(125));
        // A clock that goes back breaks nothing.
        assert!(!idle.is_due(90, &mut out));
        idle.disconnected();
        assert!(!idle.is_due(900, &mut out));
    }
}
