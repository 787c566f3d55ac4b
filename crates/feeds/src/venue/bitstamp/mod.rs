//! Bitstamp, WebSocket v2.
//!
//! Channels: `live_trades_<pair>` and `diff_order_book_<pair>` are subscribed. `order_book_<pair>`,
//! the hundred best levels, is the pair's book where no diffs come for it. Single orders
//! (`live_orders_`, `detail_order_book_`) are understood and counted as unused. There is no stream
//! of quotes; the best bid and offer are those of the book.
//!
//! The book: diffs have neither a number nor a checksum, only a time in microseconds. So a book is
//! never more than unverified. What can be done is done: diffs wait for a snapshot by REST, and
//! those not younger than it are dropped; a snapshot older than the first diff may miss what
//! happened before that, so another is asked for, and only when none better comes for
//! [`DOUBT_MAX`] it is taken (in a recording at once); a diff older than the one before it, and a book that is crossed, end
//! the book and bring a new snapshot, which must be as young as that diff.
//!
//! Source: www.bitstamp.net/websocket/v2 and www.bitstamp.net/api.

mod message;
#[cfg(test)]
mod tests;

use market::{BookDiff, Nanos, VenueState};

use self::message::Message;
use super::snapshot::{Answer, Backlog, Fetches, Held, Outcome};
use crate::adapter::by_symbol::BySymbol;
use crate::adapter::symbol::Spelling;
use crate::adapter::{
    Adapter, Desk, DeskOptions, Fault, Input, Oddity, Output, Proof, Rules, SECOND, Stream,
    SymbolId, Transport,
};

/// Quote currencies of Bitstamp.
const QUOTES: &[&str] =
    &["USD", "EUR", "GBP", "BTC", "ETH", "USDT", "USDC", "PAX", "PYUSD", "RLUSD"];

static RULES: Rules = Rules {
    transport: Transport::WebSocket,
    websocket: "wss://ws.bitstamp.net",
    rest: "https://www.bitstamp.net",
    message_bytes: 4 << 20,
    // Neither this nor the number of connections is documented.
    messages_per_second: 10,
    connections: 30,
    connections_window: 60 * SECOND,
    streams: 1_000,
    lifetime: Some(90 * 24 * 3600 * SECOND),
    // Our heartbeat is answered every 30 s at least.
    stale_after: 45 * SECOND,
    dead_after: 75 * SECOND,
};

/// A silent connection was seen to stay open for an hour. So we ask whether the server is there.
const HEARTBEAT: Nanos = 30 * SECOND;

/// By how much REST lags behind the stream. A snapshot asked for so long after a subscription has
/// what happened before that.
const REST_LAG: Nanos = SECOND;

/// How long a better snapshot is waited for.
const DOUBT_MAX: Nanos = 5 * SECOND;

/// Wait between requests in the long run; 10,000 in ten minutes are allowed.
const FETCH_COST: Nanos = SECOND / 5;

/// Wait after 403 and 429, which say that it was too much.
const TOO_MANY_REQUESTS: Nanos = 60 * SECOND;

/// The adapter for one connection to Bitstamp.
#[derive(Debug)]
pub(super) struct Bitstamp {
    desk: Desk,
    markets: BySymbol<Market>,
    fetches: Fetches,
    heartbeat_at: Option<Nanos>,
    leaving: bool,
}

/// What is kept of one pair besides its book.
#[derive(Debug, Default)]
struct Market {
    /// Time of the last diff in the book, in microseconds; `None` while there is no snapshot.
    at: Option<u64>,
    /// Time of the newest diff that came, used or not; zero before the first.
    newest: u64,
    /// Time of the newest `order_book`.
    best_at: u64,
    /// A snapshot must be as young as this to be of use.
    floor: u64,
    backlog: Backlog,
    /// A snapshot older than the first diff that waits, and how long a better one is waited for.
    doubtful: Option<(u64, BookDiff, Nanos)>,
    /// Number of the newest execution.
    traded: Option<u64>,
    /// The venue does not have it.
    refused: bool,
}

impl Market {
    fn restart(&mut self) {
        *self = Self { traded: self.traded, ..Self::default() };
    }

    /// The book is not to be trusted since a diff at `floor`.
    fn lose(&mut self, floor: u64) {
        (self.at, self.doubtful) = (None, None);
        self.floor = self.floor.max(floor);
    }
}

impl Bitstamp {
    /// An adapter for Bitstamp.
    pub(super) fn new(mut options: DeskOptions) -> Self {
        for symbol in &mut options.symbols {
            // Channels spell them in small letters.
            *symbol = match symbol.split_once('=') {
                Some((canonical, native)) => format!("{canonical}={}", native.to_lowercase()),
                None => symbol.to_lowercase(),
            };
        }
        let recorded = options.recorded;
        Self {
            desk: Desk::new(options, Spelling::Joined(QUOTES)),
            markets: BySymbol::default(),
            fetches: Fetches::new(FETCH_COST, 100 * FETCH_COST).at_once(recorded),
            heartbeat_at: None,
            leaving: false,
        }
    }

    fn market(&mut self, id: SymbolId) -> &mut Market {
        self.markets.of(id)
    }

    fn wants_book(&self, id: SymbolId) -> bool {
        self.desk.symbol(id).wanted().book
    }

    fn connected(&mut self, now: Nanos, out: &mut Output) {
        self.leaving = false;
        self.heartbeat_at = Some(now.saturating_add(HEARTBEAT));
        self.fetches.forget_all();
        self.markets.iter_mut().for_each(|(_, market)| market.restart());
        for (_, symbol) in self.desk.symbols() {
            for stream in [Stream::Trades, Stream::Book] {
                if symbol.wanted().has(stream) {
                    ask(true, &symbol.native, stream, out);
                }
            }
        }
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
            Message::Trade { pair, id: number, trade } => {
                let Some(id) = self.desk.find(pair) else { return };
                let again = self.market(id).traded.replace(number) == Some(number);
                if !self.desk.symbol(id).wanted().trades {
                    self.desk.counts.unused += 1;
                } else if again {
                    self.desk.odd(id, Oddity::Repeated, now, out);
                } else {
                    self.desk.trade(id, trade, out);
                }
            }
            Message::Diff { pair, held } => {
                let Some(id) = self.desk.find(pair) else { return };
                self.diff(id, held, now, out);
            }
            Message::Best { pair, at, diff } => {
                let Some(id) = self.desk.find(pair) else { return };
                self.best(id, at, diff, out);
            }
            Message::Subscribed { channel } => {
                let Some(pair) = channel.strip_prefix("diff_order_book_") else { return };
                let Some(id) = self.desk.find(pair) else { return };
                if self.wants_book(id) && self.market(id).at.is_none() {
                    self.need_snapshot(id, now);
                }
            }
            Message::Reconnect => {
                if !std::mem::replace(&mut self.leaving, true) {
                    out.reconnect("the server asked for it");
                }
            }
            Message::Error { channel, text } => self.refused(channel, text, now, out),
            Message::Quiet => {}
            Message::Unused => self.desk.counts.unused += 1,
            Message::Unknown => self.desk.counts.unknown += 1,
        }
    }

    fn need_snapshot(&mut self, id: SymbolId, now: Nanos) {
        if !self.market(id).refused {
            self.fetches.ask_after(id, REST_LAG, now);
        }
    }

    fn diff(&mut self, id: SymbolId, held: Held, now: Nanos, out: &mut Output) {
        if !self.wants_book(id) {
            self.desk.counts.unused += 1;
            return;
        }
        self.desk.counts_of(id).book_events += 1;
        let market = self.market(id);
        let newest = market.newest;
        market.newest = newest.max(held.last);
        if held.last < newest {
            // One of the two says what is no more, and nothing tells of which levels: only what
            // is younger than both helps.
            market.lose(newest);
            self.desk.counts_of(id).stale += 1;
            self.desk.resync(id, Fault::Gap, now, out);
            self.need_snapshot(id, now);
            return;
        }
        match market.at {
            Some(at) if held.last <= at => {
                self.desk.counts_of(id).stale += 1;
                // One of the very time of the one before it. Others are older than the snapshot.
                if held.last == newest {
                    self.desk.odd(id, Oddity::Repeated, now, out);
                }
            }
            Some(_) => {
                self.apply(id, held, now, out);
            }
            None => {
                if market.backlog.push(held) > 0 {
                    let report =
                        || "too many diffs wait for a snapshot, the oldest were dropped".into();
                    self.desk.report_once("backlog", report, out);
                }
                let doubtful = &mut self.market(id).doubtful;
                match doubtful.take_if(|(_, _, until)| *until <= now) {
                    Some((at, diff, _)) => self.begin(id, at, diff, now, out),
                    None => self.need_snapshot(id, now),
                }
            }
        }
    }

    /// Applies the next diff; false when that ended the book.
    fn apply(&mut self, id: SymbolId, held: Held, now: Nanos, out: &mut Output) -> bool {
        let right = self.desk.book(id, held.diff, None, |_| Proof::Nothing, out).is_ok();
        if right {
            self.market(id).at = Some(held.last);
        } else {
            self.market(id).lose(held.last);
            self.need_snapshot(id, now);
        }
        right
    }

    fn best(&mut self, id: SymbolId, at: u64, diff: BookDiff, out: &mut Output) {
        let market = self.market(id);
        let diffs_come = market.at.is_some() || market.newest > 0;
        if diffs_come || at < market.best_at || !self.wants_book(id) {
            self.desk.counts.unused += 1;
            return;
        }
        self.market(id).best_at = at;
        self.desk.counts_of(id).book_events += 1;
        // Where it is wrong, the desk says so, and the next one is a snapshot again.
        self.desk.book(id, diff, None, |_| Proof::Nothing, out).unwrap_or_default();
    }

    fn snapshot(&mut self, id: SymbolId, at: u64, diff: BookDiff, now: Nanos, out: &mut Output) {
        let better_may_come = !self.desk.options().recorded;
        let market = self.market(id);
        if market.at.is_some() {
            return;
        }
        let doubtful = market.backlog.front().is_some_and(|held| held.first > at);
        if at < market.floor {
            self.desk.resync(id, Fault::Outdated, now, out);
            self.fetches.ask(id, now);
        } else if doubtful && better_may_come {
            let until = market.doubtful.take().map_or(now.saturating_add(DOUBT_MAX), |(.., at)| at);
            market.doubtful = Some((at, diff, until));
            self.fetches.ask(id, now);
        } else {
            self.begin(id, at, diff, now, out);
        }
    }

    /// Begins the book with a snapshot, and applies what waited for it.
    fn begin(&mut self, id: SymbolId, at: u64, diff: BookDiff, now: Nanos, out: &mut Output) {
        if self.desk.book(id, diff, None, |_| Proof::Nothing, out).is_err() {
            self.need_snapshot(id, now);
            return;
        }
        let market = self.market(id);
        (market.at, market.floor, market.doubtful) = (Some(at), 0, None);
        self.fetches.settled(id, now);
        while let Some(held) = self.market(id).backlog.pop() {
            if held.last <= at {
                self.desk.counts_of(id).stale += 1;
            } else if !self.apply(id, held, now, out) {
                break;
            }
        }
    }

    /// A message could not be read: what it may have told is missing now.
    fn suspect(&mut self, text: &[u8], now: Nanos, out: &mut Output) {
        let Some(channel) = message::channel(text) else { return };
        let Some((stream, pair)) = stream_of(channel) else { return };
        let Some(id) = self.desk.find(pair) else { return };
        if stream == Stream::Book && self.wants_book(id) {
            self.desk.resync(id, Fault::Malformed, now, out);
            let market = self.market(id);
            market.lose(market.newest.saturating_add(1));
            self.need_snapshot(id, now);
            return;
        }
        self.desk.counts_of(id).malformed += 1;
        if stream == Stream::Trades {
            self.desk.missed_trades(id);
        }
    }

    /// The venue does not want a request of ours.
    fn refused(&mut self, channel: &str, text: &str, now: Nanos, out: &mut Output) {
        let text: String = text.chars().take(200).collect();
        let known =
            stream_of(channel).and_then(|(stream, pair)| Some((stream, self.desk.find(pair)?)));
        match known {
            Some((stream, id)) => {
                self.market(id).refused |= stream == Stream::Book;
                self.desk.give_up(id, &format!("{channel} is refused: {text}"), now, out);
            }
            None => self.desk.report_once("error", || format!("the venue says {text}"), out),
        }
    }

    fn answer(&mut self, answer: Answer<'_>, now: Nanos, out: &mut Output) {
        let first_wait = |status| matches!(status, 403 | 429).then_some(TOO_MANY_REQUESTS);
        let (desk, read) = (&mut self.desk, message::snapshot);
        match self.fetches.take(answer, first_wait, read, desk, now, out) {
            Outcome::Snapshot((at, diff)) => self.snapshot(answer.id, at, diff, now, out),
            Outcome::NoBook => self.market(answer.id).refused = true,
            Outcome::Later => {}
        }
    }

    fn timer(&mut self, now: Nanos, out: &mut Output) {
        if self.heartbeat_at.is_some_and(|at| at <= now) {
            out.send(r#"{"event":"bts:heartbeat"}"#);
            self.heartbeat_at = Some(now.saturating_add(HEARTBEAT));
        }
    }

    fn demand(&mut self, id: SymbolId, stream: Stream, wanted: bool, out: &mut Output) {
        if !self.desk.demand(id, stream, wanted) || stream == Stream::Quotes {
            return;
        }
        ask(wanted, &self.desk.symbol(id).native, stream, out);
        if stream == Stream::Book && !wanted {
            self.market(id).restart();
            self.fetches.forget(id);
        }
    }
}

/// Asks for a stream of a pair, or for its end.
fn ask(subscribe: bool, pair: &str, stream: Stream, out: &mut Output) {
    let event = if subscribe { "bts:subscribe" } else { "bts:unsubscribe" };
    let channel = if stream == Stream::Book { "diff_order_book" } else { "live_trades" };
    out.send(format!(r#"{{"event":"{event}","data":{{"channel":"{channel}_{pair}"}}}}"#));
}

/// The stream and the pair of a channel that we subscribe.
fn stream_of(channel: &str) -> Option<(Stream, &str)> {
    let book = channel.strip_prefix("diff_order_book_").map(|pair| (Stream::Book, pair));
    book.or_else(|| channel.strip_prefix("live_trades_").map(|pair| (Stream::Trades, pair)))
}

impl Adapter for Bitstamp {
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
            Input::Timer => self.timer(now, out),
            Input::Silent => self.desk.status(VenueState::Stale, "nothing came", now, out),
            Input::Demand { symbol, stream, wanted } => self.demand(symbol, stream, wanted, out),
            Input::Disconnected { reason } => {
                self.heartbeat_at = None;
                self.fetches.forget_all();
                self.desk.disconnected(reason, now, out);
            }
        }
        if let Some(at) = self.heartbeat_at {
            out.wake(at);
        }
        if timer || self.fetches.changed() {
            let path = |symbol: &str| format!("/api/v2/order_book/{symbol}/");
            self.fetches.run(&mut self.desk, now, out, path);
        }
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn rules(&self) -> &'static Rules {
        &RULES
    }
}
