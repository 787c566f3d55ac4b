//! Recorded data played again: readers of files that others recorded, and the way from the time at
//! which something happened to the time at which it is to happen now.
//!
//! - [`Source`]: what every reader is, an iterator of events with their times.
//! - [`CsvSource`]: CSV files, of which a [`Mapping`] says what each column means.
//! - [`DbnSource`]: files of Databento.
//! - [`SessionSource`]: sessions of venues, through their adapters.
//! - [`ItchSource`]: files of ITCH messages and captured packets, through its adapter.
//! - [`RecordingSource`]: recordings of our own.
//! - [`ReplayFeed`]: a source as a [`Feed`](crate::Feed) of the broker.
//! - [`Timeline`] and [`Speed`]: when each event is due.

mod csv;
mod dbn;
mod derived;
mod feed;
mod itch;
mod recorded;
mod session;
mod source;
mod timeline;

pub use self::csv::{Cell, CsvSource, Mapping, Shape, TimeColumn, TimeFormat};
pub use self::dbn::DbnSource;
pub use self::feed::{ReplayFeed, ReplayOptions};
pub use self::itch::ItchSource;
pub use self::recorded::RecordingSource;
pub use self::session::SessionSource;
pub use self::source::{Channels, Naming, Source, SourceError, Timed};
pub use self::timeline::{BadSpeed, Speed, Timeline};
