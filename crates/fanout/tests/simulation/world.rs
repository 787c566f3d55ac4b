//! The world around the core: publishers, sockets, time; who does what next is up to the seed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use fanout::{Hub, HubLimits};
use topics::{HistoryLimits, Mailbox, Pattern, Registry, RegistryLimits, ShardId, Topic};
use wire::Codec;

use crate::chance::Chance;
use crate::client::{Appetite, Client, covers};
use crate::truth::Truth;

pub(crate) const EPOCH: u64 = 1_790_000_000_000_000_000;

/// Topics that are published to; those with an N come later.
const TOPICS: &[&str] = &[
    "trade.sim.A",
    "trade.sim.B",
    "quote.sim.A",
    "quote.sim.B",
    "book.sim.A",
    "book.sim.B",
    "bar-1s.sim.A",
    "status.sim",
    "chat.a",
    "chat.b",
    "game.1.state",
    "game.2.move",
];
const LATER: &[&str] =
    &["quote.sim.N1", "trade.sim.N2", "chat.n3", "book.sim.N1", "book.sim.N4", "game.9.state"];

const STEPS: u64 = 120;
const CLIENTS: usize = 7;

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) now: u64,
    pub(crate) truth: Truth,
    pub(crate) registry: Arc<Registry>,
    pub(crate) hubs: Vec<Hub>,
    pub(crate) clients: Vec<Client>,
    pub(crate) commands: u64,
    /// Where clients that left stood in each topic.
    pub(crate) remembered: BTreeMap<String, u64>,
    /// For each hub, up to where it has read each topic.
    pub(crate) seen: Vec<BTreeMap<String, u64>>,
    /// For each hub, events that were due to subscriptions that have ended.
    pub(crate) ended_due: Vec<u64>,
    /// Turns go by the book and publishes come between them, so that what is due can be counted.
    orderly: bool,
    handles: BTreeMap<String, Arc<Topic>>,
    digest: DefaultHasher,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let orderly = chance.percent(50);
        let history = HistoryLimits {
            events: *chance.pick(&[1, 3, 10, 100, 8_192]),
            merging_events: *chance.pick(&[1, 2, 5, 1_024]),
            bytes: *chance.pick(&[100, 700, 3_000, 4 << 20, 4 << 20]),
            age: *chance.pick(&[900_000_000, 600_000_000_000]),
            book_levels: 100,
        };
        let limits = RegistryLimits {
            topics: 1_000,
            history_bytes: *chance.pick(&[20_000, 256 << 20]),
            history,
            latest_only: vec![Pattern::parse("game.*.state").expect("a valid pattern")],
        };
        let shards = chance.between(1, 3) as usize;
        let mailboxes = (0..shards).map(|_| Mailbox::new(|| {})).collect();
        let registry = Arc::new(Registry::new(limits, EPOCH, mailboxes));
        let limits = HubLimits {
            catch_up_bytes: *chance.pick(&[1, 600, 64 << 10]),
            turn_bytes: if orderly { 1 << 20 } else { *chance.pick(&[1_500, 1 << 20]) },
            ..HubLimits::default()
        };
        let hub = |shard| Hub::new(Arc::clone(&registry), ShardId::new(shard), limits);
        Self {
            hubs: (0..shards).map(hub).collect(),
            registry,
            chance,
            now: 1_000,
            truth: Truth::new(),
            clients: Vec::new(),
            commands: 0,
            remembered: BTreeMap::new(),
            seen: vec![BTreeMap::new(); shards],
            ended_due: vec![0; shards],
            orderly,
            handles: BTreeMap::new(),
            digest: DefaultHasher::new(),
        }
    }

    /// Lives through the run, and returns a digest of all bytes that clients received.
    pub(crate) fn run(mut self) -> u64 {
        for step in 0..STEPS {
            self.now += self.chance.below(30);
            match self.chance.below(100) {
                0..45 => self.publish_some(step),
                45..70 => self.command_someone(),
                70..76 if self.clients.len() < CLIENTS => self.connect(),
                76..79 if !self.clients.is_empty() => {
                    let at = self.chance.below(self.clients.len() as u64) as usize;
                    self.disconnect(at);
                }
                79..92 => self.change_an_appetite(),
                92..95 => drop(self.registry.sweep(self.nanos())),
                95..97 => self.now += 1_000,
                _ => self.connect(),
            }
            if self.chance.percent(75) {
                let hub = self.chance.below(self.hubs.len() as u64) as usize;
                self.turn(hub);
            }
        }
        self.settle();
        self.leave();
        self.digest.finish()
    }

    fn nanos(&self) -> u64 {
        EPOCH + self.now * 1_000_000
    }

    fn publish_some(&mut self, step: u64) {
        let topics = if step > STEPS / 3 && self.chance.percent(30) { LATER } else { TOPICS };
        let burst = if self.chance.percent(8) { 30 } else { 6 };
        let topic = *self.chance.pick(topics);
        for _ in 0..self.chance.between(1, burst) {
            let other = *self.chance.pick(topics);
            let topic = if self.chance.percent(60) { topic } else { other };
            self.publish(topic);
        }
    }

    fn publish(&mut self, topic: &str) {
        let now = self.nanos();
        let payload = self.truth.invent(topic, now, &mut self.chance);
        let known = self.handles.remove(topic).filter(|_| self.chance.percent(60));
        let mut handle =
            known.unwrap_or_else(|| self.registry.resolve(topic).expect("room for a topic"));
        let published = self.registry.publish(&mut handle, payload, now).expect("a good event");
        assert_eq!((published.epoch, published.seq), (EPOCH, self.truth.head(topic)));
        self.handles.insert(topic.to_owned(), handle);
    }

    /// The latest event of `topic` that its history no longer holds.
    pub(crate) fn lost(&self, topic: &str) -> u64 {
        lost(&self.registry, &self.truth, topic)
    }

    fn command_someone(&mut self) {
        if !self.clients.is_empty() {
            let at = self.chance.below(self.clients.len() as u64) as usize;
            self.command(at);
        }
    }

    fn connect(&mut self) {
        let hub = self.chance.below(self.hubs.len() as u64) as usize;
        let codec = *self.chance.pick(&Codec::ALL);
        let id = self.hubs[hub].add(codec);
        self.clients.push(Client::new(id, hub, codec));
        self.command(self.clients.len() - 1);
    }

    fn disconnect(&mut self, at: usize) {
        self.end_all_due(at);
        let client = self.clients.remove(at);
        self.hubs[client.hub].remove(client.id);
        for (topic, view) in client.views.iter().filter(|(_, view)| view.is_whole()) {
            self.remembered.insert(topic.clone(), view.last);
        }
    }

    fn end_all_due(&mut self, at: usize) {
        self.clients[at].note_new_topics(&self.truth);
        self.clients[at].wanted.clear();
        self.end_due(at);
    }

    fn change_an_appetite(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let at = self.chance.below(self.clients.len() as u64) as usize;
        let appetite = *self.chance.pick(&[Appetite::All, Appetite::Some, Appetite::None]);
        let client = &mut self.clients[at];
        client.appetite = appetite;
        if appetite != Appetite::None {
            client.blocked = false;
            self.hubs[client.hub].writable(client.id);
        }
    }

    fn turn(&mut self, hub: usize) {
        if self.orderly {
            self.hubs[hub].fire_timers(self.now);
            self.maybe_command();
            self.gather(hub);
            self.maybe_command();
            self.hubs[hub].catch_up(self.now);
        } else {
            for _ in 0..self.chance.between(2, 7) {
                match self.chance.below(5) {
                    0 => self.hubs[hub].fire_timers(self.now),
                    1 | 2 => self.gather(hub),
                    3 => self.hubs[hub].catch_up(self.now),
                    _ => {
                        self.maybe_command();
                        self.publish_some(STEPS);
                    }
                }
            }
        }
        self.close_the_slow(hub);
        self.drain(hub);
        self.hubs[hub].end_turn();
        self.check_ledger(hub);
    }

    fn maybe_command(&mut self) {
        match self.chance.below(100) {
            0..15 => self.command_someone(),
            15..20 => self.change_an_appetite(),
            20..22 if !self.clients.is_empty() => self.disconnect(0),
            _ => {}
        }
    }

    fn gather(&mut self, hub: usize) {
        self.hubs[hub].gather();
        for (topic, known) in &self.truth.topics {
            self.seen[hub].insert(topic.clone(), known.head());
        }
    }

    fn close_the_slow(&mut self, hub: usize) {
        for (id, close) in self.hubs[hub].take_closing() {
            let named = |client: &Client| client.hub == hub && client.id == id;
            let at = self.clients.iter().position(named).expect("a client that is there");
            assert!(!self.clients[at].closing, "named once");
            self.end_all_due(at);
            self.clients[at].closing = true;
            self.hubs[hub].mute(id);
            self.hubs[hub].reply(id, |bytes| {
                wire::append_close(bytes, close.code, close.reason);
            });
        }
    }

    fn drain(&mut self, hub: usize) {
        let mut named = Vec::new();
        while let Some(id) = self.hubs[hub].next_ready() {
            assert!(!named.contains(&id), "each one once");
            named.push(id);
            let mine = |client: &&mut Client| client.hub == hub && client.id == id;
            let client = self.clients.iter_mut().find(mine).expect("a client that is there");
            assert!(!client.blocked, "its socket takes nothing");
            let bytes = self.hubs[hub].pending(id).collect::<Vec<_>>().concat();
            assert!(!bytes.is_empty(), "it was ready");
            let taken = match client.appetite {
                Appetite::All => bytes.len(),
                Appetite::Some => (self.chance.below(160) as usize).min(bytes.len()),
                Appetite::None => 0,
            };
            client.blocked = taken < bytes.len();
            self.hubs[hub].wrote(id, taken);
            self.digest.write_u64(self.commands);
            self.digest.write(&bytes[..taken]);
            let (registry, truth) = (&self.registry, &self.truth);
            let lost = |topic: &str| lost(registry, truth, topic);
            client.receive(&bytes[..taken], self.now, truth, &EPOCH.to_string(), &lost);
        }
    }

    fn check_ledger(&mut self, hub: usize) {
        let ledger = self.hubs[hub].ledger();
        assert!(ledger.balances(), "{ledger:?}");
        if !self.orderly {
            return;
        }
        let mut due = self.ended_due[hub];
        for client in self.clients.iter_mut().filter(|client| client.hub == hub) {
            client.note_new_topics(&self.truth);
            for (topic, &head) in &self.seen[hub] {
                if covers(&client.wanted, topic) {
                    due += head - client.due_from.get(topic).unwrap_or(&0);
                }
            }
        }
        assert_eq!(ledger.published, due, "each event counts once for each client it is due to");
    }

    /// All sockets take everything: nothing may be missing in the end.
    fn settle(&mut self) {
        for at in 0..self.clients.len() {
            let client = &mut self.clients[at];
            (client.appetite, client.blocked) = (Appetite::All, false);
            self.hubs[client.hub].writable(client.id);
        }
        self.orderly = true;
        for hub in 0..self.hubs.len() {
            let mut rounds = 0;
            loop {
                self.hubs[hub].fire_timers(self.now);
                self.gather(hub);
                self.hubs[hub].catch_up(self.now);
                self.close_the_slow(hub);
                self.drain(hub);
                self.hubs[hub].end_turn();
                assert!(self.hubs[hub].ledger().balances());
                match self.hubs[hub].next_timer() {
                    _ if self.hubs[hub].has_work() => {}
                    Some(due) => self.now = self.now.max(due),
                    None => break,
                }
                rounds += 1;
                assert!(rounds < 100_000, "it never comes to rest");
            }
            assert_eq!(self.hubs[hub].ledger().pending, 0);
        }
        for client in self.clients.iter().filter(|client| !client.closing) {
            assert!(self.hubs[client.hub].is_settled(client.id));
            client.assert_up_to_date(&self.truth);
        }
        assert!(self.clients.iter().all(|client| client.closing == client.closed));
    }

    /// Nobody is left: no trace of subscribers, and topics go that hold nothing.
    fn leave(&mut self) {
        while !self.clients.is_empty() {
            self.disconnect(0);
        }
        for hub in &mut self.hubs {
            hub.gather();
            hub.end_turn();
            assert_eq!((hub.subscribers(), hub.subscriptions()), (0, 0));
            assert!(hub.ledger().balances());
        }
        let everything = Pattern::parse(">").expect("a valid pattern");
        let left = self.registry.matching(&everything);
        let names = || left.iter().map(|info| info.topic.name());
        assert!(left.iter().all(|info| info.seq > 0), "nobody published or listens: {:?}", {
            names().collect::<Vec<_>>()
        });
        self.registry.sweep(u64::MAX);
        let left = self.registry.matching(&everything);
        assert!(left.iter().all(|info| info.topic.merging().has_snapshot()), "unused and empty");
    }
}

fn lost(registry: &Registry, truth: &Truth, topic: &str) -> u64 {
    registry.get(topic).map_or(truth.head(topic), |topic| topic.log().oldest() - 1)
}
