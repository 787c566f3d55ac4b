//! Executions that a venue tells twice, known by their ids, after a new subscription or by fault;
//! and, where its ids are without holes, those it does not tell.

use super::SymbolId;
use super::by_symbol::BySymbol;

/// How many of the newest ids of a symbol are kept.
const KEPT: usize = 64;

/// The newest ids of each symbol's executions.
#[derive(Debug, Default)]
pub struct Repeats {
    ids: BySymbol<Option<Box<Newest>>>,
}

#[derive(Debug)]
struct Newest {
    highest: u64,
    /// Whether the next one should follow on the highest.
    follows: bool,
    ids: [Option<u64>; KEPT],
    /// Of the oldest.
    at: usize,
}

/// What an execution's id tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is new, or its id is no number.
    New,
    /// It is new, and ids between the highest so far and its own were not told. It means something
    /// only where a venue leaves none out.
    Skipped,
    /// It was told before.
    Repeat,
}

impl Repeats {
    /// Notes an execution. Ids that are no numbers are not kept. One that is lower than others but
    /// new, as in messages that were swapped, is no repeat.
    pub fn note(&mut self, symbol: SymbolId, id: &str) -> Noted {
        let Ok(id) = id.parse::<u64>() else { return Noted::New };
        let fresh = || Box::new(Newest { highest: id, follows: false, ids: [None; KEPT], at: 0 });
        let newest = self.ids.of(symbol).get_or_insert_with(fresh);
        // Ids rise, so that nearly all are told by one look.
        if id <= newest.highest && newest.ids.contains(&Some(id)) {
            return Noted::Repeat;
        }
        let skipped = newest.follows && id > newest.highest.saturating_add(1);
        newest.highest = newest.highest.max(id);
        newest.follows = true;
        newest.ids[newest.at] = Some(id);
        newest.at = (newest.at + 1) % KEPT;
        if skipped { Noted::Skipped } else { Noted::New }
    }

    /// The stream of a symbol is interrupted: its next execution follows on nothing.
    pub fn interrupted(&mut self, symbol: SymbolId) {
        if let Some(newest) = self.ids.of(symbol) {
            newest.follows = false;
        }
    }

    /// All streams are interrupted.
    pub fn all_interrupted(&mut self) {
        for newest in self.ids.iter_mut().filter_map(|(_, newest)| newest.as_mut()) {
            newest.follows = false;
        }
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
            assert_ne!(repeats.note(one, id), Noted::Repeat, "{id}");
            assert_eq!(repeats.note(one, id), Noted::Repeat, "{id}");
        }
        assert_eq!(repeats.note(other, "9"), Noted::New);
        for text in ["", "x-1", "", "x-1"] {
            assert_eq!(repeats.note(one, text), Noted::New);
        }
        for id in 10..10 + KEPT as u64 {
            assert_eq!(repeats.note(one, &id.to_string()), Noted::New);
        }
        assert_eq!(repeats.note(one, "7"), Noted::New, "too long ago");
        assert_eq!(repeats.note(one, &u64::MAX.to_string()), Noted::Skipped);
        assert_eq!(repeats.note(one, &u64::MAX.to_string()), Noted::Repeat);
    }

    #[test]
    fn ids_that_were_left_out_are_told_unless_the_stream_was_interrupted() {
        let mut repeats = Repeats::default();
        let symbol = SymbolId(1);
        let mut note = |id: u64| repeats.note(symbol, &id.to_string());
        assert_eq!((note(5), note(6), note(8)), (Noted::New, Noted::New, Noted::Skipped));
        // It comes late.
        assert_eq!((note(7), note(9)), (Noted::New, Noted::New));
        repeats.interrupted(symbol);
        assert_eq!(repeats.note(symbol, "20"), Noted::New);
        assert_eq!(repeats.note(symbol, "22"), Noted::Skipped);
        repeats.all_interrupted();
        repeats.interrupted(SymbolId(99));
        assert_eq!(repeats.note(symbol, "30"), Noted::New);
        assert_eq!(repeats.note(symbol, "30"), Noted::Repeat);
    }
}
