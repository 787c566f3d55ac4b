//! What Binance answers by REST, and the snapshots in it.

use market::{BookDiff, Nanos, VenueState};

use super::book::Fit;
use super::{Binance, message};
use crate::adapter::{Action, Fault, Oddity, Output, Proof, SECOND, SymbolId};

/// First wait after 429, which says that the request weight is used up.
pub(super) const TOO_MANY_REQUESTS: Nanos = 10 * SECOND;

/// First wait after 418, which is a ban: two minutes at least.
pub(super) const BANNED: Nanos = 120 * SECOND;

impl Binance {
    /// The answer to a request for a symbol's snapshot.
    pub(super) fn answer(
        &mut self,
        id: SymbolId,
        (status, retry_after): (u16, Option<Nanos>),
        body: &[u8],
        now: Nanos,
        out: &mut Output,
    ) {
        match status {
            200 => {
                self.fetches.welcome();
                match message::snapshot(body, now) {
                    Ok((last, diff)) => self.snapshot(id, last, diff, now, out),
                    Err(error) => {
                        self.desk.malformed(error, body, now, out);
                        let why = "its answer is unreadable";
                        self.fetches.failed(id, why, &mut self.desk, now, out);
                    }
                }
                return;
            }
            // The symbol does not exist, or not any more.
            400 | 404 => {
                self.market(id).refused = true;
                let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
                let reason = format!("no snapshot: HTTP {status} {text}");
                let symbol = &self.desk.symbol(id).native;
                let report = format!("{}: {symbol}: {reason}", self.desk.options().venue);
                out.actions.push(Action::Report(report));
                self.desk.symbol_status(id, VenueState::Down, &reason, now, out);
                return;
            }
            418 => self.fetches.hold(retry_after.unwrap_or(BANNED), now),
            // 403 is the firewall's word for the same, 451 a country that is not served.
            403 | 429 | 451 => self.fetches.hold(retry_after.unwrap_or(TOO_MANY_REQUESTS), now),
            // An error of the server's: the wait of this book grows.
            _ => {
                if let Some(wait) = retry_after {
                    self.fetches.hold(wait, now);
                }
            }
        }
        let why = format_args!("the venue answered HTTP {status}");
        self.fetches.failed(id, why, &mut self.desk, now, out);
    }

    fn snapshot(&mut self, id: SymbolId, last: u64, diff: BookDiff, now: Nanos, out: &mut Output) {
        let proved = match self.market(id).sync.judge(last) {
            Fit::Unasked => return,
            Fit::TooOld => {
                self.desk.resync(id, Fault::Outdated, now, out);
                self.fetches.ask(id, now);
                return;
            }
            Fit::Broken => {
                self.desk.resync(id, Fault::Gap, now, out);
                self.fetches.ask(id, now);
                return;
            }
            Fit::Joins(proved) => proved,
        };
        let proof = if proved { Proof::Sequence } else { Proof::Nothing };
        if self.desk.book(id, diff, None, |_| proof, out).is_err() {
            self.fetches.ask(id, now);
            return;
        }
        self.market(id).sync.begin(last, proved);
        self.fetches.settled(id, now);
        let mut joined = false;
        loop {
            let (stale, held) = self.market(id).sync.next_held();
            self.desk.counts_of(id).stale += stale;
            for _ in 0..if joined { stale } else { 0 } {
                self.desk.odd(id, Oddity::Repeated, now, out);
            }
            joined = true;
            let Some(held) = held else { break };
            if !self.apply(id, held, now, out) {
                break;
            }
        }
    }
}
