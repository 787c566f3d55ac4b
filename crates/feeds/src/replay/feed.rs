//! A recording as a feed of the broker: each event when it is due, whoever listens.

use std::collections::BTreeSet;

use market::{Event, Flags, Kind, Nanos, Stamps, Status, VenueState};

use super::derived::Derived;
use super::source::{Source, Timed, flag, stamps_of};
use super::timeline::{Speed, Timeline};
use crate::derive::DeriveOptions;
use crate::{Channel, Feed, Update};

/// Events that one [`Feed::advance`] gives at most: the driver publishes them before it comes back.
const AT_ONCE: usize = 4_096;

/// Most venues of a recording of which anything is made or said.
pub(super) const VENUES_MAX: usize = 100;

/// How a recording is played.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The venue's segment of the topic `status.<venue>`.
    pub venue: String,
    /// How fast.
    pub speed: Speed,
    /// Whether times of events are moved so that the first is now.
    pub rebase: bool,
    /// What is made of its trades and books, in the recording's own time, for each venue in it;
    /// nothing of what the recording has itself.
    pub derive: DeriveOptions,
}

/// Plays a [`Source`]. All its events carry [`Flags::REPLAYED`]. Records that cannot be read are
/// counted and passed over. At its end, or at an error that is the end, bars that are still open
/// are finished, and the status of the feed and of each venue in the recording says so.
#[derive(Debug)]
pub struct ReplayFeed<S> {
    source: S,
    options: ReplayOptions,
    timeline: Timeline,
    /// The status; those of the source and what is made of them, as they were met.
    channels: Vec<Channel>,
    /// Of each channel of the source, its number here.
    own: Vec<usize>,
    derived: Derived,
    /// The recorded time of the last event.
    last: Nanos,
    /// Venues in the recording other than the feed's own.
    venues: BTreeSet<Box<str>>,
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
            derived: Derived::new(options.derive.clone()),
            options,
            channels: vec![Channel::new(Kind::Status, topic)],
            own: Vec::new(),
            last: 0,
            venues: BTreeSet::new(),
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
                    let due = match timed.at {
                        // Nobody knows when: it comes with the one before it.
                        0 => self.timeline.now(),
                        at => self.timeline.due(at),
                    };
                    break Some((due, timed));
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
        for new in self.source.channels().get(self.own.len()..).unwrap_or_default() {
            self.own.push(self.channels.len());
            self.channels.push(new.clone());
            let venue = venue_of(&new.topic).filter(|venue| *venue != self.options.venue);
            if let Some(venue) = venue.filter(|_| self.venues.len() < VENUES_MAX) {
                self.venues.insert(venue.into());
            }
        }
    }

    /// The last updates: no venue of the recording is to be taken for live any more.
    fn end(&mut self, reason: &str, now: Nanos, out: &mut Vec<Update>) {
        self.stopped = true;
        self.next = None;
        let own = self.status(VenueState::Down, reason, now);
        for venue in std::mem::take(&mut self.venues) {
            let channel = self.channels.len();
            self.channels.push(Channel::new(Kind::Status, format!("status.{venue}")));
            out.push(Update { channel, event: own.event.clone() });
        }
        out.push(own);
    }

    /// Appends an event, with what is made of it behind it.
    fn give(&mut self, timed: Timed, out: &mut Vec<Update>) {
        let Timed { at, mut update, .. } = timed;
        flag(&mut update.event, Flags::REPLAYED);
        if stamps_of(&mut update.event).received == 0 {
            flag(&mut update.event, Flags::BAD_TIMESTAMP);
        }
        let begun = out.len();
        self.derived.tick(at, &mut self.channels, out);
        let own = out.len();
        let source = self.source.channels();
        self.derived.update(source, &update, &mut self.channels, out);
        update.channel = self.own[update.channel];
        out.insert(own, update);
        self.finish_times(begun, out);
        self.last = self.last.max(at);
    }

    /// Moves the times of all from the `begun`-th on, if they are to be moved.
    fn finish_times(&self, begun: usize, out: &mut [Update]) {
        let shift = self.timeline.shift().filter(|_| self.options.rebase);
        for update in &mut out[begun..] {
            flag(&mut update.event, Flags::REPLAYED);
            if let Some(shift) = shift {
                shift_times(&mut update.event, shift);
            }
        }
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
            self.give(timed, out);
            self.read();
        }
        if self.next.is_none() {
            let begun = out.len();
            self.derived.finish(self.last, &mut self.channels, out);
            self.finish_times(begun, out);
            let reason = match &self.problem {
                Some(problem) if self.unreadable > 0 => {
                    format!("the recording is over; {} unreadable: {problem}", self.unreadable)
                }
                _ => "the recording is over".to_owned(),
            };
            self.end(cut(&reason), now, out);
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
            self.end(reason, now, out);
        }
    }
}

/// The venue that a topic is of; that of all venues is of none.
fn venue_of(topic: &str) -> Option<&str> {
    let (first, rest) = topic.split_once('.')?;
    (first != "nbbo").then(|| rest.split('.').next().unwrap_or(rest))
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
    if let Event::Bar(bar) = event {
        bar.start = bar.start.saturating_add_signed(by);
    }
    let stamps = stamps_of(event);
    stamps.received = stamps.received.saturating_add_signed(by);
    stamps.event = stamps.event.map(|time| time.saturating_add_signed(by));
}

#[cfg(test)]
mod tests {
    use super::super::{CsvSource, Mapping, Naming, SessionSource};
    use super::*;
    use crate::adapter::DeskOptions;

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
        let derive = DeriveOptions::nothing();
        ReplayFeed::new(source, options(speed, rebase, derive), 100_000)
    }

    fn options(speed: &str, rebase: bool, derive: DeriveOptions) -> ReplayOptions {
        ReplayOptions { venue: "x".into(), speed: speed.parse().unwrap(), rebase, derive }
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
    fn what_has_no_time_comes_with_the_one_before_it() {
        let session = r#"{"dir":"connect","conn":"w"}
{"dir":"recv","conn":"w","raw":"{\"channel\":\"heartbeat\"}"}
{"ts_ns":1700000000000000000,"dir":"recv","conn":"w","raw":"{\"channel\":\"heartbeat\"}"}
{"ts_ns":1700000000000000009,"dir":"recv","conn":"w","raw":"{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[{\"symbol\":\"A/B\",\"bid\":1,\"bid_qty\":2,\"ask\":3,\"ask_qty\":4}]}"}
"#;
        let desk = DeskOptions { venue: "x".into(), ..DeskOptions::default() };
        let source =
            SessionSource::new(session.as_bytes(), 1 << 20, crate::venue::Venue::Kraken, desk);
        let mut feed = ReplayFeed::new(source, options("1", false, DeriveOptions::nothing()), 500);
        let mut out = Vec::new();
        feed.advance(500, &mut out);
        let Event::Status(status) = &out[1].event else { panic!("{out:?}") };
        assert!(status.stamps.flags.has(Flags::BAD_TIMESTAMP), "{out:?}");
        // The first that has a time is due at once, however far that is from 1970.
        let quote = out.iter().find(|update| matches!(update.event, Event::Quote(_)));
        assert!(quote.is_some(), "{out:?}");
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

    #[test]
    fn bars_and_quotes_are_made_in_the_time_of_the_recording() {
        const SECOND: u64 = 1_000_000_000;
        let trade = |at: u64, price: &str| {
            let data = format!(r#"{{"price":"{price}","size":"1","side":"buy","trade_id":"t""#);
            let (event, topic) = (at * SECOND + 7, "trade.y.A");
            format!(
                r#"{{"ts":"{event}","topic":"{topic}","seq":1,"data":{data},"ts_event":"{event}","ts_recv":"{event}"}}}}"#
            )
        };
        let book = r#"{"ts":"121000000000","topic":"book.z.B","seq":1,"data":{"reset":true,"bids":[["1","2"]],"asks":[],"ts_recv":"1"}}"#;
        let lines = [trade(60, "5"), trade(60, "6"), trade(63, "7"), book.to_owned()].join("\n");
        let header = r#"{"tickwire":"recording","version":1,"started":"1","topics":["trade.>"]}"#;
        let file = [header, &lines].map(|text| crate::recording::pack(text.as_bytes())).concat();
        let source = super::super::RecordingSource::new(&file[..]).unwrap();
        let derive = DeriveOptions { quotes: true, ..DeriveOptions::default() };
        let mut feed = ReplayFeed::new(source, options("max", false, derive), 900 * SECOND);
        let mut out = Vec::new();
        feed.advance(feed.next_due().unwrap(), &mut out);
        let shown: Vec<String> = out
            .iter()
            .map(|update| {
                let topic = &feed.channels()[update.channel].topic;
                match &update.event {
                    Event::Bar(bar) => {
                        assert!(bar.stamps.flags.has(Flags::REPLAYED));
                        let start = bar.start / SECOND;
                        format!("{topic} {start} {}-{}", bar.open, bar.close)
                    }
                    Event::Quote(quote) => {
                        assert!(quote.stamps.flags.has(Flags::REPLAYED));
                        format!("{topic} {}", quote.bid.unwrap().price)
                    }
                    _ => topic.clone(),
                }
            })
            .collect();
        assert_eq!(
            shown,
            [
                "status.x",
                "trade.y.A",
                "trade.y.A",
                "bar-1s.y.A 60 5-6",
                "trade.y.A",
                "bar-1s.y.A 63 7-7",
                "bar-1m.y.A 60 5-7",
                "book.z.B",
                "quote.z.B 1",
                "status.y",
                "status.z",
                "status.x",
            ]
        );
    }

    #[test]
    fn what_is_open_at_the_end_is_finished() {
        let source =
            CsvSource::new(FILE.as_bytes(), &Mapping::tardis_trades(), Naming::plain("x")).unwrap();
        let mut feed = ReplayFeed::new(source, options("max", true, DeriveOptions::default()), 0);
        let mut out = Vec::new();
        feed.advance(0, &mut out);
        let bars: Vec<&str> = out
            .iter()
            .filter(|update| matches!(update.event, Event::Bar(_)))
            .map(|update| feed.channels()[update.channel].topic.as_str())
            .collect();
        assert_eq!(bars, ["bar-1s.x.A", "bar-1m.x.A", "bar-1s.x.B", "bar-1m.x.B"]);
    }
}
