//! What is wrong with a file that is not TOML, line by line.
//!
//! The parser stops at the first mistake, and the mistakes that people make are `20s` and
//! `info` without quotes, many of them in a file. So a line that is wrong on its own is
//! reported, blanked and passed over.

use std::ops::Range;

use toml_edit::Document;

use super::lookup;
use super::problem::excerpt;

/// Each mistake costs another pass over the file.
const MISTAKES_MAX: usize = 100;

/// What the parser says of a key that it has seen before.
const DUPLICATE: &str = "duplicate key";

/// A place that is not TOML.
pub(super) struct Mistake {
    /// In bytes from the beginning of the file.
    pub(super) offset: usize,
    /// `section.key` where they could be made out.
    pub(super) key: String,
    /// What to say of it.
    pub(super) message: String,
}

/// The document, as far as it can be read, and what had to be left out. No document means that
/// the last mistake made the rest unreadable.
pub(super) fn parse(text: &str) -> (Option<Document<String>>, Vec<Mistake>) {
    let mut rest = text.to_owned();
    let mut mistakes = Vec::new();
    loop {
        let error = match Document::parse(rest.clone()) {
            Ok(document) => return (Some(document), mistakes),
            Err(error) => error,
        };
        let offset = error.span().map_or(0, |span| span.start).min(text.len());
        let line = line_at(&rest, offset);
        let content = rest.get(line.clone()).unwrap_or_default().to_owned();
        mistakes.push(describe(text, offset, &content, error.message()));
        if mistakes.len() >= MISTAKES_MAX || !can_pass_over(&content, error.message()) {
            return (None, mistakes);
        }
        // As many bytes as before, so that every later offset stays right.
        rest.replace_range(line.clone(), &" ".repeat(line.len()));
    }
}

fn line_at(text: &str, offset: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let start = bytes[..offset].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    // A line break that is itself the mistake belongs to the line that it ends.
    let end = bytes[offset..].iter().position(|&byte| byte == b'\n');
    let end = end.map_or(bytes.len(), |at| offset + at);
    start..end
}

/// Whether the rest of the file can be read without the line.
///
/// It can where the line is wrong whatever stands around it. One that is good on its own was
/// made wrong by an earlier one, and to pass it over would only raise false alarms; unless it
/// merely says again what an earlier one said.
fn can_pass_over(line: &str, reason: &str) -> bool {
    let Some((_, value)) = split(line) else { return false };
    let spans_lines = ["[", "{", "\"\"\"", "'''"].iter().any(|open| value.starts_with(open));
    !spans_lines && (reason == DUPLICATE || Document::parse(line).is_err())
}

fn describe(text: &str, offset: usize, line: &str, reason: &str) -> Mistake {
    let nameless = || Mistake {
        offset,
        key: String::new(),
        message: format!("{}: not TOML ({reason})", excerpt(line)),
    };
    let Some((key, value)) = split(line) else { return nameless() };
    let Some(section) = section_before(text, offset) else { return nameless() };
    let bare = value.split('#').next().unwrap_or_default().trim();
    let Some((allowed, good_in_quotes)) = lookup::judge_text(section, key, bare) else {
        return nameless();
    };
    let why = if reason == DUPLICATE {
        format!("the second value in this file; allowed: one value, {allowed}")
    } else if Document::parse(line).is_ok() {
        format!("not TOML ({reason}); the mistake may lie in a line above")
    } else if good_in_quotes {
        format!("not TOML, for it needs quotes: \"{bare}\"; allowed: {allowed}")
    } else {
        format!("not TOML ({reason}); allowed: {allowed}")
    };
    let key = format!("{section}.{key}");
    Mistake { offset, message: format!("{key} = {}: {why}", excerpt(value)), key }
}

/// The key and the value of a line that has both.
fn split(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let bare = !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    bare.then(|| (key, value.trim()))
}

/// The name in the last header above a place.
fn section_before(text: &str, offset: usize) -> Option<&str> {
    let header = text.get(..offset)?.lines().rev().find(|line| line.trim().starts_with('['))?;
    let name = header.trim().trim_start_matches('[');
    Some(name.split_once(']')?.0.trim())
}
