//! One book between its REST snapshot and its stream of diffs, as Binance documents it.

use super::super::snapshot::{Backlog, Held};

/// Where one book stands.
#[derive(Debug, Default)]
pub(super) struct Sync {
    /// The number of the last change in the book; `None` while there is no snapshot.
    at: Option<u64>,
    /// Whether a diff has been seen to follow the snapshot, or to come before it.
    joined: bool,
    /// Whether a diff was applied since the snapshot: from then on their numbers go up.
    flows: bool,
    /// Whether the last diff was one that the book had already.
    repeated: bool,
    /// A snapshot must hold this change to be of use.
    floor: u64,
    /// What waits for a snapshot.
    backlog: Backlog,
}

/// What is to be done with a diff.
#[derive(Debug)]
pub(super) enum Step {
    /// It is the next one.
    Apply(Held),
    /// The book has it already: from its snapshot, or because it came before.
    Stale {
        /// It came before.
        repeated: bool,
    },
    /// It waits for a snapshot, which must be asked for; so many older ones were given up.
    Wait(usize),
    /// One before it is missing: as [`Step::Wait`], and the book ends.
    Gap,
    /// It shows that the snapshot was older than the stream: as [`Step::Gap`], but nothing is
    /// missing.
    Outdated,
}

/// What a snapshot is, beside the diffs that wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is followed without a hole by what waits. Tells whether that is proved: with nothing
    /// that waits the next diff will tell.
    Joins(bool),
    /// It lies before the first diff, or before what it must hold: another is needed.
    TooOld,
    /// Diffs behind it are missing: another is needed.
    Broken,
    /// Nobody waits for one.
    Unasked,
}

impl Sync {
    /// True before the first diff and the first snapshot.
    pub(super) fn is_untouched(&self) -> bool {
        self.at.is_none() && self.backlog.is_empty()
    }

    /// True while a snapshot is needed.
    pub(super) fn waits(&self) -> bool {
        self.at.is_none()
    }

    /// Forgets everything: the stream begins anew.
    pub(super) fn restart(&mut self) {
        *self = Self { backlog: std::mem::take(&mut self.backlog), ..Self::default() };
        self.backlog.clear();
    }

    /// The book is not to be trusted since the change `floor`, or an unknown one after its last:
    /// only a snapshot that holds it helps.
    pub(super) fn lose(&mut self, floor: Option<u64>) {
        if let Some(at) = self.at.take() {
            self.floor = floor.unwrap_or(at + 1);
        }
    }

    /// Takes the next diff of the stream.
    pub(super) fn diff(&mut self, held: Held) -> Step {
        let Some(at) = self.at else {
            return Step::Wait(self.backlog.push(held));
        };
        // One may come twice; after two in a row, what the book was led to by has no place in this
        // stream.
        let stale = held.last <= at;
        let again = std::mem::replace(&mut self.repeated, stale && self.flows);
        if stale && !again {
            return Step::Stale { repeated: self.flows };
        }
        // Each diff follows the one before it without a hole and without an overlap; only a snapshot
        // may lie within one.
        let follows = held.first == at + 1 || (held.first <= at && !self.flows);
        if stale || !follows {
            self.at = None;
            self.backlog.push(held);
            return if self.joined { Step::Gap } else { Step::Outdated };
        }
        Step::Apply(held)
    }

    /// The book now has all changes up to `last`.
    pub(super) fn applied(&mut self, last: u64) {
        (self.at, self.joined, self.flows) = (Some(last), true, true);
    }

    /// Judges a snapshot whose last change is `last`; nothing is changed but that, where diffs are
    /// missing behind it, those before the hole are given up.
    ///
    /// Binance wants another where `last` is below the first change that waits. One that ends just
    /// before it leaves no hole either, so both it and the form `U <= last + 1 <= u`, which is in
    /// wide use, are taken.
    pub(super) fn judge(&mut self, last: u64) -> Fit {
        if self.at.is_some() {
            return Fit::Unasked;
        }
        if self.backlog.iter().next_back().is_some_and(|newest| newest.last < self.floor) {
            // It was told by a number that is none of this stream.
            self.floor = 0;
        }
        if last < self.floor || self.backlog.front().is_some_and(|held| held.first > last + 1) {
            return Fit::TooOld;
        }
        let (mut before, mut reached, mut hole): (Option<u64>, _, _) = (None, last, 0);
        for (index, held) in self.backlog.iter().enumerate() {
            // What comes twice, and what the snapshot has, does no harm.
            let overlaps = before.is_some_and(|before| held.first <= before && held.last > before);
            if held.first > reached + 1 || (overlaps && held.last > last) {
                hole = index;
            }
            before = before.max(Some(held.last));
            reached = reached.max(held.last);
        }
        if hole > 0 {
            for _ in 0..hole {
                self.backlog.pop();
            }
            return Fit::Broken;
        }
        Fit::Joins(self.floor > 0 || !self.backlog.is_empty())
    }

    /// A snapshot that [`Fit::Joins`] is the book now.
    pub(super) fn begin(&mut self, last: u64, proved: bool) {
        (self.at, self.joined, self.floor) = (Some(last), proved, 0);
        (self.flows, self.repeated) = (false, false);
    }

    /// The next diff that waited and that the book does not have, with how many it had.
    pub(super) fn next_held(&mut self) -> (u64, Option<Held>) {
        let mut stale = 0;
        while let (Some(held), Some(at)) = (self.backlog.front(), self.at) {
            let fresh = held.last > at;
            let held = self.backlog.pop();
            if fresh {
                return (stale, held);
            }
            stale += 1;
        }
        (stale, None)
    }
}
