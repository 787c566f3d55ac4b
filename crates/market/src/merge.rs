//! Book conflation: many diffs folded into one that leads from the same book to the same book.

use std::collections::BTreeMap;

use crate::{BookDiff, Decimal, Flags, Level};

/// Folds `diffs`, oldest first, into one: sizes are absolute, so of each price the last word
/// stands. Stamps are those of the newest, but that any gap in the range stays told. Returns `None` when `diffs` is empty.
///
/// A removal is kept even where the level was added within the range: the receiver may or may
/// not hold it, and removing what is not there is harmless. If a diff in the range is a reset,
/// what came before it is forgotten and the result is a reset too.
#[must_use]
pub fn merge_diffs<'a>(diffs: impl IntoIterator<Item = &'a BookDiff>) -> Option<BookDiff> {
    let mut diffs: Vec<&BookDiff> = diffs.into_iter().collect();
    let newest = diffs.last()?;
    let mut stamps = newest.stamps;
    if diffs.iter().any(|diff| diff.stamps.flags.has(Flags::GAP_BEFORE)) {
        stamps.flags = stamps.flags.with(Flags::GAP_BEFORE);
    }
    let reset = diffs.iter().rposition(|diff| diff.reset);
    diffs.drain(..reset.unwrap_or(0));
    let side = |levels: fn(&BookDiff) -> &[Level]| {
        let newest_first = || diffs.iter().rev().flat_map(|diff| levels(diff).iter().rev());
        let mut merged = last_words(newest_first);
        if reset.is_some() {
            merged.retain(|level| !level.size.is_zero());
        }
        merged
    };
    let mut bids = side(|diff| &diff.bids);
    bids.reverse();
    let asks = side(|diff| &diff.asks);
    Some(BookDiff { reset: reset.is_some(), bids, asks, stamps })
}

/// Of each price the level that comes first, sorted by price from low to high.
fn last_words<'a, I: Iterator<Item = &'a Level>>(newest_first: impl Fn() -> I) -> Vec<Level> {
    let scale = newest_first().map(|level| level.price.scale()).max().unwrap_or(0);
    let by_units = firsts(newest_first(), |price| price.units(scale));
    // Prices too long for that are compared as they are.
    let merged = by_units.or_else(|| firsts(newest_first(), Some));
    merged.unwrap_or_default()
}

/// Of each price the level that comes first, by price; `None` when a price has no key.
fn firsts<'a, K: Ord>(
    levels: impl Iterator<Item = &'a Level>,
    key: impl Fn(Decimal) -> Option<K>,
) -> Option<Vec<Level>> {
    let mut firsts = BTreeMap::new();
    for level in levels {
        firsts.entry(key(level.price)?).or_insert(*level);
    }
    Some(firsts.into_values().collect())
}
