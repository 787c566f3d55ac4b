//! The words of a market: decimals as written, trades, quotes, L2 books, bars and status.
//!
//! Everything here is a plain value: no socket, no clock, no topic, no encoding. Feeds make
//! these values, `topics` remembers them, `wire` turns them into bytes.
//!
//! - [`Decimal`]: a price or size, exactly as it was written, never a float.
//! - [`Event`]: one update of one topic, with the venue's time and ours in [`Stamps`].
//! - [`TradeId`]: the id of an execution, which costs no allocation.
//! - [`Book`]: a full L2 book that applies [`BookDiff`]s and proves itself with a CRC32.
//! - [`merge_diffs`]: many diffs folded into one that leads to the same book.
//! - [`BarBuilder`]: bars from trades.

mod bar;
mod book;
mod decimal;
mod event;
mod merge;
mod trade_id;

pub use bar::{Bar, BarBuilder};
pub use book::{Applied, Book, BookDiff, BookError, Level, Side as BookSide};
pub use decimal::{Decimal, DecimalError};
pub use event::{
    Aggressor, Event, Flags, Kind, Nanos, Quote, QuoteSide, Stamps, Status, Trade, VenueState,
};
pub use merge::merge_diffs;
pub use trade_id::TradeId;
