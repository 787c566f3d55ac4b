//! Sessions of venues that no simulated exchange speaks: Kraken's v1 and Bitstamp. A book of a few
//! levels that moves by chance is told in their words, and comes to harm on its way.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use exchange::{Between as _, Reply};
use feeds::adapter::{Action, Adapter, BookState, DeskOptions, Input, Output, SymbolId};
use feeds::venue::Venue;
use market::{Book, BookDiff, BookSide, Decimal, Level, Nanos};

use crate::client::{Client, assert_unverified};
use crate::damage::Protocol;
use crate::dice::Dice;
use crate::session::{START, Tape};
use crate::tamper::Tamper;

const DEPTH: usize = 10;
const STEP: Nanos = 100_000_000;
const STEPS: usize = 150;

/// Sizes by price, in the units of their last digits.
type Side = BTreeMap<i64, i64>;

/// A book that moves by chance. Bids are at negative prices, so that the best come first on both
/// sides.
#[derive(Debug, Clone)]
struct Walk {
    sides: [Side; 2],
    state: u64,
}

impl Walk {
    fn new(seed: u8) -> Self {
        let side = |from: i64| (0..14).map(|at| (from + at * 10, 1_000 + at)).collect();
        Self { sides: [side(-100_000), side(100_010)], state: u64::from(seed) << 8 | 1 }
    }

    /// Xorshift: any sequence will do.
    fn chance(&mut self, below: u64) -> i64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % below) as i64
    }

    /// Changes a few levels of both sides; the books stay deep and never cross.
    fn step(&mut self) {
        for _ in 0..=self.chance(3) {
            let which = self.chance(2) as usize;
            let price = [-100_000, 100_010][which] + self.chance(20) * 10;
            let size = if self.chance(3) == 0 { 0 } else { 1 + self.chance(5_000) };
            let side = &mut self.sides[which];
            if size > 0 {
                side.insert(price, size);
            } else if side.len() > DEPTH + 2 {
                side.remove(&price);
            }
        }
    }

    /// The best levels as texts, best first.
    fn best(&self, depth: usize) -> [Vec<(String, String)>; 2] {
        [0, 1].map(|which| {
            let side = self.sides[which].iter().take(depth);
            side.map(|(price, size)| (price_text(*price), size_text(*size))).collect()
        })
    }
}

fn price_text(price: i64) -> String {
    format!("{}.{:02}", price.abs() / 100, price.abs() % 100)
}

fn size_text(size: i64) -> String {
    format!("{}.{:03}00000", size / 1000, size % 1000)
}

/// What changed within the best levels: those that were pushed out are not told.
fn changes(before: &Walk, after: &Walk) -> [Vec<(String, String)>; 2] {
    [0, 1].map(|which| {
        let best = |walk: &Walk| -> Side {
            walk.sides[which].iter().take(DEPTH).map(|(price, size)| (*price, *size)).collect()
        };
        let (old, new) = (best(before), best(after));
        let gone = old.keys().filter(|price| !after.sides[which].contains_key(price));
        let gone = gone.map(|price| (price_text(*price), size_text(0)));
        let changed = new.iter().filter(|(price, size)| old.get(price) != Some(size));
        let changed = changed.map(|(price, size)| (price_text(*price), size_text(*size)));
        gone.chain(changed).collect()
    })
}

fn book(sides: &[Vec<(String, String)>; 2]) -> Book {
    let levels = |side: &Vec<(String, String)>| {
        let decimal = |text: &str| Decimal::parse(text).unwrap_or_default();
        side.iter().map(|(p, s)| Level { price: decimal(p), size: decimal(s) }).collect()
    };
    let mut diff = BookDiff {
        reset: true,
        bids: levels(&sides[0]),
        asks: levels(&sides[1]),
        ..BookDiff::default()
    };
    let mut book = Book::default();
    let applied = book.apply(&mut diff, 1000);
    assert!(applied.is_ok(), "the walk's own book is sound");
    book
}

fn list(levels: &[(String, String)], time: Option<u64>) -> String {
    let mut text = String::from("[");
    for (at, (price, size)) in levels.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let time = time.map(|time| format!(",\"{}.{:06}\"", time / 1_000_000, time % 1_000_000));
        // Writing to a text cannot fail.
        write!(text, "{comma}[\"{price}\",\"{size}\"{}]", time.unwrap_or_default())
            .unwrap_or_default();
    }
    text.push(']');
    text
}

/// One of the two venues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Kraken's API v1: proved by a checksum.
    KrakenV1,
    /// Bitstamp: proved by nothing.
    Bitstamp,
}

impl Told {
    fn venue(self) -> Venue {
        match self {
            Self::KrakenV1 => Venue::KrakenV1,
            Self::Bitstamp => Venue::Bitstamp,
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::KrakenV1 => "XBT/USD",
            Self::Bitstamp => "btcusd",
        }
    }

    fn trade(self, number: usize, micros: u64) -> String {
        match self {
            Self::KrakenV1 => format!(
                "[0,[[\"1000.00\",\"0.10000000\",\"{}.000001\",\"s\",\"l\",\"\"]],\"trade\",\"XBT/USD\"]",
                micros / 1_000_000
            ),
            Self::Bitstamp => format!(
                "{{\"data\":{{\"id\":{number},\"amount\":0.1,\"amount_str\":\"0.10000000\",\"price\":1000.0,\"price_str\":\"1000.00\",\"type\":1,\"microtimestamp\":\"{micros}\"}},\"channel\":\"live_trades_btcusd\",\"event\":\"trade\"}}"
            ),
        }
    }

    fn change(self, before: &Walk, after: &Walk, micros: u64) -> Option<String> {
        match self {
            Self::KrakenV1 => {
                let [bids, asks] = changes(before, after);
                let sum = book(&after.best(DEPTH)).checksum();
                let (a, b) = (list(&asks, Some(micros)), list(&bids, Some(micros)));
                let data = match (bids.is_empty(), asks.is_empty()) {
                    (true, true) => return None,
                    (true, false) => format!("{{\"a\":{a},\"c\":\"{sum}\"}}"),
                    (false, true) => format!("{{\"b\":{b},\"c\":\"{sum}\"}}"),
                    (false, false) => format!("{{\"a\":{a}}},{{\"b\":{b},\"c\":\"{sum}\"}}"),
                };
                Some(format!("[0,{data},\"book-10\",\"XBT/USD\"]"))
            }
            Self::Bitstamp => {
                let sides = [0, 1].map(|which| {
                    let (old, new) = (&before.sides[which], &after.sides[which]);
                    let gone = old.keys().filter(|price| !new.contains_key(price));
                    let gone = gone.map(|price| (price_text(*price), size_text(0)));
                    let changed = new.iter().filter(|(price, size)| old.get(price) != Some(size));
                    let changed = changed.map(|(p, s)| (price_text(*p), size_text(*s)));
                    list(&gone.chain(changed).collect::<Vec<_>>(), None)
                });
                let [bids, asks] = sides;
                Some(format!(
                    "{{\"data\":{{\"timestamp\":\"0\",\"microtimestamp\":\"{micros}\",\"bids\":{bids},\"asks\":{asks}}},\"channel\":\"diff_order_book_btcusd\",\"event\":\"data\"}}"
                ))
            }
        }
    }

    fn whole(self, walk: &Walk, micros: u64) -> String {
        match self {
            Self::KrakenV1 => {
                let [bids, asks] = walk.best(DEPTH);
                let (a, b) = (list(&asks, Some(micros)), list(&bids, Some(micros)));
                format!("[0,{{\"as\":{a},\"bs\":{b}}},\"book-10\",\"XBT/USD\"]")
            }
            Self::Bitstamp => {
                let [bids, asks] = walk.best(usize::MAX).map(|side| list(&side, None));
                format!(
                    "{{\"timestamp\":\"0\",\"microtimestamp\":\"{micros}\",\"bids\":{bids},\"asks\":{asks}}}"
                )
            }
        }
    }
}

struct Run {
    told: Told,
    adapter: Box<dyn Adapter>,
    client: Client,
    tamper: Tamper,
    visible: bool,
    now: Nanos,
    wake_at: Option<Nanos>,
    /// Books that the venue had, the newest last.
    truth: Vec<Book>,
    /// A whole book is to be sent.
    snapshot: bool,
    requests: Vec<(Nanos, u32, Option<Reply>)>,
    asked: Vec<u32>,
    reconnect: bool,
}

/// Plays one session.
///
/// # Panics
/// When a wrong book was called verified, or a client would hold another one than the adapter.
pub fn play(told: Told, data: &[u8]) {
    let mut dice = Dice::new(data);
    let flags = dice.byte();
    let visible = flags & 3 != 0;
    let whole = dice.is_empty();
    let desk = DeskOptions {
        venue: "x".into(),
        symbols: vec![told.symbol().into()],
        ..DeskOptions::default()
    };
    let mut walk = Walk::new(flags);
    let protocol = Protocol { unseen: &[], proved: &["c"] };
    let mut run = Run {
        told,
        adapter: told.venue().adapter(desk),
        client: Client::default(),
        tamper: Tamper::new(dice.rest(), protocol, visible),
        visible,
        now: START,
        wake_at: None,
        truth: vec![book(&walk.best(DEPTH))],
        snapshot: false,
        requests: Vec::new(),
        asked: Vec::new(),
        reconnect: false,
    };
    run.input(Input::Connected);
    for step in 0..STEPS {
        run.now += STEP;
        let micros = run.now / 1000;
        let before = walk.clone();
        walk.step();
        run.truth.push(book(&walk.best(if told == Told::Bitstamp { usize::MAX } else { DEPTH })));
        if run.snapshot {
            run.snapshot = false;
            run.send(told.whole(&walk, micros));
        } else if let Some(text) = told.change(&before, &walk, micros) {
            run.send(text);
        }
        if step % 7 == 0 {
            run.send(told.trade(step, micros));
        }
        for request in std::mem::take(&mut run.asked) {
            let reply =
                Reply { status: 200, body: told.whole(&walk, micros), retry_after: None, delay: 0 };
            let reply = run.tamper.answer(reply);
            let delay = reply.as_ref().map_or(0, |reply| reply.delay);
            run.requests.push((run.now + delay, request, reply));
        }
        run.pass_time();
    }
    if whole {
        // Nothing came to harm.
        let symbol = run.adapter.desk().symbol(SymbolId(0));
        let state =
            if told == Told::Bitstamp { BookState::Unverifiable } else { BookState::Verified };
        assert_eq!(symbol.state(), state);
        assert!(run.truth.last().is_some_and(|truth| same(truth, symbol.book())), "another book");
    }
}

fn same(one: &Book, other: &Book) -> bool {
    [BookSide::Bid, BookSide::Ask].into_iter().all(|side| one.levels(side).eq(other.levels(side)))
}

impl Run {
    fn send(&mut self, text: String) {
        for text in self.tamper.message(text.into_bytes()) {
            self.input(Input::Text(&text));
        }
    }

    fn pass_time(&mut self) {
        if self.wake_at.is_some_and(|at| at <= self.now) {
            self.wake_at = None;
            self.input(Input::Timer);
        }
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.requests).into_iter().partition(|(at, ..)| *at <= self.now);
        self.requests = later;
        for (_, request, reply) in due {
            match reply {
                Some(Reply { status, body, .. }) => {
                    self.input(Input::Answer {
                        request,
                        status,
                        retry_after: None,
                        body: body.as_bytes(),
                    });
                }
                None => self.input(Input::NoAnswer { request, reason: "no answer" }),
            }
        }
        if std::mem::take(&mut self.reconnect) {
            self.input(Input::Disconnected { reason: "asked for" });
            self.requests.clear();
            self.input(Input::Connected);
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.client.input(4096);
        let mut out = Output::default();
        self.adapter.handle(input, self.now, &mut out);
        self.client.take_all(&*self.adapter, &out);
        self.wake_at = [self.wake_at, out.wake_at].into_iter().flatten().min();
        for action in &out.actions {
            match action {
                // The venue sends a whole book to whoever subscribes one.
                Action::Send(text) => {
                    self.snapshot |= text.contains("\"subscribe\"") && text.contains("\"book\"");
                }
                Action::Fetch { request, .. } => self.asked.push(*request),
                Action::Reconnect { .. } => self.reconnect = true,
                Action::SendBinary(_) | Action::Report(_) => {}
            }
        }
        let symbol = self.adapter.desk().symbol(SymbolId(0));
        if self.told == Told::Bitstamp {
            assert_ne!(symbol.state(), BookState::Verified);
            assert_unverified(&out.updates);
        } else if self.visible && !out.updates.is_empty() && symbol.state() == BookState::Verified {
            let held = self.truth.iter().rev().any(|truth| same(truth, symbol.book()));
            assert!(held, "called verified, and wrong: {:?}", symbol.book());
        }
    }
}

/// Everything that the venue sends in a quiet session.
#[must_use]
pub fn tape(told: Told) -> Tape {
    let mut walk = Walk::new(1);
    let mut tape = Tape { symbols: vec![told.symbol().into()], ..Tape::default() };
    let mut now = START / 1000;
    if told == Told::KrakenV1 {
        tape.messages.push(told.whole(&walk, now).into_bytes());
    }
    for step in 0..80 {
        now += 100_000;
        let before = walk.clone();
        walk.step();
        tape.messages.extend(told.change(&before, &walk, now).map(String::into_bytes));
        tape.messages.push(told.trade(step, now).into_bytes());
        if told == Told::Bitstamp && step % 8 == 0 {
            tape.answers.push(told.whole(&walk, now).into_bytes());
        }
    }
    tape
}
