//! Recordings of our own: what a broker published, compressed, whole up to the last flush.
//!
//! A recording is a zstd file of several frames, so `zstdcat` shows it: one JSON object a line.
//! The first frame holds the [`Header`] and nothing else. Each further frame holds [`Entry`]s:
//!
//! ```text
//! {"tickwire":"recording","version":1,"started":"1790000000000000000","topics":["trade.>"]}
//! {"ts":"1790000000123456789","topic":"trade.x.BTC-USD","seq":8,"data":{"price":"64000.10",…}}
//! {"ts":"1790000000123456789","topic":"book.x.BTC-USD","seq":9,"snapshot":true,"data":{…}}
//! {"topic":"trade.x.BTC-USD","gap":{"from":10,"to":12,"reason":"slow"}}
//! {"resumed":"1790000100000000000"}
//! ```
//!
//! `ts`, `seq`, `from` and `data` are what the broker sent, `data` digit for digit. A `snapshot`
//! is the state of a topic when it was subscribed. A `gap` names events that the recorder never
//! got. `resumed` stands where a recorder went on with the file later.
//!
//! A frame is written in one piece and ends with a checksum of its content. A recorder that was
//! killed leaves at most its last frame unfinished, and [`Frames`] finds that without unpacking
//! anything: a frame says how long each of its blocks is.
//!
//! - [`Packer`]: entries in, frames out.
//! - [`Frames`]: a file in, the text of each frame out, and what is torn off at its end.
//! - [`Entry::parse`]: one line.
//! - [`Republish`]: the data of an entry as it is to be published again.

pub(crate) mod data;
mod entry;
mod frames;
mod packer;
mod republish;

pub use self::entry::{BadLine, Entry, Header};
pub use self::frames::{Frame, FrameError, Frames, Tail};
pub use self::packer::{Packer, pack};
pub use self::republish::{BadData, Republish};

/// Longest frame, packed or unpacked, in bytes. A recorder cuts far earlier; the longest message
/// of the protocol fits.
pub const FRAME_BYTES_MAX: usize = 256 << 20;
