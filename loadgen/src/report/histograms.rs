//! Histograms in the formats of the HdrHistogram family: an interval log and V2 files.

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::shared::Latencies;

/// Nanoseconds in a millisecond: the log's readable column of maxima is in milliseconds.
const MAX_DIVISOR: f64 = 1e6;
/// What readers look for at the beginning of a log.
const FORMAT: &str = "[Histogram log format version 1.3]";
/// The head of the columns, as other tools write it.
const COLUMNS: &str = "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\
                       \"Interval_Compressed_Histogram\"";

/// The intervals of a run, each already in its final, compressed form.
#[derive(Debug, Clone, Default)]
pub struct IntervalLog {
    lines: Vec<u8>,
}

impl IntervalLog {
    /// Adds what `latencies` holds of the interval that began `start` after the first event.
    /// Blanks and commas of the tag become dashes.
    pub fn push(&mut self, tag: &str, start: Duration, length: Duration, latencies: &Latencies) {
        let tag = name_of_file(tag);
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(&mut self.lines, &mut serializer)
            .expect("a vector takes everything")
            .write_histogram(latencies, start, length, Tag::new(&tag))
            .expect("counts of a run are far below what the format holds");
    }

    /// The whole log. `started` is what its times are counted from.
    #[must_use]
    pub fn finish(&self, started: SystemTime, about: &str) -> Vec<u8> {
        let mut log = Vec::with_capacity(self.lines.len() + 512);
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .add_comment(FORMAT)
            .add_comment(about)
            .with_start_time(started)
            .with_base_time(started)
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(&mut log, &mut serializer)
            .expect("a vector takes everything");
        log.extend_from_slice(COLUMNS.as_bytes());
        log.push(b'\n');
        // Each line was written by a writer of its own, which says the divisor again.
        for line in self.lines.split_inclusive(|byte| *byte == b'\n') {
            if !line.starts_with(b"#") {
                log.extend_from_slice(line);
            }
        }
        log
    }
}

/// A histogram in the compressed V2 format.
#[must_use]
pub fn compressed(latencies: &Latencies) -> Vec<u8> {
    let mut file = Vec::new();
    V2DeflateSerializer::new()
        .serialize(latencies, &mut file)
        .expect("counts of a run are far below what the format holds");
    file
}

/// `name` with dashes for whatever could be special in a tag or in a file's name.
#[must_use]
pub fn name_of_file(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(kept).collect()
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::shared::latencies;

    #[test]
    fn a_log_is_read_back() {
        let mut histogram = latencies();
        for value in 1..=1_000 {
            histogram.record(value * 1_000).unwrap();
        }
        let mut log = IntervalLog::default();
        let second = Duration::from_secs(1);
        log.push("all", Duration::ZERO, second, &histogram);
        log.push("never read, slow", second, second, &latencies());
        let log = log.finish(SystemTime::UNIX_EPOCH + second, "a test\nof two lines");
        let text = String::from_utf8(log.clone()).unwrap();
        assert!(text.starts_with("#[Histogram log format version 1.3]\n#a test\n#of two"));
        assert_eq!(text.matches("MaxValueDivisor").count(), 1);
        let entries: Vec<_> = IntervalLogIterator::new(&log).map(Result::unwrap).collect();
        let [LogEntry::StartTime(start), LogEntry::BaseTime(base), LogEntry::Interval(first), rest] =
            &entries[..]
        else {
            panic!("{entries:?}");
        };
        assert_eq!((*start, *base), (second, second));
        assert_eq!((&*first.tag().unwrap(), first.duration()), ("all", second));
        assert!((first.max() - 1.0).abs() < 0.01, "{}", first.max());
        let LogEntry::Interval(rest) = rest else { panic!("{rest:?}") };
        assert_eq!(&*rest.tag().unwrap(), "never-read--slow");
    }

    #[test]
    fn a_file_is_read_back() {
        let mut histogram = latencies();
        histogram.record_n(123_456, 7).unwrap();
        let file = compressed(&histogram);
        let back: Latencies = Deserializer::new().deserialize(&mut &file[..]).unwrap();
        assert_eq!(back, histogram);
    }
}
