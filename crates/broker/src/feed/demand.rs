//! Upstream follows demand: which streams of a connection have subscribers, and which have had
//! none for long enough to be closed.

use fanout::Millis;
use feeds::adapter::{Desk, Stream, SymbolId};
use feeds::derive::DeriveOptions;
use market::Kind;
use topics::TopicName;

/// A stream whose opening or closing is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) symbol: SymbolId,
    pub(super) stream: Stream,
    pub(super) wanted: bool,
}

#[derive(Debug)]
struct Watched {
    symbol: SymbolId,
    stream: Stream,
    topics: Vec<TopicName>,
    open: bool,
    /// Since when it has had no subscriber, while it is open.
    unwanted_since: Option<Millis>,
}

/// The streams of one connection with the topics that want them.
#[derive(Debug)]
pub(super) struct Demand {
    watched: Vec<Watched>,
    linger: Millis,
}

impl Demand {
    /// The streams of the symbols that `desk` has, none of them open.
    pub(super) fn new(desk: &Desk, derive: &DeriveOptions, linger: Millis) -> Self {
        let options = desk.options();
        let mut watched = Vec::new();
        for (symbol, known) in desk.symbols() {
            for stream in [Stream::Trades, Stream::Quotes, Stream::Book] {
                if options.streams.has(stream) {
                    let topics = topics_of(stream, derive, &options.venue, &known.canonical);
                    let entry =
                        Watched { symbol, stream, topics, open: false, unwanted_since: None };
                    watched.push(entry);
                }
            }
        }
        Self { watched, linger }
    }

    /// Looks at every topic; `wanted` says whether one has subscribers.
    pub(super) fn look(
        &mut self,
        now: Millis,
        mut wanted: impl FnMut(&TopicName) -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for entry in &mut self.watched {
            if entry.topics.iter().any(&mut wanted) {
                entry.unwanted_since = None;
                if !entry.open {
                    entry.open = true;
                    changes.push(Change {
                        symbol: entry.symbol,
                        stream: entry.stream,
                        wanted: true,
                    });
                }
            } else if entry.open {
                let since = *entry.unwanted_since.get_or_insert(now);
                if now.saturating_sub(since) >= self.linger {
                    entry.open = false;
                    entry.unwanted_since = None;
                    changes.push(Change {
                        symbol: entry.symbol,
                        stream: entry.stream,
                        wanted: false,
                    });
                }
            }
        }
        changes
    }

    /// Whether a stream is open that waits for its end, so that time alone may change something.
    pub(super) fn lingers(&self) -> bool {
        self.watched.iter().any(|entry| entry.unwanted_since.is_some())
    }

    /// Whether any stream is open.
    pub(super) fn any(&self) -> bool {
        self.watched.iter().any(|entry| entry.open)
    }
}

/// The topics that are made of a stream, those that are derived from it included.
fn topics_of(
    stream: Stream,
    derive: &DeriveOptions,
    venue: &str,
    canonical: &str,
) -> Vec<TopicName> {
    let own = |kind: &str| format!("{kind}.{venue}.{canonical}");
    let all = [
        (Kind::Trade, own("trade")),
        (Kind::Bar, own("bar-1s")),
        (Kind::Bar, own("bar-1m")),
        (Kind::Quote, own("quote")),
        (Kind::Quote, format!("nbbo.{canonical}")),
        (Kind::Book, own("book")),
    ];
    let made = all.iter().filter(|(kind, _)| derive.stream(*kind) == Some(stream));
    // What is no topic cannot be subscribed either; the feed's start has said so.
    made.filter_map(|(_, name)| TopicName::parse(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use feeds::adapter::symbol::Spelling;
    use feeds::adapter::{DeskOptions, Streams};

    use super::*;

    #[test]
    fn a_stream_opens_with_its_first_subscriber_and_closes_a_linger_after_the_last() {
        let desk = Desk::new(
            DeskOptions {
                venue: "v".into(),
                symbols: vec!["A-B".into()],
                streams: Streams { quotes: false, ..Streams::ALL },
                on_demand: true,
                ..DeskOptions::default()
            },
            Spelling::Separated('-'),
        );
        let mut demand = Demand::new(&desk, &DeriveOptions::default(), 1_000);
        let is = |name: &'static str| move |topic: &TopicName| topic.as_str() == name;
        let change = |stream, wanted| Change { symbol: SymbolId(0), stream, wanted };
        assert_eq!(demand.look(0, |_| false), []);
        assert!(!demand.any());
        assert_eq!(demand.look(1, is("quote.v.A-B")), [], "no such stream here");
        assert_eq!(demand.look(2, is("bar-1s.v.A-B")), [change(Stream::Trades, true)]);
        assert_eq!(demand.look(3, is("trade.v.A-B")), []);
        assert!(demand.any() && !demand.lingers());
        assert_eq!(demand.look(10, is("book.v.A-B")), [change(Stream::Book, true)]);
        assert!(demand.lingers());
        assert_eq!(demand.look(900, is("trade.v.A-B")), [], "back before the linger was over");
        assert_eq!(demand.look(1_899, is("trade.v.A-B")), []);
        assert_eq!(demand.look(1_900, is("trade.v.A-B")), [change(Stream::Book, false)]);
        assert_eq!(demand.look(2_000, |_| false), []);
        assert_eq!(demand.look(3_000, |_| false), [change(Stream::Trades, false)]);
        assert!(!demand.any() && !demand.lingers());
    }
}
