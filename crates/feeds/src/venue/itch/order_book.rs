//! Every live order of a day by its number, and what lies at each price of each stock.

use market::BookSide;

use super::ladder::Ladder;
use super::orders::Orders;

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

/// Both sides of a stock, in one line of memory.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Stock([Ladder; 2]);

/// Most live orders, unless it is said otherwise: what a table of 2²³ places holds, about 134 MB.
/// A day of Nasdaq has some two million at a time.
pub const ORDERS_MAX: usize = 6 << 20;

/// All live orders and the levels they make up.
///
/// An order costs 16 bytes times the slack of the table, which is at most 8/3 of its orders after
/// it has grown, and its share of a level (12 bytes, times at most 2).
#[derive(Debug)]
pub struct OrderBook {
    orders: Orders,
    /// By locate.
    stocks: Vec<Stock>,
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
        Self { orders: Orders::default(), stocks: Vec::new(), orders_max }
    }

    /// How many orders are live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// True when none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One order.
    #[must_use]
    pub fn order(&self, reference: u64) -> Option<Order> {
        self.orders.find(reference).map(|place| self.orders.at(place))
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
        if !self.orders.insert(reference, order) {
            return Err(Misfit::KnownOrder);
        }
        Ok(self.grow(order))
    }

    /// An order of stock `locate` loses shares, and with the last of them its place.
    ///
    /// # Errors
    /// [`Misfit::UnknownOrder`] or [`Misfit::Shares`].
    #[inline]
    pub fn reduce(&mut self, locate: u16, reference: u64, shares: u32) -> Result<Reduced, Misfit> {
        let Some(place) = self.orders.find(reference) else { return Err(Misfit::UnknownOrder) };
        let order = self.orders.at(place);
        if order.locate != locate {
            return Err(Misfit::UnknownOrder);
        }
        match order.shares.checked_sub(shares) {
            Some(0) => self.orders.remove(place),
            Some(left) => self.orders.set_shares(place, left),
            None => return Err(Misfit::Shares),
        }
        Ok(Reduced { order, rung: self.shrink(Order { shares, ..order }) })
    }

    /// An order of stock `locate` is gone.
    ///
    /// # Errors
    /// [`Misfit::UnknownOrder`].
    #[inline]
    pub fn remove(&mut self, locate: u16, reference: u64) -> Result<Reduced, Misfit> {
        let Some(place) = self.orders.find(reference) else { return Err(Misfit::UnknownOrder) };
        let order = self.orders.at(place);
        if order.locate != locate {
            return Err(Misfit::UnknownOrder);
        }
        self.orders.remove(place);
        Ok(Reduced { order, rung: self.shrink(order) })
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
        if old != new && self.orders.find(new).is_some() {
            return Err(Misfit::KnownOrder);
        }
        let Reduced { order, rung: from } = self.remove(locate, old)?;
        let order_now = Order { price, shares, ..order };
        self.orders.insert(new, order_now);
        let to = self.grow(order_now);
        Ok(if price == order.price {
            Replaced { order, from: to, to: None }
        } else {
            Replaced { order, from, to: Some(to) }
        })
    }

    #[inline]
    fn ladder(&mut self, locate: u16, side: BookSide) -> &mut Ladder {
        let at = usize::from(locate);
        if at >= self.stocks.len() {
            self.stocks.resize_with(at + 1, Default::default);
        }
        &mut self.stocks[at].0[index(side)]
    }

    /// Adds an order's shares to its level.
    #[inline]
    fn grow(&mut self, order: Order) -> Rung {
        let Order { price, shares, locate, side } = order;
        let shares = self.ladder(locate, side).grow(key_of(side, price), price, shares);
        Rung { price, shares }
    }

    /// Takes an order's shares from its level.
    #[inline]
    fn shrink(&mut self, order: Order) -> Rung {
        let Order { price, shares, locate, side } = order;
        let shares = self.ladder(locate, side).shrink(key_of(side, price), shares);
        Rung { price, shares }
    }

    /// The levels of one side of a stock, best first.
    pub fn levels(&self, locate: u16, side: BookSide) -> impl ExactSizeIterator<Item = Rung> {
        let stock = self.stocks.get(usize::from(locate));
        let ladder = stock.map_or(&NO_ORDERS, |stock| &stock.0[index(side)]);
        let levels = ladder.levels();
        levels.map(move |(key, shares)| Rung { price: key_of(side, key), shares })
    }

    /// Whether a stock's best bid is at or above its best offer.
    #[must_use]
    pub fn is_crossed(&self, locate: u16) -> bool {
        let best = |side| self.levels(locate, side).next().map(|rung| rung.price);
        matches!((best(BookSide::Bid), best(BookSide::Ask)), (Some(bid), Some(ask)) if bid >= ask)
    }
}

/// Of a stock that was not met yet.
static NO_ORDERS: Ladder = Ladder::EMPTY;

fn index(side: BookSide) -> usize {
    match side {
        BookSide::Bid => 0,
        BookSide::Ask => 1,
    }
}

/// A price as the ladder of a side sorts it, and back: the best is the highest.
#[inline]
fn key_of(side: BookSide, price: u32) -> u32 {
    match side {
        BookSide::Bid => price,
        BookSide::Ask => !price,
    }
}
