//! Subscriptions that were asked for: which are not answered yet, which broke, and when to ask
//! again. The pauses grow, so that a venue in trouble is not stormed.

use market::Nanos;

use super::by_symbol::BySymbol;
use super::{Output, SECOND, Stream, SymbolId};

/// A subscription that is not answered for so long is asked for again, later each time.
const ANSWER_WITHIN: Nanos = 10 * SECOND;

/// The pause after the first of several askings; each further one doubles it.
const PAUSE: Nanos = SECOND;

/// How often it doubles: 64 s are the longest pause.
const DOUBLINGS_MAX: u32 = 6;

/// What held for so long after its last asking is asked for at once when it breaks.
const CALM: Nanos = 2 * (PAUSE << DOUBLINGS_MAX);

/// The askings of one connection.
#[derive(Debug, Default)]
pub struct Asks {
    /// By symbol and stream.
    asks: BySymbol<[Ask; 3]>,
    unanswered: Vec<(SymbolId, Stream)>,
    /// No [`Ask::due`] is earlier.
    next: Option<Nanos>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ask {
    asked_at: Nanos,
    /// How often lately.
    times: u32,
    /// When to ask again.
    due: Option<Nanos>,
    /// It is waited for, and did not break.
    awaited: bool,
}

impl Ask {
    fn pause(self) -> Nanos {
        match self.times {
            0 => 0,
            times => PAUSE << (times - 1).min(DOUBLINGS_MAX),
        }
    }

    fn asked(&mut self, now: Nanos) {
        self.times = self.times.saturating_add(1);
        self.asked_at = now;
        self.awaited = true;
        self.due = Some(now.saturating_add(ANSWER_WITHIN + self.pause()));
    }
}

impl Asks {
    fn of(&mut self, id: SymbolId, stream: Stream) -> &mut Ask {
        &mut self.asks.of(id)[stream as usize]
    }

    /// A stream was asked for just now.
    pub fn asked(&mut self, id: SymbolId, stream: Stream, now: Nanos, out: &mut Output) {
        let ask = self.of(id, stream);
        ask.asked(now);
        let due = ask.due;
        self.wake(due, out);
    }

    /// It came: of books the snapshot, of other streams the venue's word.
    pub fn answered(&mut self, id: SymbolId, stream: Stream) {
        self.of(id, stream).due = None;
    }

    /// It must be asked for again: at once if it held for long, else after a pause.
    pub fn broken(&mut self, id: SymbolId, stream: Stream, now: Nanos, out: &mut Output) {
        let ask = self.of(id, stream);
        if now.saturating_sub(ask.asked_at) > CALM {
            ask.times = 0;
        }
        let due = ask.asked_at.saturating_add(ask.pause()).max(now);
        let due = ask.due.map_or(due, |earlier| earlier.min(due));
        ask.due = Some(due);
        ask.awaited = false;
        self.wake(Some(due), out);
    }

    /// There is nothing to build on. Breaks it, unless it is being asked for anyway.
    pub fn missing(&mut self, id: SymbolId, stream: Stream, now: Nanos, out: &mut Output) {
        if self.of(id, stream).due.is_none() {
            self.broken(id, stream, now, out);
        }
    }

    /// Nobody wants it any more, or the venue does not have it.
    pub fn forget(&mut self, id: SymbolId, stream: Stream) {
        *self.of(id, stream) = Ask::default();
    }

    /// The connection is another, or gone.
    pub fn clear(&mut self) {
        self.asks.clear();
        self.next = None;
    }

    /// What is to be asked for now, by symbol, and counts as asked for. Asks to be woken for the
    /// rest.
    pub fn due(&mut self, now: Nanos, out: &mut Output) -> Vec<(SymbolId, Stream)> {
        let mut found = Vec::new();
        self.unanswered.clear();
        if self.next.is_none_or(|next| next > now) {
            return found;
        }
        self.next = None;
        let mut next = None::<Nanos>;
        for (id, asks) in self.asks.iter_mut() {
            for (stream, ask) in
                [Stream::Trades, Stream::Quotes, Stream::Book].into_iter().zip(asks)
            {
                if ask.due.is_some_and(|due| due <= now) {
                    if ask.awaited {
                        self.unanswered.push((id, stream));
                    }
                    ask.asked(now);
                    found.push((id, stream));
                }
                next = [next, ask.due].into_iter().flatten().min();
            }
        }
        self.wake(next, out);
        found
    }

    /// Of what was due last, that which had been asked for and was not answered.
    #[must_use]
    pub fn unanswered(&self) -> &[(SymbolId, Stream)] {
        &self.unanswered
    }

    /// Asks to be woken for what is still open: a wish holds for one waking only.
    pub fn woken(&self, out: &mut Output) {
        if let Some(next) = self.next {
            out.wake(next);
        }
    }

    fn wake(&mut self, at: Option<Nanos>, out: &mut Output) {
        if let Some(at) = at {
            self.next = Some(self.next.map_or(at, |earlier| earlier.min(at)));
            out.wake(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: (SymbolId, Stream) = (SymbolId(3), Stream::Book);

    #[test]
    fn what_is_not_answered_is_asked_for_again_later_each_time() {
        let (mut asks, mut out) = (Asks::default(), Output::default());
        asks.asked(BOOK.0, BOOK.1, 0, &mut out);
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let due = out.wake_at.take().expect("a wish to be woken");
            assert!(asks.due(due - 1, &mut out).is_empty());
            assert_eq!(asks.due(due, &mut out), [BOOK]);
            assert_eq!(asks.unanswered(), [BOOK]);
            pauses.push((due - now) / SECOND);
            now = due;
        }
        assert_eq!(pauses, [11, 12, 14, 18, 26, 42, 74, 74, 74, 74]);
        asks.answered(BOOK.0, BOOK.1);
        assert!(asks.due(now + 1_000 * SECOND, &mut out).is_empty());
    }

    #[test]
    fn what_breaks_after_long_is_asked_for_at_once_and_then_with_growing_pauses() {
        let (mut asks, mut out) = (Asks::default(), Output::default());
        let mut now = 1_000 * SECOND;
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let broken_at = now;
            asks.broken(BOOK.0, BOOK.1, now, &mut out);
            // Asking for it twice changes nothing.
            asks.missing(BOOK.0, BOOK.1, now, &mut out);
            now = out.wake_at.take().expect("a wish to be woken");
            assert_eq!(asks.due(now, &mut out), [BOOK]);
            assert!(asks.unanswered().is_empty(), "it broke");
            out.wake_at = None;
            asks.answered(BOOK.0, BOOK.1);
            pauses.push((now - broken_at) / SECOND);
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
        now += CALM + 1;
        asks.broken(BOOK.0, BOOK.1, now, &mut out);
        assert_eq!(out.wake_at, Some(now));
    }

    #[test]
    fn what_is_forgotten_is_not_asked_for() {
        let (mut asks, mut out) = (Asks::default(), Output::default());
        asks.broken(BOOK.0, BOOK.1, 5, &mut out);
        asks.asked(SymbolId(1), Stream::Trades, 5, &mut out);
        asks.forget(BOOK.0, BOOK.1);
        assert!(asks.due(5, &mut out).is_empty());
        asks.clear();
        assert!(asks.due(Nanos::MAX, &mut out).is_empty());
    }
}
