//! What Binance answers by REST, and the snapshots in it.

use market::{BookDiff, Nanos};

use super::super::snapshot::{Answer, Outcome};
use super::book::Fit;
use super::{Binance, message};
use crate::adapter::{Fault, Oddity, Output, Proof, SECOND, SymbolId};

/// First wait after 429, which says that the request weight is used up.
pub(super) const TOO_MANY_REQUESTS: Nanos = 10 * SECOND;

/// First wait after 418, which is a ban: two minutes at least.
pub(super) const BANNED: Nanos = 120 * SECOND;

fn first_wait(status: u16) -> Option<Nanos> {
    match status {
        418 => Some(BANNED),
        // 403 is the firewall's word for the same, 451 a country that is not served.
        403 | 429 | 451 => Some(TOO_MANY_REQUESTS),
        _ => None,
    }
}

impl Binance {
    /// The answer to a request for a symbol's snapshot.
    pub(super) fn answer(&mut self, answer: Answer<'_>, now: Nanos, out: &mut Output) {
        let (desk, read) = (&mut self.desk, message::snapshot);
        match self.fetches.take(answer, first_wait, read, desk, now, out) {
            Outcome::Snapshot((last, diff)) => self.snapshot(answer.id, last, diff, now, out),
            Outcome::NoBook => self.market(answer.id).refused = true,
            Outcome::Later => {}
        }
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
