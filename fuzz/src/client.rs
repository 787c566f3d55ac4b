//! What a client makes of an adapter's events: its books, kept by the texts of their prices and
//! nothing else, which must be those of the adapter's desk.

use std::collections::BTreeMap;

use feeds::Update;
use feeds::adapter::{Action, Adapter, BookState, Output};
use market::{Book, BookDiff, BookSide, Event, Flags};

/// Price and size of each level, as they were published.
type Side = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct Held {
    sides: [Side; 2],
    /// The desk does not trust it any more: what comes next must be whole.
    broken: bool,
}

/// A client of one adapter.
#[derive(Debug, Default)]
pub struct Client {
    /// By channel.
    books: BTreeMap<usize, Held>,
    /// By symbol: the channel of its book.
    channels: BTreeMap<u32, usize>,
    /// Channels looked at.
    known: usize,
    updates: u64,
    inputs: u64,
    bytes: u64,
}

/// Updates and actions that one input may lead to whatever it holds: of each symbol a few.
const EACH_INPUT: u64 = 64;

impl Client {
    /// An input with so many bytes is given to the adapter; what it leads to is bounded by that.
    pub fn input(&mut self, bytes: usize) {
        self.inputs += 1;
        self.bytes += bytes as u64;
    }

    /// Takes what came of an input.
    ///
    /// # Panics
    /// When a client would hold another book than the adapter's desk, or more came than may.
    pub fn take(&mut self, adapter: &dyn Adapter, updates: &[Update]) {
        self.updates += updates.len() as u64;
        let bound = self.inputs * EACH_INPUT + self.bytes;
        assert!(self.updates <= bound, "{} updates of {} bytes", self.updates, self.bytes);
        self.learn(adapter);
        let mut touched = false;
        for update in updates {
            match &update.event {
                Event::Book(diff) => {
                    self.book(update.channel, diff);
                    touched = true;
                }
                Event::Trade(trade) => {
                    assert!(!trade.size.is_negative(), "a negative execution: {trade:?}");
                }
                Event::Quote(quote) => {
                    for side in [quote.bid, quote.ask].into_iter().flatten() {
                        assert!(!side.size.is_negative(), "a negative quote: {quote:?}");
                    }
                }
                Event::Bar(_) | Event::Status(_) => {}
            }
        }
        self.compare(adapter, touched);
    }

    /// As [`Client::take`], with the bounds on all else that an adapter may want.
    ///
    /// # Panics
    /// See there.
    pub fn take_all(&mut self, adapter: &dyn Adapter, out: &Output) {
        let symbols = adapter.desk().symbols().len();
        let sent: usize = out.actions.iter().map(size).sum();
        let bound = 4096 + 512 * symbols + 2 * self.bytes as usize;
        assert!(sent <= bound, "{sent} bytes of actions for {symbols} symbols: {:?}", out.actions);
        self.take(adapter, &out.updates);
    }

    fn learn(&mut self, adapter: &dyn Adapter) {
        let channels = adapter.desk().channels();
        for (number, channel) in channels.iter().enumerate().skip(self.known) {
            let Some(name) = channel.topic.strip_prefix("book.x.") else { continue };
            let mut named =
                adapter.desk().symbols().filter(|(_, symbol)| *symbol.canonical == *name);
            // Two spellings of one name share a topic, and nobody can tell their books apart.
            if let (Some((id, _)), None) = (named.next(), named.next()) {
                self.channels.insert(id.0, number);
            }
        }
        self.known = channels.len();
        let bound = 1 + 5 * adapter.desk().symbols().len();
        assert!(channels.len() <= bound, "{} channels", channels.len());
        assert!(adapter.desk().symbols().len() <= adapter.desk().options().symbols_max);
    }

    fn book(&mut self, channel: usize, diff: &BookDiff) {
        if !diff.reset {
            assert!(self.books.contains_key(&channel), "a change before any book: {diff:?}");
        }
        let new = !self.books.contains_key(&channel);
        let held = self.books.entry(channel).or_default();
        if std::mem::take(&mut held.broken) {
            assert!(diff.reset, "a change of a book that was given up: {diff:?}");
            let told = diff.stamps.flags.names().any(|name| name == "gap_before");
            assert!(new || told, "a break that nobody is told of: {diff:?}");
        }
        if diff.reset {
            held.sides = Default::default();
        }
        for (side, levels) in held.sides.iter_mut().zip([&diff.bids, &diff.asks]) {
            for level in levels {
                if level.size.is_zero() {
                    side.remove(&level.price.to_string());
                } else {
                    side.insert(level.price.to_string(), level.size.to_string());
                }
            }
        }
    }

    fn compare(&mut self, adapter: &dyn Adapter, touched: bool) {
        for (id, symbol) in adapter.desk().symbols() {
            let Some(held) =
                self.channels.get(&id.0).and_then(|channel| self.books.get_mut(channel))
            else {
                continue;
            };
            if symbol.state() == BookState::Resyncing {
                held.broken = true;
                continue;
            }
            if !touched {
                continue;
            }
            let book = symbol.book();
            assert!(!book.is_crossed(), "{}: a crossed book is trusted", symbol.native);
            let levels_max = adapter.desk().options().levels_max;
            assert!(book.len() <= 2 * levels_max, "{}: {} levels", symbol.native, book.len());
            for (side, which) in held.sides.iter().zip([BookSide::Bid, BookSide::Ask]) {
                let desk = texts(book, which);
                assert!(
                    *side == desk,
                    "{}: a client has {side:?}, the adapter {desk:?}",
                    symbol.native
                );
            }
        }
    }
}

/// The flags of every published change, as a venue that proves nothing must have them.
///
/// # Panics
/// When one lacks the flag.
pub fn assert_unverified(updates: &[Update]) {
    for update in updates {
        if let Event::Book(diff) = &update.event {
            let flags = diff.stamps.flags;
            assert!(flags.with(Flags::UNVERIFIED) == flags, "called verified: {diff:?}");
        }
    }
}

fn texts(book: &Book, side: BookSide) -> Side {
    book.levels(side).map(|level| (level.price.to_string(), level.size.to_string())).collect()
}

fn size(action: &Action) -> usize {
    match action {
        Action::Send(text) | Action::Report(text) => text.len(),
        Action::SendBinary(bytes) => bytes.len(),
        Action::Fetch { path, .. } => path.len(),
        Action::Reconnect { reason } => reason.len(),
    }
}
