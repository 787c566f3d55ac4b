//! What a desk is opened with: its symbols, and which streams of them.

/// One of a symbol's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Its executions.
    Trades,
    /// Its best bid and offer.
    Quotes,
    /// Its L2 book.
    Book,
}

/// Which streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// Executions.
    pub trades: bool,
    /// Best bid and offer.
    pub quotes: bool,
    /// L2 books.
    pub book: bool,
}

impl Streams {
    /// All of them.
    pub const ALL: Self = Self { trades: true, quotes: true, book: true };

    /// None of them.
    pub const NONE: Self = Self { trades: false, quotes: false, book: false };

    /// Whether `stream` is among them.
    #[must_use]
    pub fn has(self, stream: Stream) -> bool {
        match stream {
            Stream::Trades => self.trades,
            Stream::Quotes => self.quotes,
            Stream::Book => self.book,
        }
    }

    pub(super) fn set(&mut self, stream: Stream, wanted: bool) {
        match stream {
            Stream::Trades => self.trades = wanted,
            Stream::Quotes => self.quotes = wanted,
            Stream::Book => self.book = wanted,
        }
    }
}

/// What a desk is opened with.
#[derive(Debug, Clone)]
pub struct DeskOptions {
    /// The venue's segment in topics.
    pub venue: String,
    /// The symbols, as the venue spells them, or `CANONICAL=NATIVE` where ours cannot be told.
    pub symbols: Vec<String>,
    /// The streams that every symbol has.
    pub streams: Streams,
    /// Whether they are all wanted from the beginning, or only as [`Input::Demand`] says.
    ///
    /// [`Input::Demand`]: super::Input::Demand
    pub on_demand: bool,
    /// Takes symbols that are not listed too, as a recording needs.
    pub open: bool,
    /// Most symbols of an open desk.
    pub symbols_max: usize,
    /// Levels a side that the venue is asked for; `None` for its default.
    pub depth: Option<usize>,
    /// Most levels on one side of a book.
    pub levels_max: usize,
    /// Keeps how the venue wrote each price, for [`Desk::best_as_written`]. It costs a search a
    /// level.
    ///
    /// [`Desk::best_as_written`]: super::Desk::best_as_written
    pub as_written: bool,
    /// A recording is played: no venue is spared by a pause, and what is not in it never comes. So
    /// snapshots are asked for at once, and none better is waited for.
    pub recorded: bool,
}

impl Default for DeskOptions {
    fn default() -> Self {
        Self {
            venue: String::new(),
            symbols: Vec::new(),
            streams: Streams::ALL,
            on_demand: false,
            open: false,
            symbols_max: 10_000,
            depth: None,
            levels_max: 100_000,
            as_written: false,
            recorded: false,
        }
    }
}
