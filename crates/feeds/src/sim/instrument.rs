//! One symbol of the exchange: its order flow, told as trades, book diffs, quotes and bars.

use market::{
    BarBuilder, BookDiff, BookSide, Decimal, Event, Kind, Level, Nanos, Quote, QuoteSide, Stamps,
    Trade,
};

use super::activity::Activity;
use super::chance::Chance;
use super::flow::{Fill, OrderFlow};
use super::ladder::Rung;
use super::listing::Listing;
use super::options::SimOptions;
use crate::{Channel, Update};

/// Length of a bar.
pub(super) const BAR_INTERVAL: Nanos = 1_000_000_000;
/// What an action makes on average, in updates; only the volatility is scaled by it.
const UPDATES_OF_AN_ACTION: u64 = 2;
/// The random streams of the symbols' rhythms start here; those of their actions at 0.
const RHYTHM_STREAMS: u64 = 1 << 32;

/// Where each kind of update stands in the channels of a symbol.
const TRADE: usize = 0;
const QUOTE: usize = 1;
const BOOK: usize = 2;
const BAR: usize = 3;

/// One listed symbol.
#[derive(Debug)]
pub(super) struct Instrument {
    listing: Listing,
    first_channel: usize,
    chance: Chance,
    activity: Activity,
    flow: OrderFlow,
    fills: Vec<Fill>,
    quoted: [Option<Rung>; 2],
    last_trade_id: u64,
    bars: BarBuilder,
    // Bars come on the clock; the next gap makes up for them.
    unpaid_updates: u64,
}

impl Instrument {
    /// The symbol at `index`, with channels numbered from `first_channel`.
    pub(super) fn new(
        options: &SimOptions,
        index: usize,
        first_channel: usize,
        start: Nanos,
    ) -> Self {
        let mut chance = Chance::new(options.seed, &options.venue, index as u64);
        let listing = Listing::at(index, &mut chance);
        let period = options.calm_period(index);
        let gap = period.saturating_mul(UPDATES_OF_AN_ACTION);
        let flow = OrderFlow::new(&listing, options.depth, gap, &mut chance);
        let rhythm = Chance::new(options.seed, &options.venue, RHYTHM_STREAMS + index as u64);
        let activity = Activity::new(period, start, rhythm);
        Self {
            listing,
            first_channel,
            chance,
            activity,
            flow,
            fills: Vec::new(),
            quoted: [None; 2],
            last_trade_id: 0,
            bars: BarBuilder::new(BAR_INTERVAL),
            unpaid_updates: 0,
        }
    }

    /// The symbol's name, such as `BTC-USD`.
    pub(super) fn name(&self) -> &str {
        &self.listing.name
    }

    /// The channels of this symbol, in their order.
    pub(super) fn channels(&self, venue: &str) -> [Channel; 4] {
        let kinds = [
            (Kind::Trade, "trade"),
            (Kind::Quote, "quote"),
            (Kind::Book, "book"),
            (Kind::Bar, "bar-1s"),
        ];
        let name = &self.listing.name;
        kinds.map(|(kind, prefix)| Channel::new(kind, format!("{prefix}.{venue}.{name}")))
    }

    /// The instant of the first action after the opening.
    pub(super) fn first_due(&mut self, start: Nanos) -> Nanos {
        self.activity.next_after(start, UPDATES_OF_AN_ACTION)
    }

    /// Tells the whole book and the quote.
    pub(super) fn open(&mut self, stamps: Stamps, out: &mut Vec<Update>) {
        let diff = BookDiff {
            reset: true,
            bids: self.levels(BookSide::Bid),
            asks: self.levels(BookSide::Ask),
            stamps,
        };
        self.push(BOOK, Event::Book(diff), out);
        self.quote(stamps, out);
    }

    /// One action due at `due`: trades if there are any, then the book's diff, then the quote if
    /// it changed. Returns when the next action is due, and whether there were trades.
    pub(super) fn act(
        &mut self,
        due: Nanos,
        stamps: Stamps,
        out: &mut Vec<Update>,
    ) -> (Nanos, bool) {
        let told_before = out.len();
        self.flow.act(&mut self.chance, &mut self.fills);
        let mut fills = std::mem::take(&mut self.fills);
        let traded = !fills.is_empty();
        for fill in fills.drain(..) {
            self.trade(fill, stamps, out);
        }
        // Kept for its room.
        self.fills = fills;
        let [bids, asks] = [BookSide::Bid, BookSide::Ask].map(|side| {
            let changes = self.flow.take_changes(side);
            changes.into_iter().map(|rung| self.level(rung)).collect()
        });
        self.push(BOOK, Event::Book(BookDiff { reset: false, bids, asks, stamps }), out);
        self.quote(stamps, out);
        let updates = (out.len() - told_before) as u64 + std::mem::take(&mut self.unpaid_updates);
        (self.activity.next_after(due, updates), traded)
    }

    /// Tells the bar whose interval is over at `time`, if there were trades in it.
    pub(super) fn finish_bar(&mut self, time: Nanos, received: Nanos, out: &mut Vec<Update>) {
        if let Some(bar) = self.bars.finish(time, received) {
            self.unpaid_updates += 1;
            self.push(BAR, Event::Bar(bar), out);
        }
    }

    /// All levels of one side, best first.
    pub(super) fn levels(&self, side: BookSide) -> Vec<Level> {
        self.flow.levels(side).iter().map(|rung| self.level(rung)).collect()
    }

    fn trade(&mut self, fill: Fill, stamps: Stamps, out: &mut Vec<Update>) {
        self.last_trade_id += 1;
        let Level { price, size } = self.level(fill.taken);
        let trade = Trade {
            price,
            size,
            side: fill.aggressor,
            trade_id: self.last_trade_id.to_string().into(),
            stamps,
        };
        let finished = self.bars.add(&trade);
        debug_assert!(finished.is_none(), "bars are finished on the clock before later trades");
        self.push(TRADE, Event::Trade(trade), out);
    }

    fn quote(&mut self, stamps: Stamps, out: &mut Vec<Update>) {
        let best = [BookSide::Bid, BookSide::Ask].map(|side| self.flow.levels(side).best());
        if best == self.quoted {
            return;
        }
        self.quoted = best;
        let [bid, ask] = best.map(|rung| {
            let Level { price, size } = self.level(rung?);
            Some(QuoteSide { price, size })
        });
        self.push(QUOTE, Event::Quote(Quote { bid, ask, stamps }), out);
    }

    fn push(&self, kind: usize, event: Event, out: &mut Vec<Update>) {
        out.push(Update { channel: self.first_channel + kind, event });
    }

    fn level(&self, rung: Rung) -> Level {
        Level {
            price: decimal(rung.ticks, self.listing.price_scale),
            size: decimal(rung.lots, self.listing.size_scale),
        }
    }
}

fn decimal(mantissa: i64, scale: u32) -> Decimal {
    Decimal::new(mantissa, scale).expect("invariant: no listing has a scale above 9")
}
