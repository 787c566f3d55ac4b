//! Which key of a feed means something for which adapter.

use feeds::adapter::DeskOptions;
use feeds::replay::{Cell, Mapping};
use feeds::venue::itch::Framing;
use feeds::venue::{Depths, Venue};

use super::adapter::{FeedAdapter, Format};
use super::settings::Feed;

/// The one venue that wants a login.
const SOUP: Venue = Venue::Itch(Framing::Soup);

/// Whether `key` does anything for that feed.
pub(super) fn means_something(feed: &Feed, key: &str) -> bool {
    let (sim, replay) = (feed.adapter == FeedAdapter::Sim, feed.adapter == FeedAdapter::Replay);
    let venue = match feed.adapter {
        FeedAdapter::Venue(venue) => Some(venue),
        _ => None,
    };
    // Whose session is replayed.
    let recorded = match feed.format {
        Format::Session(venue) if replay => Some(venue),
        _ => None,
    };
    match key {
        "adapter" | "venue" => true,
        "symbols" => !replay || needs_symbol(feed),
        "depth" => sim || venue.or(recorded).is_some_and(|venue| venue.depths().most() > 0),
        "streams" | "url" | "on_demand" | "linger" => venue.is_some(),
        "rest_url" => venue.is_some_and(has_rest),
        "symbols_max" => !sim,
        "updates_per_second" => sim,
        "seed" => !replay,
        "files" | "format" | "speed" => replay,
        "columns" => replay && feed.format == Format::Csv,
        "date" => matches!(recorded, Some(Venue::Itch(_))) || venue == Some(SOUP),
        "username" | "password" | "session" | "sequence" => venue == Some(SOUP),
        _ => true,
    }
}

/// The feeds for which `key` means something, for a person.
pub(super) fn takers(key: &str) -> String {
    const EACH_VENUE: &str = "the adapter of any venue";
    let names = |wanted: &dyn Fn(Venue) -> bool| {
        let names = Venue::ALL.iter().filter(|(venue, _)| wanted(*venue));
        names.map(|(_, name)| format!("{name:?}")).collect::<Vec<_>>().join(", ")
    };
    match key {
        "symbols" => format!(
            "\"sim\", {EACH_VENUE}, and \"replay\" of the format \"csv\" where no column has the \
             symbol; other recordings bring their own"
        ),
        "depth" => format!("\"sim\", and {}", names(&|venue| venue.depths().most() > 0)),
        "rest_url" => names(&has_rest),
        "symbols_max" => format!("{EACH_VENUE}, and \"replay\""),
        "seed" => format!("\"sim\", and {EACH_VENUE}"),
        "updates_per_second" => "\"sim\"".to_owned(),
        "files" | "format" | "speed" => "\"replay\"".to_owned(),
        "columns" => "\"replay\" of the format \"csv\"".to_owned(),
        "date" => {
            let formats = names(&|venue| matches!(venue, Venue::Itch(_)));
            format!("\"{}\", and \"replay\" of the formats {formats}", SOUP.name())
        }
        "username" | "password" | "session" | "sequence" => format!("{:?}", SOUP.name()),
        _ => EACH_VENUE.to_owned(),
    }
}

/// Why `key` means nothing for the feed, where there is more to say.
pub(super) fn why_not(feed: &Feed, key: &str) -> Option<String> {
    match (feed.adapter, key) {
        (FeedAdapter::Venue(venue), "depth") => match venue.depths() {
            Depths::Own(why) => Some(why.to_owned()),
            Depths::Steps(_) | Depths::UpTo(_) => None,
        },
        _ => None,
    }
}

/// Whether the files do not say which symbol they are of.
pub(super) fn needs_symbol(feed: &Feed) -> bool {
    let fixed = |mapping: &Mapping| matches!(mapping.symbol, Cell::Fixed(_));
    feed.format == Format::Csv && feed.columns.as_ref().is_some_and(fixed)
}

fn has_rest(venue: Venue) -> bool {
    !venue.adapter(DeskOptions::default()).rules().rest.is_empty()
}
