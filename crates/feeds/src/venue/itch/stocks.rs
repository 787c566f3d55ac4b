//! Which stock a number is, what is said of a stock or of the day, and when trust in a book ends.

use market::{Aggressor, Stamps, VenueState};

use super::message::{self, DecodeError, Message, Stock};
use super::normaliser::{Place, Trust, Turn};
use super::order_book::Misfit;
use crate::adapter::BookState;
use crate::adapter::json::JsonError;
use crate::adapter::{Fault, SymbolId};

impl Turn<'_> {
    pub(super) fn take_rare(
        &mut self,
        locate: u16,
        message: Message,
        stamps: Stamps,
        bytes: &[u8],
    ) {
        match message {
            Message::System { event } => self.system(event),
            Message::Directory { stock } => self.directory(locate, stock, bytes),
            Message::Action { stock, state, reason } => {
                let Some((id, _)) = self.place_of(locate, stock, bytes) else { return };
                let text = match state {
                    b'H' => "trading is halted",
                    b'P' => "trading is paused",
                    b'Q' => "quotes are taken, nothing trades",
                    b'T' => "it trades",
                    _ => return self.unreadable(DecodeError::Field, bytes),
                };
                let reason = String::from_utf8_lossy(&reason);
                match reason.trim_matches([' ', '\0']) {
                    "" => self.tell(locate, id, text),
                    why => self.tell(locate, id, &format!("{text} ({})", why.escape_debug())),
                }
            }
            Message::Operational { stock, market, action } => {
                let Some((id, _)) = self.place_of(locate, stock, bytes) else { return };
                let market = match market {
                    b'Q' => "Nasdaq",
                    b'B' => "BX",
                    b'X' => "PSX",
                    _ => return self.unreadable(DecodeError::Field, bytes),
                };
                match action {
                    b'H' => self.tell(locate, id, &format!("halted on {market} for its operation")),
                    b'T' => self.tell(locate, id, &format!("no longer halted on {market}")),
                    _ => self.unreadable(DecodeError::Field, bytes),
                }
            }
            Message::Breaker { level } => {
                let text = format!("market-wide circuit breaker, level {}", level.escape_ascii());
                self.day.desk.notice(&text, self.now, self.out);
            }
            Message::Cross { shares, stock, price, matched } => {
                let Some((id, _)) = self.place_of(locate, stock, bytes) else { return };
                match i64::try_from(shares) {
                    // There was nothing to cross.
                    Ok(0) => {}
                    Ok(_) => self.trade(id, price, shares, Aggressor::Unknown, matched, stamps),
                    Err(_) => self.unreadable(DecodeError::Field, bytes),
                }
            }
            Message::Broken { matched } => {
                self.day.counts.broken_trades += 1;
                if let Place::Known(id, _) = self.day.place(locate) {
                    self.tell(locate, id, &format!("execution {matched} counts no more"));
                }
            }
            _ => {}
        }
    }

    pub(super) fn add_stock(
        &mut self,
        locate: u16,
        stock: Stock,
        trust: Trust,
        bytes: &[u8],
    ) -> Option<(SymbolId, Trust)> {
        let Some(native) = stock.as_str() else {
            self.unreadable(DecodeError::Field, bytes);
            return None;
        };
        // All stocks come to everybody, wanted or not.
        let desk = &mut self.day.desk;
        let wanted = if desk.options().open { desk.find(native) } else { desk.known(native) };
        let Some(id) = wanted else {
            self.day.set_place(locate, Place::Ignored);
            return None;
        };
        let at = id.0 as usize;
        if at >= self.day.locates.len() {
            self.day.locates.resize(at + 1, None);
        }
        if self.day.locates[at].is_some() {
            // Another number has this stock already: whose orders are whose, nobody knows.
            self.unreadable(DecodeError::Field, bytes);
            self.distrust(id, Fault::Malformed);
            self.day.set_place(locate, Place::Ignored);
            return None;
        }
        self.day.locates[at] = Some(locate);
        self.day.set_place(locate, Place::Known(id, trust));
        if trust == Trust::Partial {
            let reason = "no book: the beginning of the day was missed";
            let (now, state) = (self.now, VenueState::Resync);
            self.day.desk.symbol_status(id, state, reason, now, self.out);
        }
        Some((id, trust))
    }

    /// The list of the day's stocks comes before their first orders.
    pub(super) fn directory(&mut self, locate: u16, stock: Stock, bytes: &[u8]) {
        match self.day.place(locate) {
            Place::New => {
                let trust = if self.day.whole { Trust::Whole } else { Trust::Doubted };
                self.add_stock(locate, stock, trust, bytes);
            }
            Place::Ignored => {}
            Place::Known(id, _) => {
                // A number stays with its stock all day.
                if stock.as_str() != Some(&*self.day.desk.symbol(id).native) {
                    self.unreadable(DecodeError::Field, bytes);
                    self.distrust(id, Fault::Malformed);
                }
            }
        }
    }

    pub(super) fn system(&mut self, event: u8) {
        let text = match event {
            b'O' => {
                self.forget_day();
                self.day.whole = true;
                "start of messages"
            }
            b'S' => "start of system hours",
            b'Q' => "start of market hours",
            b'M' => "end of market hours",
            b'E' => "end of system hours",
            b'C' => "end of messages",
            // Emergencies once had codes too; more may come.
            _ => {
                self.day.desk.counts.unknown += 1;
                return;
            }
        };
        self.day.desk.notice(text, self.now, self.out);
    }

    /// Publishes something about a stock that changes nothing of how far its data is trusted.
    pub(super) fn tell(&mut self, locate: u16, id: SymbolId, text: &str) {
        let state = match self.day.place(locate) {
            Place::Known(_, Trust::Partial) => VenueState::Resync,
            _ => VenueState::Up,
        };
        self.day.desk.symbol_status(id, state, text, self.now, self.out);
    }

    /// A change that does not fit the book.
    pub(super) fn misfit(&mut self, locate: u16, id: SymbolId, misfit: Misfit, bytes: &[u8]) {
        let (expected, fault) = match misfit {
            Misfit::UnknownOrder => {
                // The book lacked an order. With this it lacks less, but is proved no more.
                self.day.counts.orders_unknown += 1;
                self.day.desk.counts_of(id).deletes_unknown += 1;
                if let Place::Known(_, Trust::Whole) = self.day.place(locate) {
                    self.day.set_place(locate, Place::Known(id, Trust::Doubted));
                }
                return;
            }
            Misfit::KnownOrder => ("an order number that is free", Fault::Malformed),
            Misfit::Shares => ("a number of shares that the order has", Fault::Malformed),
            Misfit::Full => ("no more orders than there is room for", Fault::Refused),
        };
        self.day.desk.malformed(JsonError { at: 0, expected }, bytes, self.now, self.out);
        self.distrust(id, fault);
    }

    /// A message that cannot be read; the stock that it is about cannot be known any more.
    pub(super) fn unreadable(&mut self, error: DecodeError, bytes: &[u8]) {
        let expected = match error {
            DecodeError::Empty | DecodeError::Unknown(_) => "a message type",
            DecodeError::Length => "a message as long as its type",
            DecodeError::Field => "a letter that the field may have",
        };
        self.day.desk.malformed(JsonError { at: 0, expected }, bytes, self.now, self.out);
        match *bytes {
            [kind, high, low, ..] if message::changes_book(kind) => {
                match self.day.place(u16::from_be_bytes([high, low])) {
                    Place::Known(id, _) => {
                        self.day.desk.missed_trades(id);
                        self.distrust(id, Fault::Malformed);
                    }
                    // It may have been its first order: of what is met from now on, that may miss.
                    Place::New => self.day.whole = false,
                    Place::Ignored => {}
                }
            }
            // It may have been about any stock.
            [] => self.distrust_all(Fault::Malformed),
            [kind, ..] if bytes.len() < 3 && message::changes_book(kind) => {
                self.distrust_all(Fault::Malformed);
            }
            _ => {}
        }
    }

    /// A symbol's book cannot be known any more today.
    pub(super) fn distrust(&mut self, id: SymbolId, fault: Fault) {
        if let Some(&Some(locate)) = self.day.locates.get(id.0 as usize) {
            self.day.set_place(locate, Place::Known(id, Trust::Partial));
        }
        self.day.desk.resync(id, fault, self.now, self.out);
    }

    /// Messages are missing, of whatever stock.
    pub(super) fn lost(&mut self, messages: u64) {
        self.day.counts.lost = self.day.counts.lost.saturating_add(messages);
        let text = format!("{messages} messages are missing, and will not come");
        self.day.desk.notice(&text, self.now, self.out);
        self.distrust_all(Fault::Gap);
    }

    /// Something happened to the book of a stock, nobody knows which.
    fn distrust_all(&mut self, fault: Fault) {
        self.day.whole = false;
        let symbols = self.day.desk.symbols().len() as u32;
        for id in 0..symbols {
            self.day.desk.missed_trades(SymbolId(id));
            self.distrust(SymbolId(id), fault);
        }
    }

    /// Another day begins: numbers and orders of the last one mean nothing any more.
    pub(super) fn forget_day(&mut self) {
        self.day.book.clear();
        self.day.places.clear();
        self.day.locates.clear();
        let symbols = self.day.desk.symbols().len() as u32;
        for id in 0..symbols {
            if self.day.desk.symbol(SymbolId(id)).state() != BookState::Resyncing {
                self.day.desk.resync(SymbolId(id), Fault::NoSnapshot, self.now, self.out);
            }
        }
    }
}
