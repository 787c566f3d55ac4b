//! What every reader of recorded data is: events with the times at which they came, on topics that
//! become known as they are met.

use std::io;

use market::{Event, Flags, Kind, Nanos, Stamps};
use rustc_hash::FxHashMap;

use crate::adapter::symbol::Spelling;
use crate::session::Player;
use crate::{Channel, Update};

/// An event of a recording, and when it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// When it reached the recorder; where nobody kept that, when it happened.
    pub at: Nanos,
    /// Nobody recorded for a while before it: that time is not to be waited for.
    pub after_pause: bool,
    /// What happened; the channel is an index into [`Source::channels`].
    pub update: Update,
}

/// A reader of recorded data: an iterator that may be asked on after an error which
/// [`SourceError::is_final`] does not call the end.
pub trait Source: Iterator<Item = Result<Timed, SourceError>> {
    /// The topics of the events so far; new ones are only ever added at the end.
    fn channels(&self) -> &[Channel];

    /// Parts of the recording that were read and have no event here, such as topics of no market
    /// kind.
    fn skipped(&self) -> u64 {
        0
    }

    /// The connections with which the next file of a recording in several may go on, once this one
    /// has ended.
    fn hand_over(&mut self) -> Option<Player> {
        None
    }

    /// This is the next file: goes on with what the one before has handed over.
    fn take_over(&mut self, _player: Player) {}
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn channels(&self) -> &[Channel] {
        (**self).channels()
    }

    fn skipped(&self) -> u64 {
        (**self).skipped()
    }

    fn hand_over(&mut self) -> Option<Player> {
        (**self).hand_over()
    }

    fn take_over(&mut self, player: Player) {
        (**self).take_over(player);
    }
}

/// What cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file itself.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is not what it should be, and nothing of it can be used.
    #[error("{0}")]
    Unusable(String),
    /// One record of it; the next may be good.
    #[error("{place}: {problem}")]
    Record {
        /// Which, such as `line 7`.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl SourceError {
    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Record { .. })
    }
}

/// How a source names its topics.
#[derive(Debug, Clone)]
pub struct Naming {
    /// The venue's segment in topics.
    pub venue: String,
    /// How the file writes symbols.
    pub spelling: Spelling,
    /// Most symbols; an event of one more is an error.
    pub symbols_max: usize,
}

impl Naming {
    /// Symbols of `venue` that are taken as they are written.
    #[must_use]
    pub fn plain(venue: &str) -> Self {
        Self { venue: venue.into(), spelling: Spelling::Plain, symbols_max: 10_000 }
    }
}

/// The topics of a source.
#[derive(Debug)]
pub(super) struct Topics {
    naming: Naming,
    channels: Vec<Channel>,
    symbols: FxHashMap<Box<str>, [Option<u32>; Kind::COUNT]>,
}

impl Topics {
    pub(super) fn new(naming: Naming) -> Self {
        Self { naming, channels: Vec::new(), symbols: FxHashMap::default() }
    }

    pub(super) fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The channel of a symbol's events of one kind, whose topics begin with `prefix`. `None` when
    /// there are too many symbols.
    pub(super) fn channel(&mut self, symbol: &str, kind: Kind, prefix: &str) -> Option<usize> {
        if !self.symbols.contains_key(symbol) {
            if self.symbols.len() >= self.naming.symbols_max {
                return None;
            }
            self.symbols.insert(symbol.into(), [None; Kind::COUNT]);
        }
        let known = &mut self.symbols.get_mut(symbol)?[kind as usize];
        let channel = match *known {
            Some(channel) => channel as usize,
            None => {
                let Naming { venue, spelling, .. } = &self.naming;
                let topic = format!("{prefix}.{venue}.{}", spelling.canonical(symbol));
                self.channels.push(Channel::new(kind, topic).of(symbol));
                let channel = self.channels.len() - 1;
                *known = Some(channel as u32);
                channel
            }
        };
        Some(channel)
    }

    pub(super) fn too_many(&self) -> String {
        format!("there are more than {} symbols", self.naming.symbols_max)
    }
}

/// Channels put together from those of several adapters or files, each of which has numbers of its
/// own: one topic has one number.
#[derive(Debug, Default)]
pub struct Channels {
    all: Vec<Channel>,
    by_topic: FxHashMap<Box<str>, usize>,
}

impl Channels {
    /// The number of `channel`, which is added if it is new.
    pub fn number(&mut self, channel: &Channel) -> usize {
        match self.by_topic.get(channel.topic.as_str()) {
            Some(&known) => known,
            None => {
                self.all.push(channel.clone());
                let new = self.all.len() - 1;
                self.by_topic.insert(channel.topic.as_str().into(), new);
                new
            }
        }
    }

    /// All of them; new ones are only ever added at the end.
    #[must_use]
    pub fn all(&self) -> &[Channel] {
        &self.all
    }
}

/// An event's times and flags.
pub(super) fn stamps_of(event: &mut Event) -> &mut Stamps {
    match event {
        Event::Trade(trade) => &mut trade.stamps,
        Event::Quote(quote) => &mut quote.stamps,
        Event::Book(diff) => &mut diff.stamps,
        Event::Bar(bar) => &mut bar.stamps,
        Event::Status(status) => &mut status.stamps,
    }
}

/// Adds a flag to an event: the one place where events of recordings are marked as such.
pub(super) fn flag(event: &mut Event, flag: Flags) {
    let stamps = stamps_of(event);
    stamps.flags = stamps.flags.with(flag);
}
