//! Coinbase Advanced Trade: `level2`, `market_trades`, `ticker` and `heartbeats` on one connection.
//!
//! Source: docs.cdp.coinbase.com, Advanced Trade WebSocket, and sessions recorded in 2026.
//!
//! - `sequence_num` counts every message of a connection, acknowledgements and heartbeats too. A
//!   number that is missing may be any product's, so no book of the connection is trusted then,
//!   and it is made anew. That is what proves the books; there is no checksum.
//! - A snapshot may be above 5 MB, in one message.
//! - A trade's `side` is that of the order that was waiting. Here it is turned around.
//! - The first message of `market_trades` repeats the last hundred trades or so. Trade ids count
//!   up by one for each product, so those that were published before are told from those that
//!   were missed while there was no connection; the latter are published then.
//! - A `-USDC` product is the same market as its `-USD` product, and is told of under that name.

mod read;
mod requests;
mod trades;

use market::{Nanos, Trade, VenueState};
use rustc_hash::FxHashMap;

use self::read::{Head, Scratch};
use self::requests::Requests;
use self::trades::{Context, TradeIds};
use crate::adapter::BookState;
use crate::adapter::by_symbol::BySymbol;
use crate::adapter::json::{JsonError, Reader, Result};
use crate::adapter::symbol::Spelling;
use crate::adapter::{
    Adapter, Desk, DeskOptions, Fault, Input, Oddity, Output, Proof, Rules, SECOND, SymbolId,
    Transport,
};

/// What the venue allows. Without a subscription it cuts a connection after 5 s, and without
/// heartbeats one of quiet products after 60 s to 90 s; `heartbeats` comes once a second.
static RULES: Rules = Rules {
    transport: Transport::WebSocket,
    websocket: "wss://advanced-trade-ws.coinbase.com",
    rest: "",
    message_bytes: 32 << 20,
    messages_per_second: 8,
    connections: 8,
    connections_window: SECOND,
    // Not told; a thousand products' snapshots are a load as it is.
    streams: 3_000,
    lifetime: None,
    stale_after: 5 * SECOND,
    dead_after: 15 * SECOND,
};

/// Errors of the venue that are reported on one connection.
const ERRORS_REPORTED: u32 = 8;

/// Bytes of an error that a report shows.
const SHOWN_BYTES: usize = 200;

/// Coinbase Advanced Trade on one connection.
#[derive(Debug)]
pub(super) struct Coinbase {
    desk: Desk,
    requests: Requests,
    /// The number that is due; `None` before the first message.
    due: Option<u64>,
    /// The last message was one that had come before.
    doubled: bool,
    /// Another connection was asked for.
    leaving: bool,
    errors: u32,
    /// The `-USD` name under which a `-USDC` product is told of.
    aliases: FxHashMap<Box<str>, SymbolId>,
    trades: BySymbol<TradeIds>,
    scratch: Scratch,
    /// The executions of one message.
    executions: Vec<(SymbolId, Option<u64>, Trade)>,
}

/// What a message is to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The next one, or one after a gap.
    New,
    /// Older than what came before.
    Old,
}

impl Coinbase {
    /// An adapter for the products that `options` list.
    #[must_use]
    pub(super) fn new(options: DeskOptions) -> Self {
        let desk = Desk::new(options, Spelling::Separated('-'));
        let listed = |name: &str| desk.symbols().any(|(_, symbol)| *symbol.native == *name);
        let aliases = desk.symbols().filter_map(|(id, symbol)| {
            let dollar = symbol.native.strip_suffix('C').filter(|name| name.ends_with("-USD"))?;
            (!listed(dollar)).then(|| (dollar.into(), id))
        });
        Self {
            aliases: aliases.collect(),
            requests: Requests::default(),
            due: None,
            doubled: false,
            leaving: false,
            errors: 0,
            trades: BySymbol::default(),
            scratch: Scratch::default(),
            executions: Vec::new(),
            desk,
        }
    }

    fn symbol(&mut self, product: &str) -> Option<SymbolId> {
        let alias = self.aliases.get(product).copied();
        alias.or_else(|| self.desk.find(product))
    }

    fn message(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        let mut head = Head::default();
        let mut later = None;
        let mut done = false;
        let read = Reader::all(message, |reader| {
            reader.object(|reader, key| {
                match key {
                    "channel" => head.channel = Some(reader.string()?),
                    "timestamp" => head.timestamp = Some(reader.string()?),
                    "sequence_num" => head.sequence = Some(reader.unsigned()?),
                    "type" => head.kind = Some(reader.string()?),
                    "message" => head.message = Some(reader.raw()?),
                    "events" if head.is_whole() && !done => {
                        done = true;
                        self.events(&head, reader, message, now, out)?;
                    }
                    "events" => {
                        later = Some(reader.clone());
                        reader.skip()?;
                    }
                    _ => reader.skip()?,
                }
                Ok(())
            })
        });
        let read = read.and_then(|()| match later {
            _ if done => Ok(()),
            Some(mut reader) if head.is_whole() => {
                self.events(&head, &mut reader, message, now, out)
            }
            _ => self.no_events(&head, now, out),
        });
        if let Err(error) = read {
            self.desk.malformed(error, message, now, out);
            // Without a number it may be none of the venue's; if it was, the next one tells.
            if done {
                self.lost_events(head.channel, now, out);
            }
        }
    }

    /// The events of a message are not known to be all that there were.
    fn lost_events(&mut self, channel: Option<&str>, now: Nanos, out: &mut Output) {
        match channel {
            Some("l2_data") => self.distrust(Fault::Malformed, "unreadable message", now, out),
            Some("market_trades") => self.missed_trades(),
            _ => {}
        }
    }

    fn no_events(&mut self, head: &Head<'_>, now: Nanos, out: &mut Output) -> Result<()> {
        let place = head.sequence.map(|sequence| self.place(sequence, now, out));
        if head.kind == Some("error") {
            self.error(head.message.unwrap_or_default(), now, out);
            return Ok(());
        }
        match (head.channel, place) {
            (Some("l2_data" | "market_trades" | "ticker" | "ticker_batch"), _) => {
                if place.is_some() {
                    self.lost_events(head.channel, now, out);
                }
                Err(JsonError { at: 0, expected: "timestamp, sequence_num and events" })
            }
            (Some("heartbeats" | "subscriptions" | "candles" | "status"), _) => Ok(()),
            // It is one of the connection's, and may have been about any book.
            (None, Some(_)) => {
                self.lost_events(Some("l2_data"), now, out);
                Err(JsonError { at: 0, expected: "a channel" })
            }
            _ => {
                self.desk.counts.unknown += 1;
                Ok(())
            }
        }
    }

    /// Checks the number of a message.
    fn place(&mut self, sequence: u64, now: Nanos, out: &mut Output) -> Place {
        let due = self.due.unwrap_or(sequence);
        // A recorder may have opened another connection without saying so. A snapshot comes first.
        let anew = self.desk.options().recorded && sequence == 0 && due > 1;
        // One may be doubled. Two in a row may be the first of a new count.
        if sequence < due && !self.doubled && !anew {
            self.doubled = true;
            let same = sequence.checked_add(1) == Some(due);
            let oddity = if same { Oddity::Repeated } else { Oddity::Overtaken };
            self.desk.odd_message(oddity, now, out);
            return Place::Old;
        }
        if sequence != due {
            self.missed_trades();
            self.distrust(Fault::Gap, "gap in sequence_num", now, out);
        }
        self.doubled = false;
        self.due = sequence.checked_add(1);
        Place::New
    }

    /// Ends the trust in all books, and asks for another connection.
    fn distrust(&mut self, fault: Fault, reason: &str, now: Nanos, out: &mut Output) {
        for id in self.desk.ids() {
            self.desk.resync(id, fault, now, out);
        }
        if !self.leaving {
            self.leaving = true;
            out.reconnect(reason);
        }
    }

    fn missed_trades(&mut self) {
        for id in self.desk.ids() {
            self.desk.missed_trades(id);
        }
    }

    fn events(
        &mut self,
        head: &Head<'_>,
        reader: &mut Reader<'_>,
        message: &[u8],
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        let place = self.place(head.sequence.unwrap_or_default(), now, out);
        let mut context = Context { head, message, now, out };
        match head.channel.unwrap_or_default() {
            "l2_data" => reader.list(|reader| self.book_event(place, reader, &mut context)),
            // They are as good as those of the stream; what was published once is not again.
            _ if place == Place::Old => reader.skip(),
            "market_trades" => self.trades(reader, &mut context),
            "ticker" | "ticker_batch" => read::members(reader, "tickers", &mut false, |reader| {
                self.ticker(reader, &mut context)
            }),
            "subscriptions" => {
                let aliases = &self.aliases;
                let find = |desk: &Desk, name: &str| {
                    desk.known(name).or_else(|| aliases.get(name).copied())
                };
                self.requests.answered(&mut self.desk, find, reader, now, context.out)
            }
            // `current_time` in a heartbeat is no RFC 3339 time, and nothing needs it.
            "heartbeats" | "candles" | "status" => reader.skip(),
            _ => {
                self.desk.counts.unknown += 1;
                reader.skip()
            }
        }
    }

    fn book_event(
        &mut self,
        place: Place,
        reader: &mut Reader<'_>,
        context: &mut Context<'_, '_>,
    ) -> Result<()> {
        let start = reader.clone();
        let now = context.now;
        let event = match read::book_event(reader, &mut self.scratch) {
            Ok(event) => event,
            Err(error) => {
                // What is no JSON ends the whole message; else the other events are good.
                *reader = start;
                let product = read::product(reader)?;
                self.desk.malformed(error, context.message, context.now, context.out);
                match product.and_then(|product| self.symbol(product)) {
                    Some(id) => {
                        self.desk.resync(id, Fault::Malformed, now, context.out);
                        self.requests.book_broke(&self.desk, id, now, context.out);
                    }
                    None if product.is_none() => {
                        self.lost_events(Some("l2_data"), now, context.out);
                    }
                    None => {}
                }
                return Ok(());
            }
        };
        let Some(id) = self.symbol(event.product) else { return Ok(()) };
        let counts = self.desk.counts_of(id);
        counts.book_events += 1;
        if place == Place::Old {
            counts.stale += 1;
            return Ok(());
        }
        let mut diff = event.diff;
        let snapshot = diff.reset;
        if !snapshot && diff.bids.is_empty() && diff.asks.is_empty() {
            // The venue sends such; there is nothing to tell.
            return Ok(());
        }
        let time = if event.time.is_empty() { context.head.timestamp } else { Some(event.time) };
        diff.stamps = context.stamps(time);
        match self.desk.book(id, diff, None, |_| Proof::Sequence, context.out) {
            Ok(()) if snapshot => self.requests.book_came(id, now),
            Ok(()) => {}
            Err(Fault::NoSnapshot) => self.requests.book_waits(&self.desk, id, now, context.out),
            Err(_) => self.requests.book_broke(&self.desk, id, now, context.out),
        }
        Ok(())
    }

    /// The venue refuses something, and says in words what.
    fn error(&mut self, text: &[u8], now: Nanos, out: &mut Output) {
        self.errors += 1;
        if self.errors <= ERRORS_REPORTED {
            let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN_BYTES)]);
            let shown: String = shown.chars().flat_map(char::escape_debug).collect();
            self.desk.report(&format!("the venue says: {shown}"), out);
        }
        self.requests.one_answer(&mut self.desk, now, out);
    }
}

impl Adapter for Coinbase {
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output) {
        match input {
            Input::Connected => {
                self.due = None;
                self.doubled = false;
                self.leaving = false;
                self.errors = 0;
                self.requests.connected(&self.desk, now, out);
            }
            Input::Text(message) | Input::Binary(message) => {
                self.desk.heard(now, out);
                self.message(message, now, out);
            }
            Input::Timer if !self.leaving => self.requests.timer(&self.desk, now, out),
            Input::Silent => {
                self.desk.status(VenueState::Stale, "no message for 5 s", now, out);
            }
            Input::Demand { symbol, stream, wanted } => {
                if self.desk.demand(symbol, stream, wanted) {
                    self.requests.demand(&self.desk, symbol, stream, wanted, now, out);
                }
            }
            Input::Disconnected { reason } => {
                self.requests.disconnected();
                self.desk.disconnected(reason, now, out);
            }
            // There are no requests by REST.
            Input::Timer | Input::Answer { .. } | Input::NoAnswer { .. } => {}
        }
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn rules(&self) -> &'static Rules {
        &RULES
    }
}

/// Whether a book is wanted and not there.
fn lacks_book(desk: &Desk, id: SymbolId) -> bool {
    let symbol = desk.symbol(id);
    symbol.wanted().book && symbol.state() == BookState::Resyncing
}

#[cfg(test)]
mod tests;
