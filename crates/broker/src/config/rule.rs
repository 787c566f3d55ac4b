//! The rules that a value must keep, one for each type of setting.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::quantity;
use super::raw::Raw;

mod columns;
mod feed;
mod login;
mod replay;
mod topic;

pub(super) use columns::columns;
pub use feed::Symbols;
pub(crate) use feed::parse_streams;
pub(super) use feed::{streams, symbols, url};
pub use login::Secret;
pub(super) use login::{secret, word};
pub(super) use replay::{date, files, speed};
pub(crate) use topic::parse_venue_segment;
pub(super) use topic::{patterns, venue};

/// How values of one type are read, checked, shown and explained.
pub(super) trait Rule {
    /// The type of the field.
    type Value;
    /// The checked value, or what is wrong with it.
    fn read(&self, raw: &Raw) -> Result<Self::Value, String>;
    /// The value as TOML, such that reading it gives it back.
    fn show(&self, value: &Self::Value) -> String;
    /// What may be written, in words.
    fn allowed(&self) -> String;
}

/// [`Rule::allowed`] for a rule whose type follows from that of the field.
pub(super) fn allowed<V, R: Rule<Value = V>>(rule: &R) -> String {
    rule.allowed()
}

/// [`Rule::show`] for a rule whose type follows from that of the field.
pub(super) fn show<V, R: Rule<Value = V>>(rule: &R, value: &V) -> String {
    rule.show(value)
}

/// `true` or `false`.
pub(super) struct Switch;

/// A switch.
pub(super) fn switch() -> Switch {
    Switch
}

impl Rule for Switch {
    type Value = bool;

    fn read(&self, raw: &Raw) -> Result<bool, String> {
        match raw {
            Raw::Switch(switch) => Ok(*switch),
            Raw::Bare(text) if text == "true" => Ok(true),
            Raw::Bare(text) if text == "false" => Ok(false),
            _ => Err(raw.mismatch("a switch")),
        }
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }

    fn allowed(&self) -> String {
        "true or false".to_owned()
    }
}

/// A whole number within a range.
pub(super) struct Count<T>(RangeInclusive<T>);

/// A whole number within `range`.
pub(super) fn count<T>(range: RangeInclusive<T>) -> Count<T> {
    Count(range)
}

impl<T: PartialOrd + Display + TryFrom<u64>> Rule for Count<T> {
    type Value = T;

    fn read(&self, raw: &Raw) -> Result<T, String> {
        let number = match raw {
            // Every range begins at zero or above.
            Raw::Integer(number) => u64::try_from(*number).map_err(|_| "too small".to_owned())?,
            Raw::Bare(text) => quantity::parse_number(text)?,
            _ => return Err(raw.mismatch("a whole number")),
        };
        let number = T::try_from(number).map_err(|_| "too large".to_owned())?;
        within(number, &self.0)
    }

    fn show(&self, value: &T) -> String {
        quantity::show_number(&value.to_string())
    }

    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.show(self.0.start()), self.show(self.0.end()))
    }
}

/// A number of bytes within a range.
pub(super) struct Size(RangeInclusive<usize>);

/// A number of bytes within `range`.
pub(super) fn size(range: RangeInclusive<usize>) -> Size {
    Size(range)
}

impl Rule for Size {
    type Value = usize;

    fn read(&self, raw: &Raw) -> Result<usize, String> {
        let bytes = match raw {
            Raw::Integer(bytes) => u64::try_from(*bytes).map_err(|_| "too small".to_owned())?,
            Raw::Text(text) | Raw::Bare(text) => quantity::parse_size(text)?,
            _ => return Err(raw.mismatch("a size")),
        };
        let bytes = usize::try_from(bytes).map_err(|_| "too large".to_owned())?;
        within(bytes, &self.0)
    }

    fn show(&self, value: &usize) -> String {
        format!("\"{}\"", quantity::show_size(*value as u64))
    }

    fn allowed(&self) -> String {
        let (least, most) = (*self.0.start() as u64, *self.0.end() as u64);
        format!(
            "a size from {} to {}, written like \"1MiB\", \"64KiB\" or 4096",
            quantity::show_size(least),
            quantity::show_size(most)
        )
    }
}

/// A time within a range.
pub(super) struct Time(RangeInclusive<Duration>);

/// A time within `range`.
pub(super) fn time(range: RangeInclusive<Duration>) -> Time {
    Time(range)
}

impl Rule for Time {
    type Value = Duration;

    fn read(&self, raw: &Raw) -> Result<Duration, String> {
        let time = match raw {
            Raw::Text(text) | Raw::Bare(text) => quantity::parse_time(text)?,
            Raw::Integer(number) => quantity::parse_time(&number.to_string())?,
            _ => return Err(raw.mismatch("a time")),
        };
        within(time, &self.0)
    }

    fn show(&self, value: &Duration) -> String {
        format!("\"{}\"", quantity::show_time(*value))
    }

    fn allowed(&self) -> String {
        format!(
            "a time from {} to {}, written like \"20s\", \"500ms\" or \"10m\"",
            quantity::show_time(*self.0.start()),
            quantity::show_time(*self.0.end())
        )
    }
}

fn within<T: PartialOrd>(value: T, range: &RangeInclusive<T>) -> Result<T, String> {
    if value < *range.start() {
        Err("too small".to_owned())
    } else if value > *range.end() {
        Err("too large".to_owned())
    } else {
        Ok(value)
    }
}

/// The address of a listener.
pub(super) struct Address;

/// An IP address and a port.
pub(super) fn address() -> Address {
    Address
}

impl Rule for Address {
    type Value = SocketAddr;

    fn read(&self, raw: &Raw) -> Result<SocketAddr, String> {
        let text = raw.text().ok_or_else(|| raw.mismatch("a string with an address"))?;
        text.parse().map_err(|_| "no such address".to_owned())
    }

    fn show(&self, value: &SocketAddr) -> String {
        format!("\"{value}\"")
    }

    fn allowed(&self) -> String {
        "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"".to_owned()
    }
}

/// One of a few names.
pub(super) struct Choice<T: 'static>(&'static [(&'static str, T)]);

/// One of the names in `all`.
pub(super) fn choice<T>(all: &'static [(&'static str, T)]) -> Choice<T> {
    Choice(all)
}

impl<T: Copy + PartialEq> Rule for Choice<T> {
    type Value = T;

    fn read(&self, raw: &Raw) -> Result<T, String> {
        let text = raw.text().ok_or_else(|| raw.mismatch("a string"))?;
        let chosen = self.0.iter().find(|(name, _)| *name == text);
        chosen.map(|(_, value)| *value).ok_or_else(|| "unknown".to_owned())
    }

    fn show(&self, value: &T) -> String {
        let name = self.0.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name);
        format!("\"{name}\"")
    }

    fn allowed(&self) -> String {
        let names: Vec<String> = self.0.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        match names.split_last() {
            Some((last, [])) => format!("only {last} so far"),
            Some((last, first)) => format!("{} or {last}", first.join(", ")),
            None => String::new(),
        }
    }
}
