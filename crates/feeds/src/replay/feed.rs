//! A recording as a feed of the broker: each event when it is due, whoever listens.

use market::{Event, Flags, Kind, Nanos, Stamps, Status, VenueState};

use super::source::{Source, Timed, flag};
use super::timeline::{Speed, Timeline};
use crate::{Channel, Feed, Update};

/// Events that one [`Feed::advance`] gives at most: the driver publishes them before it comes back.
const AT_ONCE: usize = 4_096;

/// How a recording is played.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The venue's segment of the topic `status.<venue>`.
    pub venue: String,
    /// How fast.
    pub speed: Speed,
    /// Whether times of events are moved so that the first is now.
    pub rebase: bool,
}

/// Plays a [`Source`]. All its events carry [`Flags::REPLAYED`]. Records that cannot be read are
/// counted and passed over. At its end, or at an error that is the end, the venue's status says so.
#[derive(Debug)]
pub struct ReplayFeed<S> {
    source: S,
    options: ReplayOptions,
    timeline: Timeline,
    /// The status, then those of the source.
    channels: Vec<Channel>,
    /// The next event, and when it is due.
    next: Option<(Nanos, Timed)>,
    /// The last update is out.
    stopped: bool,
    begun: bool,
    unreadable: u64,
    /// The first error of a record, and the one that was the end.
    problem: Option<String>,
}

impl<S: Source> ReplayFeed<S> {
    /// Plays `source` from `start` on.
    #[must_use]
    pub fn new(source: S, options: ReplayOptions, start: Nanos) -> Self {
        let topic = format!("status.{}", options.venue);
        Self {
            source,
            timeline: Timeline::new(options.speed, start),
            options,
            channels: vec![Channel::new(Kind::Status, topic)],
            next: None,
            stopped: false,
            begun: false,
            unreadable: 0,
            problem: None,
        }
    }

    /// Records that could not be read.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The first of them, or what ended the recording early, for a person.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Reads the next event, if there is one.
    fn read(&mut self) {
        self.next = loop {
            match self.source.next() {
                Some(Ok(timed)) => {
                    if timed.after_pause {
                        self.timeline.skip_pause();
                    }
                    break Some((self.timeline.due(timed.at), timed));
                }
                Some(Err(error)) => {
                    self.unreadable += 1;
                    let last = error.is_final();
                    if last || self.problem.is_none() {
                        self.problem = Some(error.to_string());
                    }
                    if last {
                        break None;
                    }
                }
                None => break None,
            }
        };
        let known = self.channels.len() - 1;
        self.channels.extend_from_slice(self.source.channels().get(known..).unwrap_or_default());
    }

    fn status(&self, state: VenueState, reason: &str, now: Nanos) -> Update {
        let stamps = Stamps { received: now, flags: Flags::REPLAYED, ..Stamps::default() };
        Update { channel: 0, event: Event::Status(Status { state, reason: reason.into(), stamps }) }
    }
}

impl<S: Source> Feed for ReplayFeed<S> {
    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn advance(&mut self, now: Nanos, out: &mut Vec<Update>) {
        if self.stopped {
            return;
        }
        if !self.begun {
            self.begun = true;
            out.push(self.status(VenueState::Up, "a recording is played", now));
            self.read();
        }
        for _ in 0..AT_ONCE {
            let Some((_, timed)) = self.next.take_if(|(due, _)| *due <= now) else { break };
            let Timed { mut update, .. } = timed;
            update.channel += 1;
            flag(&mut update.event, Flags::REPLAYED);
            if let Some(shift) = self.timeline.shift().filter(|_| self.options.rebase) {
                shift_times(&mut update.event, shift);
            }
            out.push(update);
            self.read();
        }
        if self.next.is_none() {
            self.stopped = true;
            let reason = match &self.problem {
                Some(problem) if self.unreadable > 0 => {
                    format!("the recording is over; {} unreadable: {problem}", self.unreadable)
                }
                _ => "the recording is over".to_owned(),
            };
            out.push(self.status(VenueState::Down, cut(&reason), now));
        }
    }

    fn next_due(&self) -> Option<Nanos> {
        match (&self.next, self.begun, self.stopped) {
            (_, _, true) => None,
            (Some((due, _)), ..) => Some(*due),
            (None, ..) => Some(self.timeline.now()),
        }
    }

    fn stop(&mut self, now: Nanos, reason: &str, out: &mut Vec<Update>) {
        if !self.stopped {
            self.stopped = true;
            self.next = None;
            out.push(self.status(VenueState::Down, reason, now));
        }
    }
}

/// A reason that the protocol takes, whatever a file says.
fn cut(reason: &str) -> &str {
    const REASON_BYTES: usize = 500;
    match reason.char_indices().find(|(at, _)| *at >= REASON_BYTES) {
        Some((at, _)) => &reason[..at],
        None => reason,
    }
}

fn shift_times(event: &mut Event, by: i64) {
    let stamps = match event {
        Event::Trade(trade) => &mut trade.stamps,
        Event::Quote(quote) => &mut quote.stamps,
        Event::Book(diff) => &mut diff.stamps,
        Event::Bar(bar) => {
            bar.start = bar.start.saturating_add_signed(by);
            &mut bar.stamps
        }
        Event::Status(status) => &mut status.stamps,
    };
    stamps.received = stamps.received.saturating_add_signed(by);
    stamps.event = stamps.event.map(|time| time.saturating_add_signed(by));
}

#[cfg(test)]
mod tests {
    use super::super::{CsvSource, Mapping, Naming};
    use super::*;

    const FILE: &str = "\
symbol,timestamp,local_timestamp,id,side,price,amount
A,1000,2000,a,buy,1,1
B,1001,2003,b,buy,2,1
A,oops,2003,c,buy,2,1
A,1002,2013,d,buy,3,1
";

    fn feed(speed: &str, rebase: bool) -> ReplayFeed<CsvSource<&'static [u8]>> {
        let source =
            CsvSource::new(FILE.as_bytes(), &Mapping::tardis_trades(), Naming::plain("x")).unwrap();
        let options = ReplayOptions { venue: "x".into(), speed: speed.parse().unwrap(), rebase };
        ReplayFeed::new(source, options, 100_000)
    }

    fn shown(feed: &impl Feed, updates: &[Update]) -> Vec<String> {
        let one = |update: &Update| {
            let topic = &feed.channels()[update.channel].topic;
            match &update.event {
                Event::Trade(trade) => {
                    assert!(trade.stamps.flags.has(Flags::REPLAYED));
                    let gap = trade.stamps.flags.has(Flags::GAP_BEFORE);
                    let at = (trade.stamps.event.unwrap(), trade.stamps.received);
                    format!("{topic} {} {at:?}{}", trade.trade_id, if gap { " gap" } else { "" })
                }
                Event::Status(status) => {
                    format!("{topic} {} {}", status.state.as_str(), status.reason)
                }
                other => panic!("{other:?}"),
            }
        };
        updates.iter().map(one).collect()
    }

    #[test]
    fn events_come_when_they_are_due_and_the_end_is_told() {
        let mut feed = feed("1", false);
        let mut out = Vec::new();
        assert_eq!(feed.next_due(), Some(100_000));
        feed.advance(100_000, &mut out);
        assert_eq!(feed.next_due(), Some(103_000));
        feed.advance(102_999, &mut out);
        assert_eq!(
            shown(&feed, &out),
            ["status.x up a recording is played", "trade.x.A a (1000000, 2000000)"]
        );
        out.clear();
        feed.advance(200_000, &mut out);
        assert_eq!(
            shown(&feed, &out),
            [
                "trade.x.B b (1001000, 2003000)",
                "trade.x.A d (1002000, 2013000) gap",
                "status.x down the recording is over; 1 unreadable: line 4: \"oops\" is no time \
                 after 1970 in the form Micros",
            ]
        );
        assert_eq!((feed.next_due(), feed.unreadable()), (None, 1));
        feed.stop(300_000, "late", &mut out);
        assert_eq!(out.len(), 3, "it had ended already");
    }

    #[test]
    fn at_most_speed_all_is_due_at_once_and_times_may_be_moved() {
        let mut feed = feed("max", true);
        let mut out = Vec::new();
        feed.advance(100_000, &mut out);
        let shown = shown(&feed, &out);
        assert_eq!(shown.len(), 5);
        // The first event came at 2 ms, which is now 100 µs.
        assert_eq!(shown[1], "trade.x.A a (0, 100000)");
        assert_eq!(shown[3], "trade.x.A d (0, 113000) gap");
    }

    #[test]
    fn it_may_be_stopped_at_any_time() {
        let mut feed = feed("1", false);
        let mut out = Vec::new();
        feed.advance(100_000, &mut out);
        feed.stop(100_001, "enough", &mut out);
        assert_eq!(shown(&feed, &out).last().unwrap(), "status.x down enough");
        assert_eq!(feed.next_due(), None);
        feed.advance(900_000, &mut out);
        assert_eq!(out.len(), 3);
    }
}
