//! How venues write: decimals and times in each one's style, and members of JSON objects found
//! again in what was written.

use std::fmt;

use market::{Decimal, Nanos};

/// A decimal with at least so many digits after the point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Padded(pub(crate) Decimal, pub(crate) u32);

impl fmt::Display for Padded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, digits) = *self;
        fmt::Display::fmt(&number.at_scale(digits.max(number.scale())), f)
    }
}

/// A decimal without zeros at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trimmed(pub(crate) Decimal);

impl fmt::Display for Trimmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let short = match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.'),
            false => &text,
        };
        f.write_str(short)
    }
}

/// How many digits of a second a time is written with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fraction {
    /// Six.
    Micros,
    /// Nine, without zeros at their end.
    TrimmedNanos,
}

/// A time as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rfc3339(pub(crate) Nanos, pub(crate) Fraction);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let nanos = self.0 % 1_000_000_000;
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match self.1 {
            Fraction::Micros => write!(f, ".{:06}Z", nanos / 1000),
            Fraction::TrimmedNanos if nanos == 0 => f.write_str("Z"),
            Fraction::TrimmedNanos => {
                write!(f, ".{}Z", format!("{nanos:09}").trim_end_matches('0'))
            }
        }
    }
}

/// Year, month and day of a day counted from 1970-01-01. A year is counted from March on, so that
/// the leap day is its last.
fn date(days: u64) -> (u64, u64, u64) {
    // 719,468 days lie between 0000-03-01 and 1970-01-01; 146,097 are 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// A JSON list of `values`, each as it is `written`.
pub(crate) fn list<T>(
    values: impl IntoIterator<Item = T>,
    written: impl Fn(T) -> String,
) -> String {
    let written: Vec<String> = values.into_iter().map(written).collect();
    format!("[{}]", written.join(","))
}

/// A text of a client's, repeated to it: without what would need an escape, and not too long.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).take(64).collect()
}

/// Where the value of the first member called `key` begins and ends in a JSON text.
pub(crate) fn member(text: &str, key: &str) -> Option<(usize, usize)> {
    let marked = format!("\"{key}\":");
    let from = text.find(&marked)? + marked.len();
    let (mut depth, mut quoted) = (0_usize, false);
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b',' | b']' | b'}' if depth == 0 => return Some((from, at)),
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        // A list or object is over with its last bracket, a text with its quote; either way the
        // next byte is one of those above.
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_in_each_style() {
        let number = |text| Decimal::parse(text).unwrap();
        for (text, padded, trimmed) in [
            ("97412.0", "97412.00000000", "97412"),
            ("0.000009871", "0.000009871", "0.000009871"),
            ("120", "120.00000000", "120"),
            ("0", "0.00000000", "0"),
            ("1.50", "1.50000000", "1.5"),
        ] {
            assert_eq!(Padded(number(text), 8).to_string(), padded);
            assert_eq!(Trimmed(number(text)).to_string(), trimmed);
        }
    }

    #[test]
    fn times_read_back_as_they_were() {
        for nanos in [
            0,
            951_825_600_000_000_000,
            1_709_251_199_999_999_000,
            1_709_251_200_000_001_000,
            1_893_456_000_120_000_000,
        ] {
            for fraction in [Fraction::Micros, Fraction::TrimmedNanos] {
                let text = Rfc3339(nanos, fraction).to_string();
                assert_eq!(feeds::adapter::time::rfc3339(&text), Some(nanos), "{text}");
            }
        }
        let text = |fraction| Rfc3339(1_700_000_000_120_000_000, fraction).to_string();
        assert_eq!(text(Fraction::Micros), "2023-11-14T22:13:20.120000Z");
        assert_eq!(text(Fraction::TrimmedNanos), "2023-11-14T22:13:20.12Z");
    }

    #[test]
    fn a_member_is_found_with_its_whole_value() {
        let text = r#"{"a":{"b":[["1","2"],[]],"u":12},"t":"x,]}","z":null}"#;
        for (key, value) in [
            ("a", r#"{"b":[["1","2"],[]],"u":12}"#),
            ("b", r#"[["1","2"],[]]"#),
            ("u", "12"),
            ("t", r#""x,]}""#),
            ("z", "null"),
        ] {
            let (from, to) = member(text, key).unwrap();
            assert_eq!(&text[from..to], value);
        }
        assert_eq!(member(text, "q"), None);
    }
}
