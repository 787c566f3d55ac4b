//! Whole sessions beside the venue's own book, and what is done to their messages: shared by the
//! tests of venues whose books are proved by a checksum or a chain.

use std::fmt::Debug;
use std::ops::Range;

use market::{BookSide, Level};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::bench::Bench;
use crate::adapter::{Adapter, BookState, Input};

/// The messages of a session, and after each the venue's book, as `held` of the tests tells it.
pub(super) type Session<L> = [(String, L)];

/// Changed levels of one side, of the bids or not: prices in ticks, and sizes.
pub(super) type Changes<S> = (bool, Vec<(u64, S)>);

/// So many levels of one side. Their prices are few, so that they meet, and never crossed.
pub(super) fn changes<S: Debug + Clone>(
    offsets: Range<u64>,
    sizes: impl Strategy<Value = S>,
    count: Range<usize>,
) -> impl Strategy<Value = Changes<S>> {
    (any::<bool>(), prop::collection::vec((offsets, sizes), count)).prop_map(|(bid, levels)| {
        let price = |offset| if bid { 9_999 - offset } else { 10_001 + offset };
        (bid, levels.into_iter().map(|(offset, size)| (price(offset), size)).collect())
    })
}

/// A byte of one message of a session that is another.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangedByte {
    message: Index,
    byte: Index,
    to: u8,
}

pub(super) fn changed_byte() -> impl Strategy<Value = ChangedByte> {
    let to = prop_oneof![select(&b"0123456789.-+eE\"{}[],: ab"[..]), any::<u8>()];
    let places = (any::<Index>(), any::<Index>(), to);
    places.prop_map(|(message, byte, to)| ChangedByte { message, byte, to })
}

/// Messages that are lost, doubled or swapped.
pub(super) fn jumbles() -> impl Strategy<Value = Vec<(Index, u8)>> {
    prop::collection::vec((any::<Index>(), 0u8..3), 1..4)
}

/// The session after that.
pub(super) fn jumbled<L: Clone>(session: &Session<L>, jumbles: &[(Index, u8)]) -> Vec<(String, L)> {
    let mut messages = session.to_vec();
    for (at, what) in jumbles {
        let at = at.index(messages.len());
        match what {
            0 if messages.len() > 1 => drop(messages.remove(at)),
            1 => messages.insert(at, messages[at].clone()),
            _ => messages.swap(0, at),
        }
    }
    messages
}

/// Words of a venue's and of JSON, one behind the other.
pub(super) fn words(venues: &'static [&'static str]) -> impl Strategy<Value = String> {
    const JSON: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "1",
        "\"0.5\"",
        "0.5",
        "-1e9",
        "null",
        "true",
        "\"data\"",
        "\"snapshot\"",
        "\"update\"",
        "\"bids\"",
        "\"asks\"",
        "\"checksum\"",
        "\"event\"",
        "\"channel\"",
    ];
    let word = prop_oneof![2 => select(JSON), 1 => select(venues)];
    prop::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

impl<A: Adapter> Bench<A> {
    /// The levels of the first symbol's book: offers, then bids, each from the best.
    pub(super) fn levels(&self) -> impl Iterator<Item = &Level> {
        let book = self.symbol().book();
        book.levels(BookSide::Ask).chain(book.levels(BookSide::Bid))
    }

    /// Plays a session. Whenever its book is called verified, it is the venue's.
    pub(super) fn plays<L: Debug + PartialEq>(
        &mut self,
        session: &Session<L>,
        held: impl Fn(&Self) -> L,
    ) -> Result<(), TestCaseError> {
        for (message, truth) in session {
            self.text(message);
            if self.state() == BookState::Verified {
                prop_assert_eq!(&held(self), truth);
            }
        }
        Ok(())
    }

    /// The same with another byte, by which nothing more than a whole message may be lost unseen.
    pub(super) fn plays_changed<L: Debug + PartialEq>(
        &mut self,
        session: &Session<L>,
        changed: ChangedByte,
        held: impl Fn(&Self) -> L,
    ) -> Result<(), TestCaseError> {
        let at = changed.message.index(session.len());
        let mut bytes = session[at].0.clone().into_bytes();
        bytes[changed.byte.index(session[at].0.len())] = changed.to;
        let (before, after) = session.split_at(at);
        self.plays(before, &held)?;
        self.input(Input::Text(&bytes));
        if self.state() == BookState::Verified {
            let (held, truth) = (held(self), &session[at].1);
            let lost = before.last().is_some_and(|(_, before)| held == *before);
            prop_assert!(held == *truth || lost, "{:?}\n{:?}", held, truth);
        }
        self.plays(&after[1..], held)
    }
}
