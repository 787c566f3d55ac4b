//! The exchange: a market, its clients, and what time makes of both.

use std::collections::BTreeMap;

use market::{Book, Nanos, Trade};

use crate::board::{Board, Deed, Listed};
use crate::chance::{Chance, Purpose};
use crate::connection::{
    Connection, ConnectionId, Delivery, Effect, Outgoing, Reply, Stream, Subscription,
};
use crate::fault::{Fault, FaultCounts, FaultPlan, Strike};
use crate::history::{Changes, Removal, changes, same_best};
use crate::protocol::{self, Protocol, Scene};
use crate::{ExchangeError, Options, Venue};

/// How far behind the exchange may be and still play everything it missed.
const CATCH_UP_MAX: Nanos = 1_000_000_000;
/// Between two signs of life.
const BEAT: Nanos = 1_000_000_000;
/// Seconds that a client is told to wait after too many requests.
const RETRY_AFTER: u32 = 1;

/// What strikes, and what did.
#[derive(Debug)]
pub(crate) struct Mischief {
    pub(crate) plan: FaultPlan,
    pub(crate) chance: Chance,
    pub(crate) counts: FaultCounts,
    pub(crate) strikes: Vec<Strike>,
    /// Messages that could have been hit.
    pub(crate) messages: u64,
    requests: u64,
}

impl Mischief {
    /// Strikes that are kept; all are counted.
    const STRIKES_MAX: usize = 10_000;

    pub(crate) fn struck(&mut self, strike: Strike) {
        self.counts.count(strike.fault);
        if self.strikes.len() < Self::STRIKES_MAX {
            self.strikes.push(strike);
        }
    }
}

/// A simulated exchange that speaks one venue's protocol.
///
/// Time is an argument and must not go back. The same options, start and calls give the same
/// deliveries, however the calls of [`Exchange::advance`] between the others are spaced, as long
/// as they are less than a second apart: after a longer pause the market goes on as if it had
/// stood still.
#[derive(Debug)]
pub struct Exchange {
    pub(crate) venue: Venue,
    pub(crate) protocol: &'static dyn Protocol,
    pub(crate) board: Board,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) mischief: Mischief,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) clock: Nanos,
    names: Chance,
    traps: Chance,
    next_connection: u64,
    /// When gathered changes of books are told.
    flush_due: Option<Nanos>,
    beat_due: Nanos,
    lifetime: Option<Nanos>,
    slow_rest: Nanos,
}

impl Exchange {
    /// An exchange that opens at `start`, in nanoseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// The first of the `options` that is out of bounds.
    pub fn new(options: Options, start: Nanos) -> Result<Self, ExchangeError> {
        options.validate()?;
        let mut board = Board::new(&options, start)?;
        board.advance(start);
        Ok(Self {
            venue: options.venue,
            protocol: protocol::of(options.venue),
            board,
            connections: BTreeMap::new(),
            mischief: Mischief {
                plan: options.faults,
                chance: Chance::new(options.seed, Purpose::Faults),
                counts: FaultCounts::default(),
                strikes: Vec::new(),
                messages: 0,
                requests: 0,
            },
            deliveries: Vec::new(),
            clock: start,
            names: Chance::new(options.seed, Purpose::Names),
            traps: Chance::new(options.seed, Purpose::Traps),
            next_connection: 1,
            flush_due: None,
            beat_due: start.saturating_add(BEAT),
            lifetime: options.lifetime,
            slow_rest: options.slow_rest,
        })
    }

    /// Whose protocol it speaks.
    #[must_use]
    pub fn venue(&self) -> Venue {
        self.venue
    }

    /// Its symbols, as the venue spells them.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = &str> {
        self.board.symbols().iter().map(|listed| listed.native.as_str())
    }

    /// A client connected and asked for `path`, with its query.
    pub fn connect(&mut self, path: &str, now: Nanos) -> ConnectionId {
        self.advance(now);
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let name = self.protocol.name(self.names.any());
        self.connections.insert(id, Connection::new(path, name, now));
        self.with(id, |protocol, connection, scene, out| {
            protocol.connected(connection, scene, out);
        });
        id
    }

    /// A client sent a text message. What is not UTF-8 is no message of any of the protocols.
    pub fn receive(&mut self, connection: ConnectionId, text: &[u8], now: Nanos) {
        self.advance(now);
        let Some(held) = self.connections.get_mut(&connection).filter(|held| !held.silent) else {
            return;
        };
        let (since, count) = held.received;
        held.received =
            if now.saturating_sub(since) < BEAT { (since, count + 1) } else { (now, 1) };
        if held.received.1 > self.protocol.messages_per_second() {
            return self.close(connection, 1008, "Too many requests");
        }
        let text = String::from_utf8_lossy(text);
        self.with(connection, |protocol, connection, scene, out| {
            protocol.received(connection, &text, scene, out);
        });
    }

    /// A client is gone.
    pub fn disconnect(&mut self, connection: ConnectionId, now: Nanos) {
        self.advance(now);
        self.connections.remove(&connection);
    }

    /// A REST request: GET of `target`, path and query.
    pub fn request(&mut self, target: &str, now: Nanos) -> Reply {
        self.advance(now);
        self.mischief.requests += 1;
        let (number, venue) = (self.mischief.requests, self.venue);
        let scene = Scene { board: &self.board, now, traps: &mut self.traps };
        let has_older = self.protocol.has_older(target, &scene);
        let fault = self.mischief.plan.strike(number, &mut self.mischief.chance, |fault| {
            fault.strikes_rest(venue)
                && fault.applies_to(venue)
                && (fault != Fault::StaleSnapshot || has_older)
        });
        if let Some(fault) = fault {
            let strike =
                Strike { fault, at: now, connection: None, number, class: None, symbol: None };
            self.mischief.struck(strike);
        }
        let scene = Scene { board: &self.board, now, traps: &mut self.traps };
        match fault {
            Some(Fault::Rest429) => Reply {
                retry_after: Some(RETRY_AFTER),
                ..Reply::new(429, r#"{"code":-1003,"msg":"Too many requests."}"#)
            },
            Some(Fault::Rest5xx) => Reply::new(503, "Service Unavailable"),
            Some(Fault::RestSlow) => {
                Reply { delay: self.slow_rest, ..self.protocol.rest(target, false, &scene) }
            }
            fault => self.protocol.rest(target, fault == Some(Fault::StaleSnapshot), &scene),
        }
    }

    /// Plays everything due at or before `now`.
    pub fn advance(&mut self, now: Nanos) {
        let behind = self.board.next_due().map_or(0, |due| now.saturating_sub(due));
        if behind > CATCH_UP_MAX {
            // The market stood still meanwhile.
            self.clock = now;
            for deed in self.board.advance(now) {
                self.play(&deed);
            }
            self.beat_due = now.saturating_add(BEAT);
        }
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.clock = self.clock.max(due);
            if self.board.next_due() == Some(due) {
                for deed in self.board.advance(due) {
                    self.play(&deed);
                }
            } else if self.flush_due == Some(due) {
                self.flush_due = None;
                let symbols = self.board.symbols().iter().enumerate();
                let due: Vec<usize> =
                    symbols.filter(|(_, listed)| listed.due).map(|(index, _)| index).collect();
                for symbol in due {
                    self.tell_book(symbol);
                }
            } else if self.beat_due == due {
                self.beat_due = due.saturating_add(BEAT);
                let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
                for id in all {
                    self.with(id, |protocol, connection, scene, out| {
                        protocol.beat(connection, scene, out);
                    });
                }
            } else {
                self.end_lifetimes();
            }
        }
        self.clock = self.clock.max(now);
    }

    /// When [`Exchange::advance`] has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        let ends = self.connections.values().filter(|connection| !connection.silent);
        let ends = ends.filter_map(|held| Some(held.opened.saturating_add(self.lifetime?)));
        self.board
            .next_due()
            .into_iter()
            .chain(self.flush_due)
            .chain([self.beat_due])
            .chain(ends)
            .min()
    }

    /// Everything that is to be done for clients since the last call, in order.
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    /// Connections that are open, silent ones too.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// What goes wrong from now on; what did stays counted.
    ///
    /// # Errors
    /// A kind that cannot happen here; nothing changes then.
    pub fn set_faults(&mut self, plan: FaultPlan) -> Result<(), ExchangeError> {
        plan.check(self.venue)?;
        self.mischief.plan = plan;
        Ok(())
    }

    /// Nothing goes wrong from now on. Connections that fell silent stay so.
    pub fn end_faults(&mut self) {
        self.mischief.plan = FaultPlan::none();
        for connection in self.connections.values_mut() {
            connection.swallowing.clear();
        }
    }

    /// How often each fault has struck.
    #[must_use]
    pub fn faults(&self) -> FaultCounts {
        self.mischief.counts
    }

    /// The first ten thousand faults that struck, in order.
    #[must_use]
    pub fn strikes(&self) -> &[Strike] {
        &self.mischief.strikes
    }

    /// Messages so far that a fault could have hit: the numbers that schedules count by.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.mischief.messages
    }

    fn listed(&self, symbol: &str) -> Option<&Listed> {
        Some(self.board.at(self.board.find(symbol)?))
    }

    /// The book of a symbol, spelt as the venue does, as the last message of its stream told it:
    /// all levels that there are.
    #[must_use]
    pub fn book(&self, symbol: &str) -> Option<&Book> {
        Some(&self.listed(symbol)?.told.book)
    }

    /// The venue's number of [`Exchange::book`], as in [`Exchange::book_at`].
    #[must_use]
    pub fn number(&self, symbol: &str) -> Option<u64> {
        Some(self.listed(symbol)?.told.number)
    }

    /// The book that led to a number of the venue's: `u` or `lastUpdateId` of Binance, `seqId` of
    /// OKX, `u` of Bybit. Coinbase and Kraken do not number books; theirs are numbered here from
    /// 1 000 000 on, one for each message. The last
    /// [`Options::history`] are kept.
    #[must_use]
    pub fn book_at(&self, symbol: &str, number: u64) -> Option<Book> {
        Some(self.listed(symbol)?.find(|moment| moment.number == number)?.book)
    }

    /// The newest number, as in [`Exchange::book_at`], at which the best levels were those of
    /// `book`, as deep as the last subscription was. `None` if they never were among those kept:
    /// then it is wrong.
    #[must_use]
    pub fn held(&self, symbol: &str, book: &Book) -> Option<u64> {
        let listed = self.listed(symbol)?;
        Some(listed.find(|moment| same_best(&moment.book, book, listed.depth))?.number)
    }

    /// Whether `book` is what the last message told, or newer: a client that missed nothing has
    /// it, as deep as the last subscription was.
    #[must_use]
    pub fn agrees(&self, symbol: &str, book: &Book) -> bool {
        let told = self.listed(symbol).map(|listed| listed.told.number);
        self.held(symbol, book).zip(told).is_some_and(|(held, told)| held >= told)
    }

    /// The last fifty executions of a symbol, oldest first, with the aggressor's side; nothing for
    /// a symbol that there is not. Some venues write the ids in another way.
    pub fn trades(&self, symbol: &str) -> impl DoubleEndedIterator<Item = &Trade> {
        self.listed(symbol).into_iter().flat_map(|listed| &listed.trades)
    }

    /// Lets the protocol work on one connection, and sends what comes of it.
    fn with(
        &mut self,
        id: ConnectionId,
        work: impl FnOnce(&dyn Protocol, &mut Connection, &mut Scene<'_>, &mut Vec<Outgoing>),
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut out = Vec::new();
        let mut scene = Scene { board: &self.board, now: self.clock, traps: &mut self.traps };
        work(self.protocol, connection, &mut scene, &mut out);
        for subscription in &connection.subscriptions {
            if let Stream::Book(depth) = subscription.stream {
                self.board.followed(subscription.symbol, depth);
            }
        }
        for outgoing in out {
            self.transmit(id, outgoing);
        }
    }

    /// The same for each subscription of each connection to a symbol: sends what it is told.
    fn for_each<T: IntoIterator<Item = String>>(
        &mut self,
        symbol: usize,
        mut told: impl FnMut(&dyn Protocol, &mut Connection, &Subscription, &mut Scene<'_>) -> T,
    ) {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in all {
            self.with(id, |protocol, connection, scene, out| {
                let subscriptions = std::mem::take(&mut connection.subscriptions);
                for held in subscriptions.iter().filter(|held| held.symbol == symbol) {
                    let texts = told(protocol, connection, held, scene);
                    out.extend(texts.into_iter().map(|text| Outgoing::data(held, text)));
                }
                connection.subscriptions = subscriptions;
            });
        }
    }

    fn play(&mut self, deed: &Deed) {
        if !deed.trades.is_empty() {
            self.for_each(deed.symbol, |protocol, connection, held, scene| match held.stream {
                // Tickers may move with executions too; whether they do is the protocol's choice.
                Stream::Trades
                | Stream::AggregateTrades
                | Stream::QuotesOnTrade
                | Stream::Quotes => protocol.trades(connection, held, &deed.trades, scene),
                Stream::Book(_) | Stream::Top(_) => Vec::new(),
            });
        }
        if self.board.at(deed.symbol).due {
            match self.protocol.book_interval() {
                0 => self.tell_book(deed.symbol),
                interval => {
                    let next = (deed.at - deed.at % interval).saturating_add(interval);
                    self.flush_due = Some(self.flush_due.map_or(next, |due| due.min(next)));
                }
            }
        }
        if let Some(before) = &deed.quote_before {
            self.for_each(deed.symbol, |protocol, connection, held, scene| match held.stream {
                Stream::Quotes => protocol.quote(connection, held, before.as_ref(), scene),
                _ => None,
            });
        }
    }

    /// Tells the book of a symbol as it is now to all who follow it.
    fn tell_book(&mut self, symbol: usize) {
        self.board.tell(symbol, self.clock);
        let removal = match self.protocol.leaves_pushed_out_levels_untold() {
            true => Removal::UnlessPushedOut,
            false => Removal::Told,
        };
        self.for_each(symbol, |protocol, connection, held, scene| {
            let listed = scene.board.at(symbol);
            let changes = match held.stream {
                // Its snapshots may be of any moment, so each price that moved is told.
                Stream::Book(_) if protocol.tells_all_that_moved() => listed.touched_told.clone(),
                Stream::Book(depth) => {
                    changes(&listed.told_before.book, &listed.told.book, depth, removal)
                }
                Stream::Top(_) => Changes::default(),
                _ => return None,
            };
            protocol.book(connection, held, &changes, scene)
        });
    }

    /// Closes whatever has lived as long as the venue lets it.
    fn end_lifetimes(&mut self) {
        let Some(lifetime) = self.lifetime else { return };
        let over = self
            .connections
            .iter()
            .filter(|(_, held)| !held.silent && held.opened.saturating_add(lifetime) <= self.clock);
        let over: Vec<ConnectionId> = over.map(|(id, _)| *id).collect();
        for id in over {
            let number = self.mischief.messages;
            let strike = Strike {
                fault: Fault::Cut,
                at: self.clock,
                connection: Some(id),
                number,
                class: None,
                symbol: None,
            };
            self.mischief.struck(strike);
            self.close(id, 1001, "maximum lifetime of a connection");
        }
    }

    /// Ends a connection with a close frame.
    pub(crate) fn close(&mut self, id: ConnectionId, code: u16, reason: &str) {
        if self.connections.remove(&id).is_some() {
            self.deliver(id, Effect::Close { code, reason: reason.to_owned() });
        }
    }

    pub(crate) fn deliver(&mut self, connection: ConnectionId, effect: Effect) {
        self.deliveries.push(Delivery { connection, at: self.clock, effect });
    }
}
