//! The rules for words that end up in topics: the venue of a feed, patterns of generic topics.

use toml_edit::Value;
use topics::{Pattern, TopicKind, TopicName};

use super::Rule;
use crate::config::raw::Raw;

// What the simulated exchange takes; checked here, where the line is known.
const VENUE_BYTES_MAX: usize = feeds::SimOptions::VENUE_LENGTH_MAX;

/// One segment of a topic.
pub(in crate::config) struct Venue;

/// The venue of a feed.
pub(in crate::config) fn venue() -> Venue {
    Venue
}

impl Rule for Venue {
    type Value = String;

    fn read(&self, raw: &Raw) -> Result<String, String> {
        let text = raw.text().ok_or_else(|| raw.mismatch("a string"))?;
        parse_venue_segment(text)?;
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        Value::from(value).to_string()
    }

    fn allowed(&self) -> String {
        format!("1 to {VENUE_BYTES_MAX} characters of a to z, 0 to 9 and -")
    }
}

/// A list of patterns.
pub(in crate::config) struct Patterns;

/// Patterns of generic topics.
pub(in crate::config) fn patterns() -> Patterns {
    Patterns
}

impl Rule for Patterns {
    type Value = Vec<Pattern>;

    fn read(&self, raw: &Raw) -> Result<Vec<Pattern>, String> {
        match raw {
            Raw::List(list) => {
                let patterns = list.iter().map(|item| match item {
                    Raw::Text(text) => generic_pattern(text),
                    other => Err(other.mismatch("a string with a pattern")),
                });
                patterns.collect()
            }
            Raw::Bare(text) if text.trim().is_empty() => Ok(Vec::new()),
            // A pattern with a comma in it has to be written into the file.
            Raw::Bare(text) => text.split(',').map(|part| generic_pattern(part.trim())).collect(),
            _ => Err(raw.mismatch("a list of strings")),
        }
    }

    fn show(&self, value: &Vec<Pattern>) -> String {
        let shown: Vec<String> =
            value.iter().map(|pattern| Value::from(pattern.as_str()).to_string()).collect();
        format!("[{}]", shown.join(", "))
    }

    fn allowed(&self) -> String {
        "a list of patterns of generic topics, such as [\"game.*.state\", \"host.>\"] \
         (in a variable: game.*.state,host.>)"
            .to_owned()
    }
}

fn generic_pattern(text: &str) -> Result<Pattern, String> {
    let pattern = Pattern::parse(text).map_err(|error| error.to_string())?;
    // Ignoring a market kind would leave its author believing that trades are merged.
    let first = pattern.segments().next().unwrap_or_default();
    let kind = TopicName::parse(&format!("{first}.venue.symbol")).map(|name| name.kind());
    if let Ok(TopicKind::Market(_)) = kind {
        let reason = "is of a market kind, whose merging is not a matter of choice";
        return Err(format!("topic \"{text}\" {reason}"));
    }
    Ok(pattern)
}

/// Checks the segment of topics that stands for a venue.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_venue_segment(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("empty".to_owned());
    }
    if text.len() > VENUE_BYTES_MAX {
        return Err("too long".to_owned());
    }
    match text.chars().find(|&c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        Some(character) => Err(format!("{character:?} may not be in a venue")),
        None => Ok(()),
    }
}
