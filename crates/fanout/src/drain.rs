//! From the turn's frames to a socket, and what is kept of those it did not take.

use crate::Ledger;
use crate::hub::Hub;
use crate::subscriber::{NONE, Record, SubscriberId};
use crate::turn::{Content, FrameIndex};

impl Hub {
    /// A subscriber that has something to be written in this turn, each one once; `None` when
    /// all are done.
    pub fn next_ready(&mut self) -> Option<SubscriberId> {
        loop {
            let id = *self.turn.ready.get(self.turn.ready_done)?;
            self.turn.ready_done += 1;
            // One that was muted or lost frames again may stand here twice; done is done.
            if self.is_present(id) && self.subscribers[id.index()].is_ready() {
                return Some(id);
            }
        }
    }

    /// What is to be written to this subscriber now, in order: the rest of the turn before, then
    /// this turn's runs of frames.
    pub fn pending(&self, id: SubscriberId) -> impl Iterator<Item = &[u8]> {
        let subscriber = &self.subscribers[id.index()];
        let rest = Some(subscriber.rest()).filter(|rest| !rest.is_empty());
        let runs = self.turn.runs(subscriber.first_piece);
        rest.into_iter().chain(runs.map(|(first, last)| self.turn.slice(first, last)))
    }

    /// The socket took the first `taken` bytes of [`Hub::pending`]. If that was not all, it
    /// takes no more until [`Hub::writable`].
    pub fn wrote(&mut self, id: SubscriberId, taken: usize) {
        if !self.is_present(id) {
            return;
        }
        let mut left = taken;
        let subscriber = &mut self.subscribers[id.index()];
        if let Some(backlog) = &mut subscriber.backlog {
            let from_rest = left.min(backlog.rest.len() - backlog.rest_start);
            backlog.rest_start += from_rest;
            left -= from_rest;
        }
        let mut blocked = !subscriber.rest().is_empty();
        let first_piece = std::mem::replace(&mut subscriber.first_piece, NONE);
        subscriber.last_piece = NONE;
        // Most sockets take everything, and most runs are plain events.
        let mut runs = self.turn.runs(first_piece);
        while let Some((first, last)) = runs.next() {
            let length = self.turn.slice(first, last).len();
            if blocked || length > left {
                let rest: Vec<_> = std::iter::once((first, last)).chain(runs).collect();
                self.keep_rest(id, &rest, left);
                blocked = true;
                break;
            }
            left -= length;
            for frame in &self.turn.frames[first as usize..=last as usize] {
                count_written(&mut self.ledger, frame.content);
            }
        }
        let subscriber = &mut self.subscribers[id.index()];
        subscriber.blocked = blocked;
        subscriber.tidy();
    }

    /// Of `runs` the first `left` bytes were taken. The frame cut in half and all replies are kept
    /// as bytes; for events, snapshots and gaps the cursor goes back.
    fn keep_rest(&mut self, id: SubscriberId, runs: &[(FrameIndex, FrameIndex)], mut left: usize) {
        let mut untaken = Vec::new();
        for frame in runs.iter().flat_map(|&(first, last)| first..=last) {
            let content = self.turn.frames[frame as usize].content;
            let length = self.turn.length(frame);
            let cut = left.min(length);
            left -= cut;
            if cut < length && cut == 0 && content != Content::Control {
                untaken.push(content);
                continue;
            }
            count_written(&mut self.ledger, content);
            if cut < length {
                let bytes = &self.turn.slice(frame, frame)[cut..];
                let backlog = self.subscribers[id.index()].backlog.get_or_insert_default();
                backlog.rest.extend_from_slice(bytes);
            }
        }
        // The latest first, so that the cursor ends before the earliest.
        for &content in untaken.iter().rev() {
            self.put_back(id, content);
        }
        // Queued in the order in which they were given, or some topic might wait for ever.
        if let Some(backlog) = &mut self.subscribers[id.index()].backlog {
            for (slot, ..) in untaken.into_iter().filter_map(Content::events) {
                backlog.enqueue(slot);
            }
        }
    }

    /// A frame that the socket did not take: its events are pending again.
    fn put_back(&mut self, id: SubscriberId, content: Content) {
        let Some((slot, from, seq)) = content.events() else { return };
        let Some(pace) = self.pace_of(id.key, slot) else {
            self.ledger.dropped += seq + 1 - from;
            return;
        };
        let backlog = self.subscribers[id.index()].backlog.get_or_insert_default();
        let record = backlog.records.entry(slot).or_insert(Record::behind(from - 1, pace));
        record.cursor = from - 1;
        match content {
            Content::Snapshot { .. } => record.needs_snapshot = true,
            // The snapshot after a gap is only good after it.
            Content::Gap { reason, .. } => {
                record.reason = reason;
                record.needs_snapshot = false;
            }
            Content::Event { .. } | Content::Control => {}
        }
    }

    /// The socket takes more: what waited for that comes with the next [`Hub::catch_up`].
    pub fn writable(&mut self, id: SubscriberId) {
        if !self.is_present(id) {
            return;
        }
        let subscriber = &mut self.subscribers[id.index()];
        if !std::mem::replace(&mut subscriber.blocked, false) {
            return;
        }
        if subscriber.rest().is_empty() {
            self.await_turn(id);
        } else {
            // An empty reply puts it among the ready, where its rest is written first.
            self.reply(id, |_| {});
            self.await_turn(id);
        }
    }

    /// Takes back what the subscriber was given in this turn of topics that none of its
    /// subscriptions covers any more.
    pub(crate) fn withdraw_uncovered(&mut self, id: SubscriberId) {
        let first_piece = self.subscribers[id.index()].first_piece;
        let uncovered = |hub: &Self, frame: FrameIndex| {
            let slot = hub.turn.frames[frame as usize].content.events().map(|(slot, ..)| slot);
            slot.is_some_and(|slot| hub.pace_of(id.key, slot).is_none())
        };
        let frames = |(first, last)| first..=last;
        if !self.turn.runs(first_piece).flat_map(frames).any(|frame| uncovered(self, frame)) {
            return;
        }
        let runs: Vec<_> = self.turn.runs(first_piece).collect();
        let subscriber = &mut self.subscribers[id.index()];
        (subscriber.first_piece, subscriber.last_piece) = (NONE, NONE);
        for frame in runs.into_iter().flat_map(frames) {
            if uncovered(self, frame) {
                if let Some((_, from, seq)) = self.turn.frames[frame as usize].content.events() {
                    self.ledger.dropped += seq + 1 - from;
                }
            } else {
                self.turn.give(&mut self.subscribers[id.index()], id, frame, frame);
            }
        }
    }
}

fn count_written(ledger: &mut Ledger, content: Content) {
    match content {
        Content::Control => {}
        Content::Event { from, seq, .. } | Content::Snapshot { from, seq, .. } => {
            // A snapshot may stand for no event at all.
            if from <= seq {
                ledger.delivered += 1;
                ledger.merged += seq - from;
            }
        }
        Content::Gap { from, seq, .. } => ledger.dropped += seq + 1 - from,
    }
}
