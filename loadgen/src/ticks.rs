//! Real ticks: a simulated exchange played ahead of the run, event by event, with its truth.
//!
//! Everything is made before the first event is due, so that publishing costs a copy. What each
//! topic's subscribers must hold after each event is kept as a digest beside it: [`verify`]
//! compares with that.

pub mod digest;
pub mod verify;

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use feeds::{Feed as _, SimExchange, SimOptions};
use market::{Book, BookDiff, Event, Kind, Level, Quote, Trade};
use serde::{Deserialize, Serialize};

/// The kinds that can be published; a word of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TickKind {
    /// Best prices; may be merged.
    Quote,
    /// Order books in diffs; may be merged by level.
    Book,
    /// Executions; never merged.
    Trade,
}

impl TickKind {
    /// The first segment of its topics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Book => "book",
            Self::Trade => "trade",
        }
    }

    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Quote => Some(Self::Quote),
            Kind::Book => Some(Self::Book),
            Kind::Trade => Some(Self::Trade),
            _ => None,
        }
    }
}

/// Levels of a book that the market crate may hold here: more than the exchange ever shows.
const LEVELS_MAX: usize = 10_000;
/// The exchange's own start; only differences count.
const START: u64 = 1_000_000_000_000;
/// How far the exchange is played at a time.
const STEP: u64 = 100_000_000;
/// Events that are made ahead at most, some 300 bytes each.
const EVENTS_MAX: u64 = 4_000_000;

/// What is asked of the exchange.
#[derive(Debug, Clone)]
pub struct TickOptions {
    /// Name of the venue in topics.
    pub venue: String,
    /// How many symbols.
    pub symbols: usize,
    /// Which topics each symbol has.
    pub kinds: Vec<TickKind>,
    /// Events a second of all topics, roughly.
    pub rate: f64,
    /// Levels on each side of a book.
    pub depth: usize,
    /// Another one gives another day at the exchange.
    pub seed: u64,
}

/// A day at the exchange, ready to be published.
#[derive(Debug, Default)]
pub struct Script {
    /// Names of the topics.
    pub topics: Vec<String>,
    /// Their numbers.
    pub by_name: HashMap<String, usize>,
    /// The kind of each topic.
    pub kinds: Vec<TickKind>,
    /// Nanoseconds after the opening at which each event happened.
    pub due: Vec<u64>,
    /// The topic of each event.
    pub topic_of: Vec<u32>,
    /// What a subscriber must hold after each event of a topic: by topic, then by seq - 1.
    pub truth: Vec<Vec<u64>>,
    data: String,
    ends: Vec<usize>,
}

/// How much of the day is needed.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// So many events.
    Events(u64),
    /// So many nanoseconds, in the exchange's own rhythm.
    Nanoseconds(u64),
}

impl Script {
    /// Plays the exchange.
    ///
    /// # Errors
    /// Options that the exchange does not take, or a run too long to be made ahead.
    pub fn play(options: &TickOptions, length: Length) -> anyhow::Result<Self> {
        let count = match length {
            Length::Events(count) => count,
            Length::Nanoseconds(span) => span / 1_000_000 * u64::from(whole(options.rate)) / 1_000,
        };
        ensure!(
            count <= EVENTS_MAX,
            "ticks are made ahead, at most {EVENTS_MAX} of them: fewer --seconds or a lower --rate"
        );
        let exchange = SimOptions {
            venue: options.venue.clone(),
            symbols: options.symbols,
            updates_per_second: whole(options.rate),
            depth: options.depth,
            seed: options.seed,
        };
        let mut feed = SimExchange::new(exchange, START).context("the simulated exchange")?;
        let mut script = Self::default();
        let mut numbers = Vec::new();
        for channel in feed.channels() {
            let kind = TickKind::of(channel.kind).filter(|kind| options.kinds.contains(kind));
            numbers.push(kind.map(|kind| script.add_topic(&channel.topic, kind)));
        }
        let mut books = vec![Book::default(); script.topics.len()];
        let (mut now, mut updates) = (START, Vec::new());
        loop {
            feed.advance(now, &mut updates);
            for update in updates.drain(..) {
                let Some(topic) = numbers[update.channel] else { continue };
                let due = stamp(&update.event).saturating_sub(START);
                let done = match length {
                    Length::Events(count) => script.due.len() as u64 >= count,
                    Length::Nanoseconds(span) => due >= span,
                };
                if done {
                    return Ok(script);
                }
                script.add(topic, due, update.event, &mut books[topic])?;
            }
            now += STEP;
        }
    }

    fn add_topic(&mut self, name: &str, kind: TickKind) -> usize {
        let number = self.topics.len();
        self.topics.push(name.to_owned());
        self.by_name.insert(name.to_owned(), number);
        self.kinds.push(kind);
        self.truth.push(Vec::new());
        number
    }

    fn add(&mut self, topic: usize, due: u64, event: Event, book: &mut Book) -> anyhow::Result<()> {
        let truth = match event {
            Event::Quote(quote) => write_quote(&mut self.data, &quote),
            Event::Trade(trade) => write_trade(&mut self.data, &trade),
            Event::Book(mut diff) => {
                book.apply(&mut diff, LEVELS_MAX).context("the simulated exchange")?;
                write_diff(&mut self.data, &diff);
                digest::book(book)
            }
            _ => return Ok(()),
        };
        self.ends.push(self.data.len());
        self.due.push(due);
        self.topic_of.push(u32::try_from(topic).expect("topics are few"));
        self.truth[topic].push(truth);
        Ok(())
    }

    /// The data of event `k`, as JSON but for the stamps and the closing brace.
    #[must_use]
    pub fn data(&self, k: usize) -> &str {
        let start = k.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.data[start..self.ends[k]]
    }
}

fn stamp(event: &Event) -> u64 {
    let stamps = match event {
        Event::Trade(trade) => trade.stamps,
        Event::Quote(quote) => quote.stamps,
        Event::Book(diff) => diff.stamps,
        Event::Bar(bar) => bar.stamps,
        Event::Status(status) => status.stamps,
    };
    stamps.event.unwrap_or(stamps.received)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as casts saturate, and the exchange says what it takes"
)]
fn whole(rate: f64) -> u32 {
    rate.ceil() as u32
}

/// Writes to a text, which takes everything.
fn put(out: &mut String, words: std::fmt::Arguments<'_>) {
    out.write_fmt(words).expect("a text takes everything");
}

fn write_quote(out: &mut String, quote: &Quote) -> u64 {
    let mut fields = [const { String::new() }; 4];
    let sides = [("bid", quote.bid, 0), ("ask", quote.ask, 2)];
    for (index, (name, side, at)) in sides.into_iter().enumerate() {
        out.push(if index == 0 { '{' } else { ',' });
        match side {
            Some(side) => {
                (fields[at], fields[at + 1]) = (side.price.to_string(), side.size.to_string());
                let (price, size) = (&fields[at], &fields[at + 1]);
                put(out, format_args!("\"{name}_price\":\"{price}\",\"{name}_size\":\"{size}\""));
            }
            None => put(out, format_args!("\"{name}_price\":null,\"{name}_size\":null")),
        }
    }
    digest::texts(fields.iter().map(String::as_str))
}

fn write_trade(out: &mut String, trade: &Trade) -> u64 {
    let (price, size) = (trade.price.to_string(), trade.size.to_string());
    let (side, id) = (trade.side.as_str(), &*trade.trade_id);
    put(
        out,
        format_args!(
            "{{\"price\":\"{price}\",\"size\":\"{size}\",\"side\":\"{side}\",\"trade_id\":\"{id}\""
        ),
    );
    digest::texts([price.as_str(), &size, side, id])
}

fn write_diff(out: &mut String, diff: &BookDiff) {
    out.push('{');
    if diff.reset {
        out.push_str("\"reset\":true,");
    }
    let mut side = |name: &str, levels: &[Level], after: &str| {
        put(out, format_args!("\"{name}\":["));
        for (index, level) in levels.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            put(out, format_args!("{comma}[\"{}\",\"{}\"]", level.price, level.size));
        }
        out.push(']');
        out.push_str(after);
    };
    side("bids", &diff.bids, ",");
    side("asks", &diff.asks, "");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TickOptions {
        let kinds = vec![TickKind::Quote, TickKind::Book, TickKind::Trade];
        TickOptions { venue: "load7".into(), symbols: 3, kinds, rate: 500.0, depth: 10, seed: 7 }
    }

    #[test]
    fn a_script_is_json_in_the_order_of_time_and_the_same_for_the_same_seed() {
        let script = Script::play(&options(), Length::Events(2_000)).unwrap();
        assert_eq!((script.due.len(), script.topics.len()), (2_000, 9));
        assert!(script.topics.contains(&"quote.load7.BTC-USD".to_owned()));
        assert!(script.due.is_sorted());
        for k in 0..script.due.len() {
            let data = format!("{}}}", script.data(k));
            serde_json::from_str::<serde_json::Value>(&data).unwrap();
        }
        assert_eq!(script.truth.iter().map(Vec::len).sum::<usize>(), 2_000);
        let again = Script::play(&options(), Length::Events(2_000)).unwrap();
        assert_eq!((script.data, script.truth), (again.data, again.truth));
    }

    #[test]
    fn its_own_rhythm_has_bursts() {
        let script = Script::play(&options(), Length::Nanoseconds(10_000_000_000)).unwrap();
        let mut per_slot = vec![0u32; 100];
        script.due.iter().for_each(|due| per_slot[(due / 100_000_000) as usize] += 1);
        let mean = script.due.len() as f64 / 100.0;
        assert!((20.0..80.0).contains(&mean), "{mean}");
        // The opening does not count.
        let most = per_slot[1..].iter().max().copied().unwrap_or(0);
        assert!(f64::from(most) > 2.0 * mean, "{most} {mean}");
    }

    #[test]
    fn what_the_exchange_does_not_take_is_said() {
        let said =
            |options| format!("{:#}", Script::play(&options, Length::Events(1)).unwrap_err());
        assert!(said(TickOptions { symbols: 501, ..options() }).contains("1 to 500"));
        assert!(said(TickOptions { venue: "A".into(), ..options() }).contains("lowercase"));
    }
}
