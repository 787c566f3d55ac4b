//! The same work through serde_json: typed structs that borrow, the same decimals, the same desk.
//!
//! It knows beforehand of which kind each message is, keeps no account of what came twice or not at
//! all but for a book's own number, and does no more with what it did not expect than to refuse it:
//! it has less to do than an adapter.

pub(super) mod binance;
pub(super) mod bitstamp;
pub(super) mod bybit;
pub(super) mod coinbase;
pub(super) mod kraken;
pub(super) mod okx;

use feeds::adapter::{Desk, Output, Proof, SymbolId};
use market::{BookDiff, Decimal, Level, Nanos, Quote, QuoteSide, Stamps};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Session;

/// Reads one message and tells the desk.
pub(super) type Take = fn(&mut Typed, &[u8], Nanos, &mut Output) -> serde_json::Result<()>;

/// What every session here has.
#[derive(Debug)]
pub(super) struct Typed {
    desk: Desk,
    due: Option<u64>,
    /// What is known of a ticker: bid, its size, offer, its size.
    ticker: [Option<Number>; 4],
    read: Take,
}

impl Typed {
    /// A session on this desk that reads with `read`.
    pub(super) fn new(desk: Desk, read: Take) -> Self {
        Self { desk, due: None, ticker: [None; 4], read }
    }

    fn symbol(&mut self, native: &str) -> SymbolId {
        self.desk.find(native).expect("a symbol of the fixtures")
    }

    /// Publishes a change of a book whose venue proves it by a number.
    fn book(&mut self, id: SymbolId, diff: BookDiff, proof: Proof, out: &mut Output) {
        self.desk.book(id, diff, None, |_| proof, out).expect("a good book");
    }

    fn quote(&mut self, id: SymbolId, bid: Side, ask: Side, stamps: Stamps, out: &mut Output) {
        let side = |Side(price, size): Side| Some(QuoteSide { price: price.0, size: size.0 });
        self.desk.quote(id, Quote { bid: side(bid), ask: side(ask), stamps }, out);
    }

    fn check(&mut self, first: u64, last: u64) {
        assert_eq!(self.due.unwrap_or(first), first, "a gap");
        self.due = Some(last + 1);
    }
}

impl Session for Typed {
    fn take(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        self.desk.heard(now, out);
        (self.read)(self, message, now, out).expect("a message of the fixtures");
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }
}

fn stamps(event: Option<Nanos>, received: Nanos, sequence: u64) -> Stamps {
    Stamps { event, received, sequence: Some(sequence), ..Stamps::default() }
}

/// A decimal in a text.
#[derive(Debug, Clone, Copy)]
struct Number(Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a decimal in a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                Decimal::parse(text).map(Number).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Price and size of the best of a side.
struct Side(Number, Number);

/// A number in a text.
#[derive(Debug, Clone, Copy)]
struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// Levels as pairs of texts, straight into what the desk takes; what follows a pair is passed over.
#[derive(Debug, Default)]
struct Levels(Vec<Level>);

/// One of them.
struct Pair(Level);

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Levels;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of levels")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Levels, A::Error> {
                let mut levels = Vec::new();
                while let Some(Pair(level)) = list.next_element()? {
                    levels.push(level);
                }
                Ok(Levels(levels))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Pair;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("price and size")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Pair, A::Error> {
                let missing = || A::Error::custom("price and size");
                let Number(price) = texts.next_element()?.ok_or_else(missing)?;
                let Number(size) = texts.next_element()?.ok_or_else(missing)?;
                while texts.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(Pair(Level { price, size }))
            }
        }
        deserializer.deserialize_seq(Texts)
    }
}
