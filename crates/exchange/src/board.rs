//! The board: every symbol with its book as it is, its book as it was last told, and what traded.

use std::collections::{HashMap, VecDeque};

use feeds::{Feed as _, SimError, SimExchange, SimOptions, Update};
use market::{Book, BookSide, Decimal, Event, Kind, Level, Nanos, Quote, QuoteSide, Trade};

use crate::history::{Changes, History, LEVELS_MAX, Moment, same_best};
use crate::{Options, Venue};

/// Executions that are kept for clients that ask for the last ones.
const TRADES_KEPT: usize = 50;

/// One symbol.
#[derive(Debug)]
pub(crate) struct Listed {
    /// As the venue spells it.
    pub(crate) native: String,
    /// What it trades against: `USD` or `USDT`.
    pub(crate) quote_currency: &'static str,
    /// As it is.
    pub(crate) live: Moment,
    /// As the last message said.
    pub(crate) told: Moment,
    /// As the message before that said.
    pub(crate) told_before: Moment,
    /// Best bid and offer.
    pub(crate) quote: Option<Quote>,
    /// The last executions, oldest first.
    pub(crate) trades: VecDeque<Trade>,
    /// Units traded since the opening.
    pub(crate) volume: Decimal,
    /// Price of the first execution, the lowest and the highest.
    pub(crate) range: Option<[Decimal; 3]>,
    /// Digits after the point of a price and of a size.
    pub(crate) scales: (u32, u32),
    /// Levels a side of the last subscription to its book.
    pub(crate) depth: usize,
    /// The book changed since it was told.
    pub(crate) due: bool,
    /// Prices that changed since, even where they are now as they were.
    touched: Vec<(BookSide, Decimal)>,
    /// What the last message told of those: a snapshot of any moment since the message before it
    /// is led to the same book by it.
    pub(crate) touched_told: Changes,
    history: Option<History>,
    history_max: usize,
}

/// What tickers tell of a symbol that has a bid and an offer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticker {
    pub(crate) bid: QuoteSide,
    pub(crate) ask: QuoteSide,
    /// Price and size of the last execution; those of the bid before there is one.
    pub(crate) last: (Decimal, Decimal),
    /// Price of the first execution, the lowest and the highest.
    pub(crate) range: [Decimal; 3],
}

/// What one trader did.
#[derive(Debug)]
pub(crate) struct Deed {
    /// Which symbol, by its place on the board.
    pub(crate) symbol: usize,
    /// When.
    pub(crate) at: Nanos,
    /// What was executed, in order.
    pub(crate) trades: Vec<Trade>,
    /// The quote before, if there is another now.
    pub(crate) quote_before: Option<Option<Quote>>,
}

/// All symbols, and what moves them.
#[derive(Debug)]
pub(crate) struct Board {
    venue: Venue,
    market: SimExchange,
    /// Symbol and kind of each channel of the market.
    channels: Vec<Option<(usize, Kind)>>,
    symbols: Vec<Listed>,
    by_native: HashMap<String, usize>,
    updates: Vec<Update>,
}

impl Board {
    pub(crate) fn new(options: &Options, start: Nanos) -> Result<Self, SimError> {
        let venue = options.venue;
        let market = SimExchange::new(
            SimOptions {
                venue: venue.name().to_owned(),
                symbols: options.symbols,
                updates_per_second: options.rate,
                depth: options.depth,
                seed: options.seed,
            },
            start,
        )?;
        let names: Vec<String> = market.symbols().map(str::to_owned).collect();
        let by_name: HashMap<&str, usize> =
            names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let channels = market
            .channels()
            .iter()
            .map(|channel| {
                let (_, name) = channel.topic.rsplit_once('.')?;
                Some((*by_name.get(name)?, channel.kind))
            })
            .collect();
        let symbols: Vec<Listed> =
            names.iter().map(|name| Listed::new(options, venue.native(name), start)).collect();
        let by_native = symbols
            .iter()
            .enumerate()
            .map(|(index, listed)| (listed.native.clone(), index))
            .collect();
        Ok(Self { venue, market, channels, symbols, by_native, updates: Vec::new() })
    }

    /// Every symbol, in the order of the board.
    pub(crate) fn symbols(&self) -> &[Listed] {
        &self.symbols
    }

    /// The symbol at a place of the board.
    pub(crate) fn at(&self, symbol: usize) -> &Listed {
        &self.symbols[symbol]
    }

    /// The place of the symbol that the venue spells so.
    pub(crate) fn find(&self, native: &str) -> Option<usize> {
        self.by_native.get(native).copied()
    }

    /// When something happens next.
    pub(crate) fn next_due(&self) -> Option<Nanos> {
        self.market.next_due()
    }

    /// Notes how deep a client follows the book.
    pub(crate) fn followed(&mut self, symbol: usize, depth: usize) {
        self.symbols[symbol].depth = depth;
    }

    /// Plays everything due at or before `now`.
    pub(crate) fn advance(&mut self, now: Nanos) -> Vec<Deed> {
        let mut updates = std::mem::take(&mut self.updates);
        self.market.advance(now, &mut updates);
        let mut deeds: Vec<Deed> = Vec::new();
        for Update { channel, event } in updates.drain(..) {
            let Some(&Some((symbol, _))) = self.channels.get(channel) else { continue };
            let at = stamps(&event).unwrap_or(now);
            let fresh = deeds.last().is_none_or(|deed| deed.symbol != symbol || deed.at != at);
            // Within one deed executions come first, then the book, then the quote.
            let closed = matches!(event, Event::Trade(_))
                && deeds.last().is_some_and(|deed| deed.quote_before.is_some());
            if fresh || closed {
                deeds.push(Deed { symbol, at, trades: Vec::new(), quote_before: None });
            }
            let (Some(deed), listed) = (deeds.last_mut(), &mut self.symbols[symbol]) else {
                continue;
            };
            match event {
                Event::Trade(trade) => {
                    listed.traded(&trade);
                    deed.trades.push(trade);
                }
                Event::Book(diff) => listed.moved(self.venue, diff, at),
                Event::Quote(quote) => deed.quote_before = Some(listed.quote.replace(quote)),
                Event::Bar(_) | Event::Status(_) => {}
            }
        }
        self.updates = updates;
        deeds
    }

    /// The next message tells the book of this symbol as it is now.
    pub(crate) fn tell(&mut self, symbol: usize, at: Nanos) {
        let (venue, listed) = (self.venue, &mut self.symbols[symbol]);
        listed.due = false;
        listed.tell_touched();
        if !counts_levels(venue) {
            listed.live.number += 1;
        }
        listed.live.at = at;
        let next = listed.live.clone();
        if venue != Venue::Binance {
            listed.remember(next.clone());
        }
        listed.told_before = std::mem::replace(&mut listed.told, next);
    }
}

/// Whether the venue's numbers count changed levels, so that they jump, or messages.
fn counts_levels(venue: Venue) -> bool {
    matches!(venue, Venue::Binance | Venue::Okx)
}

fn stamps(event: &Event) -> Option<Nanos> {
    match event {
        Event::Trade(trade) => trade.stamps.event,
        Event::Quote(quote) => quote.stamps.event,
        Event::Book(diff) => diff.stamps.event,
        Event::Bar(_) | Event::Status(_) => None,
    }
}

impl Listed {
    fn new(options: &Options, native: String, start: Nanos) -> Self {
        let venue = options.venue;
        // Large enough to show whoever keeps such numbers in 32 bits.
        let number = if counts_levels(venue) { 50_000_000_000 } else { 1_000_000 };
        let empty = Moment { book: Book::default(), number, at: start };
        Self {
            native,
            quote_currency: match venue {
                Venue::Coinbase | Venue::Kraken => "USD",
                Venue::Binance | Venue::Okx | Venue::Bybit => "USDT",
            },
            live: empty.clone(),
            told: empty.clone(),
            told_before: empty,
            quote: None,
            trades: VecDeque::new(),
            volume: Decimal::ZERO,
            range: None,
            scales: (0, 0),
            depth: usize::MAX,
            due: false,
            touched: Vec::new(),
            touched_told: Changes::default(),
            history: None,
            history_max: options.history,
        }
    }

    /// What it trades: the part of the symbol before the other currency.
    pub(crate) fn base_currency(&self) -> &str {
        let base = self.native.strip_suffix(self.quote_currency).unwrap_or(&self.native);
        base.trim_end_matches(['-', '/'])
    }

    /// What tickers tell.
    pub(crate) fn ticker(&self) -> Option<Ticker> {
        let Some(Quote { bid: Some(bid), ask: Some(ask), .. }) = self.quote else { return None };
        let last = self.trades.back();
        let last = last.map_or((bid.price, bid.size), |trade| (trade.price, trade.size));
        Some(Ticker { bid, ask, last, range: self.range.unwrap_or([last.0; 3]) })
    }

    /// Whether the last message told of others than these best levels.
    pub(crate) fn best_moved(&self, depth: usize) -> bool {
        !same_best(&self.told_before.book, &self.told.book, depth)
    }

    /// The removal of a level that there never was: one tick below the lowest bid told.
    pub(crate) fn untold_removal(&self) -> Option<Level> {
        let lowest = self.told.book.levels(BookSide::Bid).last()?;
        let price = lowest.price.checked_sub(Decimal::new(1, self.scales.0)?)?;
        (price > Decimal::ZERO).then_some(Level { price, size: Decimal::ZERO })
    }

    fn traded(&mut self, trade: &Trade) {
        if self.trades.len() == TRADES_KEPT {
            self.trades.pop_front();
        }
        self.trades.push_back(trade.clone());
        self.volume = self.volume.checked_add(trade.size).unwrap_or(self.volume);
        let price = trade.price;
        let [open, low, high] = self.range.unwrap_or([price; 3]);
        self.range = Some([open, low.min(price), high.max(price)]);
    }

    fn moved(&mut self, venue: Venue, mut diff: market::BookDiff, at: Nanos) {
        let levels = (diff.bids.len() + diff.asks.len()).max(1) as u64;
        let reset = diff.reset;
        for (side, levels) in [(BookSide::Bid, &diff.bids), (BookSide::Ask, &diff.asks)] {
            self.touched.extend(levels.iter().map(|level| (side, level.price)));
        }
        let applied = self.live.book.apply(&mut diff, LEVELS_MAX);
        debug_assert!(applied.is_ok(), "the market's books are sound");
        self.live.at = at;
        if reset {
            if let Some(level) = self.live.book.best(BookSide::Bid) {
                self.scales = (level.price.scale(), level.size.scale());
            }
            (self.told, self.told_before) = (self.live.clone(), self.live.clone());
            self.history = Some(History::new(self.live.clone(), self.history_max));
            self.touched.clear();
            return;
        }
        self.due = true;
        if counts_levels(venue) {
            self.live.number += levels;
        }
        if venue == Venue::Binance {
            self.remember(self.live.clone());
        }
    }

    fn tell_touched(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_by_key(|(_, price)| *price);
        touched.dedup();
        let side = |wanted: BookSide| -> Vec<Level> {
            let prices = touched.iter().filter(|(side, _)| *side == wanted);
            let level = |&(side, price): &(BookSide, Decimal)| {
                let held = self.live.book.levels(side).find(|level| level.price == price);
                held.copied().unwrap_or(Level { price, size: Decimal::ZERO })
            };
            prices.map(level).collect()
        };
        let (mut bids, asks) = (side(BookSide::Bid), side(BookSide::Ask));
        bids.reverse();
        self.touched_told = Changes { bids, asks };
        // Kept for its room.
        touched.clear();
        self.touched = touched;
    }

    fn remember(&mut self, moment: Moment) {
        match &mut self.history {
            Some(history) => history.push(moment),
            None => self.history = Some(History::new(moment, self.history_max)),
        }
    }

    /// A state that it had, the newest first.
    pub(crate) fn find(&self, found: impl FnMut(&Moment) -> bool) -> Option<Moment> {
        self.history.as_ref()?.find(found)
    }

    /// The state so many steps before that of `number`.
    pub(crate) fn before(&self, number: u64, steps: u64) -> Option<Moment> {
        self.history.as_ref()?.before(number, steps)
    }
}
