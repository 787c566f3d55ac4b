//! The hub: all state of one shard's fan-out, and the order in which a turn is made of it.

use std::collections::VecDeque;
use std::sync::Arc;

use market::Nanos;
use slab::Slab;
use smallvec::SmallVec;
use topics::{Pattern, PatternIndex, Registry, ShardId, Topic};
use wire::Codec;
use wire::close::Close;

use crate::audience::{Audience, AudienceKey};
use crate::subscriber::{Backlog, Subscriber, SubscriberId};
use crate::timers::Timers;
use crate::turn::{Content, Turn};
use crate::{Ledger, Millis};

/// A topic as this hub knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SlotKey(pub(crate) u32);

/// A pattern as this hub knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PatternKey(pub(crate) u32);

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) topic: Arc<Topic>,
    /// The last event that was given to those in step.
    pub(crate) position: u64,
    /// Who listens, the fastest first.
    pub(crate) audiences: SmallVec<[AudienceKey; 2]>,
}

#[derive(Debug)]
pub(crate) struct PatternEntry {
    pub(crate) pattern: Pattern,
    pub(crate) audiences: SmallVec<[AudienceKey; 2]>,
    pub(crate) slots: Vec<SlotKey>,
}

/// Bounds of one hub.
#[derive(Debug, Clone, Copy)]
pub struct HubLimits {
    /// Subscriptions of one subscriber.
    pub subscriptions: usize,
    /// Bytes one subscriber out of step is given in one turn.
    pub catch_up_bytes: usize,
    /// Bytes after which a turn takes in nothing more, so that it is written soon.
    pub turn_bytes: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self { subscriptions: 10_000, catch_up_bytes: 64 << 10, turn_bytes: 1 << 20 }
    }
}

/// A rate-limited record whose interval is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paced {
    pub(crate) subscriber: SubscriberId,
    pub(crate) slot: SlotKey,
}

/// The fan-out of one shard. See the crate's documentation for how a turn goes.
#[derive(Debug)]
pub struct Hub {
    pub(crate) registry: Arc<Registry>,
    pub(crate) shard: ShardId,
    pub(crate) limits: HubLimits,
    pub(crate) slots: Slab<Slot>,
    pub(crate) audiences: Slab<Audience>,
    pub(crate) patterns: PatternIndex<PatternKey>,
    pub(crate) pattern_entries: Slab<PatternEntry>,
    pub(crate) subscribers: Slab<Subscriber>,
    pub(crate) serial: u32,
    pub(crate) turn: Turn,
    pub(crate) timers: Timers<Paced>,
    /// Topics that moved and were not read yet.
    pub(crate) moved: VecDeque<Arc<Topic>>,
    pub(crate) mailbox_scratch: Vec<Arc<Topic>>,
    /// Subscribers out of step whose sockets may take more.
    pub(crate) catching_up: VecDeque<SubscriberId>,
    pub(crate) pulls: u64,
    pub(crate) ledger: Ledger,
    pub(crate) unheard: Vec<SlotKey>,
    gone: Vec<u32>,
    pub(crate) closing: Vec<(SubscriberId, Close)>,
}

impl Hub {
    /// An empty hub for `shard` of `registry`.
    #[must_use]
    pub fn new(registry: Arc<Registry>, shard: ShardId, limits: HubLimits) -> Self {
        Self {
            registry,
            shard,
            limits,
            slots: Slab::new(),
            audiences: Slab::new(),
            patterns: PatternIndex::default(),
            pattern_entries: Slab::new(),
            subscribers: Slab::new(),
            serial: 0,
            turn: Turn::default(),
            timers: Timers::default(),
            moved: VecDeque::new(),
            mailbox_scratch: Vec::new(),
            catching_up: VecDeque::new(),
            pulls: 0,
            ledger: Ledger::default(),
            unheard: Vec::new(),
            gone: Vec::new(),
            closing: Vec::new(),
        }
    }

    /// Adds a subscriber without subscriptions.
    pub fn add(&mut self, codec: Codec) -> SubscriberId {
        self.serial = self.serial.wrapping_add(1);
        let key = self.subscribers.insert(Subscriber::new(self.serial, codec)) as u32;
        SubscriberId { key, serial: self.serial }
    }

    /// Takes a subscriber out, with all it had coming.
    pub fn remove(&mut self, id: SubscriberId) {
        if !self.is_present(id) {
            return;
        }
        self.mute(id);
        let subscriber = &mut self.subscribers[id.index()];
        subscriber.gone = true;
        subscriber.backlog = None;
        self.gone.push(id.key);
    }

    /// Ends all subscriptions of a subscriber; what was coming is dropped, but for replies.
    pub fn mute(&mut self, id: SubscriberId) {
        if !self.is_present(id) {
            return;
        }
        let subscriber = &self.subscribers[id.index()];
        let mut left: Vec<AudienceKey> = subscriber.memberships.keys().copied().collect();
        left.sort_unstable();
        for audience in left {
            self.leave(id.key, audience);
        }
        self.drop_uncovered(id);
    }

    /// The slot of `topic`, if it has one here.
    pub(crate) fn slot_of(&self, topic: &Topic) -> Option<SlotKey> {
        topic.place(self.shard).map(SlotKey)
    }

    pub(crate) fn is_present(&self, id: SubscriberId) -> bool {
        self.subscribers
            .get(id.index())
            .is_some_and(|subscriber| subscriber.serial == id.serial && !subscriber.gone)
    }

    /// Drops what was coming of topics that none of the subscriptions covers any more, and lets
    /// the rates of those left apply.
    pub(crate) fn drop_uncovered(&mut self, id: SubscriberId) {
        self.withdraw_uncovered(id);
        let key = id.key;
        let Some(mut backlog) = self.subscribers[key as usize].backlog.take() else { return };
        let Backlog { records, queue, .. } = &mut *backlog;
        records.retain(|&slot, record| {
            let pace = self.pace_of(key, slot);
            match pace {
                Some(pace) => record.interval = pace,
                None => {
                    self.ledger.dropped += self.slots[slot.0 as usize].position - record.cursor;
                }
            }
            pace.is_some()
        });
        queue.retain(|slot| records.contains_key(slot));
        let subscriber = &mut self.subscribers[key as usize];
        subscriber.backlog = Some(backlog);
        subscriber.tidy();
    }

    /// Appends a reply for one subscriber: what `write` appends goes out in this turn or, if the
    /// socket takes no more, as the first thing when it does.
    pub fn reply(&mut self, id: SubscriberId, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.is_present(id) {
            return;
        }
        let subscriber = &mut self.subscribers[id.index()];
        if subscriber.blocked {
            write(&mut subscriber.backlog.get_or_insert_default().rest);
        } else {
            let (frame, ()) = self.turn.frame(Content::Control, write);
            self.turn.give(subscriber, id, frame, frame);
        }
    }

    /// Bytes that wait for this subscriber's socket and belong to it alone. Bounded as long as
    /// the caller takes no commands from a subscriber that has too many.
    #[must_use]
    pub fn unsent(&self, id: SubscriberId) -> usize {
        if self.is_present(id) { self.subscribers[id.index()].rest().len() } else { 0 }
    }

    /// True when the subscriber has nothing coming that is not paced: its socket has everything.
    #[must_use]
    pub fn is_settled(&self, id: SubscriberId) -> bool {
        let Some(subscriber) = self.subscribers.get(id.index()).filter(|_| self.is_present(id))
        else {
            return true;
        };
        subscriber.rest().is_empty() && !subscriber.has_queue()
    }

    /// Subscribers that must be closed, and why: they asked not to lose events, and did. Each is
    /// named once.
    pub fn take_closing(&mut self) -> Vec<(SubscriberId, Close)> {
        let mut closing = std::mem::take(&mut self.closing);
        closing.retain(|&(id, _)| self.is_present(id));
        closing
    }

    /// True when there is work that no outside event will announce: begin another turn at once.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.moved.is_empty() || !self.catching_up.is_empty()
    }

    /// When [`Hub::fire_timers`] next has something to do.
    #[must_use]
    pub fn next_timer(&self) -> Option<Millis> {
        self.timers.next_due()
    }

    /// What became of all events so far, counted where it happened; `pending` is summed up over
    /// the cursors. Between turns it balances.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let mut ledger = self.ledger;
        for (_, subscriber) in &self.subscribers {
            for (slot, record) in subscriber.backlog.iter().flat_map(|backlog| &backlog.records) {
                ledger.pending += self.slots[slot.0 as usize].position - record.cursor;
            }
        }
        ledger
    }

    /// Subscribers present.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.subscribers.len() - self.gone.len()
    }

    /// Subscribers whose socket took less than it was offered.
    #[must_use]
    pub fn blocked(&self) -> usize {
        self.subscribers.iter().filter(|(_, subscriber)| subscriber.blocked).count()
    }

    /// Subscriptions of all subscribers together.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.audiences
            .iter()
            .map(|(_, audience)| audience.members.iter().map(SmallVec::len).sum::<usize>())
            .sum()
    }

    /// When the events were published that subscribers in step are given in this turn.
    #[must_use]
    pub fn published_in_turn(&self) -> &[Nanos] {
        &self.turn.published
    }

    /// Ends the turn: its frames are forgotten. Every subscriber that [`Hub::next_ready`] named
    /// must have been written to or removed.
    pub fn end_turn(&mut self) {
        self.turn.clear();
        for key in std::mem::take(&mut self.gone) {
            self.subscribers.remove(key as usize);
        }
        self.close_unheard_slots();
    }
}
