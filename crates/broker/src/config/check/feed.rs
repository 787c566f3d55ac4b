//! What a feed's keys must have together: each means something for its adapter, and nothing that
//! the adapter needs is missing.

use feeds::venue::Venue;

use super::{address, refused};
use crate::config::adapter::{FeedAdapter, Format};
use crate::config::feed_keys::{means_something, needs_symbol, takers, why_not};
use crate::config::loader::{Loader, Origins};
use crate::config::problem::{Origin, excerpt};
use crate::config::rule::Symbols;
use crate::config::settings::{FEED, Feed};

/// Levels a side of a simulated book, at most.
const SIMULATED_DEPTH_MAX: usize = 500;

/// A key, and what is wrong with it.
pub(super) type Wrong = (&'static str, String);

/// Adds a problem for each key of a feed that does not go with the rest of it.
pub(super) fn each(loader: &mut Loader) {
    let mut problems = Vec::new();
    for (index, feed) in loader.config.feeds.iter().enumerate() {
        let origin = |key: &str| loader.origins.get(&Origins::feed_path(index, key));
        let is_set = |key: &str| !matches!(origin(key), Origin::Default);
        // What was refused is the default here, and tells nothing.
        let known = |key: &str| is_set(key) || !refused(loader, &[&format!("{}.{key}", FEED.name)]);
        let mut wrong: Vec<Wrong> = FEED
            .settings
            .iter()
            .filter(|row| is_set(row.key) && !means_something(feed, row.key))
            // The columns tell whether there is one for the symbol.
            .filter(|row| row.key != "symbols" || known("columns"))
            .map(|row| (row.key, nothing(feed, row.key, &(row.show)(feed))))
            .collect();
        let said: Vec<&str> = wrong.iter().map(|(key, _)| *key).collect();
        let more = match feed.adapter {
            FeedAdapter::Sim => simulated(feed),
            FeedAdapter::Venue(venue) => of_venue(feed, venue),
            FeedAdapter::Replay => replayed(feed),
        };
        wrong.extend(more.into_iter().filter(|(key, _)| !said.contains(key) && known(key)));
        for (key, message) in wrong {
            let place = match origin(key) {
                Origin::Default => origin(""),
                set => set,
            };
            problems.push((place, format!("{}.{key}", FEED.name), message));
        }
    }
    for (origin, key, message) in problems {
        loader.problem(origin, &key, message);
    }
}

fn nothing(feed: &Feed, key: &str, shown: &str) -> String {
    let of = match (feed.adapter, key) {
        // It is the format that has no use for it.
        (FeedAdapter::Replay, "columns" | "symbols" | "depth" | "date") => {
            format!("\"replay\" of the format \"{}\"", feed.format.name())
        }
        (adapter, _) => format!("the adapter \"{}\"", adapter.name()),
    };
    let why = why_not(feed, key).map_or(String::new(), |why| format!(", as {why}"));
    format!(
        "feed.{key} = {}: means nothing for {of}{why}; allowed with: {}",
        excerpt(shown),
        takers(key)
    )
}

fn simulated(feed: &Feed) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if let Symbols::Listed(list) = &feed.symbols {
        let why = "a list, and a simulated exchange makes up its own; allowed for sim: how many";
        let shown = excerpt(&format!("{list:?}"));
        wrong.push(("symbols", format!("feed.symbols = {shown}: {why}")));
    } else if feed.depth > SIMULATED_DEPTH_MAX {
        let why = format!("too large; allowed for sim: 0 to {SIMULATED_DEPTH_MAX}");
        wrong.push(("depth", format!("feed.depth = {}: {why}", feed.depth)));
    }
    wrong
}

fn of_venue(feed: &Feed, venue: Venue) -> Vec<Wrong> {
    let name = venue.name();
    if !venue.is_live() {
        let why = "read from files and captured packets only, so that it cannot be a live feed";
        let instead = format!("adapter = \"replay\" with format = \"{name}\"");
        return vec![("adapter", format!("feed.adapter = \"{name}\": {why}; allowed: {instead}"))];
    }
    let mut wrong = Vec::new();
    match &feed.symbols {
        Symbols::Count(count) => {
            let why = format!("a venue must be told which; allowed for {name}: a list");
            wrong.push(("symbols", format!("feed.symbols = {count}: {why}")));
        }
        Symbols::Listed(list) if list.len() > feed.symbols_max => {
            let (many, max) = (list.len(), feed.symbols_max);
            let why = format!("more than feed.symbols_max, {max}; allowed: at most so many");
            wrong.push(("symbols", format!("feed.symbols: {many} symbols: {why}")));
        }
        Symbols::Listed(_) => {}
    }
    if feed.on_demand && venue.gives_all_symbols() && feed.symbols.listed().is_empty() {
        let why = "only named symbols can follow demand; allowed: false, or feed.symbols";
        wrong.push(("on_demand", format!("feed.on_demand = true: {why}")));
    }
    wrong.extend(depth(feed, venue));
    wrong.extend(address::wrong(feed, venue));
    wrong
}

fn depth(feed: &Feed, venue: Venue) -> Option<Wrong> {
    let depths = venue.depths();
    let message = || {
        format!("feed.depth = {}: too large; allowed for {}: {depths}", feed.depth, venue.name())
    };
    (feed.depth > 0 && !depths.cover(feed.depth)).then(|| ("depth", message()))
}

fn replayed(feed: &Feed) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if feed.files.is_empty() {
        let what = "feed.files: there are none to replay; allowed: one or more names of files";
        wrong.push(("files", what.to_owned()));
    }
    if feed.format == Format::Csv && feed.columns.is_none() {
        let what = "feed.columns: missing, and the format \"csv\" has none of its own; allowed: a \
                    table [feed.columns] below the feed, or a format of known columns";
        wrong.push(("columns", what.to_owned()));
    }
    if needs_symbol(feed) && feed.symbols.listed().len() != 1 {
        let what = "feed.symbols: no column has the symbol, so it must be told here; allowed: a \
                    list of one symbol, such as [\"EUR-USD\"], or feed.columns.symbol";
        wrong.push(("symbols", what.to_owned()));
    }
    if let Format::Session(venue) = feed.format {
        wrong.extend(depth(feed, venue));
    }
    wrong
}
