//! Real CSV and Databento files, read whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use feeds::adapter::DeskOptions;
use feeds::adapter::SymbolCounts;
use feeds::adapter::symbol::Spelling;
use feeds::replay::{
    Cell, CsvSource, DbnSource, Mapping, Naming, SessionSource, Shape, Source, TimeColumn,
    TimeFormat, Timed,
};
use feeds::venue::Venue;
use feeds::zstandard::plain;
use market::{Aggressor, Book, BookSide, Decimal, Event, Flags, Level, QuoteSide};

fn open(path: &Path) -> impl std::io::Read + use<> {
    plain(BufReader::new(File::open(path).unwrap()))
}

/// Everything in a source, and how many events each topic has.
fn all(source: &mut impl Source) -> (Vec<Timed>, BTreeMap<String, usize>) {
    let events: Vec<Timed> = source.map(Result::unwrap).collect();
    let mut topics = BTreeMap::new();
    for event in &events {
        let channel = &source.channels()[event.update.channel];
        assert_eq!(channel.kind, event.update.event.kind());
        *topics.entry(channel.topic.clone()).or_default() += 1;
    }
    assert!(events.is_sorted_by_key(|event| event.at), "times go back");
    (events, topics)
}

fn csv(
    path: &Path,
    mapping: &Mapping,
    spelling: Spelling,
) -> (Vec<Timed>, BTreeMap<String, usize>) {
    let naming = Naming { spelling, ..Naming::plain("v") };
    all(&mut CsvSource::new(open(path), mapping, naming).unwrap())
}

fn topics(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
}

/// Applies all books, each of which must be right; gives the last one's best prices.
fn books(events: &[Timed]) -> (String, String) {
    let mut books: BTreeMap<usize, Book> = BTreeMap::new();
    let mut last = 0;
    for timed in events {
        if let Event::Book(diff) = &timed.update.event {
            let book = books.entry(timed.update.channel).or_default();
            book.apply(&mut diff.clone(), 100_000).unwrap();
            assert!(!book.is_crossed(), "{timed:?}");
            last = timed.update.channel;
        }
    }
    let best =
        |side| books[&last].best(side).map_or("-".to_owned(), |level| level.price.to_string());
    (best(BookSide::Bid), best(BookSide::Ask))
}

#[test]
fn csv_files_of_tardis() {
    let Some(folder) = common::recordings() else { return };
    let folder = folder.join("replay");
    let file = folder.join("tardis_bitmex_trades_XBTUSD.csv");
    let (events, found) = csv(&file, &Mapping::tardis_trades(), Spelling::Plain);
    assert_eq!(found, topics(&[("trade.v.XBTUSD", 10)]));
    let Event::Trade(trade) = &events[0].update.event else { panic!("{:?}", events[0]) };
    assert_eq!((trade.price.to_string(), trade.side), ("8531.5".to_owned(), Aggressor::Sell));
    assert_eq!(events[0].at, 1_583_020_803_307_160_000);

    let file = folder.join("tardis_huobi-dm-swap_quotes_BTC-USD.csv");
    let (events, found) = csv(&file, &Mapping::tardis_quotes(), Spelling::Separated('-'));
    assert_eq!(found, topics(&[("quote.v.BTC-USD", 10)]));
    let Event::Quote(quote) = &events[0].update.event else { panic!("{:?}", events[0]) };
    assert_eq!(quote.bid.unwrap().size.to_string(), "806");

    let file = folder.join("tardis_binance-futures_book_snapshot_5_BTCUSDT.csv");
    let mapping = Mapping::tardis_book_snapshots();
    let (events, found) = csv(&file, &mapping, Spelling::Joined(&["USDT"]));
    assert_eq!(found, topics(&[("book.v.BTC-USDT", 10)]));
    let Event::Book(diff) = &events[0].update.event else { panic!("{:?}", events[0]) };
    assert_eq!((diff.bids.len(), diff.asks.len()), (5, 5));
    books(&events);
}

#[test]
fn csv_files_of_another_form_by_a_mapping() {
    let Some(folder) = common::recordings() else { return };
    let folder = folder.join("replay");
    let mapping = Mapping {
        shape: Shape::Levels {
            side: "side".into(),
            price: "price".into(),
            size: "qty".into(),
            snapshot: Some(("update_type".into(), "snap".into())),
            message: "last_update_id".into(),
        },
        symbol: Cell::Column("symbol".into()),
        event_time: Some(TimeColumn { column: "timestamp".into(), format: TimeFormat::Millis }),
        received_time: None,
        sequence: Some("last_update_id".into()),
        header: None,
        delimiter: b',',
    };
    let (events, found) =
        csv(&folder.join("binance_btcusdt-depth-snap.csv"), &mapping, Spelling::Plain);
    assert_eq!(found, topics(&[("book.v.BTCUSDT", 1)]));
    let Event::Book(diff) = &events[0].update.event else { panic!("{:?}", events[0]) };
    assert_eq!((diff.reset, diff.bids.len() + diff.asks.len()), (true, 100));
    assert_eq!(diff.stamps.sequence, Some(2_098_021_528_332));

    let (events, _) =
        csv(&folder.join("binance_btcusdt-depth-update.csv"), &mapping, Spelling::Plain);
    let levels = |timed: &Timed| match &timed.update.event {
        Event::Book(diff) => diff.bids.len() + diff.asks.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(events.iter().map(levels).sum::<usize>(), 100);
}

#[test]
fn files_of_databento() {
    let Some(folder) = common::recordings() else { return };
    let folder = folder.join("replay");
    let read = |name: &str| {
        let mut source = DbnSource::new(open(&folder.join(name)), Naming::plain("v")).unwrap();
        let (events, topics) = all(&mut source);
        assert_eq!(source.skipped(), 0);
        (events, topics)
    };
    let best = |bid: &str, ask: &str| (bid.to_owned(), ask.to_owned());

    // 8,725 orders of a snapshot, which the file has without the beginning of its session.
    let (events, found) = read("databento_esh4-glbx-mdp3-20231224.mbo.dbn.zst");
    assert_eq!(found, topics(&[("book.v.ESH4", 1)]));
    assert_eq!(books(&events), best("4799.00", "4799.50"));
    let Event::Book(diff) = &events[0].update.event else { panic!("{:?}", events[0]) };
    assert!(diff.reset && diff.stamps.flags.has(Flags::UNVERIFIED));
    assert_eq!((diff.bids.len(), diff.asks.len()), (892, 559));
    let sum = |levels: &[Level]| {
        let sum = levels.iter().try_fold(Decimal::ZERO, |sum, level| sum.checked_add(level.size));
        sum.unwrap().to_string()
    };
    assert_eq!((sum(&diff.bids), sum(&diff.asks)), ("19424".into(), "18880".into()));

    let (events, found) = read("databento_futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst");
    assert_eq!(found, topics(&[("quote.v.ESU4", 2_168), ("trade.v.ESU4", 120)]));
    let Event::Quote(quote) = &events[2_287].update.event else { panic!("{:?}", events[2_287]) };
    let side = |side: Option<QuoteSide>| side.map(|s| (s.price.to_string(), s.size.to_string()));
    assert_eq!(side(quote.bid), Some(("5529".into(), "24".into())));
    assert_eq!(side(quote.ask), Some(("5529.25".into(), "6".into())));

    let (events, found) =
        read("databento_futures_ohlcv-1m_2024-07-01T23-40_2024-07-02T00-10.dbn.zst");
    assert_eq!(found, topics(&[("bar-1m.v.ESU4", 30), ("bar-1m.v.NQU4", 30)]));
    assert!(events.iter().all(|timed| match &timed.update.event {
        Event::Bar(bar) => bar.start + 60_000_000_000 == timed.at && bar.low <= bar.high,
        _ => false,
    }));

    let (events, found) = read("dbn_test_data.mbp-10.v3.dbn.zst");
    assert_eq!(found, topics(&[("book.v.ESH1", 2)]));
    assert_eq!(books(&events), best("3720.25", "3720.50"));
}

#[test]
fn a_session_of_a_venue_gives_what_its_adapter_gives() {
    let Some(folder) = common::recordings() else { return };
    let file =
        folder.join("binance_spot/session_2024-08-08_btcusdt_depth_bookTicker_trade.jsonl.zst");
    let session = BufReader::new(open(&file));
    let options = DeskOptions { venue: "v".into(), open: true, ..DeskOptions::default() };
    let (events, topics) = all(&mut SessionSource::new(session, 64 << 20, Venue::Binance, options));
    let player = common::play(Venue::Binance, &file);
    let desks: Vec<_> = player.adapters().map(|(_, adapter)| adapter.desk()).collect();
    let count = |count: fn(&SymbolCounts) -> u64| -> u64 {
        desks.iter().flat_map(|desk| desk.symbols()).map(|(_, symbol)| count(&symbol.counts)).sum()
    };
    assert_eq!(topics["trade.v.BTC-USDT"] as u64, count(|counts| counts.trades));
    assert_eq!(topics["quote.v.BTC-USDT"] as u64, count(|counts| counts.quotes));
    // The snapshot, and all but two events that are older.
    assert_eq!(topics["book.v.BTC-USDT"], 1 + 1084 - 2);
    assert_eq!(books(&events), ("61759.56000000".to_owned(), "61759.57000000".to_owned()));
}
