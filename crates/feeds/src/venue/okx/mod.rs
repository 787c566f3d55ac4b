//! OKX, API v5, public channels: books chained by `prevSeqId`, trades, and best bid and offer.
//!
//! Source: okx.com/docs-v5, "WebSocket" and "Order Book Trading". The checksum of books ended in
//! 2026 (the field is 0 since); recordings from before have it.

mod checksum;
mod read;
#[cfg(test)]
mod tests;

use market::{BookDiff, Nanos, VenueState};

use crate::adapter::by_symbol::BySymbol;
use crate::adapter::repeats::Repeats;
use crate::adapter::symbol::Spelling;
use crate::adapter::upkeep::{Upkeep, Wish};
use crate::adapter::{
    Adapter, BookState, Desk, DeskOptions, Fault, Input, Oddity, Output, Proof, Rules, SECOND,
    Stream, SymbolId, Transport,
};

/// Channels in one request, which may have 64 KiB.
const CHANNELS_PER_REQUEST: usize = 400;

/// Of the 480 subscribe and unsubscribe requests an hour that a connection has, those that are
/// used before another connection is taken.
const REQUESTS_PER_HOUR: u32 = 470;

const HOUR: Nanos = 3600 * SECOND;

/// The venue closes a connection after 30 s of silence.
const PING_AFTER: Nanos = 10 * SECOND;

/// The channel of the five best levels, whole each time. It is a symbol's book where no other comes,
/// which happens in recordings: it is never asked for.
const BEST_FIVE: &str = "books5";

/// Levels a side of the channels that can be subscribed: [`BEST_FIVE`], and `books`.
pub(super) const DEPTHS: [usize; 2] = [5, 400];

const RULES: Rules = Rules {
    transport: Transport::WebSocket,
    websocket: "wss://ws.okx.com:8443/ws/v5/public",
    rest: "",
    message_bytes: 4 << 20,
    messages_per_second: 3,
    connections: 3,
    connections_window: SECOND,
    streams: 1_000,
    lifetime: None,
    stale_after: 20 * SECOND,
    dead_after: 40 * SECOND,
};

/// OKX on one connection.
#[derive(Debug)]
pub struct Okx {
    desk: Desk,
    upkeep: Upkeep,
    repeats: Repeats,
    lines: BySymbol<Line>,
    /// Since when, and how many requests.
    requests: (Nanos, u32),
}

/// What a connection knows of one symbol, besides what the desk does.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    /// Where the chain of its book stands, if it has one.
    link: Option<Link>,
    /// Its book comes as changes.
    whole: bool,
    /// Number of the newest of [`BEST_FIVE`].
    best: Option<i64>,
    /// It stands at a snapshot, which nothing has followed yet.
    fresh: bool,
}

/// One message's place in the chain of a book. Numbers jump, and begin anew after maintenance:
/// only that each names the one before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    sequence: i64,
    previous: i64,
}

/// One message of a book.
#[derive(Debug)]
struct Change {
    id: SymbolId,
    diff: BookDiff,
    link: Option<Link>,
    /// Zero: there is none.
    checksum: i64,
}

/// What a message that is being read turned out to be about.
type Told = Option<Wish>;

impl Okx {
    /// An adapter for one connection.
    #[must_use]
    pub fn new(options: DeskOptions) -> Self {
        Self {
            desk: Desk::new(options, Spelling::Separated('-')),
            upkeep: Upkeep::new(PING_AFTER),
            repeats: Repeats::default(),
            lines: BySymbol::default(),
            requests: (0, 0),
        }
    }

    fn connected(&mut self, now: Nanos, out: &mut Output) {
        self.lines.clear();
        self.requests = (now, 0);
        let wishes = self.upkeep.connected(&self.desk, now, out);
        self.request("subscribe", &wishes, now, out);
    }

    /// The channel of books that has the levels which are asked for.
    fn book_channel(&self) -> &'static str {
        match self.desk.options().depth {
            Some(depth) if depth <= DEPTHS[0] => BEST_FIVE,
            _ => "books",
        }
    }

    fn request(&mut self, op: &str, channels: &[Wish], now: Nanos, out: &mut Output) {
        for channels in channels.chunks(CHANNELS_PER_REQUEST) {
            if now.saturating_sub(self.requests.0) >= HOUR {
                self.requests = (now, 0);
            }
            self.requests.1 += 1;
            if self.requests.1 > REQUESTS_PER_HOUR {
                // Another connection begins with all that is wanted.
                out.reconnect("the requests of this connection's hour are used up");
                return;
            }
            let symbol = |id| &*self.desk.symbol(id).native;
            let book = self.book_channel();
            out.send(read::request(
                op,
                book,
                channels.iter().map(|(id, stream)| (symbol(*id), *stream)),
            ));
        }
    }

    /// Asks anew for what is due.
    fn ask_again(&mut self, now: Nanos, out: &mut Output) {
        let due = self.upkeep.due(&mut self.desk, now, out);
        if due.is_empty() {
            return;
        }
        let books: Vec<_> =
            due.iter().copied().filter(|(_, stream)| *stream == Stream::Book).collect();
        // The venue sends a snapshot to new subscribers only.
        self.request("unsubscribe", &books, now, out);
        self.request("subscribe", &due, now, out);
    }

    /// A change of a book, or a snapshot.
    fn book(&mut self, change: Change, now: Nanos, out: &mut Output) -> Result<(), &'static str> {
        let Change { id, diff, link, checksum } = change;
        self.desk.counts_of(id).book_events += 1;
        self.lines.of(id).whole = true;
        let live = self.desk.symbol(id).state() != BookState::Resyncing;
        let reset = diff.reset;
        let mut chained = reset && link.is_some();
        if let (false, true, Some(last)) = (reset, live, self.lines.of(id).link) {
            let Some(link) = link else {
                return Err("seqId and prevSeqId");
            };
            if link == last && link.sequence != link.previous {
                // The same message once more.
                self.desk.counts_of(id).stale += 1;
                self.desk.odd(id, Oddity::Repeated, now, out);
                return Ok(());
            }
            if link.previous != last.sequence {
                let fresh = self.lines.of(id).fresh;
                self.desk.counts_of(id).gaps += u64::from(fresh);
                let fault = if fresh { Fault::Outdated } else { Fault::Gap };
                self.desk.resync(id, fault, now, out);
                self.upkeep.book_broke(&self.desk, id, fault, now, out);
                return Ok(());
            }
            chained = true;
            if link.sequence == link.previous && diff.bids.is_empty() && diff.asks.is_empty() {
                // Nothing changed for a minute.
                return Ok(());
            }
        }
        if reset || chained {
            let line = self.lines.of(id);
            (line.link, line.fresh) = (link, reset);
        }
        let prove = |book: &market::Book| match checksum {
            0 if chained => Proof::Sequence,
            0 => Proof::Nothing,
            sum if sum == i64::from(checksum::of(book)) => Proof::ChecksumRight,
            _ => Proof::ChecksumWrong,
        };
        let taken = self.desk.book(id, diff, None, prove, out);
        self.upkeep.book(&self.desk, id, (reset, taken), now, out);
        Ok(())
    }

    /// The best levels, where they are the book.
    fn best_five(&mut self, id: SymbolId, diff: BookDiff, number: Option<i64>, out: &mut Output) {
        let line = self.lines.of(id);
        if line.whole {
            self.desk.counts.unused += 1;
            return;
        }
        let old = number.zip(line.best).is_some_and(|(number, last)| number < last);
        line.best = number.or(line.best);
        let counts = self.desk.counts_of(id);
        counts.book_events += 1;
        if old {
            counts.stale += 1;
            return;
        }
        let proof = if number.is_some() { Proof::Sequence } else { Proof::Nothing };
        // Where it is wrong, the desk says so, and the next one is a snapshot again.
        if self.desk.book(id, diff, None, |_| proof, out).is_ok() {
            self.upkeep.book_came(id);
        }
    }

    /// The venue has not done what we asked for.
    fn refused(&mut self, code: &str, native: &str, why: &str, now: Nanos, out: &mut Output) {
        // 50011 and 60014: too many requests. The deadline of what was asked for stands, and grows.
        let later = matches!(code, "50011" | "60014");
        let id = if later { None } else { self.desk.known(native) };
        let Some(id) = id else {
            self.desk.report(&format!("error {code}: {why}"), out);
            return;
        };
        self.upkeep.refused(&mut self.desk, id, why, now, out);
    }
}

impl Adapter for Okx {
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output) {
        match input {
            Input::Connected => self.connected(now, out),
            Input::Text(message) | Input::Binary(message) => {
                self.upkeep.heard(now);
                self.desk.heard(now, out);
                self.read(message, now, out);
            }
            Input::Demand { symbol, stream, wanted } => {
                if self.upkeep.demand(&mut self.desk, (symbol, stream), wanted, now, out) {
                    let op = if wanted { "subscribe" } else { "unsubscribe" };
                    self.request(op, &[(symbol, stream)], now, out);
                }
            }
            Input::Timer => {
                if self.upkeep.timer(now, out) {
                    out.send("ping");
                }
            }
            Input::Silent => {
                self.desk.status(VenueState::Stale, "not even a pong for 20 s", now, out);
                out.send("ping");
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
        &RULES
    }
}
