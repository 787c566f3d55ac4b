//! Publishes and subscribes that interleave as the scheduler likes: nothing missing, doubled or
//! out of order, and every subscriber sees the same order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fanout::{Hub, HubLimits, SubscriberId};
use market::{Decimal, Event, Quote, QuoteSide, Stamps};
use serde_json::Value;
use topics::{Mailbox, Registry, RegistryLimits, ShardId};
use wire::command::{Id, OnSlow, Subscribe};
use wire::{Codec, Payload};

#[path = "support/mod.rs"]
mod support;

const TOPICS: [&str; 3] = ["quote.sim.A", "quote.sim.B", "quote.sim.C"];
const EVENTS: u64 = 1_500;
const PUBLISHERS: usize = 2;

/// Publishes to all topics; the size of each quote tells who published it, the price its turn.
fn publish(registry: &Registry, publisher: usize) {
    let mut handles = TOPICS.map(|topic| registry.resolve(topic).expect("room for a topic"));
    for number in 0..EVENTS {
        for handle in &mut handles {
            let price = Decimal::new(number as i64 + 1, 0).expect("a small number");
            let size = Decimal::new(publisher as i64 + 1, 0).expect("a small number");
            let quote = Quote {
                bid: Some(QuoteSide { price, size }),
                ask: None,
                stamps: Stamps::default(),
            };
            registry.publish(handle, Payload::Market(Event::Quote(quote)), 1).expect("published");
        }
    }
}

/// What one client has: its last event of each topic, and all data by number.
#[derive(Default)]
struct Heard {
    last: BTreeMap<String, u64>,
    data: BTreeMap<(String, u64), Value>,
}

impl Heard {
    fn read(&mut self, received: &mut Vec<u8>) {
        while let Some(frame) = support::first_frame(received) {
            received.drain(..frame.length);
            let message = support::message(Codec::Json, &frame);
            let op = message["op"].as_str().expect("a text");
            if op == "subscribed" {
                continue;
            }
            let topic = message["topic"].as_str().expect("a text").to_owned();
            let seq = message["seq"].as_u64().expect("a number");
            let from = message.get("from").and_then(Value::as_u64).unwrap_or(seq);
            match (op, self.last.get(&topic)) {
                ("snapshot", _) => {}
                ("event", Some(&last)) => assert_eq!(from, last + 1, "{topic}"),
                ("event", None) => assert_eq!(from, 1, "{topic} began without a snapshot"),
                (op, _) => panic!("{op}"),
            }
            self.last.insert(topic.clone(), seq);
            self.data.insert((topic, seq), message["data"].clone());
        }
    }
}

/// A shard that subscribes someone every few turns and lets sockets stall now and then.
fn serve(registry: &Arc<Registry>, shard: usize, publishing: &AtomicUsize) -> Vec<Heard> {
    let mut hub = Hub::new(Arc::clone(registry), ShardId::new(shard), HubLimits::default());
    let mut clients: BTreeMap<SubscriberId, (Heard, Vec<u8>)> = BTreeMap::new();
    let mut turn = 0usize;
    loop {
        let done = publishing.load(Ordering::SeqCst) == 0;
        turn += 1;
        if turn.is_multiple_of(3) && clients.len() < 60 {
            let id = hub.add(Codec::Json);
            let topics: &[&str] = if turn.is_multiple_of(2) { &["quote.>"] } else { &TOPICS };
            let command = Subscribe {
                id: Some(Id::Unsigned(1)),
                topics: topics.iter().map(|topic| (*topic).into()).collect(),
                snapshot: true,
                interval: None,
                on_slow: OnSlow::Conflate,
                resume: Vec::new(),
                history: 0,
            };
            hub.subscribe(id, &command).expect("a good command");
            clients.insert(id, Default::default());
        }
        for &id in clients.keys() {
            hub.writable(id);
        }
        hub.gather();
        hub.catch_up(0);
        while let Some(id) = hub.next_ready() {
            let (heard, received) = clients.get_mut(&id).expect("a client");
            let bytes = hub.pending(id).collect::<Vec<_>>().concat();
            let stalls = !done && (turn + id.index()).is_multiple_of(4);
            let taken = if stalls { bytes.len() / 2 } else { bytes.len() };
            received.extend_from_slice(&bytes[..taken]);
            hub.wrote(id, taken);
            heard.read(received);
        }
        hub.end_turn();
        assert!(hub.ledger().balances());
        if done && !hub.has_work() && registry.mailbox(ShardId::new(shard)).is_empty() {
            let settled = clients.keys().all(|&id| hub.is_settled(id));
            if settled && clients.len() >= 10 {
                return clients.into_values().map(|(heard, _)| heard).collect();
            }
        }
    }
}

#[test]
fn however_publishes_and_subscribes_interleave_nothing_is_missing_doubled_or_out_of_order() {
    let shards = 2;
    let mailboxes = (0..shards).map(|_| Mailbox::new(|| {})).collect();
    let registry = Arc::new(Registry::new(RegistryLimits::default(), 1, mailboxes));
    let publishing = AtomicUsize::new(PUBLISHERS);
    let heard: Vec<Heard> = thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (registry, publishing) = (&registry, &publishing);
            scope.spawn(move || {
                publish(registry, publisher);
                publishing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let serving: Vec<_> = (0..shards)
            .map(|shard| {
                let (registry, publishing) = (&registry, &publishing);
                scope.spawn(move || serve(registry, shard, publishing))
            })
            .collect();
        serving.into_iter().flat_map(|serving| serving.join().expect("a shard")).collect()
    });
    let mut agreed: BTreeMap<(String, u64), Value> = BTreeMap::new();
    for heard in heard {
        for topic in TOPICS {
            assert_eq!(heard.last[topic], EVENTS * PUBLISHERS as u64, "{topic}");
        }
        for (event, data) in heard.data {
            assert_eq!(agreed.entry(event).or_insert_with(|| data.clone()), &data);
        }
    }
}
