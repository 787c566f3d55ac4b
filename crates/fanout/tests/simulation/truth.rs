//! The naive model of all topics: every event ever published, nothing forgotten, nothing merged.

use std::collections::BTreeMap;

use market::{
    Aggressor, Bar, BookDiff, Decimal, Event, Level, Quote, QuoteSide, Stamps, Status, Trade,
    VenueState,
};
use serde_json::{Value, json};
use wire::command::Command;
use wire::{Codec, CommandReader, Payload};

use crate::chance::Chance;

/// How a topic's events may be joined, told from its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Each,
    Latest,
    Book,
}

pub(crate) fn kind_of(topic: &str) -> Kind {
    match topic.split('.').next() {
        Some("book") => Kind::Book,
        Some("quote" | "status" | "bar-1s") => Kind::Latest,
        Some("game") if topic.ends_with(".state") => Kind::Latest,
        _ => Kind::Each,
    }
}

/// Both sides of a book by price in hundredths; sizes as the texts they were published as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    pub(crate) bids: BTreeMap<i64, String>,
    pub(crate) asks: BTreeMap<i64, String>,
}

/// What a topic was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) ts: String,
    /// What `data` must be; of books without levels and checksum.
    pub(crate) data: Value,
    /// The whole book afterwards.
    pub(crate) book: Levels,
}

/// Every event of one topic; number `n` stands at `n - 1`.
#[derive(Debug, Default)]
pub(crate) struct TopicTruth {
    told: Vec<Told>,
}

impl TopicTruth {
    pub(crate) fn head(&self) -> u64 {
        self.told.len() as u64
    }

    pub(crate) fn at(&self, seq: u64) -> &Told {
        &self.told[seq as usize - 1]
    }
}

pub(crate) struct Truth {
    pub(crate) topics: BTreeMap<String, TopicTruth>,
    reader: CommandReader,
}

impl Truth {
    pub(crate) fn new() -> Self {
        Self { topics: BTreeMap::new(), reader: CommandReader::new(1) }
    }

    pub(crate) fn head(&self, topic: &str) -> u64 {
        self.topics.get(topic).map_or(0, TopicTruth::head)
    }

    /// Invents an event for `topic`, remembers it as its next one, and returns what to publish.
    pub(crate) fn invent(&mut self, topic: &str, now: u64, chance: &mut Chance) -> Payload {
        let known = self.topics.entry(topic.to_owned()).or_default();
        let number = known.head() + 1;
        let mut book = known.told.last().map(|told| told.book.clone()).unwrap_or_default();
        let stamps = Stamps {
            event: chance.percent(50).then_some(now - 7),
            received: now,
            ..Stamps::default()
        };
        let (payload, mut data) = match topic.split('.').next() {
            Some("trade") => trade(number, stamps, chance),
            Some("quote") => quote(stamps, chance),
            Some("bar-1s") => bar(stamps, chance),
            Some("status") => status(stamps, chance),
            Some("book") => book_diff(&mut book, stamps, chance),
            _ => opaque(&mut self.reader, number, chance),
        };
        if let Payload::Market(_) = payload {
            data["ts_recv"] = json!(now.to_string());
            if let Some(event) = stamps.event {
                data["ts_event"] = json!(event.to_string());
            }
        }
        known.told.push(Told { ts: now.to_string(), data, book });
        payload
    }
}

fn price(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).expect("a plain decimal")
}

fn size(chance: &mut Chance) -> String {
    (*chance.pick(&["1", "0.25", "2.500", "17.00000001", "300"])).to_owned()
}

fn trade(number: u64, stamps: Stamps, chance: &mut Chance) -> (Payload, Value) {
    let (price, size) = (price(chance.between(1, 99_999) as i64), size(chance));
    let side = *chance.pick(&[Aggressor::Buy, Aggressor::Sell, Aggressor::Unknown]);
    let id = format!("{number}-\"é\"");
    let data = json!({"price": price, "size": size, "side": side.as_str(), "trade_id": id});
    let event =
        Trade { price: decimal(&price), size: decimal(&size), side, trade_id: id.into(), stamps };
    (Payload::Market(Event::Trade(event)), data)
}

fn quote(stamps: Stamps, chance: &mut Chance) -> (Payload, Value) {
    let mut side = || {
        let text = (price(chance.between(1, 99_999) as i64), size(chance));
        chance.percent(90).then_some(text)
    };
    let (bid, ask) = (side(), side());
    let read = |side: &Option<(String, String)>| {
        side.as_ref().map(|(p, s)| QuoteSide { price: decimal(p), size: decimal(s) })
    };
    let event = Quote { bid: read(&bid), ask: read(&ask), stamps };
    let (bid, ask) = (bid.unzip(), ask.unzip());
    let data =
        json!({"bid_price": bid.0, "bid_size": bid.1, "ask_price": ask.0, "ask_size": ask.1});
    (Payload::Market(Event::Quote(event)), data)
}

fn bar(stamps: Stamps, chance: &mut Chance) -> (Payload, Value) {
    let [open, high, low, close] = [(); 4].map(|()| price(chance.between(1, 9_999) as i64));
    let (volume, trades, start) = (size(chance), chance.below(50), chance.below(1 << 60));
    let data = json!({"start": start.to_string(), "open": open, "high": high, "low": low,
        "close": close, "volume": volume, "trades": trades});
    let event = Bar {
        start,
        open: decimal(&open),
        high: decimal(&high),
        low: decimal(&low),
        close: decimal(&close),
        volume: decimal(&volume),
        trades,
        stamps,
    };
    (Payload::Market(Event::Bar(event)), data)
}

fn status(stamps: Stamps, chance: &mut Chance) -> (Payload, Value) {
    let state = *chance.pick(&VenueState::ALL);
    let data = json!({"state": state.as_str(), "reason": "because"});
    (Payload::Market(Event::Status(Status { state, reason: "because".into(), stamps })), data)
}

fn book_diff(book: &mut Levels, stamps: Stamps, chance: &mut Chance) -> (Payload, Value) {
    // The first diff after a reset sets the scale of all prices, so it must hold one.
    let fresh = *book == Levels::default();
    let reset = fresh || chance.percent(4);
    if reset {
        *book = Levels::default();
    }
    let mut side = |held: &mut BTreeMap<i64, String>, low: u64, least: u64| -> Vec<Level> {
        let count = chance.between(least, 4);
        let changed = (0..count).map(|_| {
            let at = chance.between(low, low + 18) as i64;
            let size = if chance.percent(35) { "0.00".to_owned() } else { size(chance) };
            let level = Level { price: decimal(&price(at)), size: decimal(&size) };
            if level.size.is_zero() {
                held.remove(&at)
            } else {
                held.insert(at, size)
            };
            level
        });
        changed.collect()
    };
    let bids = side(&mut book.bids, 980, u64::from(reset));
    let asks = side(&mut book.asks, 999, 0);
    let data = if reset { json!({"reset": true}) } else { json!({}) };
    (Payload::Market(Event::Book(BookDiff { reset, bids, asks, stamps })), data)
}

/// Opaque data goes in as a client sends it.
fn opaque(reader: &mut CommandReader, number: u64, chance: &mut Chance) -> (Payload, Value) {
    let mut data = json!({"n": number, "big": u64::MAX, "deep": [[{"x": null}]], "é": "\"}"});
    if chance.percent(10) {
        data["filler"] = json!("x".repeat(chance.between(100, 400) as usize));
    }
    let command = json!({"op": "publish", "topic": "chat.a", "data": data}).to_string();
    let text = reader.read(Codec::Json, command.as_bytes(), |command| match command {
        Ok(Command::Publish { data, .. }) => data.opaque(),
        other => panic!("a publish: {other:?}"),
    });
    (Payload::Json(text), data)
}
