//! Moments in the future, kept in buckets of a millisecond: all that is due together fires
//! together, so that rate-limited subscribers of one topic share their frames.

use std::collections::BTreeMap;

use crate::Millis;

/// Entries by due time.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    buckets: BTreeMap<Millis, Vec<T>>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { buckets: BTreeMap::new() }
    }
}

impl<T> Timers<T> {
    pub(crate) fn set(&mut self, due: Millis, entry: T) {
        self.buckets.entry(due).or_default().push(entry);
    }

    /// When the next entry is due.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.buckets.first_key_value().map(|(&due, _)| due)
    }

    /// Takes out the entries of the earliest bucket if it is due at `now`.
    pub(crate) fn take_due(&mut self, now: Millis) -> Option<(Millis, Vec<T>)> {
        let first = self.buckets.first_entry()?;
        if *first.key() > now {
            return None;
        }
        Some(first.remove_entry())
    }
}
