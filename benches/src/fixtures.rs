//! What the micro-benchmarks work on: events, books, registries and a hub with null sockets.

use std::num::NonZeroU32;
use std::sync::Arc;

use fanout::{Hub, HubLimits, SubscriberId};
use market::{
    Aggressor, Bar, BookDiff, Decimal, Event, Level, Nanos, Quote, QuoteSide, Stamps, Status,
    Trade, VenueState,
};
use topics::{HistoryLimits, Mailbox, Pattern, Registry, RegistryLimits, ShardId, Topic};
use wire::command::{OnSlow, Position, Subscribe};
use wire::{Codec, CommandReader, Payload};

/// A time like those of today: it has the digits that are written.
pub const NOW: Nanos = 1_790_000_000_000_000_000;

fn decimal(mantissa: i64, scale: u32) -> Decimal {
    Decimal::new(mantissa, scale).expect("a short number fits")
}

fn stamps() -> Stamps {
    Stamps { event: Some(NOW - 5_000_000), received: NOW, ..Stamps::default() }
}

/// A trade as a venue gives it.
#[must_use]
pub fn trade() -> Payload {
    Payload::Market(Event::Trade(Trade {
        price: decimal(6_400_010, 2),
        size: decimal(25_000_000, 8),
        side: Aggressor::Buy,
        trade_id: "991234567".into(),
        stamps: stamps(),
    }))
}

/// A quote; `number` makes it differ from the one before.
#[must_use]
pub fn quote(number: i64) -> Payload {
    let side = |price| Some(QuoteSide { price: decimal(price, 2), size: decimal(1_250_000, 6) });
    let bid = 6_400_000 + number % 1_000;
    Payload::Market(Event::Quote(Quote { bid: side(bid), ask: side(bid + 10), stamps: stamps() }))
}

/// A bar of one second; `number` makes it differ from the one before.
#[must_use]
pub fn bar(number: i64) -> Payload {
    let price = |ticks| decimal(6_400_000 + number % 1_000 + ticks, 2);
    Payload::Market(Event::Bar(Bar {
        start: NOW - NOW % 1_000_000_000,
        open: price(0),
        high: price(20),
        low: price(-20),
        close: price(10),
        volume: decimal(1_250_000, 6),
        trades: 17,
        stamps: stamps(),
    }))
}

/// A venue's status, up and stale in turn.
#[must_use]
pub fn status(number: i64) -> Payload {
    let state = if number % 2 == 0 { VenueState::Up } else { VenueState::Stale };
    let reason = "no message for 5 s".into();
    Payload::Market(Event::Status(Status { state, reason, stamps: stamps() }))
}

/// A book diff of `levels` changes on each side, near the top; of three sizes one is a removal.
#[must_use]
pub fn diff(number: i64, levels: i64) -> BookDiff {
    let side = |base: i64, step: i64| {
        (0..levels)
            .map(|level| {
                let size = if (number + level) % 3 == 0 { 0 } else { 1_000 + number };
                let price = base + step * ((number * 7 + level * 13) % 100);
                Level { price: decimal(price, 2), size: decimal(size, 4) }
            })
            .collect()
    };
    let (bids, asks) = (side(6_400_000, -1), side(6_400_010, 1));
    BookDiff { reset: false, bids, asks, stamps: stamps() }
}

/// A book event.
#[must_use]
pub fn book(number: i64) -> Payload {
    Payload::Market(Event::Book(diff(number, 3)))
}

/// Opaque JSON: a string of `bytes` bytes, quotes included.
///
/// # Panics
/// When `bytes` is less than 2.
#[must_use]
pub fn opaque(bytes: usize) -> Payload {
    let line = format!("{{\"topic\":\"a.b\",\"data\":\"{}\"}}", "x".repeat(bytes - 2));
    CommandReader::new(1).read_publication(line.as_bytes(), |publication| {
        let (_, data) = publication.expect("the line is well formed");
        Payload::Json(data.opaque())
    })
}

/// A subscribe command as clients send it.
pub const SUBSCRIBE: &str = r#"{"op":"subscribe","id":1,"topics":["trade.sim.BTC-USD","quote.sim.*","book.sim.ETH-USD"],"max_rate":20,"on_slow":"conflate"}"#;

/// A publish command as clients send it.
pub const PUBLISH: &str = r#"{"op":"publish","id":3,"topic":"chat.room1","data":{"user":"someone","text":"nothing much, and you?","at":1790000000,"tags":["a","b"]}}"#;

/// A registry with one shard that nobody rouses, and a hub for it.
#[derive(Debug)]
pub struct World {
    /// The topics.
    pub registry: Arc<Registry>,
    /// The fan-out of the only shard.
    pub hub: Hub,
}

impl World {
    /// An empty one. Histories hold `history` events; of `state.>` only the latest counts.
    ///
    /// # Panics
    /// Never: the pattern is well formed.
    #[must_use]
    pub fn new(history: usize) -> Self {
        let history =
            HistoryLimits { events: history, merging_events: history, ..HistoryLimits::default() };
        let limits = RegistryLimits {
            history,
            history_bytes: usize::MAX,
            latest_only: vec![Pattern::parse("state.>").expect("the pattern is well formed")],
            ..RegistryLimits::default()
        };
        let registry = Arc::new(Registry::new(limits, NOW, vec![Mailbox::new(|| {})]));
        let hub = Hub::new(Arc::clone(&registry), ShardId::new(0), HubLimits::default());
        Self { registry, hub }
    }

    /// The topic called `name`, made if there is none.
    ///
    /// # Panics
    /// When the name breaks the rules.
    #[must_use]
    pub fn topic(&self, name: &str) -> Arc<Topic> {
        self.registry.resolve(name).expect("the name is well formed")
    }

    /// Publishes one event to the topic called `name`, as a client's command does.
    pub fn publish(&self, name: &str, payload: Payload) {
        let mut topic = self.topic(name);
        self.registry.publish(&mut topic, payload, NOW).expect("the event is well formed");
    }

    /// A subscriber of `filter`, whose answer it has taken.
    pub fn subscriber(&mut self, codec: Codec, filter: &str) -> SubscriberId {
        let id = self.hub.add(codec);
        self.subscribe(id, filter, None);
        self.turn();
        id
    }

    /// A subscriber of `filter` that has the events of this topic up to `seq`.
    pub fn returning(&mut self, codec: Codec, filter: &str, seq: u64) -> SubscriberId {
        let id = self.hub.add(codec);
        self.subscribe(id, filter, Some(Position { epoch: Some(NOW), seq }));
        id
    }

    fn subscribe(&mut self, id: SubscriberId, filter: &str, resume: Option<Position>) {
        let command = Subscribe {
            id: None,
            topics: vec![filter.into()],
            snapshot: true,
            interval: None::<NonZeroU32>,
            on_slow: OnSlow::Conflate,
            resume: resume.map(|position| (filter.into(), position)).into_iter().collect(),
            history: 0,
        };
        self.hub.subscribe(id, &command).expect("the command is well formed");
    }

    /// One whole turn into sockets that take everything; the bytes they took.
    pub fn turn(&mut self) -> usize {
        self.hub.gather();
        self.hub.catch_up(0);
        let mut sum = 0;
        while let Some(id) = self.hub.next_ready() {
            let taken = self.hub.pending(id).map(<[u8]>::len).sum();
            self.hub.wrote(id, taken);
            sum += taken;
        }
        self.hub.end_turn();
        sum
    }
}

/// Events that each topic of [`crowd`] keeps.
pub const CROWD_HISTORY: usize = 4;

/// A world with `topics` topics and `patterns` patterns, each of which has one subscriber and
/// covers its share of the topics, so that a publish to any of [`names`] has one match.
#[must_use]
pub fn crowd(topics: usize, patterns: usize) -> World {
    let mut world = World::new(CROWD_HISTORY);
    for name in names(topics, patterns) {
        // Published once, so that every topic has its log.
        world.publish(&name, quote(0));
    }
    for pattern in 0..patterns {
        world.subscriber(Codec::Json, &format!("quote.v{pattern}.*"));
    }
    world
}

/// The topics of [`crowd`].
pub fn names(topics: usize, patterns: usize) -> impl Iterator<Item = String> {
    (0..topics).map(move |topic| format!("quote.v{}.s{}", topic % patterns, topic / patterns))
}
