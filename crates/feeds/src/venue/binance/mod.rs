//! Binance spot, and Binance US, which speaks the same protocol on another host.
//!
//! Streams: `trade`, `bookTicker` and `depth@100ms` are subscribed. What else is understood:
//!
//! - `aggTrade`: published for a symbol only as long as none of its `trade` messages came, as in a
//!   recording that has no others; an execution that an aggregate told of is not published again.
//! - `depth5`, `depth10`, `depth20`: each message is the whole of the best levels. It is the
//!   symbol's book where no diffs come for it. These messages bear no symbol; in a combined
//!   stream its name tells it, elsewhere they are unknown.
//! - `kline`: read and counted as unused. Bars are built here from trades, and two sources of one
//!   topic would contradict each other.
//!
//! The book: diffs wait until a snapshot by REST has come that they follow without a hole, see
//! [`book::Sync`]. It is asked for when the first diff has come, or the subscription was confirmed:
//! an earlier one could miss what happened in between. A snapshot without any diff to hold
//! against it is published as unverified, and proved by the next diff. Levels beyond the
//! snapshot's own depth are not known before they change.
//!
//! Numbers of executions follow each other without holes, so one that came twice is dropped, and
//! one before which others are missing says so.
//!
//! Source: binance-spot-api-docs, `web-socket-streams.md`, `rest-api.md`, `CHANGELOG.md`.

mod book;
mod ids;
mod message;
mod rest;
mod streams;
#[cfg(test)]
mod tests;

use market::{BookDiff, Nanos, VenueState};

use self::book::{Step, Sync};
use self::ids::{IdWindow, Met};
use self::message::{Kind, Message};
use self::streams::Subscriptions;
use super::snapshot::{Answer, Fetches, Held};
use crate::adapter::by_symbol::BySymbol;
use crate::adapter::symbol::Spelling;
use crate::adapter::{
    Adapter, Desk, DeskOptions, Fault, Input, Oddity, Output, Proof, Rules, SECOND, Stream,
    Streams, SymbolId, Transport,
};

/// Quote currencies of Binance. Left out are `AEUR`, or ADAEUR would be AD-AEUR, and `BIDR`, or
/// BNBIDR would be BN-BIDR: such symbols are to be configured as `BTC-AEUR=BTCAEUR`.
const QUOTES: &[&str] = &[
    "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDS", "USDP", "USD1", "PAX", "DAI", "UST", "BTC",
    "ETH", "BNB", "SOL", "XRP", "TRX", "DOGE", "DOT", "EUR", "EURI", "GBP", "AUD", "TRY", "BRL",
    "ARS", "MXN", "COP", "JPY", "ZAR", "PLN", "RON", "CZK", "UAH", "RUB", "NGN", "IDR", "IDRT",
    "VAI",
];

/// Quote currencies of Binance US. `BUSD` and `TUSD` are left out, or BNBUSD and LPTUSD would be
/// BN-BUSD and LP-TUSD.
const QUOTES_US: &[&str] = &["USD", "USDT", "USDC", "BTC", "ETH", "BNB", "DAI"];

static RULES: Rules = Rules {
    transport: Transport::WebSocket,
    websocket: "wss://stream.binance.com:9443/stream",
    rest: "https://api.binance.com",
    // Far above the largest diff seen; a message of the stream is never long.
    message_bytes: 4 << 20,
    // Pings and pongs count too.
    messages_per_second: 5,
    connections: 300,
    connections_window: 300 * SECOND,
    streams: 1024,
    lifetime: Some(24 * 3600 * SECOND),
    // Quiet symbols are silent for long.
    stale_after: 45 * SECOND,
    // The server pings every 20 s: three of them are missing.
    dead_after: 70 * SECOND,
};

static RULES_US: Rules = Rules {
    transport: Transport::WebSocket,
    websocket: "wss://stream.binance.us:9443/stream",
    rest: "https://api.binance.us",
    ..RULES
};

/// Request weight that is allowed in a minute. Each snapshot costs as [`weight`] says.
const WEIGHT_PER_MINUTE: u64 = 6_000;

/// Up to so many symbols whole snapshots of 5000 levels are asked for; with more of them the
/// request weight would last for a few books a minute only.
const DEEP_SYMBOLS: usize = 20;

/// Most levels a side of a snapshot.
pub(super) const DEPTH_MAX: usize = 5_000;

/// The adapter for one connection to Binance or Binance US.
#[derive(Debug)]
pub(super) struct Binance {
    desk: Desk,
    rules: &'static Rules,
    markets: BySymbol<Market>,
    fetches: Fetches,
    subscriptions: Subscriptions,
    /// Levels a side that a snapshot is asked for.
    limit: usize,
    /// The server has said that it will go, and we have said that we know.
    leaving: bool,
}

/// What is kept of one symbol besides its book.
#[derive(Debug, Default)]
struct Market {
    sync: Sync,
    trades: IdWindow,
    /// Executions come one by one, so aggregates of them are not needed.
    single_trades: bool,
    /// Aggregates came, which single ones may tell of again.
    aggregates: bool,
    /// Number of the newest quote.
    quoted: u64,
    /// Number of the newest partial depth.
    partial: u64,
    /// The venue does not have it.
    refused: bool,
}

impl Binance {
    /// An adapter for Binance spot.
    pub(super) fn new(options: DeskOptions) -> Self {
        Self::with(options, QUOTES, &RULES)
    }

    /// An adapter for Binance US.
    pub(super) fn us(options: DeskOptions) -> Self {
        Self::with(options, QUOTES_US, &RULES_US)
    }

    fn with(
        mut options: DeskOptions,
        quotes: &'static [&'static str],
        rules: &'static Rules,
    ) -> Self {
        for symbol in &mut options.symbols {
            // Messages spell them in capitals.
            *symbol = match symbol.split_once('=') {
                Some((canonical, native)) => format!("{canonical}={}", native.to_uppercase()),
                None => symbol.to_uppercase(),
            };
        }
        let few = !options.open && options.symbols.len() <= DEEP_SYMBOLS;
        let limit = options.depth.unwrap_or(if few { 5_000 } else { 1_000 }).clamp(1, DEPTH_MAX);
        let cost = 60 * SECOND * weight(limit) / WEIGHT_PER_MINUTE;
        let recorded = options.recorded;
        Self {
            desk: Desk::new(options, Spelling::Joined(quotes)),
            rules,
            markets: BySymbol::default(),
            // Half of it at once, and half of it at any time: others may use the address too.
            fetches: Fetches::new(2 * cost, 60 * SECOND).at_once(recorded),
            subscriptions: Subscriptions::default(),
            limit,
            leaving: false,
        }
    }

    fn market(&mut self, id: SymbolId) -> &mut Market {
        self.markets.of(id)
    }

    fn wanted(&self, id: SymbolId) -> Streams {
        self.desk.symbol(id).wanted()
    }

    fn connected(&mut self, now: Nanos, out: &mut Output) {
        self.leaving = false;
        self.fetches.forget_all();
        for (_, market) in self.markets.iter_mut() {
            market.sync.restart();
            (market.quoted, market.partial, market.refused) = (0, 0, false);
        }
        self.subscriptions.restart(&self.desk);
        self.subscriptions.flush(&mut self.desk, self.rules.streams, now, out);
    }

    fn message(&mut self, text: &[u8], now: Nanos, out: &mut Output) {
        self.desk.heard(now, out);
        let message = match message::read(text, now) {
            Ok(message) => message,
            Err(error) => {
                self.desk.malformed(error, text, now, out);
                self.suspect(text, now, out);
                return;
            }
        };
        match message {
            Message::Trade { native, ids, aggregate, trade } => {
                let Some(id) = self.desk.find(native) else { return };
                if !self.wanted(id).trades {
                    self.desk.counts.unused += 1;
                } else if !self.is_repeated(id, ids, aggregate, now, out) {
                    self.desk.trade(id, trade, out);
                }
            }
            Message::Quote { native, quote } => {
                let Some(id) = self.desk.find(native) else { return };
                let number = quote.stamps.sequence.unwrap_or_default();
                if !self.wanted(id).quotes {
                    self.desk.counts.unused += 1;
                    return;
                }
                let newest = std::mem::replace(&mut self.market(id).quoted, number);
                if number < newest {
                    // It says what was, not what is.
                    self.market(id).quoted = newest;
                    self.desk.odd(id, Oddity::Overtaken, now, out);
                    return;
                }
                if number == newest && number > 0 {
                    self.desk.odd(id, Oddity::Repeated, now, out);
                    return;
                }
                self.desk.quote(id, quote, out);
            }
            Message::Depth { native, held } => {
                let Some(id) = self.desk.find(native) else { return };
                self.diff(id, held, now, out);
            }
            Message::Partial { native, diff } => self.partial(native, diff, out),
            Message::Kline | Message::Unused => self.desk.counts.unused += 1,
            Message::Shutdown => {
                if !std::mem::replace(&mut self.leaving, true) {
                    out.reconnect("the server said that it is about to shut down");
                }
            }
            Message::Done { id } => self.confirmed(id, now),
            Message::Refused { id, code, text } => {
                self.subscriptions.denied(id, (code, text), &mut self.desk, now, out);
            }
            Message::Unknown => self.desk.counts.unknown += 1,
        }
    }

    /// A request was carried out: from now on no change of those books is missed, so a snapshot
    /// can be had.
    fn confirmed(&mut self, request: Option<u64>, now: Nanos) {
        let Some(request) = request.and_then(|id| self.subscriptions.confirmed(id)) else { return };
        let books = request.streams.iter().filter(|(_, stream)| *stream == Stream::Book);
        for &(id, _) in books.filter(|_| request.subscribe) {
            if self.wanted(id).book && self.market(id).sync.waits() {
                self.need_snapshot(id, now);
            }
        }
    }

    /// Whether an execution was published before, or will be one by one.
    fn is_repeated(
        &mut self,
        id: SymbolId,
        ids: (u64, u64),
        aggregate: bool,
        now: Nanos,
        out: &mut Output,
    ) -> bool {
        let market = self.market(id);
        if aggregate && market.single_trades {
            self.desk.counts.unused += 1;
            return true;
        }
        market.single_trades |= !aggregate;
        let aggregates = market.aggregates;
        market.aggregates |= aggregate;
        match market.trades.take(ids.0, ids.1) {
            Met::New => false,
            Met::AfterMissing => {
                self.desk.missed_trades(id);
                self.desk.odd(id, Oddity::TradesMissed, now, out);
                false
            }
            Met::Again if aggregates && !aggregate => {
                self.desk.counts.unused += 1;
                true
            }
            Met::Again => {
                self.desk.odd(id, Oddity::Repeated, now, out);
                true
            }
        }
    }

    fn diff(&mut self, id: SymbolId, held: Held, now: Nanos, out: &mut Output) {
        if !self.wanted(id).book {
            self.desk.counts.unused += 1;
            return;
        }
        self.desk.counts_of(id).book_events += 1;
        match self.market(id).sync.diff(held) {
            Step::Apply(held) => {
                self.apply(id, held, now, out);
                return;
            }
            Step::Stale { repeated } => {
                self.desk.counts_of(id).stale += 1;
                if repeated {
                    self.desk.odd(id, Oddity::Repeated, now, out);
                }
                return;
            }
            Step::Wait(0) => {}
            Step::Wait(_) => {
                let report =
                    || "too many diffs wait for a snapshot, the oldest were dropped".into();
                self.desk.report_once("backlog", report, out);
            }
            Step::Gap => self.desk.resync(id, Fault::Gap, now, out),
            Step::Outdated => self.desk.resync(id, Fault::Outdated, now, out),
        }
        self.need_snapshot(id, now);
    }

    fn need_snapshot(&mut self, id: SymbolId, now: Nanos) {
        if !self.market(id).refused {
            self.fetches.ask(id, now);
        }
    }

    /// Applies the next diff; false when that ended the book.
    fn apply(&mut self, id: SymbolId, held: Held, now: Nanos, out: &mut Output) -> bool {
        let right = self.desk.book(id, held.diff, None, |_| Proof::Sequence, out).is_ok();
        let sync = &mut self.market(id).sync;
        if right {
            sync.applied(held.last);
        } else {
            sync.lose(Some(held.last));
            self.need_snapshot(id, now);
        }
        right
    }

    fn partial(&mut self, stream: &str, diff: BookDiff, out: &mut Output) {
        let Some(id) = self.desk.find(&stream.to_uppercase()) else { return };
        let market = self.market(id);
        let number = diff.stamps.sequence.unwrap_or_default();
        // It comes at its pace whether or not something has changed.
        let news = number > market.partial && market.sync.is_untouched();
        if !news || !self.wanted(id).book {
            self.desk.counts.unused += 1;
            return;
        }
        self.market(id).partial = number;
        self.desk.counts_of(id).book_events += 1;
        // Where it is wrong, the desk says so, and the next one is a snapshot again.
        self.desk.book(id, diff, None, |_| Proof::Sequence, out).unwrap_or_default();
    }

    /// A message could not be read: what it may have told is missing now.
    fn suspect(&mut self, text: &[u8], now: Nanos, out: &mut Output) {
        let (kind, native) = message::suspect(text);
        let known = !matches!(kind, Kind::Unknown | Kind::Unused | Kind::Control | Kind::Shutdown);
        let Some(native) = native.filter(|_| known) else { return };
        let Some(id) = self.desk.find(&native.to_uppercase()) else { return };
        if kind == Kind::Depth && self.wanted(id).book {
            self.desk.resync(id, Fault::Malformed, now, out);
            self.market(id).sync.lose(None);
            self.need_snapshot(id, now);
            return;
        }
        self.desk.counts_of(id).malformed += 1;
        if matches!(kind, Kind::Trade | Kind::Aggregate) {
            self.desk.missed_trades(id);
        }
    }
}

/// What a snapshot of so many levels costs, in Binance's request weight.
fn weight(limit: usize) -> u64 {
    match limit {
        0..=100 => 5,
        101..=500 => 25,
        501..=1_000 => 50,
        _ => 250,
    }
}

impl Adapter for Binance {
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output) {
        let timer = matches!(input, Input::Timer);
        match input {
            Input::Connected => self.connected(now, out),
            Input::Text(text) | Input::Binary(text) => self.message(text, now, out),
            Input::Answer { request, status, retry_after, body } => {
                if let Some(id) = self.fetches.answered(request) {
                    self.answer(Answer { id, status, retry_after, body }, now, out);
                }
            }
            Input::NoAnswer { request, reason } => {
                if let Some(id) = self.fetches.answered(request) {
                    self.fetches.failed(id, reason, &mut self.desk, now, out);
                }
            }
            Input::Timer => {
                if self.subscriptions.is_due(now) {
                    self.subscriptions.flush(&mut self.desk, self.rules.streams, now, out);
                }
            }
            Input::Silent => self.desk.status(VenueState::Stale, "nothing came", now, out),
            Input::Demand { symbol, stream, wanted } => {
                if self.desk.demand(symbol, stream, wanted) {
                    self.subscriptions.changed(symbol, now);
                    if stream == Stream::Book && !wanted {
                        self.market(symbol).sync.restart();
                        self.fetches.forget(symbol);
                    }
                }
            }
            Input::Disconnected { reason } => {
                self.fetches.forget_all();
                self.desk.disconnected(reason, now, out);
            }
        }
        self.subscriptions.wake(out);
        if timer || self.fetches.changed() {
            let limit = self.limit;
            self.fetches.run(&mut self.desk, now, out, |symbol| {
                format!("/api/v3/depth?symbol={symbol}&limit={limit}")
            });
        }
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn rules(&self) -> &'static Rules {
        self.rules
    }
}
