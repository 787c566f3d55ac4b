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

use market::{BookDiff, Level, Nanos, VenueState};

use self::doubled::Mark;
use self::precision::Precision;
use crate::adapter::BookState;
use crate::adapter::by_symbol::BySymbol;
use crate::adapter::json::JsonError;
use crate::adapter::repeats::Repeats;
use crate::adapter::symbol::Spelling;
use crate::adapter::upkeep::{Upkeep, Wish};
use crate::adapter::{
    Adapter, Desk, DeskOptions, Input, Oddity, Output, Proof, Rules, SECOND, Stream, SymbolId,
    Transport,
};

/// Each has its own requests.
const STREAMS: [Stream; 3] = [Stream::Book, Stream::Trades, Stream::Quotes];

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
    upkeep: Upkeep,
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
type Told = Option<Wish>;

impl Kraken {
    /// An adapter for one connection.
    #[must_use]
    pub fn new(version: Version, options: DeskOptions) -> Self {
        Self {
            version,
            desk: Desk::new(options, Spelling::Separated('/')),
            upkeep: Upkeep::new(PING_AFTER),
            repeats: Repeats::default(),
            lines: BySymbol::default(),
            halted: false,
        }
    }

    /// The depth that is subscribed: the least that covers what was asked for.
    fn depth(&self) -> usize {
        allowed_depth(self.desk.options().depth.unwrap_or(DEPTHS[0]))
    }

    fn connected(&mut self, now: Nanos, out: &mut Output) {
        self.lines.clear();
        self.repeats.all_interrupted();
        self.halted = false;
        let wishes = self.upkeep.connected(&self.desk, now, out);
        for stream in STREAMS {
            self.request("subscribe", stream, &symbols_of(&wishes, stream), out);
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
        let due = self.upkeep.due(&mut self.desk, now, out);
        if due.is_empty() {
            return;
        }
        for stream in STREAMS {
            let ids = symbols_of(&due, stream);
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
        let positive = |level: &Level| level.price.is_positive();
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
        self.upkeep.book(&self.desk, id, (reset, taken), now, out);
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
        self.upkeep.unreadable(&mut self.desk, (error, message), told, now, out);
        if let Some((id, Stream::Trades)) = told {
            self.repeats.interrupted(id);
        }
    }

    /// The venue has subscribed us, to books with so many levels a side.
    fn subscribed(&mut self, native: &str, stream: Stream, depth: Option<usize>) {
        let Some(id) = self.desk.find(native) else { return };
        if stream == Stream::Book {
            self.lines.of(id).depth = depth;
        }
        self.upkeep.acknowledged(id, stream);
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
            if let (Some(id), Some(stream)) = (known, stream) {
                self.upkeep.acknowledged(id, stream);
            }
        } else if says.contains("rate limit") || says.contains("msg rate") {
            // The deadline of what was asked for stands, and grows.
            self.desk.report(&format!("a subscription has to wait: {why}"), out);
        } else if let Some(id) = known {
            self.upkeep.refused(&mut self.desk, id, why, now, out);
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
        self.upkeep.heard(now);
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
                if stream == Stream::Trades {
                    self.repeats.interrupted(symbol);
                }
                if self.upkeep.demand(&mut self.desk, (symbol, stream), wanted, now, out) {
                    let method = if wanted { "subscribe" } else { "unsubscribe" };
                    self.request(method, stream, &[symbol], out);
                }
            }
            Input::Timer => {
                if self.upkeep.timer(now, out) {
                    self.ping(out);
                }
            }
            Input::Silent => {
                self.desk.status(VenueState::Stale, "not even a heartbeat for 10 s", now, out);
                self.ping(out);
            }
            Input::Disconnected { reason } => {
                self.upkeep.disconnected();
                self.desk.disconnected(reason, now, out);
            }
            // It fetches nothing.
            Input::Answer { .. } | Input::NoAnswer { .. } => {}
        }
        self.ask_again(now, out);
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

/// The symbols of which `stream` is wished for.
fn symbols_of(wishes: &[Wish], stream: Stream) -> Vec<SymbolId> {
    wishes.iter().filter(|(_, of)| *of == stream).map(|(id, _)| *id).collect()
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
