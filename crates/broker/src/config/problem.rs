//! Where a value came from, and what was wrong with it.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// More problems than a reader will look at are only counted.
const SHOWN_MAX: usize = 50;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The table of settings.
    Default,
    /// A configuration file.
    File {
        /// The file, as the caller named it.
        path: Arc<str>,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
    },
    /// A variable of the environment, by its name.
    Environment(String),
    /// A flag of the command line, by its name with the dashes.
    Flag(&'static str),
}

impl Origin {
    /// Sorts as the layers are read, and a file from top to bottom.
    pub(super) fn rank(&self) -> (u8, usize, usize) {
        match self {
            Self::Default => (0, 0, 0),
            Self::File { line, column, .. } => (1, *line, *column),
            Self::Environment(_) => (2, 0, 0),
            Self::Flag(_) => (3, 0, 0),
        }
    }
}

impl Display for Origin {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(formatter, "default"),
            Self::File { path, line, column } => write!(formatter, "{path}:{line}:{column}"),
            Self::Environment(variable) => write!(formatter, "environment {variable}"),
            Self::Flag(flag) => write!(formatter, "flag {flag}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where to mend it.
    pub origin: Origin,
    /// The setting as `section.key`; empty where none could be made out.
    pub key: String,
    /// The key, the value, what is wrong, and what is allowed.
    pub message: String,
}

impl Display for Problem {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.origin, self.message)
    }
}

/// Everything that is wrong with a configuration, in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.origin.rank());
        Self { problems }
    }

    /// The problems, at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Display for ConfigError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(formatter, "the configuration has a problem:")?,
            many => write!(formatter, "the configuration has {many} problems:")?,
        }
        for problem in self.problems.iter().take(SHOWN_MAX) {
            write!(formatter, "\n  {problem}")?;
        }
        match self.problems.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(formatter, "\n  and {more} more"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A value as an error shows it: on one line, and not at full length.
pub(super) fn excerpt(text: &str) -> String {
    const LENGTH_MAX: usize = 60;
    let text = text.trim();
    let mut shown: String = text
        .chars()
        .take(LENGTH_MAX)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if text.chars().nth(LENGTH_MAX).is_some() {
        shown.push('…');
    }
    shown
}
