//! Every live order of a day by its number, and what lies at each price of each stock.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use market::BookSide;

/// A live order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// In units of 0.0001.
    pub price: u32,
    /// How many are left.
    pub shares: u32,
    /// The stock's number.
    pub locate: u16,
    /// Which side it is on.
    pub side: BookSide,
}

/// What lies at a price now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// In units of 0.0001.
    pub price: u32,
    /// The shares of all orders there; 0 when there are none any more.
    pub shares: u64,
}

/// An order that was changed, and what lies at its price now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reduced {
    /// As it was before.
    pub order: Order,
    /// Its price.
    pub rung: Rung,
}

/// An order whose place another took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// The order that is gone, as it was.
    pub order: Order,
    /// Its price.
    pub from: Rung,
    /// The price of the new one, where that is another.
    pub to: Option<Rung>,
}

/// Why a change does not fit the book; the book is unchanged then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// There is no such order in that stock.
    #[error("an order that the book does not hold")]
    UnknownOrder,
    /// There is such an order already.
    #[error("an order number that is taken")]
    KnownOrder,
    /// More shares than the order has, or an order without any.
    #[error("a number of shares that cannot be")]
    Shares,
    /// The table is full.
    #[error("more live orders than there is room for")]
    Full,
}

/// Most live orders, unless it is said otherwise: what a table of 2²³ places holds, about 210 MB.
/// A day of Nasdaq has some two million at a time.
pub const ORDERS_MAX: usize = 7 << 20;

/// All live orders and the levels they make up.
///
/// An order costs 25 bytes times the slack of the table, which is at most 16/7 of its orders
/// after it has grown, and its share of a level (12 bytes, times at most 2).
#[derive(Debug)]
pub struct OrderBook {
    orders: HashMap<u64, Order, BuildHasherDefault<ReferenceHasher>>,
    /// By locate.
    stocks: Vec<[Ladder; 2]>,
    orders_max: usize,
}

impl Default for OrderBook {
    fn default() -> Self {
        Self::new(ORDERS_MAX)
    }
}

impl OrderBook {
    /// An empty book for at most `orders_max` live orders.
    #[must_use]
    pub fn new(orders_max: usize) -> Self {
        Self { orders: HashMap::default(), stocks: Vec::new(), orders_max }
    }

    /// How many orders are live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// True when none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// One order.
    #[must_use]
    pub fn order(&self, reference: u64) -> Option<Order> {
        self.orders.get(&reference).copied()
    }

    /// Forgets all orders: another day.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.stocks.clear();
    }

    /// A new order.
    ///
    /// # Errors
    /// [`Misfit::KnownOrder`], [`Misfit::Shares`] or [`Misfit::Full`].
    #[inline]
    pub fn add(&mut self, reference: u64, order: Order) -> Result<Rung, Misfit> {
        if order.shares == 0 {
            return Err(Misfit::Shares);
        }
        if self.orders.len() >= self.orders_max {
            return Err(Misfit::Full);
        }
        match self.orders.entry(reference) {
            Entry::Occupied(_) => return Err(Misfit::KnownOrder),
            Entry::Vacant(place) => place.insert(order),
        };
        Ok(ladder(&mut self.stocks, order.locate, order.side).grow(order.price, order.shares))
    }

    /// An order of stock `locate` loses shares, and with the last of them its place.
    ///
    /// # Errors
    /// [`Misfit::UnknownOrder`] or [`Misfit::Shares`].
    #[inline]
    pub fn reduce(&mut self, locate: u16, reference: u64, shares: u32) -> Result<Reduced, Misfit> {
        let Entry::Occupied(mut held) = self.orders.entry(reference) else {
            return Err(Misfit::UnknownOrder);
        };
        let order = *held.get();
        if order.locate != locate {
            return Err(Misfit::UnknownOrder);
        }
        match order.shares.checked_sub(shares) {
            Some(0) => drop(held.remove()),
            Some(left) => held.get_mut().shares = left,
            None => return Err(Misfit::Shares),
        }
        let rung = ladder(&mut self.stocks, locate, order.side).shrink(order.price, shares);
        Ok(Reduced { order, rung })
    }

    /// An order of stock `locate` is gone.
    ///
    /// # Errors
    /// [`Misfit::UnknownOrder`].
    #[inline]
    pub fn remove(&mut self, locate: u16, reference: u64) -> Result<Reduced, Misfit> {
        let Entry::Occupied(held) = self.orders.entry(reference) else {
            return Err(Misfit::UnknownOrder);
        };
        let order = *held.get();
        if order.locate != locate {
            return Err(Misfit::UnknownOrder);
        }
        held.remove();
        let rung = ladder(&mut self.stocks, locate, order.side).shrink(order.price, order.shares);
        Ok(Reduced { order, rung })
    }

    /// An order of stock `locate` is gone, and another is in its place on the same side.
    ///
    /// # Errors
    /// [`Misfit::UnknownOrder`], [`Misfit::KnownOrder`] or [`Misfit::Shares`].
    #[inline]
    pub fn replace(
        &mut self,
        locate: u16,
        old: u64,
        new: u64,
        shares: u32,
        price: u32,
    ) -> Result<Replaced, Misfit> {
        if shares == 0 {
            return Err(Misfit::Shares);
        }
        if old != new && self.orders.contains_key(&new) {
            return Err(Misfit::KnownOrder);
        }
        let Reduced { order, rung: from } = self.remove(locate, old)?;
        self.orders.insert(new, Order { price, shares, ..order });
        let to = ladder(&mut self.stocks, locate, order.side).grow(price, shares);
        Ok(if price == order.price {
            Replaced { order, from: to, to: None }
        } else {
            Replaced { order, from, to: Some(to) }
        })
    }

    /// The levels of one side of a stock, best first.
    pub fn levels(&self, locate: u16, side: BookSide) -> impl ExactSizeIterator<Item = Rung> {
        let stock = self.stocks.get(usize::from(locate));
        let held = stock.map_or(&[][..], |sides| &sides[place(side)].0);
        held.iter()
            .rev()
            .map(move |held| Rung { price: key_of(side, held.key), shares: held.shares })
    }

    /// Whether a stock's best bid is at or above its best offer.
    #[must_use]
    pub fn is_crossed(&self, locate: u16) -> bool {
        let best = |side| self.levels(locate, side).next().map(|rung| rung.price);
        matches!((best(BookSide::Bid), best(BookSide::Ask)), (Some(bid), Some(ask)) if bid >= ask)
    }
}

fn place(side: BookSide) -> usize {
    match side {
        BookSide::Bid => 0,
        BookSide::Ask => 1,
    }
}

#[inline]
fn ladder(stocks: &mut Vec<[Ladder; 2]>, locate: u16, side: BookSide) -> SideOf<'_> {
    let at = usize::from(locate);
    if at >= stocks.len() {
        stocks.resize_with(at + 1, Default::default);
    }
    SideOf { held: &mut stocks[at][place(side)].0, side }
}

/// A price as the ladder of a side sorts it, and back: the best is the highest.
#[inline]
fn key_of(side: BookSide, price: u32) -> u32 {
    match side {
        BookSide::Bid => price,
        BookSide::Ask => !price,
    }
}

/// One side of a stock, its levels ascending by key: most changes are near the best, so inserts
/// move little.
#[derive(Debug, Default)]
struct Ladder(Vec<Held>);

/// A level in 12 bytes, so that few lines of memory are touched. They are aligned to 4.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(4))]
struct Held {
    key: u32,
    shares: u64,
}

/// A ladder and which side it is.
struct SideOf<'a> {
    held: &'a mut Vec<Held>,
    side: BookSide,
}

/// So many of the best levels are looked at without a branch.
const NEAR: usize = 8;

impl SideOf<'_> {
    /// Where `key` is, or where it belongs.
    #[inline]
    fn find(&self, key: u32) -> Result<usize, usize> {
        let not_above = |levels: &[Held]| levels.iter().filter(|level| level.key <= key).count();
        let after = match self.held.split_last_chunk::<NEAR>() {
            Some((far, near)) if near[0].key <= key => far.len() + not_above(near),
            Some((far, _)) => far.partition_point(|level| level.key <= key),
            None => not_above(self.held),
        };
        match after.checked_sub(1) {
            Some(at) if self.held[at].key == key => Ok(at),
            _ => Err(after),
        }
    }

    #[inline]
    fn grow(self, price: u32, shares: u32) -> Rung {
        let key = key_of(self.side, price);
        let shares = u64::from(shares);
        match self.find(key) {
            Ok(at) => {
                // Each order has less than 2^32 shares, and there are less than 2^32 orders.
                let shares = self.held[at].shares + shares;
                self.held[at].shares = shares;
                Rung { price, shares }
            }
            Err(at) => {
                self.held.insert(at, Held { key, shares });
                Rung { price, shares }
            }
        }
    }

    #[inline]
    fn shrink(self, price: u32, shares: u32) -> Rung {
        let Ok(at) = self.find(key_of(self.side, price)) else {
            // Every live order's shares are in its level.
            return Rung { price, shares: 0 };
        };
        let left = self.held[at].shares.saturating_sub(u64::from(shares));
        if left == 0 {
            self.held.remove(at);
        } else {
            self.held[at].shares = left;
        }
        Rung { price, shares: left }
    }
}

/// Hashes order numbers: 64 that follow each other stay side by side in the table, and such
/// blocks are scattered over it. Nasdaq counts upwards and most changes are of young orders, so
/// what is needed next was mostly touched just before.
#[derive(Debug, Default, Clone, Copy)]
pub struct ReferenceHasher(u64);

/// Bits of a number that are its place within a block.
const BLOCK: u32 = 6;

impl Hasher for ReferenceHasher {
    #[inline]
    fn write_u64(&mut self, reference: u64) {
        let within = reference & ((1 << BLOCK) - 1);
        let block = (reference >> BLOCK).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The low bits of a product know the low bits of the number only.
        let block = block ^ (block >> 32);
        // The table takes the place from the low bits, and from the top seven what it compares
        // first, which should differ between neighbours.
        self.0 = ((block & !((1 << BLOCK) - 1)) | within) ^ (within << 57);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(byte));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
