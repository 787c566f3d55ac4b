//! A simulated exchange: many symbols, each acting on its own, in one sequence of updates.
//!
//! - `options`: what can be asked for, and its bounds.
//! - `listing`: the symbols, their prices and units.
//! - `chance`: the random source, integers only.
//! - `activity`: when a symbol acts; bursts.
//! - `fair`: the price process the order flow follows.
//! - `ladder`: one side of a book; `flow`: what traders do to both sides.
//! - `instrument`: one symbol, its actions told as market events.

mod activity;
mod chance;
mod fair;
mod flow;
mod instrument;
mod ladder;
mod listing;
mod options;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use market::{BookSide, Event, Kind, Level, Nanos, Stamps, Status, VenueState};

use self::instrument::{BAR_INTERVAL, Instrument};
pub use self::options::{SimError, SimOptions};
use crate::{Channel, Feed, Update};

/// How far behind `now` the exchange may be and still play everything it missed.
const CATCH_UP_MAX: Nanos = 1_000_000_000;
/// The channel of the venue's status; those of the symbols follow.
const STATUS: usize = 0;

/// Where the exchange is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening(Nanos),
    Open,
    Stopped,
}

/// A simulated exchange.
///
/// The first [`Feed::advance`] at or after the start opens it: status `up`, then for each symbol
/// its whole book (a diff with `reset`) and its quote. From then on each symbol acts at random
/// instants, about ten times as often during short bursts; an action gives, in this order and
/// with one time stamp, its trades if there are any, one diff of all levels it changed, and a
/// quote if the best prices or their sizes changed. On every full second come the 1 s bars of
/// the symbols that traded in it.
///
/// **Determinism.** The same options and start give the same sequence of updates, however the
/// calls of `advance` are spaced, as long as none comes more than one second after the instant
/// [`Feed::next_due`] gave. Only `stamps.received` differs: it is the `now` of the call.
/// `stamps.event` is the simulated instant, and never goes back.
///
/// **After a pause.** A call that comes later than that does not play what was missed: the
/// exchange stood still meanwhile, and goes on as of one second before `now`. Nothing is left
/// out of the sequence, it only happens later, so books and trade ids stay right without a new
/// opening. One call thus adds about one second of updates at most (and at the first call the
/// opening).
#[derive(Debug)]
pub struct SimExchange {
    venue: String,
    channels: Vec<Channel>,
    instruments: Vec<Instrument>,
    // The next action of each instrument; at the same instant the lower index comes first.
    agenda: BinaryHeap<Reverse<(Nanos, usize)>>,
    // Bars of all symbols end together: when those do that hold a trade.
    bars_due: Option<Nanos>,
    phase: Phase,
    // The last instant played.
    clock: Nanos,
}

impl SimExchange {
    /// An exchange that opens at `start`, in nanoseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// The first of the `options` that is out of bounds.
    pub fn new(options: SimOptions, start: Nanos) -> Result<Self, SimError> {
        options.validate()?;
        let mut channels = vec![Channel::new(Kind::Status, format!("status.{}", options.venue))];
        let mut instruments = Vec::with_capacity(options.symbols);
        let mut agenda = BinaryHeap::with_capacity(options.symbols);
        for index in 0..options.symbols {
            let mut instrument = Instrument::new(&options, index, channels.len(), start);
            channels.extend(instrument.channels(&options.venue));
            agenda.push(Reverse((instrument.first_due(start), index)));
            instruments.push(instrument);
        }
        Ok(Self {
            venue: options.venue,
            channels,
            instruments,
            agenda,
            bars_due: None,
            phase: Phase::Opening(start),
            clock: start,
        })
    }

    /// The name of the venue.
    #[must_use]
    pub fn venue(&self) -> &str {
        &self.venue
    }

    /// The names of all symbols, such as `BTC-USD`, in the order of their channels.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = &str> {
        self.instruments.iter().map(Instrument::name)
    }

    /// One side of the book of `symbol` as the exchange itself holds it after the last
    /// [`Feed::advance`], best level first; `None` when there is no such symbol. What a follower
    /// of the diffs holds must equal it.
    #[must_use]
    pub fn book_levels(&self, symbol: &str, side: BookSide) -> Option<Vec<Level>> {
        let instrument = self.instruments.iter().find(|held| held.name() == symbol)?;
        Some(instrument.levels(side))
    }

    /// Lets the exchange have stood still for what lies too far back to be played.
    fn skip_pause(&mut self, now: Nanos) {
        let next = match self.phase {
            Phase::Opening(start) => Some(start),
            Phase::Open => self.agenda.peek().map(|Reverse((due, _))| *due),
            Phase::Stopped => None,
        };
        let behind = next.map_or(0, |next| now.saturating_sub(next));
        let Some(delay) = behind.checked_sub(CATCH_UP_MAX).filter(|delay| *delay > 0) else {
            return;
        };
        if let Phase::Opening(start) = &mut self.phase {
            *start = start.saturating_add(delay);
        }
        let planned = std::mem::take(&mut self.agenda).into_iter();
        self.agenda = planned
            .map(|Reverse((due, index))| Reverse((due.saturating_add(delay), index)))
            .collect();
    }

    /// Plays what is due at `due`, all of one kind.
    fn play(&mut self, due: Nanos, now: Nanos, out: &mut Vec<Update>) {
        self.clock = due;
        let stamps = Stamps { event: Some(due), received: now, ..Stamps::default() };
        if let Phase::Opening(_) = self.phase {
            self.phase = Phase::Open;
            out.push(status(VenueState::Up, "simulated exchange open", stamps));
            for instrument in &mut self.instruments {
                instrument.open(stamps, out);
            }
        } else if self.bars_due == Some(due) {
            // Before any action of the same instant: its trades belong to the next bar.
            self.bars_due = None;
            for instrument in &mut self.instruments {
                instrument.finish_bar(due, now, out);
            }
        } else if let Some(mut next) = self.agenda.peek_mut() {
            let Reverse((_, index)) = *next;
            let (following, traded) = self.instruments[index].act(due, stamps, out);
            *next = Reverse((following, index));
            if traded && self.bars_due.is_none() {
                self.bars_due = Some((due - due % BAR_INTERVAL).saturating_add(BAR_INTERVAL));
            }
        }
    }
}

impl Feed for SimExchange {
    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn advance(&mut self, now: Nanos, out: &mut Vec<Update>) {
        self.skip_pause(now);
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.play(due, now, out);
        }
    }

    fn next_due(&self) -> Option<Nanos> {
        let due = match self.phase {
            Phase::Opening(start) => Some(start),
            Phase::Open => {
                let action = self.agenda.peek().map(|Reverse((due, _))| *due);
                self.bars_due.into_iter().chain(action).min()
            }
            Phase::Stopped => None,
        };
        // Sums saturate at the end of time, which never comes.
        due.filter(|due| *due < Nanos::MAX)
    }

    fn stop(&mut self, now: Nanos, reason: &str, out: &mut Vec<Update>) {
        if self.phase == Phase::Stopped {
            return;
        }
        self.phase = Phase::Stopped;
        let event = now.max(self.clock);
        let stamps = Stamps { event: Some(event), received: event, ..Stamps::default() };
        out.push(status(VenueState::Down, reason, stamps));
    }
}

fn status(state: VenueState, reason: &str, stamps: Stamps) -> Update {
    Update {
        channel: STATUS,
        event: Event::Status(Status { state, reason: reason.into(), stamps }),
    }
}
