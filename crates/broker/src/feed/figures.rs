//! What is counted of the feeds, where others can read it without asking a session: each
//! connection has a row of atomics, which its session brings up to date now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanout::Millis;
use feeds::adapter::{BookState, Counts, Desk, SymbolCounts};
use market::{Event, Status, VenueState};
use parking_lot::Mutex;

use super::line::End;

/// One figure of a venue, as its row in `/metrics`.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Without prefix and suffix.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) is: FigureKind,
    read: fn(&Sample<'_>) -> u64,
}

/// What kind of figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FigureKind {
    /// It only grows.
    Counter,
    /// It is as it is now.
    Gauge,
    /// The same, of the books in one state.
    Books(BookState),
}

const fn counter(name: &'static str, help: &'static str, read: fn(&Sample<'_>) -> u64) -> Figure {
    Figure { name, help, is: FigureKind::Counter, read }
}

const fn books(state: BookState, read: fn(&Sample<'_>) -> u64) -> Figure {
    let help = "Books of the venue by how far they can be trusted";
    Figure { name: "feed_books", help, is: FigureKind::Books(state), read }
}

/// Every figure. Another one is another row; those of one name stand together.
pub(crate) static FIGURES: [Figure; 35] = [
    Figure {
        name: "feed_connections",
        help: "Connections to the venue that are open",
        is: FigureKind::Gauge,
        read: |sample| u64::from(sample.tally.open),
    },
    counter("feed_connections_opened", "Connections opened, the first ones too", |sample| {
        sample.tally.opened
    }),
    counter("feed_connections_failed", "Connections that could not be opened", |sample| {
        sample.tally.failed
    }),
    counter("feed_connections_lost", "Connections that broke or had to be given up", |sample| {
        sample.tally.lost
    }),
    counter("feed_frames", "Messages of the venue", |sample| sample.counts.frames),
    counter("feed_received_bytes", "Bytes of these messages", |sample| sample.tally.bytes),
    counter("feed_events", "Events published, those made of others too", |sample| {
        sample.tally.events
    }),
    counter("feed_trades", "Executions", |sample| sample.symbols.trades),
    counter("feed_quotes", "Quotes of the venue", |sample| sample.symbols.quotes),
    counter("feed_book_events", "Messages of books, used or not", |sample| {
        sample.symbols.book_events
    }),
    counter("feed_snapshots", "Snapshots of books used", |sample| sample.symbols.snapshots),
    counter("feed_malformed", "Messages, or parts of one, that could not be read", |sample| {
        sample.counts.malformed
    }),
    counter("feed_unknown", "Messages of unknown types", |sample| sample.counts.unknown),
    counter("feed_unused", "Messages that say nothing that is published", |sample| {
        sample.counts.unused
    }),
    counter(
        "feed_symbols_refused",
        "Messages of symbols nobody asked for, or too many",
        |sample| sample.counts.symbols_refused,
    ),
    counter("feed_stale", "Messages of books older than what was known", |sample| {
        sample.symbols.stale
    }),
    counter("feed_gaps", "Breaks of the venue's own sequence", |sample| sample.symbols.gaps),
    counter("feed_checksums_ok", "Checksums of the venue that were right", |sample| {
        sample.symbols.checksums_ok
    }),
    counter("feed_checksums_bad", "Checksums of the venue that were wrong", |sample| {
        sample.symbols.checksums_bad
    }),
    counter("feed_crossed", "Books found crossed", |sample| sample.symbols.crossed),
    counter("feed_deletes_unknown", "Removals of levels that the book does not hold", |sample| {
        sample.symbols.deletes_unknown
    }),
    counter("feed_repeated", "Messages that came again, and were left out", |sample| {
        sample.counts.repeated + sample.symbols.repeated
    }),
    counter("feed_overtaken", "Messages that came after newer ones, and were left out", |sample| {
        sample.counts.overtaken + sample.symbols.overtaken
    }),
    counter("feed_trades_missed", "Holes in the numbers of executions", |sample| {
        sample.symbols.trades_missed
    }),
    counter("feed_snapshots_stale", "Snapshots older than what the stream says next", |sample| {
        sample.symbols.snapshots_stale
    }),
    counter("feed_snapshots_late", "Snapshots that did not come in the stream", |sample| {
        sample.symbols.snapshots_late
    }),
    counter("feed_levels_refused", "Book messages with sizes or levels that cannot be", |sample| {
        sample.symbols.levels_refused
    }),
    counter("feed_rest_late", "REST requests whose answer was late", |sample| {
        sample.symbols.rest_late
    }),
    counter("feed_silences", "Times that the venue said nothing for too long", |sample| {
        sample.counts.silences
    }),
    counter("feed_resyncs", "Books that had to be begun anew", |sample| sample.tally.resyncs),
    counter("feed_rest_requests", "REST requests that ended, well or not", |sample| {
        sample.tally.rest_requests
    }),
    counter("feed_rest_failures", "REST requests refused, or without an answer", |sample| {
        sample.tally.rest_failures
    }),
    books(BookState::Verified, |sample| sample.books[BookState::Verified as usize]),
    books(BookState::Unverifiable, |sample| sample.books[BookState::Unverifiable as usize]),
    books(BookState::Resyncing, |sample| sample.books[BookState::Resyncing as usize]),
];

/// What a session counts itself.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The connection is open.
    open: bool,
    opened: u64,
    failed: u64,
    lost: u64,
    /// When the last message came; `None` also while nobody wants one.
    heard: Option<Millis>,
    bytes: u64,
    /// Events handed to the sink.
    pub(super) events: u64,
    resyncs: u64,
    rest_requests: u64,
    rest_failures: u64,
}

impl Tally {
    /// A connection is open, or could not be opened.
    pub(super) fn dialled(&mut self, opened: bool) {
        self.open = opened;
        self.opened += u64::from(opened);
        self.failed += u64::from(!opened);
    }

    /// The connection is over.
    pub(super) fn ended(&mut self, end: &End) {
        self.open = false;
        self.lost += u64::from(matches!(end, End::Lost(_) | End::Asked(_)));
        if matches!(end, End::Idle) {
            self.heard = None;
        }
    }

    /// A message of so many bytes came.
    pub(super) fn heard(&mut self, bytes: usize, now: Millis) {
        self.heard = Some(now);
        self.bytes += bytes as u64;
    }

    /// An event of a symbol goes to the sink.
    pub(super) fn published(&mut self, event: &Event) {
        self.events += 1;
        if let Event::Status(Status { state: VenueState::Resync, .. }) = event {
            self.resyncs += 1;
        }
    }

    /// Books that had to be begun anew so far.
    pub(super) fn resyncs(&self) -> u64 {
        self.resyncs
    }

    /// A REST request ended with that HTTP status, or without any.
    pub(super) fn answered(&mut self, status: Option<u16>) {
        self.rest_requests += 1;
        self.rest_failures += u64::from(status.is_none_or(|status| status >= 400));
    }
}

/// All that is known of a connection at one moment.
struct Sample<'a> {
    tally: &'a Tally,
    counts: Counts,
    /// Of all symbols together.
    symbols: SymbolCounts,
    /// How many books are in each state, of those that somebody wants.
    books: [u64; 3],
}

/// The figures of one connection. Each is right by itself; together they may be of two moments.
#[derive(Debug)]
pub(super) struct Row {
    values: [AtomicU64; FIGURES.len()],
    /// When the last message came, plus one; 0 for never.
    heard: AtomicU64,
}

impl Default for Row {
    fn default() -> Self {
        Self { values: [const { AtomicU64::new(0) }; FIGURES.len()], heard: AtomicU64::new(0) }
    }
}

impl Row {
    /// Brings it up to date.
    pub(super) fn note(&self, tally: &Tally, desk: &Desk) {
        let mut sample =
            Sample { tally, counts: desk.counts, symbols: SymbolCounts::default(), books: [0; 3] };
        for (_, symbol) in desk.symbols() {
            sample.symbols += symbol.counts;
            sample.books[symbol.state() as usize] += u64::from(symbol.wanted().book);
        }
        for (figure, value) in FIGURES.iter().zip(&self.values) {
            value.store((figure.read)(&sample), Ordering::Relaxed);
        }
        self.heard.store(tally.heard.map_or(0, |heard| heard + 1), Ordering::Relaxed);
    }
}

/// The figures of one venue at one moment.
#[derive(Debug)]
pub(crate) struct VenueFigures {
    pub(crate) venue: String,
    /// One for each of [`FIGURES`].
    pub(crate) values: [u64; FIGURES.len()],
    /// How long ago the last message came, on the connection that was silent for longest. `None`
    /// before the first one, and while nobody wants any.
    pub(crate) silent_for: Option<Millis>,
}

/// The figures of all feeds: one row for each connection that a configured feed may open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures(Arc<Mutex<Vec<Connection>>>);

#[derive(Debug)]
struct Connection {
    venue: String,
    row: Arc<Row>,
}

impl Figures {
    /// The row of one more connection to `venue`.
    pub(super) fn connection(&self, venue: &str) -> Arc<Row> {
        let row = Arc::new(Row::default());
        self.0.lock().push(Connection { venue: venue.to_owned(), row: Arc::clone(&row) });
        row
    }

    /// The figures of each venue, over its connections.
    pub(crate) fn venues(&self, now: Millis) -> Vec<VenueFigures> {
        let mut venues: Vec<VenueFigures> = Vec::new();
        for Connection { venue, row } in &*self.0.lock() {
            let at = venues.iter().position(|known| known.venue == *venue).unwrap_or_else(|| {
                let values = [0; FIGURES.len()];
                venues.push(VenueFigures { venue: venue.clone(), values, silent_for: None });
                venues.len() - 1
            });
            for (sum, value) in venues[at].values.iter_mut().zip(&row.values) {
                *sum += value.load(Ordering::Relaxed);
            }
            let heard = row.heard.load(Ordering::Relaxed).checked_sub(1);
            let silent_for = heard.map(|heard| now.saturating_sub(heard));
            venues[at].silent_for = venues[at].silent_for.max(silent_for);
        }
        venues
    }
}

#[cfg(test)]
mod tests {
    use feeds::adapter::DeskOptions;
    use feeds::venue::Venue;

    use super::*;

    fn value(figures: &VenueFigures, name: &str) -> u64 {
        let at = FIGURES.iter().position(|figure| figure.name == name).unwrap();
        figures.values[at]
    }

    #[test]
    fn the_connections_of_a_venue_are_summed() {
        let figures = Figures::default();
        let options = DeskOptions {
            venue: "k".into(),
            symbols: vec!["BTC/USD".into(), "ETH/USD".into()],
            ..DeskOptions::default()
        };
        let adapter = Venue::Kraken.adapter(options);
        let (one, other) = (figures.connection("k"), figures.connection("k"));
        let mut tally = Tally::default();
        tally.dialled(false);
        tally.dialled(true);
        tally.heard(10, 5);
        tally.answered(Some(200));
        tally.answered(Some(429));
        tally.answered(None);
        one.note(&tally, adapter.desk());
        tally.heard(10, 7);
        other.note(&tally, adapter.desk());
        figures.connection("quiet");
        let venues = figures.venues(10);
        let [k, quiet] = &venues[..] else { panic!("{venues:?}") };
        for (name, expected) in [
            ("feed_connections", 2),
            ("feed_connections_opened", 2),
            ("feed_connections_failed", 2),
            ("feed_received_bytes", 30),
            ("feed_rest_requests", 6),
            ("feed_rest_failures", 4),
        ] {
            assert_eq!(value(k, name), expected, "{name}");
        }
        let resyncing = FIGURES.iter().zip(k.values).find_map(|(figure, value)| {
            (figure.is == FigureKind::Books(BookState::Resyncing)).then_some(value)
        });
        assert_eq!(resyncing, Some(4));
        assert_eq!((k.silent_for, quiet.silent_for), (Some(5), None));
        tally.ended(&End::Lost("cut".into()));
        one.note(&tally, adapter.desk());
        tally.ended(&End::Idle);
        other.note(&tally, adapter.desk());
        let venues = figures.venues(20);
        assert_eq!(value(&venues[0], "feed_connections"), 0);
        assert_eq!(value(&venues[0], "feed_connections_lost"), 2);
        assert_eq!(venues[0].silent_for, Some(13), "of the one that is still wanted");
    }

    #[test]
    fn figures_of_one_name_stand_together() {
        let mut names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        names.dedup();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(names.len(), once.len(), "{names:?}");
    }
}
