//! Audiences: all subscribers that asked for the same thing, held once for all its topics.

use smallvec::SmallVec;
use topics::{Merging, Pattern, Topic};
use wire::Codec;
use wire::command::OnSlow;

use crate::hub::{Hub, PatternEntry, PatternKey, Slot, SlotKey};
use crate::subscriber::Membership;

/// One audience of one hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AudienceKey(pub(crate) u32);

/// What an audience listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Topic(SlotKey),
    Pattern(PatternKey),
}

/// Keys of subscribers. Most topics of a broker with many have few, which need no place of their
/// own in memory then.
pub(crate) type Members = SmallVec<[u32; 4]>;

/// Subscribers of one source at one rate.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) source: Source,
    /// Shortest time between two events of a topic that may be merged; 0 for none.
    pub(crate) interval: u32,
    /// Keys of the members, by codec.
    pub(crate) members: [Members; Codec::ALL.len()],
}

impl Audience {
    /// The interval that applies to topics that merge as `merging` says.
    pub(crate) fn pace(&self, merging: Merging) -> u32 {
        if merging.has_snapshot() { self.interval } else { 0 }
    }
}

impl Hub {
    /// The slot of `topic`, opened if there is none. `at_head` says where to begin reading if no
    /// pattern of this shard covers the topic yet: at its latest event, or before its first. A
    /// topic that came back after it was retired has its first where it left off.
    pub(crate) fn open_slot(&mut self, topic: std::sync::Arc<Topic>, at_head: bool) -> SlotKey {
        if let Some(slot) = self.slot_of(&topic) {
            return slot;
        }
        let mut covering: SmallVec<[PatternKey; 4]> = SmallVec::new();
        self.patterns.for_each_match(topic.name(), |&pattern| covering.push(pattern));
        // A pattern that was here before the topic is due every event of it.
        let at_head = at_head && covering.is_empty();
        let position = if at_head { topic.log().head() } else { topic.start() };
        let key = SlotKey(self.slots.vacant_key() as u32);
        topic.set_place(self.shard, Some(key.0));
        let slot = Slot { topic, position, audiences: SmallVec::new() };
        self.slots.insert(slot);
        for pattern in covering {
            let entry = &mut self.pattern_entries[pattern.0 as usize];
            entry.slots.push(key);
            for audience in entry.audiences.clone() {
                self.link(key, audience);
            }
        }
        key
    }

    /// Makes `audience` one of those of `slot`, the fastest first.
    fn link(&mut self, slot: SlotKey, audience: AudienceKey) {
        let merging = self.slots[slot.0 as usize].topic.merging();
        let pace = |key: AudienceKey| self.audiences[key.0 as usize].pace(merging);
        let at = self.slots[slot.0 as usize]
            .audiences
            .partition_point(|&other| pace(other) <= pace(audience));
        self.slots[slot.0 as usize].audiences.insert(at, audience);
    }

    /// The entry of `pattern`, made if there is none; every topic it covers has a slot then.
    pub(crate) fn open_pattern(&mut self, pattern: &Pattern) -> (PatternKey, usize) {
        let covered = self.registry.watch_pattern(self.shard, pattern);
        let matched = covered.len();
        let slots: Vec<SlotKey> =
            covered.into_iter().map(|topic| self.open_slot(topic, true)).collect();
        if let Some(&key) = self.patterns.get(pattern) {
            return (key, matched);
        }
        let key = PatternKey(self.pattern_entries.vacant_key() as u32);
        self.patterns.get_or_insert_with(pattern, || key);
        self.pattern_entries.insert(PatternEntry {
            pattern: pattern.clone(),
            audiences: SmallVec::new(),
            slots,
        });
        (key, matched)
    }

    fn audiences_of(&self, source: Source) -> SmallVec<[AudienceKey; 2]> {
        match source {
            Source::Topic(slot) => self.slots[slot.0 as usize]
                .audiences
                .iter()
                .copied()
                .filter(|key| self.audiences[key.0 as usize].source == source)
                .collect(),
            Source::Pattern(pattern) => self.pattern_entries[pattern.0 as usize].audiences.clone(),
        }
    }

    /// The audience through which `subscriber` listens to `source`, if it does.
    pub(crate) fn membership(&self, subscriber: u32, source: Source) -> Option<AudienceKey> {
        let memberships = &self.subscribers[subscriber as usize].memberships;
        self.audiences_of(source).into_iter().find(|key| memberships.contains_key(key))
    }

    /// Makes `subscriber` a member of the audience of `source` at `interval`.
    pub(crate) fn join(&mut self, subscriber: u32, source: Source, interval: u32, on_slow: OnSlow) {
        let found = self
            .audiences_of(source)
            .into_iter()
            .find(|key| self.audiences[key.0 as usize].interval == interval);
        let key = found.unwrap_or_else(|| self.open_audience(source, interval));
        let entry = &mut self.subscribers[subscriber as usize];
        let members = &mut self.audiences[key.0 as usize].members[entry.codec.index()];
        let position = members.len() as u32;
        members.push(subscriber);
        let old = entry.memberships.insert(key, Membership { position, on_slow });
        assert!(old.is_none(), "a subscriber joins an audience once");
    }

    fn open_audience(&mut self, source: Source, interval: u32) -> AudienceKey {
        let audience = Audience { source, interval, members: Default::default() };
        let key = AudienceKey(self.audiences.insert(audience) as u32);
        match source {
            Source::Topic(slot) => self.link(slot, key),
            Source::Pattern(pattern) => {
                let entry = &mut self.pattern_entries[pattern.0 as usize];
                entry.audiences.push(key);
                for slot in entry.slots.clone() {
                    self.link(slot, key);
                }
            }
        }
        key
    }

    /// Takes `subscriber` out of an audience it is a member of; the last one closes it.
    pub(crate) fn leave(&mut self, subscriber: u32, key: AudienceKey) {
        let entry = &mut self.subscribers[subscriber as usize];
        let Some(membership) = entry.memberships.remove(&key) else { return };
        let codec = entry.codec;
        let audience = &mut self.audiences[key.0 as usize];
        let members = &mut audience.members[codec.index()];
        members.swap_remove(membership.position as usize);
        if let Some(&moved) = members.get(membership.position as usize) {
            let memberships = &mut self.subscribers[moved as usize].memberships;
            memberships.get_mut(&key).expect("members know their audience").position =
                membership.position;
        }
        if audience.members.iter().all(SmallVec::is_empty) {
            let source = audience.source;
            self.audiences.remove(key.0 as usize);
            self.close_audience(key, source);
        }
    }

    fn close_audience(&mut self, key: AudienceKey, source: Source) {
        match source {
            Source::Topic(slot) => self.unlink(slot, key),
            Source::Pattern(pattern) => {
                let entry = &mut self.pattern_entries[pattern.0 as usize];
                entry.audiences.retain(|other| *other != key);
                let unused = entry.audiences.is_empty();
                let slots =
                    if unused { std::mem::take(&mut entry.slots) } else { entry.slots.clone() };
                for slot in slots {
                    self.unlink(slot, key);
                }
                if unused {
                    self.close_pattern(pattern);
                }
            }
        }
    }

    /// Forgets a pattern that nobody listens to any more. Topics it covers that have a slot are
    /// let go with that; those that this hub never heard of are let go here.
    pub(crate) fn close_pattern(&mut self, key: PatternKey) {
        let entry = self.pattern_entries.remove(key.0 as usize);
        self.patterns.remove(&entry.pattern);
        let patterns = &self.patterns;
        let unheard = self.registry.unwatch_pattern(self.shard, &entry.pattern, |topic| {
            let mut wanted = topic.place(self.shard).is_some();
            patterns.for_each_match(topic.name(), |_| wanted = true);
            wanted
        });
        for topic in unheard {
            self.registry.unwatch(self.shard, &topic);
        }
    }

    fn unlink(&mut self, slot: SlotKey, key: AudienceKey) {
        let entry = &mut self.slots[slot.0 as usize];
        entry.audiences.retain(|other| *other != key);
        if entry.audiences.is_empty() {
            self.unheard.push(slot);
        }
    }

    /// Closes the slots that nobody listens to any more. Only between turns: frames and records
    /// of the turn may still name them.
    pub(crate) fn close_unheard_slots(&mut self) {
        for slot in std::mem::take(&mut self.unheard) {
            let unheard =
                self.slots.get(slot.0 as usize).is_some_and(|entry| entry.audiences.is_empty());
            if unheard {
                let entry = self.slots.remove(slot.0 as usize);
                entry.topic.set_place(self.shard, None);
                self.registry.unwatch(self.shard, &entry.topic);
            }
        }
    }

    /// How fast `subscriber` is to be given the events of `slot`: the fastest of its
    /// subscriptions decides. `None` when none covers the topic.
    pub(crate) fn pace_of(&self, subscriber: u32, slot: SlotKey) -> Option<u32> {
        let Slot { topic, audiences, .. } = &self.slots[slot.0 as usize];
        let memberships = &self.subscribers[subscriber as usize].memberships;
        let fastest = audiences.iter().find(|key| memberships.contains_key(key))?;
        Some(self.audiences[fastest.0 as usize].pace(topic.merging()))
    }

    /// What `subscriber` wants done when the history has outrun it: the strictest of its
    /// subscriptions decides.
    pub(crate) fn on_slow_of(&self, subscriber: u32, slot: SlotKey) -> OnSlow {
        let memberships = &self.subscribers[subscriber as usize].memberships;
        let disconnect = self.slots[slot.0 as usize]
            .audiences
            .iter()
            .filter_map(|key| memberships.get(key))
            .any(|membership| membership.on_slow == OnSlow::Disconnect);
        if disconnect { OnSlow::Disconnect } else { OnSlow::Conflate }
    }
}
