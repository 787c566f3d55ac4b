//! The rules for a login: words of a few characters, one of them secret.

use std::fmt;

use feeds::venue::itch::Login;
use toml_edit::Value;

use super::Rule;
use crate::config::raw::Raw;

/// What stands for a secret wherever it would be shown.
const HIDDEN: &str = "…";

/// A word that is not to be seen.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// The word itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { HIDDEN })
    }
}

/// A word of so many characters at most.
pub(in crate::config) struct Word(usize);

/// At most `length` characters, none of them a space.
pub(in crate::config) fn word(length: usize) -> Word {
    Word(length)
}

impl Rule for Word {
    type Value = String;

    fn read(&self, raw: &Raw) -> Result<String, String> {
        let text = raw.text().ok_or_else(|| raw.mismatch("a string"))?;
        Login::check(text, self.0).map_err(|problem| problem.to_string())?;
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        Value::from(value).to_string()
    }

    fn allowed(&self) -> String {
        format!("at most {} letters, digits or signs of ASCII", self.0)
    }
}

/// The same, never shown.
pub(in crate::config) struct SecretWord(Word);

/// At most `length` characters, none of them a space, that are never shown.
pub(in crate::config) fn secret(length: usize) -> SecretWord {
    SecretWord(word(length))
}

impl Rule for SecretWord {
    type Value = Secret;

    fn read(&self, raw: &Raw) -> Result<Secret, String> {
        self.0.read(raw).map(Secret)
    }

    /// This one time not what reading would give back.
    fn show(&self, value: &Secret) -> String {
        let shown = if value.0.is_empty() { "" } else { HIDDEN };
        format!("\"{shown}\"")
    }

    fn allowed(&self) -> String {
        self.0.allowed()
    }
}
