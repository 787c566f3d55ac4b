//! A full L2 book: diffs applied by price level, and the CRC32 that proves it.

use std::cmp::Ordering;

use crate::{Decimal, Stamps};

/// One price level. Size zero means the level is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Price of the level.
    pub price: Decimal,
    /// The whole size at that price (absolute, not a change).
    pub size: Decimal,
}

/// Which half of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Buyers, best (highest) first.
    Bid,
    /// Sellers, best (lowest) first.
    Ask,
}

/// Levels that changed, or with `reset` a whole new book.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BookDiff {
    /// True: forget the book held so far, these are all its levels.
    pub reset: bool,
    /// Changed bids; within one diff the last word on a price wins.
    pub bids: Vec<Level>,
    /// Changed asks.
    pub asks: Vec<Level>,
    /// When.
    pub stamps: Stamps,
}

/// Why a diff was refused; the book is unchanged then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The diff would make one side longer than allowed.
    #[error("the book would have more than {max} levels on a side")]
    TooManyLevels {
        /// The bound.
        max: usize,
    },
    /// A size below zero.
    #[error("the size at price {price} is negative")]
    NegativeSize {
        /// Where.
        price: Decimal,
    },
}

/// What a diff met in the book it was applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Removals of prices that the book did not hold. Venues send them for levels beyond what
    /// they ever published, so they prove nothing wrong.
    pub deletes_unknown: usize,
}

/// From so many changes of a side on, one pass over all of its levels is cheaper than a search and
/// a move for each change: without that, a snapshot of 50,000 levels costs their square.
const MANY_LEVELS: usize = 64;

/// How many of the best levels of each side the checksum covers.
const CHECKSUM_DEPTH: usize = 10;

/// A full L2 book.
///
/// All prices of one book are written at one scale, that of the first diff after a reset (finer
/// prices keep the fewest digits that are exact), so that equal prices are equal texts and a
/// client may key its levels by the text alone.
#[derive(Debug, Clone, Default)]
pub struct Book {
    // Best level last: most changes are near the top, so inserts move little.
    bids: Vec<Level>,
    asks: Vec<Level>,
    price_scale: Option<u32>,
}

impl Book {
    /// Checks `diff`, writes its prices at the book's scale and its removals as plain `0`, and
    /// applies it. On an error the book is unchanged.
    ///
    /// # Errors
    /// A negative size, or more than `levels_max` levels on a side afterwards.
    pub fn apply(&mut self, diff: &mut BookDiff, levels_max: usize) -> Result<Applied, BookError> {
        if let Some(level) = diff.bids.iter().chain(&diff.asks).find(|l| l.size.is_negative()) {
            return Err(BookError::NegativeSize { price: level.price });
        }
        // Bounded before anything changes: counting every set level as new errs on the safe side
        // only near the bound, where the exact count decides.
        if diff.reset {
            let mut fresh = Self::default();
            let applied = fresh.write_all(diff, levels_max)?;
            *self = fresh;
            return Ok(applied);
        }
        let grows = |side: &[Level]| side.iter().filter(|level| !level.size.is_zero()).count();
        if self.bids.len() + grows(&diff.bids) > levels_max
            || self.asks.len() + grows(&diff.asks) > levels_max
        {
            let mut trial = self.clone();
            let applied = trial.write_all(diff, levels_max)?;
            *self = trial;
            return Ok(applied);
        }
        self.write_all(diff, levels_max)
    }

    /// Does what `diff` did to another book, which has checked and written it with
    /// [`Book::apply`]. This book stays as long as the other one is.
    pub fn follow(&mut self, diff: &BookDiff) {
        if diff.reset {
            // The room is kept for what comes.
            self.bids.clear();
            self.asks.clear();
            self.price_scale = None;
        }
        for (side, levels) in [(Side::Bid, &diff.bids), (Side::Ask, &diff.asks)] {
            self.set_all(side, levels);
        }
    }

    /// Sets the levels of one side; says how many were removals of what is not there.
    fn set_all(&mut self, side: Side, levels: &[Level]) -> usize {
        if levels.len() < MANY_LEVELS {
            let mut near = usize::MAX;
            return levels.iter().filter(|level| !self.set(side, **level, &mut near)).count();
        }
        match side {
            Side::Bid => set_many(&mut self.bids, levels, Decimal::cmp),
            Side::Ask => set_many(&mut self.asks, levels, |a, b| b.cmp(a)),
        }
    }

    fn write_all(&mut self, diff: &mut BookDiff, levels_max: usize) -> Result<Applied, BookError> {
        let mut applied = Applied::default();
        let scale = match self.price_scale {
            Some(scale) => scale,
            None => {
                let prices = diff.bids.iter().chain(&diff.asks).map(|level| level.price.scale());
                let Some(scale) = prices.max() else { return Ok(applied) };
                self.price_scale = Some(scale);
                scale
            }
        };
        for (side, levels) in [(Side::Bid, &mut diff.bids), (Side::Ask, &mut diff.asks)] {
            for level in levels.iter_mut() {
                level.price = level.price.at_scale(scale);
                if level.size.is_zero() {
                    level.size = Decimal::ZERO;
                }
            }
            applied.deletes_unknown += self.set_all(side, levels);
        }
        if self.bids.len() > levels_max || self.asks.len() > levels_max {
            return Err(BookError::TooManyLevels { max: levels_max });
        }
        Ok(applied)
    }

    /// Keeps the `depth` best levels of each side, and adds the removal of all others to `diff`:
    /// venues that publish so many levels say nothing when one falls out.
    pub fn truncate(&mut self, depth: usize, diff: &mut BookDiff) {
        let sides = [(&mut self.bids, &mut diff.bids), (&mut self.asks, &mut diff.asks)];
        for (held, changed) in sides {
            let surplus = held.len().saturating_sub(depth);
            let gone = held.drain(..surplus).map(|level| level.price);
            changed.extend(gone.map(|price| Level { price, size: Decimal::ZERO }));
        }
    }

    /// Whether the best bid is at or above the best offer, which no continuous market allows.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        match (self.bids.last(), self.asks.last()) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }

    /// Sets one level; false for the removal of one that is not there. `near` is where it may be,
    /// and becomes where it is.
    #[inline]
    fn set(&mut self, side: Side, level: Level, near: &mut usize) -> bool {
        let price = level.price;
        let (levels, found) = match side {
            Side::Bid => {
                let found = find(&self.bids, *near, |held| held.cmp(&price));
                (&mut self.bids, found)
            }
            Side::Ask => {
                let found = find(&self.asks, *near, |held| price.cmp(held));
                (&mut self.asks, found)
            }
        };
        let (Ok(at) | Err(at)) = found;
        *near = at;
        match found {
            Ok(at) if level.size.is_zero() => {
                levels.remove(at);
            }
            Ok(at) => levels[at] = level,
            Err(_) if level.size.is_zero() => return false,
            Err(at) => levels.insert(at, level),
        }
        true
    }

    /// The levels of one side, best first.
    pub fn levels(&self, side: Side) -> impl ExactSizeIterator<Item = &Level> + Clone {
        match side {
            Side::Bid => self.bids.iter().rev(),
            Side::Ask => self.asks.iter().rev(),
        }
    }

    /// The best level of one side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<&Level> {
        match side {
            Side::Bid => self.bids.last(),
            Side::Ask => self.asks.last(),
        }
    }

    /// Levels of both sides together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bids.len() + self.asks.len()
    }

    /// True when neither side has a level.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The CRC32 (IEEE) of the ten best levels as Kraken's v2 API defines it: asks from low to
    /// high, then bids from high to low, of each the price and then the size, as written, without
    /// the point and leading zeros.
    /// Source: docs.kraken.com, guide "book checksum v2".
    #[must_use]
    pub fn checksum(&self) -> u32 {
        // Written from its end on, as numbers give their digits.
        let mut text = [0u8; CHECKSUM_DEPTH * 2 * 60];
        let mut start = text.len();
        for levels in [&self.bids, &self.asks] {
            for level in &levels[levels.len().saturating_sub(CHECKSUM_DEPTH)..] {
                start = level.size.write_digits_before(&mut text, start);
                start = level.price.write_digits_before(&mut text, start);
            }
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&text[start..]);
        crc.finalize()
    }
}

/// Where in levels that stand best last the price is for which `order` says equal, or where it
/// would be. Looked for from `near` on, or else from the best level on, in steps that double:
/// changes come sorted and near the best, and a search of the whole side would touch levels that
/// nothing else touches.
#[inline]
fn find(
    levels: &[Level],
    near: usize,
    order: impl Fn(&Decimal) -> Ordering,
) -> Result<usize, usize> {
    let better = |at: usize| order(&levels[at].price).is_gt();
    let near = near.min(levels.len());
    let (mut start, mut end, mut step) = (near, near, 1);
    if near == levels.len() || better(near) {
        start = near.saturating_sub(step);
        while start > 0 && better(start) {
            end = start;
            step *= 2;
            start = near.saturating_sub(step);
        }
    } else {
        end = (near + step).min(levels.len());
        while end < levels.len() && !better(end) {
            start = end;
            step *= 2;
            end = (near + step).min(levels.len());
        }
    }
    let within = levels[start..end].binary_search_by(|level| order(&level.price));
    within.map(|at| start + at).map_err(|at| start + at)
}

/// Does what [`Book::set`] does for one level after the other, in one pass over a side, and gives
/// the number of those for which that would return false. `order` puts the best price last.
fn set_many(
    held: &mut Vec<Level>,
    levels: &[Level],
    order: impl Fn(&Decimal, &Decimal) -> Ordering,
) -> usize {
    let mut changes = levels.to_vec();
    // Stable: the last word on a price stays last. Snapshots come sorted, one way or the other,
    // and cost one pass.
    changes.sort_by(|a, b| order(&a.price, &b.price));
    let same = |a: &Level, b: &Level| order(&a.price, &b.price).is_eq();
    let distinct = !changes.windows(2).any(|pair| same(&pair[0], &pair[1]));
    if held.is_empty() && distinct && !changes.iter().any(|level| level.size.is_zero()) {
        *held = changes;
        return 0;
    }
    let mut deletes_unknown = 0;
    let mut merged = Vec::with_capacity(held.len() + changes.len());
    let mut rest = held.as_slice();
    for words in changes.chunk_by(same) {
        let below = |level: &&Level| order(&level.price, &words[0].price).is_lt();
        let (before, after) = rest.split_at(rest.iter().take_while(below).count());
        merged.extend_from_slice(before);
        let mut level = after.first().filter(|level| same(level, &words[0])).copied();
        rest = &after[usize::from(level.is_some())..];
        for word in words {
            if !word.size.is_zero() {
                level = Some(*word);
            } else if level.take().is_none() {
                deletes_unknown += 1;
            }
        }
        merged.extend(level);
    }
    merged.extend_from_slice(rest);
    *held = merged;
    deletes_unknown
}
