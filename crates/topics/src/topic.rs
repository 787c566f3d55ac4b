//! One topic: its fixed facts, its log under a lock, and which shards want to hear of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use market::Kind;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use crate::{Log, TopicKind, TopicName};

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
    name: TopicName,
    kind: TopicKind,
    merging: Merging,
    epoch: u64,
    start: u64,
    interest: AtomicU64,
    /// Shards that were told of an event and have not read since. Changed with the log locked.
    dirty: AtomicU64,
    /// For each shard where it keeps what it knows of the topic, so that it need not look it up:
    /// with many topics each look-up is two more lines of memory that no cache holds.
    places: SmallVec<[AtomicU32; 4]>,
    native: OnceLock<Box<str>>,
    log: Mutex<Log>,
}

/// The shard keeps nothing about the topic.
const NOWHERE: u32 = u32::MAX;

impl Topic {
    pub(crate) fn new(
        name: TopicName,
        latest_only: bool,
        epoch: u64,
        head: u64,
        shards: usize,
    ) -> Self {
        let kind = name.kind();
        let merging = Merging::of(kind, latest_only);
        Self {
            name,
            kind,
            merging,
            epoch,
            start: head,
            interest: AtomicU64::new(0),
            dirty: AtomicU64::new(0),
            places: (0..shards).map(|_| AtomicU32::new(NOWHERE)).collect(),
            native: OnceLock::new(),
            log: Mutex::new(Log::new(merging, head)),
        }
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

    /// The symbol as the venue spells it, where a publisher has said so.
    #[must_use]
    pub fn native(&self) -> Option<&str> {
        self.native.get().map(|native| &**native)
    }

    /// Notes how the venue spells the topic's symbol. The first to say it is right.
    pub fn set_native(&self, native: &str) {
        self.native.get_or_init(|| native.into());
    }

    /// The log, locked. Hold it for no longer than one read or copy takes.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock()
    }

    /// The log, locked by a shard that is going to read all of it that is new to it: the next
    /// event tells the shard anew.
    pub fn log_for(&self, shard: ShardId) -> MutexGuard<'_, Log> {
        let log = self.log.lock();
        self.dirty.fetch_and(!shard.bit(), Ordering::SeqCst);
        log
    }

    /// Which shards are to be told of the event just appended: those interested that have not
    /// been told since they last read. Call it with the log locked, or a shard that reads
    /// meanwhile would seem to have read nothing, or what it has not.
    pub(crate) fn mark_dirty(&self) -> u64 {
        let interested = self.interest.load(Ordering::SeqCst);
        // Skipping the write when all are told already keeps the line shared in bursts.
        if self.dirty.load(Ordering::SeqCst) & interested == interested {
            return 0;
        }
        interested & !self.dirty.fetch_or(interested, Ordering::SeqCst)
    }

    /// Whether an event is still to be read by a shard that was told of it. Exact only with the
    /// log locked.
    pub(crate) fn has_unread(&self) -> bool {
        self.dirty.load(Ordering::SeqCst) & self.interest.load(Ordering::SeqCst) != 0
    }

    /// Whether at most one shard has subscribers.
    pub(crate) fn serves_one_shard(&self) -> bool {
        let interested = self.interest.load(Ordering::Relaxed);
        interested & interested.wrapping_sub(1) == 0
    }

    /// Where `shard` keeps what it knows of the topic, as it noted with [`Topic::set_place`].
    #[must_use]
    pub fn place(&self, shard: ShardId) -> Option<u32> {
        let place = self.places[shard.index()].load(Ordering::Relaxed);
        (place != NOWHERE).then_some(place)
    }

    /// A note of `shard` to itself; no other thread reads it.
    ///
    /// # Panics
    /// When `place` is the greatest number there is.
    pub fn set_place(&self, shard: ShardId, place: Option<u32>) {
        assert_ne!(place, Some(NOWHERE), "that number means nowhere");
        self.places[shard.index()].store(place.unwrap_or(NOWHERE), Ordering::Relaxed);
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
