//! The effective configuration as TOML: what `tickwire check-config` prints.

use std::fmt::Write as _;

use super::feed_keys::means_something;
use super::loader::Origins;
use super::problem::Origin;
use super::settings::{Config, FEED, SECTIONS};

/// Every value with where it came from.
pub(super) fn effective(config: &Config, origins: &Origins) -> String {
    let mut output = String::new();
    for section in SECTIONS {
        let rows = section.settings.iter().map(|setting| {
            let origin = origins.get(&format!("{}.{}", section.name, setting.key));
            (setting.key, (setting.show)(config), origin)
        });
        block(&mut output, &format!("[{}]", section.name), rows.collect());
    }
    for (index, feed) in config.feeds.iter().enumerate() {
        let settings = FEED.settings.iter().filter(|row| means_something(feed, row.key));
        let rows = settings.map(|setting| {
            let origin = origins.get(&Origins::feed_path(index, setting.key));
            (setting.key, (setting.show)(feed), origin)
        });
        block(&mut output, &format!("[[{}]]", FEED.name), rows.collect());
    }
    output
}

fn block(output: &mut String, header: &str, rows: Vec<(&str, String, Origin)>) {
    let rows: Vec<(String, Origin)> =
        rows.into_iter().map(|(key, value, origin)| (format!("{key} = {value}"), origin)).collect();
    let width = rows.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    if !output.is_empty() {
        output.push('\n');
    }
    // Writing to a string cannot fail.
    _ = writeln!(output, "{header}");
    for (line, origin) in rows {
        _ = writeln!(output, "{line:width$}  # {}", comment(&origin));
    }
}

/// An origin without what would end a comment; a column helps nobody who reads a good value.
fn comment(origin: &Origin) -> String {
    let text = match origin {
        Origin::File { path, line, .. } => format!("{path}:{line}"),
        other => other.to_string(),
    };
    text.replace(char::is_control, " ")
}
