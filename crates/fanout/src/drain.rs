//! From the turn's frames to a socket, and what is kept of those it did not take.

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
            if self.is_present(id) {
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
    /// as bytes; for events and snapshots the cursor goes back.
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
        for content in untaken.into_iter().rev() {
            self.put_back(id, content);
        }
    }

    /// A frame that the socket did not take: its events are pending again.
    fn put_back(&mut self, id: SubscriberId, content: Content) {
        let (slot, from, seq, snapshot) = match content {
            Content::Control => return,
            Content::Event { slot, from, seq } => (slot, from, seq, false),
            Content::Snapshot { slot, from, seq } => (slot, from, seq, true),
        };
        let Some(pace) = self.pace_of(id.key, slot) else {
            self.ledger.dropped += seq + 1 - from;
            return;
        };
        let subscriber = &mut self.subscribers[id.index()];
        if subscriber.record_mut(slot).is_none() {
            subscriber.put_record(slot, Record::behind(from - 1, pace));
        }
        let backlog = subscriber.backlog.get_or_insert_default();
        if let Some(record) = backlog.records.get_mut(&slot) {
            record.cursor = from - 1;
            record.needs_snapshot |= snapshot;
        }
        backlog.enqueue(slot);
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

    /// The subscriber left with this turn's frames unwritten.
    pub(crate) fn abandon_turn(&mut self, id: SubscriberId) {
        let subscriber = &mut self.subscribers[id.index()];
        let first_piece = std::mem::replace(&mut subscriber.first_piece, NONE);
        subscriber.last_piece = NONE;
        let runs: Vec<_> = self.turn.runs(first_piece).collect();
        let subscriber = &mut self.subscribers[id.index()];
        for frame in runs.iter().flat_map(|&(first, last)| first..=last) {
            match self.turn.frames[frame as usize].content {
                Content::Control => {
                    let bytes = self.turn.slice(frame, frame);
                    subscriber.backlog.get_or_insert_default().rest.extend_from_slice(bytes);
                }
                Content::Event { from, seq, .. } | Content::Snapshot { from, seq, .. } => {
                    self.ledger.dropped += seq + 1 - from;
                }
            }
        }
        if !runs.is_empty() && !subscriber.blocked {
            // Its replies are still to be written, and the run that made it ready is gone.
            self.turn.ready.push(id);
        }
    }
}

fn count_written(ledger: &mut crate::Ledger, content: Content) {
    match content {
        Content::Control => {}
        Content::Event { from, seq, .. } => {
            ledger.delivered += 1;
            ledger.merged += seq - from;
        }
        Content::Snapshot { from, seq, .. } => {
            if from <= seq {
                ledger.delivered += 1;
                ledger.merged += seq - from;
            }
        }
    }
}
