//! The desk: the symbols of one connection, their books and what was counted. Every event leaves
//! through it, so that no adapter can publish a book that it should not trust.

mod trouble;

use market::{
    Book, BookDiff, BookSide, Event, Flags, Kind, Nanos, Quote, Stamps, Status, Trade, VenueState,
};
use rustc_hash::FxHashMap;

use super::symbol::Spelling;
use super::written::Written;
use super::{BookState, Counts, DeskOptions, Fault, Output, Proof, Stream, Streams, SymbolCounts};
use crate::{Channel, Update};

/// A symbol of one desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId(pub u32);

/// One symbol.
#[derive(Debug)]
pub struct Symbol {
    /// As the venue spells it.
    pub native: Box<str>,
    /// As topics spell it.
    pub canonical: Box<str>,
    /// What was counted.
    pub counts: SymbolCounts,
    wanted: Streams,
    book: Book,
    written: Option<Box<Written>>,
    state: BookState,
    /// The book was published before, so the next snapshot follows a break.
    published: bool,
    /// Executions may have been missed before the next one.
    trades_missed: bool,
    /// What was last said of its state.
    said: VenueState,
    /// The same, unless the venue goes on where the connection broke.
    cut_off: bool,
    channels: [Option<u32>; Kind::COUNT],
}

impl Symbol {
    /// Its book. Trust it as far as [`Symbol::state`] says.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// How far the book can be trusted.
    #[must_use]
    pub fn state(&self) -> BookState {
        self.state
    }

    /// The streams that somebody wants.
    #[must_use]
    pub fn wanted(&self) -> Streams {
        self.wanted
    }
}

/// The symbols of one connection.
#[derive(Debug)]
pub struct Desk {
    options: DeskOptions,
    spelling: Spelling,
    symbols: Vec<Symbol>,
    by_native: FxHashMap<Box<str>, SymbolId>,
    channels: Vec<Channel>,
    /// What was counted.
    pub counts: Counts,
    status: VenueState,
    reported: Vec<&'static str>,
    /// Refused symbols are spoken of when there were so many.
    refused_due: u64,
    /// Symbols that were in resync when their books became unwanted: there is nothing to wait for.
    released: Vec<SymbolId>,
}

/// The status of the venue is always the first channel.
const STATUS: usize = 0;

impl Desk {
    /// A desk with the symbols that `options` list.
    #[must_use]
    pub fn new(options: DeskOptions, spelling: Spelling) -> Self {
        let status = Channel::new(Kind::Status, format!("status.{}", options.venue));
        let listed = options.symbols.clone();
        let mut desk = Self {
            options,
            spelling,
            symbols: Vec::new(),
            by_native: FxHashMap::default(),
            channels: vec![status],
            counts: Counts::default(),
            status: VenueState::Down,
            reported: Vec::new(),
            refused_due: 1,
            released: Vec::new(),
        };
        for symbol in listed {
            match symbol.split_once('=') {
                Some((canonical, native)) => desk.add(native, canonical.to_owned()),
                None => desk.add(&symbol, spelling.canonical(&symbol)),
            };
        }
        desk
    }

    fn add(&mut self, native: &str, canonical: String) -> SymbolId {
        let wanted = if self.options.on_demand { Streams::NONE } else { self.options.streams };
        let id = SymbolId(self.symbols.len() as u32);
        self.symbols.push(Symbol {
            native: native.into(),
            canonical: canonical.into(),
            counts: SymbolCounts::default(),
            wanted,
            book: Book::default(),
            written: self.options.as_written.then(Box::default),
            state: BookState::Resyncing,
            published: false,
            trades_missed: false,
            said: VenueState::Up,
            cut_off: false,
            channels: [None; Kind::COUNT],
        });
        self.by_native.insert(native.into(), id);
        id
    }

    /// What it was opened with.
    #[must_use]
    pub fn options(&self) -> &DeskOptions {
        &self.options
    }

    /// The topics of the updates so far; new ones are only ever added at the end.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// All symbols.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = (SymbolId, &Symbol)> {
        self.symbols.iter().enumerate().map(|(id, symbol)| (SymbolId(id as u32), symbol))
    }

    /// The ids of all symbols so far.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = SymbolId> + use<> {
        // Bounded far below: a desk is given its symbols, or takes `symbols_max` at most.
        (0..self.symbols.len() as u32).map(SymbolId)
    }

    /// One symbol.
    ///
    /// # Panics
    /// When it is of another desk.
    #[must_use]
    pub fn symbol(&self, id: SymbolId) -> &Symbol {
        &self.symbols[id.0 as usize]
    }

    /// Whether somebody wants a stream of a symbol.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    #[must_use]
    pub fn wants(&self, id: SymbolId, stream: Stream) -> bool {
        self.symbol(id).wanted.has(stream)
    }

    /// What was counted of one symbol, to be counted on.
    ///
    /// # Panics
    /// When it is of another desk.
    pub fn counts_of(&mut self, id: SymbolId) -> &mut SymbolCounts {
        &mut self.symbols[id.0 as usize].counts
    }

    /// The symbol that the venue spells `native`. An open desk adds it; any other counts it as
    /// refused, as does an open one that is full; the next message lets the venue's status say so.
    pub fn find(&mut self, native: &str) -> Option<SymbolId> {
        if let Some(&id) = self.by_native.get(native) {
            return Some(id);
        }
        let room = self.symbols.len() < self.options.symbols_max;
        if self.options.open && room && native.len() <= 64 && !native.is_empty() {
            return Some(self.add(native, self.spelling.canonical(native)));
        }
        self.counts.symbols_refused += 1;
        None
    }

    /// The symbol that the venue spells `native`, if the desk has it. Adds and counts nothing.
    #[must_use]
    pub fn known(&self, native: &str) -> Option<SymbolId> {
        self.by_native.get(native).copied()
    }

    /// Notes whether somebody wants a stream of a symbol; false when that was known.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn demand(&mut self, id: SymbolId, stream: Stream, wanted: bool) -> bool {
        let symbol = &mut self.symbols[id.0 as usize];
        let news = self.options.streams.has(stream) && symbol.wanted.has(stream) != wanted;
        if news {
            symbol.wanted.set(stream, wanted);
            if !wanted {
                symbol.trades_missed |= stream == Stream::Trades;
                if stream == Stream::Book {
                    symbol.state = BookState::Resyncing;
                    if symbol.said == VenueState::Resync {
                        self.released.push(id);
                    }
                }
            }
        }
        news
    }

    fn channel(&mut self, id: SymbolId, kind: Kind) -> usize {
        let symbol = &mut self.symbols[id.0 as usize];
        if let Some(channel) = symbol.channels[kind as usize] {
            return channel as usize;
        }
        let channel = self.channels.len();
        symbol.channels[kind as usize] = Some(channel as u32);
        let prefix = match kind {
            Kind::Trade => "trade",
            Kind::Quote => "quote",
            Kind::Book => "book",
            Kind::Bar => "bar-1s",
            Kind::Status => "status",
        };
        let topic = format!("{prefix}.{}.{}", self.options.venue, symbol.canonical);
        self.channels.push(Channel::new(kind, topic).of(&symbol.native));
        channel
    }

    /// A message came: it counts, and a venue that was silent or connecting is up again.
    pub fn heard(&mut self, now: Nanos, out: &mut Output) {
        self.counts.frames += 1;
        if self.status != VenueState::Up {
            self.status(VenueState::Up, "messages come", now, out);
        }
        if self.counts.symbols_refused >= self.refused_due || !self.released.is_empty() {
            self.overdue(now, out);
        }
    }

    /// Publishes an execution.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn trade(&mut self, id: SymbolId, mut trade: Trade, out: &mut Output) {
        let channel = self.channel(id, Kind::Trade);
        let symbol = &mut self.symbols[id.0 as usize];
        symbol.counts.trades += 1;
        let cut_off = std::mem::take(&mut symbol.cut_off);
        if std::mem::take(&mut symbol.trades_missed) || cut_off {
            trade.stamps.flags = trade.stamps.flags.with(Flags::GAP_BEFORE);
        }
        out.updates.push(Update { channel, event: Event::Trade(trade) });
    }

    /// Publishes a best bid and offer.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn quote(&mut self, id: SymbolId, quote: Quote, out: &mut Output) {
        let channel = self.channel(id, Kind::Quote);
        self.symbols[id.0 as usize].counts.quotes += 1;
        out.updates.push(Update { channel, event: Event::Quote(quote) });
    }

    /// Applies a change of a book, or with `reset` a snapshot, and publishes it if it proves
    /// right. `depth` cuts the book to so many levels a side first, for venues that say nothing
    /// when a level falls out. `prove` is given the book that the change leads to.
    ///
    /// # Errors
    /// The book is resyncing then, nothing is published but that, and a snapshot must be had. A
    /// change without a snapshot before it is [`Fault::NoSnapshot`], and tells nobody anything.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn book(
        &mut self,
        id: SymbolId,
        mut diff: BookDiff,
        depth: Option<usize>,
        prove: impl FnOnce(&Book) -> Proof,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let levels_max = self.options.levels_max;
        let symbol = &mut self.symbols[id.0 as usize];
        if symbol.state == BookState::Resyncing && !diff.reset {
            return Err(Fault::NoSnapshot);
        }
        let received = diff.stamps.received;
        // None of these venues trades at such a price, and no number of theirs would show it.
        let prices = diff.bids.iter().chain(&diff.asks).map(|level| level.price);
        let sound = prices.fold(true, |sound, price| sound & price.is_positive());
        if let Some(written) = &mut symbol.written {
            written.note(&diff, &symbol.book);
        }
        let Some(applied) = sound.then(|| symbol.book.apply(&mut diff, levels_max).ok()).flatten()
        else {
            self.resync(id, Fault::Refused, received, out);
            return Err(Fault::Refused);
        };
        if let Some(depth) = depth {
            symbol.book.truncate(depth, &mut diff);
        }
        if !diff.reset {
            symbol.counts.deletes_unknown += applied.deletes_unknown as u64;
        }
        let proof = prove(&symbol.book);
        let fault = match proof {
            Proof::ChecksumWrong => Some(Fault::Checksum),
            _ if symbol.book.is_crossed() => Some(Fault::Crossed),
            _ => None,
        };
        symbol.counts.checksums_ok += u64::from(proof == Proof::ChecksumRight);
        if let Some(fault) = fault {
            self.resync(id, fault, received, out);
            return Err(fault);
        }
        let resynced = symbol.state == BookState::Resyncing;
        symbol.state = match proof {
            Proof::Nothing => BookState::Unverifiable,
            _ => BookState::Verified,
        };
        if diff.reset {
            symbol.counts.snapshots += 1;
        }
        if symbol.state == BookState::Unverifiable {
            diff.stamps.flags = diff.stamps.flags.with(Flags::UNVERIFIED);
        }
        let follows_break = resynced && symbol.published;
        let waited = resynced && symbol.said == VenueState::Resync;
        if follows_break {
            diff.stamps.flags = diff.stamps.flags.with(Flags::GAP_BEFORE);
        }
        symbol.published = true;
        let channel = self.channel(id, Kind::Book);
        out.updates.push(Update { channel, event: Event::Book(diff) });
        if follows_break || waited {
            let reason =
                if follows_break { "the book is right again" } else { "the book is there" };
            self.symbol_status(id, VenueState::Up, reason, received, out);
        }
        Ok(())
    }

    /// Executions of the symbol may have been missed: the next one says so.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn missed_trades(&mut self, id: SymbolId) {
        self.symbols[id.0 as usize].trades_missed = true;
    }

    /// What executions were missed came after all: the next one says nothing of it.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn caught_up(&mut self, id: SymbolId) {
        let symbol = &mut self.symbols[id.0 as usize];
        (symbol.trades_missed, symbol.cut_off) = (false, false);
    }

    /// The venue goes on where the last connection broke: no execution was missed in between. What
    /// was missed before is still told.
    pub fn resumed(&mut self) {
        for symbol in &mut self.symbols {
            symbol.cut_off = false;
        }
    }

    /// The connection is gone, and with it the trust in every book.
    pub fn disconnected(&mut self, reason: &str, now: Nanos, out: &mut Output) {
        self.counts.disconnects += 1;
        for symbol in &mut self.symbols {
            symbol.state = BookState::Resyncing;
            symbol.cut_off |= symbol.counts.trades > 0;
        }
        self.status(VenueState::Down, reason, now, out);
    }

    /// Publishes the state of the venue, if it is another.
    pub fn status(&mut self, state: VenueState, reason: &str, now: Nanos, out: &mut Output) {
        if state != self.status {
            self.counts.silences += u64::from(state == VenueState::Stale);
            self.status = state;
            out.updates.push(Update { channel: STATUS, event: status(state, reason, now) });
        }
    }

    /// Publishes what the venue says of itself; its state stays as it is.
    pub fn notice(&mut self, reason: &str, now: Nanos, out: &mut Output) {
        out.updates.push(Update { channel: STATUS, event: status(self.status, reason, now) });
    }

    /// Publishes the state of one symbol: a refusal, a resync, its end.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn symbol_status(
        &mut self,
        id: SymbolId,
        state: VenueState,
        reason: &str,
        now: Nanos,
        out: &mut Output,
    ) {
        self.symbols[id.0 as usize].said = state;
        let channel = self.channel(id, Kind::Status);
        out.updates.push(Update { channel, event: status(state, reason, now) });
    }

    /// The best price of one side of a symbol's book, and the size there, if it is trusted.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    #[must_use]
    pub fn best(&self, id: SymbolId, side: BookSide) -> Option<market::Level> {
        let symbol = self.symbol(id);
        (symbol.state != BookState::Resyncing).then(|| symbol.book.best(side).copied())?
    }

    /// The price of [`Desk::best`] with the digits that the venue wrote, where
    /// [`DeskOptions::as_written`] has them kept; else at the book's scale.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    #[must_use]
    pub fn best_as_written(&self, id: SymbolId, side: BookSide) -> Option<market::Decimal> {
        let price = self.best(id, side)?.price;
        let written = self.symbol(id).written.as_ref();
        Some(written.map_or(price, |written| written.price(side, price)))
    }
}

fn status(state: VenueState, reason: &str, now: Nanos) -> Event {
    let stamps = Stamps { received: now, ..Stamps::default() };
    Event::Status(Status { state, reason: reason.into(), stamps })
}

#[cfg(test)]
mod tests;
