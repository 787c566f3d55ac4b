//! The rhythm of a recorded session: when its messages came, as the due times of events.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use feeds::zstandard;
use serde::{Deserialize, Deserializer, Serialize};

/// Times that a recording may have: 80 MB of them.
const TIMES_MAX: usize = 10_000_000;
/// Bytes that a line may have; some snapshots are long.
const LINE_MAX: u64 = 64 << 20;
/// Events a second that a plan may have.
const RATE_MAX: f64 = 1e6;
/// What a line should be.
const RIGHT: &str = "each line is either an object as {\"ts_ns\": 1723161253937085768, \"dir\": \
                     \"recv\", …} or a time in nanoseconds as 1723161253937085768";

/// When messages of a session came, from its first one on, round after round.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// What is reported of it.
    pub shown: RecordedShown,
    /// Nanoseconds from the first message to each.
    offsets: Box<[u64]>,
    /// Nanoseconds until it begins again; the last message is followed by a gap of mean length.
    round: u64,
}

/// What a report says of a recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedShown {
    /// The file's name, without its folder.
    pub name: String,
    /// Messages in it that came from a venue and have a time.
    pub messages: usize,
    /// Seconds from the first of them to the last, as recorded.
    pub seconds: f64,
    /// How many times as fast as recorded it is played.
    pub speed: f64,
    /// Messages a second, at this speed.
    pub rate: f64,
}

/// A line of a session, as far as it matters here.
#[derive(Deserialize)]
struct Line {
    /// Nothing where the source kept no time.
    #[serde(deserialize_with = "present")]
    ts_ns: Option<u64>,
    dir: Direction,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Recv,
    #[serde(other)]
    Other,
}

/// A value that may be null but has to be there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(deserializer)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "times within a session, positive; a nanosecond in a month does not matter"
)]
impl Recorded {
    /// Reads the session in `path`: lines of JSON of which those with `"dir": "recv"` count, or
    /// one time a line; either may be compressed with zstd. It is played so that there are `rate`
    /// messages a second on average, or as fast as it was recorded. Times of several connections
    /// may be out of order.
    ///
    /// # Errors
    /// A file that cannot be read; the line that is not understood, and what would be right; a
    /// session without two different times.
    pub fn read(path: &Path, rate: Option<f64>) -> anyhow::Result<Self> {
        let shown = path.display();
        let file = File::open(path).with_context(|| format!("--recording: cannot read {shown}"))?;
        let mut times = times(&mut zstandard::plain(BufReader::new(file)))
            .with_context(|| format!("--recording: {shown}"))?;
        times.sort_unstable();
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
            bail!(
                "--recording: {shown}: no line has a time of a received message; {RIGHT}, and some \
                 must have both \"recv\" and a time"
            );
        };
        ensure!(
            last > first,
            "--recording: {shown}: a rhythm takes at least two different times, but here all are \
             {first}"
        );
        let span = (last - first) as f64;
        let period = span * times.len() as f64 / (times.len() - 1) as f64;
        let recorded = times.len() as f64 * 1e9 / period;
        let speed = rate.map_or(1.0, |rate| rate / recorded);
        let played = recorded * speed;
        ensure!(
            played <= RATE_MAX,
            "--recording: {shown} has {played:.0} messages a second: at most {RATE_MAX}, choose a \
             lower --rate"
        );
        let scaled = |nanoseconds: f64| (nanoseconds / speed) as u64;
        let offsets = times.iter().map(|time| scaled((time - first) as f64)).collect();
        Ok(Self {
            shown: RecordedShown {
                name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                messages: times.len(),
                seconds: span / 1e9,
                speed,
                rate: played,
            },
            offsets,
            round: scaled(period).max(1),
        })
    }

    /// Nanoseconds after the start at which event `k` is due.
    #[must_use]
    pub fn due(&self, k: u64) -> u64 {
        let count = self.offsets.len() as u64;
        let place = usize::try_from(k % count).unwrap_or(0);
        (k / count).saturating_mul(self.round).saturating_add(self.offsets[place])
    }

    /// How many events are due before so many nanoseconds have passed.
    #[must_use]
    pub fn events(&self, within: u64) -> u64 {
        let rest = within % self.round;
        let of_rest = self.offsets.partition_point(|offset| *offset < rest) as u64;
        (within / self.round) * self.offsets.len() as u64 + of_rest
    }
}

/// The times in a file, in its order.
fn times(file: &mut impl BufRead) -> anyhow::Result<Vec<u64>> {
    let (mut times, mut line) = (Vec::new(), Vec::new());
    for number in 1_u64.. {
        line.clear();
        let read = file
            .take(LINE_MAX + 1)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("line {number}"))?;
        if read == 0 {
            break;
        }
        ensure!(read as u64 <= LINE_MAX, "line {number} is longer than 64 MiB; {RIGHT}");
        if let Some(time) = time(line.trim_ascii()).map_err(|why| {
            let shown: String =
                String::from_utf8_lossy(line.trim_ascii()).chars().take(60).collect();
            anyhow::anyhow!("line {number}: {why} in \"{}\"; {RIGHT}", shown.escape_default())
        })? {
            ensure!(times.len() < TIMES_MAX, "line {number}: more than {TIMES_MAX} messages");
            times.push(time);
        }
    }
    Ok(times)
}

/// The time of a received message; nothing of other lines, and of blank ones.
fn time(line: &[u8]) -> Result<Option<u64>, String> {
    if line.is_empty() {
        return Ok(None);
    }
    if line.starts_with(b"{") {
        // The place is told by the line's number.
        let words = |error: serde_json::Error| {
            let words = error.to_string();
            words.split(" at line").next().unwrap_or_default().to_owned()
        };
        let Line { ts_ns, dir } = serde_json::from_slice(line).map_err(words)?;
        return Ok(ts_ns.filter(|_| dir == Direction::Recv));
    }
    let digits = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
    digits.map(Some).ok_or_else(|| "neither JSON nor a whole number of nanoseconds".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(text: &str) -> anyhow::Result<Vec<u64>> {
        times(&mut Cursor::new(text))
    }

    fn said(text: &str) -> String {
        format!("{:#}", read(text).unwrap_err())
    }

    #[test]
    fn received_messages_count_and_nothing_else() {
        let session = concat!(
            "{\"ts_ns\":null,\"dir\":\"connect\",\"conn\":\"a\",\"url\":\"wss://x\"}\n",
            "{\"ts_ns\":10,\"dir\":\"send\",\"raw\":\"{}\"}\r\n\n",
            "{\"ts_ns\":30,\"dir\":\"recv\",\"raw\":\"{\\\"ts_ns\\\":1}\"}\n",
            "{\"dir\":\"http\",\"ts_ns\":31}\n",
            "{\"ts_ns\":null,\"dir\":\"recv\"}\n",
            "  {\"dir\":\"recv\",\"ts_ns\":20}",
        );
        assert_eq!(read(session).unwrap(), [30, 20]);
        assert_eq!(read("7\n 8 \n\n12").unwrap(), [7, 8, 12]);
        assert_eq!(read("").unwrap(), [] as [u64; 0]);
    }

    #[test]
    fn a_bad_line_is_named_with_what_would_be_right() {
        for (text, words) in [
            ("1\n2\nx3\n", ["line 3", "neither JSON nor a whole number"]),
            ("1\n1.5\n", ["line 2", "\"1.5\""]),
            ("-4\n", ["line 1", "neither JSON"]),
            ("{\"ts_ns\":1}\n", ["line 1", "missing field `dir`"]),
            ("{\"dir\":\"recv\"}\n", ["line 1", "missing field `ts_ns`"]),
            ("\n{\"ts_ns\":\"1\",\"dir\":\"recv\"}\n", ["line 2", "invalid type: string"]),
            ("{\"ts_ns\":-1,\"dir\":\"recv\"}\n", ["line 1", "invalid value"]),
            ("{\"ts_ns\":1,\"dir\":\"re", ["line 1", "EOF while parsing"]),
            ("[1]\n", ["line 1", "neither JSON"]),
            ("99999999999999999999999\n", ["line 1", "nanoseconds"]),
        ] {
            let said = said(text);
            assert!(words.iter().all(|word| said.contains(word)), "{text}: {said}");
            assert!(said.contains("{\"ts_ns\": 1723161253937085768") && !said.contains("column"));
        }
        // Whatever a line holds, a terminal can show it.
        assert!(said("\u{1b}[31m\n").contains("\\u{1b}"), "{}", said("\u{1b}[31m\n"));
    }
}
