//! Nasdaq ITCH: messages a second through the order book, through the adapter around it, and from a
//! captured packet to an event.
//!
//! The day is made up from one seed: 8,000 stocks, of which the busiest hundred have a third of
//! the orders; orders added and deleted in nearly equal numbers with few executions between; seven
//! of eight deletions of young orders; half of the prices within twelve ticks of the best. What is
//! not called `when_full` begins with an empty book, so its growth is part of it.

use std::collections::VecDeque;
use std::ops::Range;

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher, black_box};
use feeds::adapter::{Adapter as _, DeskOptions, Input, Output};
use feeds::venue::itch::message::{Message, decode};
use feeds::venue::itch::{Framing, Itch, ItchOptions, Order, OrderBook, Recording, mold};
use market::BookSide;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: AllocProfiler<MiMalloc> = AllocProfiler::new(MiMalloc);

fn main() {
    divan::main();
}

/// How many orders are live, after as many messages as it takes to get there.
const LIVE: [usize; 3] = if QUICK { [100, 1_000, 10_000] } else { [10_000, 100_000, 1_000_000] };

/// Messages after that.
const CHURN: usize = if QUICK { 10_000 } else { 1_000_000 };

/// As a test, this has only to run.
const QUICK: bool = cfg!(debug_assertions);

const STOCKS: u64 = 8_000;

/// A deletion is of one of so many of the youngest orders, seven times out of eight.
const YOUNG: u64 = 1_000;

/// Numbers from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Below `bound`, and the further below the more `factors` from 0 to 1 are multiplied: of 4,
    /// a third are in the lowest eightieth.
    fn skewed(&mut self, factors: u32, bound: u64) -> u64 {
        (0..factors).fold(bound << 20, |product, _| (product * self.below(1 << 20)) >> 20) >> 20
    }
}

struct Day {
    /// As in a file.
    bytes: Vec<u8>,
    /// Where each message begins, its length not counted.
    at: Vec<u32>,
    /// How many messages it takes until so many orders are live as were asked for.
    full_at: usize,
    chance: Chance,
    /// Number, stock and shares of those that are live, the youngest last.
    orders: VecDeque<(u64, u16, u32)>,
    next: u64,
}

impl Day {
    fn new(live: usize) -> Self {
        let (bytes, at, orders) = (Vec::new(), Vec::new(), VecDeque::new());
        let mut day = Self { bytes, at, full_at: 0, chance: Chance(7), orders, next: 1 };
        day.write(b'S', 0, &[b"O"]);
        for locate in 1..=STOCKS as u16 {
            let stock = format!("S{locate:<7}");
            day.write(b'R', locate, &[stock.as_bytes(), &[b' '; 20]]);
        }
        while day.orders.len() < live {
            if day.chance.below(3) > 0 { day.add() } else { day.change() }
        }
        day.full_at = day.at.len();
        for message in 0..CHURN {
            if message % 2 == 0 { day.add() } else { day.change() }
        }
        day
    }

    fn write(&mut self, kind: u8, locate: u16, rest: &[&[u8]]) {
        let length = 11 + rest.iter().map(|part| part.len()).sum::<usize>();
        self.bytes.extend((length as u16).to_be_bytes());
        self.at.push(self.bytes.len() as u32);
        let time = 34_200_000_000_000 + self.at.len() as u64 * 1_000;
        self.bytes.push(kind);
        self.bytes.extend(locate.to_be_bytes());
        self.bytes.extend([0, 0]);
        self.bytes.extend(&time.to_be_bytes()[2..]);
        rest.iter().for_each(|part| self.bytes.extend_from_slice(part));
    }

    fn price(&mut self, locate: u16, bid: bool) -> [u8; 4] {
        let away = self.chance.skewed(2, 60) as u32 * 100;
        let middle = 500_000 + u32::from(locate) * 100;
        let price = if bid { middle - 100 - away } else { middle + away };
        price.to_be_bytes()
    }

    fn add(&mut self) {
        let locate = 1 + self.chance.skewed(4, STOCKS) as u16;
        let bid = locate % 2 == self.next as u16 % 2;
        let (price, order) = (self.price(locate, bid), self.next);
        self.next += 1 + self.chance.below(3);
        self.orders.push_back((order, locate, 100));
        let (side, stock) = (if bid { b"B" } else { b"S" }, format!("S{locate:<7}"));
        let shares = 100u32.to_be_bytes();
        self.write(b'A', locate, &[&order.to_be_bytes(), side, &shares, stock.as_bytes(), &price]);
    }

    /// Of a hundred: 84 deletions, 8 replacements, 5 executions, 3 cancellations.
    fn change(&mut self) {
        let live = self.orders.len() as u64;
        if live == 0 {
            return self.add();
        }
        let old = if self.chance.below(8) > 0 {
            live - 1 - self.chance.below(YOUNG.min(live))
        } else {
            self.chance.below(live)
        };
        let Some((order, locate, shares)) = self.orders.swap_remove_back(old as usize) else {
            return;
        };
        let reference = order.to_be_bytes();
        match self.chance.below(100) {
            0..84 => self.write(b'D', locate, &[&reference]),
            84..92 => {
                let bid = locate % 2 == order as u16 % 2;
                // Keeps to its side, which its number tells.
                self.next += (self.next ^ order) & 1;
                let (price, new) = (self.price(locate, bid), self.next);
                self.next += 1;
                self.orders.push_back((new, locate, 100));
                let shares = 100u32.to_be_bytes();
                self.write(b'U', locate, &[&reference, &new.to_be_bytes(), &shares, &price]);
            }
            92..97 => {
                let (shares, matched) = (shares.to_be_bytes(), 1_000_000_000u64.to_be_bytes());
                self.write(b'E', locate, &[&reference, &shares, &matched]);
            }
            _ => {
                if shares > 1 {
                    self.orders.push_back((order, locate, shares - 1));
                }
                let shares = 1u32.to_be_bytes();
                self.write(b'X', locate, &[&reference, &shares]);
            }
        }
    }

    fn messages(&self, numbers: Range<usize>) -> impl Iterator<Item = &[u8]> {
        self.at[numbers].iter().map(|&at| {
            let at = at as usize;
            let length = u16::from_be_bytes([self.bytes[at - 2], self.bytes[at - 1]]);
            &self.bytes[at..at + usize::from(length)]
        })
    }

    /// Packets of twenty messages.
    fn packets(&self, numbers: Range<usize>) -> Vec<Vec<u8>> {
        let first = numbers.start as u64 + 1;
        let messages: Vec<&[u8]> = self.messages(numbers).collect();
        let packets = messages.chunks(20).enumerate().map(|(at, messages)| {
            let sequence = first + at as u64 * 20;
            let mut packet = mold::request(*b"  DAY-0001", sequence, messages.len() as u16);
            for message in messages {
                packet.extend((message.len() as u16).to_be_bytes());
                packet.extend_from_slice(message);
            }
            packet
        });
        packets.collect()
    }
}

fn read<'a>(messages: impl Iterator<Item = &'a [u8]>, book: &mut OrderBook) {
    let mut misfits = 0u64;
    for message in messages {
        let Ok((header, message)) = decode(message) else { panic!("a message of our own") };
        let locate = header.locate;
        let fits = match message {
            Message::Add { reference, side, shares, price, .. } => {
                book.add(reference, Order { price, shares, locate, side }).is_ok()
            }
            Message::Executed { reference, shares, .. } | Message::Cancel { reference, shares } => {
                book.reduce(locate, reference, shares).is_ok()
            }
            Message::Delete { reference } => book.remove(locate, reference).is_ok(),
            Message::Replace { old, new, shares, price } => {
                book.replace(locate, old, new, shares, price).is_ok()
            }
            _ => true,
        };
        misfits += u64::from(!fits);
    }
    assert_eq!(misfits, 0, "the day is valid");
}

/// Messages decoded and their orders and levels kept.
#[divan::bench(args = LIVE, sample_size = 1, sample_count = 10)]
fn decode_and_order_book(bencher: Bencher<'_, '_>, live: usize) {
    let day = Day::new(live);
    bencher
        .counter(ItemsCount::new(day.at.len()))
        .counter(BytesCount::new(day.bytes.len()))
        .bench_local(|| {
            let mut book = OrderBook::default();
            read(black_box(&day).messages(0..day.at.len()), &mut book);
            book
        });
}

/// The same once so many orders are live.
#[divan::bench(args = LIVE, sample_size = 1, sample_count = 10)]
fn decode_and_order_book_when_full(bencher: Bencher<'_, '_>, live: usize) {
    let day = Day::new(live);
    let bytes = day.bytes.len() - day.at[day.full_at] as usize;
    bencher
        .counter(ItemsCount::new(day.at.len() - day.full_at))
        .counter(BytesCount::new(bytes))
        .with_inputs(|| {
            let mut book = OrderBook::default();
            read(day.messages(0..day.full_at), &mut book);
            book
        })
        .bench_local_refs(|book| read(black_box(&day).messages(day.full_at..day.at.len()), book));
}

fn adapter(framing: Framing, on_demand: bool) -> Itch {
    let desk =
        DeskOptions { venue: "nasdaq".into(), open: true, on_demand, ..DeskOptions::default() };
    Itch::new(ItchOptions::new(framing, desk))
}

/// How many bytes a file is read by.
const CHUNK: usize = 64 << 10;

/// The adapter of a file, nobody wanting anything: what every symbol costs that has no subscriber.
#[divan::bench(args = LIVE, sample_size = 1, sample_count = 5)]
fn adapter_without_subscribers(bencher: Bencher<'_, '_>, live: usize) {
    let day = Day::new(live);
    bencher
        .counter(ItemsCount::new(day.at.len()))
        .counter(BytesCount::new(day.bytes.len()))
        .bench_local(|| run(adapter(Framing::BinaryFile, true), day.bytes.chunks(CHUNK)));
}

/// The same out of packets, with their numbers looked at.
#[divan::bench(args = LIVE, sample_size = 1, sample_count = 5)]
fn adapter_of_packets_without_subscribers(bencher: Bencher<'_, '_>, live: usize) {
    let day = Day::new(live);
    let packets = day.packets(0..day.at.len());
    bencher
        .counter(ItemsCount::new(day.at.len()))
        .counter(BytesCount::new(day.bytes.len()))
        .bench_local(|| {
            run(adapter(Framing::Mold, true), packets.iter().map(|packet| &packet[..]))
        });
}

/// The adapter with every book and every execution of every stock published.
#[divan::bench(args = LIVE, sample_size = 1, sample_count = 5)]
fn adapter_with_all_events(bencher: Bencher<'_, '_>, live: usize) {
    let day = Day::new(live);
    bencher
        .counter(ItemsCount::new(day.at.len()))
        .counter(BytesCount::new(day.bytes.len()))
        .bench_local(|| run(adapter(Framing::BinaryFile, false), day.bytes.chunks(CHUNK)));
}

/// From packets to events, once so many orders are live.
fn when_full(bencher: Bencher<'_, '_>, live: usize, on_demand: bool) {
    let day = Day::new(live);
    let (before, after) = (day.packets(0..day.full_at), day.packets(day.full_at..day.at.len()));
    let bytes = after.iter().map(Vec::len).sum::<usize>();
    bencher
        .counter(ItemsCount::new(day.at.len() - day.full_at))
        .counter(BytesCount::new(bytes))
        .with_inputs(|| {
            let mut itch = adapter(Framing::Mold, on_demand);
            feed(&mut itch, before.iter().map(|packet| &packet[..]));
            itch
        })
        .bench_local_refs(|itch| feed(itch, black_box(&after).iter().map(|packet| &packet[..])));
}

/// The adapter of packets, of which every symbol's book is kept, and nobody wants an event.
#[divan::bench(args = LIVE, sample_size = 1, sample_count = 5)]
fn packets_when_full_without_subscribers(bencher: Bencher<'_, '_>, live: usize) {
    when_full(bencher, live, true);
}

/// The same with an event for every change of every book, and for every execution.
#[divan::bench(args = LIVE, sample_size = 1, sample_count = 5)]
fn packets_when_full_with_all_events(bencher: Bencher<'_, '_>, live: usize) {
    when_full(bencher, live, false);
}

/// A captured day from its first byte on, as `tickwire inspect` reads it: Ethernet, IP, UDP,
/// MoldUDP64, messages, books, events.
#[divan::bench(args = LIVE, sample_size = 1, sample_count = 5)]
fn capture_with_all_events(bencher: Bencher<'_, '_>, live: usize) {
    let day = Day::new(live);
    let capture = capture(&day.packets(0..day.at.len()));
    let desk = DeskOptions { venue: "nasdaq".into(), open: true, ..DeskOptions::default() };
    let options = ItchOptions::new(Framing::Mold, desk);
    bencher
        .counter(ItemsCount::new(day.at.len()))
        .counter(BytesCount::new(capture.len()))
        .bench_local(|| {
            let mut recording = Recording::new(options.clone());
            let mut events = 0;
            for chunk in capture.chunks(CHUNK) {
                let each = |_: &Itch, out: &mut Output| {
                    events += out.updates.len();
                    out.updates.clear();
                };
                recording.push(chunk, each).expect("a capture of our own");
            }
            assert_eq!(recording.foreign(), 0);
            assert!(events >= day.at.len() / 2, "{events} events");
            events
        });
}

/// A capture with these UDP payloads, a microsecond apart.
fn capture(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = [&[0xa1, 0xb2, 0x3c, 0x4d][..], &[0; 16], &[0, 0, 0, 1]].concat();
    for (at, payload) in (0u32..).zip(payloads) {
        let udp = (8 + payload.len() as u16).to_be_bytes();
        let ip = (28 + payload.len() as u16).to_be_bytes();
        let length = 42 + payload.len() as u32;
        for word in [1_700_000_000, at * 1_000, length, length] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend([0; 12]);
        bytes.extend([8, 0, 0x45, 0, ip[0], ip[1], 0, 0, 0, 0, 0, 17]);
        bytes.extend([0; 10 + 4]);
        bytes.extend([udp[0], udp[1], 0, 0]);
        bytes.extend_from_slice(payload);
    }
    bytes
}

fn run<'a>(mut itch: Itch, inputs: impl Iterator<Item = &'a [u8]>) -> usize {
    let events = feed(&mut itch, inputs);
    let best = itch.orders().levels(1, BookSide::Bid).next();
    events + usize::from(best.is_some())
}

fn feed<'a>(itch: &mut Itch, inputs: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut out = Output::default();
    let mut events = 0;
    for input in inputs {
        itch.handle(Input::Binary(input), 1_700_000_000_000_000_000, &mut out);
        events += out.updates.len();
        out.updates.clear();
    }
    let counts = itch.desk().counts;
    assert_eq!((counts.malformed, counts.unknown, counts.symbols_refused), (0, 0, 0));
    events
}
