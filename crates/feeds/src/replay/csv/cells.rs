//! What stands in a cell: numbers, times and sides, in all the ways in which files write them.

use market::{Aggressor, BookSide, Decimal, Nanos};

use super::mapping::TimeFormat;
use crate::adapter::exponent;
use crate::adapter::time::rfc3339;

/// A decimal; programs that go through floats write small ones with an exponent, `1e-7`.
pub(super) fn number(text: &str) -> Result<Decimal, String> {
    match exponent::decimal(text) {
        Some(number) => Ok(number),
        None => Decimal::parse(text).map_err(|error| error.to_string()),
    }
}

/// A size: not negative.
pub(super) fn size(text: &str) -> Result<Decimal, String> {
    let size = number(text)?;
    if size.is_negative() { Err(format!("the size {size} is negative")) } else { Ok(size) }
}

/// A time in nanoseconds since 1970.
pub(super) fn time(text: &str, format: TimeFormat) -> Result<Nanos, String> {
    let bad = || {
        let shown: String = text.chars().take(40).collect();
        format!("\"{shown}\" is no time after 1970 in the form {format:?}")
    };
    let unit = match format {
        TimeFormat::Seconds => 9,
        TimeFormat::Millis => 6,
        TimeFormat::Micros => 3,
        TimeFormat::Nanos => 0,
        TimeFormat::Text => return date(text).ok_or_else(bad),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    // Finer than nanoseconds is cut off.
    let fraction = &fraction[..fraction.len().min(unit)];
    let whole = whole.parse::<u64>().ok().and_then(|n| n.checked_mul(10_u64.pow(unit as u32)));
    let rest = format!("{fraction:0<unit$}").parse::<u64>().unwrap_or(0);
    whole.and_then(|whole| whole.checked_add(rest)).ok_or_else(bad)
}

fn date(text: &str) -> Option<Nanos> {
    if let Some(time) = rfc3339(text) {
        return Some(time);
    }
    let bytes = text.as_bytes();
    let zone = if text.ends_with(['Z', 'z']) { "" } else { "Z" };
    if bytes.len() > 8 && bytes[..8].iter().all(u8::is_ascii_digit) {
        let (date, rest) = text.split_at(8);
        return rfc3339(&format!("{}-{}-{}{rest}{zone}", &date[..4], &date[4..6], &date[6..]));
    }
    rfc3339(&format!("{text}{zone}"))
}

/// Who took liquidity.
pub(super) fn aggressor(text: &str) -> Aggressor {
    match side(text) {
        Some(BookSide::Bid) => Aggressor::Buy,
        Some(BookSide::Ask) => Aggressor::Sell,
        None => Aggressor::Unknown,
    }
}

/// A side by the word for it, or its first letter: buy and bid, sell, ask and offer.
pub(super) fn side(text: &str) -> Option<BookSide> {
    match text.bytes().next()?.to_ascii_lowercase() {
        b'b' => Some(BookSide::Bid),
        b's' | b'a' | b'o' => Some(BookSide::Ask),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_with_an_exponent_are_the_same_numbers() {
        for (text, plain) in [
            ("1e-7", "0.0000001"),
            ("1.50e-7", "0.000000150"),
            ("-2.5E+3", "-2500"),
            ("12.345e1", "123.45"),
            ("0e5", "0"),
            ("64000.10", "64000.10"),
        ] {
            assert_eq!(number(text).unwrap().to_string(), plain, "{text}");
        }
        for text in ["", "e5", "1e", "1e99", "1e-99", ".e1", "NaN", "1e5e5"] {
            assert!(number(text).is_err(), "{text}");
        }
        assert!(size("-1").is_err());
    }

    #[test]
    fn times_of_all_forms() {
        let at = 1_598_918_403_810_979_000;
        for (text, format, nanos) in [
            ("1598918403810979", TimeFormat::Micros, at),
            ("1598918403.810979", TimeFormat::Seconds, at),
            ("1598918403810.979", TimeFormat::Millis, at),
            ("1598918403810979000", TimeFormat::Nanos, at),
            ("1598918403.81097900099", TimeFormat::Seconds, at),
            ("20200901 00:00:03.810979", TimeFormat::Text, at),
            ("2020-09-01 00:00:03.810979", TimeFormat::Text, at),
            ("2020-09-01T00:00:03.810979Z", TimeFormat::Text, at),
        ] {
            assert_eq!(time(text, format).unwrap(), nanos, "{text}");
        }
        for (text, format) in [
            ("", TimeFormat::Micros),
            ("-1", TimeFormat::Nanos),
            ("18446744073709551615", TimeFormat::Millis),
            ("99999999 00:00:00", TimeFormat::Text),
            ("soon", TimeFormat::Text),
        ] {
            assert!(time(text, format).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,30}") {
            drop(number(&text));
            prop_assert!(side(&text).is_none() || !text.is_empty());
            for format in [TimeFormat::Seconds, TimeFormat::Millis, TimeFormat::Nanos, TimeFormat::Text] {
                drop(time(&text, format));
            }
        }
    }
}
