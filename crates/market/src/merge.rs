//! Book conflation: many diffs folded into one that leads from the same book to the same book.

use crate::{BookDiff, Level};

/// Folds `diffs`, oldest first, into one: sizes are absolute, so of each price the last word
/// stands. Stamps are those of the newest. Returns `None` when `diffs` is empty.
///
/// A removal is kept even where the level was added within the range: the receiver may or may
/// not hold it, and removing what is not there is harmless. If a diff in the range is a reset,
/// what came before it is forgotten and the result is a reset too.
#[must_use]
pub fn merge_diffs<'a>(diffs: impl IntoIterator<Item = &'a BookDiff>) -> Option<BookDiff> {
    let mut merged: Option<BookDiff> = None;
    for diff in diffs {
        match &mut merged {
            Some(merged) if !diff.reset => {
                merged.bids.extend_from_slice(&diff.bids);
                merged.asks.extend_from_slice(&diff.asks);
                merged.stamps = diff.stamps;
            }
            slot => *slot = Some(diff.clone()),
        }
    }
    let mut merged = merged?;
    keep_last_word(&mut merged.bids);
    merged.bids.reverse();
    keep_last_word(&mut merged.asks);
    if merged.reset {
        merged.bids.retain(|level| !level.size.is_zero());
        merged.asks.retain(|level| !level.size.is_zero());
    }
    Some(merged)
}

/// Leaves one level for each price, the one that came last, sorted by price from low to high.
fn keep_last_word(levels: &mut Vec<Level>) {
    // Reversed and sorted stably, the newest of a price stands first, where `dedup` keeps it.
    levels.reverse();
    levels.sort_by_key(|level| level.price);
    levels.dedup_by_key(|level| level.price);
}
