//! The books of a run: for every subscriber and topic what was due, and what became of it.

use client::Sequence;
use serde::Serialize;

/// Sums over subscribers and topics. They balance:
/// due = expected = received + merged + announced + lost + never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Pairs of a subscriber and a topic.
    pub subscriptions: u64,
    /// Events that were due by the publishers' count.
    pub due: u64,
    /// Events that were due by the numbers seen.
    pub expected: u64,
    /// Events that came.
    pub received: u64,
    /// Events that came inside a later one.
    pub merged: u64,
    /// Events that the server announced as lost (gaps).
    pub announced: u64,
    /// Events that never came, silently.
    pub lost: u64,
    /// Events due to subscribers that never read: neither lost nor received, they wait.
    pub never_read: u64,
    /// Of those lost, the ones missing at the very end: gone, or still on their way when the run
    /// stopped to wait for them.
    pub missing_at_end: u64,
    /// Events that came again.
    pub doubled: u64,
    /// Events that came after their successors.
    pub reordered: u64,
    /// Messages about topics that were not asked for.
    pub unasked: u64,
}

impl Totals {
    /// Closes the books of one subscription, begun after event `start` of a topic whose last
    /// event is `last`.
    pub fn close(&mut self, mut sequence: Sequence, start: u64, last: u64) {
        self.missing_at_end += sequence.finish(last);
        self.add_sequence(&sequence, start, last);
    }

    /// The same of one that never reads: what it has not got waits for it.
    pub fn close_unread(&mut self, sequence: &Sequence, start: u64, last: u64) {
        let waiting = last.saturating_sub(sequence.last());
        self.expected += waiting;
        self.never_read += waiting;
        self.add_sequence(sequence, start, last);
    }

    fn add_sequence(&mut self, sequence: &Sequence, start: u64, last: u64) {
        self.subscriptions += 1;
        self.due += last - start;
        self.expected += sequence.expected();
        self.received += sequence.received();
        self.merged += sequence.merged();
        self.announced += sequence.announced();
        self.lost += sequence.lost();
        self.doubled += sequence.doubled();
        self.reordered += sequence.reordered();
    }

    /// Adds another thread's books.
    pub fn add(&mut self, other: &Self) {
        self.subscriptions += other.subscriptions;
        self.due += other.due;
        self.expected += other.expected;
        self.received += other.received;
        self.merged += other.merged;
        self.announced += other.announced;
        self.lost += other.lost;
        self.never_read += other.never_read;
        self.missing_at_end += other.missing_at_end;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.unasked += other.unasked;
    }

    /// Whether the counts add up.
    #[must_use]
    pub fn balance(&self) -> bool {
        let parts = self.received + self.merged + self.announced + self.lost + self.never_read;
        self.expected == parts && self.expected == self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_at_the_end_is_lost() {
        let mut sequence = Sequence::starting_after(0);
        sequence.event(1, 1);
        sequence.event(2, 5);
        sequence.gap(6, 7);
        let mut totals = Totals::default();
        totals.close(sequence, 0, 10);
        let expected = Totals {
            subscriptions: 1,
            due: 10,
            expected: 10,
            received: 2,
            merged: 3,
            announced: 2,
            lost: 3,
            missing_at_end: 3,
            ..Totals::default()
        };
        assert_eq!(totals, expected);
        assert!(totals.balance());
        totals.due += 1;
        assert!(!totals.balance());
    }
}
