//! The rules for a replay: which files, how fast, of which day.

use std::path::PathBuf;

use feeds::replay::Speed;
use feeds::venue::itch::TradeDate;
use toml_edit::Value;

use super::Rule;
use crate::config::raw::Raw;

/// Most files of one feed.
const FILES_MAX: usize = 10_000;

/// A file, or a list of them.
pub(in crate::config) struct Files;

/// The files of a replay.
pub(in crate::config) fn files() -> Files {
    Files
}

impl Rule for Files {
    type Value = Vec<PathBuf>;

    fn read(&self, raw: &Raw) -> Result<Vec<PathBuf>, String> {
        let file = |raw: &Raw| match raw.text() {
            Some("") => Err("a file without a name".to_owned()),
            Some(name) => Ok(PathBuf::from(name)),
            None => Err(raw.mismatch("a string with a file's name")),
        };
        match raw {
            Raw::List(list) if list.len() > FILES_MAX => Err(format!("more than {FILES_MAX}")),
            Raw::List(list) => list.iter().map(file).collect(),
            one => file(one).map(|file| vec![file]),
        }
    }

    fn show(&self, value: &Vec<PathBuf>) -> String {
        let shown: Vec<String> = value
            .iter()
            .map(|file| Value::from(file.to_string_lossy().as_ref()).to_string())
            .collect();
        format!("[{}]", shown.join(", "))
    }

    fn allowed(&self) -> String {
        "a file's name, or a list of them, such as [\"monday.zst\", \"tuesday.zst\"]".to_owned()
    }
}

/// How fast recorded time passes.
pub(in crate::config) struct SpeedRule;

/// The speed of a replay.
pub(in crate::config) fn speed() -> SpeedRule {
    SpeedRule
}

impl Rule for SpeedRule {
    type Value = Speed;

    fn read(&self, raw: &Raw) -> Result<Speed, String> {
        let text = match raw {
            Raw::Integer(number) => number.to_string(),
            Raw::Fraction(number) => number.to_string(),
            Raw::Text(text) | Raw::Bare(text) => text.clone(),
            _ => return Err(raw.mismatch("a number or \"max\"")),
        };
        text.parse().map_err(|_| "no such speed".to_owned())
    }

    fn show(&self, value: &Speed) -> String {
        match value {
            Speed::Max => "\"max\"".to_owned(),
            Speed::Thousandths(_) => value.to_string(),
        }
    }

    fn allowed(&self) -> String {
        "a number from 0.001 to 1000000 with at most three decimals, or \"max\"".to_owned()
    }
}

/// A day, or nothing.
pub(in crate::config) struct Date;

/// The day of a file.
pub(in crate::config) fn date() -> Date {
    Date
}

impl Rule for Date {
    type Value = Option<TradeDate>;

    fn read(&self, raw: &Raw) -> Result<Option<TradeDate>, String> {
        match raw.text() {
            Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| "no such day".to_owned()),
            None => Err(raw.mismatch("a string with a date")),
        }
    }

    fn show(&self, value: &Option<TradeDate>) -> String {
        format!("\"{}\"", value.map(|date| date.to_string()).unwrap_or_default())
    }

    fn allowed(&self) -> String {
        "a day such as \"2023-08-22\", or \"\"".to_owned()
    }
}
