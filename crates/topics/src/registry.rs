//! The registry: name to topic, creation and retirement, interest of shards, publishing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use market::Nanos;
use parking_lot::Mutex;
use rustc_hash::{FxBuildHasher, FxHashMap};
use wire::{Code, Payload, Rejection};

use crate::index::NameIndex;
use crate::topic::Merging;
use crate::{HistoryLimits, Mailbox, Pattern, PatternIndex, ShardId, Topic, TopicKind, TopicName};

/// Bounds over all topics.
#[derive(Debug, Clone)]
pub struct RegistryLimits {
    /// Most topics at one time. Topics that were subscribed but never published to may take half.
    pub topics: usize,
    /// Bytes of all histories together.
    pub history_bytes: usize,
    /// Bounds of each topic.
    pub history: HistoryLimits,
    /// Generic topics of which only the latest event matters. [`CONSOLIDATED`] is always among
    /// them.
    pub latest_only: Vec<Pattern>,
}

/// The topics of the best bid and offer over all venues, `nbbo.<symbol>`: generic topics with a
/// meaning of their own, of which only the latest event matters.
pub const CONSOLIDATED: &str = "nbbo.>";

impl Default for RegistryLimits {
    fn default() -> Self {
        Self {
            topics: 1_000_000,
            history_bytes: 256 << 20,
            history: HistoryLimits::default(),
            latest_only: Vec::new(),
        }
    }
}

/// The number an event was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The topic's epoch.
    pub epoch: u64,
    /// The event's number.
    pub seq: u64,
}

/// One line of a listing.
#[derive(Debug, Clone)]
pub struct TopicInfo {
    /// The topic.
    pub topic: Arc<Topic>,
    /// Its latest event.
    pub seq: u64,
    /// Events held in its history.
    pub history: usize,
}

/// All topics, shared by every thread.
#[derive(Debug)]
pub struct Registry {
    pub(crate) limits: RegistryLimits,
    epoch: u64,
    pub(crate) topics: DashMap<TopicName, Arc<Topic>, FxBuildHasher>,
    // Creation, retirement and pattern interest take this lock; publishing and exact look-ups
    // never do.
    pub(crate) index: Mutex<Index>,
    mailboxes: Vec<Mailbox>,
    pub(crate) unpublished: AtomicUsize,
    // Signed: threads account for what they did in any order, so it may dip below zero.
    pub(crate) history_bytes: AtomicI64,
    interest_changes: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) names: NameIndex<Arc<Topic>>,
    /// For each pattern the shards that have subscribers for it, a bit each.
    patterns: PatternIndex<u64>,
    latest_only: PatternIndex<()>,
    /// Where the numbering of retired topics goes on, should they come back in this epoch.
    pub(crate) numbering: FxHashMap<TopicName, u64>,
}

impl Registry {
    /// An empty registry that serves one shard for each mailbox. `epoch` tells its numbering from
    /// that of any other run; the time of the start in nanoseconds does.
    ///
    /// # Panics
    /// When there are more than [`ShardId::MAX`] mailboxes.
    #[must_use]
    pub fn new(mut limits: RegistryLimits, epoch: u64, mailboxes: Vec<Mailbox>) -> Self {
        assert!(mailboxes.len() <= ShardId::MAX, "at most {} shards", ShardId::MAX);
        limits.latest_only.extend(Pattern::parse(CONSOLIDATED));
        let mut index = Index::default();
        for pattern in &limits.latest_only {
            index.latest_only.get_or_insert_with(pattern, || ());
        }
        Self {
            limits,
            epoch,
            topics: DashMap::default(),
            index: Mutex::new(index),
            mailboxes,
            unpublished: AtomicUsize::new(0),
            history_bytes: AtomicI64::new(0),
            interest_changes: AtomicU64::new(0),
        }
    }

    /// The mailbox of `shard`.
    ///
    /// # Panics
    /// When there is no such shard.
    #[must_use]
    pub fn mailbox(&self, shard: ShardId) -> &Mailbox {
        &self.mailboxes[shard.index()]
    }

    /// Topics that exist.
    #[must_use]
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// True when no topic exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Bytes of all histories.
    #[must_use]
    pub fn history_bytes(&self) -> usize {
        self.history_bytes.load(Ordering::Relaxed).max(0) as usize
    }

    /// The topic called `name`, if it exists.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Topic>> {
        // The guard of the map must not outlive this expression.
        self.topics.get(name).map(|topic| Arc::clone(&topic))
    }

    /// The topic called `name`, created if it does not exist.
    ///
    /// # Errors
    /// `bad_topic` for a name that breaks the rules, `too_many` when there is no room.
    pub fn resolve(&self, name: &str) -> Result<Arc<Topic>, Rejection> {
        if let Some(topic) = self.get(name) {
            return Ok(topic);
        }
        let name = TopicName::parse(name)?;
        let mut index = self.index.lock();
        self.create(&mut index, &name, self.limits.topics)
    }

    /// Opens `name` for a subscriber in `shard`: from now on the shard's mailbox hears of it.
    ///
    /// # Errors
    /// `too_many` when there is no room for another topic that nobody has published to.
    pub fn watch(&self, shard: ShardId, name: &TopicName) -> Result<Arc<Topic>, Rejection> {
        let mut index = self.index.lock();
        let empty = self.unpublished.load(Ordering::Relaxed);
        let room = if empty >= self.limits.topics / 2 { 0 } else { self.limits.topics };
        let topic = self.create(&mut index, name, room)?;
        topic.add_interest(shard.bit());
        self.note_interest();
        Ok(topic)
    }

    /// Whether any shard has subscribers for `name`, by itself or through a pattern, and whether
    /// the topic exists or not.
    #[must_use]
    pub fn is_wanted(&self, name: &TopicName) -> bool {
        if let Some(topic) = self.get(name.as_str()) {
            return topic.has_interest();
        }
        let mut interested = 0;
        self.index.lock().patterns.for_each_match(name, |shards| interested |= shards);
        interested != 0
    }

    /// Changes after the answer of [`Registry::is_wanted`] has changed for any name. It may change
    /// without that too.
    #[must_use]
    pub fn interest_changes(&self) -> u64 {
        self.interest_changes.load(Ordering::SeqCst)
    }

    fn note_interest(&self) {
        self.interest_changes.fetch_add(1, Ordering::SeqCst);
    }

    fn create(
        &self,
        index: &mut Index,
        name: &TopicName,
        room: usize,
    ) -> Result<Arc<Topic>, Rejection> {
        if let Some(topic) = self.get(name.as_str()) {
            return Ok(topic);
        }
        if self.topics.len() >= room {
            return Err(Rejection::new(
                Code::TooMany,
                format_args!(
                    "no room for the new topic \"{name}\": the broker holds at most {} topics, \
                     half of them without events (topics.topics_max)",
                    self.limits.topics
                ),
            ));
        }
        let mut latest_only = false;
        index.latest_only.for_each_match(name, |()| latest_only = true);
        let head = index.numbering.remove(name).unwrap_or(0);
        let shards = self.mailboxes.len();
        let topic = Topic::new(name.clone(), latest_only, self.epoch, head, shards);
        let topic = Arc::new(topic);
        let mut interested = 0;
        index.patterns.for_each_match(name, |shards| interested |= shards);
        topic.add_interest(interested);
        self.unpublished.fetch_add(usize::from(head == 0), Ordering::Relaxed);
        index.names.insert(name, Arc::clone(&topic));
        self.topics.insert(name.clone(), Arc::clone(&topic));
        Ok(topic)
    }

    /// Notes that `shard` has subscribers for `pattern`, and returns the topics it covers now.
    /// Topics that match and come later reach the shard's mailbox with their first event.
    #[must_use]
    pub fn watch_pattern(&self, shard: ShardId, pattern: &Pattern) -> Vec<Arc<Topic>> {
        let mut index = self.index.lock();
        *index.patterns.get_or_insert_with(pattern, || 0) |= shard.bit();
        let mut covered = Vec::new();
        index.names.for_each_match(pattern, |topic| {
            topic.add_interest(shard.bit());
            covered.push(Arc::clone(topic));
        });
        drop(index);
        self.note_interest();
        covered
    }

    /// `shard` has no subscriber for `pattern` any more. Returns the topics it covers that are not
    /// `wanted` by the shard for another reason: [`Registry::unwatch`] them.
    #[must_use]
    pub fn unwatch_pattern(
        &self,
        shard: ShardId,
        pattern: &Pattern,
        mut wanted: impl FnMut(&Topic) -> bool,
    ) -> Vec<Arc<Topic>> {
        let mut index = self.index.lock();
        let shards = index.patterns.get_or_insert_with(pattern, || 0);
        *shards &= !shard.bit();
        if *shards == 0 {
            index.patterns.remove(pattern);
        }
        let mut unwanted = Vec::new();
        index.names.for_each_match(pattern, |topic| {
            if !wanted(topic) {
                unwanted.push(Arc::clone(topic));
            }
        });
        drop(index);
        self.note_interest();
        unwanted
    }

    /// `shard` has no subscriber for `topic` any more. A topic that nobody ever published to goes
    /// when its last subscriber does.
    pub fn unwatch(&self, shard: ShardId, topic: &Topic) {
        let mut index = self.index.lock();
        topic.remove_interest(shard);
        self.retire_if(&mut index, topic, |log| log.head() == 0);
        self.note_interest();
    }

    /// Tells this run's numbering from that of any other; the same for all topics.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How the events of `name` merge, whether it exists or not.
    #[must_use]
    pub fn merging(&self, name: &TopicName) -> Merging {
        let mut latest_only = false;
        self.index.lock().latest_only.for_each_match(name, |()| latest_only = true);
        Merging::of(name.kind(), latest_only)
    }

    /// Whether `pattern` can cover topics whose events may be merged.
    #[must_use]
    pub fn may_merge(&self, pattern: &Pattern) -> bool {
        let first = pattern.segments().next().unwrap_or_default();
        match TopicKind::of_first_segment(first) {
            _ if matches!(first, "*" | ">") => true,
            TopicKind::Generic => {
                self.limits.latest_only.iter().any(|latest| latest.overlaps(pattern))
            }
            kind => Merging::of(kind, false).has_snapshot(),
        }
    }

    /// The topics that `pattern` covers, sorted by name.
    #[must_use]
    pub fn matching(&self, pattern: &Pattern) -> Vec<TopicInfo> {
        let mut found = Vec::new();
        self.index.lock().names.for_each_match(pattern, |topic| found.push(Arc::clone(topic)));
        let mut found: Vec<_> = found
            .into_iter()
            .map(|topic| {
                let (seq, history) = {
                    let log = topic.log();
                    (log.head(), log.len())
                };
                TopicInfo { topic, seq, history }
            })
            .collect();
        found.sort_by(|a, b| a.topic.name().cmp(b.topic.name()));
        found
    }

    /// Publishes to `topic`: numbers the event, keeps it, and tells the shards that want it. A
    /// publisher may hold on to `topic` for long; should it have been retired meanwhile, it is
    /// replaced by its successor.
    ///
    /// # Errors
    /// `bad_data` for a book event that breaks the book's bounds; `too_many` as
    /// [`Registry::resolve`].
    pub fn publish(
        &self,
        topic: &mut Arc<Topic>,
        payload: Payload,
        now: Nanos,
    ) -> Result<Published, Rejection> {
        let (published, asleep) = self.append(topic, payload, now)?;
        self.rouse(asleep);
        Ok(published)
    }

    /// Publishes without rousing anyone; says which shards must be, a bit each.
    pub(crate) fn append(
        &self,
        topic: &mut Arc<Topic>,
        payload: Payload,
        now: Nanos,
    ) -> Result<(Published, u64), Rejection> {
        let (seq, mut shards) = loop {
            let mut log = topic.log();
            if log.is_retired() {
                drop(log);
                *topic = self.resolve(topic.name().as_str())?;
                continue;
            }
            let before = log.bytes();
            let appended = log.append(payload, now, topic.has_unread(), &self.limits.history);
            let told = if appended.is_ok() { topic.mark_dirty() } else { 0 };
            let after = log.bytes();
            drop(log);
            self.account(before, after);
            break (appended.inspect_err(|_| self.retire_unpublished(topic))?, told);
        };
        if seq == 1 {
            self.unpublished.fetch_sub(1, Ordering::Relaxed);
        }
        let mut asleep = 0;
        while shards != 0 {
            let shard = shards.trailing_zeros();
            asleep |= u64::from(self.mailboxes[shard as usize].put(topic)) << shard;
            shards &= shards - 1;
        }
        Ok((Published { epoch: topic.epoch(), seq }, asleep))
    }
}
