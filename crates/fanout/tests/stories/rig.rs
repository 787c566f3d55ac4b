//! One hub, its publishers and its pretend sockets, spoken to as a client speaks: in JSON.

use std::collections::HashMap;
use std::sync::Arc;

use fanout::{Hub, HubLimits, Ledger, SubscriberId};
use serde_json::{Map, Value, json};
use topics::{
    HistoryLimits, Mailbox, Pattern, Registry, RegistryLimits, ShardId, TopicKind, TopicName,
};
use wire::close::Close;
use wire::command::{BadCommand, Command, Data};
use wire::{Codec, CommandReader, Payload, Rejection, message};

use crate::support::{first_frame, message};

pub(crate) const EPOCH: u64 = 77;

struct Socket {
    codec: Codec,
    /// Bytes it takes before it blocks.
    room: usize,
    received: Vec<u8>,
}

pub(crate) struct Rig {
    pub(crate) registry: Arc<Registry>,
    pub(crate) hub: Hub,
    pub(crate) now: u64,
    sockets: HashMap<SubscriberId, Socket>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(HistoryLimits::default(), HubLimits::default())
    }

    /// Histories that hold `events` events of each topic, whatever its kind.
    pub(crate) fn holding(events: usize) -> Self {
        let history = HistoryLimits { events, merging_events: events, ..HistoryLimits::default() };
        Self::with(history, HubLimits::default())
    }

    pub(crate) fn with(history: HistoryLimits, hub: HubLimits) -> Self {
        let latest_only = vec![Pattern::parse("game.*.state").expect("a valid pattern")];
        let limits = RegistryLimits { history, latest_only, ..RegistryLimits::default() };
        let registry = Arc::new(Registry::new(limits, EPOCH, vec![Mailbox::new(|| {})]));
        let hub = Hub::new(Arc::clone(&registry), ShardId::new(0), hub);
        Self { registry, hub, now: 0, sockets: HashMap::new() }
    }

    pub(crate) fn join(&mut self) -> SubscriberId {
        self.join_with(Codec::Json)
    }

    pub(crate) fn join_with(&mut self, codec: Codec) -> SubscriberId {
        let who = self.hub.add(codec);
        self.sockets.insert(who, Socket { codec, room: usize::MAX, received: Vec::new() });
        who
    }

    /// A subscriber that has subscribed `topics` and heard what comes of that.
    pub(crate) fn listener(&mut self, topics: &[&str]) -> SubscriberId {
        let who = self.join();
        self.say(who, json!({"op": "subscribe", "topics": topics}));
        self.turn();
        self.heard(who);
        who
    }

    /// Publishes `count` events: prices and sizes tell the number of each.
    pub(crate) fn publish(&mut self, topic: &str, count: u64) {
        for _ in 0..count {
            let number = self.registry.get(topic).map_or(0, |topic| topic.log().head()) + 1;
            let price = format!("{number}.00");
            let data = match topic.split('.').next() {
                Some("trade") => {
                    json!({"price": price, "size": "1", "side": "buy", "trade_id": price})
                }
                Some("quote") => json!({"bid_price": price, "bid_size": "1",
                    "ask_price": price, "ask_size": "1"}),
                Some("book") => {
                    json!({"bids": [[price, number.to_string()]], "asks": []})
                }
                _ => json!({"n": number}),
            };
            self.publish_data(topic, &data);
        }
    }

    pub(crate) fn publish_data(&mut self, topic: &str, data: &Value) {
        let line = json!({"topic": topic, "data": data}).to_string();
        let registry = &self.registry;
        let published = CommandReader::new(1).read_publication(line.as_bytes(), |publication| {
            publication.and_then(|(topic, data)| publish(registry, topic, data))
        });
        published.expect("a good event");
    }

    /// Carries out a command as a shard does.
    pub(crate) fn say(&mut self, who: SubscriberId, command: Value) {
        let (hub, registry) = (&mut self.hub, &self.registry);
        CommandReader::new(1_000).read(Codec::Json, command.to_string().as_bytes(), |command| {
            let outcome = match command {
                Ok(Command::Subscribe(command)) => {
                    hub.subscribe(who, &command).map_err(|rejection| (command.id, rejection))
                }
                Ok(Command::Unsubscribe { id, topics }) => {
                    hub.unsubscribe(who, id.as_ref(), &topics).map_err(|rejection| (id, rejection))
                }
                Ok(Command::Ping { id }) => {
                    hub.reply(who, |bytes| {
                        message::append_pong(Codec::Json, bytes, id.as_ref(), 1);
                    });
                    Ok(())
                }
                Ok(Command::Publish { id, topic, data, .. }) => {
                    publish(registry, topic, data).map_err(|rejection| (id, rejection))
                }
                Err(BadCommand { id, rejection }) => Err((id, rejection)),
            };
            if let Err((id, rejection)) = outcome {
                hub.reply(who, |bytes| {
                    message::append_error(Codec::Json, bytes, id.as_ref(), &rejection);
                });
            }
        });
    }

    /// One turn, after which the ledger must balance.
    pub(crate) fn turn(&mut self) {
        self.hub.fire_timers(self.now);
        self.hub.gather();
        self.hub.catch_up(self.now);
        self.write();
    }

    /// What a turn ends with: everyone is written to.
    pub(crate) fn write(&mut self) {
        while let Some(who) = self.hub.next_ready() {
            let bytes = self.hub.pending(who).collect::<Vec<_>>().concat();
            let socket = self.sockets.get_mut(&who).expect("a socket for each subscriber");
            let taken = socket.room.min(bytes.len());
            socket.room -= taken;
            socket.received.extend_from_slice(&bytes[..taken]);
            self.hub.wrote(who, taken);
        }
        self.hub.end_turn();
        assert!(self.hub.ledger().balances(), "{:?}", self.hub.ledger());
    }

    /// Turns until there is no more work and no timer.
    pub(crate) fn rest(&mut self) {
        loop {
            self.turn();
            match self.hub.next_timer() {
                _ if self.hub.has_work() => {}
                Some(due) => self.now = self.now.max(due),
                None => break,
            }
        }
    }

    /// From now on the socket takes `room` bytes and no more.
    pub(crate) fn takes(&mut self, who: SubscriberId, room: usize) {
        self.sockets.get_mut(&who).expect("a socket").room = room;
        if room > 0 {
            self.hub.writable(who);
        }
    }

    pub(crate) fn stalls(&mut self, who: SubscriberId) {
        self.takes(who, 0);
    }

    pub(crate) fn takes_all(&mut self, who: SubscriberId) {
        self.takes(who, usize::MAX);
    }

    /// The whole messages received since the last look.
    pub(crate) fn messages(&mut self, who: SubscriberId) -> Vec<Map<String, Value>> {
        let socket = self.sockets.get_mut(&who).expect("a socket");
        let mut messages = Vec::new();
        while let Some(frame) = first_frame(&socket.received) {
            socket.received.drain(..frame.length);
            messages.push(match frame.opcode {
                8 => {
                    let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
                    Map::from_iter([("op".into(), json!("close")), ("topic".into(), json!(code))])
                }
                _ => message(socket.codec, &frame),
            });
        }
        messages
    }

    /// The same, a short line each: `event quote.x 3..7`, `gap trade.x 1..4 slow`, `pong`.
    pub(crate) fn heard(&mut self, who: SubscriberId) -> Vec<String> {
        self.messages(who).iter().map(line).collect()
    }

    pub(crate) fn closing(&mut self) -> Vec<(SubscriberId, Close)> {
        self.hub.take_closing()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.hub.ledger()
    }

    pub(crate) fn exists(&self, topic: &str) -> bool {
        self.registry.get(topic).is_some()
    }
}

fn publish(registry: &Registry, topic: &str, data: Data<'_>) -> Result<(), Rejection> {
    let name = TopicName::parse(topic)?;
    let payload = match name.kind() {
        TopicKind::Market(kind) => Payload::Market(data.market(kind, 1)?),
        TopicKind::Generic => Payload::Json(data.opaque()),
    };
    let mut topic = registry.resolve(topic)?;
    registry.publish(&mut topic, payload, 1).map(drop)
}

fn line(message: &Map<String, Value>) -> String {
    let text = |field: &str| match message.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let range = match text("op").as_str() {
        "event" if message.contains_key("merged") => format!("{}..{}", text("from"), text("seq")),
        "event" | "snapshot" => text("seq"),
        "gap" => format!("{}..{} {}", text("from"), text("to"), text("reason")),
        "error" => text("code"),
        "subscribed" | "unsubscribed" => return text("op"),
        _ => String::new(),
    };
    [text("op"), text("topic"), range].join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}
