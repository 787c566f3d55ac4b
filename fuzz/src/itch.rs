//! A day of ITCH that comes to harm on its way: packets lost, doubled, late and torn, connections
//! cut. Of MoldUDP64 the numbers prove the books, of SoupBinTCP the order; of a file nothing does.

use std::collections::BTreeMap;

use feeds::adapter::{Action, Adapter, BookState, DeskOptions, Input, Output, SECOND, Stream};
use feeds::venue::itch::{Framing, Itch, ItchOptions};
use market::{Book, BookSide, Nanos};

use crate::client::{Client, assert_unverified};
use crate::damage;
use crate::dice::Dice;
use crate::session::{START, Tape};

const STOCKS: [&str; 2] = ["AAAA", "BB"];
const SESSION: &[u8; 10] = b"  DAY-0001";
const MESSAGES: usize = 220;
/// Largest packet of the answers to a request.
const ANSWER_MAX: u64 = 8;

/// Shares at each price, bids first, by the texts of both.
type Levels = [BTreeMap<String, String>; 2];

#[derive(Debug, Clone, Copy)]
struct Order {
    stock: usize,
    side: usize,
    shares: u32,
    price: u32,
}

/// The venue: a day's messages, and what the books are after each.
#[derive(Debug, Default)]
struct Day {
    messages: Vec<Vec<u8>>,
    orders: BTreeMap<u64, Order>,
    /// By stock, in order.
    books: [Vec<Levels>; 2],
    references: u64,
    state: u64,
}

fn begin(kind: u8, locate: usize) -> Vec<u8> {
    let time = 34_200_000_000_000_u64.to_be_bytes();
    [&[kind, 0, locate as u8, 0, 0][..], &time[2..]].concat()
}

impl Day {
    fn new(seed: u8) -> Self {
        let mut day = Self { state: u64::from(seed) << 8 | 1, ..Self::default() };
        day.messages.push([begin(b'S', 0), b"O".to_vec()].concat());
        for (at, stock) in STOCKS.iter().enumerate() {
            let name = format!("{stock:<8}{:20}", "");
            day.messages.push([begin(b'R', at + 1), name.into_bytes()].concat());
            day.books[at].push(Levels::default());
        }
        while day.messages.len() < MESSAGES {
            day.step();
        }
        day
    }

    /// Xorshift: any sequence will do.
    fn chance(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % below
    }

    fn price(&mut self, side: usize) -> u32 {
        // Bids below 100, offers above it.
        let away = 100 * (1 + self.chance(12)) as u32;
        if side == 0 { 1_000_000 - away } else { 1_000_000 + away }
    }

    fn step(&mut self) {
        let known = self.orders.len() as u64;
        let kind = if known < 8 { 0 } else { self.chance(6) };
        if kind < 2 {
            let (stock, side) = (self.chance(2) as usize, self.chance(2) as usize);
            let (shares, price) = (1 + self.chance(500) as u32, self.price(side));
            self.references += 1;
            let reference = self.references;
            self.orders.insert(reference, Order { stock, side, shares, price });
            let name = format!("{:<8}", STOCKS[stock]);
            let side = if side == 0 { b'B' } else { b'S' };
            self.say(
                b'A',
                stock,
                &[
                    &reference.to_be_bytes()[..],
                    &[side],
                    &shares.to_be_bytes(),
                    name.as_bytes(),
                    &price.to_be_bytes(),
                ],
            );
            return;
        }
        let nth = self.chance(known) as usize;
        let Some((&reference, &order)) = self.orders.iter().nth(nth) else { return };
        let some = 1 + self.chance(u64::from(order.shares)) as u32;
        let number = reference.to_be_bytes();
        match kind {
            2 => {
                self.reduce(reference, some);
                self.say(b'X', order.stock, &[&number, &some.to_be_bytes()]);
            }
            3 => {
                self.reduce(reference, some);
                self.say(b'E', order.stock, &[&number, &some.to_be_bytes(), &number]);
            }
            4 => {
                self.orders.remove(&reference);
                self.say(b'D', order.stock, &[&number]);
            }
            _ => {
                let price = self.price(order.side);
                self.references += 1;
                let new = self.references;
                self.orders.remove(&reference);
                self.orders.insert(new, Order { shares: some, price, ..order });
                self.say(
                    b'U',
                    order.stock,
                    &[&number, &new.to_be_bytes()[..], &some.to_be_bytes(), &price.to_be_bytes()],
                );
            }
        }
    }

    fn reduce(&mut self, reference: u64, by: u32) {
        if let Some(order) = self.orders.get_mut(&reference) {
            order.shares -= by;
            if order.shares == 0 {
                self.orders.remove(&reference);
            }
        }
    }

    fn say(&mut self, kind: u8, stock: usize, parts: &[&[u8]]) {
        let mut message = begin(kind, stock + 1);
        parts.iter().for_each(|part| message.extend_from_slice(part));
        self.messages.push(message);
        let mut sums: [BTreeMap<u32, u64>; 2] = Default::default();
        for order in self.orders.values().filter(|order| order.stock == stock) {
            *sums[order.side].entry(order.price).or_default() += u64::from(order.shares);
        }
        let text = |price: u32| format!("{}.{:04}", price / 10_000, price % 10_000);
        let levels = sums.map(|side| {
            side.into_iter().map(|(price, shares)| (text(price), shares.to_string())).collect()
        });
        self.books[stock].push(levels);
    }

    fn had(&self, stock: &str, book: &Book) -> bool {
        let held = [BookSide::Bid, BookSide::Ask].map(|side| {
            let levels = book.levels(side);
            levels.map(|level| (level.price.to_string(), level.size.to_string())).collect()
        });
        let stock = STOCKS.iter().position(|known| *known == stock);
        stock.is_some_and(|stock| self.books[stock].iter().rev().any(|levels| *levels == held))
    }
}

fn blocks(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|m| [&(m.len() as u16).to_be_bytes()[..], m].concat()).collect()
}

/// A packet with the messages from number `from` on, which counts from 1.
fn packet(day: &Day, from: u64, count: u64) -> Vec<u8> {
    let first = (from - 1) as usize;
    let messages = day.messages.get(first..).unwrap_or_default();
    let messages = &messages[..messages.len().min(count as usize)];
    let head = [&SESSION[..], &from.to_be_bytes(), &(messages.len() as u16).to_be_bytes()].concat();
    [head, blocks(messages)].concat()
}

struct Run {
    framing: Framing,
    day: Day,
    itch: Itch,
    client: Client,
    now: Nanos,
    wake_at: Option<Nanos>,
    /// Messages asked for: from which number on, and how many.
    asked: Vec<(u64, u64)>,
    /// What the login asked for: the number of the next message.
    login: Option<u64>,
}

impl Run {
    fn new(framing: Framing, seed: u8) -> Self {
        let desk = DeskOptions { venue: "x".into(), open: true, ..DeskOptions::default() };
        let mut run = Self {
            framing,
            day: Day::new(seed),
            itch: Itch::new(ItchOptions::new(framing, desk)),
            client: Client::default(),
            now: START,
            wake_at: None,
            asked: Vec::new(),
            login: None,
        };
        run.input(Input::Connected);
        run
    }

    fn input(&mut self, input: Input<'_>) {
        let bytes = if let Input::Binary(bytes) = input { bytes.len() } else { 0 };
        // What was held back comes with what was missing.
        self.client.input(bytes + 1024);
        let mut out = Output::default();
        self.itch.handle(input, self.now, &mut out);
        self.took(&out);
    }

    fn took(&mut self, out: &Output) {
        self.client.take_all(&self.itch, out);
        self.wake_at = [self.wake_at, out.wake_at].into_iter().flatten().min();
        for action in &out.actions {
            let Action::SendBinary(bytes) = action else { continue };
            match (self.framing, bytes.as_slice()) {
                (Framing::Mold, [_, _, _, _, _, _, _, _, _, _, rest @ ..]) if rest.len() == 10 => {
                    let number = rest.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
                    self.asked.push(((number >> 16) as u64, (number & 0xffff) as u64));
                }
                (Framing::Soup, [_, _, b'L', rest @ ..]) => {
                    let number = String::from_utf8_lossy(&rest[rest.len().saturating_sub(20)..]);
                    self.login = number.trim().parse().ok();
                }
                _ => {}
            }
        }
        let changed = !out.updates.is_empty();
        if self.framing == Framing::BinaryFile {
            assert_unverified(&out.updates);
        }
        for (_, symbol) in self.itch.desk().symbols().filter(|_| changed) {
            if symbol.state() == BookState::Verified && symbol.wanted().has(Stream::Book) {
                let (name, book) = (&symbol.native, symbol.book());
                assert!(self.day.had(name, book), "{name}: called verified, and wrong: {book:?}");
            }
        }
    }

    fn pass_time(&mut self, by: Nanos) {
        self.now += by;
        if self.wake_at.is_some_and(|at| at <= self.now) {
            self.wake_at = None;
            self.input(Input::Timer);
        }
    }

    fn mold(&mut self, dice: &mut Dice) {
        let mut late: Vec<Vec<u8>> = Vec::new();
        let mut next = 1;
        let last = self.day.messages.len() as u64;
        while next <= last {
            let count = 1 + (next % 3);
            let bytes = packet(&self.day, next, count);
            next += count;
            match dice.byte() {
                0..=199 => self.input(Input::Binary(&bytes)),
                200..=213 => {}
                214..=220 => late.push(bytes),
                221..=227 => {
                    self.input(Input::Binary(&bytes));
                    self.input(Input::Binary(&bytes));
                }
                228..=233 => {
                    let again = 1 + dice.below(next as usize) as u64;
                    let again = packet(&self.day, again, 4);
                    self.input(Input::Binary(&again));
                }
                234..=240 => {
                    // Torn, as no network does; the rest is as good as lost.
                    let torn = &bytes[..dice.below(bytes.len())];
                    self.input(Input::Binary(torn));
                }
                241..=246 => {
                    let mut wrong = bytes;
                    // The count, or the length of a message.
                    let at = [18, 19, 20, 21][dice.below(4)];
                    if let Some(byte) = wrong.get_mut(at) {
                        *byte = dice.byte();
                    }
                    self.input(Input::Binary(&wrong));
                }
                247..=249 => {
                    let mut foreign = bytes;
                    foreign[dice.below(10)] ^= 1 + dice.byte() % 255;
                    self.input(Input::Binary(&foreign));
                }
                250 | 251 => {
                    let length = dice.below(60);
                    let junk = dice.bytes(length).to_vec();
                    if junk.get(..10) != Some(SESSION) {
                        self.input(Input::Binary(&junk));
                    }
                }
                252 => self.input(Input::Silent),
                253 => self.pass_time(u64::from(dice.byte()) * SECOND / 8),
                _ => {
                    self.input(Input::Disconnected { reason: "cut" });
                    self.input(Input::Connected);
                }
            }
            if dice.once_in(4)
                && let Some(bytes) = late.pop()
            {
                self.input(Input::Binary(&bytes));
            }
            self.pass_time(20_000_000);
            for (from, count) in std::mem::take(&mut self.asked) {
                if !dice.once_in(3) && (1..=last).contains(&from) {
                    let answer = packet(&self.day, from, count.min(ANSWER_MAX).min(next - from));
                    self.input(Input::Binary(&answer));
                }
            }
        }
    }

    fn soup(&mut self, dice: &mut Dice) {
        let mut next = 1;
        let wrap = |kind: u8, body: &[u8]| {
            [&(body.len() as u16 + 1).to_be_bytes()[..], &[kind], body].concat()
        };
        for _ in 0..2 * MESSAGES {
            if let Some(from) = self.login.take() {
                next = if from == 0 { next } else { from as usize };
                let body = [&SESSION[..], format!("{next:>20}").as_bytes()].concat();
                self.input(Input::Binary(&wrap(b'A', &body)));
            }
            let Some(message) = self.day.messages.get(next - 1).cloned() else { break };
            next += 1;
            let bytes = wrap(b'S', &message);
            match dice.byte() {
                0..=199 => self.input(Input::Binary(&bytes)),
                200..=229 => {
                    let (one, other) = bytes.split_at(dice.below(bytes.len()));
                    self.input(Input::Binary(one));
                    self.input(Input::Binary(other));
                }
                230..=236 => {
                    let torn = &bytes[..dice.below(bytes.len())];
                    self.input(Input::Binary(torn));
                    self.cut();
                }
                237..=241 => {
                    let kind = dice.pick(b"+HUxZJ").unwrap_or(b'H');
                    self.input(Input::Binary(&wrap(kind, b"")));
                    self.input(Input::Binary(&bytes));
                }
                242..=246 => {
                    // A message that is no message: longer or shorter than its kind.
                    let mut wrong = message;
                    if dice.once_in(2) {
                        wrong.push(0);
                    } else {
                        wrong.pop();
                    }
                    self.input(Input::Binary(&wrap(b'S', &wrong)));
                }
                247..=250 => {
                    self.input(Input::Binary(&[0, 0]));
                    self.input(Input::Binary(&bytes));
                }
                _ => {
                    self.cut();
                    next -= 1;
                }
            }
            self.pass_time(20_000_000);
        }
    }

    fn cut(&mut self) {
        self.input(Input::Disconnected { reason: "cut" });
        self.input(Input::Connected);
    }

    fn file(&mut self, dice: &mut Dice) {
        let mut bytes = blocks(&self.day.messages);
        if !dice.is_empty() {
            damage::anything(&mut bytes, dice);
        }
        while !bytes.is_empty() {
            let length = bytes.len().min(1 + dice.below(2000));
            let chunk: Vec<u8> = bytes.drain(..length).collect();
            self.input(Input::Binary(&chunk));
        }
    }
}

/// Plays one day.
///
/// # Panics
/// When a wrong book was called verified, or a client would hold another one than the adapter.
pub fn play(framing: Framing, data: &[u8]) {
    let mut dice = Dice::new(data);
    let mut run = Run::new(framing, dice.byte());
    let whole = dice.is_empty();
    match framing {
        Framing::Mold => run.mold(&mut dice),
        Framing::Soup => run.soup(&mut dice),
        Framing::BinaryFile => run.file(&mut dice),
    }
    let mut out = Output::default();
    run.itch.finish(run.now, &mut out);
    run.client.input(1 << 20);
    run.took(&out);
    if whole {
        let desk = run.itch.desk();
        assert_eq!(desk.symbols().len(), STOCKS.len());
        for (_, symbol) in desk.symbols() {
            let proved = framing != Framing::BinaryFile;
            assert_eq!(symbol.state() == BookState::Verified, proved, "{}", symbol.native);
            assert!(run.day.had(&symbol.native, symbol.book()), "{}", symbol.native);
        }
    }
}

/// A day's messages in their framing.
#[must_use]
pub fn tape(framing: Framing) -> Tape {
    let day = Day::new(1);
    let soup =
        |message: &Vec<u8>| [&(message.len() as u16 + 1).to_be_bytes()[..], b"S", message].concat();
    let messages = match framing {
        Framing::BinaryFile => day.messages.chunks(3).map(blocks).collect(),
        Framing::Mold => {
            let numbers = (1..day.messages.len() as u64).step_by(3);
            numbers.map(|from| packet(&day, from, 3)).collect()
        }
        Framing::Soup => {
            let accepted = [&b"\0\x1fA"[..], SESSION, b"                   1"].concat();
            [accepted].into_iter().chain(day.messages.iter().map(soup)).collect()
        }
    };
    Tape { symbols: vec![STOCKS[0].into()], messages, answers: Vec::new() }
}
