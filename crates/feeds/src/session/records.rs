//! Sessions of any length: read line by line, and brought into order within a bounded window.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io::{self, BufRead, Read as _};

use market::Nanos;

use super::Record;

/// Longest line, in bytes; snapshots of 5 MB are real.
const LINE_BYTES_MAX: usize = 64 << 20;

/// What a record costs besides its texts, in bytes.
const RECORD_BYTES: usize = 160;

/// Why a session cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The file itself.
    #[error("after line {after}: {error}")]
    Io {
        /// The last line that could be read.
        after: u64,
        /// What happened.
        error: io::Error,
    },
    /// The file ends within something: a line, or a frame of a compressed file.
    #[error("after line {after}: the file is torn, and ends within {within}")]
    Torn {
        /// The last whole line.
        after: u64,
        /// Within what.
        within: &'static str,
    },
    /// A line that is no record.
    #[error("line {line}: {problem}")]
    Line {
        /// Which, from 1 on.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Lines are further out of order than the window reaches.
    #[error(
        "line {line} is older than what was played before it, by {late} ns, and the window for \
         lines out of order holds {window} bytes; give it a larger one"
    )]
    Disorder {
        /// Which, from 1 on.
        line: u64,
        /// By how many nanoseconds it is too old.
        late: Nanos,
        /// Bytes that the window may hold.
        window: usize,
    },
}

/// Reads a session in the order in which it happened, as [`Record::parse_all`] gives it, without
/// holding more than `window` bytes of it and one line.
///
/// Recorders write one connection after the other, or several at once with clocks that differ a
/// little. So the lines of a window are held back, and the oldest goes out first. A session that
/// fits into the window is in perfect order. In a longer one a line that should have come before
/// the window began is an error: what would be played from there on did not happen so. A line that
/// is no record is told of behind all before it, and is the end.
#[derive(Debug)]
pub struct Records<R> {
    input: R,
    window: usize,
    held: BinaryHeap<Reverse<Held>>,
    held_bytes: usize,
    buffer: Vec<u8>,
    /// Lines read.
    lines: u64,
    /// The time of the last line that had one.
    read: Nanos,
    /// The time of the last record given out.
    played: Nanos,
    /// The input is at its end, or broken.
    ended: bool,
    /// What it is broken by, until all before it has been given out.
    failed: Option<RecordsError>,
}

#[derive(Debug)]
struct Held {
    time: Nanos,
    line: u64,
    record: Record,
}

impl Held {
    fn place(&self) -> (Nanos, u64) {
        (self.time, self.line)
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Held {}

impl<R: BufRead> Records<R> {
    /// Reads `input`, holding back at most `window` bytes of records to bring them into order.
    #[must_use]
    pub fn new(input: R, window: usize) -> Self {
        Self {
            input,
            window,
            held: BinaryHeap::new(),
            held_bytes: 0,
            buffer: Vec::new(),
            lines: 0,
            read: 0,
            played: 0,
            ended: false,
            failed: None,
        }
    }

    /// Reads one line into the window.
    fn hold_one(&mut self) -> Result<(), RecordsError> {
        self.buffer.clear();
        let most = LINE_BYTES_MAX as u64 + 1;
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.buffer);
        let after = self.lines;
        let read = read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => RecordsError::Torn { after, within: "a frame of zstd" },
            _ => RecordsError::Io { after, error },
        })?;
        if read == 0 {
            self.ended = true;
            return Ok(());
        }
        self.lines += 1;
        let line = self.lines;
        let bad = |problem: String| RecordsError::Line { line, problem };
        if read > LINE_BYTES_MAX {
            return Err(bad(format!("is longer than {} MiB", LINE_BYTES_MAX >> 20)));
        }
        // The last line may do without its end, if it is whole.
        let torn = !self.buffer.ends_with(b"\n") && after > 0;
        let odd = |problem: String| match torn {
            true => RecordsError::Torn { after, within: "a line" },
            false => bad(problem),
        };
        let text = std::str::from_utf8(&self.buffer).map_err(|_| odd("is not UTF-8".into()))?;
        if text.trim().is_empty() {
            return Ok(());
        }
        let record = Record::parse(text).map_err(|error| odd(error.to_string()))?;
        self.read = record.ts_ns.unwrap_or(self.read);
        self.held_bytes += weight(&record);
        self.held.push(Reverse(Held { time: self.read, line, record }));
        Ok(())
    }
}

fn weight(record: &Record) -> usize {
    RECORD_BYTES + record.raw.len() + record.url.len() + record.conn.len()
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended && self.held_bytes <= self.window {
            if let Err(error) = self.hold_one() {
                self.ended = true;
                self.failed = Some(error);
            }
        }
        let Some(Reverse(Held { time, line, record })) = self.held.pop() else {
            return self.failed.take().map(Err);
        };
        self.held_bytes -= weight(&record);
        if time < self.played {
            self.ended = true;
            self.held.clear();
            self.failed = None;
            let (late, window) = (self.played - time, self.window);
            return Some(Err(RecordsError::Disorder { line, late, window }));
        }
        self.played = time;
        Some(Ok(record))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session(times: &[Option<u64>]) -> String {
        let line = |(index, time): (usize, &Option<u64>)| {
            let time = time.map_or("null".into(), |time| time.to_string());
            format!("{{\"ts_ns\":{time},\"dir\":\"recv\",\"conn\":\"a\",\"raw\":\"{index}\"}}\n\n")
        };
        times.iter().enumerate().map(line).collect()
    }

    fn raws(text: &str, window: usize) -> Result<Vec<String>, RecordsError> {
        Records::new(text.as_bytes(), window).map(|record| Ok(record?.raw)).collect()
    }

    #[test]
    fn what_is_out_of_order_by_more_than_the_window_is_told_with_its_line() {
        let times: Vec<_> = (10..20).chain([3]).map(Some).collect();
        assert_eq!(raws(&session(&times), 1 << 20).unwrap()[0], "10");
        let error = raws(&session(&times), 4 * RECORD_BYTES).unwrap_err().to_string();
        assert!(
            error.starts_with("line 21 is older than what was played before it, by 1"),
            "{error}"
        );
    }

    #[test]
    fn bad_lines_are_told_with_their_number() {
        let good = session(&[Some(1)]);
        for (bad, words) in [
            ("{\"dir\":\"up\"}", "line 3: unknown variant"),
            ("[", "line 3: "),
            ("{\"ts_ns\":-1,\"dir\":\"recv\"}", "line 3: "),
        ] {
            let error = raws(&format!("{good}{bad}\n{good}"), 1 << 20).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
        let cut = session(&[Some(2), Some(1)]) + "{\"ts_ns\":3,";
        let mut records = Records::new(cut.as_bytes(), 1 << 20);
        let found: Vec<_> = records.by_ref().take(2).map(|record| record.unwrap().raw).collect();
        assert_eq!(found, ["1", "0"], "what came before it is whole");
        let error = records.next().unwrap().unwrap_err().to_string();
        assert_eq!(error, "after line 4: the file is torn, and ends within a line");
        assert!(records.next().is_none());
        let mut whole = Records::new(good.trim_end().as_bytes(), 1);
        assert!(whole.next().is_some_and(|record| record.is_ok()), "but for the line break");
        assert!(whole.next().is_none());
        let mut records = Records::new(&b"\xff\xfe\n"[..], 1);
        assert_eq!(records.next().unwrap().unwrap_err().to_string(), "line 1: is not UTF-8");
        assert!(records.next().is_none(), "after an error there is nothing");
    }

    proptest! {
        #[test]
        fn within_the_window_the_order_is_that_of_the_whole_file(
            times in prop::collection::vec(prop::option::of(0u64..50), 0..60),
        ) {
            let text = session(&times);
            let all: Vec<_> =
                Record::parse_all(&text).unwrap().into_iter().map(|record| record.raw).collect();
            prop_assert_eq!(raws(&text, 1 << 20).unwrap(), all.clone());
            // With a small one it is the same order, or an error.
            if let Ok(found) = raws(&text, 10 * RECORD_BYTES) {
                prop_assert_eq!(found, all);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            Records::new(&bytes[..], 100).for_each(drop);
        }
    }
}
