//! When each connection is next to be pinged, or given up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fanout::{Millis, SubscriberId};

/// Due times of all connections, one for each.
#[derive(Debug, Default)]
pub(super) struct Keepalive {
    due: BinaryHeap<Reverse<(Millis, SubscriberId)>>,
}

impl Keepalive {
    pub(super) fn set(&mut self, due: Millis, id: SubscriberId) {
        self.due.push(Reverse((due, id)));
    }

    pub(super) fn next_due(&self) -> Option<Millis> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes out one that is due at `now`.
    pub(super) fn take_due(&mut self, now: Millis) -> Option<SubscriberId> {
        if self.next_due()? > now {
            return None;
        }
        self.due.pop().map(|Reverse((_, id))| id)
    }
}
