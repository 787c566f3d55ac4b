//! What became of every event that was due to a subscription.

use std::ops::AddAssign;

/// Counts of events, each counted once for every subscription it was due to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Due: published while subscribed, or asked for from the history.
    pub published: u64,
    /// Handed to the socket, alone or as the last of a merged run.
    pub delivered: u64,
    /// Covered by a merged event or by a snapshot in its place.
    pub merged: u64,
    /// Never to come: announced with a gap, or the subscription ended first.
    pub dropped: u64,
    /// Still to come; the subscriber's cursor stands before it.
    pub pending: u64,
}

impl Ledger {
    /// Whether every event due is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.published == self.delivered + self.merged + self.dropped + self.pending
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.published += other.published;
        self.delivered += other.delivered;
        self.merged += other.merged;
        self.dropped += other.dropped;
        self.pending += other.pending;
    }
}
