//! What venues with snapshots by REST need: diffs that wait for a snapshot, and requests for
//! snapshots that never become a storm.

mod answer;

use std::collections::VecDeque;
use std::fmt::Display;

use market::{BookDiff, Nanos};
use rustc_hash::FxHashMap;

use crate::adapter::{Action, Desk, Output, SECOND, SymbolId};

pub(super) use self::answer::{Answer, Outcome};

/// Most diffs of one book that wait. At ten a second this is some minutes.
const HELD_MAX: usize = 4_096;

/// Most levels in all diffs of one book that wait, about 10 MB.
const HELD_LEVELS_MAX: usize = 300_000;

/// A diff that waits for a snapshot, with the venue's numbers of its first and last change.
#[derive(Debug)]
pub(super) struct Held {
    /// Number of its first change.
    pub(super) first: u64,
    /// Number of its last change.
    pub(super) last: u64,
    /// What changed.
    pub(super) diff: BookDiff,
}

impl Held {
    fn levels(&self) -> usize {
        self.diff.bids.len() + self.diff.asks.len()
    }
}

/// Diffs that wait for a snapshot, oldest first. When it is full, the oldest go: a newer snapshot
/// than they need can still be had, while a hole at the end could never be closed.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    held: VecDeque<Held>,
    levels: usize,
}

impl Backlog {
    /// Adds the newest, and says how many of the oldest had to go.
    pub(super) fn push(&mut self, diff: Held) -> usize {
        self.levels += diff.levels();
        self.held.push_back(diff);
        let mut gone = 0;
        while self.held.len() > HELD_MAX || (self.levels > HELD_LEVELS_MAX && self.held.len() > 1) {
            self.pop();
            gone += 1;
        }
        gone
    }

    /// Takes the oldest.
    pub(super) fn pop(&mut self) -> Option<Held> {
        let held = self.held.pop_front()?;
        self.levels -= held.levels();
        Some(held)
    }

    /// The oldest.
    pub(super) fn front(&self) -> Option<&Held> {
        self.held.front()
    }

    /// All, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Held> {
        self.held.iter()
    }

    /// True when none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.levels = 0;
    }
}

/// Wait before the second request for a book; doubles with each further one.
const RETRY_FIRST: Nanos = SECOND / 2;

/// Longest wait between two requests for a book.
const RETRY_MAX: Nanos = 30 * SECOND;

/// After so many requests the wait is the longest.
const ATTEMPTS_MAX: u32 = 7;

/// For each time so long that a book was right, one request before that is forgotten.
const CALM: Nanos = 5 * SECOND;

/// Longest time in which nothing is asked after the venue refused to answer.
const HOLD_MAX: Nanos = 3_600 * SECOND;

/// A request without an answer for so long is told as late. It is not given up: that is its owner's
/// to decide.
const LATE: Nanos = 3 * SECOND;

/// Requests for snapshots: at most one for each book, with a growing wait between them, and all of
/// them together at a pace that the venue allows.
#[derive(Debug)]
pub(super) struct Fetches {
    entries: Vec<Entry>,
    under_way: FxHashMap<u32, SymbolId>,
    newest: u32,
    /// What one request adds to `paid_until`.
    cost: Nanos,
    /// How far `paid_until` may lie ahead.
    burst: Nanos,
    /// All requests so far are paid for at this time.
    paid_until: Nanos,
    hold_until: Nanos,
    holds: u32,
    changed: bool,
    /// Nothing is waited for.
    at_once: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Entry {
    /// When to ask.
    due: Option<Nanos>,
    /// What was asked and not answered.
    request: Option<u32>,
    /// When it counts as late; `None` once it was told.
    late_at: Option<Nanos>,
    /// Requests that the wait goes by.
    attempts: u32,
    /// Since when it is right.
    right_since: Option<Nanos>,
}

impl Fetches {
    /// One request a `cost` in the long run, and `burst` worth of them at once.
    pub(super) fn new(cost: Nanos, burst: Nanos) -> Self {
        Self {
            entries: Vec::new(),
            under_way: FxHashMap::default(),
            newest: 0,
            cost,
            burst,
            paid_until: 0,
            hold_until: 0,
            holds: 0,
            changed: false,
            at_once: false,
        }
    }

    /// The same without any wait where `at_once`: for recordings, which hold the answers already
    /// and lose what comes while a pause lasts.
    pub(super) fn at_once(self, at_once: bool) -> Self {
        Self { at_once, ..self }
    }

    fn entry(&mut self, id: SymbolId) -> &mut Entry {
        let at = id.0 as usize;
        if at >= self.entries.len() {
            self.entries.resize(at + 1, Entry::default());
        }
        &mut self.entries[at]
    }

    /// A snapshot of the symbol's book is needed. Does nothing where one is on its way.
    pub(super) fn ask(&mut self, id: SymbolId, now: Nanos) {
        self.ask_after(id, 0, now);
    }

    /// As [`Fetches::ask`], but not before `least` has passed.
    pub(super) fn ask_after(&mut self, id: SymbolId, least: Nanos, now: Nanos) {
        let at_once = self.at_once;
        let entry = self.entry(id);
        if entry.due.is_some() || entry.request.is_some() {
            return;
        }
        if let Some(since) = entry.right_since.take() {
            let calm = u32::try_from(now.saturating_sub(since) / CALM).unwrap_or(u32::MAX);
            entry.attempts = entry.attempts.min(ATTEMPTS_MAX).saturating_sub(calm);
        }
        let wait = match entry.attempts {
            0 => 0,
            more => (RETRY_FIRST << (more - 1).min(ATTEMPTS_MAX)).min(RETRY_MAX),
        };
        entry.attempts = entry.attempts.saturating_add(1);
        let wait = if at_once { 0 } else { wait.max(least) };
        entry.due = Some(now.saturating_add(wait));
        self.changed = true;
    }

    /// The book is right from now on.
    pub(super) fn settled(&mut self, id: SymbolId, now: Nanos) {
        let entry = self.entry(id);
        entry.due = None;
        entry.right_since = Some(now);
    }

    /// Nobody needs a snapshot of it any more; an answer under way will be ignored.
    pub(super) fn forget(&mut self, id: SymbolId) {
        let entry = std::mem::take(self.entry(id));
        if let Some(request) = entry.request {
            self.under_way.remove(&request);
        }
    }

    /// The connection is gone: answers under way will be ignored.
    pub(super) fn forget_all(&mut self) {
        self.under_way.clear();
        for entry in &mut self.entries {
            // What was tried counts on: the same trouble may go on with the next connection.
            (entry.due, entry.request, entry.late_at) = (None, None, None);
        }
    }

    /// Whose request was answered; `None` for one that was forgotten.
    pub(super) fn answered(&mut self, request: u32) -> Option<SymbolId> {
        let id = self.under_way.remove(&request)?;
        let entry = self.entry(id);
        (entry.request, entry.late_at) = (None, None);
        Some(id)
    }

    /// A request came to nothing, and `why` is for a person: it is made again later, which the
    /// symbol's status says.
    pub(super) fn failed(
        &mut self,
        id: SymbolId,
        why: impl Display,
        desk: &mut Desk,
        now: Nanos,
        out: &mut Output,
    ) {
        let report = || format!("no snapshot, trying again later: {why}");
        desk.report_once("no snapshot", report, out);
        self.ask(id, now);
        let again = self.entries[id.0 as usize].due.map_or(now, |due| self.earliest(due));
        desk.rest_failed(id, &why.to_string(), again.saturating_sub(now), now, out);
    }

    /// When a request is made that is due then.
    fn earliest(&self, due: Nanos) -> Nanos {
        due.max(self.hold_until).max(self.paid_until.saturating_sub(self.burst))
    }

    /// The venue answers again.
    pub(super) fn welcome(&mut self) {
        self.holds = 0;
    }

    /// The venue refuses to answer anybody: nothing is asked for `first`, and for twice as long
    /// each time that it goes on.
    pub(super) fn hold(&mut self, first: Nanos, now: Nanos) {
        if now < self.hold_until {
            // Another answer to what was asked before.
            return;
        }
        let wait = first.saturating_mul(1 << self.holds.min(16)).min(HOLD_MAX);
        self.holds = self.holds.saturating_add(1);
        self.hold_until = now.saturating_add(wait);
    }

    /// Whether [`Fetches::run`] has something to do that it had not before.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// Asks for what is due, tells what is late, and wishes to be woken for what will be either.
    pub(super) fn run(
        &mut self,
        desk: &mut Desk,
        now: Nanos,
        out: &mut Output,
        path: impl Fn(&str) -> String,
    ) {
        self.changed = false;
        let mut wake: Option<Nanos> = None;
        let mut later = |at: Nanos| wake = Some(wake.map_or(at, |wake| wake.min(at)));
        for at in 0..self.entries.len() {
            let id = SymbolId(at as u32);
            match self.entries[at].late_at {
                Some(late_at) if late_at <= now => {
                    self.entries[at].late_at = None;
                    desk.rest_late(id, LATE, now, out);
                }
                Some(late_at) => later(late_at),
                None => {}
            }
            let Some(due) = self.entries[at].due else { continue };
            let earliest = self.earliest(due);
            if earliest > now && !self.at_once {
                later(earliest);
                continue;
            }
            self.paid_until = self.paid_until.max(now).saturating_add(self.cost);
            loop {
                self.newest = self.newest.wrapping_add(1);
                if !self.under_way.contains_key(&self.newest) {
                    break;
                }
            }
            self.under_way.insert(self.newest, id);
            let late_at = now.saturating_add(LATE);
            let entry = &mut self.entries[at];
            (entry.due, entry.request, entry.late_at) = (None, Some(self.newest), Some(late_at));
            later(late_at);
            let path = path(&percent_encoded(&desk.symbol(id).native));
            out.actions.push(Action::Fetch { request: self.newest, path });
        }
        if let Some(wake) = wake {
            out.wake(wake);
        }
    }
}

/// A symbol as it may stand in a URL: there are some in other than Latin letters.
fn percent_encoded(symbol: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(symbol.len());
    for byte in symbol.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::DeskOptions;
    use crate::adapter::symbol::Spelling;
    use market::{Decimal, Event, Level};

    fn held(number: u64, levels: usize) -> Held {
        let level = Level { price: Decimal::ZERO, size: Decimal::ZERO };
        let diff = BookDiff { bids: vec![level; levels], ..BookDiff::default() };
        Held { first: number, last: number, diff }
    }

    fn desk() -> Desk {
        let symbols = (0..10).map(|number| number.to_string()).collect();
        Desk::new(DeskOptions { symbols, ..DeskOptions::default() }, Spelling::Plain)
    }

    fn asked(fetches: &mut Fetches, now: Nanos) -> (Vec<u32>, Option<Nanos>) {
        let mut out = Output::default();
        fetches.run(&mut desk(), now, &mut out, |symbol| format!("/{symbol}"));
        let requests = out.actions.iter().map(|action| match action {
            Action::Fetch { request, .. } => *request,
            other => panic!("{other:?}"),
        });
        (requests.collect(), out.wake_at)
    }

    #[test]
    fn a_full_backlog_loses_its_oldest() {
        let mut backlog = Backlog::default();
        for number in 0..HELD_MAX as u64 {
            assert_eq!(backlog.push(held(number, 1)), 0);
        }
        assert_eq!(backlog.push(held(HELD_MAX as u64, 1)), 1);
        assert_eq!(backlog.front().map(|held| held.first), Some(1));
        assert_eq!(backlog.push(held(0, HELD_LEVELS_MAX)), HELD_MAX);
        assert_eq!(backlog.iter().count(), 1);
        // One alone is kept however long it is: the connection's bound on messages holds for it.
        assert_eq!(backlog.push(held(1, HELD_LEVELS_MAX + 1)), 1);
        backlog.clear();
        assert!(backlog.is_empty() && backlog.levels == 0 && backlog.pop().is_none());
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_shrink_with_calm() {
        let mut fetches = Fetches::new(0, 0);
        let (id, mut now, mut waits) = (SymbolId(2), 1_000 * SECOND, Vec::new());
        for _ in 0..9 {
            fetches.ask(id, now);
            let (mut requests, wake) = asked(&mut fetches, now);
            if let (true, Some(wake)) = (requests.is_empty(), wake) {
                waits.push(wake - now);
                now = wake;
                requests = asked(&mut fetches, now).0;
            }
            assert_eq!(requests.len(), 1);
            // Asking again while one is under way changes nothing.
            fetches.ask(id, now);
            assert_eq!(asked(&mut fetches, now), (vec![], Some(now + LATE)));
            assert_eq!(fetches.answered(requests[0]), Some(id));
            assert_eq!(fetches.answered(requests[0]), None);
        }
        let halves: Vec<_> = waits.iter().map(|wait| wait * 2 / SECOND).collect();
        assert_eq!(halves, [1, 2, 4, 8, 16, 32, 60, 60]);
        // Right for a while, it may be asked for sooner.
        for (calm, wait) in [(1, 32), (3, 8), (2, 4), (5, 0)] {
            fetches.settled(id, now);
            now += calm * CALM;
            fetches.ask(id, now);
            let (mut requests, wake) = asked(&mut fetches, now);
            let wake = wake.filter(|_| requests.is_empty());
            assert_eq!(wake.map_or(0, |wake| wake - now) * 2 / SECOND, wait, "{calm}");
            if let Some(wake) = wake {
                now = wake;
                requests = asked(&mut fetches, now).0;
            }
            fetches.answered(requests[0]);
        }
    }

    #[test]
    fn many_books_are_asked_for_at_the_venues_pace() {
        let mut fetches = Fetches::new(SECOND, 3 * SECOND);
        let mut now = 1_000 * SECOND;
        for id in 0..10 {
            fetches.ask(SymbolId(id), now);
        }
        let (requests, wake) = asked(&mut fetches, now);
        assert_eq!((requests.len(), wake), (4, Some(now + SECOND)));
        for _ in 0..6 {
            now += SECOND;
            assert_eq!(asked(&mut fetches, now).0.len(), 1);
        }
        assert!(asked(&mut fetches, now).0.is_empty());
    }

    #[test]
    fn what_fails_and_what_is_late_is_counted_and_told_with_what_comes_next() {
        let (mut fetches, mut desk) = (Fetches::new(0, 0), desk());
        let (id, mut now, mut out) = (SymbolId(1), 1_000 * SECOND, Output::default());
        let told = |out: &mut Output| {
            let reason = |update: crate::Update| match update.event {
                Event::Status(status) => format!("{} {}", status.state.as_str(), status.reason),
                other => panic!("{other:?}"),
            };
            out.updates.drain(..).map(reason).collect::<Vec<_>>()
        };
        fetches.ask(id, now);
        for (second, reasons) in [
            (0, &[][..]),
            (3, &["resync waits for the REST snapshot: no answer for 3 s"]),
            // Once.
            (9, &[]),
        ] {
            fetches.run(&mut desk, now + second * SECOND, &mut out, str::to_owned);
            assert_eq!(told(&mut out), reasons, "after {second} s");
        }
        now += 10 * SECOND;
        assert_eq!(fetches.answered(1), Some(id));
        fetches.hold(7 * SECOND, now);
        fetches.failed(id, "HTTP 429", &mut desk, now, &mut out);
        let reason = "resync waits for the REST snapshot, asks again in 7.0 s: HTTP 429";
        assert_eq!(told(&mut out), [reason]);
        fetches.run(&mut desk, now, &mut out, str::to_owned);
        fetches.run(&mut desk, now + 7 * SECOND, &mut out, str::to_owned);
        assert_eq!(fetches.answered(2), Some(id));
        let counts = desk.symbol(id).counts;
        assert_eq!((counts.rest_failed, counts.rest_late), (1, 1));
    }

    #[test]
    fn a_refusal_holds_all_and_longer_each_time() {
        let mut fetches = Fetches::new(0, 0);
        let now = 1_000 * SECOND;
        fetches.hold(10 * SECOND, now);
        fetches.hold(10 * SECOND, now + 1);
        fetches.ask(SymbolId(0), now);
        assert_eq!(asked(&mut fetches, now + 1), (vec![], Some(now + 10 * SECOND)));
        fetches.hold(10 * SECOND, now + 10 * SECOND);
        assert_eq!(asked(&mut fetches, now + 10 * SECOND).1, Some(now + 30 * SECOND));
        fetches.welcome();
        fetches.forget_all();
        assert_eq!(asked(&mut fetches, now + 40 * SECOND), (vec![], None));
    }
}
