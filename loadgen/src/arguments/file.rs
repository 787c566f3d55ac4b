//! Plan files: TOML whose keys are the flags; what the command line says comes first.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, anyhow};
use client::OnSlow;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::RunArguments;

/// Fills each field that the command line does not have from the file.
macro_rules! merged {
    ($said:expr, $file:expr; $($field:ident),* $(,)?) => {
        RunArguments {
            plan_file: None,
            assertions: $file.assertions.iter().chain(&$said.assertions).cloned().collect(),
            $($field: $said.$field.clone().or_else(|| $file.$field.clone()),)*
        }
    };
}

impl RunArguments {
    /// With what the plan file adds; assertions of both are kept.
    ///
    /// # Errors
    /// A file that cannot be read; in it, the line that is not understood, and what may stand
    /// there.
    pub fn with_plan_file(&self) -> anyhow::Result<Self> {
        let Some(path) = &self.plan_file else { return Ok(self.clone()) };
        let file = Self::read(path)?;
        Ok(merged!(self, file;
            url, subscribers, topics_per_subscriber, wildcard_percent, codec, msgpack_percent,
            max_rate, max_rate_percent, on_slow, slow_percent, trickle_percent, trickle_bytes,
            resume_percent, resume_every, storm_percent, storm_at, topics, zipf, rate, rate_to,
            burst, rhythm, recording, data, payload, kinds, depth, seed, verify_every, prefix, publishers,
            seconds, warmup, threads, server_pid, json, report, connect_timeout, drain,
        ))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        // Its own words have the line, the text and what is allowed.
        toml_edit::de::from_str(&text)
            .map_err(|error| anyhow!("{shown}: {}", error.to_string().trim_end()))
    }
}

/// A value that is read from its text.
pub(super) fn parsed<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// Several of them.
pub(super) fn all_parsed<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

/// What to do with the slow.
pub(super) fn on_slow<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<OnSlow>, D::Error> {
    on_slow_named(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// [`OnSlow`] by its word in the protocol.
pub(super) fn on_slow_named(name: &str) -> Result<OnSlow, String> {
    match name {
        "conflate" => Ok(OnSlow::Conflate),
        "disconnect" => Ok(OnSlow::Disconnect),
        _ => Err(format!("\"{name}\" is neither conflate nor disconnect")),
    }
}
