//! What a venue's message costs from its bytes to the event that leaves the desk, beside the same
//! work through serde_json. Where there is an adapter, it is the adapter that is measured.

mod readers;
mod typed;

use std::fmt;

use benches::fixtures::NOW;
use benches::venues::{self, Numbered, VARIANTS};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use feeds::adapter::symbol::Spelling;
use feeds::adapter::{Adapter, Desk, DeskOptions, Input, Output};
use feeds::venue::Venue;
use market::Nanos;

use self::readers::Read;
use self::typed::Typed;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// Who reads.
#[derive(Debug, Clone, Copy)]
enum By {
    Us,
    SerdeJson,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Us => "ours",
            Self::SerdeJson => "serde_json",
        })
    }
}

const BOTH: [By; 2] = [By::Us, By::SerdeJson];

/// Takes messages, and tells a desk.
trait Session {
    fn take(&mut self, message: &[u8], now: Nanos, out: &mut Output);
    fn desk(&self) -> &Desk;
}

/// A whole adapter.
struct Whole(Box<dyn Adapter>);

impl Whole {
    fn new(venue: Venue, symbol: &str) -> Self {
        let mut adapter = venue.adapter(options(symbol));
        adapter.handle(Input::Connected, NOW, &mut Output::default());
        Self(adapter)
    }
}

impl Session for Whole {
    fn take(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        self.0.handle(Input::Text(message), now, out);
    }

    fn desk(&self) -> &Desk {
        self.0.desk()
    }
}

fn options(symbol: &str) -> DeskOptions {
    DeskOptions { venue: "x".into(), symbols: vec![symbol.into()], ..DeskOptions::default() }
}

fn desk(symbol: &str) -> Desk {
    Desk::new(options(symbol), Spelling::Plain)
}

/// Gives a session one message after the other, and looks whether each became one event.
fn run(
    bencher: Bencher<'_, '_>,
    mut session: Box<dyn Session>,
    mut begin: Vec<Numbered>,
    mut messages: Vec<Numbered>,
) {
    let mut out = Output::default();
    let mut number = 0;
    // The first message of all tells that the venue is up.
    begin.push(messages[0].clone());
    for message in &mut begin {
        session.take(message.with(number), NOW, &mut out);
        number += 1;
    }
    let (first, mut events) = (number, 0);
    let bytes = messages.iter().map(Numbered::len).sum::<usize>() / messages.len();
    bencher.counter(BytesCount::new(bytes)).counter(ItemsCount::new(1usize)).bench_local(|| {
        out.updates.clear();
        let which = (number - first) as usize % messages.len();
        session.take(black_box(messages[which].with(number)), NOW, &mut out);
        number += 1;
        events += out.updates.len() as u64;
    });
    assert_eq!(events, number - first, "each message is an event");
    assert_eq!(session.desk().counts.malformed, 0);
}

fn variants(message: impl Fn(u64) -> Numbered) -> Vec<Numbered> {
    (0..VARIANTS).map(message).collect()
}

fn binance(by: By, ours: readers::Take, typed: typed::Take) -> Box<dyn Session> {
    match by {
        By::Us => Box::new(Read::new(desk("BTCUSDT"), ours)),
        By::SerdeJson => Box::new(Typed::new(desk("BTCUSDT"), typed)),
    }
}

fn coinbase(by: By, typed: typed::Take) -> Box<dyn Session> {
    match by {
        By::Us => Box::new(Whole::new(Venue::Coinbase, "BTC-USD")),
        By::SerdeJson => Box::new(Typed::new(desk("BTC-USD"), typed)),
    }
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn binance_trade(bencher: Bencher<'_, '_>, by: By) {
    let session = binance(by, readers::binance_trade, typed::binance_trade);
    run(bencher, session, vec![], vec![venues::binance_trade()]);
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn binance_book_ticker(bencher: Bencher<'_, '_>, by: By) {
    let session = binance(by, readers::binance_book_ticker, typed::binance_book_ticker);
    run(bencher, session, vec![], vec![venues::binance_book_ticker()]);
}

fn binance_depth(bencher: Bencher<'_, '_>, by: By, levels: u64) {
    let session = binance(by, readers::binance_depth, typed::binance_depth);
    let messages = variants(|variant| venues::binance_depth(variant, levels));
    run(bencher, session, vec![venues::binance_depth(0, 1_000)], messages);
}

#[divan::bench(args = BOTH, sample_size = 50)]
fn binance_depth_of_8_levels(bencher: Bencher<'_, '_>, by: By) {
    binance_depth(bencher, by, 8);
}

#[divan::bench(args = BOTH, sample_size = 20)]
fn binance_depth_of_64_levels(bencher: Bencher<'_, '_>, by: By) {
    binance_depth(bencher, by, 64);
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn coinbase_trade(bencher: Bencher<'_, '_>, by: By) {
    let session = coinbase(by, typed::coinbase_trade);
    run(bencher, session, vec![], vec![venues::coinbase_trade()]);
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn coinbase_ticker(bencher: Bencher<'_, '_>, by: By) {
    let session = coinbase(by, typed::coinbase_ticker);
    run(bencher, session, vec![], vec![venues::coinbase_ticker()]);
}

/// Levels of a book of 5 MB.
const SNAPSHOT: u64 = 46_000;

fn coinbase_update(bencher: Bencher<'_, '_>, by: By, levels: u64) {
    let messages = variants(|variant| venues::coinbase_update(variant, levels));
    let begin = vec![venues::coinbase_snapshot(SNAPSHOT)];
    run(bencher, coinbase(by, typed::coinbase_book), begin, messages);
}

#[divan::bench(args = BOTH, sample_size = 50)]
fn coinbase_update_of_4_levels(bencher: Bencher<'_, '_>, by: By) {
    coinbase_update(bencher, by, 4);
}

#[divan::bench(args = BOTH, sample_size = 20)]
fn coinbase_update_of_16_levels(bencher: Bencher<'_, '_>, by: By) {
    coinbase_update(bencher, by, 16);
}

#[divan::bench(args = BOTH, sample_size = 1, sample_count = 50)]
fn coinbase_snapshot_of_5_mb(bencher: Bencher<'_, '_>, by: By) {
    let messages = vec![venues::coinbase_snapshot(SNAPSHOT)];
    run(bencher, coinbase(by, typed::coinbase_book), vec![], messages);
}

/// Three levels change, the checksum is over twenty.
#[divan::bench(args = BOTH, sample_size = 50)]
fn kraken_book_with_crc(bencher: Bencher<'_, '_>, by: By) {
    let session: Box<dyn Session> = match by {
        By::Us => Box::new(Read::new(desk("BTC/USD"), readers::kraken_book)),
        By::SerdeJson => Box::new(Typed::new(desk("BTC/USD"), typed::kraken_book)),
    };
    let (snapshot, updates) = venues::kraken_book();
    let updates = updates.iter().map(|update| Numbered::new(update)).collect();
    run(bencher, session, vec![Numbered::new(&snapshot)], updates);
}

/// A whole book of 25 levels a side, above 1 KB.
#[divan::bench(args = BOTH, sample_size = 50)]
fn kraken_snapshot_with_crc(bencher: Bencher<'_, '_>, by: By) {
    let session: Box<dyn Session> = match by {
        By::Us => Box::new(Read::new(desk("BTC/USD"), readers::kraken_book)),
        By::SerdeJson => Box::new(Typed::new(desk("BTC/USD"), typed::kraken_book)),
    };
    run(bencher, session, vec![], vec![Numbered::new(&venues::kraken_book().0)]);
}
