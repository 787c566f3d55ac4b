//! Subscribe and unsubscribe: all or nothing, and from which event on.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use smallvec::{SmallVec, smallvec};
use topics::{Filter, TopicName};
use wire::command::{Id, Position, Subscribe};
use wire::message::{self, Gap, GapReason, Subscribed};
use wire::rejection::shown;
use wire::{Code, Rejection};

use crate::audience::Source;
use crate::hub::{Hub, SlotKey};
use crate::subscriber::{Record, SubscriberId};

/// A filter that is open: what to join, and the topics it covers now.
struct Opened {
    source: Source,
    matched: usize,
    slots: SmallVec<[SlotKey; 1]>,
}

impl Hub {
    /// Carries out a subscribe command and adds the answer: what leads from there to now follows
    /// in the same turn, then every later event.
    ///
    /// # Errors
    /// `bad_topic`, `too_many`, or `bad_command` for a `max_rate` where nothing may be merged and
    /// for a `resume` outside the subscription. Nothing is subscribed then.
    pub fn subscribe(&mut self, id: SubscriberId, command: &Subscribe) -> Result<(), Rejection> {
        if !self.is_present(id) {
            return Ok(());
        }
        let filters = parse_filters(&command.topics)?;
        self.check_count(id, &filters)?;
        self.check_rate(command, &filters)?;
        let resume = parse_resume(command, &filters)?;
        let opened = self.open_all(&filters, &resume)?;

        let mut begun: Vec<(SlotKey, bool)> = Vec::new();
        for &slot in opened.iter().flat_map(|opened| &opened.slots) {
            self.pull(slot);
            begun.push((slot, self.pace_of(id.key, slot).is_some()));
        }
        begun.sort_unstable_by_key(|(slot, _)| slot.0);
        begun.dedup_by_key(|(slot, _)| *slot);
        let interval = command.interval.map_or(0, u32::from);
        for opened in &opened {
            let old = self.membership(id.key, opened.source);
            if let Some(old) = old.filter(|key| self.audiences[key.0 as usize].interval == interval)
            {
                self.set_on_slow(id, old, command);
                continue;
            }
            // Joined before the old one is left, so that the topic is never without interest.
            self.join(id.key, opened.source, interval, command.on_slow);
            if let Some(old) = old {
                self.leave(id.key, old);
            }
        }
        self.answer_subscribe(id, command, &filters, &opened);
        for (slot, covered) in begun {
            let name = self.slots[slot.0 as usize].topic.name().clone();
            let position = resume.iter().find(|(topic, _)| *topic == name).map(|(_, p)| *p);
            self.begin(id, slot, command, position.filter(|_| !covered), covered);
        }
        self.await_turn(id);
        Ok(())
    }

    fn set_on_slow(
        &mut self,
        id: SubscriberId,
        key: crate::audience::AudienceKey,
        command: &Subscribe,
    ) {
        if let Some(membership) = self.subscribers[id.index()].memberships.get_mut(&key) {
            membership.on_slow = command.on_slow;
        }
    }

    fn check_count(&self, id: SubscriberId, filters: &[Filter]) -> Result<(), Rejection> {
        let held = &self.subscribers[id.index()].memberships;
        if held.len() + filters.len() <= self.limits.subscriptions {
            return Ok(());
        }
        let new = |filter: &&Filter| {
            let source = self.source_of(filter);
            source.and_then(|source| self.membership(id.key, source)).is_none()
        };
        let new: FxHashSet<&Filter> = filters.iter().filter(new).collect();
        let count = held.len() + new.len();
        if count <= self.limits.subscriptions {
            return Ok(());
        }
        Err(Rejection::new(
            Code::TooMany,
            format_args!(
                "the connection would have {count} subscriptions; at most {} are allowed",
                self.limits.subscriptions
            ),
        ))
    }

    fn check_rate(&self, command: &Subscribe, filters: &[Filter]) -> Result<(), Rejection> {
        let may_merge = |filter: &Filter| match filter {
            Filter::Topic(name) => self.registry.merging(name).has_snapshot(),
            Filter::Pattern(pattern) => self.registry.may_merge(pattern),
        };
        if command.interval.is_none() || filters.iter().any(may_merge) {
            return Ok(());
        }
        Err(Rejection::new(
            Code::BadCommand,
            "\"max_rate\" needs topics whose events may be merged (quote, book, bar, status, or \
             generic ones configured in topics.latest_only); of these, every event counts",
        ))
    }

    fn open_all(
        &mut self,
        filters: &[Filter],
        resume: &[(TopicName, Position)],
    ) -> Result<Vec<Opened>, Rejection> {
        let mut opened = Vec::with_capacity(filters.len());
        for filter in filters {
            match filter {
                Filter::Topic(name) => match self.registry.watch(self.shard, name) {
                    Ok(topic) => {
                        let slot = self.open_slot(topic, true);
                        let source = Source::Topic(slot);
                        opened.push(Opened { source, matched: 1, slots: smallvec![slot] });
                    }
                    Err(rejection) => {
                        self.close_unjoined(&opened);
                        return Err(rejection);
                    }
                },
                Filter::Pattern(pattern) => {
                    let (key, matched) = self.open_pattern(pattern);
                    let slots = self.pattern_entries[key.0 as usize].slots.iter().copied();
                    let slots = slots.collect();
                    opened.push(Opened { source: Source::Pattern(key), matched, slots });
                }
            }
        }
        // A topic under a pattern may be gone. Its subscriber must hear at once what that means
        // for its position, not find out when the topic comes back.
        for (name, _) in resume {
            let slot = match self.registry.watch(self.shard, name) {
                Ok(topic) => self.open_slot(topic, true),
                Err(rejection) => {
                    self.close_unjoined(&opened);
                    return Err(rejection);
                }
            };
            let covering = filters.iter().zip(&mut opened).find(|(filter, _)| filter.covers(name));
            if let Some((_, opened)) = covering {
                opened.slots.push(slot);
            }
        }
        Ok(opened)
    }

    /// Lets go of what was opened for a command that failed, where nobody else listens.
    fn close_unjoined(&mut self, opened: &[Opened]) {
        for opened in opened {
            if let Source::Pattern(key) = opened.source {
                let unused = self
                    .pattern_entries
                    .get(key.0 as usize)
                    .is_some_and(|entry| entry.audiences.is_empty());
                if unused {
                    self.close_pattern(key);
                }
            }
            self.unheard.extend(&opened.slots);
        }
    }

    fn source_of(&self, filter: &Filter) -> Option<Source> {
        match filter {
            Filter::Topic(name) => {
                let topic = self.registry.get(name.as_str())?;
                self.slot_of(&topic).map(Source::Topic)
            }
            Filter::Pattern(pattern) => self.patterns.get(pattern).map(|&key| Source::Pattern(key)),
        }
    }

    fn answer_subscribe(
        &mut self,
        id: SubscriberId,
        command: &Subscribe,
        filters: &[Filter],
        opened: &[Opened],
    ) {
        let epoch = self.registry.epoch();
        let lines: Vec<_> = filters
            .iter()
            .zip(opened)
            .map(|(filter, opened)| match filter {
                Filter::Topic(name) => Subscribed::Topic {
                    topic: name.as_str(),
                    epoch,
                    seq: self.slots[opened.slots[0].0 as usize].position,
                },
                Filter::Pattern(pattern) => Subscribed::Pattern {
                    pattern: pattern.as_str(),
                    epoch,
                    matched: opened.matched,
                },
            })
            .collect();
        let codec = self.subscribers[id.index()].codec;
        self.reply(id, |bytes| {
            message::append_subscribed(codec, bytes, command.id.as_ref(), &lines);
        });
    }

    /// Decides from which event on the subscriber is served in one topic it now listens to.
    fn begin(
        &mut self,
        id: SubscriberId,
        slot: SlotKey,
        command: &Subscribe,
        resume: Option<Position>,
        covered: bool,
    ) {
        let topic = Arc::clone(&self.slots[slot.0 as usize].topic);
        let head = self.slots[slot.0 as usize].position;
        let pace = self.pace_of(id.key, slot).unwrap_or(0);
        let merging = topic.merging();
        if let Some(Position { epoch, seq }) = resume
            && epoch == Some(topic.epoch())
            && seq <= head
        {
            if seq < head {
                self.ledger.published += head - seq;
                let record = Record { reason: GapReason::History, ..Record::behind(seq, pace) };
                self.subscribers[id.index()].put_record(slot, record);
            }
            return;
        }
        let mut cursor = head;
        if !merging.has_snapshot() && !covered && command.history > 0 {
            let oldest = topic.log().oldest().min(head + 1);
            cursor = head.saturating_sub(command.history).max(oldest - 1);
            self.ledger.published += head - cursor;
        }
        if resume.is_some() {
            let codec = self.subscribers[id.index()].codec;
            let gap = Gap {
                topic: topic.name().as_str(),
                from: 1,
                to: cursor,
                reason: GapReason::Restart,
                epoch: Some(topic.epoch()),
            };
            self.reply(id, |bytes| message::append_gap(codec, bytes, gap));
        }
        let needs_snapshot = merging.has_snapshot() && command.snapshot && head > 0;
        let subscriber = &mut self.subscribers[id.index()];
        if let Some(record) = subscriber.record_mut(slot) {
            record.needs_snapshot |= needs_snapshot;
            record.interval = pace;
            if let Some(backlog) = &mut subscriber.backlog {
                backlog.enqueue(slot);
            }
        } else if needs_snapshot || cursor < head {
            let record = Record { needs_snapshot, ..Record::behind(cursor, pace) };
            subscriber.put_record(slot, record);
        }
    }

    /// Carries out an unsubscribe command and adds the answer, after which nothing more of these
    /// topics comes unless another subscription covers them.
    ///
    /// # Errors
    /// `bad_topic`; nothing is unsubscribed then.
    pub fn unsubscribe(
        &mut self,
        id: SubscriberId,
        command: Option<&Id>,
        topics: &[Box<str>],
    ) -> Result<(), Rejection> {
        if !self.is_present(id) {
            return Ok(());
        }
        for filter in parse_filters(topics)? {
            let source = self.source_of(&filter);
            if let Some(key) = source.and_then(|source| self.membership(id.key, source)) {
                self.leave(id.key, key);
            }
        }
        self.drop_uncovered(id);
        let codec = self.subscribers[id.index()].codec;
        self.reply(id, |bytes| message::append_unsubscribed(codec, bytes, command, topics));
        Ok(())
    }
}

fn parse_filters(topics: &[Box<str>]) -> Result<Vec<Filter>, Rejection> {
    topics.iter().map(|text| Filter::parse(text).map_err(Rejection::from)).collect()
}

fn parse_resume(
    command: &Subscribe,
    filters: &[Filter],
) -> Result<Vec<(TopicName, Position)>, Rejection> {
    command
        .resume
        .iter()
        .map(|(topic, position)| {
            let name = TopicName::parse(topic)?;
            if filters.iter().any(|filter| filter.covers(&name)) {
                return Ok((name, *position));
            }
            Err(Rejection::new(
                Code::BadCommand,
                format_args!(
                    "\"resume\" names \"{}\", which none of \"topics\" covers",
                    shown(topic)
                ),
            ))
        })
        .collect()
}
