//! One topic: its fixed facts, its log under a lock, and which shards want to hear of it.

use std::sync::atomic::{AtomicU64, Ordering};

use market::Kind;
use parking_lot::{Mutex, MutexGuard};

use crate::{Log, TopicKind, TopicName};

/// A topic's number within one run of the broker; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub u32);

/// One of at most 64 shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShardId(u8);

impl ShardId {
    /// The most shards there can be: one bit of a word each.
    pub const MAX: usize = 64;

    /// Shard number `index`.
    ///
    /// # Panics
    /// When `index` is [`ShardId::MAX`] or more.
    #[must_use]
    pub fn new(index: usize) -> Self {
        assert!(index < Self::MAX, "at most {} shards", Self::MAX);
        Self(index as u8)
    }

    /// Position in tables that hold one entry for each shard.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(crate) fn bit(self) -> u64 {
        1 << self.0
    }
}

/// How several events of a topic may be given as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Merging {
    /// Never: each event counts.
    Never,
    /// The latest stands for all before it.
    Latest,
    /// Book diffs fold by price level.
    Book,
}

impl Merging {
    /// How topics of `kind` merge; `latest_only` is what the configuration says of generic ones.
    pub(crate) fn of(kind: TopicKind, latest_only: bool) -> Self {
        match kind {
            TopicKind::Market(Kind::Trade) => Self::Never,
            TopicKind::Market(Kind::Book) => Self::Book,
            TopicKind::Market(Kind::Quote | Kind::Bar | Kind::Status) => Self::Latest,
            TopicKind::Generic if latest_only => Self::Latest,
            TopicKind::Generic => Self::Never,
        }
    }

    /// Whether such topics have a current state to begin with.
    #[must_use]
    pub fn has_snapshot(self) -> bool {
        self != Self::Never
    }
}

/// One topic, shared by every thread.
#[derive(Debug)]
pub struct Topic {
    id: TopicId,
    name: TopicName,
    kind: TopicKind,
    merging: Merging,
    epoch: u64,
    start: u64,
    interest: AtomicU64,
    dirty: AtomicU64,
    log: Mutex<Log>,
}

impl Topic {
    pub(crate) fn new(
        id: TopicId,
        name: TopicName,
        latest_only: bool,
        epoch: u64,
        head: u64,
    ) -> Self {
        let kind = name.kind();
        let merging = Merging::of(kind, latest_only);
        Self {
            id,
            name,
            kind,
            merging,
            epoch,
            start: head,
            interest: AtomicU64::new(0),
            dirty: AtomicU64::new(0),
            log: Mutex::new(Log::new(merging, head)),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> TopicId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &TopicName {
        &self.name
    }

    /// What it carries.
    #[must_use]
    pub fn kind(&self) -> TopicKind {
        self.kind
    }

    /// How its events merge.
    #[must_use]
    pub fn merging(&self) -> Merging {
        self.merging
    }

    /// Tells this numbering from any other of the same name.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number before that of its first event: 0, or where a retired topic of the same name
    /// left off.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The log, locked. Hold it for no longer than one read or copy takes.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock()
    }

    /// Which shards are to be told of an event just appended: those interested that have not been
    /// told since they last looked.
    pub(crate) fn mark_dirty(&self) -> u64 {
        let interested = self.interest.load(Ordering::SeqCst);
        // Skipping the write when all are told already keeps the line shared in bursts.
        if self.dirty.load(Ordering::SeqCst) & interested == interested {
            return 0;
        }
        interested & !self.dirty.fetch_or(interested, Ordering::SeqCst)
    }

    /// The shard is about to look: events after this tell it anew. Must come before reading.
    pub fn clear_dirty(&self, shard: ShardId) {
        self.dirty.fetch_and(!shard.bit(), Ordering::SeqCst);
    }

    /// From now on the shard is told of events. Must come before reading the head.
    pub(crate) fn add_interest(&self, shards: u64) {
        self.interest.fetch_or(shards, Ordering::SeqCst);
    }

    pub(crate) fn remove_interest(&self, shard: ShardId) {
        self.interest.fetch_and(!shard.bit(), Ordering::SeqCst);
    }

    pub(crate) fn has_interest(&self) -> bool {
        self.interest.load(Ordering::SeqCst) != 0
    }
}
