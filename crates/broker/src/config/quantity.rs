//! Whole numbers with a unit: times and sizes.
//!
//! Own code, because the crates for it take fractions, sums and decimal units and say little
//! about what they refuse; a limit is better off with one exact way to write it.

use std::time::Duration;

/// The units of one dimension, the smallest first.
struct Units(&'static [(&'static str, u64)]);

const TIMES: Units = Units(&[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]);
const SIZES: Units = Units(&[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]);

/// Reads a time such as `20s`, `500ms`, `10m`.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    if unit.is_empty() {
        return Err(format!("a time needs a unit, such as \"{}s\"", text.trim()));
    }
    TIMES.amount(number, unit).map(Duration::from_millis)
}

/// Reads a size such as `64KiB` or `4096`, in bytes.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    SIZES.amount(number, if unit.is_empty() { "B" } else { unit })
}

/// Reads a whole number such as `4096` or `1_000`.
pub(super) fn parse_number(text: &str) -> Result<u64, String> {
    match split(text)? {
        (number, "") => Ok(number),
        (_, rest) => Err(format!("\"{rest}\" does not belong to a whole number")),
    }
}

/// Writes a time with its largest unit that keeps it whole.
pub(super) fn show_time(time: Duration) -> String {
    // Every time here was read from whole milliseconds.
    TIMES.show(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), "s")
}

/// Writes a size with its largest unit that keeps it whole.
pub(super) fn show_size(bytes: u64) -> String {
    SIZES.show(bytes, "B")
}

/// Writes a number, in groups of three digits where it is long.
pub(super) fn show_number(number: &str) -> String {
    if number.len() < 5 {
        return number.to_owned();
    }
    let mut shown = String::new();
    for (index, digit) in number.chars().enumerate() {
        if index > 0 && (number.len() - index).is_multiple_of(3) {
            shown.push('_');
        }
        shown.push(digit);
    }
    shown
}

impl Units {
    fn amount(&self, number: u64, unit: &str) -> Result<u64, String> {
        let Some((_, factor)) = self.0.iter().find(|(name, _)| *name == unit) else {
            let known: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
            return Err(format!("\"{unit}\" is none of the units {}", known.join(", ")));
        };
        number.checked_mul(*factor).ok_or_else(|| "too large".to_owned())
    }

    fn show(&self, amount: u64, unit_of_zero: &str) -> String {
        let whole = self.0.iter().rev().find(|(_, factor)| amount.is_multiple_of(*factor));
        match whole {
            Some((unit, factor)) if amount > 0 => format!("{}{unit}", amount / factor),
            _ => format!("{amount}{unit_of_zero}"),
        }
    }
}

/// The number that a text begins with, and what follows it.
fn split(text: &str) -> Result<(u64, &str), String> {
    let text = text.trim();
    let end = text
        .find(|character: char| !character.is_ascii_digit() && character != '_')
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if rest.starts_with(['.', ',']) && !digits.is_empty() {
        return Err("only whole numbers, so take a smaller unit".to_owned());
    }
    // As in TOML, an underscore stands between digits.
    if digits.split('_').any(str::is_empty) {
        return Err("does not begin with a whole number".to_owned());
    }
    let number = digits.replace('_', "").parse().map_err(|_| "too large".to_owned())?;
    Ok((number, rest.trim_start()))
}
