//! The best bid and offer of all venues together: `nbbo.<symbol>`.

use std::fmt::Write as _;
use std::sync::Arc;

use market::{Decimal, Event, Nanos, Quote, QuoteSide, Stamps, VenueState};
use rustc_hash::FxHashMap;

/// A feed that takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Member(usize);

/// The best price of one side, what is there, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// The best price.
    pub price: Decimal,
    /// The size at that price, at that venue.
    pub size: Decimal,
    /// Which venue.
    pub venue: Arc<str>,
}

/// The best bid and offer of all venues.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Nbbo {
    /// Highest bid; of equal ones the larger, of equally large ones the venue first by name.
    pub bid: Option<Best>,
    /// Lowest offer, chosen likewise.
    pub ask: Option<Best>,
    /// How many venues it was made from: those with a quote that can be trusted now.
    pub venues: usize,
    /// Those of what changed it, without the venue's number.
    pub stamps: Stamps,
}

/// One event of a topic of [`Consolidator::topics`].
#[derive(Debug, Clone, PartialEq)]
pub struct Consolidated {
    /// Index into [`Consolidator::topics`].
    pub channel: usize,
    /// What is best now.
    pub nbbo: Nbbo,
}

impl Nbbo {
    /// Whether the bid of one venue is above the offer of another. That is a fact about the
    /// venues, and no fault.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((&self.bid, &self.ask), (Some(bid), Some(ask)) if bid.price > ask.price)
    }

    /// The event as JSON: `bid_price`, `bid_size`, `bid_venue`, and the same of `ask`, all three
    /// `null` where there is none; `venues`; `crossed`; `ts_event` where there is one; `ts_recv`.
    /// Decimals and stamps are strings, as everywhere.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = String::with_capacity(288);
        for (name, best) in [("bid", &self.bid), ("ask", &self.ask)] {
            text.push(if text.is_empty() { '{' } else { ',' });
            match best {
                Some(Best { price, size, venue }) => {
                    let [price, size] = [price, size].map(|decimal| {
                        decimal.with_ascii(|ascii| String::from_utf8_lossy(ascii).into_owned())
                    });
                    put(&mut text, format_args!(r#""{name}_price":"{price}","#));
                    put(&mut text, format_args!(r#""{name}_size":"{size}","{name}_venue":"#));
                    put_string(&mut text, venue);
                }
                None => put(
                    &mut text,
                    format_args!(r#""{name}_price":null,"{name}_size":null,"{name}_venue":null"#),
                ),
            }
        }
        let crossed = self.is_crossed();
        put(&mut text, format_args!(r#","venues":{},"crossed":{crossed}"#, self.venues));
        if let Some(event) = self.stamps.event {
            put(&mut text, format_args!(r#","ts_event":"{event}""#));
        }
        put(&mut text, format_args!(r#","ts_recv":"{}"}}"#, self.stamps.received));
        text
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    text.write_fmt(what).unwrap_or_default();
}

/// A name of a venue, which is visible ASCII.
fn put_string(text: &mut String, name: &str) {
    text.push('"');
    for c in name.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

/// Finds the best bid and offer of each symbol over all feeds.
///
/// A venue counts while it can be trusted: not while its feed is `stale` or `down`, and not while
/// the symbol is in `resync` or `down`. Connections that are gone leave nothing behind: after
/// `down` a venue counts again with its first new quote. An event comes when the best price, its
/// size, its venue or the number of venues is another, and only then.
#[derive(Debug)]
pub struct Consolidator {
    members: Vec<Option<Feed>>,
    symbols: Vec<Symbol>,
    by_name: FxHashMap<Box<str>, usize>,
    topics: Vec<String>,
    symbols_max: usize,
    refused: u64,
}

#[derive(Debug)]
struct Feed {
    venue: Arc<str>,
    state: VenueState,
    by_topic: FxHashMap<Box<str>, usize>,
    /// Symbols with an entry of this feed.
    symbols: Vec<usize>,
}

#[derive(Debug)]
struct Symbol {
    /// One for each feed that has it.
    entries: Vec<Entry>,
    last: Nbbo,
}

#[derive(Debug)]
struct Entry {
    member: usize,
    state: VenueState,
    quote: Option<[Option<QuoteSide>; 2]>,
}

impl Consolidator {
    /// For `symbols_max` symbols at most; quotes of further ones are left out.
    #[must_use]
    pub fn new(symbols_max: usize) -> Self {
        Self {
            members: Vec::new(),
            symbols: Vec::new(),
            by_name: FxHashMap::default(),
            topics: Vec::new(),
            symbols_max,
            refused: 0,
        }
    }

    /// The topics of the events so far; new ones are only ever added at the end.
    #[must_use]
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// How many events were left out because of the bound on symbols.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// A feed takes part from now on: one for each connection, so that what happens to one says
    /// nothing about the venue's others. `venue` is the second segment of its topics.
    pub fn join(&mut self, venue: &str) -> Member {
        let feed = Feed {
            venue: venue.into(),
            state: VenueState::Up,
            by_topic: FxHashMap::default(),
            symbols: Vec::new(),
        };
        match self.members.iter().position(Option::is_none) {
            Some(free) => {
                self.members[free] = Some(feed);
                Member(free)
            }
            None => {
                self.members.push(Some(feed));
                Member(self.members.len() - 1)
            }
        }
    }

    /// A feed takes part no more.
    pub fn leave(&mut self, member: Member, now: Nanos, out: &mut Vec<Consolidated>) {
        let Some(feed) = self.members.get_mut(member.0).and_then(Option::take) else { return };
        let stamps = Stamps { received: now, ..Stamps::default() };
        for symbol in feed.symbols {
            self.symbols[symbol].entries.retain(|entry| entry.member != member.0);
            self.renew(symbol, stamps, out);
        }
    }

    /// Takes an event of `member` on `topic`; only quotes and status matter, of the venue or
    /// derived.
    pub fn update(
        &mut self,
        member: Member,
        topic: &str,
        event: &Event,
        out: &mut Vec<Consolidated>,
    ) {
        match event {
            Event::Quote(quote) => {
                if let Some(symbol) = self.symbol(member, "quote.", topic) {
                    self.quote(member, symbol, quote, out);
                }
            }
            Event::Status(status) => {
                let Some(Some(feed)) = self.members.get_mut(member.0) else { return };
                if topic.strip_prefix("status.") == Some(&feed.venue) {
                    feed.state = status.state;
                    for at in 0..feed.symbols.len() {
                        self.status_of(member, at, status.state, status.stamps, out);
                    }
                } else if let Some(symbol) = self.symbol(member, "status.", topic) {
                    if let Some(entry) = self.entry(member, symbol) {
                        entry.state = status.state;
                        if status.state == VenueState::Down {
                            entry.quote = None;
                        }
                    }
                    self.renew(symbol, status.stamps, out);
                }
            }
            Event::Trade(_) | Event::Book(_) | Event::Bar(_) => {}
        }
    }

    fn quote(&mut self, member: Member, symbol: usize, quote: &Quote, out: &mut Vec<Consolidated>) {
        if let Some(entry) = self.entry(member, symbol) {
            entry.quote = Some([quote.bid, quote.ask]);
        }
        self.renew(symbol, quote.stamps, out);
    }

    /// The state of the feed changed, so that of its symbol number `at` did.
    fn status_of(
        &mut self,
        member: Member,
        at: usize,
        state: VenueState,
        stamps: Stamps,
        out: &mut Vec<Consolidated>,
    ) {
        let Some(Some(feed)) = self.members.get(member.0) else { return };
        let symbol = feed.symbols[at];
        if let Some(entry) = self.entry(member, symbol).filter(|_| state == VenueState::Down) {
            // The next connection begins anew; only what was refused stays so until it is taken.
            entry.quote = None;
            if entry.state == VenueState::Resync {
                entry.state = VenueState::Up;
            }
        }
        self.renew(symbol, stamps, out);
    }

    fn entry(&mut self, member: Member, symbol: usize) -> Option<&mut Entry> {
        self.symbols[symbol].entries.iter_mut().find(|entry| entry.member == member.0)
    }

    /// The symbol of a topic `quote.<venue>.<symbol>` or `status.<venue>.<symbol>`.
    fn symbol(&mut self, member: Member, prefix: &str, topic: &str) -> Option<usize> {
        let Some(Some(feed)) = self.members.get_mut(member.0) else { return None };
        if let Some(&known) = feed.by_topic.get(topic) {
            return Some(known);
        }
        let name = topic.strip_prefix(prefix)?.strip_prefix(&*feed.venue)?.strip_prefix('.')?;
        let index = match self.by_name.get(name) {
            Some(&known) => known,
            None if self.symbols.len() < self.symbols_max => {
                self.by_name.insert(name.into(), self.symbols.len());
                self.topics.push(format!("nbbo.{name}"));
                self.symbols.push(Symbol { entries: Vec::new(), last: Nbbo::default() });
                self.symbols.len() - 1
            }
            None => {
                self.refused += 1;
                return None;
            }
        };
        feed.by_topic.insert(topic.into(), index);
        let entries = &mut self.symbols[index].entries;
        if entries.iter().all(|entry| entry.member != member.0) {
            feed.symbols.push(index);
            entries.push(Entry { member: member.0, state: VenueState::Up, quote: None });
        }
        Some(index)
    }

    /// Finds the best anew, and tells it if it is another.
    fn renew(&mut self, symbol: usize, stamps: Stamps, out: &mut Vec<Consolidated>) {
        let Symbol { entries, last } = &mut self.symbols[symbol];
        let mut venues = 0;
        let mut best: [Option<(QuoteSide, &Arc<str>)>; 2] = [None, None];
        for entry in entries.iter().filter(|entry| entry.state == VenueState::Up) {
            let Some(Some(feed)) = self.members.get(entry.member) else { continue };
            let Some([bid, ask]) = entry.quote.filter(|_| feed.state == VenueState::Up) else {
                continue;
            };
            venues += 1;
            for (held, side, higher) in [(0, bid, true), (1, ask, false)] {
                let Some(side) = side else { continue };
                let better = best[held].is_none_or(|(other, venue)| {
                    let price = side.price.cmp(&other.price);
                    let price = if higher { price } else { price.reverse() };
                    let size = || side.size.cmp(&other.size);
                    price.then_with(size).then_with(|| venue.cmp(&feed.venue)).is_gt()
                });
                if better {
                    best[held] = Some((side, &feed.venue));
                }
            }
        }
        let same = |best: Option<(QuoteSide, &Arc<str>)>, last: &Option<Best>| match (best, last) {
            (Some((side, venue)), Some(last)) => {
                side.price == last.price && side.size == last.size && *venue == last.venue
            }
            (None, None) => true,
            _ => false,
        };
        if venues == last.venues && same(best[0], &last.bid) && same(best[1], &last.ask) {
            return;
        }
        let [bid, ask] = best.map(|best| {
            let (QuoteSide { price, size }, venue) = best?;
            Some(Best { price, size, venue: Arc::clone(venue) })
        });
        *last = Nbbo { bid, ask, venues, stamps: Stamps { sequence: None, ..stamps } };
        out.push(Consolidated { channel: symbol, nbbo: last.clone() });
    }
}
