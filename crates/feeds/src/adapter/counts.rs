//! What is counted of a connection and of each of its symbols.

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
    /// Symbols beyond the bound, or that were not asked for.
    pub symbols_refused: u64,
    /// Messages that were understood and say nothing that is published: of a kind or a stream
    /// that nobody wants, or what another message has said.
    pub unused: u64,
}
