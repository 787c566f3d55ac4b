//! What may be subscribed: one topic, or a pattern with `*` (one segment) and `>` (the rest).

use std::fmt;
use std::sync::Arc;

use crate::TopicName;
use crate::name::{NameError, check_segments};

/// A valid pattern with at least one wildcard. `*` stands for exactly one segment, `>` for one or
/// more and only at the end, as in NATS.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Arc<str>);

/// One topic or all topics of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Exactly this topic.
    Topic(TopicName),
    /// Every topic that matches, now and later.
    Pattern(Pattern),
}

impl Filter {
    /// Checks `text`: a pattern if a segment of it is `*` or `>`, else a topic name.
    ///
    /// # Errors
    /// Says which rule is broken, and where.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.split('.').any(|segment| matches!(segment, "*" | ">")) {
            Pattern::parse(text).map(Self::Pattern)
        } else {
            TopicName::parse(text).map(Self::Topic)
        }
    }

    /// Whether the topic called `name` is meant.
    #[must_use]
    pub fn covers(&self, name: &TopicName) -> bool {
        match self {
            Self::Topic(topic) => topic == name,
            Self::Pattern(pattern) => pattern.matches(name),
        }
    }
}

impl Pattern {
    /// Checks `text`. A text without a wildcard is a pattern too: that of one topic.
    ///
    /// # Errors
    /// Says which rule is broken, and where.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_segments(text, |_| Ok(()))?;
        let before_last = text.rsplit_once('.').map_or("", |(before, _)| before);
        if before_last.split('.').any(|segment| segment == ">") {
            return Err(NameError::new(
                text,
                "has a > before its end; > stands for the rest and must be last",
            ));
        }
        Ok(Self(text.into()))
    }

    /// The whole pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, in order, wildcards among them.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// Whether some name could be covered by both patterns.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.segments(), other.segments());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
                (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
                _ => return false,
            }
        }
    }

    /// Whether the pattern covers `name`.
    #[must_use]
    pub fn matches(&self, name: &TopicName) -> bool {
        let mut names = name.segments();
        for segment in self.segments() {
            match (segment, names.next()) {
                (">", found) => return found.is_some(),
                ("*", Some(_)) => {}
                (segment, Some(found)) if segment == found => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_nats() {
        for (pattern, name, expected) in [
            ("quote.*.BTC", "quote.sim.BTC", true),
            ("quote.*", "quote.sim.BTC", false),
            ("quote.>", "quote.sim.BTC", true),
            ("quote.sim.BTC.>", "quote.sim.BTC", false),
            (">", "a", true),
            ("*", "a", true),
            ("*", "a.b", false),
            ("*.b.>", "a.b.c.d", true),
        ] {
            let name = TopicName::parse(name).unwrap();
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(&name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn a_tail_must_be_last() {
        for text in [">.a", "a.>.>", "a.>.*", "a.>.b.>"] {
            let error = Filter::parse(text).unwrap_err().to_string();
            assert!(error.contains("last"), "{text}: {error}");
        }
        assert!(Filter::parse("a.x*").unwrap_err().to_string().contains("mixes"));
        assert!(matches!(Filter::parse("a.b"), Ok(Filter::Topic(_))));
        assert!(matches!(Filter::parse("a.*"), Ok(Filter::Pattern(_))));
    }
}
