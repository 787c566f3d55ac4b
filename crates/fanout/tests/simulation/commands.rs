//! Random commands, and what the model says must become of each.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use topics::Filter;
use wire::Code;
use wire::command::{Id, OnSlow, Position, Subscribe};
use wire::message;

use crate::client::{Client, Rule, Rules, Sent, covers};
use crate::truth::{Kind, kind_of};
use crate::view::Begun;
use crate::world::{EPOCH, World};

/// What may be subscribed: topics there from the start, later, never; patterns that overlap.
const FILTERS: &[&str] = &[
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
    "quote.sim.N1",
    "trade.sim.N2",
    "chat.n3",
    "book.sim.N1",
    "never.published",
    ">",
    "*.sim.*",
    "*.sim.A",
    "quote.sim.*",
    "trade.>",
    "book.*.*",
    "chat.*",
    "game.>",
    "game.*.state",
    "status.*",
];

/// Filters none of whose topics may be merged.
const EVERY_EVENT_COUNTS: &[&str] = &["trade.sim.A", "trade.>", "chat.*", "chat.b"];

impl World {
    pub(crate) fn command(&mut self, at: usize) {
        self.commands += 1;
        let id = self.commands;
        if self.clients[at].closing {
            return;
        }
        self.clients[at].note_new_topics(&self.truth);
        match self.chance.below(100) {
            0..60 => self.subscribe(at, id),
            60..80 => self.unsubscribe(at, id),
            80..90 => self.refused(at, id),
            _ => {
                let client = &mut self.clients[at];
                let codec = client.codec;
                self.hubs[client.hub].reply(client.id, |bytes| {
                    message::append_pong(codec, bytes, Some(&Id::Unsigned(id)), 1);
                });
                client.sent.push_back((id, Sent::Ping));
            }
        }
    }

    fn subscribe(&mut self, at: usize, id: u64) {
        let chance = &mut self.chance;
        let topics: Vec<Box<str>> =
            (0..chance.between(1, 3)).map(|_| (*chance.pick(FILTERS)).into()).collect();
        let paced = chance.percent(30) && !topics.iter().all(|topic| never_merges(topic));
        let interval = if paced { *chance.pick(&[1, 50, 300]) } else { 0 };
        let on_slow = *chance.pick(&[OnSlow::Conflate, OnSlow::Conflate, OnSlow::Disconnect]);
        let mut command = Subscribe {
            id: Some(Id::Unsigned(id)),
            snapshot: chance.percent(80),
            interval: NonZeroU32::new(interval),
            on_slow,
            resume: Vec::new(),
            history: if chance.percent(30) { chance.between(1, 20) } else { 0 },
            topics,
        };
        let mut rules = Rules::new();
        for text in &command.topics {
            let filter = Filter::parse(text).expect("a valid filter");
            rules.insert(text.to_string(), (filter, Rule { interval, on_slow }));
        }
        self.choose_resume(at, &rules, &mut command);
        let begun = self.beginnings(&rules, &command);
        let client = &mut self.clients[at];
        let hub = &mut self.hubs[client.hub];
        hub.subscribe(client.id, &command).expect("a good command");
        let seen = &mut self.seen[client.hub];
        for (topic, begun) in &begun {
            seen.insert(topic.clone(), begun.head);
            if !covers(&client.wanted, topic) {
                client.due_from.insert(topic.clone(), begun.start);
            }
        }
        client.wanted.extend(rules.clone());
        let sent = Sent::Subscribe { rules, snapshot: command.snapshot, begun };
        client.sent.push_back((id, sent));
    }

    /// Lets the command resume some of the topics it covers, honestly or not.
    fn choose_resume(&mut self, at: usize, rules: &Rules, command: &mut Subscribe) {
        for (topic, &last) in &self.remembered {
            if !covers(rules, topic) || self.chance.percent(40) {
                continue;
            }
            let (epoch, seq) = match self.chance.below(10) {
                0 => (Some(EPOCH + 1), last),
                1 => (None, last),
                2 => (Some(EPOCH), last + 1_000),
                3 | 4 => (Some(EPOCH), last / 2),
                _ => (Some(EPOCH), last),
            };
            command.resume.push((topic.as_str().into(), Position { epoch, seq }));
        }
        if self.clients[at].hub == 0 && covers(rules, "trade.sim.Gone") && self.chance.percent(20) {
            let position = Position { epoch: Some(EPOCH - 1), seq: 3 };
            command.resume.push(("trade.sim.Gone".into(), position));
        }
    }

    /// How each topic begins that the command covers, should it not be covered already.
    fn beginnings(&self, rules: &Rules, command: &Subscribe) -> BTreeMap<String, Begun> {
        let resumed = command.resume.iter().map(|(topic, _)| topic.to_string());
        let exact = rules.iter().filter(|(_, (filter, _))| matches!(filter, Filter::Topic(_)));
        let named = exact.map(|(text, _)| text.clone());
        let known = self.truth.topics.keys().filter(|topic| covers(rules, topic)).cloned();
        let begin = |topic: String| {
            let head = self.truth.head(&topic);
            let resume = command.resume.iter().find(|(name, _)| **name == *topic).map(|(_, p)| p);
            let each = kind_of(&topic) == Kind::Each;
            let begun = match resume {
                Some(position) if position.epoch == Some(EPOCH) && position.seq <= head => Begun {
                    start: position.seq,
                    head,
                    restart: false,
                    resumed: true,
                    snapshot: false,
                },
                other => {
                    let wanted = if each { command.history } else { 0 };
                    let start = head.saturating_sub(wanted).max(self.lost(&topic)).min(head);
                    Begun {
                        start: if wanted > 0 { start } else { head },
                        head,
                        restart: other.is_some(),
                        resumed: false,
                        snapshot: !each && command.snapshot && head > 0,
                    }
                }
            };
            (topic, begun)
        };
        known.chain(named).chain(resumed).map(begin).collect()
    }

    fn unsubscribe(&mut self, at: usize, id: u64) {
        let held: Vec<String> = self.clients[at].wanted.keys().cloned().collect();
        let mut filters = vec![(*self.chance.pick(FILTERS)).to_owned()];
        if !held.is_empty() {
            filters.push(self.chance.pick(&held).clone());
        }
        let client = &mut self.clients[at];
        let topics: Vec<Box<str>> = filters.iter().map(|filter| filter.as_str().into()).collect();
        let hub = &mut self.hubs[client.hub];
        hub.unsubscribe(client.id, Some(&Id::Unsigned(id)), &topics).expect("valid filters");
        for filter in &filters {
            client.wanted.remove(filter);
        }
        client.sent.push_back((id, Sent::Unsubscribe { filters }));
        self.end_due(at);
    }

    /// A command that is wrong in one point must change nothing at all.
    fn refused(&mut self, at: usize, id: u64) {
        let good: Box<str> = (*self.chance.pick(FILTERS)).into();
        let mut command = Subscribe {
            id: Some(Id::Unsigned(id)),
            topics: vec![good],
            snapshot: true,
            interval: None,
            on_slow: OnSlow::Disconnect,
            resume: Vec::new(),
            history: 5,
        };
        let code = match self.chance.below(3) {
            0 => {
                command.topics.push("x*".into());
                Code::BadTopic
            }
            1 => {
                command.topics = vec![(*self.chance.pick(EVERY_EVENT_COUNTS)).into()];
                command.interval = NonZeroU32::new(50);
                Code::BadCommand
            }
            _ => {
                let position = Position { epoch: Some(EPOCH), seq: 0 };
                command.topics = vec!["chat.*".into()];
                command.resume.push(("trade.sim.A".into(), position));
                Code::BadCommand
            }
        };
        let client = &mut self.clients[at];
        let hub = &mut self.hubs[client.hub];
        let before = hub.subscriptions();
        let rejection = hub.subscribe(client.id, &command).expect_err("a bad command");
        assert_eq!((rejection.code, hub.subscriptions()), (code, before));
        refuse(client, hub, id, &rejection);
    }

    /// Ends the account of what is due to a client of topics it no longer covers.
    pub(crate) fn end_due(&mut self, at: usize) {
        let Client { hub, wanted, due_from, .. } = &mut self.clients[at];
        let seen = &self.seen[*hub];
        let ended = &mut self.ended_due[*hub];
        due_from.retain(|topic, from| {
            let covered = covers(wanted, topic);
            if !covered {
                // A topic that the hub has not seen yet has nothing that was due.
                *ended += seen.get(topic).map_or(0, |head| head - *from);
            }
            covered
        });
    }
}

fn refuse(client: &mut Client, hub: &mut fanout::Hub, id: u64, rejection: &wire::Rejection) {
    let codec = client.codec;
    hub.reply(client.id, |bytes| {
        message::append_error(codec, bytes, Some(&Id::Unsigned(id)), rejection);
    });
    client.sent.push_back((id, Sent::Refused { code: rejection.code.as_str() }));
}

/// Whether `max_rate` on this filter alone would be refused.
fn never_merges(filter: &str) -> bool {
    ["trade.", "chat.", "never."].iter().any(|kind| filter.starts_with(kind))
}
