//! A recording of our own as a source.

use std::collections::VecDeque;
use std::io::Read;

use market::{Event, Flags, Kind, Nanos};
use rustc_hash::FxHashMap;

use super::source::{Source, SourceError, Timed, flag};
use crate::recording::{Entry, Frames, Header, data};
use crate::{Channel, Update};

/// What a recorder leaves behind that was killed.
const UNFINISHED: &str = "a frame that was never finished; all before it was played";

/// Most topics of a recording.
const TOPICS_MAX: usize = 1_000_000;

/// Reads the market topics of a recording. Entries of other topics have no place in a feed; they
/// are counted in [`Source::skipped`]. A frame at the end that was never finished, as a recorder
/// leaves that was killed, is told of behind all that is whole.
#[derive(Debug)]
pub struct RecordingSource<R> {
    frames: Frames<R>,
    header: Header,
    lines: VecDeque<String>,
    line: u64,
    now: Nanos,
    channels: Vec<Channel>,
    /// By topic: its channel, and whether events are missing before its next one.
    topics: FxHashMap<Box<str>, (usize, bool)>,
    after_pause: bool,
    skipped: u64,
    ended: bool,
}

impl<R: Read> RecordingSource<R> {
    /// Reads `file`, which is still compressed.
    ///
    /// # Errors
    /// A file that is no recording.
    pub fn new(file: R) -> Result<Self, SourceError> {
        let mut frames = Frames::new(file);
        let unusable = |problem: String| SourceError::Unusable(problem);
        let first = frames.next().transpose().map_err(|error| unusable(error.to_string()))?;
        let first = first.ok_or_else(|| unusable("there is no recording in it".into()))?;
        let mut lines: VecDeque<String> = first.text.lines().map(str::to_owned).collect();
        let header = lines.pop_front().unwrap_or_default();
        let header = Header::parse(&header).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            frames,
            now: header.started,
            header,
            lines,
            line: 1,
            channels: Vec::new(),
            topics: FxHashMap::default(),
            after_pause: false,
            skipped: 0,
            ended: false,
        })
    }

    /// What the recorder had asked for.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn take(&mut self, line: &str) -> Result<Option<Timed>, String> {
        let (topic, data, ts, whole) =
            match Entry::parse(line).map_err(|error| error.to_string())? {
                Entry::Event { topic, data, ts, .. } => (topic, data, ts, false),
                // It may be much older than the recording, but it is here that it came.
                Entry::Snapshot { topic, data, .. } => (topic, data, self.now, true),
                Entry::Gap { topic, .. } => {
                    if let Some(kind) = data::kind(&topic) {
                        self.topic(&topic, kind)?.1 = true;
                    }
                    return Ok(None);
                }
                Entry::Resumed { at } => {
                    (self.now, self.after_pause) = (at, true);
                    return Ok(None);
                }
            };
        let Some(kind) = data::kind(&topic) else {
            self.skipped += 1;
            return Ok(None);
        };
        self.now = ts;
        let mut event = data::read(kind, data, ts)?;
        if let Event::Book(diff) = &mut event {
            diff.reset |= whole;
        }
        let (channel, gap) = self.topic(&topic, kind)?;
        let channel = *channel;
        if std::mem::take(gap) {
            flag(&mut event, Flags::GAP_BEFORE);
        }
        let after_pause = std::mem::take(&mut self.after_pause);
        Ok(Some(Timed { at: self.now, after_pause, update: Update { channel, event } }))
    }

    fn topic(&mut self, topic: &str, kind: Kind) -> Result<&mut (usize, bool), String> {
        if !self.topics.contains_key(topic) {
            if self.topics.len() >= TOPICS_MAX {
                return Err(format!("there are more than {TOPICS_MAX} topics"));
            }
            self.topics.insert(topic.into(), (self.channels.len(), false));
            self.channels.push(Channel::new(kind, topic));
        }
        self.topics.get_mut(topic).ok_or_else(|| "the topic is gone".into())
    }
}

impl<R: Read> Iterator for RecordingSource<R> {
    type Item = Result<Timed, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                self.line += 1;
                match self.take(&line) {
                    Ok(None) => continue,
                    Ok(Some(timed)) => return Some(Ok(timed)),
                    Err(problem) => {
                        let place = format!("line {}", self.line);
                        return Some(Err(SourceError::Record { place, problem }));
                    }
                }
            }
            if self.ended {
                return None;
            }
            match self.frames.next() {
                Some(Ok(frame)) => self.lines.extend(frame.text.lines().map(str::to_owned)),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(SourceError::Unusable(error.to_string())));
                }
                None => {
                    self.ended = true;
                    let torn = self.frames.tail().torn;
                    if torn > 0 {
                        let place = "the end".to_owned();
                        let problem = format!("the last {torn} bytes are of {UNFINISHED}");
                        return Some(Err(SourceError::Record { place, problem }));
                    }
                }
            }
        }
    }
}

impl<R: Read> Source for RecordingSource<R> {
    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Entries of topics that are none of the market kinds.
    fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ReplayFeed, ReplayOptions};
    use super::*;
    use crate::Feed as _;
    use crate::derive::DeriveOptions;
    use crate::recording::pack;

    const LINES: &str = r#"{"ts":"1000","topic":"book.x.A","seq":41,"snapshot":true,"data":{"bids":[["1.0","2"]],"asks":[],"checksum":7,"ts_recv":"900"}}
{"ts":"5000","topic":"trade.x.A","seq":8,"data":{"price":"1.10","size":"2","side":"sell","trade_id":"a","ts_event":4000,"ts_recv":"4500","venue_seq":"77","flags":["unverified","later"]}}
{"ts":"5001","topic":"chat.a","seq":1,"data":7}
{"topic":"trade.x.A","gap":{"from":9,"to":12,"reason":"slow"}}
{"ts":"5100","topic":"quote.x.A","seq":1,"data":{"bid_price":null,"bid_size":null,"ask_price":"3","ask_size":"0.5","ts_recv":"1"}}
{"ts":"5200","topic":"trade.x.A","seq":13,"data":{"price":"one"}}
{"ts":"5300","topic":"trade.x.A","seq":14,"data":{"price":"1","size":"2","side":"buy","trade_id":"b","ts_recv":"1"}}
{"resumed":"900000"}
{"ts":"990000","topic":"bar-1s.x.A","seq":1,"data":{"start":"1","open":"1","high":"1","low":"1","close":"1","volume":"1","trades":3,"ts_recv":"1"}}
{"ts":"990001","topic":"status.x","seq":1,"data":{"state":"stale","reason":"r","ts_recv":"1"}}
"#;

    fn file() -> Vec<u8> {
        let header = r#"{"tickwire":"recording","version":1,"started":"3000","topics":[">"]}"#;
        let (first, rest) = LINES.split_at(LINES.find("{\"ts\":\"5001").unwrap());
        let torn = pack(b"torn");
        let frames = [header.as_bytes(), first.as_bytes(), rest.as_bytes()].map(pack);
        [frames.concat(), torn[..9].to_vec()].concat()
    }

    #[test]
    fn every_market_kind_comes_back_with_what_must_be_known_of_it() {
        let file = file();
        let mut source = RecordingSource::new(&file[..]).unwrap();
        let found: Vec<_> = source.by_ref().collect();
        let topics: Vec<_> = source.channels().iter().map(|c| c.topic.as_str()).collect();
        assert_eq!(topics, ["book.x.A", "trade.x.A", "quote.x.A", "bar-1s.x.A", "status.x"]);
        assert_eq!((found.len(), source.skipped()), (8, 1));
        let torn = found[7].as_ref().unwrap_err().to_string();
        assert!(torn.starts_with("the end: the last 9 bytes are of a frame"), "{torn}");
        let timed = |index: usize| found[index].as_ref().unwrap();
        let Event::Book(diff) = &timed(0).update.event else { panic!("{found:?}") };
        assert!(diff.reset && timed(0).at == 3000, "{found:?}");
        let Event::Trade(trade) = &timed(1).update.event else { panic!("{found:?}") };
        assert_eq!((trade.price.to_string(), trade.side), ("1.10".into(), market::Aggressor::Sell));
        assert_eq!((trade.stamps.event, trade.stamps.received), (Some(4000), 4500));
        assert_eq!((trade.stamps.sequence, trade.stamps.flags), (Some(77), Flags::UNVERIFIED));
        assert!(found[3].as_ref().is_err_and(|error| error.to_string().starts_with("line 7: ")));
        let Event::Trade(trade) = &timed(4).update.event else { panic!("{found:?}") };
        assert!(trade.stamps.flags.has(Flags::GAP_BEFORE));
        assert!(timed(5).after_pause && !timed(6).after_pause);
    }

    #[test]
    fn as_a_feed_it_does_not_wait_for_a_recorder_that_did_not_run() {
        let file = file();
        let source = RecordingSource::new(&file[..]).unwrap();
        let speed = "1".parse().unwrap();
        let options = ReplayOptions {
            venue: "replay".into(),
            speed,
            rebase: false,
            derive: DeriveOptions::nothing(),
        };
        let mut feed = ReplayFeed::new(source, options, 10_000);
        let (mut out, mut times) = (Vec::new(), Vec::new());
        while let Some(due) = feed.next_due() {
            feed.advance(due, &mut out);
            times.push(due);
        }
        // From 3000 on, where the recording begins; the bar comes at once.
        assert_eq!(times, [10_000, 12_000, 12_100, 12_300, 12_301]);
        assert_eq!(out.len(), 9, "the recorded venue is over as well");
        assert_eq!(feed.channels()[out[1].channel].topic, "book.x.A");
    }
}
