//! What a book was: its last states by number, and what leads from one book to another.

use std::cmp::Ordering;
use std::collections::VecDeque;

use market::{Book, BookDiff, BookSide, Decimal, Level, Nanos};

/// No book of the exchange reaches this bound; it only has to be one.
pub(crate) const LEVELS_MAX: usize = 100_000;

/// A book at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) book: Book,
    /// The venue's number of it.
    pub(crate) number: u64,
    /// The venue's time of it.
    pub(crate) at: Nanos,
}

#[derive(Debug)]
struct Step {
    number_before: u64,
    at_before: Nanos,
    /// Leads back.
    undo: BookDiff,
}

/// The newest state of a book, and what it was before.
#[derive(Debug)]
pub(crate) struct History {
    newest: Moment,
    steps: VecDeque<Step>,
    /// Most states that are kept.
    steps_max: usize,
}

impl History {
    /// Begins with a book.
    pub(crate) fn new(newest: Moment, steps_max: usize) -> Self {
        Self { newest, steps: VecDeque::new(), steps_max }
    }

    /// Notes the next state; forgets the oldest when there are too many.
    pub(crate) fn push(&mut self, next: Moment) {
        let changes = changes(&next.book, &self.newest.book, usize::MAX, Removal::Told);
        let before = std::mem::replace(&mut self.newest, next);
        if self.steps.len() >= self.steps_max {
            self.steps.pop_front();
        }
        self.steps.push_back(Step {
            number_before: before.number,
            at_before: before.at,
            undo: BookDiff { bids: changes.bids, asks: changes.asks, ..BookDiff::default() },
        });
    }

    /// Shows states from the newest to the oldest until `found` says so; gives that one.
    pub(crate) fn find(&self, mut found: impl FnMut(&Moment) -> bool) -> Option<Moment> {
        let mut moment = self.newest.clone();
        for step in self.steps.iter().rev() {
            if found(&moment) {
                return Some(moment);
            }
            let applied = moment.book.apply(&mut step.undo.clone(), LEVELS_MAX);
            debug_assert!(applied.is_ok(), "what was done can be undone");
            (moment.number, moment.at) = (step.number_before, step.at_before);
        }
        found(&moment).then_some(moment)
    }

    /// The state `steps` before that of `number`, or the oldest that is kept; `None` if there is
    /// none before `number`.
    pub(crate) fn before(&self, number: u64, steps: u64) -> Option<Moment> {
        let older = self.steps.iter().filter(|step| step.number_before < number).count() as u64;
        let mut left = steps.min(older);
        if left == 0 {
            return None;
        }
        self.find(|moment| {
            left -= u64::from(moment.number < number);
            left == 0
        })
    }
}

/// What is said of a level that is among the best no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// That it is gone, always.
    Told,
    /// That it is gone only if it is; nothing where better ones pushed it out.
    UnlessPushedOut,
}

/// Levels that changed, best first; size zero for those that went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }
}

impl Moment {
    /// The `depth` best levels of each side.
    pub(crate) fn best(&self, depth: usize) -> Changes {
        let side = |side| self.book.levels(side).take(depth).copied().collect();
        Changes { bids: side(BookSide::Bid), asks: side(BookSide::Ask) }
    }
}

/// What turns the `depth` best levels of `old` into those of `new`.
pub(crate) fn changes(old: &Book, new: &Book, depth: usize, removal: Removal) -> Changes {
    let [bids, asks] = [BookSide::Bid, BookSide::Ask].map(|side| {
        let mut changed = Vec::new();
        let mut before = old.levels(side).take(depth).peekable();
        let mut after = new.levels(side).take(depth).peekable();
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(was), Some(is)) => match side {
                    BookSide::Bid => is.price.cmp(&was.price),
                    BookSide::Ask => was.price.cmp(&is.price),
                },
            };
            let was = if order.is_le() { before.next() } else { None };
            let is = if order.is_ge() { after.next() } else { None };
            match (was, is) {
                (Some(was), None) => {
                    let pushed_out = removal == Removal::UnlessPushedOut
                        && new.levels(side).any(|held| held.price == was.price);
                    if !pushed_out {
                        changed.push(Level { price: was.price, size: Decimal::ZERO });
                    }
                }
                (Some(was), Some(is)) if was.size == is.size => {}
                (_, Some(is)) => changed.push(*is),
                (None, None) => break,
            }
        }
        changed
    });
    Changes { bids, asks }
}

/// Whether two books have the same `depth` best levels, by value.
pub(crate) fn same_best(left: &Book, right: &Book, depth: usize) -> bool {
    [BookSide::Bid, BookSide::Ask].into_iter().all(|side| {
        let best = |book: &Book| -> Vec<Level> { book.levels(side).take(depth).copied().collect() };
        best(left) == best(right)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Book {
        let levels = |pairs: &[(i64, i64)]| {
            let level = |&(price, size): &(i64, i64)| Level {
                price: Decimal::new(price, 1).unwrap(),
                size: Decimal::new(size, 2).unwrap(),
            };
            pairs.iter().map(level).collect()
        };
        let mut book = Book::default();
        let mut diff =
            BookDiff { reset: true, bids: levels(bids), asks: levels(asks), ..BookDiff::default() };
        book.apply(&mut diff, LEVELS_MAX).unwrap();
        book
    }

    fn told(changes: &Changes) -> [Vec<String>; 2] {
        [&changes.bids, &changes.asks].map(|side| {
            side.iter().map(|level| format!("{} {}", level.price, level.size)).collect()
        })
    }

    #[test]
    fn changes_lead_from_one_book_to_the_other() {
        let old = book(&[(100, 5), (99, 5), (98, 5)], &[(101, 5), (102, 5)]);
        let new = book(&[(100, 5), (99, 7), (97, 5)], &[(100, 1), (101, 5), (102, 5)]);
        let all = changes(&old, &new, usize::MAX, Removal::Told);
        assert_eq!(told(&all), [vec!["9.9 0.07", "9.8 0", "9.7 0.05"], vec!["10.0 0.01"]]);
        // The ask at 10.2 is pushed out of the best two, and still there.
        let best = changes(&old, &new, 2, Removal::UnlessPushedOut);
        assert_eq!(told(&best), [vec!["9.9 0.07"], vec!["10.0 0.01"]]);
        let best = changes(&old, &new, 2, Removal::Told);
        assert_eq!(told(&best), [vec!["9.9 0.07"], vec!["10.0 0.01", "10.2 0"]]);
        assert!(changes(&old, &old, 5, Removal::Told).is_empty());
    }

    #[test]
    fn every_state_is_found_again() {
        let states = [
            book(&[(100, 5)], &[(101, 5)]),
            book(&[(100, 6)], &[(101, 5), (105, 1)]),
            book(&[(99, 6)], &[(105, 1)]),
        ];
        let moment = |index: usize| Moment {
            book: states[index].clone(),
            number: 10 * index as u64,
            at: index as u64,
        };
        let mut history = History::new(moment(0), 2);
        history.push(moment(1));
        history.push(moment(2));
        for (index, state) in states.iter().enumerate() {
            let found = history.find(|moment| moment.number == 10 * index as u64).unwrap();
            assert!(same_best(&found.book, state, usize::MAX));
            assert_eq!(found.at, index as u64);
        }
        assert!(history.find(|moment| moment.number == 5).is_none());
        assert_eq!(history.before(20, 1).unwrap().number, 10);
        assert_eq!(history.before(20, 9).unwrap().number, 0);
        assert!(history.before(0, 1).is_none());
        // The oldest is forgotten.
        history.push(Moment { number: 30, ..moment(0) });
        assert!(history.find(|moment| moment.number == 0).is_none());
        assert_eq!(history.find(|moment| moment.number == 10).unwrap().at, 1);
    }
}
