//! What keeps one connection's subscriptions alive where each is asked for by symbol and stream:
//! asking for them, asking again, and pings.

use market::Nanos;

use super::asks::Asks;
use super::by_symbol::BySymbol;
use super::idle::Idle;
use super::json::JsonError;
use super::{Desk, Fault, Output, Stream, SymbolId};

/// One stream of one symbol.
pub type Wish = (SymbolId, Stream);

/// Every stream, in the order in which they are asked for.
const STREAMS: [Stream; 3] = [Stream::Book, Stream::Trades, Stream::Quotes];

/// The subscriptions of one connection.
#[derive(Debug)]
pub struct Upkeep {
    asks: Asks,
    idle: Idle,
    /// The venue does not have it.
    refused: BySymbol<bool>,
}

impl Upkeep {
    /// A ping is due when nothing came, nor was pinged, for `ping_after`.
    #[must_use]
    pub fn new(ping_after: Nanos) -> Self {
        let (asks, refused) = (Asks::default(), BySymbol::default());
        Self { asks, idle: Idle::new(ping_after), refused }
    }

    /// The connection is open. Gives all that is wanted, by symbol, which counts as asked for.
    pub fn connected(&mut self, desk: &Desk, now: Nanos, out: &mut Output) -> Vec<Wish> {
        self.asks.clear();
        self.refused.clear();
        self.idle.connected(now, out);
        let of = |id| STREAMS.into_iter().map(move |stream| (id, stream));
        let wishes: Vec<Wish> =
            desk.ids().flat_map(of).filter(|(id, stream)| desk.wants(*id, *stream)).collect();
        for &(id, stream) in &wishes {
            self.asks.asked(id, stream, now, out);
        }
        wishes
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.asks.clear();
        self.idle.disconnected();
    }

    /// A message came.
    pub fn heard(&mut self, now: Nanos) {
        self.idle.heard(now);
    }

    /// Notes in the desk that a stream is wanted, or not any more; true where the venue is to be
    /// told now.
    pub fn demand(
        &mut self,
        desk: &mut Desk,
        (id, stream): Wish,
        wanted: bool,
        now: Nanos,
        out: &mut Output,
    ) -> bool {
        let news = desk.demand(id, stream, wanted) && self.idle.is_connected();
        match (news, wanted) {
            (true, true) => self.asks.asked(id, stream, now, out),
            (true, false) => self.asks.forget(id, stream),
            (false, _) => {}
        }
        news
    }

    /// The timer came; true where it is time to ping.
    pub fn timer(&mut self, now: Nanos, out: &mut Output) -> bool {
        self.asks.woken(out);
        self.idle.is_due(now, out)
    }

    /// What is to be asked for again now, and counts as asked for. Of books that were asked for and
    /// did not come, the desk says so.
    pub fn due(&mut self, desk: &mut Desk, now: Nanos, out: &mut Output) -> Vec<Wish> {
        if !self.idle.is_connected() {
            return Vec::new();
        }
        let mut due = self.asks.due(now, out);
        for &(id, _) in self.asks.unanswered().iter().filter(|(_, of)| *of == Stream::Book) {
            desk.snapshot_late(id, now, out);
        }
        due.retain(|(id, stream)| desk.wants(*id, *stream));
        due
    }

    /// The venue says that it has subscribed us. Books are answered by their snapshots.
    pub fn acknowledged(&mut self, id: SymbolId, stream: Stream) {
        if stream != Stream::Book {
            self.asks.answered(id, stream);
        }
    }

    /// The desk took a change of a book, or did not.
    pub fn book(
        &mut self,
        desk: &Desk,
        id: SymbolId,
        (reset, taken): (bool, Result<(), Fault>),
        now: Nanos,
        out: &mut Output,
    ) {
        match taken {
            Ok(()) if reset => self.book_came(id),
            Ok(()) => {}
            Err(fault) => self.book_broke(desk, id, fault, now, out),
        }
    }

    /// The whole of a book came.
    pub fn book_came(&mut self, id: SymbolId) {
        self.asks.answered(id, Stream::Book);
    }

    /// A book has to be asked for again, if somebody wants it.
    pub fn book_broke(
        &mut self,
        desk: &Desk,
        id: SymbolId,
        fault: Fault,
        now: Nanos,
        out: &mut Output,
    ) {
        match fault {
            _ if !desk.wants(id, Stream::Book) => {}
            Fault::NoSnapshot => self.asks.missing(id, Stream::Book, now, out),
            _ => self.asks.broken(id, Stream::Book, now, out),
        }
    }

    /// A message could not be read; `about` is what it was about, as far as that came out.
    pub fn unreadable(
        &mut self,
        desk: &mut Desk,
        (error, message): (JsonError, &[u8]),
        about: Option<Wish>,
        now: Nanos,
        out: &mut Output,
    ) {
        desk.malformed(error, message, now, out);
        match about {
            Some((id, Stream::Book)) => {
                desk.resync(id, Fault::Malformed, now, out);
                self.book_broke(desk, id, Fault::Malformed, now, out);
            }
            Some((id, stream)) => {
                desk.counts_of(id).malformed += 1;
                if stream == Stream::Trades {
                    desk.missed_trades(id);
                }
            }
            None => {}
        }
    }

    /// The venue does not have a symbol, and says why. It is not asked for again on this
    /// connection.
    pub fn refused(
        &mut self,
        desk: &mut Desk,
        id: SymbolId,
        why: &str,
        now: Nanos,
        out: &mut Output,
    ) {
        for stream in STREAMS {
            self.asks.forget(id, stream);
        }
        if !std::mem::replace(self.refused.of(id), true) {
            desk.give_up(id, why, now, out);
        }
    }
}
