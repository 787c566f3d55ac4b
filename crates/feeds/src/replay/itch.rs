//! A file of ITCH, messages or captured packets, as a source.

use std::collections::VecDeque;
use std::io::BufRead;

use market::{Event, Nanos};

use super::source::{Channels, Source, SourceError, Timed, stamps_of};
use crate::adapter::{Action, Adapter as _, Output};
use crate::venue::itch::{DateSource, Itch, ItchOptions, Pcap, Recording};
use crate::{Channel, Update};

/// Reads such a file. What the adapter reports stands between the events as an error that is not
/// the end.
#[derive(Debug)]
pub struct ItchSource<R> {
    file: R,
    recording: Recording,
    found: Found,
    ended: bool,
}

/// What came of the file so far.
#[derive(Debug, Default)]
struct Found {
    /// Bytes read.
    bytes: u64,
    now: Nanos,
    ready: VecDeque<Result<Timed, SourceError>>,
    channels: Channels,
}

impl<R: BufRead> ItchSource<R> {
    /// Reads `file`, which is no longer compressed, with an adapter of `options`.
    ///
    /// # Errors
    /// A file that cannot be read; one of messages alone where `options` have no date, for then
    /// nobody knows when anything happened.
    pub fn new(mut file: R, options: ItchOptions) -> Result<Self, SourceError> {
        let begin = file.fill_buf()?;
        let capture = begin.first_chunk::<4>().is_some_and(|magic| Pcap::begins(*magic));
        if !capture && !matches!(options.date, DateSource::Given(_)) {
            let problem = "these are messages without the time of a capture: which day they are \
                           of must be told";
            return Err(SourceError::Unusable(problem.into()));
        }
        let recording = Recording::new(options);
        Ok(Self { file, recording, found: Found::default(), ended: false })
    }

    /// Reads the next bytes; false at the end.
    fn read_on(&mut self) -> Result<bool, SourceError> {
        let found = &mut self.found;
        let chunk = self.file.fill_buf()?;
        let length = chunk.len();
        if length == 0 {
            self.recording.finish(|itch, out| found.take(itch, out));
            return Ok(false);
        }
        found.bytes += length as u64;
        let pushed = self.recording.push(chunk, |itch, out| found.take(itch, out));
        self.file.consume(length);
        let unusable = |problem| format!("before byte {}: {problem}", found.bytes);
        pushed.map_err(|error| SourceError::Unusable(unusable(error)))?;
        Ok(true)
    }
}

impl Found {
    fn take(&mut self, itch: &Itch, out: &mut Output) {
        for action in out.actions.drain(..) {
            if let Action::Report(problem) = action {
                let place = format!("before byte {}", self.bytes);
                self.ready.push_back(Err(SourceError::Record { place, problem }));
            }
        }
        for Update { channel, mut event } in out.updates.drain(..) {
            let channel = self.channels.number(&itch.desk().channels()[channel]);
            self.arrive(&mut event);
            let update = Update { channel, event };
            self.ready.push_back(Ok(Timed { at: self.now, after_pause: false, update }));
        }
    }

    /// Where nobody kept when a message came, it came when it was sent.
    fn arrive(&mut self, event: &mut Event) {
        let stamps = stamps_of(event);
        if stamps.received == 0 {
            stamps.received = stamps.event.unwrap_or(self.now);
        }
        self.now = self.now.max(stamps.received);
    }
}

impl<R: BufRead> Iterator for ItchSource<R> {
    type Item = Result<Timed, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.found.ready.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.read_on() {
                Ok(more) => self.ended = !more,
                Err(error) => {
                    self.ended = true;
                    // What had come of the same bytes goes before it.
                    self.found.ready.push_back(Err(error));
                }
            }
        }
    }
}

impl<R: BufRead> Source for ItchSource<R> {
    fn channels(&self) -> &[Channel] {
        self.found.channels.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::DeskOptions;
    use crate::venue::itch::tests::{self, add, directory, system};
    use crate::venue::itch::{Framing, TradeDate};

    /// The day's first message, a stock, an order for it, and the beginning of another message.
    fn file() -> Vec<u8> {
        let day = [system(b'O'), directory(1, "A"), add(1, "A", 1, b'B', 1, 1)];
        [tests::file(&day), b"\x00\x0cS".to_vec()].concat()
    }

    fn source(file: &[u8], date: DateSource) -> Result<ItchSource<&[u8]>, SourceError> {
        let desk = DeskOptions { venue: "x".into(), open: true, ..DeskOptions::default() };
        ItchSource::new(file, ItchOptions { date, ..ItchOptions::new(Framing::BinaryFile, desk) })
    }

    #[test]
    fn messages_happen_on_the_day_that_is_given_and_a_cut_is_told() {
        let file = file();
        let error = source(&file, DateSource::Unknown).unwrap_err();
        assert!(error.to_string().contains("which day"), "{error}");
        let date: TradeDate = "2023-08-22".parse().unwrap();
        let mut source = source(&file, DateSource::Given(date)).unwrap();
        let found: Vec<_> = source.by_ref().collect();
        assert_eq!(source.channels()[0].topic, "status.x");
        let is_book = |timed: &&Timed| matches!(timed.update.event, Event::Book(_));
        let mut order = found.iter().flatten().rfind(is_book).unwrap().clone();
        let stamps = *stamps_of(&mut order.update.event);
        assert_eq!(stamps.event, Some(stamps.received));
        assert!(order.at == stamps.received && order.at >= date.midnight(), "{found:?}");
        let told = found.iter().any(|event| event.as_ref().is_err_and(|error| !error.is_final()));
        assert!(told, "the rest of a message: {found:?}");
    }

    #[test]
    fn another_kind_of_capture_is_no_capture() {
        let file = [0x0a, 0x0d, 0x0d, 0x0a].repeat(8);
        let mut source = source(&file, DateSource::Unknown).unwrap();
        let error = source.find_map(Result::err).unwrap();
        assert!(error.is_final() && error.to_string().starts_with("before byte 32: "), "{error}");
    }
}
