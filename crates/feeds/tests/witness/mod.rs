//! A follower of the simulated exchange that knows it only by its updates, and checks each.

use std::collections::BTreeMap;

use feeds::{Channel, Feed, SimExchange, SimOptions, Update};
use market::{
    Aggressor, Bar, Book, BookDiff, BookSide, Decimal, Event, Kind, Level, Nanos, Quote, QuoteSide,
    Stamps, Trade, VenueState,
};

/// When every run begins: an odd instant, in the middle of a second.
pub(crate) const START: Nanos = 1_760_000_000_123_456_789;
/// One second.
pub(crate) const SECOND: Nanos = 1_000_000_000;

/// The options most tests use.
pub(crate) fn options(seed: u64) -> SimOptions {
    SimOptions { venue: "sim".into(), symbols: 12, updates_per_second: 2_000, depth: 20, seed }
}

/// All updates until `end`, fetched every `step`.
pub(crate) fn run(exchange: &mut SimExchange, end: Nanos, step: Nanos) -> Vec<Update> {
    let mut updates = Vec::new();
    let mut now = START;
    while now < end {
        exchange.advance(now, &mut updates);
        now += step;
    }
    exchange.advance(end, &mut updates);
    updates
}

/// The stamps of any event.
pub(crate) fn stamps(event: &mut Event) -> &mut Stamps {
    match event {
        Event::Trade(trade) => &mut trade.stamps,
        Event::Quote(quote) => &mut quote.stamps,
        Event::Book(diff) => &mut diff.stamps,
        Event::Bar(bar) => &mut bar.stamps,
        Event::Status(status) => &mut status.stamps,
    }
}

/// What a follower knows of one symbol.
#[derive(Default)]
struct Followed {
    book: Book,
    quoted: Option<(Option<QuoteSide>, Option<QuoteSide>)>,
    /// Trades not yet explained by a diff.
    fresh: Vec<Trade>,
    last_trade_id: u64,
    /// What the bars should be, by the start of the interval.
    bars: BTreeMap<Nanos, Bar>,
}

/// A follower of the whole exchange.
pub(crate) struct Witness {
    channels: Vec<Channel>,
    depth: usize,
    symbols: BTreeMap<String, Followed>,
    last_event: Nanos,
    /// Updates seen of each kind: trade, quote, book, bar, status.
    pub(crate) counts: [usize; 5],
}

impl Witness {
    pub(crate) fn new(exchange: &SimExchange, depth: usize) -> Self {
        let symbols = exchange.symbols().map(|name| (name.to_owned(), Followed::default()));
        Self {
            channels: exchange.channels().to_vec(),
            depth,
            symbols: symbols.collect(),
            last_event: 0,
            counts: [0; 5],
        }
    }

    /// Checks one update fetched at `now` against all before it.
    pub(crate) fn see(&mut self, update: &Update, now: Nanos) {
        let channel = &self.channels[update.channel];
        assert_eq!(channel.kind, update.event.kind());
        let at = *stamps(&mut update.event.clone());
        assert_eq!(at.received, now);
        let event = at.event.expect("every simulated event has a time");
        assert!(self.last_event <= event && event <= now);
        self.last_event = event;
        let mut parts = channel.topic.splitn(3, '.');
        let prefix = parts.next().unwrap();
        assert_eq!(parts.next(), Some("sim"));
        let followed = parts.next().map(|name| self.symbols.get_mut(name).unwrap());
        let (expected, count) = match channel.kind {
            Kind::Trade => ("trade", 0),
            Kind::Quote => ("quote", 1),
            Kind::Book => ("book", 2),
            Kind::Bar => ("bar-1s", 3),
            Kind::Status => ("status", 4),
        };
        assert_eq!(prefix, expected);
        self.counts[count] += 1;
        match (&update.event, followed) {
            (Event::Trade(trade), Some(followed)) => followed.trade(trade),
            (Event::Quote(quote), Some(followed)) => followed.quote(quote),
            (Event::Book(diff), Some(followed)) => followed.diff(diff, self.depth),
            (Event::Bar(bar), Some(followed)) => followed.bar(bar),
            (Event::Status(status), None) => assert_eq!(status.state, VenueState::Up),
            (event, _) => panic!("{} carries {event:?}", channel.topic),
        }
    }

    /// Checks, after all that was due at `now` has been seen, that the exchange's own books are
    /// what the updates say, that no quote is owed, and no bar.
    pub(crate) fn compare(&self, exchange: &SimExchange, now: Nanos) {
        for (name, followed) in &self.symbols {
            for side in [BookSide::Bid, BookSide::Ask] {
                let own = exchange.book_levels(name, side).unwrap();
                let seen: Vec<Level> = followed.book.levels(side).copied().collect();
                assert_eq!(own, seen, "{name} {side:?}");
            }
            assert_eq!(followed.quoted, Some(followed.best()), "{name}: a quote is owed");
            assert!(followed.fresh.is_empty(), "{name}: a diff is owed");
            let oldest = followed.bars.keys().next();
            assert!(oldest.is_none_or(|start| start + SECOND > now), "{name}: a bar is owed");
        }
    }
}

impl Followed {
    fn best(&self) -> (Option<QuoteSide>, Option<QuoteSide>) {
        let best = |side| {
            let level: &Level = self.book.best(side)?;
            Some(QuoteSide { price: level.price, size: level.size })
        };
        (best(BookSide::Bid), best(BookSide::Ask))
    }

    fn trade(&mut self, trade: &Trade) {
        assert_eq!(self.quoted, Some(self.best()), "a trade before the quote that was owed");
        let id: u64 = trade.trade_id.parse().unwrap();
        assert!(id > self.last_trade_id);
        self.last_trade_id = id;
        // The nth trade of one action hits the nth level: those before were taken whole.
        let level = *self.book.levels(hit(trade)).nth(self.fresh.len()).unwrap();
        assert_eq!(trade.price, level.price);
        assert!(!trade.size.is_zero() && !trade.size.is_negative() && trade.size <= level.size);
        self.fresh.push(trade.clone());

        let event = trade.stamps.event.unwrap();
        let start = event - event % SECOND;
        let bar = self.bars.entry(start).or_insert_with(|| Bar {
            start,
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume: Decimal::ZERO,
            trades: 0,
            stamps: Stamps::default(),
        });
        bar.high = bar.high.max(trade.price);
        bar.low = bar.low.min(trade.price);
        bar.close = trade.price;
        bar.volume = bar.volume.checked_add(trade.size).unwrap();
        bar.trades += 1;
    }

    fn diff(&mut self, diff: &BookDiff, depth: usize) {
        assert_eq!(diff.reset, self.book.is_empty(), "one reset, at the opening");
        assert!(!diff.bids.is_empty() || !diff.asks.is_empty());
        if !diff.reset {
            assert_eq!(self.quoted, Some(self.best()), "a diff before the quote that was owed");
        }
        let before = self.book.clone();
        self.book.apply(&mut diff.clone(), depth).unwrap();
        for side in [BookSide::Bid, BookSide::Ask] {
            assert_eq!(self.book.levels(side).len(), depth);
            let changed = if side == BookSide::Bid { &diff.bids } else { &diff.asks };
            for level in changed {
                assert_ne!(size_at(&before, side, level.price), level.size, "nothing changed");
            }
        }
        let (bid, ask) = self.best();
        assert!(bid.unwrap().price < ask.unwrap().price, "crossed");
        assert!(!self.book.levels(BookSide::Bid).any(|level| level.price <= Decimal::ZERO));
        for trade in self.fresh.drain(..) {
            let left = size_at(&before, hit(&trade), trade.price).checked_sub(trade.size);
            assert_eq!(Some(size_at(&self.book, hit(&trade), trade.price)), left);
        }
    }

    fn quote(&mut self, quote: &Quote) {
        let best = self.best();
        assert_eq!((quote.bid, quote.ask), best);
        assert_ne!(self.quoted, Some(best), "a quote that says nothing new");
        self.quoted = Some(best);
    }

    fn bar(&mut self, bar: &Bar) {
        let mut expected = self.bars.remove(&bar.start).expect("a bar without a trade");
        assert_eq!(bar.stamps.event, Some(bar.start + SECOND));
        expected.stamps = bar.stamps;
        assert_eq!(*bar, expected);
    }
}

/// The side of the book that a trade took from.
fn hit(trade: &Trade) -> BookSide {
    match trade.side {
        Aggressor::Buy => BookSide::Ask,
        Aggressor::Sell => BookSide::Bid,
        Aggressor::Unknown => panic!("the simulated exchange knows who took"),
    }
}

fn size_at(book: &Book, side: BookSide, price: Decimal) -> Decimal {
    let level = book.levels(side).find(|level| level.price == price);
    level.map_or(Decimal::ZERO, |level| level.size)
}
