//! Kraken spot: API v2, and the frozen v1 that older recordings hold. Books are proved by a CRC32
//! of their ten best levels; both versions share it, and how they subscribe and ask again.
//!
//! Sources: docs.kraken.com, "Spot WebSocket" v2 and v1, guides "book checksum" v2 and v1.

mod doubled;
mod precision;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use market::{BookDiff, Decimal, Level, Nanos, VenueState};

use self::doubled::Mark;
use self::precision::Precision;
use crate::adapter::BookState;
use crate::adapter::asks::Asks;
use crate::adapter::by_symbol::BySymbol;
use crate::adapter::idle::Idle;
use crate::adapter::json::JsonError;
use crate::adapter::repeats::Repeats;
use crate::adapter::symbol::Spelling;
use crate::adapter::{
    Adapter, Desk, DeskOptions, Fault, Input, Oddity, Output, Proof, Rules, SECOND, Stream,
    SymbolId, Transport,
};

/// Levels a side that can be subscribed.
pub(super) const DEPTHS: [usize; 5] = [10, 25, 100, 500, 1000];

/// Symbols in one request; no bound is documented.
const SYMBOLS_PER_REQUEST: usize = 100;

/// While there are subscriptions, the venue sends a heartbeat every second; without any it closes
/// after a minute of silence.
const PING_AFTER: Nanos = 5 * SECOND;

/// Which protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Frozen: arrays, numbers in texts.
    V1,
    /// Objects, numbers as JSON numbers at the pair's full precision.
    V2,
}

const RULES_V2: Rules = Rules {
    transport: Transport::WebSocket,
    websocket: "wss://ws.kraken.com/v2",
    rest: "",
    message_bytes: 4 << 20,
    messages_per_second: 10,
    // 150 attempts within ten minutes from one address.
    connections: 150,
    connections_window: 600 * SECOND,
    streams: 1_000,
    lifetime: None,
    stale_after: 10 * SECOND,
    dead_after: 30 * SECOND,
};

const RULES_V1: Rules = Rules { websocket: "wss://ws.kraken.com", ..RULES_V2 };

/// Kraken on one connection.
#[derive(Debug)]
pub struct Kraken {
    version: Version,
    desk: Desk,
    asks: Asks,
    idle: Idle,
    repeats: Repeats,
    lines: BySymbol<Line>,
    /// The venue says that it is down, whatever else it sends.
    halted: bool,
}

/// What a connection knows of one symbol, besides what the desk does.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    /// Levels a side that the venue keeps us informed of.
    depth: Option<usize>,
    /// How its numbers are written.
    precision: Precision,
    /// Of its book's last message.
    last: Mark,
    /// The venue does not have it.
    refused: bool,
}

/// One message of a book.
#[derive(Debug)]
struct Change {
    id: SymbolId,
    diff: BookDiff,
    depth: usize,
    checksum: Option<u32>,
}

/// What a message that is being read turned out to be about.
type Told = Option<(SymbolId, Stream)>;

impl Kraken {
    /// An adapter for one connection.
    #[must_use]
    pub fn new(version: Version, options: DeskOptions) -> Self {
        Self {
            version,
            desk: Desk::new(options, Spelling::Separated('/')),
            asks: Asks::default(),
            idle: Idle::new(PING_AFTER),
            repeats: Repeats::default(),
            lines: BySymbol::default(),
            halted: false,
        }
    }

    /// The depth that is subscribed: the least that covers what was asked for.
    fn depth(&self) -> usize {
        allowed_depth(self.desk.options().depth.unwrap_or(DEPTHS[0]))
    }

    fn wants(&self, id: SymbolId, stream: Stream) -> bool {
        self.desk.symbol(id).wanted().has(stream)
    }

    fn connected(&mut self, now: Nanos, out: &mut Output) {
        self.asks.clear();
        self.lines.clear();
        self.repeats.all_interrupted();
        self.halted = false;
        self.idle.connected(now, out);
        for stream in [Stream::Book, Stream::Trades, Stream::Quotes] {
            let wanted = self.desk.symbols().filter(|(_, symbol)| symbol.wanted().has(stream));
            let wanted: Vec<_> = wanted.map(|(id, _)| id).collect();
            for &id in &wanted {
                self.asks.asked(id, stream, now, out);
            }
            self.request("subscribe", stream, &wanted, out);
        }
    }

    fn request(&self, method: &str, stream: Stream, ids: &[SymbolId], out: &mut Output) {
        for ids in ids.chunks(SYMBOLS_PER_REQUEST) {
            let symbols: Vec<_> = ids.iter().map(|id| &*self.desk.symbol(*id).native).collect();
            out.send(match self.version {
                Version::V1 => v1::request(method, stream, &symbols, self.depth()),
                Version::V2 => v2::request(method, stream, &symbols, self.depth()),
            });
        }
    }

    /// Asks anew for what is due.
    fn ask_again(&mut self, now: Nanos, out: &mut Output) {
        let due = self.asks.due(now, out);
        if due.is_empty() {
            return;
        }
        for &(id, _) in self.asks.unanswered().iter().filter(|(_, of)| *of == Stream::Book) {
            self.desk.snapshot_late(id, now, out);
        }
        for stream in [Stream::Book, Stream::Trades, Stream::Quotes] {
            let wanted = |(id, of): &(SymbolId, Stream)| *of == stream && self.wants(*id, stream);
            let ids: Vec<_> = due.iter().filter(|ask| wanted(ask)).map(|(id, _)| *id).collect();
            if stream == Stream::Book {
                // The venue sends a snapshot to new subscribers only.
                self.request("unsubscribe", stream, &ids, out);
            }
            self.request("subscribe", stream, &ids, out);
        }
    }

    fn ping(&self, out: &mut Output) {
        out.send(match self.version {
            Version::V1 => r#"{"event":"ping"}"#,
            Version::V2 => r#"{"method":"ping"}"#,
        });
    }

    /// A change of a book, or a snapshot.
    fn book(&mut self, change: Change, now: Nanos, out: &mut Output) -> Result<(), &'static str> {
        let Change { id, diff, depth, checksum } = change;
        let positive = |level: &Level| level.price > Decimal::ZERO;
        if !diff.bids.iter().chain(&diff.asks).all(positive) {
            return Err("a price above zero");
        }
        let mark = Mark::of(&diff, checksum);
        let line = self.lines.of(id);
        let Some(precision) = line.precision.after(&diff) else {
            return Err("numbers at the pair's precision");
        };
        line.precision = precision;
        let last = std::mem::replace(&mut line.last, mark);
        self.desk.counts_of(id).book_events += 1;
        let symbol = self.desk.symbol(id);
        let live = symbol.state() != BookState::Resyncing;
        if live && mark.is_doubled(last, &diff, symbol.book()) {
            self.desk.counts_of(id).stale += 1;
            self.desk.odd(id, Oddity::Repeated, now, out);
            return Ok(());
        }
        let reset = diff.reset;
        let mut unproved = false;
        let prove = |book: &market::Book| match checksum {
            None => Proof::Nothing,
            Some(checksum) if checksum != book.checksum() => Proof::ChecksumWrong,
            Some(_) if precision == Precision::Mixed => {
                unproved = true;
                Proof::Nothing
            }
            Some(_) => Proof::ChecksumRight,
        };
        let taken = self.desk.book(id, diff, Some(depth), prove, out);
        self.desk.counts_of(id).checksums_ok += u64::from(unproved);
        match taken {
            Ok(()) if reset => self.asks.answered(id, Stream::Book),
            Ok(()) => {}
            Err(_) if !self.wants(id, Stream::Book) => {}
            Err(Fault::NoSnapshot) => self.asks.missing(id, Stream::Book, now, out),
            Err(_) => self.asks.broken(id, Stream::Book, now, out),
        }
        Ok(())
    }

    /// A message that could not be read, and what it was about as far as that came out.
    fn unreadable(
        &mut self,
        error: JsonError,
        message: &[u8],
        told: Told,
        now: Nanos,
        out: &mut Output,
    ) {
        self.desk.malformed(error, message, now, out);
        match told {
            Some((id, Stream::Book)) => {
                self.desk.resync(id, Fault::Malformed, now, out);
                if self.wants(id, Stream::Book) {
                    self.asks.broken(id, Stream::Book, now, out);
                }
            }
            Some((id, stream)) => {
                self.desk.counts_of(id).malformed += 1;
                if stream == Stream::Trades {
                    self.desk.missed_trades(id);
                    self.repeats.interrupted(id);
                }
            }
            None => {}
        }
    }

    /// The venue has subscribed us, to books with so many levels a side.
    fn subscribed(&mut self, native: &str, stream: Stream, depth: Option<usize>) {
        let Some(id) = self.desk.find(native) else { return };
        if stream == Stream::Book {
            self.lines.of(id).depth = depth;
        } else {
            self.asks.answered(id, stream);
        }
    }

    /// The venue has not subscribed us, and says why.
    fn not_subscribed(
        &mut self,
        native: &str,
        stream: Option<Stream>,
        why: &str,
        now: Nanos,
        out: &mut Output,
    ) {
        let says = why.to_ascii_lowercase();
        let known = self.desk.known(native);
        if says.contains("already subscribed") {
            // Books are asked for again if no snapshot comes.
            if let (Some(id), Some(stream @ (Stream::Trades | Stream::Quotes))) = (known, stream) {
                self.asks.answered(id, stream);
            }
        } else if says.contains("rate limit") || says.contains("msg rate") {
            // The deadline of what was asked for stands, and grows.
            self.desk.report(&format!("a subscription has to wait: {why}"), out);
        } else if let Some(id) = known {
            for stream in [Stream::Book, Stream::Trades, Stream::Quotes] {
                self.asks.forget(id, stream);
            }
            if !std::mem::replace(&mut self.lines.of(id).refused, true) {
                self.desk.give_up(id, why, now, out);
            }
        } else {
            self.desk.report(&format!("a request is refused: {why}"), out);
        }
    }

    /// What the venue says of itself.
    fn system(&mut self, state: &str, now: Nanos, out: &mut Output) {
        self.halted = matches!(state, "maintenance" | "offline");
        if self.halted {
            let reason = format!("the venue says: {state}");
            self.desk.status(VenueState::Down, &reason, now, out);
        } else {
            self.desk.status(VenueState::Up, "messages come", now, out);
            if state != "online" {
                self.desk.report(&format!("the venue is in {state:.40}"), out);
            }
        }
    }

    fn message(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        self.idle.heard(now);
        if self.halted {
            self.desk.counts.frames += 1;
        } else {
            self.desk.heard(now, out);
        }
        // Whoever has a recording need not know of which version it is.
        let older = self.desk.options().recorded && v1::is_v1(message);
        match self.version {
            Version::V2 if !older => self.read_v2(message, now, out),
            Version::V1 | Version::V2 => self.read_v1(message, now, out),
        }
    }
}

impl Adapter for Kraken {
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output) {
        match input {
            Input::Connected => self.connected(now, out),
            Input::Text(message) | Input::Binary(message) => self.message(message, now, out),
            Input::Demand { symbol, stream, wanted } => {
                let news = self.desk.demand(symbol, stream, wanted);
                if stream == Stream::Trades {
                    self.repeats.interrupted(symbol);
                }
                if news && self.idle.is_connected() {
                    if wanted {
                        self.asks.asked(symbol, stream, now, out);
                    } else {
                        self.asks.forget(symbol, stream);
                    }
                    let method = if wanted { "subscribe" } else { "unsubscribe" };
                    self.request(method, stream, &[symbol], out);
                }
            }
            Input::Timer => {
                self.asks.woken(out);
                if self.idle.is_due(now, out) {
                    self.ping(out);
                }
            }
            Input::Silent => {
                self.desk.status(VenueState::Stale, "not even a heartbeat for 10 s", now, out);
                self.ping(out);
            }
            Input::Disconnected { reason } => {
                self.asks.clear();
                self.idle.disconnected();
                self.desk.disconnected(reason, now, out);
            }
            // It fetches nothing.
            Input::Answer { .. } | Input::NoAnswer { .. } => {}
        }
        if self.idle.is_connected() {
            self.ask_again(now, out);
        }
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn rules(&self) -> &'static Rules {
        match self.version {
            Version::V1 => &RULES_V1,
            Version::V2 => &RULES_V2,
        }
    }
}

/// The least depth that can be subscribed and has `levels`.
fn allowed_depth(levels: usize) -> usize {
    let enough = DEPTHS.into_iter().find(|depth| *depth >= levels);
    enough.unwrap_or(DEPTHS[DEPTHS.len() - 1])
}

/// Which of our streams a channel of the venue is.
fn stream(channel: &str) -> Option<Stream> {
    match channel {
        "book" => Some(Stream::Book),
        "trade" => Some(Stream::Trades),
        "ticker" => Some(Stream::Quotes),
        _ => None,
    }
}
