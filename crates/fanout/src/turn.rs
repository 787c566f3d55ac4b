//! One turn's frames, each encoded once, and which run of them belongs to which subscriber.

use market::Nanos;
use rustc_hash::FxHashMap;
use topics::Form;
use wire::Codec;
use wire::message::GapReason;

use crate::hub::SlotKey;
use crate::subscriber::{NONE, Subscriber, SubscriberId};

/// The frames of one turn, back to back in one buffer.
///
/// A subscriber's own frames are a list of runs; frames that follow each other in the buffer are
/// one run and one slice of bytes, so a burst leaves in a single write.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: Vec<Frame>,
    pieces: Vec<Piece>,
    pub(crate) ready: Vec<SubscriberId>,
    pub(crate) ready_done: usize,
    /// When the events were published that those in step are given.
    pub(crate) published: Vec<Nanos>,
    /// Frames made for subscribers out of step, to be shared by all at the same position.
    pub(crate) shared: FxHashMap<SharedKey, FrameIndex>,
}

pub(crate) type FrameIndex = u32;

/// A frame that several may want: which topic, codec, first and last event, and in what form.
pub(crate) type SharedKey = (SlotKey, Codec, u64, u64, SharedForm);

/// What a shared frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SharedForm {
    /// An event, or several as one in this form.
    Events(Form),
    /// A snapshot.
    Snapshot,
}

/// One encoded frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Where it ends in the buffer; it starts where the one before it ends.
    end: usize,
    pub(crate) content: Content,
}

/// What a frame is, for the ledger and for those that did not take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// A reply, a close: to be kept until it is written.
    Control,
    /// The events `from..=seq` of a topic.
    Event { slot: SlotKey, from: u64, seq: u64 },
    /// The state after `seq`, in place of the events `from..=seq`; of none when `from > seq`.
    Snapshot { slot: SlotKey, from: u64, seq: u64 },
    /// The events `from..=seq` of a topic will never come. Not kept if it is not taken: until
    /// then what came before it may have to be said again, and more may be lost.
    Gap { slot: SlotKey, from: u64, seq: u64, reason: GapReason },
}

impl Content {
    /// The topic, and the first and last event that the frame accounts for.
    pub(crate) fn events(self) -> Option<(SlotKey, u64, u64)> {
        match self {
            Self::Control => None,
            Self::Event { slot, from, seq }
            | Self::Snapshot { slot, from, seq }
            | Self::Gap { slot, from, seq, .. } => Some((slot, from, seq)),
        }
    }
}

/// A run of frames of one subscriber, and its next run.
#[derive(Debug, Clone, Copy)]
struct Piece {
    first: FrameIndex,
    last: FrameIndex,
    next: u32,
}

/// Buffers beyond this are given back after the turn that needed them.
const KEPT_BYTES: usize = 4 << 20;

impl Turn {
    /// Appends what `write` appends as one frame.
    pub(crate) fn frame<T>(
        &mut self,
        content: Content,
        write: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> (FrameIndex, T) {
        let result = write(&mut self.bytes);
        let index = self.frames.len() as FrameIndex;
        self.frames.push(Frame { end: self.bytes.len(), content });
        (index, result)
    }

    /// Adds the frames `first..=last` to those of `subscriber`.
    pub(crate) fn give(
        &mut self,
        subscriber: &mut Subscriber,
        id: SubscriberId,
        first: FrameIndex,
        last: FrameIndex,
    ) {
        if let Some(piece) = self.pieces.get_mut(subscriber.last_piece as usize)
            && piece.last + 1 == first
        {
            piece.last = last;
            return;
        }
        let new = self.pieces.len() as u32;
        self.pieces.push(Piece { first, last, next: NONE });
        match self.pieces.get_mut(subscriber.last_piece as usize) {
            Some(piece) => piece.next = new,
            None => {
                subscriber.first_piece = new;
                self.ready.push(id);
            }
        }
        subscriber.last_piece = new;
    }

    fn start(&self, frame: FrameIndex) -> usize {
        match frame {
            0 => 0,
            later => self.frames[later as usize - 1].end,
        }
    }

    /// The length of one frame.
    pub(crate) fn length(&self, frame: FrameIndex) -> usize {
        self.frames[frame as usize].end - self.start(frame)
    }

    /// The bytes of the frames `first..=last`.
    pub(crate) fn slice(&self, first: FrameIndex, last: FrameIndex) -> &[u8] {
        &self.bytes[self.start(first)..self.frames[last as usize].end]
    }

    /// The runs that start with piece `first`, in order.
    pub(crate) fn runs(&self, first: u32) -> Runs<'_> {
        Runs { pieces: &self.pieces, next: first }
    }

    /// Forgets everything, keeping a sensible amount of room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        self.frames.clear();
        self.pieces.clear();
        self.ready.clear();
        self.ready_done = 0;
        self.published.clear();
        self.shared.clear();
    }
}

/// Iterates over the runs of one subscriber.
pub(crate) struct Runs<'a> {
    pieces: &'a [Piece],
    next: u32,
}

impl Iterator for Runs<'_> {
    type Item = (FrameIndex, FrameIndex);

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.pieces.get(self.next as usize)?;
        self.next = piece.next;
        Some((piece.first, piece.last))
    }
}
