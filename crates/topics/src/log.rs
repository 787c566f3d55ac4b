//! One topic's log: its numbering, its bounded history, its current state, and the frames made
//! of them.

use std::collections::VecDeque;

use market::{Book, BookDiff, Event, Flags, Nanos, merge_diffs};
use wire::message::{self, EventHead, SnapshotHead};
use wire::{Code, Codec, Payload, Rejection};

use crate::topic::{Merging, Topic};

/// How much one topic may remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Events of a topic whose every event counts.
    pub events: usize,
    /// Events of a topic that may be merged.
    pub merging_events: usize,
    /// Bytes of one topic's history, encoded frames included.
    pub bytes: usize,
    /// Age of the oldest event.
    pub age: Nanos,
    /// Levels on one side of a book.
    pub book_levels: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            events: 8_192,
            merging_events: 1_024,
            bytes: 4 << 20,
            age: 600_000_000_000,
            book_levels: 100_000,
        }
    }
}

/// How many of the newest events keep their encoded frames. Older ones are encoded again when a
/// resume wants them, which is rare.
const FRAMES_KEPT: usize = 256;

/// The numbered events of one topic. `seq` counts from 1; 0 means none yet.
#[derive(Debug)]
pub struct Log {
    merging: Merging,
    head: u64,
    bytes: usize,
    /// The newest event, in place: with many topics the way to a ring elsewhere in memory costs
    /// as much as all the rest of a publish.
    latest: Option<Entry>,
    /// Those before it, oldest first. Empty when there is no latest.
    older: VecDeque<Entry>,
    /// The whole book, of a topic that carries one and has had an event.
    book: Option<Box<Book>>,
    retired: bool,
}

#[derive(Debug)]
struct Entry {
    published: Nanos,
    payload: Payload,
    frames: [Option<Box<[u8]>>; Codec::ALL.len()],
}

impl Entry {
    fn weight(&self) -> usize {
        let frames: usize = self.frames.iter().flatten().map(|frame| frame.len()).sum();
        size_of::<Self>() + payload_heap(&self.payload) + frames
    }
}

fn payload_heap(payload: &Payload) -> usize {
    match payload {
        Payload::Json(text) => text.as_str().len(),
        Payload::Book(diff, _) | Payload::Market(Event::Book(diff)) => {
            (diff.bids.len() + diff.asks.len()) * size_of::<market::Level>()
        }
        Payload::Market(Event::Trade(trade)) => trade.trade_id.heap_bytes(),
        Payload::Market(Event::Status(status)) => status.reason.len(),
        Payload::Market(Event::Quote(_) | Event::Bar(_)) => 0,
    }
}

impl Log {
    /// An empty log whose next event is number `head + 1`.
    pub(crate) fn new(merging: Merging, head: u64) -> Self {
        let older = VecDeque::new();
        Self { merging, head, bytes: 0, latest: None, older, book: None, retired: false }
    }

    /// Number of the latest event, 0 when there is none yet.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Number of the oldest event still held; `head + 1` when none is.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.head + 1 - self.len() as u64
    }

    /// Bytes held, frames included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Events held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.older.len() + usize::from(self.latest.is_some())
    }

    /// True when no event is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.latest.is_none()
    }

    /// When the latest event held was published.
    #[must_use]
    pub fn latest_published(&self) -> Option<Nanos> {
        self.latest.as_ref().map(|entry| entry.published)
    }

    /// True when the topic is out of the registry: nothing is ever added again.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired
    }

    pub(crate) fn retire(&mut self) {
        self.retired = true;
    }

    /// Numbers an event and adds it; books are applied first, and refused as a whole if wrong.
    /// `unread` says whether a shard is still to read an earlier one.
    pub(crate) fn append(
        &mut self,
        payload: Payload,
        now: Nanos,
        unread: bool,
        limits: &HistoryLimits,
    ) -> Result<u64, Rejection> {
        let payload = match payload {
            Payload::Market(Event::Book(mut diff)) => {
                let book = self.book.get_or_insert_default();
                book.apply(&mut diff, limits.book_levels)
                    .map_err(|error| Rejection::new(Code::BadData, error))?;
                let checksum = book.checksum();
                Payload::Book(diff, checksum)
            }
            other => other,
        };
        let entry = Entry { published: now, payload, frames: [None, None] };
        self.head += 1;
        if self.merging == Merging::Latest && !unread {
            // The new event stands for all before it.
            self.older.clear();
            self.bytes = entry.weight();
            self.latest = Some(entry);
            return Ok(self.head);
        }
        self.bytes += entry.weight();
        if let Some(before) = self.latest.replace(entry) {
            self.older.push_back(before);
        }
        if let Some(cooled) = self.older.len().checked_sub(FRAMES_KEPT) {
            let entry = &mut self.older[cooled];
            self.bytes -= entry.frames.iter().flatten().map(|frame| frame.len()).sum::<usize>();
            entry.frames = [None, None];
        }
        self.trim(now, limits);
        Ok(self.head)
    }

    /// Forgets what the limits no longer allow. The newest event goes by age alone: whoever is in
    /// step must be able to read it. Where it is the state, it stays.
    pub(crate) fn trim(&mut self, now: Nanos, limits: &HistoryLimits) {
        let count = match self.merging {
            Merging::Never => limits.events.max(1),
            Merging::Latest | Merging::Book => limits.merging_events.max(1),
        };
        let kept = self.kept();
        while self.len() > kept {
            let crowded = self.len() > 1 && (self.len() > count || self.bytes > limits.bytes);
            let aged = |oldest: &Entry| oldest.published.saturating_add(limits.age) < now;
            if !crowded && !self.held().next().is_some_and(aged) {
                break;
            }
            self.forget_oldest();
        }
    }

    /// Gives back the room of a ring that holds nothing: a quiet topic should not keep that of
    /// its busiest minute.
    pub(crate) fn shrink(&mut self) {
        if self.older.is_empty() {
            self.older.shrink_to_fit();
        }
    }

    /// How many of the newest events are never forgotten.
    fn kept(&self) -> usize {
        usize::from(self.merging.has_snapshot())
    }

    /// Forgets the oldest events up to the one before `published`, for the bound over all topics.
    pub(crate) fn forget_before(&mut self, published: Nanos) {
        let kept = self.kept();
        while self.len() > kept
            && self.held().next().is_some_and(|oldest| oldest.published < published)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(entry) = self.older.pop_front().or_else(|| self.latest.take()) {
            self.bytes -= entry.weight();
        }
    }

    /// All events held, oldest first.
    fn held(&self) -> impl DoubleEndedIterator<Item = &Entry> + Clone {
        self.older.iter().chain(&self.latest)
    }

    /// When each event that may be forgotten was published and how much it weighs, oldest first.
    pub(crate) fn weights(&self) -> impl Iterator<Item = (Nanos, usize)> {
        let forgettable = self.len().saturating_sub(self.kept());
        self.held().take(forgettable).map(|entry| (entry.published, entry.weight()))
    }

    /// Where event `seq` stands among those held.
    fn index(&self, seq: u64) -> usize {
        assert!(self.oldest() <= seq && seq <= self.head, "event {seq} is not held");
        (seq - self.oldest()) as usize
    }

    fn entry(&self, seq: u64) -> &Entry {
        let index = self.index(seq);
        self.older.get(index).or(self.latest.as_ref()).expect("what is not older is the latest")
    }

    /// When event `seq` was published.
    ///
    /// # Panics
    /// When the event is not held.
    #[must_use]
    pub fn published(&self, seq: u64) -> Nanos {
        self.entry(seq).published
    }

    /// Appends the frame of event `seq` to `buffer`. Recent events are encoded once for each codec
    /// and then copied.
    ///
    /// # Panics
    /// When the event is not held.
    pub fn append_event(&mut self, topic: &Topic, seq: u64, codec: Codec, buffer: &mut Vec<u8>) {
        let index = self.index(seq);
        // The only reader of an event that the next one replaces has it now.
        let read_once = self.merging == Merging::Latest && topic.serves_one_shard();
        let recent = self.len() - index <= FRAMES_KEPT && !read_once;
        let entry = match self.older.get_mut(index) {
            Some(older) => older,
            None => self.latest.as_mut().expect("what is not older is the latest"),
        };
        if let Some(frame) = &entry.frames[codec.index()] {
            buffer.extend_from_slice(frame);
            return;
        }
        let start = buffer.len();
        let head =
            EventHead { topic: topic.name().as_str(), seq, from: seq, published: entry.published };
        message::append_event(codec, buffer, head, &entry.payload);
        if recent {
            let frame: Box<[u8]> = buffer[start..].into();
            self.bytes += frame.len();
            entry.frames[codec.index()] = Some(frame);
        }
    }

    /// Appends one frame that stands for the events `from..=head`, or a snapshot where that is
    /// shorter or the only way; says which.
    ///
    /// # Panics
    /// When the topic's events may not be merged, or `from` lies after the head.
    pub fn append_merged(
        &mut self,
        topic: &Topic,
        from: u64,
        codec: Codec,
        form: Form,
        buffer: &mut Vec<u8>,
    ) -> Merged {
        assert!(self.merging.has_snapshot(), "the events of {} may not be merged", topic.name());
        assert!(from <= self.head, "there is nothing after event {}", self.head);
        if from == self.head {
            self.append_event(topic, from, codec, buffer);
            return Merged::Event;
        }
        let Some(latest) = &self.latest else { return Merged::Unreachable };
        let head = EventHead {
            topic: topic.name().as_str(),
            seq: self.head,
            from,
            published: latest.published,
        };
        if self.merging == Merging::Latest {
            message::append_event(codec, buffer, head, &latest.payload);
            return Merged::Event;
        }
        if from < self.oldest() {
            return Merged::Unreachable;
        }
        let older = self.older.range(self.index(from)..);
        let diffs = older.chain(&self.latest).filter_map(|entry| match &entry.payload {
            Payload::Book(diff, _) => Some(diff),
            _ => None,
        });
        let checksum = match &latest.payload {
            Payload::Book(_, checksum) => *checksum,
            _ => 0,
        };
        match merge_diffs(diffs) {
            Some(merged) if form == Form::Event || !self.snapshot_is_shorter(&merged) => {
                message::append_event(codec, buffer, head, &Payload::Book(merged, checksum));
                Merged::Event
            }
            merged => {
                if merged.is_some_and(|merged| merged.stamps.flags.has(Flags::GAP_BEFORE)) {
                    message::append_upstream_gap(codec, buffer, topic.name().as_str(), from);
                }
                self.append_snapshot(topic, codec, buffer);
                Merged::Snapshot
            }
        }
    }

    fn snapshot_is_shorter(&self, merged: &BookDiff) -> bool {
        let levels = self.book.as_ref().map_or(0, |book| book.len());
        merged.reset || levels < merged.bids.len() + merged.asks.len()
    }

    /// Appends the current state; false when the topic has none (no event yet, or none kept).
    pub fn append_snapshot(&self, topic: &Topic, codec: Codec, buffer: &mut Vec<u8>) -> bool {
        let Some(latest) = &self.latest else { return false };
        let head = SnapshotHead {
            topic: topic.name().as_str(),
            epoch: topic.epoch(),
            seq: self.head,
            published: latest.published,
        };
        match (&self.book, &latest.payload) {
            _ if self.merging == Merging::Never => return false,
            (Some(book), Payload::Book(diff, _)) => {
                message::append_book_snapshot(codec, buffer, head, book, diff.stamps);
            }
            (_, payload) => message::append_snapshot(codec, buffer, head, payload),
        }
        true
    }
}

/// In what form a run of events may be given as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As one event.
    Event,
    /// As one event or as a snapshot, whichever is shorter.
    Shortest,
}

/// How [`Log::append_merged`] bridged a run of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// With one event that stands for all.
    Event,
    /// With a snapshot, which is shorter.
    Snapshot,
    /// Not at all: the history begins later. Nothing was appended.
    Unreachable,
}
