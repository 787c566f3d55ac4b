//! An adapter connected to an exchange in memory: no socket, no thread, and time as fast as it can
//! be played.

use std::collections::VecDeque;
use std::fmt;

use feeds::Update;
use feeds::adapter::BookState;
use feeds::adapter::{Action, Adapter, Input, Output, SECOND, Stream, SymbolId};
use market::Nanos;

use crate::connection::{ConnectionId, Effect, Reply};
use crate::engine::Exchange;

/// How long a REST answer takes that nothing delays.
const REST_LATENCY: Nanos = 30_000_000;
/// From the end of a connection to the next one. A real owner backs off.
const RECONNECT_AFTER: Nanos = 500_000_000;
/// Soonest waking.
const WAKE_AFTER: Nanos = 1_000_000;
/// Reports that are kept.
const REPORTS_MAX: usize = 1000;

/// What was done on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounts {
    /// Connections opened.
    pub connections: u64,
    /// Connections that ended, of themselves or because the adapter wanted it.
    pub disconnects: u64,
    /// Messages that reached the adapter.
    pub messages: u64,
    /// Messages that the adapter sent.
    pub sent: u64,
    /// REST requests.
    pub requests: u64,
    /// Events of the adapter.
    pub updates: u64,
}

/// What stands between an exchange and its client, and may damage what comes through: for faults
/// that are none of [`Fault`](crate::Fault), such as those that a fuzzer thinks of.
pub trait Between: fmt::Debug {
    /// A message on its way to the client: gives what arrives in its place, in order.
    fn message(&mut self, text: Vec<u8>) -> Vec<Vec<u8>>;

    /// The answer to a REST request: gives what arrives in its place, or `None` if there is no
    /// answer at all.
    fn answer(&mut self, reply: Reply) -> Option<Reply>;
}

#[derive(Debug)]
struct Pending {
    at: Nanos,
    request: u32,
    reply: Option<Reply>,
}

/// An adapter and the exchange that it is connected to.
///
/// It does what the owner of an adapter does: opens connections, carries messages, paces what is
/// sent by the venue's rules, answers REST requests, wakes the adapter, tells it of silence, and
/// gives a dead connection up. A message arrives at the instant at which it was sent, so nothing
/// but the seed decides what happens.
#[derive(Debug)]
pub struct Link {
    adapter: Box<dyn Adapter>,
    exchange: Exchange,
    now: Nanos,
    connection: Option<ConnectionId>,
    connect_at: Option<Nanos>,
    wake_at: Option<Nanos>,
    /// The last message, and the last byte of any kind.
    heard: (Nanos, Nanos),
    told_silent: bool,
    sends: VecDeque<String>,
    send_at: Nanos,
    pending: Vec<Pending>,
    reports: Vec<String>,
    counts: LinkCounts,
    between: Option<Box<dyn Between>>,
}

impl Link {
    /// A link that connects at `start`.
    #[must_use]
    pub fn new(adapter: Box<dyn Adapter>, exchange: Exchange, start: Nanos) -> Self {
        Self {
            adapter,
            exchange,
            now: start,
            connection: None,
            connect_at: Some(start),
            wake_at: None,
            heard: (start, start),
            told_silent: false,
            sends: VecDeque::new(),
            send_at: start,
            pending: Vec::new(),
            reports: Vec::new(),
            counts: LinkCounts::default(),
            between: None,
        }
    }

    /// Puts something between the exchange and the adapter, or takes it away again.
    pub fn put_between(&mut self, between: Option<Box<dyn Between>>) {
        self.between = between;
    }

    /// Time jumps ahead, as for a process that was stopped: nothing happens meanwhile, and what
    /// was due comes late.
    pub fn stand_still(&mut self, duration: Nanos) {
        self.now = self.now.saturating_add(duration);
    }

    /// Somebody wants a stream of a symbol now, or nobody does any more. `watch` is as that of
    /// [`Link::run`]; what the desk knows already is not told to the adapter.
    ///
    /// # Panics
    /// When the symbol is of another desk.
    pub fn demand(
        &mut self,
        symbol: SymbolId,
        stream: Stream,
        wanted: bool,
        mut watch: impl FnMut(&Self, &[Update]),
    ) {
        if self.adapter.desk().symbol(symbol).wanted().has(stream) != wanted {
            self.input(Input::Demand { symbol, stream, wanted }, &mut watch);
        }
    }

    /// The adapter.
    #[must_use]
    pub fn adapter(&self) -> &dyn Adapter {
        &*self.adapter
    }

    /// The exchange.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The exchange, to change what goes wrong.
    pub fn exchange_mut(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        self.counts
    }

    /// Lines for the log, the first thousand.
    #[must_use]
    pub fn reports(&self) -> &[String] {
        &self.reports
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Plays until `until`. After each input `watch` is given the link and what the adapter made
    /// of it; [`Link::wrong_book`] is meant to be called there.
    pub fn run(&mut self, until: Nanos, mut watch: impl FnMut(&Self, &[Update])) {
        loop {
            let rules = self.adapter.rules();
            let open = self.connection.is_some();
            let silent_at = self.heard.0.saturating_add(rules.stale_after);
            let dead_at = self.heard.1.saturating_add(rules.dead_after);
            let next = [
                self.exchange.next_due(),
                self.connect_at,
                self.wake_at,
                self.pending.iter().map(|pending| pending.at).min(),
                (open && !self.sends.is_empty()).then_some(self.send_at),
                (open && !self.told_silent).then_some(silent_at),
                open.then_some(dead_at),
            ];
            let due = next.into_iter().flatten().min().unwrap_or(until);
            if due > until {
                self.now = self.now.max(until);
                return;
            }
            self.now = self.now.max(due);
            let now = self.now;
            self.exchange.advance(now);
            self.deliver(&mut watch);
            if self.connect_at.is_some_and(|at| at <= now) {
                self.connect(&mut watch);
            }
            if self.wake_at.is_some_and(|at| at <= now) {
                self.wake_at = None;
                self.input(Input::Timer, &mut watch);
            }
            while let Some(at) = self.pending.iter().position(|pending| pending.at <= now) {
                let Pending { request, reply, .. } = self.pending.remove(at);
                let answer = match &reply {
                    Some(reply) => {
                        let (status, body) = (reply.status, reply.body.as_bytes());
                        let retry_after =
                            reply.retry_after.map(|after| Nanos::from(after) * SECOND);
                        Input::Answer { request, status, retry_after, body }
                    }
                    None => Input::NoAnswer { request, reason: "no answer" },
                };
                self.input(answer, &mut watch);
            }
            self.send();
            self.deliver(&mut watch);
            if self.connection.is_some() {
                if self.heard.1.saturating_add(rules.dead_after) <= now {
                    self.give_up("nothing came any more", &mut watch);
                } else if !self.told_silent && self.heard.0.saturating_add(rules.stale_after) <= now
                {
                    self.told_silent = true;
                    self.input(Input::Silent, &mut watch);
                }
            }
        }
    }

    /// The first symbol whose book the adapter holds for verified though the exchange never had
    /// it, with both books' best levels. Nothing may ever be found.
    #[must_use]
    pub fn wrong_book(&self) -> Option<String> {
        self.books().find_map(|(native, id)| {
            let symbol = self.adapter.desk().symbol(id);
            let trusted = symbol.state() == BookState::Verified;
            if !trusted || self.exchange.held(native, symbol.book()).is_some() {
                return None;
            }
            let best = |book: &market::Book| {
                let side = |side| book.levels(side).take(3).map(|level| (level.price, level.size));
                let [bids, asks] = [market::BookSide::Bid, market::BookSide::Ask]
                    .map(|which| side(which).collect::<Vec<_>>());
                format!("bids {bids:?} asks {asks:?}")
            };
            let truth = self.exchange.book(native).map(best).unwrap_or_default();
            Some(format!("{native}: {} though it is {truth}", best(symbol.book())))
        })
    }

    /// The first symbol whose book is not verified, or not what the exchange told last. Once
    /// faults have ended and some time went by, nothing may be found.
    #[must_use]
    pub fn unsettled(&self) -> Option<String> {
        self.books().find_map(|(native, id)| {
            let symbol = self.adapter.desk().symbol(id);
            let state = symbol.state();
            if state != BookState::Verified {
                return Some(format!("{native} is {}", state.as_str()));
            }
            let agrees = self.exchange.agrees(native, symbol.book());
            (!agrees).then(|| format!("{native} is not what was told last"))
        })
    }

    /// Symbols of both, those whose books are wanted.
    fn books(&self) -> impl Iterator<Item = (&str, SymbolId)> {
        let known = |native: &str| self.exchange.book(native).is_some();
        self.adapter
            .desk()
            .symbols()
            .filter(move |(_, symbol)| symbol.wanted().book && known(&symbol.native))
            .map(|(id, symbol)| (&*symbol.native, id))
    }

    fn connect(&mut self, watch: &mut impl FnMut(&Self, &[Update])) {
        self.connect_at = None;
        let address = self.adapter.rules().websocket;
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
        self.connection = Some(self.exchange.connect(path, self.now));
        self.counts.connections += 1;
        self.heard = (self.now, self.now);
        self.told_silent = false;
        self.sends.clear();
        self.send_at = self.now;
        self.input(Input::Connected, watch);
    }

    /// Brings to the adapter what the exchange has for it.
    fn deliver(&mut self, watch: &mut impl FnMut(&Self, &[Update])) {
        for delivery in self.exchange.take_deliveries() {
            if Some(delivery.connection) != self.connection {
                continue;
            }
            match delivery.effect {
                Effect::Text(text) => {
                    let arrive = match &mut self.between {
                        Some(between) => between.message(text),
                        None => vec![text],
                    };
                    for text in arrive {
                        // What was given before may have ended the connection.
                        if self.connection != Some(delivery.connection) {
                            break;
                        }
                        self.heard = (self.now, self.now);
                        self.told_silent = false;
                        self.counts.messages += 1;
                        self.input(Input::Text(&text), watch);
                    }
                }
                Effect::Ping(_) => self.heard.1 = self.now,
                Effect::CutMidFrame { .. } => self.ended("the connection was cut", watch),
                Effect::Close { reason, .. } => self.ended(&reason, watch),
                Effect::Silence => {}
            }
        }
    }

    fn input(&mut self, input: Input<'_>, watch: &mut impl FnMut(&Self, &[Update])) {
        let mut out = Output::default();
        self.adapter.handle(input, self.now, &mut out);
        self.counts.updates += out.updates.len() as u64;
        // An adapter that always wants to be woken at once must not stop the clock.
        let wish = out.wake_at.map(|at| at.max(self.now.saturating_add(WAKE_AFTER)));
        self.wake_at = [self.wake_at, wish].into_iter().flatten().min();
        let mut reconnect = None;
        for action in out.actions {
            match action {
                Action::Send(text) => self.sends.push_back(text),
                // None of these venues reads such: it is lost on them.
                Action::SendBinary(_) => {}
                Action::Fetch { request, path } => {
                    self.counts.requests += 1;
                    let reply = self.exchange.request(&path, self.now);
                    let at = self.now.saturating_add(REST_LATENCY).saturating_add(reply.delay);
                    let reply = match &mut self.between {
                        Some(between) => between.answer(reply),
                        None => Some(reply),
                    };
                    self.pending.push(Pending { at, request, reply });
                }
                Action::Reconnect { reason } => reconnect = Some(reason),
                Action::Report(line) => {
                    if self.reports.len() < REPORTS_MAX {
                        self.reports.push(line);
                    }
                }
            }
        }
        watch(self, &out.updates);
        if let Some(reason) = reconnect {
            self.give_up(&reason, watch);
        }
    }

    /// Sends what may be sent now.
    fn send(&mut self) {
        let pause = 1_000_000_000 / u64::from(self.adapter.rules().messages_per_second.max(1));
        while let Some(connection) = self.connection.filter(|_| self.send_at <= self.now) {
            let Some(text) = self.sends.pop_front() else { return };
            self.send_at = self.now.saturating_add(pause);
            self.counts.sent += 1;
            self.exchange.receive(connection, text.as_bytes(), self.now);
        }
    }

    /// Closes the connection, if there is one.
    fn give_up(&mut self, reason: &str, watch: &mut impl FnMut(&Self, &[Update])) {
        if let Some(connection) = self.connection {
            self.exchange.disconnect(connection, self.now);
            self.ended(reason, watch);
        }
    }

    fn ended(&mut self, reason: &str, watch: &mut impl FnMut(&Self, &[Update])) {
        self.connection = None;
        self.sends.clear();
        self.counts.disconnects += 1;
        self.connect_at = Some(self.now.saturating_add(RECONNECT_AFTER));
        self.input(Input::Disconnected { reason }, watch);
    }
}
