//! One side of an order book in ticks and lots, which notes what an action changed.

use market::BookSide;

/// What lies at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rung {
    /// The price.
    pub(super) ticks: i64,
    /// The size; 0 only in a list of changes, where it means that nothing is left.
    pub(super) lots: i64,
}

/// One side of a book.
#[derive(Debug)]
pub(super) struct Ladder {
    side: BookSide,
    // Best last: most changes are near the best price, so inserts move little.
    rungs: Vec<Rung>,
    // What the prices touched since the last `take_changes` held before.
    before: Vec<Rung>,
}

impl Ladder {
    /// An empty side with room for `depth` rungs and the one that pushes another out.
    pub(super) fn new(side: BookSide, depth: usize) -> Self {
        Self { side, rungs: Vec::with_capacity(depth + 1), before: Vec::new() }
    }

    /// How many prices hold something.
    pub(super) fn len(&self) -> usize {
        self.rungs.len()
    }

    /// The best price and its size.
    pub(super) fn best(&self) -> Option<Rung> {
        self.rungs.last().copied()
    }

    /// The price furthest from the other side, and its size.
    pub(super) fn worst(&self) -> Option<Rung> {
        self.rungs.first().copied()
    }

    /// The rung at `rank`, counted from the best, which is 0.
    pub(super) fn at(&self, rank: usize) -> Option<Rung> {
        self.rungs.iter().rev().nth(rank).copied()
    }

    /// All rungs, best first.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Rung> {
        self.rungs.iter().rev().copied()
    }

    /// By how many ticks `price` is better than `other`; negative when it is worse.
    pub(super) fn advantage(&self, price: i64, other: i64) -> i64 {
        match self.side {
            BookSide::Bid => price - other,
            BookSide::Ask => other - price,
        }
    }

    /// The price `distance` ticks worse than `price`.
    pub(super) fn worse_by(&self, price: i64, distance: i64) -> i64 {
        match self.side {
            BookSide::Bid => price - distance,
            BookSide::Ask => price + distance,
        }
    }

    /// Puts `lots` at `ticks` in place of what is there; 0 removes it.
    pub(super) fn set(&mut self, ticks: i64, lots: i64) {
        let found = self.find(ticks);
        let held = found.map_or(0, |at| self.rungs[at].lots);
        if self.before.iter().all(|rung| rung.ticks != ticks) {
            self.before.push(Rung { ticks, lots: held });
        }
        match found {
            Ok(at) if lots == 0 => {
                self.rungs.remove(at);
            }
            Ok(at) => self.rungs[at].lots = lots,
            Err(_) if lots == 0 => {}
            Err(at) => self.rungs.insert(at, Rung { ticks, lots }),
        }
    }

    /// True when something changed since the last [`Ladder::take_changes`].
    pub(super) fn has_changed(&self) -> bool {
        self.changes().next().is_some()
    }

    /// The rungs that differ from what they were at the last call, in the order they were first
    /// touched.
    pub(super) fn take_changes(&mut self) -> Vec<Rung> {
        let changes = self.changes().collect();
        self.before.clear();
        changes
    }

    fn changes(&self) -> impl Iterator<Item = Rung> {
        self.before.iter().filter_map(|was| {
            let lots = self.find(was.ticks).map_or(0, |at| self.rungs[at].lots);
            (lots != was.lots).then_some(Rung { ticks: was.ticks, lots })
        })
    }

    fn find(&self, ticks: i64) -> Result<usize, usize> {
        self.rungs
            .binary_search_by_key(&self.advantage(ticks, 0), |rung| self.advantage(rung.ticks, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rungs(pairs: &[(i64, i64)]) -> Vec<Rung> {
        pairs.iter().map(|&(ticks, lots)| Rung { ticks, lots }).collect()
    }

    fn ladder(side: BookSide) -> Ladder {
        let mut ladder = Ladder::new(side, 3);
        for ticks in [101, 99, 100] {
            ladder.set(ticks, ticks * 10);
        }
        ladder.take_changes();
        ladder
    }

    #[test]
    fn the_best_bid_is_the_highest_and_the_best_ask_the_lowest() {
        let (bids, asks) = (ladder(BookSide::Bid), ladder(BookSide::Ask));
        let prices = |ladder: &Ladder| ladder.iter().map(|rung| rung.ticks).collect::<Vec<_>>();
        assert_eq!((prices(&bids), prices(&asks)), (vec![101, 100, 99], vec![99, 100, 101]));
        assert_eq!((bids.best(), asks.best()), (bids.at(0), asks.at(0)));
        assert_eq!((bids.worst(), asks.worst()), (bids.at(2), asks.at(2)));
        assert_eq!((bids.worse_by(99, 2), asks.worse_by(99, 2)), (97, 101));
        assert_eq!((bids.advantage(99, 97), asks.advantage(99, 97)), (2, -2));
    }

    #[test]
    fn changes_are_the_difference_not_the_history() {
        let mut bids = ladder(BookSide::Bid);
        bids.set(101, 0);
        bids.set(98, 5);
        bids.set(98, 7);
        // Touched, but as they were in the end.
        bids.set(100, 1);
        bids.set(100, 1000);
        bids.set(97, 3);
        bids.set(97, 0);
        assert!(bids.has_changed());
        assert_eq!(bids.take_changes(), rungs(&[(101, 0), (98, 7)]));
        assert!(!bids.has_changed());
        assert_eq!(bids.take_changes(), []);
        assert_eq!(bids.iter().collect::<Vec<_>>(), rungs(&[(100, 1000), (99, 990), (98, 7)]));
    }
}
