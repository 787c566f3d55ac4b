//! Topics made from others, once, for all who want them: bars from trades, best bid and offer from
//! books, and the best of all venues.
//!
//! - [`Derive`]: of one feed, `bar-1s.…` and `bar-1m.…` from its trades, and where the venue has no
//!   stream for it, `quote.…` from its books. It gives [`Update`]s as a feed does.
//! - [`Consolidator`]: of all feeds, `nbbo.<symbol>`: see there.
//!
//! Whoever owns a feed gives each of its updates to the feed's [`Derive`] right after publishing
//! it, and publishes what comes of it next, so that what is derived follows its cause. All of
//! these, of the venue and derived, then go to the [`Consolidator`], which all publishers share.
//!
//! ```
//! use feeds::derive::{Consolidator, Derive, DeriveOptions};
//! use feeds::{Channel, Update};
//! use market::{Aggressor, Decimal, Event, Kind, Stamps, Trade};
//!
//! let channels = [Channel::new(Kind::Trade, "trade.x.BTC-USD")];
//! let mut derive = Derive::new("x", DeriveOptions::default());
//! let (mut derived, mut out) = (Vec::new(), Vec::new());
//! let at = |time| Stamps { event: Some(time), received: time, ..Stamps::default() };
//! for second in [3, 4] {
//!     let trade = Trade {
//!         price: Decimal::new(64_000, 0).unwrap_or_default(),
//!         size: Decimal::new(2, 0).unwrap_or_default(),
//!         side: Aggressor::Buy,
//!         trade_id: "1".into(),
//!         stamps: at(second * 1_000_000_000),
//!     };
//!     derive.update(&channels, &Update { channel: 0, event: Event::Trade(trade) }, &mut derived);
//! }
//! assert_eq!(derive.channels()[derived[0].channel].topic, "bar-1s.x.BTC-USD");
//!
//! let mut all = Consolidator::new(1_000);
//! let x = all.join("x");
//! for update in &derived {
//!     all.update(x, &derive.channels()[update.channel].topic, &update.event, &mut out);
//! }
//! // No quote yet, so nothing that could be compared with other venues.
//! assert!(out.is_empty());
//! ```

mod bars;
mod consolidator;
mod quotes;

use market::{Event, Kind, Nanos, VenueState};
use rustc_hash::FxHashMap;

pub use self::bars::BarLength;
use self::bars::Bars;
pub use self::consolidator::{Best, Consolidated, Consolidator, Member, Nbbo};
use self::quotes::QuoteMaker;
use crate::adapter::Stream;
use crate::{Channel, Update};

/// What is made of a feed's updates.
#[derive(Debug, Clone)]
pub struct DeriveOptions {
    /// The lengths of bars that are built from trades; none of those that the feed gives itself.
    pub bars: Vec<BarLength>,
    /// Whether quotes are made from books: for venues without a stream of quotes (see
    /// [`Venue::gives_quotes`](crate::venue::Venue::gives_quotes)).
    pub quotes: bool,
    /// How long after its end a bar is finished when no further trade comes, by the venue's clock
    /// as the last trade showed it. A trade that comes later counts into the next bar.
    pub grace: Nanos,
    /// Most symbols; of further ones nothing is derived.
    pub symbols_max: usize,
}

impl Default for DeriveOptions {
    fn default() -> Self {
        Self {
            bars: BarLength::ALL.to_vec(),
            quotes: false,
            grace: 500_000_000,
            symbols_max: 10_000,
        }
    }
}

impl DeriveOptions {
    /// Nothing is made.
    #[must_use]
    pub fn nothing() -> Self {
        Self { bars: Vec::new(), quotes: false, ..Self::default() }
    }

    /// Which stream of a symbol a topic of `kind` is made of, so that whoever wants the one wants
    /// the other; `None` for status, which is always there. `nbbo.…` is made of quotes.
    #[must_use]
    pub fn stream(&self, kind: Kind) -> Option<Stream> {
        match kind {
            Kind::Trade | Kind::Bar => Some(Stream::Trades),
            Kind::Quote if !self.quotes => Some(Stream::Quotes),
            Kind::Quote | Kind::Book => Some(Stream::Book),
            Kind::Status => None,
        }
    }
}

/// Makes bars and quotes of one feed.
#[derive(Debug)]
pub struct Derive {
    venue: String,
    options: DeriveOptions,
    /// What the feed's channels are, as far as they were seen.
    roles: Vec<Role>,
    by_name: FxHashMap<Box<str>, usize>,
    symbols: Vec<Symbol>,
    channels: Vec<Channel>,
    due: Option<Nanos>,
    refused: u64,
}

/// What a channel of the feed means here.
#[derive(Debug, Clone, Copy)]
enum Role {
    /// Nothing is made of it.
    None,
    /// The venue's status.
    Venue,
    /// Trades, book or status of a symbol.
    Symbol(usize),
}

#[derive(Debug)]
struct Symbol {
    name: Name,
    bars: Bars,
    quotes: Option<QuoteMaker>,
}

/// What a symbol is called: in topics, and by the venue where that is known.
#[derive(Debug)]
struct Name {
    canonical: Box<str>,
    native: Option<Box<str>>,
}

impl Derive {
    /// For one feed, whose topics have `venue` as their second segment.
    #[must_use]
    pub fn new(venue: &str, options: DeriveOptions) -> Self {
        Self {
            venue: venue.to_owned(),
            options,
            roles: Vec::new(),
            by_name: FxHashMap::default(),
            symbols: Vec::new(),
            channels: Vec::new(),
            due: None,
            refused: 0,
        }
    }

    /// The topics of the updates so far; new ones are only ever added at the end.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// How many channels of the feed are left out because of [`DeriveOptions::symbols_max`].
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes one update of the feed, whose `channels` only ever grow, and appends to `out` what
    /// follows from it; its channels are those of [`Derive::channels`].
    pub fn update(&mut self, channels: &[Channel], update: &Update, out: &mut Vec<Update>) {
        while self.roles.len() <= update.channel {
            let role = channels.get(self.roles.len()).map_or(Role::None, |c| self.role(c));
            self.roles.push(role);
        }
        match (&update.event, self.roles[update.channel]) {
            (Event::Trade(trade), Role::Symbol(symbol)) => {
                let Symbol { name, bars, .. } = &mut self.symbols[symbol];
                let mut topics = Topics { venue: &self.venue, name, channels: &mut self.channels };
                let due = bars.add(trade, self.options.grace, &mut topics, out);
                self.due = [self.due, due].into_iter().flatten().min();
            }
            (Event::Book(diff), Role::Symbol(symbol)) => {
                let Symbol { name, quotes, .. } = &mut self.symbols[symbol];
                let mut topics = Topics { venue: &self.venue, name, channels: &mut self.channels };
                if let Some(quotes) = quotes {
                    quotes.follow(diff, &mut topics, out);
                }
            }
            (Event::Status(status), role) => {
                let gone = matches!(status.state, VenueState::Resync | VenueState::Down);
                let symbols = match role {
                    Role::Symbol(symbol) => &mut self.symbols[symbol..=symbol],
                    Role::Venue => &mut self.symbols[..],
                    Role::None => &mut [],
                };
                for quotes in symbols.iter_mut().filter_map(|symbol| symbol.quotes.as_mut()) {
                    if gone {
                        quotes.lose();
                    }
                }
            }
            _ => {}
        }
    }

    /// Finishes the bars that are over at `now`, by our clock, though no later trade has come.
    pub fn tick(&mut self, now: Nanos, out: &mut Vec<Update>) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        let mut next = None;
        for Symbol { name, bars, .. } in &mut self.symbols {
            let mut topics = Topics { venue: &self.venue, name, channels: &mut self.channels };
            let due = bars.tick(now, self.options.grace, &mut topics, out);
            next = [next, due].into_iter().flatten().min();
        }
        self.due = next;
    }

    /// Finishes every open bar, as no trade comes any more: at the end of a recording, which knows
    /// no time after that of its last event, `now`.
    pub fn finish(&mut self, now: Nanos, out: &mut Vec<Update>) {
        self.due = None;
        for Symbol { name, bars, .. } in &mut self.symbols {
            let mut topics = Topics { venue: &self.venue, name, channels: &mut self.channels };
            bars.close(|_| true, now, &mut topics, out);
        }
    }

    /// When [`Derive::tick`] may have something to add; `None` while no bar is open.
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        self.due
    }

    fn role(&mut self, channel: &Channel) -> Role {
        let Some((_, rest)) = channel.topic.split_once('.') else { return Role::None };
        let used = match channel.kind {
            Kind::Trade => !self.options.bars.is_empty(),
            Kind::Book => self.options.quotes,
            Kind::Status => true,
            Kind::Quote | Kind::Bar => false,
        };
        if !used {
            return Role::None;
        }
        if channel.kind == Kind::Status && rest == self.venue {
            return Role::Venue;
        }
        match rest.strip_prefix(self.venue.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            Some(symbol) => self.symbol(symbol, channel).map_or(Role::None, Role::Symbol),
            None => Role::None,
        }
    }

    fn symbol(&mut self, name: &str, channel: &Channel) -> Option<usize> {
        if let Some(&known) = self.by_name.get(name) {
            return Some(known);
        }
        if self.symbols.len() >= self.options.symbols_max {
            self.refused += 1;
            return None;
        }
        let index = self.symbols.len();
        self.by_name.insert(name.into(), index);
        self.symbols.push(Symbol {
            name: Name { canonical: name.into(), native: channel.native.clone() },
            bars: Bars::new(&self.options.bars),
            quotes: self.options.quotes.then(QuoteMaker::default),
        });
        Some(index)
    }
}

/// Makes the topics of one symbol when they are first needed.
struct Topics<'a> {
    venue: &'a str,
    name: &'a Name,
    channels: &'a mut Vec<Channel>,
}

impl Topics<'_> {
    /// The index of the topic `{first}.{venue}.{name}`, kept in `known`.
    fn channel(&mut self, known: &mut Option<usize>, kind: Kind, first: &str) -> usize {
        *known.get_or_insert_with(|| {
            let Name { canonical, native } = self.name;
            let topic = format!("{first}.{}.{canonical}", self.venue);
            self.channels.push(Channel { kind, topic, native: native.clone() });
            self.channels.len() - 1
        })
    }
}

#[cfg(test)]
mod tests;
