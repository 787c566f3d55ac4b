//! Serving those out of step: from a cursor to now, out of the topic's shared history.
//!
//! A new subscriber, a slow one, a rate-limited one and one that came back are the same case.

use std::sync::Arc;

use topics::{Form, Log, Merged, Merging, Topic};
use wire::Codec;
use wire::close::Close;
use wire::command::OnSlow;
use wire::message::{self, Gap, GapReason};

use crate::Millis;
use crate::hub::{Hub, Paced, SlotKey};
use crate::subscriber::{Record, SubscriberId};
use crate::turn::{Content, FrameIndex, SharedForm};

impl Hub {
    /// Queues the rate-limited records whose interval is over at `now`.
    pub fn fire_timers(&mut self, now: Millis) {
        while let Some((due, entries)) = self.timers.take_due(now) {
            for Paced { subscriber: id, slot } in entries {
                if self.is_present(id) {
                    self.fire(id, slot, due);
                }
            }
        }
    }

    fn fire(&mut self, id: SubscriberId, slot: SlotKey, due: Millis) {
        let subscriber = &mut self.subscribers[id.index()];
        let Some(backlog) = &mut subscriber.backlog else { return };
        let Some(record) = backlog.records.get(&slot) else { return };
        if record.queued || record.due != due {
            return;
        }
        let nothing_new = record.cursor == self.slots[slot.0 as usize].position;
        if nothing_new && !record.needs_snapshot {
            backlog.records.swap_remove(&slot);
            subscriber.tidy();
        } else {
            backlog.enqueue(slot);
            self.await_turn(id);
        }
    }

    /// Lets `catch_up` serve the subscriber, unless its socket takes nothing.
    pub(crate) fn await_turn(&mut self, id: SubscriberId) {
        let subscriber = &mut self.subscribers[id.index()];
        if subscriber.has_queue() && !subscriber.blocked && !subscriber.catching_up {
            subscriber.catching_up = true;
            self.catching_up.push_back(id);
        }
    }

    /// Serves subscribers out of step, as many as one turn should hold, each with at most
    /// [`HubLimits::catch_up_bytes`](crate::HubLimits::catch_up_bytes) or one frame.
    pub fn catch_up(&mut self, now: Millis) {
        for _ in 0..self.catching_up.len() {
            if self.turn.bytes.len() >= self.limits.turn_bytes {
                break;
            }
            let Some(id) = self.catching_up.pop_front() else { break };
            if !self.is_present(id) {
                continue;
            }
            self.subscribers[id.index()].catching_up = false;
            self.serve(id, now);
            self.await_turn(id);
        }
    }

    fn serve(&mut self, id: SubscriberId, now: Millis) {
        let mut room = self.limits.catch_up_bytes;
        while room > 0 {
            let subscriber = &mut self.subscribers[id.index()];
            if subscriber.blocked {
                return;
            }
            let Some(backlog) = &mut subscriber.backlog else { return };
            let Some(slot) = backlog.queue.pop_front() else { return };
            let Some(mut record) = backlog.records.swap_remove(&slot) else { continue };
            record.queued = false;
            // A pull hands to everyone in step; this one must not count as such meanwhile.
            backlog
                .records
                .insert(slot, Record { queued: true, ..Record::behind(record.cursor, 0) });
            let topic = Arc::clone(&self.slots[slot.0 as usize].topic);
            // One look at the log for both, or an event published between the two would come in
            // the merged frame and then once more to those in step.
            let mut log = topic.log();
            let held = log.bytes();
            let pulled = self.read(slot, &topic, &mut log);
            let spent = self.serve_record(id, slot, &mut record, room, &topic, &mut log);
            self.registry.account(held, log.bytes());
            drop(log);
            if let Some(pulled) = pulled {
                self.hand_out(slot, pulled);
            }
            room = room.saturating_sub(spent);
            self.settle(id, slot, record, now);
        }
    }

    /// Puts a record back that was served, or forgets it if its subscriber is in step now.
    fn settle(&mut self, id: SubscriberId, slot: SlotKey, mut record: Record, now: Millis) {
        let position = self.slots[slot.0 as usize].position;
        let subscriber = &mut self.subscribers[id.index()];
        let Some(backlog) = &mut subscriber.backlog else { return };
        backlog.records.swap_remove(&slot);
        let in_step = record.cursor == position && !record.needs_snapshot;
        if record.interval > 0 && in_step {
            record.due = now + Millis::from(record.interval);
            self.timers.set(record.due, Paced { subscriber: id, slot });
            backlog.records.insert(slot, record);
        } else if !in_step {
            backlog.records.insert(slot, record);
            backlog.enqueue(slot);
        } else {
            subscriber.tidy();
        }
    }

    /// Gives the subscriber what leads from the record's cursor towards the slot's position, and
    /// moves the cursor. Returns the bytes given.
    fn serve_record(
        &mut self,
        id: SubscriberId,
        slot: SlotKey,
        record: &mut Record,
        room: usize,
        topic: &Topic,
        log: &mut Log,
    ) -> usize {
        let codec = self.subscribers[id.index()].codec;
        let spent = match topic.merging() {
            Merging::Never => self.serve_in_order(id, codec, slot, record, room, topic, log),
            Merging::Latest | Merging::Book => {
                self.serve_merged(id, codec, slot, record, topic, log)
            }
        };
        record.reason = GapReason::Slow;
        spent
    }

    fn serve_merged(
        &mut self,
        id: SubscriberId,
        codec: Codec,
        slot: SlotKey,
        record: &mut Record,
        topic: &Topic,
        log: &mut Log,
    ) -> usize {
        let from = record.cursor + 1;
        let position = self.slots[slot.0 as usize].position;
        let mut spent = 0;
        if !record.needs_snapshot {
            if from > position {
                return 0;
            }
            // A client that comes back asked for what it missed, not for the state.
            let returning = record.reason == GapReason::History;
            let form = if returning { Form::Event } else { Form::Shortest };
            let shared = SharedForm::Events(form);
            let frame = match self.turn.shared.get(&(slot, codec, from, position, shared)) {
                Some(&frame) => Some(frame),
                None => self.merged_frame(codec, slot, from, form, topic, log),
            };
            record.cursor = position;
            if let Some(frame) = frame {
                return self.give(id, frame);
            }
            let content = Content::Gap { slot, from, seq: position, reason: record.reason };
            spent += self.announce_gap(id, codec, topic, content);
        }
        let from = record.cursor + 1;
        record.needs_snapshot = false;
        record.cursor = position;
        let frame = match self.turn.shared.get(&(slot, codec, from, position, SharedForm::Snapshot))
        {
            Some(&frame) => frame,
            None => {
                let content = Content::Snapshot { slot, from, seq: position };
                let (frame, known) =
                    self.turn.frame(content, |bytes| log.append_snapshot(topic, codec, bytes));
                assert!(known, "{} had an event, so it has a state", topic.name());
                self.turn.shared.insert((slot, codec, from, position, SharedForm::Snapshot), frame);
                frame
            }
        };
        spent + self.give(id, frame)
    }

    /// One frame for everything from `from` on, or `None` where the history does not reach.
    fn merged_frame(
        &mut self,
        codec: Codec,
        slot: SlotKey,
        from: u64,
        form: Form,
        topic: &Topic,
        log: &mut Log,
    ) -> Option<FrameIndex> {
        let seq = self.slots[slot.0 as usize].position;
        let content = match log.append_merged(topic, from, codec, form, &mut self.turn.bytes) {
            Merged::Unreachable => return None,
            Merged::Snapshot => Content::Snapshot { slot, from, seq },
            Merged::Event => Content::Event { slot, from, seq },
        };
        let (frame, ()) = self.turn.frame(content, |_| {});
        self.turn.shared.insert((slot, codec, from, seq, SharedForm::Events(form)), frame);
        Some(frame)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one record's service")]
    fn serve_in_order(
        &mut self,
        id: SubscriberId,
        codec: Codec,
        slot: SlotKey,
        record: &mut Record,
        room: usize,
        topic: &Topic,
        log: &mut Log,
    ) -> usize {
        record.needs_snapshot = false;
        let position = self.slots[slot.0 as usize].position;
        let from = record.cursor + 1;
        let mut spent = 0;
        if from < log.oldest() {
            let lost_to = log.oldest() - 1;
            let slow = record.reason == GapReason::Slow;
            if slow && self.on_slow_of(id.key, slot) == OnSlow::Disconnect {
                let closing = &mut self.subscribers[id.index()].closing;
                if !std::mem::replace(closing, true) {
                    self.closing.push((id, Close::SLOW));
                }
            }
            let content = Content::Gap { slot, from, seq: lost_to, reason: record.reason };
            spent += self.announce_gap(id, codec, topic, content);
            record.cursor = lost_to;
        }
        while record.cursor < position && spent < room {
            let seq = record.cursor + 1;
            let frame = match self.turn.shared.get(&(
                slot,
                codec,
                seq,
                seq,
                SharedForm::Events(Form::Event),
            )) {
                Some(&frame) => frame,
                None => {
                    let content = Content::Event { slot, from: seq, seq };
                    let (frame, ()) = self
                        .turn
                        .frame(content, |bytes| log.append_event(topic, seq, codec, bytes));
                    self.turn
                        .shared
                        .insert((slot, codec, seq, seq, SharedForm::Events(Form::Event)), frame);
                    frame
                }
            };
            spent += self.give(id, frame);
            record.cursor = seq;
        }
        spent
    }

    /// Tells one subscriber of events that will never come. They count as dropped once the gap
    /// is written.
    fn announce_gap(
        &mut self,
        id: SubscriberId,
        codec: Codec,
        topic: &Topic,
        content: Content,
    ) -> usize {
        let Content::Gap { from, seq: to, reason, .. } = content else { return 0 };
        let gap = Gap { topic: topic.name().as_str(), from, to, reason, epoch: None };
        let (frame, ()) = self.turn.frame(content, |bytes| message::append_gap(codec, bytes, gap));
        self.give(id, frame)
    }

    /// Gives one frame to one subscriber, and returns its length.
    fn give(&mut self, id: SubscriberId, frame: FrameIndex) -> usize {
        self.turn.give(&mut self.subscribers[id.index()], id, frame, frame);
        self.turn.length(frame)
    }
}
