//! Encode once: what one event costs does not grow with the number of those it goes to.

use std::sync::Arc;

use fanout::{Hub, HubLimits, SubscriberId};
use market::{Aggressor, Decimal, Event, Level, Quote, QuoteSide, Stamps, Trade};
use topics::{Mailbox, Registry, RegistryLimits, ShardId, Topic};
use wire::command::{OnSlow, Subscribe};
use wire::{Codec, Payload};

struct Rig {
    registry: Arc<Registry>,
    hub: Hub,
    subscribers: Vec<SubscriberId>,
}

impl Rig {
    /// A hub with `count` subscribers of `topic`, none of which is owed anything.
    fn new(topic: &str, count: usize, codecs: &[Codec]) -> Self {
        let mailboxes = vec![Mailbox::new(|| {})];
        let registry = Arc::new(Registry::new(RegistryLimits::default(), 1, mailboxes));
        let mut hub = Hub::new(Arc::clone(&registry), ShardId::new(0), HubLimits::default());
        let command = Subscribe {
            id: None,
            topics: vec![topic.into()],
            snapshot: false,
            interval: None,
            on_slow: OnSlow::Conflate,
            resume: Vec::new(),
            history: 0,
        };
        let mut subscribers = Vec::new();
        for codec in codecs.iter().cycle().take(count) {
            let id = hub.add(*codec);
            hub.subscribe(id, &command).expect("a good command");
            subscribers.push(id);
        }
        let mut rig = Self { registry, hub, subscribers };
        rig.drain(usize::MAX);
        rig
    }

    fn topic(&self, name: &str) -> Arc<Topic> {
        self.registry.resolve(name).expect("room for a topic")
    }

    /// Each socket takes at most `room` bytes.
    fn drain(&mut self, room: usize) {
        while let Some(id) = self.hub.next_ready() {
            let offered: usize = self.hub.pending(id).map(<[u8]>::len).sum();
            self.hub.wrote(id, offered.min(room));
        }
        self.hub.end_turn();
    }

    fn publish(&self, topic: &mut Arc<Topic>, event: impl Fn(u64) -> Event, count: u64) {
        for number in 0..count {
            let payload = Payload::Market(event(number));
            self.registry.publish(topic, payload, 1).expect("a good event");
        }
    }
}

fn decimal(number: u64) -> Decimal {
    Decimal::new(number as i64 + 1, 2).expect("a small number")
}

fn trade(number: u64) -> Event {
    Event::Trade(Trade {
        price: decimal(number),
        size: decimal(1),
        side: Aggressor::Buy,
        trade_id: "1".into(),
        stamps: Stamps::default(),
    })
}

fn quote(number: u64) -> Event {
    let side = QuoteSide { price: decimal(number), size: decimal(1) };
    Event::Quote(Quote { bid: Some(side), ask: None, stamps: Stamps::default() })
}

fn book(number: u64) -> Event {
    let level = |price| Level { price: decimal(price), size: decimal(number) };
    Event::Book(market::BookDiff {
        bids: (0..10).map(level).collect(),
        ..market::BookDiff::default()
    })
}

/// Allocations of a publish of `burst` events and the turn that hands them to `count`
/// subscribers in step, once everything has its room.
fn allocations_in_step(count: usize, codecs: &[Codec], burst: u64) -> u64 {
    let mut rig = Rig::new("trade.sim.X", count, codecs);
    let mut topic = rig.topic("trade.sim.X");
    let mut turn = |rig: &mut Rig| {
        rig.publish(&mut topic, trade, burst);
        rig.hub.gather();
        rig.hub.catch_up(0);
        rig.drain(usize::MAX);
    };
    // Past the point where the history and the frames it keeps still grow.
    for _ in 0..9_000 / burst {
        turn(&mut rig);
    }
    let before = rig.hub.ledger().delivered;
    let counted = allocation_counter::measure(|| turn(&mut rig));
    assert_eq!(rig.hub.ledger().delivered - before, burst * count as u64);
    counted.count_total
}

#[test]
fn no_allocation_for_each_subscriber() {
    for burst in [1, 16] {
        for codecs in [&[Codec::Json][..], &[Codec::MessagePack][..], &Codec::ALL] {
            let alone = allocations_in_step(codecs.len(), codecs, burst);
            let crowd = allocations_in_step(300, codecs, burst);
            assert!(crowd <= alone, "{crowd} for 300, {alone} alone ({codecs:?}, {burst} at once)");
        }
    }
}

#[test]
fn all_in_step_are_given_the_same_bytes_in_memory() {
    let mut rig = Rig::new("trade.sim.X", 1_000, &[Codec::Json]);
    let mut topic = rig.topic("trade.sim.X");
    rig.publish(&mut topic, trade, 16);
    rig.hub.gather();
    let first: Vec<_> = rig.hub.pending(rig.subscribers[0]).map(<[u8]>::as_ptr_range).collect();
    assert_eq!(first.len(), 1, "a burst leaves in one write");
    for &id in &rig.subscribers {
        assert!(rig.hub.pending(id).map(<[u8]>::as_ptr_range).eq(first.iter().cloned()));
    }
    rig.drain(usize::MAX);
}

#[test]
fn all_at_the_same_position_share_one_merged_frame() {
    for (topic, event) in
        [("quote.sim.X", quote as fn(u64) -> Event), ("book.sim.X", book), ("trade.sim.X", trade)]
    {
        let mut rig = Rig::new(topic, 500, &[Codec::Json]);
        let mut handle = rig.topic(topic);
        rig.publish(&mut handle, event, 1);
        rig.hub.gather();
        // Nobody takes a byte, and more comes meanwhile.
        rig.drain(0);
        rig.publish(&mut handle, event, 8);
        rig.hub.gather();
        rig.drain(0);
        for &id in &rig.subscribers {
            rig.hub.writable(id);
        }
        rig.hub.catch_up(0);
        let given: Vec<_> = rig.hub.pending(rig.subscribers[0]).map(<[u8]>::as_ptr_range).collect();
        assert!(!given.is_empty());
        for &id in &rig.subscribers {
            let shared = rig.hub.pending(id).map(<[u8]>::as_ptr_range).eq(given.iter().cloned());
            assert!(shared, "{topic}");
        }
        rig.drain(usize::MAX);
        let ledger = rig.hub.ledger();
        assert!(ledger.balances() && ledger.pending == 0, "{ledger:?}");
    }
}

#[test]
fn a_subscriber_in_step_holds_nothing_for_what_it_was_sent() {
    let mut rig = Rig::new("quote.sim.X", 100, &[Codec::Json]);
    let mut topic = rig.topic("quote.sim.X");
    rig.publish(&mut topic, quote, 3);
    rig.hub.gather();
    rig.drain(0);
    for &id in &rig.subscribers {
        assert_eq!(rig.hub.unsent(id), 0, "a cursor stands for what it did not take");
        rig.hub.writable(id);
    }
    rig.hub.catch_up(0);
    rig.drain(usize::MAX);
    assert!(rig.subscribers.iter().all(|&id| rig.hub.is_settled(id)));
}

#[test]
fn what_is_written_of_the_rest_is_given_back_even_if_it_never_runs_dry() {
    let mut rig = Rig::new("chat.x", 1, &[Codec::Json]);
    let id = rig.subscribers[0];
    rig.hub.reply(id, |bytes| wire::append_pong(bytes, &[0; 100]));
    rig.drain(50);
    let held = allocation_counter::measure(|| {
        for _ in 0..10_000 {
            rig.hub.reply(id, |bytes| wire::append_pong(bytes, &[0; 98]));
            rig.hub.writable(id);
            rig.drain(100);
            assert_eq!(rig.hub.unsent(id), 52);
        }
    });
    assert!(held.bytes_current < 1_000, "{} bytes for 52 unsent", held.bytes_current);
}
