//! When a recorded event is due again.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use market::Nanos;

/// How fast recorded time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// So many thousandths of a second of the recording in a millisecond: 1000 is as it was.
    Thousandths(NonZeroU64),
    /// Everything is due at once.
    Max,
}

impl Speed {
    /// As it was.
    pub const NORMAL: Self = Self::Thousandths(NonZeroU64::new(1_000).unwrap());
}

/// A text that is no speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no speed; write max, or a number of times from 0.001 to 1000000 such as 1, 0.5 or 10"
)]
pub struct BadSpeed(String);

impl FromStr for Speed {
    type Err = BadSpeed;

    fn from_str(text: &str) -> Result<Self, BadSpeed> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let bad = || BadSpeed(text.chars().take(40).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 7 || fraction.len() > 3 {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let fraction: u64 = format!("{fraction:0<3}").parse().map_err(|_| bad())?;
        let thousandths = whole * 1_000 + fraction;
        if thousandths > 1_000_000_000 {
            return Err(bad());
        }
        NonZeroU64::new(thousandths).map(Self::Thousandths).ok_or_else(bad)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Thousandths(times) => {
                let (whole, rest) = (times.get() / 1_000, times.get() % 1_000);
                let text = format!("{whole}.{rest:03}");
                f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

/// Maps recorded times to ours. Each event is due a fixed time after the first, whatever happened
/// to those before it: a player that was late catches up.
#[derive(Debug, Clone)]
pub struct Timeline {
    speed: Speed,
    /// A time of the recording, and the one of ours that it stands for.
    anchor: Option<(Nanos, Nanos)>,
    /// When the last event was due.
    due: Nanos,
}

impl Timeline {
    /// The first event is due at `start`.
    #[must_use]
    pub fn new(speed: Speed, start: Nanos) -> Self {
        Self { speed, anchor: None, due: start }
    }

    /// When an event is due that happened at `time`. Never before the one before it, even where
    /// the recording's times go back.
    pub fn due(&mut self, time: Nanos) -> Nanos {
        let (from, to) = *self.anchor.get_or_insert((time, self.due));
        let elapsed = u128::from(time.saturating_sub(from));
        let elapsed = match self.speed {
            Speed::Max => 0,
            Speed::Thousandths(times) => elapsed * 1_000 / u128::from(times.get()),
        };
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.due = self.due.max(to.saturating_add(elapsed));
        self.due
    }

    /// When the last event was due; the start before the first.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.due
    }

    /// The recording was interrupted here: whatever comes next is due at once.
    pub fn skip_pause(&mut self) {
        self.anchor = None;
    }

    /// How far our time is ahead of the recording's: what is to be added to the recorded times so
    /// that the first is now. `None` before the first event.
    #[must_use]
    pub fn shift(&self) -> Option<i64> {
        let (from, to) = self.anchor?;
        let shift = i128::from(to) - i128::from(from);
        i64::try_from(shift).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(text: &str) -> Speed {
        text.parse().unwrap()
    }

    #[test]
    fn speeds_are_read_and_shown() {
        for (text, shown) in [
            ("1", "1"),
            ("0.5", "0.5"),
            ("10.0", "10"),
            ("0.001", "0.001"),
            ("max", "max"),
            ("1000000", "1000000"),
        ] {
            assert_eq!(speed(text).to_string(), shown);
        }
        for text in ["", "0", "0.0", "-1", "1e3", "fast", "0.0001", "1000001", "1.", ".5"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }

    #[test]
    fn events_are_due_as_far_apart_as_they_were() {
        let due = |text: &str| {
            let mut timeline = Timeline::new(speed(text), 1_000);
            [500, 700, 650, 900].map(|time| timeline.due(time))
        };
        assert_eq!(due("1"), [1_000, 1_200, 1_200, 1_400]);
        assert_eq!(due("2"), [1_000, 1_100, 1_100, 1_200]);
        assert_eq!(due("0.5"), [1_000, 1_400, 1_400, 1_800]);
        assert_eq!(due("max"), [1_000; 4]);
    }

    #[test]
    fn a_pause_of_the_recorder_is_not_waited_for() {
        let mut timeline = Timeline::new(speed("1"), 1_000);
        assert_eq!((timeline.shift(), timeline.due(500), timeline.due(600)), (None, 1_000, 1_100));
        assert_eq!(timeline.shift(), Some(500));
        timeline.skip_pause();
        assert_eq!((timeline.due(1_000_000), timeline.due(1_000_100)), (1_100, 1_200));
        assert_eq!(timeline.shift(), Some(1_100 - 1_000_000));
        assert_eq!(timeline.due(u64::MAX), 1_100 + (u64::MAX - 1_000_000));
    }
}
