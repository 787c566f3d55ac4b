//! Tests of the adapter for Binance: what it is given, and what is seen of it.

mod control;
mod faults;
mod splice;
mod stream;

use market::{Flags, Nanos, Trade, VenueState};

use super::Binance;
use crate::adapter::{Adapter, BookState, DeskOptions, Input, SECOND, Stream, SymbolId};
use crate::venue::rig::{ID, Seen};

type Rig = crate::venue::rig::Rig<Binance>;

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
        Self::on(Binance::new(options))
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
