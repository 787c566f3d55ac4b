//! What was subscribed at Bybit, what the venue says to it, and when to ask for a snapshot again.

use market::{Nanos, VenueState};
use serde::Serialize;

use super::Bybit;
use super::message::Envelope;
use crate::adapter::{Desk, Output, SECOND, Stream, SymbolId};

/// One topic: of which symbol, and what.
pub(super) type Wish = (SymbolId, Stream);

/// Most topics of a request. Source: docs, "Connect": 10 on spot. Linear takes more, but one
/// topic that is refused takes all others of its request with it.
const TOPICS_MAX: usize = 10;

/// A snapshot that did not come after so long is asked for again.
const PATIENCE: Nanos = 15 * SECOND;

/// After so long without trouble the pause between requests is the shortest again.
const QUIET: Nanos = 60 * SECOND;

/// The longest pause is `1 << DOUBLINGS` seconds.
const DOUBLINGS: u32 = 6;

/// Characters of the venue's words that a report shows.
const SHOWN: usize = 200;

#[derive(Serialize)]
struct Command<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    req_id: Option<String>,
    op: &'static str,
    args: &'a [String],
}

impl Command<'_> {
    fn send(&self, out: &mut Output) {
        // Texts can always be written.
        if let Ok(text) = serde_json::to_string(self) {
            out.send(text);
        }
    }
}

/// A request that was not answered yet.
#[derive(Debug)]
struct Request {
    id: u64,
    wishes: Vec<Wish>,
}

/// What was asked for on this connection.
#[derive(Debug)]
pub(super) struct Subscriptions {
    depth: usize,
    requests: u64,
    /// Each topic is in one of them at most.
    pending: Vec<Request>,
    /// A refusal that belongs to none of them was reported.
    reported: bool,
}

impl Subscriptions {
    pub(super) fn new(depth: usize) -> Self {
        Self { depth, requests: 0, pending: Vec::new(), reported: false }
    }

    /// Levels a side of the books that are subscribed.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Number of the last request.
    #[cfg(test)]
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn forget(&mut self) {
        self.pending.clear();
    }

    fn topic(&self, (id, stream): Wish, desk: &Desk) -> String {
        let native = &desk.symbol(id).native;
        match stream {
            Stream::Book => format!("orderbook.{}.{native}", self.depth),
            Stream::Trades => format!("publicTrade.{native}"),
            Stream::Quotes => format!("tickers.{native}"),
        }
    }

    pub(super) fn subscribe(&mut self, wishes: &[Wish], desk: &Desk, out: &mut Output) {
        for wishes in wishes.chunks(TOPICS_MAX) {
            self.requests += 1;
            let id = self.requests;
            let args: Vec<String> = wishes.iter().map(|wish| self.topic(*wish, desk)).collect();
            Command { req_id: Some(id.to_string()), op: "subscribe", args: &args }.send(out);
            self.pending.push(Request { id, wishes: wishes.to_vec() });
        }
    }

    pub(super) fn unsubscribe(&mut self, wish: Wish, desk: &Desk, out: &mut Output) {
        for request in &mut self.pending {
            request.wishes.retain(|pending| *pending != wish);
        }
        self.pending.retain(|request| !request.wishes.is_empty());
        let args = [self.topic(wish, desk)];
        Command { req_id: None, op: "unsubscribe", args: &args }.send(out);
    }

    /// A topic begins with a snapshot each time it is subscribed.
    pub(super) fn resubscribe(&mut self, wish: Wish, desk: &Desk, out: &mut Output) {
        self.unsubscribe(wish, desk, out);
        self.subscribe(&[wish], desk, out);
    }

    /// Takes out the request that an answer is for: the one with its number, or without one, that
    /// which has a topic the answer names.
    fn answered(&mut self, id: Option<u64>, says: &str, desk: &Desk) -> Option<Vec<Wish>> {
        let index = self.pending.iter().position(|request| match id {
            Some(id) => request.id == id,
            None => request.wishes.iter().any(|wish| says.contains(&self.topic(*wish, desk))),
        })?;
        Some(self.pending.remove(index).wishes)
    }
}

/// When a stream may be asked for a fresh snapshot, and when it must be asked again.
#[derive(Debug, Default)]
pub(super) struct Refetch {
    attempts: u32,
    not_before: Nanos,
    due: Option<Nanos>,
    /// It was asked for, and is waited for until then.
    awaited: bool,
}

impl Refetch {
    /// A snapshot was asked for; gives when to ask again if it does not come.
    pub(super) fn asked(&mut self, now: Nanos) -> Nanos {
        let pause = SECOND << self.attempts.min(DOUBLINGS);
        self.attempts = self.attempts.saturating_add(1);
        self.not_before = now.saturating_add(pause);
        let due = now.saturating_add(pause.max(PATIENCE));
        (self.due, self.awaited) = (Some(due), true);
        due
    }

    /// If it is too early to ask again, notes and gives when it is not.
    pub(super) fn put_off(&mut self, now: Nanos) -> Option<Nanos> {
        if now >= self.not_before.saturating_add(QUIET) {
            self.attempts = 0;
        }
        self.due = (now < self.not_before).then_some(self.not_before);
        self.awaited = false;
        self.due
    }

    /// The snapshot came, or nobody wants it any more.
    pub(super) fn arrived(&mut self) {
        self.due = None;
    }

    pub(super) fn due(&self) -> Option<Nanos> {
        self.due
    }

    pub(super) fn is_due(&self, now: Nanos) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether what is due was asked for and did not come.
    pub(super) fn is_late(&self, now: Nanos) -> bool {
        self.awaited && self.is_due(now)
    }
}

impl Bybit {
    /// The venue answers a request. Pongs are nothing but a sign of life.
    pub(super) fn answer(&mut self, envelope: &Envelope<'_>, now: Nanos, out: &mut Output) {
        match (envelope.op, envelope.success) {
            (Some("subscribe"), Some(true)) => self.accepted(envelope.req_id, now, out),
            (Some("subscribe") | None, Some(false)) => self.refused(envelope, now, out),
            _ => {}
        }
    }

    fn accepted(&mut self, id: Option<u64>, now: Nanos, out: &mut Output) {
        let wishes = id.and_then(|id| self.subscriptions.answered(Some(id), "", &self.desk));
        for (id, stream) in wishes.unwrap_or_default() {
            let refused = &mut self.state(id).refused;
            let before = *refused;
            refused[stream as usize] = false;
            if before != *refused && *refused == [false; 3] {
                self.desk.symbol_status(id, VenueState::Up, "the venue takes it", now, out);
            }
        }
    }

    /// One topic that the venue does not take, and it takes none of the request. It names one at
    /// most, so the others are asked for again without it, which ends when none is left.
    fn refused(&mut self, envelope: &Envelope<'_>, now: Nanos, out: &mut Output) {
        let says = String::from_utf8_lossy(envelope.ret_msg);
        let says = says.trim_matches('"');
        let answered = self.subscriptions.answered(envelope.req_id, says, &self.desk);
        let Some(mut wishes) = answered else {
            if !self.subscriptions.reported {
                self.subscriptions.reported = true;
                self.desk.report(&format!("the venue refuses: {}", cut(says)), out);
            }
            return;
        };
        let named = (0..wishes.len())
            .map(|index| (self.subscriptions.topic(wishes[index], &self.desk), index))
            .filter(|(topic, _)| says.contains(topic.as_str()))
            // One topic may be the beginning of another.
            .max_by_key(|(topic, _)| topic.len());
        let alone = named.is_none();
        let at = named.map(|(_, index)| index).or((wishes.len() == 1).then_some(0));
        if let Some(at) = at {
            let wish = wishes.remove(at);
            if !says.contains("already subscribed") {
                self.refuse(wish, says, now, out);
            }
        }
        wishes.retain(|&(id, stream)| self.wanted(id, stream));
        let size = if alone { 1 } else { TOPICS_MAX };
        for wishes in wishes.chunks(size) {
            self.subscriptions.subscribe(wishes, &self.desk, out);
        }
    }

    fn refuse(&mut self, wish: Wish, says: &str, now: Nanos, out: &mut Output) {
        let (id, stream) = wish;
        if let Some(refetch) = self.refetch(id, stream) {
            refetch.arrived();
        }
        let refused = &mut self.state(id).refused;
        let before = std::mem::replace(&mut refused[stream as usize], true);
        let first = *refused == std::array::from_fn(|index| index == stream as usize);
        let topic = self.subscriptions.topic(wish, &self.desk);
        let reason = format!("the venue refuses {topic}: {}", cut(says));
        if !before {
            self.desk.report(&reason, out);
        }
        if !before && first {
            self.desk.symbol_status(id, VenueState::Down, &reason, now, out);
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN).flat_map(char::escape_debug).collect()
}
