//! An adapter of one symbol, its clock, and what is seen of it: shared by the tests of venues with
//! snapshots by REST.

use market::{BookDiff, Event, Nanos, Quote, Status, Trade, VenueState};

use crate::adapter::{Action, Adapter, BookState, Input, Output, SECOND, SymbolCounts, SymbolId};

/// The first symbol.
pub(super) const ID: SymbolId = SymbolId(0);

/// An adapter and its clock.
pub(super) struct Rig<A> {
    pub(super) adapter: A,
    pub(super) now: Nanos,
    pub(super) wake_at: Option<Nanos>,
}

/// What came of some input.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) trades: Vec<Trade>,
    pub(super) quotes: Vec<Quote>,
    pub(super) books: Vec<BookDiff>,
    /// Each with its topic.
    pub(super) statuses: Vec<(String, Status)>,
    pub(super) sent: Vec<String>,
    pub(super) fetched: Vec<(u32, String)>,
    pub(super) reports: Vec<String>,
    pub(super) reconnects: usize,
}

impl<A: Adapter> Rig<A> {
    pub(super) fn on(adapter: A) -> Self {
        Self { adapter, now: 1_700_000_000 * SECOND, wake_at: None }
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

    pub(super) fn counts(&self) -> SymbolCounts {
        self.adapter.desk().symbol(ID).counts
    }

    pub(super) fn state(&self) -> BookState {
        self.adapter.desk().symbol(ID).state()
    }
}

impl Seen {
    pub(super) fn states(&self) -> Vec<VenueState> {
        self.statuses.iter().map(|(_, status)| status.state).collect()
    }
}
