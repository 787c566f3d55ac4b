//! An adapter driven by hand, and what came of it: shared by the tests of several venues.

use market::{Event, Nanos, Quote, Trade, VenueState};

use crate::adapter::{Action, Adapter, BookState, Input, Output, SECOND, Symbol, SymbolId};

pub(super) const NOW: Nanos = 1_790_000_000 * SECOND;

/// An adapter with what it said.
pub(super) struct Bench<A> {
    pub(super) adapter: A,
    pub(super) now: Nanos,
    pub(super) out: Output,
}

impl<A: Adapter> Bench<A> {
    pub(super) fn with(adapter: A) -> Self {
        Self { adapter, now: NOW, out: Output::default() }
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.adapter.handle(input, self.now, &mut self.out);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.input(Input::Text(text.as_bytes()));
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        self.out.updates.drain(..).map(|update| update.event).collect()
    }

    /// The state and reason of each status among the events, which are taken.
    pub(super) fn statuses(&mut self) -> Vec<(VenueState, String)> {
        let status = |event| match event {
            Event::Status(status) => Some((status.state, status.reason.into())),
            _ => None,
        };
        self.events().into_iter().filter_map(status).collect()
    }

    pub(super) fn trades(&mut self) -> Vec<Trade> {
        let trade = |event| match event {
            Event::Trade(trade) => Some(trade),
            _ => None,
        };
        self.events().into_iter().filter_map(trade).collect()
    }

    pub(super) fn quotes(&mut self) -> Vec<Quote> {
        let quote = |event| match event {
            Event::Quote(quote) => Some(quote),
            _ => None,
        };
        self.events().into_iter().filter_map(quote).collect()
    }

    /// What was to be sent, taken.
    pub(super) fn sent(&mut self) -> Vec<String> {
        let sent = |action| match action {
            Action::Send(text) => Some(text),
            _ => None,
        };
        self.out.actions.drain(..).filter_map(sent).collect()
    }

    pub(super) fn reports(&self) -> usize {
        self.out.actions.iter().filter(|action| matches!(action, Action::Report(_))).count()
    }

    /// How far the first symbol's book can be trusted.
    pub(super) fn state(&self) -> BookState {
        self.symbol().state()
    }

    /// The first symbol.
    pub(super) fn symbol(&self) -> &Symbol {
        self.adapter.desk().symbol(SymbolId(0))
    }
}
