//! From nanoseconds since midnight in New York to nanoseconds since 1970, by the trade date.

use std::fmt;
use std::str::FromStr;

use market::Nanos;

use crate::adapter::time::days_since_1970;

const HOUR: Nanos = 3_600_000_000_000;
const DAY: Nanos = 24 * HOUR;

/// A day of the New York calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TradeDate {
    year: u16,
    month: u8,
    day: u8,
}

/// A text that is no day from 2007 to 2199.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no date such as 2023-08-22, from 2007 to 2199")]
pub struct BadDate(String);

impl TradeDate {
    /// A day from 2007 to 2199; `None` for any other. In 2007 New York got its present rule for
    /// summer time; ITCH 5.0 is younger.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let date = Self { year, month, day };
        // A day that the month does not have comes back as another.
        let real = (2007..2200).contains(&year) && (1..=12).contains(&month) && day >= 1;
        (real && Self::of_days(date.days()) == Some(date)).then_some(date)
    }

    fn days(self) -> u64 {
        let days = days_since_1970(u64::from(self.year), u64::from(self.month), self.day.into());
        u64::try_from(days).unwrap_or(0)
    }

    /// The day that lies so many after 1970-01-01; `None` after the year 2500.
    fn of_days(days: u64) -> Option<Self> {
        if days > 193_000 {
            return None;
        }
        // Years of 365 days are never longer than real ones, so this is the year or the next.
        let mut year = 1970 + days / 366;
        while days_since_1970(year + 1, 1, 1) <= days as i64 {
            year += 1;
        }
        let mut month = 12;
        while days_since_1970(year, month, 1) > days as i64 {
            month -= 1;
        }
        let day = days as i64 - days_since_1970(year, month, 1) + 1;
        Some(Self { year: year as u16, month: month as u8, day: day as u8 })
    }

    /// Whether the day begins in summer time, which lasts from 2:00 on the second Sunday of March
    /// to 2:00 on the first Sunday of November (Energy Policy Act of 2005, from 2007 on). Both
    /// change after midnight and on a day without trading.
    fn begins_in_summer_time(self) -> bool {
        let sunday = |month: u64, nth: u64| {
            let first = days_since_1970(u64::from(self.year), month, 1) as u64;
            // 1970-01-01 was a Thursday: day 3 was the first Sunday.
            let until_sunday = (3 + 7 - first % 7) % 7;
            first + until_sunday + 7 * (nth - 1)
        };
        let days = self.days();
        days > sunday(3, 2) && days <= sunday(11, 1)
    }

    /// When the day began in New York: 4 hours after UTC midnight in summer time, else 5.
    #[must_use]
    pub fn midnight(self) -> Nanos {
        let behind = if self.begins_in_summer_time() { 4 } else { 5 };
        self.days() * DAY + behind * HOUR
    }
}

impl FromStr for TradeDate {
    type Err = BadDate;

    fn from_str(text: &str) -> Result<Self, BadDate> {
        let part = |from: usize, to: usize| {
            let digits = text.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<u16>().ok())
        };
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        let parts = (part(0, 4), part(5, 7), part(8, 10));
        let date = match parts {
            (Some(year), Some(month), Some(day)) if shaped => {
                Self::new(year, month as u8, day as u8)
            }
            _ => None,
        };
        date.ok_or_else(|| BadDate(text.chars().take(40).collect()))
    }
}

impl fmt::Display for TradeDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Where the date of messages comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateSource {
    /// Nobody says: events have no time of the venue's.
    #[default]
    Unknown,
    /// All are of this day.
    Given(TradeDate),
    /// The day that brings a message nearest to when it came. Right for what is live, or keeps
    /// the time it was captured at, and while our clock is less than half a day wrong.
    Received,
    /// The latest day on which a message is not from the future, by more than an hour. Right for
    /// what may come as much as 23 hours late, as at a login in the evening that asks for all of
    /// the day, and while our clock is not more than an hour slow.
    Past,
}

impl DateSource {
    /// How late a message is most likely, where that tells the day.
    fn delay(self) -> Option<Nanos> {
        match self {
            Self::Unknown | Self::Given(_) => None,
            Self::Received => Some(0),
            // From an hour early to 23 hours late.
            Self::Past => Some(11 * HOUR),
        }
    }
}

/// Turns times of the venue into ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    source: DateSource,
    midnight: Option<Nanos>,
}

impl Clock {
    pub(super) fn new(source: DateSource) -> Self {
        let midnight = match source {
            DateSource::Given(date) => Some(date.midnight()),
            DateSource::Unknown | DateSource::Received | DateSource::Past => None,
        };
        Self { source, midnight }
    }

    /// The time of a message that says it is `since_midnight` and came at `now`: `Ok(None)` when
    /// the date is not known.
    ///
    /// # Errors
    /// No day is that long.
    #[inline]
    pub(super) fn at(&mut self, since_midnight: u64, now: Nanos) -> Result<Option<Nanos>, ()> {
        if since_midnight >= DAY {
            return Err(());
        }
        if let Some(delay) = self.source.delay() {
            let sent = now.saturating_sub(delay);
            let near = |midnight: Nanos| (midnight + since_midnight).abs_diff(sent) <= 12 * HOUR;
            if !self.midnight.is_some_and(near) {
                self.midnight = nearest_midnight(since_midnight, sent);
            }
        }
        Ok(self.midnight.map(|midnight| midnight + since_midnight))
    }
}

fn nearest_midnight(since_midnight: u64, now: Nanos) -> Option<Nanos> {
    let today = now / DAY;
    let days = today.saturating_sub(1)..=today + 1;
    let midnights = days.filter_map(TradeDate::of_days).map(TradeDate::midnight);
    midnights.min_by_key(|midnight| (midnight + since_midnight).abs_diff(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> TradeDate {
        text.parse().unwrap()
    }

    #[test]
    fn midnight_in_new_york_follows_the_rule_for_summer_time() {
        // Seconds since 1970, as `date -d 'TZ="America/New_York" …' +%s` gives them.
        for (day, seconds) in [
            ("2023-08-22", 1_692_676_800),
            ("2010-12-24", 1_293_166_800),
            ("2024-03-10", 1_710_046_800),
            ("2024-03-11", 1_710_129_600),
            ("2024-11-03", 1_730_606_400),
            ("2024-11-04", 1_730_696_400),
            ("2015-03-08", 1_425_790_800),
            ("2015-11-01", 1_446_350_400),
            ("2024-02-29", 1_709_182_800),
        ] {
            assert_eq!(date(day).midnight(), seconds * 1_000_000_000, "{day}");
            assert_eq!(date(day).to_string(), day);
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2023-02-29",
            "2023-13-01",
            "2023-00-10",
            "2023-01-00",
            "1999-01-01",
            "2023-1-1",
            "20230101",
            "2023-01-011",
            "2023/01/01",
            "+023-01-01",
        ] {
            assert!(text.parse::<TradeDate>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_date_is_given_received_or_unknown() {
        let midnight = date("2023-08-22").midnight();
        let open = 9 * HOUR + 30 * HOUR / 60;
        assert_eq!(Clock::new(DateSource::Unknown).at(open, midnight), Ok(None));
        let mut given = Clock::new(DateSource::Given(date("2023-08-22")));
        assert_eq!(given.at(open, 0), Ok(Some(midnight + open)));
        assert_eq!(given.at(DAY, 0), Err(()));
        // Received a little earlier or later, over midnight too, and days after the last one.
        let mut received = Clock::new(DateSource::Received);
        for now in [midnight + open - 2, midnight + open + 5 * HOUR] {
            assert_eq!(received.at(open, now), Ok(Some(midnight + open)));
        }
        assert_eq!(received.at(DAY - 1, midnight + DAY + 1), Ok(Some(midnight + DAY - 1)));
        let later = date("2024-01-05").midnight();
        assert_eq!(received.at(open, later + open), Ok(Some(later + open)));
        assert_eq!(received.at(open, u64::MAX).map(|time| time.is_some()), Ok(false));
    }

    #[test]
    fn what_comes_late_is_of_the_day_that_is_over() {
        let midnight = date("2023-08-22").midnight();
        let (early, late) = (4 * HOUR, 20 * HOUR);
        // All of the day in its evening, and after midnight; then the next day.
        for (since, now, day) in [
            (early, midnight + late, midnight),
            (late, midnight + late, midnight),
            (early, midnight + early - HOUR / 2, midnight),
            (late, midnight + DAY + HOUR, midnight),
            (HOUR, midnight + DAY + HOUR, midnight + DAY),
            (early, midnight + DAY + early, midnight + DAY),
        ] {
            let expected = Ok(Some(day + since));
            assert_eq!(Clock::new(DateSource::Past).at(since, now), expected);
        }
        let mut one = Clock::new(DateSource::Past);
        assert_eq!(one.at(late, midnight + late), Ok(Some(midnight + late)));
        assert_eq!(one.at(early, midnight + DAY + early), Ok(Some(midnight + DAY + early)));
    }
}
