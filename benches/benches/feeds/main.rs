//! What a venue's message costs from its bytes to the event that leaves the desk: through the very
//! adapter that the broker uses, beside the same work through serde_json.

mod typed;

use std::fmt;

use benches::fixtures::NOW;
use benches::venues::{Numbered, VARIANTS, binance, bitstamp, bybit, coinbase, kraken, okx};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use feeds::adapter::symbol::Spelling;
use feeds::adapter::{Action, Adapter, Desk, DeskOptions, Input, Output, SECOND};
use feeds::venue::Venue;
use market::Nanos;

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

/// When snapshots have come, and the messages that are measured begin.
const LATER: Nanos = NOW + 2 * SECOND;

/// Takes messages, and tells a desk.
trait Session {
    fn take(&mut self, message: &[u8], now: Nanos, out: &mut Output);
    /// Has what it asked for after the message of this number.
    fn settle(&mut self, _number: u64, _out: &mut Output) {}
    fn desk(&self) -> &Desk;
}

/// An adapter.
struct Whole {
    adapter: Box<dyn Adapter>,
    /// What the venue answers by REST.
    snapshot: Option<Numbered>,
}

impl Session for Whole {
    fn take(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        self.adapter.handle(Input::Text(message), now, out);
    }

    fn settle(&mut self, number: u64, out: &mut Output) {
        let Some(snapshot) = &mut self.snapshot else { return };
        self.adapter.handle(Input::Timer, LATER, out);
        let asked: Vec<_> = out.actions.drain(..).collect();
        for action in asked {
            if let Action::Fetch { request, .. } = action {
                let body = snapshot.with(number);
                self.adapter.handle(
                    Input::Answer { request, status: 200, retry_after: None, body },
                    LATER,
                    out,
                );
            }
        }
    }

    fn desk(&self) -> &Desk {
        self.adapter.desk()
    }
}

/// What a bench is given: whose message by whom, and what comes before those that are measured.
struct Plan {
    venue: Venue,
    symbol: &'static str,
    typed: typed::Take,
    snapshot: Option<Numbered>,
    begin: Vec<Numbered>,
    messages: Vec<Numbered>,
}

impl Plan {
    fn new(venue: Venue, symbol: &'static str, typed: typed::Take, message: Numbered) -> Self {
        let (snapshot, begin) = (None, Vec::new());
        Self { venue, symbol, typed, snapshot, begin, messages: vec![message] }
    }

    fn session(&self, by: By) -> Box<dyn Session> {
        let symbols = vec![self.symbol.into()];
        let options = DeskOptions {
            venue: "x".into(),
            symbols,
            depth: (self.venue == Venue::Kraken).then_some(kraken::DEPTH),
            ..DeskOptions::default()
        };
        match by {
            By::Us => {
                let mut adapter = self.venue.adapter(options);
                adapter.handle(Input::Connected, NOW, &mut Output::default());
                Box::new(Whole { adapter, snapshot: self.snapshot.clone() })
            }
            By::SerdeJson => Box::new(Typed::new(Desk::new(options, Spelling::Plain), self.typed)),
        }
    }
}

/// Gives a session one message after the other, and looks whether each became one event.
fn run(bencher: Bencher<'_, '_>, by: By, mut plan: Plan) {
    let mut session = plan.session(by);
    let mut out = Output::default();
    let mut number = 1;
    // The first message of all tells that the venue is up.
    plan.begin.push(plan.messages[0].clone());
    for message in &mut plan.begin {
        session.take(message.with(number), NOW, &mut out);
        session.settle(number, &mut out);
        number += 1;
    }
    out.actions.clear();
    let (first, mut events) = (number, 0);
    let mut messages = plan.messages;
    let bytes = messages.iter().map(Numbered::len).sum::<usize>() / messages.len();
    bencher.counter(BytesCount::new(bytes)).counter(ItemsCount::new(1usize)).bench_local(|| {
        out.updates.clear();
        // The first of them came just before.
        let which = (number - first + 1) as usize % messages.len();
        session.take(black_box(messages[which].with(number)), LATER, &mut out);
        number += 1;
        events += out.updates.len() as u64;
    });
    assert_eq!(events, number - first, "each message is an event");
    assert_eq!(session.desk().counts.malformed, 0);
    assert_eq!(out.actions, [], "nothing to be done");
}

fn variants(message: impl Fn(u64) -> Numbered) -> Vec<Numbered> {
    (0..VARIANTS).map(message).collect()
}

/// Levels of the books that changes are made to.
const BOOK: u64 = 1_000;

fn of_binance(typed: typed::Take, message: Numbered) -> Plan {
    Plan::new(Venue::Binance, "BTCUSDT", typed, message)
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn binance_trade(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_binance(typed::binance::trade, binance::trade()));
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn binance_agg_trade(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_binance(typed::binance::trade, binance::aggregate()));
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn binance_book_ticker(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_binance(typed::binance::book_ticker, binance::book_ticker()));
}

fn binance_depth(levels: u64) -> Plan {
    Plan {
        snapshot: Some(binance::snapshot(BOOK)),
        begin: vec![binance::depth(0, BOOK)],
        messages: variants(|variant| binance::depth(variant, levels)),
        ..of_binance(typed::binance::depth, binance::trade())
    }
}

#[divan::bench(args = BOTH, sample_size = 50)]
fn binance_depth_of_8_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, binance_depth(8));
}

#[divan::bench(args = BOTH, sample_size = 20)]
fn binance_depth_of_64_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, binance_depth(64));
}

fn of_coinbase(typed: typed::Take, message: Numbered) -> Plan {
    Plan::new(Venue::Coinbase, "BTC-USD", typed, message)
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn coinbase_trade(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_coinbase(typed::coinbase::trade, coinbase::trade()));
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn coinbase_ticker(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_coinbase(typed::coinbase::ticker, coinbase::ticker()));
}

/// Levels of a book of 5 MB.
const SNAPSHOT: u64 = 46_000;

fn coinbase_update(levels: u64) -> Plan {
    Plan {
        begin: vec![coinbase::snapshot(SNAPSHOT)],
        messages: variants(|variant| coinbase::update(variant, levels)),
        ..of_coinbase(typed::coinbase::book, coinbase::trade())
    }
}

#[divan::bench(args = BOTH, sample_size = 50)]
fn coinbase_update_of_4_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, coinbase_update(4));
}

#[divan::bench(args = BOTH, sample_size = 20)]
fn coinbase_update_of_16_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, coinbase_update(16));
}

#[divan::bench(args = BOTH, sample_size = 1, sample_count = 50)]
fn coinbase_snapshot_of_5_mb(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_coinbase(typed::coinbase::book, coinbase::snapshot(SNAPSHOT)));
}

fn of_kraken(typed: typed::Take, message: Numbered) -> Plan {
    Plan::new(Venue::Kraken, "BTC/USD", typed, message)
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn kraken_trade(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_kraken(typed::kraken::trade, kraken::trade()));
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn kraken_ticker(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_kraken(typed::kraken::ticker, kraken::ticker()));
}

/// Three levels change, the checksum is over twenty.
#[divan::bench(args = BOTH, sample_size = 50)]
fn kraken_book_with_crc(bencher: Bencher<'_, '_>, by: By) {
    let (snapshot, updates) = kraken::book();
    let plan = Plan {
        begin: vec![Numbered::new(&snapshot)],
        messages: updates.iter().map(|update| Numbered::new(update)).collect(),
        ..of_kraken(typed::kraken::book, kraken::trade())
    };
    run(bencher, by, plan);
}

/// A whole book of 25 levels a side, above 1 KB.
#[divan::bench(args = BOTH, sample_size = 50)]
fn kraken_snapshot_with_crc(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_kraken(typed::kraken::book, Numbered::new(&kraken::book().0)));
}

fn of_okx(typed: typed::Take, message: Numbered) -> Plan {
    Plan::new(Venue::Okx, "BTC-USDT", typed, message)
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn okx_trade(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_okx(typed::okx::trade, okx::trade()));
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn okx_bbo(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_okx(typed::okx::best, okx::best()));
}

fn okx_book(levels: u64) -> Plan {
    Plan {
        begin: vec![okx::snapshot(BOOK)],
        messages: variants(|variant| okx::update(variant, levels)),
        ..of_okx(typed::okx::book, okx::trade())
    }
}

#[divan::bench(args = BOTH, sample_size = 50)]
fn okx_book_of_8_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, okx_book(8));
}

#[divan::bench(args = BOTH, sample_size = 20)]
fn okx_book_of_64_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, okx_book(64));
}

fn of_bybit(typed: typed::Take, message: Numbered) -> Plan {
    Plan::new(Venue::BybitLinear, "BTCUSDT", typed, message)
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn bybit_trade(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_bybit(typed::bybit::trade, bybit::trade()));
}

/// One side of a ticker changes.
#[divan::bench(args = BOTH, sample_size = 100)]
fn bybit_ticker(bencher: Bencher<'_, '_>, by: By) {
    let begin = vec![bybit::whole_ticker()];
    run(bencher, by, Plan { begin, ..of_bybit(typed::bybit::ticker, bybit::ticker()) });
}

fn bybit_book(levels: u64) -> Plan {
    Plan {
        begin: vec![bybit::snapshot(BOOK)],
        messages: variants(|variant| bybit::update(variant, levels)),
        ..of_bybit(typed::bybit::book, bybit::trade())
    }
}

#[divan::bench(args = BOTH, sample_size = 50)]
fn bybit_book_of_8_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, bybit_book(8));
}

#[divan::bench(args = BOTH, sample_size = 20)]
fn bybit_book_of_64_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, bybit_book(64));
}

fn of_bitstamp(typed: typed::Take, message: Numbered) -> Plan {
    Plan::new(Venue::Bitstamp, "btcusd", typed, message)
}

#[divan::bench(args = BOTH, sample_size = 100)]
fn bitstamp_trade(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, of_bitstamp(typed::bitstamp::trade, bitstamp::trade()));
}

fn bitstamp_book(levels: u64) -> Plan {
    Plan {
        snapshot: Some(bitstamp::snapshot(BOOK)),
        begin: vec![bitstamp::update(0, BOOK)],
        messages: variants(|variant| bitstamp::update(variant, levels)),
        ..of_bitstamp(typed::bitstamp::book, bitstamp::trade())
    }
}

#[divan::bench(args = BOTH, sample_size = 50)]
fn bitstamp_book_of_8_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, bitstamp_book(8));
}

#[divan::bench(args = BOTH, sample_size = 20)]
fn bitstamp_book_of_64_levels(bencher: Bencher<'_, '_>, by: By) {
    run(bencher, by, bitstamp_book(64));
}
