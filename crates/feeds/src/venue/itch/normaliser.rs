//! What ITCH messages become: books, executions and states, and when a book may be trusted.
//!
//! There is no snapshot in ITCH. A book is right when every order of the day came; it is verified
//! while the numbers of a transport prove that. Whoever joined later, or lost a message, cannot
//! know what lies in the book for the rest of the day, and says so.

use market::{
    Aggressor, BookDiff, BookSide, Decimal, Flags, Level, Nanos, Stamps, Trade, VenueState,
};

use super::message::{self, DecodeError, Header, Message, Stock};
use super::order_book::{Order, OrderBook, Rung};
use super::trade_date::{Clock, DateSource};
use super::transport::{Event, Receiver};
use crate::adapter::BookState;
use crate::adapter::json::JsonError;
use crate::adapter::{Action, Desk, Output, Proof, SymbolId};

/// What was counted beside the desk's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItchCounts {
    /// MoldUDP64 packets that held messages which were there before.
    pub repeated: u64,
    /// Messages that never came.
    pub lost: u64,
    /// Changes of orders that are in no book: most of them, where the day's beginning was missed.
    pub orders_unknown: u64,
    /// Executions that are not published, as the price of the order is not known.
    pub trades_unpriced: u64,
    /// Executions that are not published, as they are part of a cross (`C`, not printable).
    pub not_printable: u64,
    /// Executions that Nasdaq took back (`B`).
    pub broken_trades: u64,
}

/// How far the book of a stock can be trusted, which only ever becomes less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// All its orders came.
    Whole,
    /// Nothing is known to be missing, and nothing proves that nothing is.
    Doubted,
    /// Orders are missing, or something could not be read. It is not published.
    Partial,
}

/// What is known of a stock's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It was not met yet.
    New,
    /// Nobody wants to know.
    Ignored,
    Known(SymbolId, Trust),
}

/// The books and symbols of one day at a time.
#[derive(Debug)]
pub(super) struct Normaliser {
    pub(super) desk: Desk,
    pub(super) book: OrderBook,
    pub(super) counts: ItchCounts,
    clock: Clock,
    /// By locate.
    pub(super) places: Vec<Place>,
    /// By symbol: its locate today.
    pub(super) locates: Vec<Option<u16>>,
    /// All messages since the day's first came.
    pub(super) whole: bool,
    /// The transport numbers its messages, which proves that none is missing.
    numbered: bool,
    /// The connection was gone: books are to be published again with the next message.
    broken_off: bool,
}

/// One input's worth of messages.
pub(super) struct Turn<'a> {
    pub(super) day: &'a mut Normaliser,
    pub(super) now: Nanos,
    pub(super) out: &'a mut Output,
}

impl Normaliser {
    pub(super) fn new(desk: Desk, date: DateSource, orders_max: usize) -> Self {
        Self {
            desk,
            book: OrderBook::new(orders_max),
            counts: ItchCounts::default(),
            clock: Clock::new(date),
            places: Vec::new(),
            locates: Vec::new(),
            whole: false,
            numbered: false,
            broken_off: false,
        }
    }

    pub(super) fn disconnected(&mut self) {
        self.broken_off = true;
    }

    #[inline]
    pub(super) fn place(&self, locate: u16) -> Place {
        self.places.get(usize::from(locate)).copied().unwrap_or(Place::New)
    }

    pub(super) fn set_place(&mut self, locate: u16, place: Place) {
        let at = usize::from(locate);
        if at >= self.places.len() {
            self.places.resize(at + 1, Place::New);
        }
        self.places[at] = place;
    }

    /// The best price of a stock in all its orders, crossed or not; `None` where not all are known.
    pub(super) fn best(&self, id: SymbolId, side: BookSide) -> Option<Decimal> {
        let locate = self.locates.get(id.0 as usize).copied().flatten()?;
        let Place::Known(_, Trust::Whole | Trust::Doubted) = self.place(locate) else {
            return None;
        };
        let best = self.book.levels(locate, side).next()?;
        Some(level(best).price)
    }

    /// The whole book of a stock, if it may be published.
    fn snapshot(&self, locate: u16, stamps: Stamps) -> Option<BookDiff> {
        let levels_max = self.desk.options().levels_max;
        let fits = |side| self.book.levels(locate, side).len() <= levels_max;
        if self.book.is_crossed(locate) || !fits(BookSide::Bid) || !fits(BookSide::Ask) {
            return None;
        }
        let levels = |side| self.book.levels(locate, side).map(level).collect();
        let (bids, asks) = (levels(BookSide::Bid), levels(BookSide::Ask));
        Some(BookDiff { reset: true, bids, asks, stamps })
    }
}

impl Receiver for Turn<'_> {
    fn message(&mut self, sequence: Option<u64>, bytes: &[u8]) {
        self.day.desk.heard(self.now, self.out);
        self.day.numbered = sequence.is_some();
        match message::decode(bytes) {
            Ok((header, message)) => {
                let stamps = self.stamps(header, sequence);
                self.take(header, message, stamps, bytes);
            }
            Err(DecodeError::Unknown(_)) => self.day.desk.counts.unknown += 1,
            Err(error) => self.unreadable(error, bytes),
        }
        self.publish_after_break();
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Begins { whole } => {
                self.forget_day();
                self.day.whole = whole;
            }
            Event::Repeated => self.day.counts.repeated += 1,
            Event::Lost { messages } => self.lost(messages),
            Event::Resumed => self.day.desk.resumed(),
            Event::Idle => {
                self.day.desk.heard(self.now, self.out);
                self.publish_after_break();
            }
            Event::Reconnect { reason } => self.out.reconnect(reason),
            Event::Ended => {
                let reason = "the venue ended the session";
                self.day.desk.status(VenueState::Down, reason, self.now, self.out);
            }
            Event::Rejected { reason } => {
                self.day.desk.status(VenueState::Down, reason, self.now, self.out);
                self.day.desk.report(reason, self.out);
            }
            Event::Malformed { expected, bytes } => {
                self.day.desk.malformed(JsonError { at: 0, expected }, bytes, self.now, self.out);
            }
            Event::Unknown => {
                self.day.desk.heard(self.now, self.out);
                self.day.desk.counts.unknown += 1;
            }
            Event::Send(bytes) => self.out.actions.push(Action::SendBinary(bytes)),
            Event::Wake(at) => self.out.wake(at),
        }
    }
}

impl Turn<'_> {
    #[inline]
    fn stamps(&mut self, header: Header, sequence: Option<u64>) -> Stamps {
        let (event, flags) = match self.day.clock.at(header.timestamp, self.now) {
            Ok(event) => (event, Flags::none()),
            Err(_) => (None, Flags::BAD_TIMESTAMP),
        };
        Stamps { event, received: self.now, sequence, flags }
    }

    fn take(&mut self, header: Header, message: Message, stamps: Stamps, bytes: &[u8]) {
        let locate = header.locate;
        match message {
            Message::Add { reference, side, shares, stock, price } => {
                let Some((id, trust)) = self.place_of(locate, stock, bytes) else { return };
                self.day.desk.counts_of(id).book_events += 1;
                let order = Order { price, shares, locate, side };
                match self.day.book.add(reference, order) {
                    Ok(rung) => self.publish(locate, id, trust, side, &[rung], stamps),
                    Err(misfit) => self.misfit(locate, id, misfit, bytes),
                }
            }
            Message::Executed { reference, shares, matched } => {
                let execution = Execution { matched, price: None, printable: true };
                self.reduce(locate, reference, shares, Some(execution), stamps, bytes);
            }
            Message::ExecutedAt { reference, shares, matched, printable, price } => {
                let execution = Execution { matched, price: Some(price), printable };
                self.reduce(locate, reference, shares, Some(execution), stamps, bytes);
            }
            Message::Cancel { reference, shares } => {
                self.reduce(locate, reference, shares, None, stamps, bytes);
            }
            Message::Delete { reference } => {
                let Some((id, trust)) = self.known(locate) else { return };
                match self.day.book.remove(locate, reference) {
                    Ok(gone) => {
                        self.publish(locate, id, trust, gone.order.side, &[gone.rung], stamps);
                    }
                    Err(misfit) => self.misfit(locate, id, misfit, bytes),
                }
            }
            Message::Replace { old, new, shares, price } => {
                let Some((id, trust)) = self.known(locate) else { return };
                match self.day.book.replace(locate, old, new, shares, price) {
                    Ok(done) => {
                        let rungs = [done.from, done.to.unwrap_or(done.from)];
                        let rungs = &rungs[..1 + usize::from(done.to.is_some())];
                        self.publish(locate, id, trust, done.order.side, rungs, stamps);
                    }
                    Err(misfit) => self.misfit(locate, id, misfit, bytes),
                }
            }
            Message::Hidden { side, shares, stock, price, matched } => {
                let Some((id, _)) = self.place_of(locate, stock, bytes) else { return };
                // Since 2014 it says `B` of all, so only `S` tells anything.
                let aggressor = match side {
                    BookSide::Bid => Aggressor::Unknown,
                    BookSide::Ask => Aggressor::Buy,
                };
                self.trade(id, price, shares.into(), aggressor, matched, stamps);
            }
            other => self.take_rare(locate, other, stamps, bytes),
        }
    }

    /// An order loses shares, by an execution or without one.
    fn reduce(
        &mut self,
        locate: u16,
        reference: u64,
        shares: u32,
        execution: Option<Execution>,
        stamps: Stamps,
        bytes: &[u8],
    ) {
        let Some((id, trust)) = self.known(locate) else {
            let unpriced = execution.is_some_and(|execution| execution.printable);
            self.day.counts.trades_unpriced += u64::from(unpriced);
            return;
        };
        let reduced = self.day.book.reduce(locate, reference, shares);
        if let Some(execution) = execution {
            let order = reduced.ok().map(|reduced| reduced.order);
            self.executed(id, order, shares, execution, stamps);
        }
        match reduced {
            Ok(done) => self.publish(locate, id, trust, done.order.side, &[done.rung], stamps),
            Err(misfit) => self.misfit(locate, id, misfit, bytes),
        }
    }

    fn executed(
        &mut self,
        id: SymbolId,
        order: Option<Order>,
        shares: u32,
        execution: Execution,
        stamps: Stamps,
    ) {
        if !execution.printable {
            self.day.counts.not_printable += 1;
            return;
        }
        let Some(price) = execution.price.or(order.map(|order| order.price)) else {
            self.day.counts.trades_unpriced += 1;
            self.day.desk.missed_trades(id);
            return;
        };
        // The order rested; who came against it took liquidity.
        let aggressor = match order.map(|order| order.side) {
            Some(BookSide::Bid) => Aggressor::Sell,
            Some(BookSide::Ask) => Aggressor::Buy,
            None => Aggressor::Unknown,
        };
        self.trade(id, price, shares.into(), aggressor, execution.matched, stamps);
    }

    pub(super) fn trade(
        &mut self,
        id: SymbolId,
        price: u32,
        shares: u64,
        side: Aggressor,
        matched: u64,
        stamps: Stamps,
    ) {
        if !self.day.desk.symbol(id).wanted().trades {
            return;
        }
        let trade_id = itoa::Buffer::new().format(matched).into();
        let Level { price, size } = level(Rung { price, shares });
        self.day.desk.trade(id, Trade { price, size, side, trade_id, stamps }, self.out);
    }

    /// Publishes what lies at some prices now, or the whole book where it is not known outside.
    fn publish(
        &mut self,
        locate: u16,
        id: SymbolId,
        trust: Trust,
        side: BookSide,
        rungs: &[Rung],
        stamps: Stamps,
    ) {
        let symbol = self.day.desk.symbol(id);
        if trust == Trust::Partial || !symbol.wanted().book {
            return;
        }
        let diff = if symbol.state() == BookState::Resyncing {
            let Some(diff) = self.day.snapshot(locate, stamps) else { return };
            diff
        } else {
            let mut diff = BookDiff { stamps, ..BookDiff::default() };
            let levels = match side {
                BookSide::Bid => &mut diff.bids,
                BookSide::Ask => &mut diff.asks,
            };
            *levels = rungs.iter().copied().map(level).collect();
            diff
        };
        let proof = match trust {
            Trust::Whole if self.day.numbered => Proof::Sequence,
            _ => Proof::Nothing,
        };
        // A crossed book, as before a halted stock's cross, comes back whole when it is not
        // crossed any more.
        self.day.desk.book(id, diff, None, |_| proof, self.out).unwrap_or_else(drop);
        // The venue has none: the first of these is made here, as one that comes back is.
        self.day.desk.counts_of(id).snapshots = 0;
    }

    /// Publishes every book that may be and is not, once after a break.
    fn publish_after_break(&mut self) {
        if !std::mem::take(&mut self.day.broken_off) {
            return;
        }
        for id in 0..self.day.locates.len() as u32 {
            self.publish_whole(SymbolId(id));
        }
    }

    /// Publishes the whole book of a symbol, if it may be and is not.
    pub(super) fn publish_whole(&mut self, id: SymbolId) {
        let Some(&Some(locate)) = self.day.locates.get(id.0 as usize) else { return };
        let Place::Known(_, trust) = self.day.place(locate) else { return };
        let symbol = self.day.desk.symbol(id);
        let was_there = symbol.counts.book_events > 0;
        if was_there && symbol.state() == BookState::Resyncing {
            let stamps = Stamps { received: self.now, ..Stamps::default() };
            self.publish(locate, id, trust, BookSide::Bid, &[], stamps);
        }
    }

    /// The symbol of a stock's number, which a message that names the stock makes known.
    #[inline]
    pub(super) fn place_of(
        &mut self,
        locate: u16,
        stock: Stock,
        bytes: &[u8],
    ) -> Option<(SymbolId, Trust)> {
        match self.day.place(locate) {
            Place::Known(id, trust) => Some((id, trust)),
            Place::Ignored => None,
            Place::New => {
                let trust = if self.day.whole { Trust::Whole } else { Trust::Partial };
                self.add_stock(locate, stock, trust, bytes)
            }
        }
    }

    /// The symbol that a change of an order is about.
    #[inline]
    fn known(&mut self, locate: u16) -> Option<(SymbolId, Trust)> {
        match self.day.place(locate) {
            Place::Known(id, trust) => {
                self.day.desk.counts_of(id).book_events += 1;
                Some((id, trust))
            }
            Place::Ignored => None,
            Place::New => {
                self.day.counts.orders_unknown += 1;
                None
            }
        }
    }
}

/// What an execution says besides how many shares of which order.
#[derive(Debug, Clone, Copy)]
struct Execution {
    matched: u64,
    /// Where it is not the order's.
    price: Option<u32>,
    printable: bool,
}

/// Prices have four digits after the point, shares none.
fn level(rung: Rung) -> Level {
    // The shares of a level are those of less than 2^32 orders of less than 2^32 each, and any
    // other number of shares was looked at.
    let size = Decimal::new(i64::try_from(rung.shares).unwrap_or(i64::MAX), 0);
    let price = Decimal::new(rung.price.into(), 4);
    Level { price: price.unwrap_or_default(), size: size.unwrap_or_default() }
}
