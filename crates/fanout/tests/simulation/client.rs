//! One pretend connection: its socket's whims, the stream it reads, and what it must be told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fanout::SubscriberId;
use serde_json::{Map, Value};
use topics::{Filter, TopicName};
use wire::Codec;
use wire::command::OnSlow;

use crate::support::{first_frame, message};
use crate::truth::{Kind, Truth, kind_of};
use crate::view::{Begun, View, number, text};

/// How much the socket takes of what it is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appetite {
    All,
    Some,
    None,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) interval: u32,
    pub(crate) on_slow: OnSlow,
}

/// Subscriptions by their text.
pub(crate) type Rules = BTreeMap<String, (Filter, Rule)>;

/// The rules among `rules` that cover `topic`.
pub(crate) fn covering<'a>(rules: &'a Rules, topic: &str) -> impl Iterator<Item = Rule> + 'a {
    let name = TopicName::parse(topic).expect("a valid name");
    rules.values().filter(move |(filter, _)| filter.covers(&name)).map(|(_, rule)| *rule)
}

pub(crate) fn covers(rules: &Rules, topic: &str) -> bool {
    covering(rules, topic).next().is_some()
}

/// A command that the core has carried out and whose answer is on its way.
#[derive(Debug)]
pub(crate) enum Sent {
    /// The rules to add, whether snapshots were wanted, and how each topic known then begins.
    Subscribe {
        rules: Rules,
        snapshot: bool,
        begun: BTreeMap<String, Begun>,
    },
    Unsubscribe {
        filters: Vec<String>,
    },
    Refused {
        code: &'static str,
    },
    Ping,
}

pub(crate) struct Client {
    pub(crate) id: SubscriberId,
    pub(crate) hub: usize,
    pub(crate) codec: Codec,
    pub(crate) appetite: Appetite,
    pub(crate) blocked: bool,
    /// The core wants it closed; the close frame is on its way.
    pub(crate) closing: bool,
    pub(crate) closed: bool,
    /// Subscriptions as the core has carried them out; the stream may lag.
    pub(crate) wanted: Rules,
    /// Where the events of each topic begin that are due to it.
    pub(crate) due_from: BTreeMap<String, u64>,
    pub(crate) sent: VecDeque<(u64, Sent)>,
    /// Subscriptions as the stream has told.
    rules: Rules,
    pub(crate) views: BTreeMap<String, View>,
    unread: Vec<u8>,
    began_at: u64,
}

impl Client {
    pub(crate) fn new(id: SubscriberId, hub: usize, codec: Codec) -> Self {
        Self {
            id,
            hub,
            codec,
            appetite: Appetite::All,
            blocked: false,
            closing: false,
            closed: false,
            wanted: Rules::new(),
            due_from: BTreeMap::new(),
            sent: VecDeque::new(),
            rules: Rules::new(),
            views: BTreeMap::new(),
            unread: Vec::new(),
            began_at: 0,
        }
    }

    /// Of topics that came after the pattern that covers them, every event is due.
    pub(crate) fn note_new_topics(&mut self, truth: &Truth) {
        for topic in truth.topics.keys() {
            if covers(&self.wanted, topic) {
                self.due_from.entry(topic.clone()).or_insert(0);
            }
        }
    }

    /// `lost` tells the latest event of a topic that its history no longer holds.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        now: u64,
        truth: &Truth,
        epoch: &str,
        lost: &dyn Fn(&str) -> u64,
    ) {
        if self.unread.is_empty() {
            self.began_at = now;
        }
        self.unread.extend_from_slice(bytes);
        while let Some(frame) = first_frame(&self.unread) {
            self.unread.drain(..frame.length);
            assert!(!self.closed, "nothing comes after a close");
            if frame.opcode == 8 {
                assert!(self.closing && self.sent.is_empty(), "replies come before the close");
                assert_eq!(frame.payload, [&4001u16.to_be_bytes()[..], b"slow"].concat());
                self.closed = true;
            } else {
                let message = message(self.codec, &frame);
                self.read(&message, truth, epoch, lost);
            }
            self.began_at = now;
        }
    }

    fn read(
        &mut self,
        message: &Map<String, Value>,
        truth: &Truth,
        epoch: &str,
        lost: &dyn Fn(&str) -> u64,
    ) {
        let op = text(message, "op");
        if !matches!(op, "event" | "snapshot" | "gap") {
            self.answered(op, message, truth);
            return;
        }
        let topic = text(message, "topic");
        assert!(covers(&self.rules, topic), "{topic} was not subscribed: {message:?}");
        if let Some(told) = message.get("epoch") {
            assert_eq!(told, epoch);
        }
        let view = self.views.entry(topic.to_owned()).or_insert_with(View::from_the_first);
        if op == "gap" {
            let slow = text(message, "reason") == "slow" && kind_of(topic) == Kind::Each;
            let strict = |rule: Rule| rule.on_slow == OnSlow::Disconnect;
            if slow && covering(&self.rules, topic).any(strict) {
                assert!(self.closing, "it asked to be closed rather than to lose events");
            }
            view.gap(topic, message, lost(topic));
            return;
        }
        let pace = covering(&self.rules, topic).map(|rule| rule.interval).min().unwrap_or(0);
        if let Some(before) = view.told_at.filter(|_| kind_of(topic) != Kind::Each) {
            let spacing = self.began_at - before;
            assert!(spacing >= u64::from(pace), "{topic}: {spacing} ms between two, not {pace}");
        }
        let known = &truth.topics[topic];
        match op {
            "event" => view.event(topic, message, known),
            _ => view.snapshot(topic, message, known),
        }
        view.told_at = Some(self.began_at);
    }

    fn answered(&mut self, op: &str, message: &Map<String, Value>, truth: &Truth) {
        let (id, sent) = self.sent.pop_front().expect("an answer to something");
        assert_eq!(number(message, "id"), id, "answers keep the order of the commands");
        match (op, sent) {
            ("subscribed", Sent::Subscribe { rules, snapshot, begun }) => {
                check_lines(message, &begun);
                let covered: BTreeSet<&str> = begun
                    .keys()
                    .map(String::as_str)
                    .filter(|topic| covers(&self.rules, topic))
                    .collect();
                for (topic, begun) in &begun {
                    if !covered.contains(topic.as_str()) {
                        let view = View::new(topic, begun, truth.topics.get(topic));
                        self.views.insert(topic.clone(), view);
                        continue;
                    }
                    let state = kind_of(topic) != Kind::Each && begun.head > 0;
                    let view = self.views.entry(topic.clone());
                    view.or_insert_with(View::from_the_first).asked_again(snapshot && state);
                }
                self.at_a_new_rate(&rules);
                self.rules.extend(rules);
            }
            ("unsubscribed", Sent::Unsubscribe { filters }) => {
                let ended = |filter: &String| self.rules.remove_entry(filter);
                let ended: Rules = filters.iter().filter_map(ended).collect();
                self.at_a_new_rate(&ended);
                let rules = &self.rules;
                self.views.retain(|topic, _| covers(rules, topic));
            }
            ("error", Sent::Refused { code }) => assert_eq!(text(message, "code"), code),
            ("pong", Sent::Ping) => {}
            (op, sent) => panic!("{op} in answer to {sent:?}"),
        }
    }

    fn at_a_new_rate(&mut self, changed: &Rules) {
        for (topic, view) in &mut self.views {
            if covers(changed, topic) {
                view.told_at = None;
            }
        }
    }

    /// Checks that it was told everything there is.
    pub(crate) fn assert_up_to_date(&self, truth: &Truth) {
        assert!(self.unread.is_empty() && self.sent.is_empty(), "something is on its way");
        for (topic, known) in &truth.topics {
            if covers(&self.rules, topic) {
                let view = self.views.get(topic);
                assert_eq!(view.map_or(0, |view| view.last), known.head(), "{topic}");
                assert!(view.is_none_or(View::is_whole), "{topic} is not whole: {view:?}");
            }
        }
    }
}

fn check_lines(message: &Map<String, Value>, begun: &BTreeMap<String, Begun>) {
    for line in message["topics"].as_array().expect("a list") {
        let line = line.as_object().expect("a map");
        assert!(line.contains_key("epoch"));
        if line.contains_key("topic") {
            assert_eq!(number(line, "seq"), begun[text(line, "topic")].head);
        } else {
            assert!(line["pattern"].is_string() && line["matched"].is_u64());
        }
    }
}
