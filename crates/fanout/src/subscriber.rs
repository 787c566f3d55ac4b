//! One subscriber: its memberships, and, only while it is not in step, its backlog of cursors.

use std::collections::VecDeque;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use wire::Codec;
use wire::command::OnSlow;
use wire::message::GapReason;

use crate::Millis;
use crate::audience::AudienceKey;
use crate::hub::SlotKey;

/// A subscriber of one hub. Never used twice in the life of a hub, though the room of one that
/// left is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriberId {
    pub(crate) key: u32,
    pub(crate) serial: u32,
}

impl SubscriberId {
    /// Its place in a table of subscribers; reused after it left.
    #[must_use]
    pub fn index(self) -> usize {
        self.key as usize
    }
}

/// No piece of the turn.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) serial: u32,
    pub(crate) codec: Codec,
    /// The socket took less than it was offered: nothing more until it says so.
    pub(crate) blocked: bool,
    /// Stands in the queue of those to be served by `catch_up`.
    pub(crate) catching_up: bool,
    /// Left during this turn; its room is free with the next.
    pub(crate) gone: bool,
    /// Was named by `take_closing`, or is about to be.
    pub(crate) closing: bool,
    /// The last distribution that reached it, so that overlapping subscriptions deliver once.
    pub(crate) last_pull: u64,
    /// First and last piece of this turn's frames that are its own.
    pub(crate) first_piece: u32,
    pub(crate) last_piece: u32,
    pub(crate) memberships: FxHashMap<AudienceKey, Membership>,
    pub(crate) backlog: Option<Box<Backlog>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Membership {
    /// Where it stands among the audience's members.
    pub(crate) position: u32,
    pub(crate) on_slow: OnSlow,
}

/// What a subscriber holds that is not in step.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// Bytes to be written before anything else: the rest of a half-written frame, and replies.
    pub(crate) rest: Vec<u8>,
    /// How much of `rest` is written.
    pub(crate) rest_start: usize,
    pub(crate) records: IndexMap<SlotKey, Record, FxBuildHasher>,
    /// Records to be served when the socket takes more, in turn.
    pub(crate) queue: VecDeque<SlotKey>,
}

/// Where a subscriber stands in one topic with which it is not in step.
#[derive(Debug)]
pub(crate) struct Record {
    /// The last event it has.
    pub(crate) cursor: u64,
    /// Shortest time between two events of the topic, in milliseconds; 0 for none.
    pub(crate) interval: u32,
    /// When the interval is over; meaningful while `queued` is false.
    pub(crate) due: Millis,
    /// Stands in the backlog's queue.
    pub(crate) queued: bool,
    /// Is to begin with the current state.
    pub(crate) needs_snapshot: bool,
    /// What to call it if the history does not reach back to the cursor.
    pub(crate) reason: GapReason,
}

impl Record {
    /// To be served as soon as the socket takes it.
    pub(crate) fn behind(cursor: u64, interval: u32) -> Self {
        Self {
            cursor,
            interval,
            due: 0,
            queued: false,
            needs_snapshot: false,
            reason: GapReason::Slow,
        }
    }
}

impl Subscriber {
    pub(crate) fn new(serial: u32, codec: Codec) -> Self {
        Self {
            serial,
            codec,
            blocked: false,
            catching_up: false,
            gone: false,
            closing: false,
            last_pull: 0,
            first_piece: NONE,
            last_piece: NONE,
            memberships: FxHashMap::default(),
            backlog: None,
        }
    }

    pub(crate) fn record_mut(&mut self, slot: SlotKey) -> Option<&mut Record> {
        self.backlog.as_mut()?.records.get_mut(&slot)
    }

    /// Puts `record` in place of any other for `slot`, and queues it.
    pub(crate) fn put_record(&mut self, slot: SlotKey, record: Record) {
        let backlog = self.backlog.get_or_insert_default();
        let queued = backlog.records.get(&slot).is_some_and(|old| old.queued);
        backlog.records.insert(slot, Record { queued, ..record });
        backlog.enqueue(slot);
    }

    /// Bytes held for this subscriber alone.
    pub(crate) fn rest(&self) -> &[u8] {
        self.backlog.as_ref().map_or(&[], |backlog| &backlog.rest[backlog.rest_start..])
    }

    /// Whether there is something to be written to its socket now.
    pub(crate) fn is_ready(&self) -> bool {
        !self.blocked && (self.first_piece != NONE || !self.rest().is_empty())
    }

    /// Whether `catch_up` has something to do for it.
    pub(crate) fn has_queue(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| !backlog.queue.is_empty())
    }

    /// Gives the memory back of what is written, and of an empty backlog.
    pub(crate) fn tidy(&mut self) {
        let Some(backlog) = &mut self.backlog else { return };
        if backlog.rest_start == backlog.rest.len() {
            backlog.rest = Vec::new();
            backlog.rest_start = 0;
            if backlog.records.is_empty() {
                self.backlog = None;
            }
        } else if backlog.rest_start > backlog.rest.len() / 2 {
            // Else the rest of a socket that never takes all of it would grow for ever.
            backlog.rest.drain(..std::mem::take(&mut backlog.rest_start));
        }
    }
}

impl Backlog {
    /// Queues the record of `slot`, which must exist, unless it is queued already.
    pub(crate) fn enqueue(&mut self, slot: SlotKey) {
        if let Some(record) = self.records.get_mut(&slot)
            && !std::mem::replace(&mut record.queued, true)
        {
            self.queue.push_back(slot);
        }
    }
}
