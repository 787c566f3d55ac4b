//! Venues' time stamps, in all their forms, as nanoseconds since 1970-01-01 UTC.

use market::{Flags, Nanos, Stamps};

/// 2000-01-01. Venues that write an earlier time mean none: 1970, or the year 1.
const SENSIBLE_FROM: Nanos = 946_684_800_000_000_000;

/// The stamps of a message that came at `received` and says that it is of `event`; a time that is
/// none, or before the year 2000, is left out and flagged.
#[must_use]
pub fn stamps(event: Option<Nanos>, received: Nanos) -> Stamps {
    let event = event.filter(|event| *event >= SENSIBLE_FROM);
    let flags = if event.is_some() { Flags::none() } else { Flags::BAD_TIMESTAMP };
    Stamps { event, received, flags, ..Stamps::default() }
}

/// Seconds since 1970 with up to nine digits of fraction, such as `1700000142.250125`.
#[must_use]
pub fn seconds(text: &str) -> Option<Nanos> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos = fraction.parse::<Nanos>().ok()? * 10_u64.pow(9 - fraction.len() as u32);
    whole.parse::<Nanos>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Milliseconds since 1970; `None` beyond what nanoseconds can tell in 64 bits (the year 2554).
#[must_use]
pub fn millis(value: u64) -> Option<Nanos> {
    value.checked_mul(1_000_000)
}

/// Microseconds since 1970; `None` as for [`millis`].
#[must_use]
pub fn micros(value: u64) -> Option<Nanos> {
    value.checked_mul(1_000)
}

/// An RFC 3339 time with up to nine digits of fraction and `Z` or an offset, such as
/// `2026-08-24T22:21:56.724795Z`. `None` for anything else, and for times before 1970: venues
/// write `0001-01-01T00:00:00Z` where they know none.
#[must_use]
pub fn rfc3339(text: &str) -> Option<Nanos> {
    let bytes = text.as_bytes();
    // All that must be there, the shortest end of it, `Z`, included.
    let head: &[u8; 20] = bytes.first_chunk()?;
    let (year, month, day) = (two(head, 0)? * 100 + two(head, 2)?, two(head, 5)?, two(head, 8)?);
    let (hour, minute, second) = (two(head, 11)?, two(head, 14)?, two(head, 17)?);
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if marks.iter().any(|&(at, mark)| head[at] != mark) || !matches!(head[10], b'T' | b't' | b' ') {
        return None;
    }
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut nanos = 0;
    if head[at] == b'.' {
        at += 1;
        // Finer than nanoseconds is cut off.
        let mut unit = 100_000_000;
        while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
            nanos += u64::from(digit - b'0') * unit;
            unit /= 10;
            at += 1;
        }
        if at == 20 {
            return None;
        }
    }
    let offset = match bytes.get(at) {
        Some(b'Z' | b'z') if at + 1 == bytes.len() => 0,
        Some(sign @ (b'+' | b'-')) if at + 6 == bytes.len() && bytes[at + 3] == b':' => {
            let minutes = (two(bytes, at + 1)? * 60 + two(bytes, at + 4)?) as i64;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let seconds = days_since_1970(year, month, day) * 86_400
        + (hour * 3_600 + minute * 60 + second) as i64
        - offset * 60;
    u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// The number of two digits.
#[inline]
fn two(bytes: &[u8], at: usize) -> Option<u64> {
    let digit = |at: usize| bytes.get(at).map(|byte| byte.wrapping_sub(b'0'));
    let (tens, ones) = (digit(at)?, digit(at + 1)?);
    (tens < 10 && ones < 10).then(|| u64::from(tens) * 10 + u64::from(ones))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. A year is counted from March on, so
/// that the leap day is its last and months have a fixed place in it.
pub(crate) fn days_since_1970(year: u64, month: u64, day: u64) -> i64 {
    let year = year as i64 - i64::from(month <= 2);
    let month = (month as i64 + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day as i64 - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leaps + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_venues_write_them() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600_000_000_000)),
            ("2026-08-24T22:21:56.724795Z", Some(1_787_610_116_724_795_000)),
            ("2026-08-24T22:21:56.1Z", Some(1_787_610_116_100_000_000)),
            ("2026-08-25T00:21:56+02:00", Some(1_787_610_116_000_000_000)),
            ("2026-08-24T22:21:56.1234567899Z", Some(1_787_610_116_123_456_789)),
            ("0001-01-01T00:00:00.000000Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-08-24 22:21:56.09 +0000 UTC m=+41691.26", None),
            ("2026-08-24T22:21:56.Z", None),
            ("2026-08-24T22:21:5.Z", None),
            ("2026-08-24T22:21:56.12", None),
            ("2026-08-24T22:21:56+0200", None),
            ("2026-08-24T22:21:56+2:000", None),
            ("2O26-08-24T22:21:56Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(rfc3339(text), nanos, "{text}");
        }
        assert_eq!(millis(u64::MAX), None);
    }

    #[test]
    fn seconds_keep_every_digit() {
        for (text, nanos) in [
            ("1700000142.250125", Some(1_700_000_142_250_125_000)),
            ("1700000142", Some(1_700_000_142_000_000_000)),
            ("1.123456789", Some(1_123_456_789)),
            ("1.1234567891", None),
            ("99999999999999999999.1", None),
            ("18446744074.0", None),
            ("-1.5", None),
            ("1.", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), nanos, "{text}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_left_out_and_flagged() {
        let good = stamps(Some(SENSIBLE_FROM), 7);
        assert_eq!((good.event, good.received), (Some(SENSIBLE_FROM), 7));
        assert!(good.flags.is_empty());
        for time in [None, Some(0), Some(SENSIBLE_FROM - 1)] {
            let bad = stamps(time, 7);
            assert_eq!(bad.event, None);
            assert!(bad.flags.has(Flags::BAD_TIMESTAMP));
        }
    }
}
