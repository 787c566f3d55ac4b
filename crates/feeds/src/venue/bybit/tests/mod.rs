//! Bybit's adapter against messages in the venue's shape: each kind, and each trap.

mod book;
mod data;
mod hostile;
mod subscriptions;

use market::{BookSide, Event};

use super::*;
use crate::Update;
use crate::adapter::Symbol;
use crate::adapter::{Action, DeskOptions};

const START: Nanos = 1_790_000_000_000_000_000;

/// An adapter, and what it wants and says.
struct Rig {
    adapter: Bybit,
    now: Nanos,
    out: Output,
}

impl Rig {
    fn new(market: Market, symbols: &[&str]) -> Self {
        Self::with(
            market,
            DeskOptions {
                venue: "bybit".into(),
                symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
                depth: Some(50),
                ..DeskOptions::default()
            },
        )
    }

    fn with(market: Market, options: DeskOptions) -> Self {
        Self { adapter: Bybit::new(market, options), now: START, out: Output::default() }
    }

    /// A rig whose one book and ticker are subscribed, with the requests forgotten.
    fn live(market: Market) -> Self {
        let mut rig = Self::new(market, &["ABCUSDT"]);
        rig.input(Input::Connected);
        rig.text(&snapshot(100, 7_000));
        rig.out = Output::default();
        rig
    }

    fn input(&mut self, input: Input<'_>) {
        self.adapter.handle(input, self.now, &mut self.out);
    }

    fn text(&mut self, text: &str) {
        self.input(Input::Text(text.as_bytes()));
    }

    /// Lets time pass; the timer comes as it was asked for.
    fn wait(&mut self, time: Nanos) {
        let until = self.now + time;
        while let Some(at) = self.out.wake_at.filter(|at| *at <= until) {
            self.out.wake_at = None;
            self.now = self.now.max(at);
            self.input(Input::Timer);
        }
        self.now = until;
    }

    fn sent(&mut self) -> Vec<String> {
        let sent = |action| match action {
            Action::Send(text) => Some(text),
            _ => None,
        };
        std::mem::take(&mut self.out.actions).into_iter().filter_map(sent).collect()
    }

    fn reports(&self) -> Vec<&str> {
        let actions = self.out.actions.iter();
        let report = actions.filter_map(|action| match action {
            Action::Report(text) => Some(text.as_str()),
            _ => None,
        });
        report.collect()
    }

    fn events(&mut self) -> Vec<(String, Event)> {
        let channels = self.adapter.desk.channels();
        let named = |Update { channel, event }| (channels[channel].topic.clone(), event);
        std::mem::take(&mut self.out.updates).into_iter().map(named).collect()
    }

    fn topics(&mut self) -> Vec<String> {
        self.events().into_iter().map(|(topic, _)| topic).collect()
    }

    fn symbol(&self) -> &Symbol {
        self.adapter.desk.symbol(SymbolId(0))
    }

    fn best(&self) -> [String; 2] {
        [BookSide::Bid, BookSide::Ask].map(|side| {
            let best = self.adapter.desk.best(SymbolId(0), side);
            best.map_or_else(|| "none".into(), |level| format!("{} {}", level.price, level.size))
        })
    }
}

fn snapshot(update: u64, cross: u64) -> String {
    format!(
        r#"{{"topic":"orderbook.50.ABCUSDT","type":"snapshot","ts":1790000000100,"data":{{"s":"ABCUSDT","b":[["20.10","3"],["20.00","1.50"]],"a":[["20.20","2"],["20.35","4"]],"u":{update},"seq":{cross}}},"cts":1790000000090}}"#
    )
}

fn delta(update: u64, cross: u64, bids: &str, asks: &str) -> String {
    // The order of members is another, as it is on spot.
    format!(
        r#"{{"topic":"orderbook.50.ABCUSDT","ts":1790000000200,"type":"delta","data":{{"s":"ABCUSDT","b":{bids},"a":{asks},"u":{update},"seq":{cross}}},"cts":1790000000190}}"#
    )
}

fn ticker(kind: &str, cross: u64, fields: &str) -> String {
    format!(
        r#"{{"topic":"tickers.ABCUSDT","type":"{kind}","data":{{"symbol":"ABCUSDT","lastPrice":"20.15"{fields}}},"cs":{cross},"ts":1790000000300}}"#
    )
}

const RESUBSCRIBED: [&str; 2] = [
    r#"{"op":"unsubscribe","args":["orderbook.50.ABCUSDT"]}"#,
    r#"{"req_id":"2","op":"subscribe","args":["orderbook.50.ABCUSDT"]}"#,
];
