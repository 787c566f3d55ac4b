//! The proof of one topic's order: every seq once, none missing, none twice.

/// How many of the last numbers are remembered one by one, to tell a late event from a double.
const WINDOW: u64 = 64;

/// Follows the numbers of one topic for one subscriber, in constant memory.
///
/// The books always balance: [`expected`](Self::expected) = [`received`](Self::received) +
/// [`merged`](Self::merged) + [`announced`](Self::announced) + [`lost`](Self::lost).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    last: u64,
    // Bit i: the number `last - i` is accounted for.
    window: u64,
    expected: u64,
    received: u64,
    merged: u64,
    announced: u64,
    lost: u64,
    doubled: u64,
    reordered: u64,
}

/// What one message meant for the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It follows what came before.
    InOrder,
    /// So many numbers before it never came and were not announced as a gap.
    Lost(u64),
    /// It was there already, wholly or in part.
    Doubled,
    /// It came after its successors.
    Reordered,
}

impl Sequence {
    /// The subscriber has everything up to `seq`; what follows begins at `seq + 1`.
    #[must_use]
    pub fn starting_after(seq: u64) -> Self {
        Self {
            last: seq,
            window: u64::MAX,
            expected: 0,
            received: 0,
            merged: 0,
            announced: 0,
            lost: 0,
            doubled: 0,
            reordered: 0,
        }
    }

    /// An event that stands for the numbers `from..=seq`.
    pub fn event(&mut self, from: u64, seq: u64) -> Step {
        if from == self.last + 1 && seq == from {
            // What nearly every call is.
            self.advance(1);
            self.received += 1;
            return Step::InOrder;
        }
        if seq <= self.last {
            return self.late(from, seq);
        }
        let from = from.min(seq);
        let before = self.last;
        let step = self.miss(from);
        let fresh = seq - self.last;
        self.advance(fresh);
        self.received += 1;
        self.merged += fresh - 1;
        if from <= before {
            self.doubled += 1;
            return Step::Doubled;
        }
        step
    }

    /// The server announced that `from..=to` are lost for good. `to == from - 1` says: nothing.
    pub fn gap(&mut self, from: u64, to: u64) -> Step {
        if to.saturating_add(1) == from && from <= self.last + 1 {
            return Step::InOrder;
        }
        if to <= self.last {
            self.doubled += 1;
            return Step::Doubled;
        }
        let step = self.miss(from.min(to));
        let width = to - self.last;
        self.advance(width);
        self.announced += width;
        step
    }

    /// A state that contains everything up to `seq`; the events since the last one are in it.
    pub fn snapshot(&mut self, seq: u64) -> Step {
        if seq < self.last {
            self.reordered += 1;
            return Step::Reordered;
        }
        let width = seq - self.last;
        self.advance(width);
        self.merged += width;
        Step::InOrder
    }

    /// A new epoch began, of which `1..=to` are lost for good. The counts go on.
    pub fn restart(&mut self, to: u64) {
        self.last = 0;
        self.window = u64::MAX;
        self.advance(to);
        self.announced += to;
    }

    /// At the end: the topic is known to have reached `seq`, so what is missing up to there is
    /// lost. Returns how many that are.
    pub fn finish(&mut self, seq: u64) -> u64 {
        let missing = seq.saturating_sub(self.last);
        if missing > 0 {
            self.miss(seq + 1);
        }
        missing
    }

    /// Numbers below `from` that never came.
    fn miss(&mut self, from: u64) -> Step {
        let missing = from.saturating_sub(self.last + 1);
        if missing == 0 {
            return Step::InOrder;
        }
        self.last += missing;
        self.window = if missing >= WINDOW { 0 } else { self.window << missing };
        self.expected += missing;
        self.lost += missing;
        Step::Lost(missing)
    }

    fn late(&mut self, from: u64, seq: u64) -> Step {
        let age = self.last - seq;
        let missing = age < WINDOW && self.window >> age & 1 == 0;
        if from == seq && missing {
            self.window |= 1 << age;
            self.lost -= 1;
            self.received += 1;
            self.reordered += 1;
            return Step::Reordered;
        }
        self.doubled += 1;
        Step::Doubled
    }

    fn advance(&mut self, width: u64) {
        self.last += width;
        self.expected += width;
        self.window =
            if width >= WINDOW { u64::MAX } else { self.window << width | ((1 << width) - 1) };
    }

    /// The highest number accounted for.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Numbers that were due since the start.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// Events that brought something new.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Numbers that came inside a later event or a snapshot.
    #[must_use]
    pub fn merged(&self) -> u64 {
        self.merged
    }

    /// Numbers that the server announced as lost.
    #[must_use]
    pub fn announced(&self) -> u64 {
        self.announced
    }

    /// Numbers that never came, silently.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Messages that repeated what was there.
    #[must_use]
    pub fn doubled(&self) -> u64 {
        self.doubled
    }

    /// Messages that came after their successors.
    #[must_use]
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Whether the counts add up; anything else is a fault of this type, not of the server.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.expected == self.received + self.merged + self.announced + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn in_order_is_in_order() {
        let mut sequence = Sequence::starting_after(10);
        assert_eq!(sequence.event(11, 11), Step::InOrder);
        assert_eq!(sequence.event(12, 15), Step::InOrder);
        assert_eq!(sequence.gap(16, 20), Step::InOrder);
        assert_eq!(sequence.snapshot(25), Step::InOrder);
        assert_eq!(sequence.event(26, 26), Step::InOrder);
        assert_eq!((sequence.last(), sequence.expected()), (26, 16));
        assert_eq!((sequence.received(), sequence.merged(), sequence.announced()), (3, 8, 5));
        assert!(sequence.balances());
    }

    #[test]
    fn a_hole_is_a_loss_until_it_is_filled_late() {
        let mut sequence = Sequence::starting_after(0);
        assert_eq!(sequence.event(1, 1), Step::InOrder);
        assert_eq!(sequence.event(4, 4), Step::Lost(2));
        assert_eq!(sequence.event(2, 2), Step::Reordered);
        assert_eq!(sequence.event(2, 2), Step::Doubled);
        assert_eq!((sequence.lost(), sequence.reordered(), sequence.doubled()), (1, 1, 1));
        assert!(sequence.balances());
    }

    #[test]
    fn what_repeats_is_doubled() {
        let mut sequence = Sequence::starting_after(5);
        assert_eq!(sequence.event(5, 5), Step::Doubled);
        assert_eq!(sequence.event(4, 8), Step::Doubled);
        assert_eq!(sequence.last(), 8);
        assert_eq!(sequence.gap(7, 8), Step::Doubled);
        assert_eq!(sequence.snapshot(7), Step::Reordered);
        assert!(sequence.balances());
    }

    #[test]
    fn a_restart_and_a_missing_end() {
        let mut sequence = Sequence::starting_after(500);
        sequence.event(501, 501);
        sequence.restart(3);
        assert_eq!(sequence.event(4, 4), Step::InOrder);
        assert_eq!(sequence.finish(10), 6);
        assert_eq!((sequence.lost(), sequence.announced(), sequence.expected()), (6, 3, 11));
        assert!(sequence.balances());
    }

    proptest! {
        #[test]
        fn the_books_balance_whatever_comes(
            steps in prop::collection::vec((0u8..4, 1u64..200, 0u64..80), 0..200),
        ) {
            let mut sequence = Sequence::starting_after(50);
            for (kind, from, width) in steps {
                match kind {
                    0 => { sequence.event(from, from + width); }
                    1 => { sequence.event(from, from); }
                    2 => { sequence.gap(from, from + width); }
                    _ => { sequence.snapshot(from); }
                }
                prop_assert!(sequence.balances(), "{:?}", sequence);
            }
        }

        #[test]
        fn a_shuffled_window_loses_nothing(mut order in Just((1u64..=60).collect::<Vec<_>>()).prop_shuffle()) {
            let mut sequence = Sequence::starting_after(0);
            for seq in order.drain(..) {
                sequence.event(seq, seq);
            }
            prop_assert_eq!((sequence.lost(), sequence.doubled(), sequence.received()), (0, 0, 60));
        }
    }
}
