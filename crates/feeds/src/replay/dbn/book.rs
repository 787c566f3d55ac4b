//! One instrument's book: levels added up from orders, or given as they are; and what changed.

use std::collections::BTreeMap;

use dbn::UNDEF_PRICE;
use market::{BookDiff, BookSide, Decimal, Flags, Level, Stamps};
use rustc_hash::FxHashMap;

use super::decimal;

/// Most orders of one instrument.
const ORDERS_MAX: usize = 5_000_000;

/// An order, or what a message says of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    /// None where the message has nothing to do with one.
    pub(super) side: Option<BookSide>,
    pub(super) price: i64,
    pub(super) size: u32,
}

/// What a book cannot be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BookProblem {
    #[error("the records of several publishers are mixed, which are books of their own")]
    Publishers,
    #[error("there are more than {ORDERS_MAX} orders")]
    TooMany,
    #[error("an order has no price")]
    NoPrice,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    publisher: Option<u16>,
    orders: FxHashMap<u64, (BookSide, i64, u32)>,
    bids: BTreeMap<i64, u64>,
    asks: BTreeMap<i64, u64>,
    /// Prices that changed since the last flush.
    changed: Vec<(BookSide, i64)>,
    /// The book was published, so what changed is enough.
    published: bool,
    /// The venue cleared it, so nothing from before is missing.
    known: bool,
}

impl Book {
    /// One publisher's book is not another's.
    fn check(&mut self, publisher: u16) -> Result<(), BookProblem> {
        match *self.publisher.get_or_insert(publisher) {
            known if known == publisher => Ok(()),
            _ => Err(BookProblem::Publishers),
        }
    }

    fn side(&mut self, side: BookSide) -> &mut BTreeMap<i64, u64> {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }

    /// Takes a message of one order.
    /// Source: databento.com/docs, "Standards and conventions", action; and schema mbo.
    pub(super) fn order(
        &mut self,
        publisher: u16,
        action: u8,
        id: u64,
        order: Order,
    ) -> Result<(), BookProblem> {
        self.check(publisher)?;
        match (action, order.side) {
            (b'R', _) => {
                self.orders.clear();
                self.bids.clear();
                self.asks.clear();
                self.changed.clear();
                self.published = false;
                self.known = true;
            }
            // Of an order that is not known a change is its first appearance.
            (b'A' | b'M', Some(side)) => {
                if order.price == UNDEF_PRICE {
                    return Err(BookProblem::NoPrice);
                }
                if let Some(before) = self.orders.remove(&id) {
                    self.less(before, before.2);
                }
                if self.orders.len() >= ORDERS_MAX {
                    return Err(BookProblem::TooMany);
                }
                self.orders.insert(id, (side, order.price, order.size));
                *self.side(side).entry(order.price).or_default() += u64::from(order.size);
                self.changed.push((side, order.price));
            }
            (b'C', _) => {
                if let Some(before) = self.orders.get_mut(&id) {
                    let (whole, gone) = (*before, order.size.min(before.2));
                    before.2 -= gone;
                    if before.2 == 0 {
                        self.orders.remove(&id);
                    }
                    self.less(whole, gone);
                }
            }
            // Trades and fills change nothing: the cancel that belongs to them does.
            _ => {}
        }
        Ok(())
    }

    /// Takes so much of an order from its level.
    fn less(&mut self, (side, price, _): (BookSide, i64, u32), size: u32) {
        let levels = self.side(side);
        if let Some(level) = levels.get_mut(&price) {
            *level = level.saturating_sub(size.into());
            if *level == 0 {
                levels.remove(&price);
            }
        }
        self.changed.push((side, price));
    }

    /// Takes all levels as they are now.
    pub(super) fn replace(
        &mut self,
        publisher: u16,
        bids: impl Iterator<Item = (i64, u32)>,
        asks: impl Iterator<Item = (i64, u32)>,
    ) -> Result<(), BookProblem> {
        self.check(publisher)?;
        self.known = true;
        let levels = |side: &mut dyn Iterator<Item = (i64, u32)>| -> BTreeMap<i64, u64> {
            side.filter(|(_, size)| *size > 0).map(|(price, size)| (price, size.into())).collect()
        };
        let (mut bids, mut asks) = (bids, asks);
        for (side, now) in [(BookSide::Bid, levels(&mut bids)), (BookSide::Ask, levels(&mut asks))]
        {
            let before = std::mem::take(self.side(side));
            let gone = before.keys().filter(|price| !now.contains_key(price));
            let new = now.iter().filter(|(price, size)| before.get(price) != Some(size));
            self.changed
                .extend(gone.chain(new.map(|(price, _)| price)).map(|price| (side, *price)));
            *self.side(side) = now;
        }
        Ok(())
    }

    /// What changed since the last time; the whole book the first time and after it was cleared.
    /// `None` when nothing did.
    pub(super) fn flush(&mut self, mut stamps: Stamps) -> Result<Option<BookDiff>, BookProblem> {
        if !self.known {
            stamps.flags = stamps.flags.with(Flags::UNVERIFIED);
        }
        let reset = !self.published;
        if reset {
            self.changed.clear();
            self.changed.extend(self.bids.keys().map(|price| (BookSide::Bid, *price)));
            self.changed.extend(self.asks.keys().map(|price| (BookSide::Ask, *price)));
        } else if self.changed.is_empty() {
            return Ok(None);
        } else {
            self.changed.sort_unstable_by_key(|(side, price)| (*side == BookSide::Ask, *price));
            self.changed.dedup();
        }
        let mut diff = BookDiff { reset, stamps, ..BookDiff::default() };
        for (side, price) in std::mem::take(&mut self.changed) {
            let size = self.side(side).get(&price).copied().unwrap_or(0);
            let size = i64::try_from(size).ok().and_then(|size| Decimal::new(size, 0));
            let price = decimal(price).ok_or(BookProblem::NoPrice)?;
            let level = Level { price, size: size.ok_or(BookProblem::TooMany)? };
            match side {
                BookSide::Bid => diff.bids.push(level),
                BookSide::Ask => diff.asks.push(level),
            }
        }
        self.published = true;
        Ok(Some(diff))
    }
}
