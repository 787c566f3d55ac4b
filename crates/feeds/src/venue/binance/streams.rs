//! Which streams are subscribed on a connection to Binance, in requests as large as it takes.

use market::{Nanos, VenueState};
use rustc_hash::FxHashMap;

use crate::adapter::{Desk, Output, SECOND, Stream, Streams, SymbolId};

/// Longest request. Not documented: the server falls silent at one of more than 4088 bytes.
const REQUEST_BYTES_MAX: usize = 4_000;

/// What changes within this time becomes one request: five a second are allowed.
const GATHER: Nanos = SECOND / 10;

/// Most requests whose answers are waited for; the server answers in order and at once.
const REQUESTS_MAX: usize = 10_000;

/// Binance's number for a request that it does not understand, such as one with a bad symbol.
const INVALID_REQUEST: i64 = 2;

/// The streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// What was asked for, by symbol.
    asked: Vec<Streams>,
    /// How many streams that is.
    count: usize,
    /// Symbols whose wishes changed.
    changed: Vec<SymbolId>,
    flush_at: Option<Nanos>,
    requests: FxHashMap<u64, Request>,
    newest: u64,
}

/// A request of ours.
#[derive(Debug)]
pub(super) struct Request {
    /// Whether it subscribes or unsubscribes.
    pub(super) subscribe: bool,
    /// What.
    pub(super) streams: Vec<(SymbolId, Stream)>,
}

impl Subscriptions {
    /// A new connection has no streams: all that is wanted is to be subscribed.
    pub(super) fn restart(&mut self, desk: &Desk) {
        *self = Self { newest: self.newest, ..Self::default() };
        self.changed = desk.symbols().map(|(id, _)| id).collect();
    }

    /// The wishes for a symbol have changed.
    pub(super) fn changed(&mut self, id: SymbolId, now: Nanos) {
        self.changed.push(id);
        self.flush_at.get_or_insert(now.saturating_add(GATHER));
    }

    /// Whether [`Subscriptions::flush`] is to be called.
    pub(super) fn is_due(&self, now: Nanos) -> bool {
        self.flush_at.is_some_and(|at| at <= now)
    }

    /// Wishes to be woken when it is due.
    pub(super) fn wake(&self, out: &mut Output) {
        if let Some(at) = self.flush_at {
            out.wake(at);
        }
    }

    /// Subscribes what is wanted and was not asked for, and the reverse; never more than
    /// `streams_max` streams.
    pub(super) fn flush(
        &mut self,
        desk: &mut Desk,
        streams_max: usize,
        now: Nanos,
        out: &mut Output,
    ) {
        self.flush_at = None;
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        let (mut fewer, mut more) = (Vec::new(), Vec::new());
        for id in changed {
            let wanted = desk.symbol(id).wanted();
            let at = id.0 as usize;
            if at >= self.asked.len() {
                self.asked.resize(at + 1, Streams::NONE);
            }
            for stream in [Stream::Trades, Stream::Quotes, Stream::Book] {
                match (wanted.has(stream), self.asked[at].has(stream)) {
                    (true, false) => more.push((id, stream)),
                    (false, true) => fewer.push((id, stream)),
                    _ => {}
                }
            }
        }
        self.count -= fewer.len();
        let surplus = more.split_off(more.len().min(streams_max.saturating_sub(self.count)));
        self.count += more.len();
        for (streams, asked) in [(&fewer, false), (&more, true)] {
            for (id, stream) in streams {
                let known = &mut self.asked[id.0 as usize];
                match stream {
                    Stream::Trades => known.trades = asked,
                    Stream::Quotes => known.quotes = asked,
                    Stream::Book => known.book = asked,
                }
            }
        }
        self.request(desk, false, &fewer, out);
        self.request(desk, true, &more, out);
        if !surplus.is_empty() {
            let reason = format!("a connection takes no more than {streams_max} streams");
            refuse(desk, &surplus, &reason, now, out);
        }
    }

    /// Sends requests for `streams`, each as long as it may be.
    fn request(
        &mut self,
        desk: &Desk,
        subscribe: bool,
        streams: &[(SymbolId, Stream)],
        out: &mut Output,
    ) {
        let mut rest = streams;
        while !rest.is_empty() {
            self.newest += 1;
            let method = if subscribe { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
            let mut text = format!("{{\"method\":\"{method}\",\"params\":[");
            let tail = format!("],\"id\":{}}}", self.newest);
            let mut taken = 0;
            for (id, stream) in rest {
                let symbol = desk.symbol(*id).native.to_lowercase();
                let name = match stream {
                    Stream::Trades => "trade",
                    Stream::Quotes => "bookTicker",
                    Stream::Book => "depth@100ms",
                };
                let comma = if taken > 0 { "," } else { "" };
                let param = format!("{comma}\"{symbol}@{name}\"");
                if taken > 0 && text.len() + param.len() + tail.len() > REQUEST_BYTES_MAX {
                    break;
                }
                text.push_str(&param);
                taken += 1;
            }
            out.send(text + &tail);
            let (now, later) = rest.split_at(taken);
            rest = later;
            if self.requests.len() >= REQUESTS_MAX {
                self.requests.clear();
            }
            self.requests.insert(self.newest, Request { subscribe, streams: now.to_vec() });
        }
    }

    /// The request that was carried out.
    pub(super) fn confirmed(&mut self, id: u64) -> Option<Request> {
        self.requests.remove(&id)
    }

    /// A request was refused. One stream that is wrong spoils all of a request, so it is sent
    /// again in halves until the wrong one stands alone: that one is refused for good.
    pub(super) fn denied(
        &mut self,
        request: Option<u64>,
        (code, text): (i64, &str),
        desk: &mut Desk,
        now: Nanos,
        out: &mut Output,
    ) {
        let Some(request) = request.and_then(|id| self.requests.remove(&id)) else {
            let reason = || format!("the venue refused a request: {code} {text}");
            return desk.report_once("refused request", reason, out);
        };
        let Request { subscribe, streams } = request;
        if code == INVALID_REQUEST && streams.len() > 1 {
            let (left, right) = streams.split_at(streams.len() / 2);
            self.request(desk, subscribe, left, out);
            self.request(desk, subscribe, right, out);
        } else if subscribe {
            refuse(desk, &streams, &format!("refused: {code} {text}"), now, out);
        }
    }
}

/// Says of the symbols of `streams` that they cannot be had.
fn refuse(
    desk: &mut Desk,
    streams: &[(SymbolId, Stream)],
    reason: &str,
    now: Nanos,
    out: &mut Output,
) {
    let mut symbols: Vec<SymbolId> = streams.iter().map(|(id, _)| *id).collect();
    symbols.dedup();
    let first = symbols.first().map_or("", |id| &*desk.symbol(*id).native);
    let more = symbols.len() - 1;
    let report = match more {
        0 => format!("{first}: {reason}"),
        _ => format!("{first} and {more} more: {reason}"),
    };
    desk.report(&report, out);
    for id in symbols {
        desk.symbol_status(id, VenueState::Down, reason, now, out);
    }
}
