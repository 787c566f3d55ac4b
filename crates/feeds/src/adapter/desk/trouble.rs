//! What a desk says of trouble: every fault is counted, and told as a status of its symbol or of
//! the venue. What goes on and on is told the first time and then at each power of two, so that no
//! trouble makes a storm of statuses.

use market::{Nanos, VenueState};

use super::{Desk, SymbolId};
use crate::adapter::json::JsonError;
use crate::adapter::{Action, BookState, Fault, Oddity, Output, SECOND, SymbolCounts};

/// Bytes of a message that a report shows.
const SHOWN_BYTES: usize = 200;

/// Where a fault is counted.
fn count_of(counts: &mut SymbolCounts, fault: Fault) -> Option<&mut u64> {
    match fault {
        Fault::Gap => Some(&mut counts.gaps),
        Fault::Checksum => Some(&mut counts.checksums_bad),
        Fault::Crossed => Some(&mut counts.crossed),
        Fault::Refused => Some(&mut counts.levels_refused),
        Fault::Malformed => Some(&mut counts.malformed),
        Fault::Outdated => Some(&mut counts.snapshots_stale),
        Fault::NoSnapshot => None,
    }
}

impl Desk {
    /// Ends trust in a symbol's book: it says so, and nothing of the book is published until its
    /// next snapshot. The fault is counted. One that comes while the book is not trusted anyway is
    /// told at powers of two.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn resync(&mut self, id: SymbolId, fault: Fault, now: Nanos, out: &mut Output) {
        let symbol = &mut self.symbols[id.0 as usize];
        let times = count_of(&mut symbol.counts, fault).map(|count| {
            *count += 1;
            *count
        });
        let was = std::mem::replace(&mut symbol.state, BookState::Resyncing);
        let wanted = symbol.wanted.book;
        match times {
            _ if was != BookState::Resyncing => {
                self.symbol_status(id, VenueState::Resync, fault.as_str(), now, out);
            }
            Some(times) if wanted && times.is_power_of_two() => {
                self.still_resyncing(id, &format!("{} ({times} so far)", fault.as_str()), now, out);
            }
            _ => {}
        }
    }

    /// Something is wrong with the messages of a symbol, and no book is wrong by it. It is counted,
    /// and told at powers of two; the symbol's state stays what it is.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn odd(&mut self, id: SymbolId, oddity: Oddity, now: Nanos, out: &mut Output) {
        let symbol = &mut self.symbols[id.0 as usize];
        let count = match oddity {
            Oddity::Repeated => &mut symbol.counts.repeated,
            Oddity::Overtaken => &mut symbol.counts.overtaken,
            Oddity::TradesMissed => &mut symbol.counts.trades_missed,
        };
        *count += 1;
        let times = *count;
        if times.is_power_of_two() {
            let waits = symbol.wanted.book && symbol.state == BookState::Resyncing;
            let state = match symbol.said {
                VenueState::Down => VenueState::Down,
                _ if waits => VenueState::Resync,
                said => said,
            };
            let reason = format!("{} ({times} so far)", oddity.as_str());
            self.symbol_status(id, state, &reason, now, out);
        }
    }

    /// As [`Desk::odd`], of a message that only its place among all of the connection tells.
    pub fn odd_message(&mut self, oddity: Oddity, now: Nanos, out: &mut Output) {
        let count = match oddity {
            Oddity::Repeated => &mut self.counts.repeated,
            Oddity::Overtaken | Oddity::TradesMissed => &mut self.counts.overtaken,
        };
        *count += 1;
        let times = *count;
        if times.is_power_of_two() {
            self.notice(&format!("{} ({times} so far)", oddity.as_str()), now, out);
        }
    }

    /// A request for a snapshot by REST came to nothing; `why` is for a person. It is counted. The
    /// owner of requests lets time pass between them, so that each may be told.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn rest_failed(
        &mut self,
        id: SymbolId,
        why: &str,
        again_in: Nanos,
        now: Nanos,
        out: &mut Output,
    ) {
        self.symbols[id.0 as usize].counts.rest_failed += 1;
        let tenths = again_in.div_ceil(SECOND / 10);
        let (seconds, tenths) = (tenths / 10, tenths % 10);
        let reason =
            format!("waits for the REST snapshot, asks again in {seconds}.{tenths} s: {why}");
        self.still_resyncing(id, &reason, now, out);
    }

    /// A request for a snapshot by REST has no answer for `so_long`, and still waits. It is counted
    /// and told.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn rest_late(&mut self, id: SymbolId, so_long: Nanos, now: Nanos, out: &mut Output) {
        self.symbols[id.0 as usize].counts.rest_late += 1;
        let reason = format!("waits for the REST snapshot: no answer for {} s", so_long / SECOND);
        self.still_resyncing(id, &reason, now, out);
    }

    /// A snapshot that was asked for did not come in the stream, and is asked for again. It is
    /// counted, and told at powers of two.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn snapshot_late(&mut self, id: SymbolId, now: Nanos, out: &mut Output) {
        let count = &mut self.symbols[id.0 as usize].counts.snapshots_late;
        *count += 1;
        let times = *count;
        if times.is_power_of_two() {
            let reason = format!("no snapshot came, it is asked for again ({times} so far)");
            self.still_resyncing(id, &reason, now, out);
        }
    }

    /// Says why a book that somebody wants is not there, unless it is.
    fn still_resyncing(&mut self, id: SymbolId, reason: &str, now: Nanos, out: &mut Output) {
        let symbol = self.symbol(id);
        let waits = symbol.wanted.book && symbol.state == BookState::Resyncing;
        if waits && symbol.said != VenueState::Down {
            self.symbol_status(id, VenueState::Resync, reason, now, out);
        }
    }

    /// Counts a message that could not be read, and reports the first of each kind with its text.
    /// The venue's status tells of it at powers of two.
    pub fn malformed(&mut self, error: JsonError, message: &[u8], now: Nanos, out: &mut Output) {
        self.counts.malformed += 1;
        let times = self.counts.malformed;
        if times.is_power_of_two() {
            let reason = format!("an unreadable message was left out, {error} ({times} so far)");
            self.notice(&reason, now, out);
        }
        let report = || {
            let shown = String::from_utf8_lossy(&message[..message.len().min(SHOWN_BYTES)]);
            let mut text = format!("unreadable message, {error}: ");
            text.extend(shown.chars().flat_map(char::escape_debug));
            if message.len() > SHOWN_BYTES {
                text.push_str(&format!("… ({} bytes)", message.len()));
            }
            text
        };
        self.report_once(error.expected, report, out);
    }

    /// Reports something, for a person; `text` begins after the venue.
    pub fn report(&self, text: &str, out: &mut Output) {
        out.actions.push(Action::Report(format!("{}: {text}", self.options.venue)));
    }

    /// What is wanted of a symbol cannot be had, for this reason: it is reported, and is the
    /// symbol's status.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn give_up(&mut self, id: SymbolId, reason: &str, now: Nanos, out: &mut Output) {
        self.report(&format!("{}: {reason}", self.symbol(id).native), out);
        self.symbol_status(id, VenueState::Down, reason, now, out);
    }

    /// Reports trouble of one `kind` once; `text` is for a person and begins after the venue.
    pub fn report_once(
        &mut self,
        kind: &'static str,
        text: impl FnOnce() -> String,
        out: &mut Output,
    ) {
        if !self.reported.contains(&kind) {
            self.reported.push(kind);
            self.report(&text(), out);
        }
    }

    /// Tells what came up where nothing could be said.
    #[cold]
    pub(super) fn overdue(&mut self, now: Nanos, out: &mut Output) {
        let times = self.counts.symbols_refused;
        if times >= self.refused_due {
            self.refused_due = (times + 1).next_power_of_two();
            let most = self.options.symbols_max;
            let full = self.options.open && self.symbols.len() >= most;
            let why = if full {
                format!("the limit of {most} symbols is reached: messages of others are left out")
            } else {
                "messages of symbols that were not asked for are left out".to_owned()
            };
            self.notice(&format!("{why} ({times} so far)"), now, out);
            self.report_once("symbols", || why, out);
        }
        for id in std::mem::take(&mut self.released) {
            let symbol = self.symbol(id);
            if !symbol.wanted.book && symbol.said == VenueState::Resync {
                self.symbol_status(id, VenueState::Up, "nobody wants its book", now, out);
            }
        }
    }

    /// What went wrong so far, of all symbols together and of the connection, each kind with its
    /// name; nothing that did not happen.
    #[must_use]
    pub fn troubles(&self) -> Vec<(&'static str, u64)> {
        let mut sum = SymbolCounts::default();
        self.symbols.iter().for_each(|symbol| sum += symbol.counts);
        let mut sums = sum.troubles();
        for (name, sum) in &mut sums {
            match *name {
                // Those of symbols are among those of the connection.
                "malformed" => *sum = self.counts.malformed,
                "repeated" => *sum += self.counts.repeated,
                "overtaken" => *sum += self.counts.overtaken,
                _ => {}
            }
        }
        let own = [
            ("unknown", self.counts.unknown),
            ("symbols_refused", self.counts.symbols_refused),
            ("silences", self.counts.silences),
            ("disconnects", self.counts.disconnects),
        ];
        sums.into_iter().chain(own).filter(|(_, count)| *count > 0).collect()
    }
}
