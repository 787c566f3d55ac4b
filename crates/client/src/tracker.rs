//! All subscriptions of a connection: is every topic whole, and where to resume.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{Acknowledged, Gap, Message, Position, Sequence, Snapshot, Step, Subscribe};

/// Checks every topic of a connection as its messages arrive.
///
/// Tell it each [`Subscribe`] before it is sent ([`subscribing`](Self::subscribing)) and show it
/// each [`Message`] ([`observe`](Self::observe)). It outlives the connection: after a loss,
/// [`disconnected`](Self::disconnected), then [`positions`](Self::positions) is what to resume
/// from.
#[derive(Debug, Default)]
pub struct SubscriptionTracker {
    topics: HashMap<String, Tracked>,
    /// Topics whose first event may lie before the acknowledged position: `history` was asked.
    open_start: HashSet<String>,
    /// What the server said of all topics of a pattern at once.
    pattern_epoch: Option<String>,
}

#[derive(Debug)]
struct Tracked {
    epoch: Option<String>,
    sequence: Sequence,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next number is known.
    Following,
    /// Acknowledged with history: the first event may lie anywhere up to the next number.
    OpenStart,
    /// Of a connection that is over and not resumed: the next message starts it anew.
    Stale,
}

/// What is wrong with a message, given all before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Numbers are missing and no gap named them.
    #[error("{topic}: {count} lost before {seq}")]
    Lost {
        /// Which topic.
        topic: String,
        /// How many.
        count: u64,
        /// The number at which it showed.
        seq: u64,
    },
    /// A message repeats what was there.
    #[error("{topic}: {seq} came twice")]
    Doubled {
        /// Which topic.
        topic: String,
        /// The repeated number.
        seq: u64,
    },
    /// A message came after its successors.
    #[error("{topic}: {seq} came too late")]
    Reordered {
        /// Which topic.
        topic: String,
        /// The late number.
        seq: u64,
    },
    /// `from`, `merged` and `seq` contradict each other, or a gap ends before it begins.
    #[error("{topic}: from {from} to {to} ({merged} merged) makes no sense")]
    BadRange {
        /// Which topic.
        topic: String,
        /// First number.
        from: u64,
        /// Last number.
        to: u64,
        /// How many it claims to stand for.
        merged: u64,
    },
    /// Another epoch without a gap that announced it.
    #[error("{topic}: the epoch changed from {before} to {after} unannounced")]
    EpochChanged {
        /// Which topic.
        topic: String,
        /// The epoch until now.
        before: String,
        /// The epoch of this message.
        after: String,
    },
}

impl SubscriptionTracker {
    /// Nothing subscribed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This command is about to be sent.
    pub fn subscribing(&mut self, subscribe: &Subscribe) {
        for (topic, position) in &subscribe.resume {
            match self.topics.get_mut(topic) {
                Some(known) if known.sequence.last() == position.seq => {
                    known.state = State::Following;
                }
                _ => {
                    let tracked = Tracked {
                        epoch: Some(position.epoch.clone()),
                        sequence: Sequence::starting_after(position.seq),
                        state: State::Following,
                    };
                    self.topics.insert(topic.clone(), tracked);
                }
            }
        }
        if subscribe.history.is_some() {
            let fresh = subscribe.topics.iter().filter(|t| !subscribe.resume.contains_key(*t));
            self.open_start.extend(fresh.cloned());
        }
    }

    /// These topics are no longer followed; call it when `unsubscribed` has come.
    pub fn unsubscribed<'a>(&mut self, topics: impl IntoIterator<Item = &'a str>) {
        for topic in topics {
            self.topics.remove(topic);
        }
    }

    /// The connection is over. Topics that the next [`Subscribe`] does not resume start anew.
    pub fn disconnected(&mut self) {
        self.topics.values_mut().for_each(|tracked| tracked.state = State::Stale);
        self.open_start.clear();
        self.pattern_epoch = None;
    }

    /// Checks `message`, and says what is wrong with it.
    pub fn observe(&mut self, message: &Message) -> Option<Fault> {
        match message {
            Message::Event(event) => self.observe_event(event),
            Message::Snapshot(snapshot) => self.observe_snapshot(snapshot),
            Message::Gap(gap) => self.observe_gap(gap),
            Message::Subscribed { topics, .. } => {
                topics.iter().for_each(|entry| self.acknowledge(entry));
                None
            }
            _ => None,
        }
    }

    /// Where each topic stands, for [`Subscribe::resume`]. A topic of which no message has told
    /// the epoch cannot be resumed and is not in it.
    #[must_use]
    pub fn positions(&self) -> BTreeMap<String, Position> {
        let position = |(topic, tracked): (&String, &Tracked)| {
            let epoch = tracked.epoch.clone()?;
            Some((topic.clone(), Position { epoch, seq: tracked.sequence.last() }))
        };
        self.topics.iter().filter_map(position).collect()
    }

    /// Each topic with its counts, in no order.
    pub fn sequences(&self) -> impl Iterator<Item = (&str, &Sequence)> {
        self.topics.iter().map(|(topic, tracked)| (topic.as_str(), &tracked.sequence))
    }

    fn acknowledge(&mut self, entry: &Acknowledged) {
        if let Acknowledged::Pattern { epoch: Some(epoch), .. } = entry {
            self.pattern_epoch = Some(epoch.clone());
        }
        let (positions, exact) = match entry {
            Acknowledged::Topic(position) => (std::slice::from_ref(position), true),
            Acknowledged::Pattern { topics, .. } => (topics.as_slice(), false),
        };
        for position in positions {
            let open = exact && self.open_start.remove(&position.topic);
            let known = self.topics.get(&position.topic);
            if known.is_some_and(|tracked| tracked.state != State::Stale) {
                // Resumed, or subscribed already: it goes on from what this client has.
                continue;
            }
            let tracked = Tracked {
                epoch: Some(position.epoch.clone()),
                sequence: Sequence::starting_after(position.seq),
                state: if open { State::OpenStart } else { State::Following },
            };
            self.topics.insert(position.topic.clone(), tracked);
        }
    }

    fn observe_event(&mut self, event: &crate::Event) -> Option<Fault> {
        let crate::Event { topic, seq, from, merged, .. } = event;
        if *from == 0 || from > seq || *merged != seq - from + 1 {
            let topic = topic.clone();
            return Some(Fault::BadRange { topic, from: *from, to: *seq, merged: *merged });
        }
        let tracked = self.follow(topic, from - 1);
        if tracked.state == State::OpenStart {
            let start = tracked.sequence.last().min(from - 1);
            tracked.sequence = Sequence::starting_after(start);
            tracked.state = State::Following;
        }
        if let Some(fault) = tracked.check_epoch(topic, event.epoch.as_deref(), from - 1) {
            return Some(fault);
        }
        fault(topic, *seq, tracked.sequence.event(*from, *seq))
    }

    fn observe_snapshot(&mut self, snapshot: &Snapshot) -> Option<Fault> {
        let Snapshot { topic, seq, epoch, .. } = snapshot;
        let tracked = self.follow(topic, *seq);
        tracked.state = State::Following;
        if let Some(fault) = tracked.check_epoch(topic, Some(epoch), *seq) {
            return Some(fault);
        }
        fault(topic, *seq, tracked.sequence.snapshot(*seq))
    }

    fn observe_gap(&mut self, gap: &Gap) -> Option<Fault> {
        let Gap { topic, from, to, .. } = gap;
        if *to + 1 < *from || *from == 0 {
            let topic = topic.clone();
            return Some(Fault::BadRange { topic, from: *from, to: *to, merged: 0 });
        }
        let tracked = self.follow(topic, from - 1);
        tracked.state = State::Following;
        if gap.reason == "restart" {
            tracked.epoch = gap.epoch.clone().or(tracked.epoch.take());
            tracked.sequence.restart(*to);
            return None;
        }
        if let Some(fault) = tracked.check_epoch(topic, gap.epoch.as_deref(), *to) {
            return Some(fault);
        }
        fault(topic, *to, tracked.sequence.gap(*from, *to))
    }

    /// The topic's books; opened after `seq` when this is its first message.
    fn follow(&mut self, topic: &str, seq: u64) -> &mut Tracked {
        // Not `entry` alone: it would copy the name for every message.
        if self.topics.get(topic).is_none_or(|tracked| tracked.state == State::Stale) {
            self.topics.remove(topic);
        }
        if !self.topics.contains_key(topic) {
            let tracked = Tracked {
                epoch: self.pattern_epoch.clone(),
                sequence: Sequence::starting_after(seq),
                state: State::Following,
            };
            self.topics.insert(topic.into(), tracked);
        }
        self.topics.get_mut(topic).expect("inserted above where it was not there")
    }
}

impl Tracked {
    /// Notes the epoch that a message carries. Another than before is a fault, after which the
    /// topic starts anew behind `seq`.
    fn check_epoch(&mut self, topic: &str, epoch: Option<&str>, seq: u64) -> Option<Fault> {
        let after = epoch?;
        match self.epoch.replace(after.into()) {
            Some(before) if before != after => {
                self.sequence = Sequence::starting_after(seq);
                Some(Fault::EpochChanged { topic: topic.into(), before, after: after.into() })
            }
            _ => None,
        }
    }
}

fn fault(topic: &str, seq: u64, step: Step) -> Option<Fault> {
    let topic = topic.to_owned();
    match step {
        Step::InOrder => None,
        Step::Lost(count) => Some(Fault::Lost { topic, count, seq }),
        Step::Doubled => Some(Fault::Doubled { topic, seq }),
        Step::Reordered => Some(Fault::Reordered { topic, seq }),
    }
}
