//! Reading a TOML file into the settings, with the place of each mistake.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml_edit::{Item, Key, TableLike};

use super::loader::{Loader, Origins};
use super::lookup;
use super::problem::{Origin, excerpt};
use super::raw::Raw;
use super::settings::{Config, FEED, Feed};
use super::syntax;
use super::table::Section;

/// Takes a file into `loader`.
pub(super) fn read(loader: &mut Loader, path: &str, content: &[u8]) {
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(error) => {
            let place = Place::new(path, &String::from_utf8_lossy(&content[..error.valid_up_to()]));
            let origin = place.origin(place.text.len());
            return loader.problem(origin, "", "not UTF-8; allowed: text in UTF-8".to_owned());
        }
    };
    let place = Place::new(path, text);
    let (document, mistakes) = syntax::parse(text);
    for mistake in mistakes {
        loader.problem(place.origin(mistake.offset), &mistake.key, mistake.message);
    }
    if let Some(document) = document {
        Reader { loader, place }.root(document.as_table());
    }
}

/// A table with where it stands.
type Placed<'a> = (Option<Range<usize>>, &'a dyn TableLike);

/// Turns offsets in a file into lines and columns.
struct Place {
    path: Arc<str>,
    text: String,
}

impl Place {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.to_owned() }
    }

    fn origin(&self, offset: usize) -> Origin {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Origin::File {
            path: Arc::clone(&self.path),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn of_key(&self, key: &Key) -> Origin {
        self.origin(key.span().map_or(0, |span| span.start))
    }

    /// Where a value stands; where it has no place of its own, that of its key.
    fn of_value(&self, key: &Key, item: &Item) -> Origin {
        self.origin(item.span().or_else(|| key.span()).map_or(0, |span| span.start))
    }

    /// A value as it is written.
    fn written(&self, span: Option<Range<usize>>) -> &str {
        span.and_then(|span| self.text.get(span)).unwrap_or("")
    }
}

struct Reader<'a> {
    loader: &'a mut Loader,
    place: Place,
}

impl Reader<'_> {
    fn root(&mut self, root: &dyn TableLike) {
        for (key, item) in entries(root) {
            let name = key.get();
            if name == FEED.name {
                self.feeds(key, item);
            } else if let Some(section) = lookup::section(name) {
                match item.as_table_like() {
                    Some(table) => self.section(section, table),
                    None => self.not_a_section(key, item, &format!("[{name}]")),
                }
            } else if item.is_value() && !item.is_inline_table() {
                let shown = excerpt(self.place.written(item.span()));
                let message = format!("{name} = {shown}: {}", lookup::outside(name));
                self.loader.problem(self.place.of_key(key), name, message);
            } else {
                let message = format!("[{name}]: {}", lookup::unknown_section(name));
                self.loader.problem(self.place.of_key(key), name, message);
            }
        }
    }

    fn section(&mut self, section: &'static Section<Config>, table: &dyn TableLike) {
        for (key, item) in entries(table) {
            let shown = self.place.written(item.span());
            let raw = Raw::from_item(item);
            // An unknown key is wrong where it stands, a known one where its value does.
            let known = section.settings.iter().any(|setting| setting.key == key.get());
            let origin =
                if known { self.place.of_value(key, item) } else { self.place.of_key(key) };
            self.loader.apply(section.name, key.get(), &raw, shown, origin);
        }
    }

    /// The feeds of the file take the place of the default ones.
    fn feeds(&mut self, key: &Key, item: &Item) {
        let tables: Vec<Placed<'_>> = if let Some(tables) = item.as_array_of_tables() {
            tables.iter().map(|table| (table.span(), table as &dyn TableLike)).collect()
        } else if let Some(list) = item.as_array().filter(|list| !list.is_empty()) {
            let inline: Vec<_> = list.iter().filter_map(|value| value.as_inline_table()).collect();
            if inline.len() < list.len() {
                return self.not_a_section(key, item, "[[feed]]");
            }
            inline.into_iter().map(|table| (table.span(), table as &dyn TableLike)).collect()
        } else if item.as_array().is_some() {
            let message = "feed = []: no feed at all; allowed: one or more [[feed]] tables, or \
                           server.feeds = false for a broker without feeds";
            return self.loader.problem(self.place.of_key(key), "feed", message.to_owned());
        } else {
            return self.not_a_section(key, item, "[[feed]]");
        };
        self.loader.config.feeds.clear();
        for (span, table) in tables {
            self.feed(span, table);
        }
    }

    fn feed(&mut self, span: Option<Range<usize>>, table: &dyn TableLike) {
        let index = self.loader.config.feeds.len();
        let header = self.place.origin(span.map_or(0, |span| span.start));
        self.loader.origins.set(Origins::feed_path(index, ""), header);
        let mut feed = Feed::default();
        let mut set = Vec::new();
        let mut refused = false;
        for (key, item) in entries(table) {
            let name = key.get();
            let path = format!("{}.{name}", FEED.name);
            // Whoever misspells `password` has written one all the same.
            let written =
                if name.contains("pas") { "…" } else { self.place.written(item.span()) };
            let shown = excerpt(written);
            let Some(setting) = FEED.settings.iter().find(|setting| setting.key == name) else {
                let why = lookup::unknown_key(FEED.name, &lookup::keys(&FEED), name);
                let origin = self.place.of_key(key);
                self.loader.problem(origin, &path, format!("{path} = {shown}: {why}"));
                continue;
            };
            let origin = self.place.of_value(key, item);
            match (setting.read)(&mut feed, &Raw::from_item(item)) {
                Ok(()) => {
                    set.push(setting.key);
                    self.loader.origins.set(Origins::feed_path(index, name), origin);
                }
                Err(reason) => {
                    refused |= matches!(name, "venue" | "adapter" | "format");
                    let allowed = (setting.allowed)();
                    let message = format!("{path} = {shown}: {reason}; allowed: {allowed}");
                    self.loader.problem(origin, &path, message);
                }
            }
        }
        // A file with relative names may be used from anywhere.
        if let Some(folder) = Path::new(&*self.place.path).parent() {
            for file in &mut feed.files {
                *file = folder.join(&*file);
            }
        }
        feed.settle(|key| set.contains(&key));
        // The default in its place could be taken for that of another feed, or not go with the
        // rest of this one.
        if !refused {
            self.loader.config.feeds.push(feed);
        }
    }

    fn not_a_section(&mut self, key: &Key, item: &Item, header: &str) {
        let name = key.get();
        let shown = excerpt(self.place.written(item.span()));
        let message =
            format!("{name} = {shown}: not a section; allowed: {header} and keys below it");
        self.loader.problem(self.place.of_key(key), name, message);
    }
}

/// The entries of a table with their keys' places.
fn entries(table: &dyn TableLike) -> impl Iterator<Item = (&Key, &Item)> {
    table.iter().filter_map(|(name, _)| table.get_key_value(name))
}
