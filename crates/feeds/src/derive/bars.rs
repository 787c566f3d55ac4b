//! Bars of one symbol, all lengths at once, finished by the next trade or by time.

use market::{BarBuilder, Event, Kind, Nanos, Trade};

use super::Topics;
use crate::Update;

/// How long a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BarLength {
    /// One second.
    Second,
    /// One minute.
    Minute,
}

impl BarLength {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Second, Self::Minute];

    /// In nanoseconds.
    #[must_use]
    pub fn nanos(self) -> Nanos {
        match self {
            Self::Second => 1_000_000_000,
            Self::Minute => 60_000_000_000,
        }
    }

    /// The first segment of its topics.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Second => "bar-1s",
            Self::Minute => "bar-1m",
        }
    }
}

/// A trade further than this ahead of our clock is from no clock at all: one such would keep all
/// later ones out of their bars.
const AHEAD_MAX: Nanos = 86_400_000_000_000;

/// The bars of one symbol.
#[derive(Debug)]
pub(super) struct Bars {
    lengths: Vec<Length>,
    /// Our clock less the venue's, as the last trade showed it; its time on the way counts as a
    /// difference of clocks.
    lag: i128,
}

#[derive(Debug)]
struct Length {
    length: BarLength,
    builder: BarBuilder,
    channel: Option<usize>,
}

impl Bars {
    pub(super) fn new(lengths: &[BarLength]) -> Self {
        let new = |&length: &BarLength| Length {
            length,
            builder: BarBuilder::new(length.nanos()),
            channel: None,
        };
        Self { lengths: lengths.iter().map(new).collect(), lag: 0 }
    }

    /// Adds a trade; gives when [`Bars::tick`] is due.
    pub(super) fn add(
        &mut self,
        trade: &Trade,
        grace: Nanos,
        topics: &mut Topics<'_>,
        out: &mut Vec<Update>,
    ) -> Option<Nanos> {
        let received = trade.stamps.received;
        // A recording may have no time of its own.
        let sane = |event: &Nanos| received == 0 || *event <= received.saturating_add(AHEAD_MAX);
        let time = trade.stamps.event.filter(sane).unwrap_or(received);
        self.lag = i128::from(received) - i128::from(time);
        for Length { length, builder, channel } in &mut self.lengths {
            if let Some(bar) = builder.add_at(time, trade) {
                let channel = topics.channel(channel, Kind::Bar, length.prefix());
                out.push(Update { channel, event: Event::Bar(bar) });
            }
        }
        self.due(grace)
    }

    /// Finishes what is over at `now`; gives when it is to be called next.
    pub(super) fn tick(
        &mut self,
        now: Nanos,
        grace: Nanos,
        topics: &mut Topics<'_>,
        out: &mut Vec<Update>,
    ) -> Option<Nanos> {
        let lag = self.lag;
        self.close(|end| here(end, lag, grace) <= now, now, topics, out);
        self.due(grace)
    }

    /// Finishes those whose end `is_over`.
    pub(super) fn close(
        &mut self,
        is_over: impl Fn(Nanos) -> bool,
        now: Nanos,
        topics: &mut Topics<'_>,
        out: &mut Vec<Update>,
    ) {
        for Length { length, builder, channel } in &mut self.lengths {
            let over = builder.open_until().filter(|end| is_over(*end));
            if let Some(bar) = over.and_then(|end| builder.finish(end, now)) {
                let channel = topics.channel(channel, Kind::Bar, length.prefix());
                out.push(Update { channel, event: Event::Bar(bar) });
            }
        }
    }

    fn due(&self, grace: Nanos) -> Option<Nanos> {
        let ends = self.lengths.iter().filter_map(|length| length.builder.open_until());
        ends.min().map(|end| here(end, self.lag, grace))
    }
}

/// When, by our clock, an interval that ends at the venue's `end` is over for certain.
fn here(end: Nanos, lag: i128, grace: Nanos) -> Nanos {
    let here = i128::from(end) + lag + i128::from(grace);
    // Not after the end of time.
    Nanos::try_from(here.max(0)).unwrap_or(Nanos::MAX)
}
