//! Finding a setting by its name, and the name that was probably meant.

use super::raw::Raw;
use super::settings::{Config, FEED, Feed, SECTIONS};
use super::table::{Section, Setting};

/// The section of that name.
pub(super) fn section(name: &str) -> Option<&'static Section<Config>> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// The setting of that section and key, or what to say because there is none.
pub(super) fn setting(section_name: &str, key: &str) -> Result<&'static Setting<Config>, String> {
    let section = section(section_name).ok_or_else(|| unknown_section(section_name))?;
    let found = section.settings.iter().find(|setting| setting.key == key);
    found.ok_or_else(|| unknown_key(section.name, &keys(section), key))
}

/// What may be written for a setting, a feed's included, and whether `text` as a string would
/// be; nothing where the setting does not exist.
pub(super) fn judge_text(section_name: &str, key: &str, text: &str) -> Option<(String, bool)> {
    let raw = Raw::Text(text.to_owned());
    if section_name == FEED.name {
        let setting = FEED.settings.iter().find(|setting| setting.key == key)?;
        let good = (setting.read)(&mut Feed::default(), &raw).is_ok();
        return Some(((setting.allowed)(), good));
    }
    let setting = setting(section_name, key).ok()?;
    let good = (setting.read)(&mut Config::default(), &raw).is_ok();
    Some(((setting.allowed)(), good))
}

/// The keys of a section, in order.
pub(super) fn keys<T>(section: &Section<T>) -> Vec<&'static str> {
    section.settings.iter().map(|setting| setting.key).collect()
}

/// What to say of a section that does not exist.
pub(super) fn unknown_section(name: &str) -> String {
    let names = section_names();
    let hint = match nearest(name, &names) {
        Some(meant) => format!("did you mean {meant}? "),
        None => String::new(),
    };
    format!("unknown section; {hint}allowed: {}", names.join(", "))
}

/// What to say of a key that stands outside of all sections.
pub(super) fn outside(name: &str) -> String {
    let hint = match elsewhere(name) {
        Some(meant) => format!("did you mean {meant}? "),
        None => String::new(),
    };
    let names = section_names().join(", ");
    format!("outside of all sections; {hint}allowed: keys in the sections {names}")
}

fn section_names() -> Vec<&'static str> {
    SECTIONS.iter().map(|section| section.name).chain([FEED.name]).collect()
}

/// What to say of a key that its section does not have.
pub(super) fn unknown_key(section: &str, keys: &[&'static str], key: &str) -> String {
    let meant = nearest(key, keys).map(|near| format!("{section}.{near}"));
    let hint = match meant.or_else(|| elsewhere(key)) {
        Some(meant) => format!("did you mean {meant}? "),
        None => String::new(),
    };
    format!("unknown key; {hint}allowed in {section}: {}", keys.join(", "))
}

/// A key of that name in any section, as `section.key`.
pub(super) fn elsewhere(key: &str) -> Option<String> {
    let mut all = SECTIONS.iter().map(|section| (section.name, keys(section)));
    all.find_map(|(name, keys)| nearest(key, &keys).map(|near| format!("{name}.{near}")))
}

/// The candidate that differs by a slip of the keyboard.
fn nearest(name: &str, candidates: &[&'static str]) -> Option<&'static str> {
    let name = name.to_lowercase().replace('-', "_");
    let distance = |candidate: &str| strsim::damerau_levenshtein(&name, candidate);
    let near = candidates.iter().copied().min_by_key(|candidate| distance(candidate))?;
    // A third of the letters wrong is another word.
    (distance(near) <= near.len().div_ceil(4)).then_some(near)
}
