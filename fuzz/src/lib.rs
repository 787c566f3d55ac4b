//! What fuzzing gives to the feeds: for every adapter and every reader a function that takes any
//! bytes and panics where a rule is broken. `docs/feeds.md` tells how to run them.
//!
//! - `*_bytes`: any inputs in any order, from bytes and from messages of the venue that were
//!   damaged. Nothing panics, nothing grows, and a client that follows the events holds the book
//!   that the adapter holds.
//! - `*_session`: a whole session with an exchange whose books are known, with damage that a
//!   client can see. What is called verified, the exchange had.
//! - Readers of JSON and of files.
//!
//! The same functions run under libFuzzer (`fuzz_targets`), as tests over seeded inputs and over
//! all that ever failed (`regressions`), and for as long as one likes (`examples/soak.rs`).

pub mod bytes;
pub mod client;
pub mod damage;
pub mod dice;
pub mod itch;
mod json;
pub mod readers;
pub mod seeds;
pub mod session;
pub mod tamper;
pub mod walk;

use std::sync::OnceLock;

use feeds::venue::Venue;
use feeds::venue::itch::Framing;

use self::damage::Protocol;
use self::session::{Spoken, Tape};
use self::walk::Told;

/// A function that takes any bytes.
pub type Body = fn(&[u8]);

/// Every target, by the name of its file in `fuzz_targets`.
pub const TARGETS: [(&str, Body); 31] = [
    ("binance_bytes", |data| bytes::play(Venue::Binance, tape(Venue::Binance), data)),
    ("binance_session", |data| session::play(&BINANCE, data)),
    ("binance_us_bytes", |data| bytes::play(Venue::BinanceUs, tape(Venue::BinanceUs), data)),
    ("binance_us_session", |data| session::play(&BINANCE_US, data)),
    ("bitstamp_bytes", |data| bytes::play(Venue::Bitstamp, tape(Venue::Bitstamp), data)),
    ("bitstamp_session", |data| walk::play(Told::Bitstamp, data)),
    ("bybit_bytes", |data| bytes::play(Venue::Bybit, tape(Venue::Bybit), data)),
    ("bybit_linear_bytes", |data| bytes::play(Venue::BybitLinear, tape(Venue::BybitLinear), data)),
    ("bybit_linear_session", |data| session::play(&BYBIT_LINEAR, data)),
    ("bybit_session", |data| session::play(&BYBIT, data)),
    ("coinbase_bytes", |data| bytes::play(Venue::Coinbase, tape(Venue::Coinbase), data)),
    ("coinbase_session", |data| session::play(&COINBASE, data)),
    ("compressed", readers::compressed),
    ("csv", readers::csv),
    ("dbn", readers::dbn),
    ("itch_file_bytes", |data| bytes::play(FILE, tape(FILE), data)),
    ("itch_file_session", |data| itch::play(Framing::BinaryFile, data)),
    ("itch_mold_bytes", |data| bytes::play(MOLD, tape(MOLD), data)),
    ("itch_mold_session", |data| itch::play(Framing::Mold, data)),
    ("itch_soup_bytes", |data| bytes::play(SOUP, tape(SOUP), data)),
    ("itch_soup_session", |data| itch::play(Framing::Soup, data)),
    ("json", readers::json),
    ("kraken_bytes", |data| bytes::play(Venue::Kraken, tape(Venue::Kraken), data)),
    ("kraken_session", |data| session::play(&KRAKEN, data)),
    ("kraken_v1_bytes", |data| bytes::play(Venue::KrakenV1, tape(Venue::KrakenV1), data)),
    ("kraken_v1_session", |data| walk::play(Told::KrakenV1, data)),
    ("okx_bytes", |data| bytes::play(Venue::Okx, tape(Venue::Okx), data)),
    ("okx_session", |data| session::play(&OKX, data)),
    ("pcap", readers::pcap),
    ("recording", readers::recording),
    ("recorded_session", recorded_session),
];

const FILE: Venue = Venue::Itch(Framing::BinaryFile);
const MOLD: Venue = Venue::Itch(Framing::Mold);
const SOUP: Venue = Venue::Itch(Framing::Soup);

// `lastUpdateId` of a snapshot is not among what is proved: with another number it is a snapshot
// of another moment, and nothing tells. Nor is `u`: where a snapshot is joined to the stream it says
// which diffs the snapshot has, and only a message after it tells that it was wrong.
const BINANCE: Spoken = Spoken {
    venue: Venue::Binance,
    exchange: exchange::Venue::Binance,
    protocol: Protocol { unseen: &[], proved: &["U"] },
};
const BINANCE_US: Spoken = Spoken { venue: Venue::BinanceUs, ..BINANCE };
// The number of a message is proved, and neither its channel nor the product it is about: under
// another name its changes are somebody else's.
const COINBASE: Spoken = Spoken {
    venue: Venue::Coinbase,
    exchange: exchange::Venue::Coinbase,
    protocol: Protocol { unseen: &["channel", "product_id"], proved: &["sequence_num"] },
};
const KRAKEN: Spoken = Spoken {
    venue: Venue::Kraken,
    exchange: exchange::Venue::Kraken,
    protocol: Protocol { unseen: &[], proved: &["checksum"] },
};
const OKX: Spoken = Spoken {
    venue: Venue::Okx,
    exchange: exchange::Venue::Okx,
    protocol: Protocol { unseen: &[], proved: &["seqId", "prevSeqId", "checksum"] },
};
const BYBIT: Spoken = Spoken {
    venue: Venue::Bybit,
    exchange: exchange::Venue::Bybit,
    protocol: Protocol { unseen: &[], proved: &["u"] },
};
const BYBIT_LINEAR: Spoken = Spoken { venue: Venue::BybitLinear, ..BYBIT };

/// What a venue sends in a quiet session, recorded once for each.
fn tape(venue: Venue) -> &'static Tape {
    static TAPES: [OnceLock<Tape>; Venue::ALL.len()] = [const { OnceLock::new() }; 12];
    let place = Venue::ALL.iter().position(|(known, _)| *known == venue).unwrap_or_default();
    TAPES[place].get_or_init(|| match venue {
        Venue::Binance => session::tape(&BINANCE),
        Venue::BinanceUs => session::tape(&BINANCE_US),
        Venue::Coinbase => session::tape(&COINBASE),
        Venue::Kraken => session::tape(&KRAKEN),
        Venue::Okx => session::tape(&OKX),
        Venue::Bybit => session::tape(&BYBIT),
        Venue::BybitLinear => session::tape(&BYBIT_LINEAR),
        Venue::KrakenV1 => walk::tape(Told::KrakenV1),
        Venue::Bitstamp => walk::tape(Told::Bitstamp),
        Venue::Itch(framing) => itch::tape(framing),
    })
}

fn recorded_session(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (venue, _) = Venue::ALL[usize::from(*first) % Venue::ALL.len()];
    readers::session(venue, tape(venue), rest);
}

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Body> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, body)| *body)
}
