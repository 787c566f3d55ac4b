//! A client in memory, and a book that is kept by the text of its prices.

use std::collections::BTreeMap;

use exchange::{ConnectionId, Delivery, Effect, Exchange, Options};
use market::{Book, BookSide, Decimal, Nanos};

/// When every test begins.
pub(crate) const START: Nanos = 1_790_000_000_000_000_000;
/// A millisecond.
pub(crate) const MS: Nanos = 1_000_000;

/// One connection to an exchange of its own.
pub(crate) struct Client {
    pub(crate) exchange: Exchange,
    pub(crate) id: ConnectionId,
    pub(crate) now: Nanos,
    pub(crate) deliveries: Vec<Delivery>,
}

impl Client {
    pub(crate) fn connect(options: Options, path: &str) -> Self {
        let mut exchange = Exchange::new(options, START).unwrap();
        let id = exchange.connect(path, START);
        let mut client = Self { exchange, id, now: START, deliveries: Vec::new() };
        client.collect();
        client
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.exchange.receive(self.id, text.as_bytes(), self.now);
        self.collect();
    }

    /// Lets time pass in steps of 10 ms.
    pub(crate) fn run(&mut self, millis: u64) {
        let end = self.now + millis * MS;
        while self.now < end {
            self.now = (self.now + 10 * MS).min(end);
            self.exchange.advance(self.now);
        }
        self.collect();
    }

    fn collect(&mut self) {
        self.deliveries.extend(self.exchange.take_deliveries());
    }

    /// All text messages so far, taken out.
    pub(crate) fn texts(&mut self) -> Vec<String> {
        let deliveries = std::mem::take(&mut self.deliveries).into_iter();
        deliveries
            .filter_map(|delivery| match delivery.effect {
                Effect::Text(text) => Some(String::from_utf8(text).unwrap()),
                _ => None,
            })
            .collect()
    }
}

/// One side by price: the text of the price, and that of the size.
pub(crate) type Ladder = BTreeMap<Decimal, (String, String)>;

/// A book as the texts told it.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) bids: Ladder,
    pub(crate) asks: Ladder,
}

impl Texts {
    pub(crate) fn set(&mut self, side: BookSide, price: &str, size: &str) {
        let ladder = if side == BookSide::Bid { &mut self.bids } else { &mut self.asks };
        let key = Decimal::parse(price).unwrap();
        if Decimal::parse(size).unwrap().is_zero() {
            ladder.remove(&key);
        } else {
            ladder.insert(key, (price.to_owned(), size.to_owned()));
        }
    }

    /// Levels told as `[["price","size",…],…]`.
    pub(crate) fn set_all(&mut self, side: BookSide, levels: &serde_json::Value) {
        for level in levels.as_array().unwrap() {
            self.set(side, level[0].as_str().unwrap(), level[1].as_str().unwrap());
        }
    }

    pub(crate) fn truncate(&mut self, depth: usize) {
        while self.bids.len() > depth {
            self.bids.pop_first();
        }
        while self.asks.len() > depth {
            self.asks.pop_last();
        }
    }

    pub(crate) fn is_crossed(&self) -> bool {
        let best = self.bids.last_key_value().zip(self.asks.first_key_value());
        best.is_some_and(|(bid, ask)| bid.0 >= ask.0)
    }

    /// Whether it is the `depth` best levels of the other.
    pub(crate) fn is(&self, book: &Book, depth: usize) -> bool {
        let truth = |side| -> Vec<(Decimal, Decimal)> {
            let levels = book.levels(side).take(depth);
            levels.map(|level| (level.price, level.size)).collect()
        };
        let size = |(price, (_, size)): (&Decimal, &(String, String))| {
            (*price, Decimal::parse(size).unwrap())
        };
        truth(BookSide::Bid) == self.bids.iter().rev().map(size).collect::<Vec<_>>()
            && truth(BookSide::Ask) == self.asks.iter().map(size).collect::<Vec<_>>()
    }
}
