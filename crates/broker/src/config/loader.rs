//! The layers of a configuration, one set over the other.

use std::collections::BTreeMap;

use super::lookup;
use super::problem::{ConfigError, Origin, Problem, excerpt};
use super::raw::Raw;
use super::settings::{Config, FEED};
use super::{check, file, render};

const PREFIX: &str = "TICKWIRE__";

/// Takes in one layer after the other and collects what is wrong with them.
#[derive(Debug, Default)]
pub struct Loader {
    pub(super) config: Config,
    pub(super) origins: Origins,
    pub(super) problems: Vec<Problem>,
}

/// A checked configuration that knows where each of its values came from.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The values.
    pub config: Config,
    origins: Origins,
}

impl Effective {
    /// The whole configuration as TOML, each value with its origin in a comment.
    #[must_use]
    pub fn to_toml(&self) -> String {
        render::effective(&self.config, &self.origins)
    }

    /// Where the value of `section.key` came from.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.get(path)
    }
}

/// The origin of each value that is not a default, by `section.key`.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    pub(super) fn get(&self, path: &str) -> Origin {
        self.0.get(path).cloned().unwrap_or(Origin::Default)
    }

    pub(super) fn set(&mut self, path: String, origin: Origin) {
        self.0.insert(path, origin);
    }

    /// The name under which the origin of a feed's key is kept.
    pub(super) fn feed_path(index: usize, key: &str) -> String {
        format!("{}.{index}.{key}", FEED.name)
    }
}

impl Loader {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a TOML file that the caller has read; `path` is how errors name it.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        file::read(self, path, content);
    }

    /// Takes in the environment, of which only `TICKWIRE__SECTION__KEY` counts, in capitals or
    /// not. A variable of that prefix that sets nothing is a problem: it is a slip that would
    /// otherwise go unseen.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let mut ours: Vec<(String, String)> = variables
            .into_iter()
            .filter(|(name, _)| {
                name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
            })
            .collect();
        // The system gives them in no particular order, the errors should have one.
        ours.sort();
        let mut seen = BTreeMap::new();
        for (variable, value) in ours {
            let path = variable[PREFIX.len()..].to_lowercase();
            let Some((section, key)) = path.split_once("__") else {
                let hint = match lookup::elsewhere(&path) {
                    Some(meant) => format!("{PREFIX}{}", meant.replace('.', "__").to_uppercase()),
                    None => format!("the form {PREFIX}SECTION__KEY"),
                };
                let message = format!("value {}: no section; allowed: {hint}", excerpt(&value));
                self.problem(Origin::Environment(variable), "", message);
                continue;
            };
            if let Some(other) = seen.insert(path.clone(), variable.clone()) {
                let message = format!("{section}.{key} is set by {other} too; keep one of them");
                self.problem(Origin::Environment(variable), "", message);
                continue;
            }
            if section == FEED.name {
                let message = "feeds are set up in the file only, in [[feed]] tables".to_owned();
                self.problem(Origin::Environment(variable), "", message);
                continue;
            }
            self.assign(section, key, &value, Origin::Environment(variable));
        }
    }

    /// Sets one value, given as `section.key`, over all layers before it; for flags.
    pub fn set(&mut self, path: &str, value: &str, origin: Origin) {
        let (section, key) = path.split_once('.').unwrap_or((path, ""));
        self.assign(section, key, value, origin);
    }

    fn assign(&mut self, section: &str, key: &str, value: &str, origin: Origin) {
        self.apply(section, key, &Raw::Bare(value.to_owned()), value, origin);
    }

    /// Reads `raw`, written as `shown`, into a setting.
    pub(super) fn apply(
        &mut self,
        section: &str,
        key: &str,
        raw: &Raw,
        shown: &str,
        origin: Origin,
    ) {
        let path = format!("{section}.{key}");
        let problem = match lookup::setting(section, key) {
            Err(message) => message,
            Ok(setting) => match (setting.read)(&mut self.config, raw) {
                Ok(()) => return self.origins.set(path, origin),
                Err(reason) => format!("{reason}; allowed: {}", (setting.allowed)()),
            },
        };
        let message = format!("{path} = {}: {problem}", excerpt(shown));
        self.problem(origin, &path, message);
    }

    pub(super) fn problem(&mut self, origin: Origin, key: &str, message: String) {
        self.problems.push(Problem { origin, key: key.to_owned(), message });
    }

    /// The configuration, once all layers are in.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any layer, and with values that do not go together.
    pub fn finish(mut self) -> Result<Effective, ConfigError> {
        check::together(&mut self);
        if self.problems.is_empty() {
            Ok(Effective { config: self.config, origins: self.origins })
        } else {
            Err(ConfigError::new(self.problems))
        }
    }
}
