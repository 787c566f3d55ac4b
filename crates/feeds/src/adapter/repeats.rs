//! Executions that a venue tells twice, known by their ids: after a new subscription, or by fault.

use super::SymbolId;

/// How many of the newest ids of a symbol are kept.
const KEPT: usize = 64;

/// The newest ids of each symbol's executions.
#[derive(Debug, Default)]
pub struct Repeats {
    /// By symbol.
    ids: Vec<Option<Box<Newest>>>,
}

#[derive(Debug)]
struct Newest {
    highest: u64,
    ids: [Option<u64>; KEPT],
    /// Of the oldest.
    at: usize,
}

impl Repeats {
    /// Notes an execution; true where its id is among the newest noted. Ids that are no numbers
    /// are not kept. One that is lower than others but new, as in messages that were swapped, is
    /// no repeat.
    pub fn is_repeat(&mut self, symbol: SymbolId, id: &str) -> bool {
        let Ok(id) = id.parse::<u64>() else { return false };
        let at = symbol.0 as usize;
        if self.ids.len() <= at {
            self.ids.resize_with(at + 1, || None);
        }
        let fresh = || Box::new(Newest { highest: id, ids: [None; KEPT], at: 0 });
        let newest = self.ids[at].get_or_insert_with(fresh);
        // Ids rise, so that nearly all are told by one look.
        if id <= newest.highest && newest.ids.contains(&Some(id)) {
            return true;
        }
        newest.highest = newest.highest.max(id);
        newest.ids[newest.at] = Some(id);
        newest.at = (newest.at + 1) % KEPT;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_noted_lately_is_a_repeat() {
        let mut repeats = Repeats::default();
        let (one, other) = (SymbolId(0), SymbolId(5));
        for id in ["7", "9", "8"] {
            assert!(!repeats.is_repeat(one, id), "{id}");
            assert!(repeats.is_repeat(one, id), "{id}");
        }
        assert!(!repeats.is_repeat(other, "9"));
        for text in ["", "x-1", "", "x-1"] {
            assert!(!repeats.is_repeat(one, text));
        }
        for id in 100..100 + KEPT as u64 {
            assert!(!repeats.is_repeat(one, &id.to_string()));
        }
        assert!(!repeats.is_repeat(one, "7"), "too long ago");
        assert!(!repeats.is_repeat(one, &u64::MAX.to_string()));
        assert!(repeats.is_repeat(one, &u64::MAX.to_string()));
    }
}
