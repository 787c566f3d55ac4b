//! The settings explained: the reference file, and the tables of the manual.

use std::fmt::Write as _;

use super::feed_keys::means_something;
use super::settings::{Config, FEED, SECTIONS};
use super::table::Section;

const WIDTH: usize = 96;

const HEAD: &str = "\
# Every setting of tickwire, each with its default. What is left out of a file has its default, \
so a file needs only what differs.
#
# Each setting (but not the feeds) can also be set by a variable of the environment, \
TICKWIRE__SECTION__KEY, which wins over the file; flags of the command line win over both. \
`tickwire check-config FILE` checks a file and shows what is in force and where it came from.
#
# Times are written like \"500ms\", \"20s\", \"10m\", \"1h\"; sizes like 4096, \"64KiB\", \"1MiB\".
";

/// The reference file, `config/tickwire.toml`: every setting with its default and what it means.
#[must_use]
pub fn reference_toml() -> String {
    let config = Config::default();
    let mut output = String::new();
    for line in HEAD.lines() {
        comment(&mut output, line.trim_start_matches(['#', ' ']));
    }
    for section in SECTIONS {
        output.push('\n');
        comment(&mut output, section.doc);
        // Writing to a string cannot fail.
        _ = writeln!(output, "[{}]", section.name);
        explained(&mut output, section, &config, |_| true);
    }
    output.push('\n');
    comment(&mut output, FEED.doc);
    comment(&mut output, "A file with any of these tables has none of the default feeds.");
    for (index, feed) in config.feeds.iter().enumerate() {
        if index == 0 {
            _ = writeln!(output, "[[{}]]", FEED.name);
            comment(&mut output, "Keys behind a # mean nothing for this adapter.");
            explained(&mut output, &FEED, feed, |key| means_something(feed, key));
            continue;
        }
        _ = writeln!(output, "\n[[{}]]", FEED.name);
        for setting in FEED.settings.iter().filter(|row| means_something(feed, row.key)) {
            _ = writeln!(output, "{} = {}", setting.key, (setting.show)(feed));
        }
    }
    output
}

fn explained<T>(
    output: &mut String,
    section: &Section<T>,
    values: &T,
    in_force: impl Fn(&str) -> bool,
) {
    for (index, setting) in section.settings.iter().enumerate() {
        if index > 0 {
            output.push('\n');
        }
        comment(output, setting.doc);
        comment(output, &format!("Allowed: {}.", (setting.allowed)()));
        let mark = if in_force(setting.key) { "" } else { "#" };
        _ = writeln!(output, "{mark}{} = {}", setting.key, (setting.show)(values));
    }
}

/// A paragraph as comment lines of bearable length.
fn comment(output: &mut String, text: &str) {
    let mut line = "#".to_owned();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            _ = writeln!(output, "{line}");
            line = "#".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    _ = writeln!(output, "{line}");
}

/// The tables of `docs/configuration.md`, in Markdown.
#[must_use]
pub fn reference_tables() -> String {
    let config = Config::default();
    let mut output = String::new();
    for section in SECTIONS {
        markdown(&mut output, &format!("[{}]", section.name), section, &config);
    }
    if let Some(feed) = config.feeds.first() {
        markdown(&mut output, &format!("[[{}]]", FEED.name), &FEED, feed);
    }
    output
}

fn markdown<T>(output: &mut String, header: &str, section: &Section<T>, values: &T) {
    _ = writeln!(output, "\n### `{header}`\n\n{}\n", section.doc);
    _ = writeln!(output, "| key | default | what it does | allowed |\n|---|---|---|---|");
    for setting in section.settings {
        _ = writeln!(
            output,
            "| `{}` | `{}` | {} | {} |",
            setting.key,
            (setting.show)(values),
            // A `*` of a pattern would begin italics.
            setting.doc.replace('|', "\\|"),
            (setting.allowed)().replace('|', "\\|").replace('*', "\\*"),
        );
    }
}
