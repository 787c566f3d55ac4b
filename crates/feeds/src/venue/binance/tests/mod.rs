//! Tests of the adapter for Binance: what it is given, and what is seen of it.

mod control;
mod faults;
mod splice;
mod stream;

use market::{BookDiff, Event, Flags, Nanos, Status, Trade, VenueState};

use super::Binance;
use crate::adapter::{Action, Adapter, DeskOptions, Input, Output, SECOND, Stream, SymbolId};
use crate::adapter::{BookState, SymbolCounts};

/// An adapter and its clock.
pub(super) struct Rig {
    pub(super) adapter: Binance,
    pub(super) now: Nanos,
    pub(super) wake_at: Option<Nanos>,
}

/// What came of some input.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) trades: Vec<Trade>,
    pub(super) quotes: Vec<market::Quote>,
    pub(super) books: Vec<BookDiff>,
    pub(super) statuses: Vec<(String, Status)>,
    pub(super) sent: Vec<String>,
    pub(super) fetched: Vec<(u32, String)>,
    pub(super) reports: Vec<String>,
    pub(super) reconnects: usize,
}

pub(super) const ID: SymbolId = SymbolId(0);

impl Rig {
    /// For these symbols, not connected.
    pub(super) fn of(symbols: &[&str]) -> Self {
        Self::with(DeskOptions {
            symbols: symbols.iter().map(|&symbol| symbol.to_owned()).collect(),
            ..DeskOptions::default()
        })
    }

    pub(super) fn with(options: DeskOptions) -> Self {
        let options = DeskOptions { venue: "binance".into(), ..options };
        Self { adapter: Binance::new(options), now: 1_700_000_000 * SECOND, wake_at: None }
    }

    /// For AAAUSDT, connected.
    pub(super) fn connected() -> Self {
        let mut rig = Self::of(&["AAAUSDT"]);
        rig.give(Input::Connected);
        rig
    }

    /// For AAAUSDT, with a book that is right up to change 100.
    pub(super) fn live() -> Self {
        let mut rig = Self::connected();
        let seen = rig.text(&diff(95, 100, "[]", "[]"));
        rig.answer(seen.fetched[0].0, &snapshot(100));
        assert_eq!(rig.state(), BookState::Verified);
        rig
    }

    pub(super) fn give(&mut self, input: Input<'_>) -> Seen {
        let mut out = Output::default();
        self.adapter.handle(input, self.now, &mut out);
        self.wake_at = [self.wake_at, out.wake_at].into_iter().flatten().min();
        let mut seen = Seen::default();
        for update in out.updates {
            let channel = &self.adapter.desk().channels()[update.channel];
            assert_eq!(channel.kind, update.event.kind());
            match update.event {
                Event::Trade(trade) => seen.trades.push(trade),
                Event::Quote(quote) => seen.quotes.push(quote),
                Event::Book(diff) => seen.books.push(diff),
                Event::Status(status) => seen.statuses.push((channel.topic.clone(), status)),
                Event::Bar(bar) => panic!("{bar:?}"),
            }
        }
        for action in out.actions {
            match action {
                Action::Send(text) => seen.sent.push(text),
                Action::Fetch { request, path } => seen.fetched.push((request, path)),
                Action::Report(text) => seen.reports.push(text),
                Action::Reconnect { .. } => seen.reconnects += 1,
                Action::SendBinary(bytes) => panic!("{bytes:?}"),
            }
        }
        seen
    }

    pub(super) fn text(&mut self, text: &str) -> Seen {
        self.give(Input::Text(text.as_bytes()))
    }

    pub(super) fn answer(&mut self, request: u32, body: &str) -> Seen {
        self.give(Input::Answer { request, status: 200, retry_after: None, body: body.as_bytes() })
    }

    pub(super) fn fails(&mut self, request: u32, status: u16) -> Seen {
        self.give(Input::Answer {
            request,
            status,
            retry_after: None,
            body: b"{\"code\":-1,\"msg\":\"no\"}",
        })
    }

    /// Wakes it whenever it wants to be until it asks for something; tells how long that was.
    pub(super) fn wake(&mut self) -> (Nanos, Seen) {
        let since = self.now;
        loop {
            self.now = self.wake_at.take().unwrap().max(self.now);
            let seen = self.give(Input::Timer);
            if !seen.fetched.is_empty() || !seen.sent.is_empty() {
                return (self.now - since, seen);
            }
        }
    }

    pub(super) fn want(&mut self, symbol: SymbolId, stream: Stream, wanted: bool) -> Seen {
        self.give(Input::Demand { symbol, stream, wanted })
    }

    pub(super) fn counts(&self) -> SymbolCounts {
        self.adapter.desk().symbol(ID).counts
    }

    pub(super) fn state(&self) -> BookState {
        self.adapter.desk().symbol(ID).state()
    }

    /// The book's levels, best first, as one text.
    pub(super) fn book(&self) -> String {
        let book = self.adapter.desk().symbol(ID).book();
        let side = |side| {
            let levels = book.levels(side).map(|level| format!("{}x{}", level.size, level.price));
            levels.collect::<Vec<_>>().join(" ")
        };
        format!("{} | {}", side(market::BookSide::Bid), side(market::BookSide::Ask))
    }
}

impl Seen {
    pub(super) fn states(&self) -> Vec<VenueState> {
        self.statuses.iter().map(|(_, status)| status.state).collect()
    }

    pub(super) fn flags(&self) -> Vec<Flags> {
        self.books.iter().map(|diff| diff.stamps.flags).collect()
    }
}

pub(super) fn diff(first: u64, last: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"e":"depthUpdate","E":1700000000123,"s":"AAAUSDT","U":{first},"u":{last},"b":{bids},"a":{asks}}}"#
    )
}

/// One bid and one offer, as they are after change `last`.
pub(super) fn snapshot(last: u64) -> String {
    format!(r#"{{"lastUpdateId":{last},"bids":[["9.90","1"]],"asks":[["10.10","2"]]}}"#)
}

pub(super) fn trade(id: u64) -> String {
    format!(
        r#"{{"e":"trade","E":1700000000123,"s":"AAAUSDT","t":{id},"p":"10.10","q":"0.5","T":1700000000120,"m":false,"M":true}}"#
    )
}

pub(super) fn aggregate(id: u64, first: u64, last: u64) -> String {
    format!(
        r#"{{"e":"aggTrade","E":1700000000123,"s":"AAAUSDT","a":{id},"p":"10.10","q":"0.5","f":{first},"l":{last},"T":1700000000120,"m":true,"M":true}}"#
    )
}
