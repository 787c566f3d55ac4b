//! What is counted of a connection and of each of its symbols.

use std::ops::AddAssign;

/// What was counted of one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SymbolCounts {
    /// Executions.
    pub trades: u64,
    /// Quotes.
    pub quotes: u64,
    /// Messages of the book's stream, used or not; a snapshot counts if it comes in the stream.
    pub book_events: u64,
    /// Snapshots used, from the stream or by REST; also those that say what is held already.
    pub snapshots: u64,
    /// Messages older than the snapshot, or than what came before.
    pub stale: u64,
    /// Breaks of the venue's own sequence.
    pub gaps: u64,
    /// Checksums that were right.
    pub checksums_ok: u64,
    /// Checksums that were not.
    pub checksums_bad: u64,
    /// Removals of levels that the book does not hold.
    pub deletes_unknown: u64,
    /// Books found crossed.
    pub crossed: u64,
    /// Messages of this symbol that could not be read.
    pub malformed: u64,
    /// Messages, or executions, that came again and were left out. Those of books are among
    /// [`SymbolCounts::stale`] too.
    pub repeated: u64,
    /// Messages that came after newer ones, and were left out: what they say is no more.
    pub overtaken: u64,
    /// Times that the numbers of executions have a hole.
    pub trades_missed: u64,
    /// Snapshots older than what the stream says next.
    pub snapshots_stale: u64,
    /// Times that a snapshot did not come in the stream and was asked for again.
    pub snapshots_late: u64,
    /// Messages of the book with a size below zero, or too many levels.
    pub levels_refused: u64,
    /// REST requests that were refused, came to nothing, or were answered with nothing readable.
    pub rest_failed: u64,
    /// REST requests whose answer was late.
    pub rest_late: u64,
}

impl SymbolCounts {
    /// What counts as trouble, each with its name.
    #[must_use]
    pub fn troubles(&self) -> [(&'static str, u64); 12] {
        [
            ("gaps", self.gaps),
            ("checksums_bad", self.checksums_bad),
            ("crossed", self.crossed),
            ("malformed", self.malformed),
            ("repeated", self.repeated),
            ("overtaken", self.overtaken),
            ("trades_missed", self.trades_missed),
            ("snapshots_stale", self.snapshots_stale),
            ("snapshots_late", self.snapshots_late),
            ("levels_refused", self.levels_refused),
            ("rest_failed", self.rest_failed),
            ("rest_late", self.rest_late),
        ]
    }
}

impl AddAssign for SymbolCounts {
    fn add_assign(&mut self, counts: Self) {
        // Named one by one, so that a new count cannot be forgotten here.
        let Self {
            trades,
            quotes,
            book_events,
            snapshots,
            stale,
            gaps,
            checksums_ok,
            checksums_bad,
            deletes_unknown,
            crossed,
            malformed,
            repeated,
            overtaken,
            trades_missed,
            snapshots_stale,
            snapshots_late,
            levels_refused,
            rest_failed,
            rest_late,
        } = counts;
        self.trades += trades;
        self.quotes += quotes;
        self.book_events += book_events;
        self.snapshots += snapshots;
        self.stale += stale;
        self.gaps += gaps;
        self.checksums_ok += checksums_ok;
        self.checksums_bad += checksums_bad;
        self.deletes_unknown += deletes_unknown;
        self.crossed += crossed;
        self.malformed += malformed;
        self.repeated += repeated;
        self.overtaken += overtaken;
        self.trades_missed += trades_missed;
        self.snapshots_stale += snapshots_stale;
        self.snapshots_late += snapshots_late;
        self.levels_refused += levels_refused;
        self.rest_failed += rest_failed;
        self.rest_late += rest_late;
    }
}

/// What was counted of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages.
    pub frames: u64,
    /// Messages, or parts of one, that could not be read.
    pub malformed: u64,
    /// Messages of a type that the adapter does not know.
    pub unknown: u64,
    /// Times that a message was of a symbol beyond the bound, or that was not asked for.
    pub symbols_refused: u64,
    /// Messages that were understood and say nothing that is published: of a kind or a stream
    /// that nobody wants, or what another message has said.
    pub unused: u64,
    /// Messages that came again, where all messages of a connection are numbered.
    pub repeated: u64,
    /// Messages that came after newer ones, where all messages of a connection are numbered.
    pub overtaken: u64,
    /// Times that the connection fell silent.
    pub silences: u64,
    /// Ends of the connection, for whatever reason.
    pub disconnects: u64,
}
