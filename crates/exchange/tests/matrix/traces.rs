//! What each fault must leave behind at each venue: a count, and a status that names it; and what
//! no client can see.

use exchange::{Class, Fault, Strike, Venue};

/// The counts of the desk that a fault raises (one of them for each time that it strikes), and
/// words of the statuses that name it.
pub(crate) struct Traces {
    pub(crate) counts: &'static [&'static str],
    pub(crate) words: &'static [&'static str],
}

const GAP: &str = "gap in the venue's sequence";
const CHECKSUM: &str = "wrong checksum";
const OUTDATED: &str = "the snapshot is older than the stream";
const MISSING: &str = "executions are missing";
const OVERTAKEN: &str = "an overtaken message was left out";

/// Of one fault at one venue.
pub(crate) fn traces(venue: Venue, fault: Fault) -> Traces {
    let (counts, words): (&[_], &[_]) = match (fault, venue) {
        // There are no numbers in its books; the checksum tells.
        (Fault::Gap, Venue::Kraken) => (&["checksums_bad"], &[CHECKSUM]),
        (Fault::Drop | Fault::Swap, Venue::Kraken) => {
            (&["checksums_bad", "trades_missed"], &[CHECKSUM, MISSING])
        }
        (Fault::Drop | Fault::Swap, Venue::Binance) => {
            (&["gaps", "trades_missed", "overtaken"], &[GAP, MISSING, OVERTAKEN])
        }
        (Fault::Drop | Fault::Swap | Fault::Gap, _) => (&["gaps"], &[GAP]),
        (Fault::Double, _) => (&["repeated"], &["a repeated message was left out"]),
        (Fault::WrongChecksum, _) => (&["checksums_bad"], &[CHECKSUM]),
        // Its checksum is right; that of the first message after it is not.
        (Fault::StaleSnapshot, Venue::Kraken) => (&["checksums_bad"], &[CHECKSUM]),
        (Fault::StaleSnapshot, _) => (&["snapshots_stale"], &[OUTDATED]),
        (Fault::Silence, _) => {
            (&["silences"], &["nothing came", "nothing comes", "no message for", "not even a"])
        }
        (Fault::CutMidFrame, _) => (&["disconnects"], &["the connection was cut"]),
        (Fault::Cut, _) => (&["disconnects"], &["going away"]),
        (Fault::Garbage | Fault::FieldType, _) => (&["malformed"], &["unreadable message"]),
        (Fault::Rest429, _) => (&["rest_failed"], &["the venue answered HTTP 429"]),
        (Fault::Rest5xx, _) => (&["rest_failed"], &["the venue answered HTTP 503"]),
        (Fault::RestSlow, _) => (&["rest_late"], &["waits for the REST snapshot: no answer for"]),
    };
    Traces { counts, words }
}

/// Whether a client can see that a fault struck there. What it cannot see does no harm that lasts,
/// but for executions that are lost where they have no numbers.
pub(crate) fn is_visible(venue: Venue, strike: &Strike, books_only: bool) -> bool {
    let Some(class) = strike.class else { return true };
    match (strike.fault, class) {
        // All of its messages are numbered, whatever they are about.
        _ if venue == Venue::Coinbase => true,
        (Fault::Drop, Class::Trade) => matches!(venue, Venue::Binance | Venue::Kraken),
        // Best prices are whole each time, with no number, or one that jumps.
        (Fault::Drop, Class::Quote) => false,
        // Those of Binance are numbered.
        (Fault::Double, Class::Quote) => venue == Venue::Binance,
        (Fault::Drop | Fault::Double, Class::Beat) => false,
        // Then it is swapped with the next of the same book; else with one of any stream, and the
        // order of streams among each other means nothing.
        (Fault::Swap, _) => books_only,
        _ => true,
    }
}
