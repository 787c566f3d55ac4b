//! Topic names: their rules, and what the first segment says about a topic.

use std::borrow::Borrow;
use std::fmt;

use market::Kind;
use smol_str::SmolStr;
use wire::rejection::shown;
use wire::{Code, Rejection};

/// A valid topic name: 1 to [`TopicName::SEGMENTS_MAX`] segments joined by dots, at most
/// [`TopicName::BYTES_MAX`] bytes; a segment is one or more visible ASCII characters other than
/// `.`, `*` and `>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(SmolStr);

/// What a topic carries, told by its first segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TopicKind {
    /// `trade.…`, `quote.…`, `book.…`, `bar-…`, `status.…`: checked market data.
    Market(Kind),
    /// Anything else: opaque JSON.
    Generic,
}

/// Why a text is no topic name or pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError(String);

impl NameError {
    pub(crate) fn new(text: &str, why: impl fmt::Display) -> Self {
        Self(format!("topic \"{}\" {why}", shown(text)))
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

impl From<NameError> for Rejection {
    fn from(error: NameError) -> Self {
        Self::new(Code::BadTopic, error.0)
    }
}

impl TopicName {
    /// The longest name or pattern, in bytes.
    pub const BYTES_MAX: usize = 255;
    /// The most segments of a name or pattern.
    pub const SEGMENTS_MAX: usize = 16;

    /// Checks `text`.
    ///
    /// # Errors
    /// Says which rule the name breaks, and where.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_segments(text, |segment| match segment {
            "*" | ">" => Err("is a wildcard: a pattern can be subscribed, not published to"),
            _ => Ok(()),
        })?;
        check_market_shape(text)?;
        Ok(Self(text.into()))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// What topics of this name carry.
    #[must_use]
    pub fn kind(&self) -> TopicKind {
        TopicKind::of(&self.0)
    }
}

impl TopicKind {
    /// What topics called `name` carry, whether the name is valid or not.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self::of_first_segment(name.split('.').next().unwrap_or_default())
    }

    pub(crate) fn of_first_segment(segment: &str) -> Self {
        match segment {
            "trade" => TopicKind::Market(Kind::Trade),
            "quote" => TopicKind::Market(Kind::Quote),
            "book" => TopicKind::Market(Kind::Book),
            "status" => TopicKind::Market(Kind::Status),
            bar if bar.starts_with("bar-") => TopicKind::Market(Kind::Bar),
            _ => TopicKind::Generic,
        }
    }
}

/// Checks length, segment count and alphabet; `wildcard` judges each segment that holds a `*` or
/// a `>` and nothing else.
pub(crate) fn check_segments(
    text: &str,
    mut wildcard: impl FnMut(&str) -> Result<(), &'static str>,
) -> Result<(), NameError> {
    let bad = |why: fmt::Arguments<'_>| Err(NameError::new(text, why));
    if text.len() > TopicName::BYTES_MAX {
        return bad(format_args!(
            "has {} bytes; at most {} are allowed",
            text.len(),
            TopicName::BYTES_MAX
        ));
    }
    let segments = text.split('.').count();
    if segments > TopicName::SEGMENTS_MAX {
        return bad(format_args!(
            "has {segments} segments; at most {} are allowed",
            TopicName::SEGMENTS_MAX
        ));
    }
    for (index, segment) in text.split('.').enumerate() {
        let number = index + 1;
        if segment.is_empty() {
            return bad(format_args!(
                "has an empty segment {number}; write non-empty segments joined by single dots"
            ));
        }
        if matches!(segment, "*" | ">") {
            if let Err(why) = wildcard(segment) {
                return bad(format_args!("segment {number} {why}"));
            }
        } else if segment.contains(['*', '>']) {
            return bad(format_args!(
                "segment {number} mixes a wildcard with text; * and > must stand alone"
            ));
        } else if !segment.bytes().all(|byte| byte.is_ascii_graphic()) {
            return bad(format_args!("segment {number} has a character that is not visible ASCII"));
        }
    }
    Ok(())
}

fn check_market_shape(text: &str) -> Result<(), NameError> {
    let mut segments = text.split('.');
    let first = segments.next().unwrap_or_default();
    let (wanted, shape) = match TopicKind::of_first_segment(first) {
        TopicKind::Generic => return Ok(()),
        TopicKind::Market(Kind::Status) => (1, "<venue>"),
        TopicKind::Market(_) => (2, "<venue>.<symbol>"),
    };
    if first == "bar-" {
        return Err(NameError::new(text, "names no interval; write bar-1s.<venue>.<symbol>"));
    }
    if segments.count() < wanted {
        let why = format_args!("is too short; {first} topics are {first}.{shape}");
        return Err(NameError::new(text, why));
    }
    Ok(())
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_kinds() {
        for (name, kind) in [
            ("trade.sim.BTC-USD", TopicKind::Market(Kind::Trade)),
            ("quote.sim.BRK.B", TopicKind::Market(Kind::Quote)),
            ("bar-1s.sim.X", TopicKind::Market(Kind::Bar)),
            ("status.sim", TopicKind::Market(Kind::Status)),
            ("bar", TopicKind::Generic),
            ("trades.x", TopicKind::Generic),
            ("game.42.state", TopicKind::Generic),
            ("!\"#$~", TopicKind::Generic),
        ] {
            assert_eq!(TopicName::parse(name).unwrap().kind(), kind, "{name}");
        }
    }

    #[test]
    fn every_broken_rule_is_named() {
        for (name, part) in [
            ("", "empty segment 1"),
            ("a..b", "empty segment 2"),
            ("a.", "empty segment 2"),
            ("a.*", "segment 2 is a wildcard"),
            (">", "segment 1 is a wildcard"),
            ("a.x*", "segment 2 mixes"),
            ("a b", "not visible ASCII"),
            ("a.é", "not visible ASCII"),
            ("trade.sim", "trade.<venue>.<symbol>"),
            ("status", "status.<venue>"),
            ("bar-.a.b", "names no interval"),
        ] {
            let error = TopicName::parse(name).unwrap_err().to_string();
            assert!(error.contains(part), "{name}: {error}");
        }
        let long = "x".repeat(256);
        assert!(TopicName::parse(&long).unwrap_err().to_string().contains("256 bytes"));
        assert!(TopicName::parse(&long[1..]).is_ok());
        let deep = ["x"; 17].join(".");
        assert!(TopicName::parse(&deep).unwrap_err().to_string().contains("17 segments"));
        assert!(TopicName::parse(&deep[2..]).is_ok());
    }
}
