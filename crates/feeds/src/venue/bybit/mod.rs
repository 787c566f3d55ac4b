//! Bybit v5, spot and linear: books by their update number, trades, and best bid and offer where
//! tickers have it.
//!
//! Source: bybit-exchange.github.io/docs/v5, "WebSocket Stream": connect, orderbook, trade,
//! ticker; and what recordings show.

mod message;
mod state;
mod subscriptions;

use market::{BookDiff, Nanos, Quote, Trade, VenueState};

use self::message::{BookData, Data, Envelope, TickerData, Topic};
use self::state::{State, Ticker, Verdict};
use self::subscriptions::{Refetch, Subscriptions};
use crate::adapter::BookState;
use crate::adapter::json::JsonError;
use crate::adapter::symbol::Spelling;
use crate::adapter::{
    Adapter, Desk, DeskOptions, Fault, Input, Oddity, Output, Proof, Rules, SECOND, Stream,
    SymbolId, Transport,
};

/// Quote currencies of spot pairs.
const SPOT: Spelling = Spelling::Joined(QUOTES);
/// Linear contracts are perpetuals of the same pairs, which must not be taken for these.
const LINEAR: Spelling = Spelling::Perpetual(QUOTES);
const QUOTES: &[&str] = &[
    "USDT", "USDC", "USDE", "USD1", "USD", "BTC", "ETH", "SOL", "MNT", "DAI", "EUR", "BRL", "PLN",
    "TRY", "BRZ", "GEL",
];

/// Levels a side that can be subscribed.
pub(super) const DEPTHS: [usize; 4] = [1, 50, 200, 1000];

/// How often the client must ping.
const PING_INTERVAL: Nanos = 20 * SECOND;

/// Which of Bybit's markets a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Market {
    /// Pairs. Its tickers have no bid and no offer.
    Spot,
    /// Contracts settled in USDT or USDC.
    Linear,
}

impl Market {
    fn rules(self) -> &'static Rules {
        match self {
            Self::Spot => &const { rules("wss://stream.bybit.com/v5/public/spot") },
            Self::Linear => &const { rules("wss://stream.bybit.com/v5/public/linear") },
        }
    }
}

/// Source: docs, "Connect"; 500 connections in 5 minutes, and 21,000 characters of topics on a
/// connection, the longest of which have 35. It tells no bound of requests.
const fn rules(websocket: &'static str) -> Rules {
    Rules {
        transport: Transport::WebSocket,
        websocket,
        rest: "",
        message_bytes: 1 << 20,
        messages_per_second: 20,
        connections: 500,
        connections_window: 300 * SECOND,
        streams: 600,
        lifetime: None,
        // A ping is answered, so there is a message every 20 s at least.
        stale_after: PING_INTERVAL + 5 * SECOND,
        dead_after: 2 * PING_INTERVAL + 5 * SECOND,
    }
}

/// One connection to Bybit.
#[derive(Debug)]
pub(super) struct Bybit {
    desk: Desk,
    market: Market,
    subscriptions: Subscriptions,
    /// By symbol.
    states: Vec<State>,
    /// The trades of one message; kept for its room.
    trades: Vec<Trade>,
    ping_at: Option<Nanos>,
}

impl Bybit {
    /// An adapter for one connection to `market`.
    pub(super) fn new(market: Market, mut options: DeskOptions) -> Self {
        // What is made of the book needs the book.
        options.streams.book |= market == Market::Spot && options.streams.quotes;
        let depth = options.depth.unwrap_or(200);
        let depth = DEPTHS.into_iter().find(|known| *known >= depth).unwrap_or(DEPTHS[3]);
        let spelling = match market {
            Market::Spot => SPOT,
            Market::Linear => LINEAR,
        };
        Self {
            desk: Desk::new(options, spelling),
            market,
            subscriptions: Subscriptions::new(depth),
            states: Vec::new(),
            trades: Vec::new(),
            ping_at: None,
        }
    }

    fn state(&mut self, id: SymbolId) -> &mut State {
        let index = id.0 as usize;
        if index >= self.states.len() {
            // An open desk takes the depth that comes.
            let options = self.desk.options();
            let depth = (!options.open).then_some(self.subscriptions.depth());
            let asked = !options.on_demand;
            let asked = [asked && options.streams.book, asked && options.streams.quotes];
            self.states.resize_with(index + 1, || State { depth, asked, ..State::default() });
        }
        &mut self.states[index]
    }

    /// The streams that `id` has at this venue and somebody wants.
    fn wanted(&self, id: SymbolId, stream: Stream) -> bool {
        let has = stream != Stream::Quotes || self.market == Market::Linear;
        has && self.desk.wants(id, stream)
    }

    fn connected(&mut self, now: Nanos, out: &mut Output) {
        self.forget();
        let ids: Vec<SymbolId> = self.desk.symbols().map(|(id, _)| id).collect();
        let (mut wishes, mut doubtful) = (Vec::new(), Vec::new());
        for id in ids {
            for stream in [Stream::Book, Stream::Trades, Stream::Quotes] {
                if self.wanted(id, stream) {
                    let refused = self.state(id).refused[stream as usize];
                    if refused { &mut doubtful } else { &mut wishes }.push((id, stream));
                    self.await_snapshot((id, stream), now, out);
                }
            }
        }
        self.subscriptions.subscribe(&wishes, &self.desk, out);
        // One that was refused before would take the others of its request with it.
        for wish in doubtful {
            self.subscriptions.subscribe(&[wish], &self.desk, out);
        }
        self.ping_at = Some(now.saturating_add(PING_INTERVAL));
        self.wake(out);
    }

    fn await_snapshot(&mut self, (id, stream): (SymbolId, Stream), now: Nanos, out: &mut Output) {
        if let Some(refetch) = self.refetch(id, stream) {
            out.wake(refetch.asked(now));
        }
    }

    /// How `stream` gets a fresh snapshot; trades have none.
    fn refetch(&mut self, id: SymbolId, stream: Stream) -> Option<&mut Refetch> {
        let state = self.state(id);
        match stream {
            Stream::Book => Some(&mut state.book),
            Stream::Quotes => Some(&mut state.quotes),
            Stream::Trades => None,
        }
    }

    /// Nothing of a former connection holds for the next.
    fn forget(&mut self) {
        self.subscriptions.forget();
        self.ping_at = None;
        for state in &mut self.states {
            state.ticker = Ticker::default();
            state.book = Refetch::default();
            state.quotes = Refetch::default();
        }
    }

    /// Asks for the timer at the next thing that is due.
    fn wake(&self, out: &mut Output) {
        let refetches = self.states.iter().flat_map(|state| [state.book.due(), state.quotes.due()]);
        for at in refetches.flatten().chain(self.ping_at) {
            out.wake(at);
        }
    }

    fn timer(&mut self, now: Nanos, out: &mut Output) {
        if self.ping_at.is_some_and(|at| at <= now) {
            out.send(r#"{"op":"ping"}"#);
            self.ping_at = Some(now.saturating_add(PING_INTERVAL));
        }
        for index in 0..self.states.len() {
            let id = SymbolId(index as u32);
            if self.states[index].book.is_late(now) {
                self.desk.snapshot_late(id, now, out);
            }
            for stream in [Stream::Book, Stream::Quotes] {
                let due = self.refetch(id, stream).is_some_and(|refetch| refetch.is_due(now));
                if due {
                    self.resubscribe(id, stream, now, out);
                }
            }
        }
        self.wake(out);
    }

    /// Wants a fresh snapshot: now, or where that was asked for not long ago, later.
    fn refetch_soon(&mut self, id: SymbolId, stream: Stream, now: Nanos, out: &mut Output) {
        match self.refetch(id, stream).and_then(|refetch| refetch.put_off(now)) {
            Some(later) => out.wake(later),
            None => self.resubscribe(id, stream, now, out),
        }
    }

    fn resubscribe(&mut self, id: SymbolId, stream: Stream, now: Nanos, out: &mut Output) {
        if self.wanted(id, stream) {
            self.subscriptions.resubscribe((id, stream), &self.desk, out);
            self.await_snapshot((id, stream), now, out);
        } else if let Some(refetch) = self.refetch(id, stream) {
            refetch.arrived();
        }
    }

    fn demand(&mut self, id: SymbolId, stream: Stream, wanted: bool, now: Nanos, out: &mut Output) {
        let (mut stream, mut wanted) = (stream, wanted);
        if self.market == Market::Spot && stream != Stream::Trades {
            // Quotes are made of the book, so each of the two wants it.
            if stream == Stream::Quotes {
                self.desk.demand(id, stream, wanted);
            }
            let asked = &mut self.state(id).asked;
            asked[usize::from(stream == Stream::Quotes)] = wanted;
            (stream, wanted) = (Stream::Book, asked.contains(&true));
        }
        if !self.desk.demand(id, stream, wanted) || self.ping_at.is_none() {
            return;
        }
        if self.wanted(id, stream) {
            self.subscriptions.subscribe(&[(id, stream)], &self.desk, out);
            self.await_snapshot((id, stream), now, out);
            return;
        }
        self.subscriptions.unsubscribe((id, stream), &self.desk, out);
        if let Some(refetch) = self.refetch(id, stream) {
            refetch.arrived();
        }
        if stream == Stream::Quotes {
            self.state(id).ticker = Ticker::default();
        }
    }

    fn text(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        self.desk.heard(now, out);
        let mut envelope = Envelope::default();
        let mut trades = std::mem::take(&mut self.trades);
        let read = message::read(message, now, &mut envelope, &mut trades);
        let result = match (read, envelope.topic) {
            (Ok(Data::Book(data)), Some(Topic::Book { depth, symbol })) => {
                envelope.is_snapshot().map(|snapshot| {
                    self.book(symbol, depth, snapshot, data, &envelope, now, out);
                })
            }
            (Ok(Data::Trades), Some(Topic::Trades { symbol })) => {
                if let Some(id) = self.desk.find(symbol) {
                    self.trades(id, &mut trades, now, out);
                }
                Ok(())
            }
            (Ok(Data::Ticker(data)), Some(Topic::Ticker { symbol })) => envelope
                .is_snapshot()
                .map(|snapshot| self.ticker(symbol, snapshot, data, &envelope, now, out)),
            (Ok(_), None) if envelope.op.is_some() || envelope.success.is_some() => {
                self.answer(&envelope, now, out);
                Ok(())
            }
            (Ok(_), Some(Topic::Unused)) => {
                self.desk.counts.unused += 1;
                Ok(())
            }
            (Ok(_), None | Some(Topic::Other)) => {
                self.desk.counts.unknown += 1;
                Ok(())
            }
            (Ok(_), Some(_)) => Err(JsonError { at: 0, expected: "a message with \"data\"" }),
            (Err(error), _) => Err(error),
        };
        trades.clear();
        self.trades = trades;
        if let Err(error) = result {
            self.desk.malformed(error, message, now, out);
            self.unreadable(envelope.topic, now, out);
        }
    }

    /// The executions of one message. Their ids have no order, so only a message that comes twice in
    /// a row is known as such.
    fn trades(&mut self, id: SymbolId, trades: &mut Vec<Trade>, now: Nanos, out: &mut Output) {
        let Some(last) = trades.last() else { return };
        let traded = &mut self.state(id).traded;
        if *traded == *last.trade_id {
            self.desk.odd(id, Oddity::Repeated, now, out);
            return;
        }
        traded.clear();
        traded.push_str(&last.trade_id);
        for trade in trades.drain(..) {
            self.desk.trade(id, trade, out);
        }
    }

    /// A message could not be read: what it was about is in doubt, as far as that can be told.
    fn unreadable(&mut self, topic: Option<Topic<'_>>, now: Nanos, out: &mut Output) {
        match topic {
            Some(Topic::Book { symbol, depth }) => {
                let Some(id) = self.desk.find(symbol) else { return };
                if self.state(id).depth.is_none_or(|followed| followed == depth) {
                    self.desk.counts_of(id).book_events += 1;
                    self.desk.resync(id, Fault::Malformed, now, out);
                    self.refetch_soon(id, Stream::Book, now, out);
                }
            }
            Some(Topic::Trades { symbol }) => {
                let Some(id) = self.desk.find(symbol) else { return };
                self.desk.counts_of(id).malformed += 1;
                self.desk.missed_trades(id);
            }
            Some(Topic::Ticker { symbol }) => {
                let Some(id) = self.desk.find(symbol) else { return };
                self.desk.counts_of(id).malformed += 1;
                // The changes in it are lost, and only a whole ticker makes up for them.
                self.state(id).ticker = Ticker::default();
                if self.market == Market::Linear {
                    self.refetch_soon(id, Stream::Quotes, now, out);
                }
            }
            Some(Topic::Unused | Topic::Other) => {}
            None => {
                // It may have been a trade of any symbol. Of a book the next number will tell.
                let symbols = self.desk.symbols().len();
                for index in 0..symbols {
                    self.desk.missed_trades(SymbolId(index as u32));
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn book(
        &mut self,
        symbol: &str,
        depth: usize,
        snapshot: bool,
        data: BookData,
        envelope: &Envelope<'_>,
        now: Nanos,
        out: &mut Output,
    ) {
        let Some(id) = self.desk.find(symbol) else { return };
        let open = self.desk.options().open;
        let live = self.desk.symbol(id).state() != BookState::Resyncing;
        let state = self.state(id);
        let follows = match state.depth {
            Some(followed) => followed == depth || (open && snapshot && followed < depth),
            None => true,
        };
        if !follows {
            self.desk.counts.unused += 1;
            return;
        }
        if snapshot && state.depth != Some(depth) {
            // What the other depth was at says nothing about this one.
            (state.depth, state.cross) = (Some(depth), None);
        }
        let verdict = state.judge(live, depth, snapshot, &data);
        let counts = self.desk.counts_of(id);
        counts.book_events += 1;
        match verdict {
            Verdict::Next => {}
            Verdict::Old => {
                counts.stale += 1;
                if !snapshot {
                    self.desk.odd(id, Oddity::Repeated, now, out);
                }
                return;
            }
            Verdict::Again => {
                counts.snapshots += 1;
                return;
            }
            Verdict::Waiting => return,
            Verdict::Gap => {
                let outdated = snapshot || self.state(id).fresh;
                self.desk.counts_of(id).gaps += u64::from(outdated);
                let fault = if outdated { Fault::Outdated } else { Fault::Gap };
                self.desk.resync(id, fault, now, out);
                self.refetch_soon(id, Stream::Book, now, out);
                return;
            }
        }
        if !self.wanted(id, Stream::Book) {
            // On its way when it was unsubscribed.
            return;
        }
        let state = self.state(id);
        (state.update, state.cross, state.fresh) = (data.update, data.cross, snapshot);
        let stamps = message::stamps(envelope.cts.or(envelope.ts), now, Some(data.update));
        let diff = BookDiff { reset: snapshot, bids: data.bids, asks: data.asks, stamps };
        match self.desk.book(id, diff, None, |_| Proof::Sequence, out) {
            Ok(()) => self.state(id).book.arrived(),
            Err(_) => self.refetch_soon(id, Stream::Book, now, out),
        }
    }

    fn ticker(
        &mut self,
        symbol: &str,
        snapshot: bool,
        data: TickerData,
        envelope: &Envelope<'_>,
        now: Nanos,
        out: &mut Output,
    ) {
        let Some(id) = self.desk.find(symbol) else { return };
        if !self.desk.symbol(id).wanted().quotes {
            return;
        }
        let ticker = &mut self.state(id).ticker;
        if snapshot {
            *ticker = Ticker::default();
        }
        let older = envelope.cs.zip(ticker.cross).is_some_and(|(cross, last)| cross < last);
        if older {
            self.desk.counts_of(id).stale += 1;
            self.desk.odd(id, Oddity::Overtaken, now, out);
            return;
        }
        ticker.cross = envelope.cs.or(ticker.cross);
        let quote = ticker.merge(data);
        if snapshot {
            self.state(id).quotes.arrived();
        }
        if let Some((bid, ask)) = quote {
            let stamps = message::stamps(envelope.ts, now, envelope.cs);
            self.desk.quote(id, Quote { bid, ask, stamps }, out);
        }
    }
}

impl Adapter for Bybit {
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output) {
        match input {
            Input::Connected => self.connected(now, out),
            Input::Text(message) => self.text(message, now, out),
            Input::Binary(_) => {
                self.desk.heard(now, out);
                self.desk.counts.unknown += 1;
            }
            // Nothing was asked for.
            Input::Answer { .. } | Input::NoAnswer { .. } => {}
            Input::Timer => self.timer(now, out),
            Input::Silent => {
                self.desk.status(VenueState::Stale, "nothing comes", now, out);
            }
            Input::Demand { symbol, stream, wanted } => {
                self.demand(symbol, stream, wanted, now, out);
            }
            Input::Disconnected { reason } => {
                self.forget();
                self.desk.disconnected(reason, now, out);
            }
        }
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn rules(&self) -> &'static Rules {
        self.market.rules()
    }
}

#[cfg(test)]
mod tests;
