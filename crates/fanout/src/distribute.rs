//! From a topic that moved to the subscribers in step with it: each event encoded once.

use std::sync::Arc;

use topics::{Log, Topic};
use wire::Codec;

use crate::hub::{Hub, SlotKey};
use crate::subscriber::{Record, SubscriberId};
use crate::turn::{Content, FrameIndex};

/// The frames of one pull for each codec that has somebody in step.
type Runs = [Option<(FrameIndex, FrameIndex)>; Codec::ALL.len()];

/// What was new in a topic: the first event, and the frames of all for those in step.
pub(crate) struct Pulled {
    first: u64,
    runs: Runs,
}

impl Hub {
    /// Takes in what was published since the last turn, as much as one turn should hold.
    pub fn gather(&mut self) {
        let mut moved = std::mem::take(&mut self.mailbox_scratch);
        self.registry.mailbox(self.shard).take(&mut moved);
        self.moved.extend(moved.drain(..));
        self.mailbox_scratch = moved;
        while self.turn.bytes.len() < self.limits.turn_bytes {
            let Some(topic) = self.moved.pop_front() else { break };
            self.take_in(topic);
        }
    }

    fn take_in(&mut self, topic: Arc<Topic>) {
        let slot = match self.slot_of(&topic) {
            Some(slot) => slot,
            // Nobody was left who is due its events, and its successor is another topic.
            None if topic.log_for(self.shard).is_retired() => return,
            // New since its pattern was subscribed: every event of it is due.
            None => self.open_slot(topic, false),
        };
        let entry = &self.slots[slot.0 as usize];
        if entry.audiences.is_empty() {
            // An event published before the slot is closed announces the topic anew.
            drop(entry.topic.log_for(self.shard));
            self.unheard.push(slot);
        } else {
            self.pull(slot);
        }
    }

    /// Brings the slot's position to the topic's head and hands the events between to everyone
    /// in step.
    pub(crate) fn pull(&mut self, slot: SlotKey) {
        let topic = Arc::clone(&self.slots[slot.0 as usize].topic);
        let mut log = topic.log_for(self.shard);
        let held = log.bytes();
        let pulled = self.read(slot, &topic, &mut log);
        self.registry.account(held, log.bytes());
        // Publishers need not wait for the rest.
        drop(log);
        if let Some(pulled) = pulled {
            self.hand_out(slot, pulled);
        }
    }

    /// Reads what is new of the topic, encodes it for those in step, and sets the slot's position
    /// to the head of `log`. What is returned must be handed out.
    pub(crate) fn read(&mut self, slot: SlotKey, topic: &Topic, log: &mut Log) -> Option<Pulled> {
        let wanted = self.codecs_in_step(slot);
        let entry = &mut self.slots[slot.0 as usize];
        let (first, head) = (entry.position + 1, log.head());
        if first > head {
            return None;
        }
        entry.position = head;
        let mut runs: Runs = [None; Codec::ALL.len()];
        // Where the history has outrun the whole shard, everyone is served from a cursor.
        if log.oldest() <= first {
            for codec in Codec::ALL.into_iter().filter(|codec| wanted[codec.index()]) {
                for seq in first..=head {
                    let content = Content::Event { slot, from: seq, seq };
                    let (frame, ()) = self
                        .turn
                        .frame(content, |bytes| log.append_event(topic, seq, codec, bytes));
                    let run = runs[codec.index()].get_or_insert((frame, frame));
                    run.1 = frame;
                }
            }
        }
        if runs.iter().any(Option::is_some) {
            self.turn.published.extend((first..=head).map(|seq| log.published(seq)));
        }
        Some(Pulled { first, runs })
    }

    fn codecs_in_step(&self, slot: SlotKey) -> [bool; Codec::ALL.len()] {
        let entry = &self.slots[slot.0 as usize];
        let mut wanted = [false; Codec::ALL.len()];
        for key in &entry.audiences {
            let audience = &self.audiences[key.0 as usize];
            if audience.pace(entry.topic.merging()) == 0 {
                for (wanted, members) in wanted.iter_mut().zip(&audience.members) {
                    *wanted |= !members.is_empty();
                }
            }
        }
        wanted
    }

    /// The innermost loop of the broker: no allocation, no lock, no reference count for each
    /// subscriber; one run of frames is noted, whatever the number of events.
    pub(crate) fn hand_out(&mut self, slot: SlotKey, Pulled { first, runs }: Pulled) {
        self.pulls += 1;
        let entry = &self.slots[slot.0 as usize];
        let merging = entry.topic.merging();
        let events = entry.position + 1 - first;
        let mut reached = 0;
        for key in &entry.audiences {
            let audience = &self.audiences[key.0 as usize];
            let pace = audience.pace(merging);
            for (members, run) in audience.members.iter().zip(runs) {
                let run = if pace == 0 { run } else { None };
                for &member in members {
                    let subscriber = &mut self.subscribers[member as usize];
                    if subscriber.last_pull == self.pulls {
                        continue;
                    }
                    subscriber.last_pull = self.pulls;
                    reached += 1;
                    let id = SubscriberId { key: member, serial: subscriber.serial };
                    match (run, subscriber.backlog.is_none() && !subscriber.blocked) {
                        (Some((from, to)), true) => self.turn.give(subscriber, id, from, to),
                        (run, _) => {
                            let behind = subscriber.record_mut(slot).is_some();
                            // What waits already goes first, or it might wait for ever.
                            let last = subscriber.blocked || subscriber.has_queue();
                            match run {
                                Some((from, to)) if !behind && !last => {
                                    self.turn.give(subscriber, id, from, to);
                                }
                                _ if behind => {}
                                _ => subscriber.put_record(slot, Record::behind(first - 1, pace)),
                            }
                            let waits = subscriber.blocked || subscriber.catching_up;
                            if subscriber.has_queue() && !waits {
                                subscriber.catching_up = true;
                                self.catching_up.push_back(id);
                            }
                        }
                    }
                }
            }
        }
        self.ledger.published += events * reached;
    }
}
