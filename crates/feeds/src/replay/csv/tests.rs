//! CSV files in the forms that are known by name, and others.

use proptest::prelude::*;

use super::*;
use crate::adapter::symbol::Spelling;

fn read(text: &str, mapping: &Mapping) -> (Vec<Result<Timed, String>>, Vec<String>) {
    let naming = Naming { spelling: Spelling::Separated('/'), ..Naming::plain("x") };
    let mut source = CsvSource::new(text.as_bytes(), mapping, naming).unwrap();
    let events = source.by_ref().map(|event| event.map_err(|error| error.to_string())).collect();
    (events, source.channels().iter().map(|channel| channel.topic.clone()).collect())
}

fn good(text: &str, mapping: &Mapping) -> (Vec<Timed>, Vec<String>) {
    let (events, topics) = read(text, mapping);
    (events.into_iter().map(Result::unwrap).collect(), topics)
}

fn shown(levels: &[Level]) -> String {
    let level = |level: &Level| format!("{}x{}", level.price, level.size);
    levels.iter().map(level).collect::<Vec<_>>().join(" ")
}

#[test]
fn trades_have_their_side_id_and_both_times() {
    let text = "\
exchange,symbol,timestamp,local_timestamp,id,side,price,amount
y,BTC/USD,1700000000000001,1700000000000002,a-1,sell,100.50,2
y,BTC/USD,1700000000000003,1700000000000004,a-2,buy,1e-7,1.0
y,ETH/USD,1700000000000005,1700000000000006,,unknown,5,0
";
    let (events, topics) = good(text, &Mapping::tardis_trades());
    assert_eq!(topics, ["trade.x.BTC-USD", "trade.x.ETH-USD"]);
    let trade = |index: usize| match &events[index].update.event {
        Event::Trade(trade) => trade.clone(),
        other => panic!("{other:?}"),
    };
    let first = trade(0);
    assert_eq!((first.side, &*first.trade_id), (Aggressor::Sell, "a-1"));
    assert_eq!((first.price.to_string(), first.size.to_string()), ("100.50".into(), "2".into()));
    assert_eq!(first.stamps.event, Some(1_700_000_000_000_001_000));
    assert_eq!(events[0].at, 1_700_000_000_000_002_000);
    assert_eq!((trade(1).side, trade(1).price.to_string()), (Aggressor::Buy, "0.0000001".into()));
    assert_eq!((trade(2).side, events[2].update.channel), (Aggressor::Unknown, 1));
}

#[test]
fn quotes_may_lack_a_side_and_sizes() {
    let text = "\
exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount
y,A,1000,2000,7,10.5,10.25,3
y,A,1000,2000,,,10.25,3
";
    let (events, _) = good(text, &Mapping::tardis_quotes());
    let Event::Quote(quote) = &events[1].update.event else { panic!("{events:?}") };
    assert_eq!((quote.bid.unwrap().price.to_string(), quote.ask), ("10.25".into(), None));

    let text = "EUR/USD,20240102 00:00:00.123,1.10427,1.10432\n";
    let (events, topics) = good(text, &Mapping::truefx_quotes());
    assert_eq!(topics, ["quote.x.EUR-USD"]);
    assert_eq!(events[0].at, 1_704_153_600_123_000_000);
    let Event::Quote(quote) = &events[0].update.event else { panic!("{events:?}") };
    assert_eq!(quote.ask.unwrap().price.to_string(), "1.10432");
    assert!(quote.ask.unwrap().size.is_zero());
}

#[test]
fn a_row_may_be_a_whole_book_of_any_depth() {
    let text = "\
exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,asks[1].price,asks[1].amount,bids[1].price,bids[1].amount
y,A,1000,2000,10.2,1,10.1,2,10.3,3,,
";
    let (events, topics) = good(text, &Mapping::tardis_book_snapshots());
    assert_eq!(topics, ["book.x.A"]);
    let Event::Book(diff) = &events[0].update.event else { panic!("{events:?}") };
    assert!(diff.reset && diff.stamps.flags.has(Flags::UNVERIFIED));
    assert_eq!((shown(&diff.bids), shown(&diff.asks)), ("10.1x2".into(), "10.2x1 10.3x3".into()));
}

#[test]
fn rows_of_one_message_are_one_event() {
    let text = "\
exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
y,A,1,10,true,bid,10.1,2
y,A,1,10,true,ask,10.2,1
y,A,2,10,true,ask,10.3,1
y,B,2,10,true,ask,9,1
y,A,3,20,false,ask,10.2,0
y,A,4,30,false,bid,10.1,5
";
    let (events, topics) = good(text, &Mapping::tardis_book_changes());
    assert_eq!(topics, ["book.x.A", "book.x.B"]);
    let diffs: Vec<_> = events
        .iter()
        .map(|timed| {
            let Event::Book(diff) = &timed.update.event else { panic!("{timed:?}") };
            (timed.at, timed.update.channel, diff.reset, shown(&diff.bids), shown(&diff.asks))
        })
        .collect();
    let text = str::to_owned;
    assert_eq!(
        diffs,
        [
            (10_000, 0, true, text("10.1x2"), text("10.2x1 10.3x1")),
            (10_000, 1, true, text(""), text("9x1")),
            (20_000, 0, false, text(""), text("10.2x0")),
            (30_000, 0, false, text("10.1x5"), text("")),
        ]
    );
}

#[test]
fn bad_rows_are_told_with_their_line_and_the_rest_is_read() {
    let text = "\
symbol,timestamp,local_timestamp,id,side,price,amount
A,1,2,a,buy,1,1
A,1,2,a,buy,one,1
A,1,2,a,buy,1,-1
A,x,2,a,buy,1,1
A,1
A,,,a,buy,1,1
A,1,2,a,buy,1,1
";
    let (events, _) = read(text, &Mapping::tardis_trades());
    let problems: Vec<_> = events.iter().filter_map(|event| event.as_ref().err()).collect();
    assert_eq!(events.len() - problems.len(), 2);
    for (problem, words) in problems.iter().zip([
        "line 3: \"one\" is not a decimal number",
        "line 4: the size -1 is negative",
        "line 5: \"x\" is no time",
        "line 6: there is no column 3, only 2",
        "line 7: there is no time",
    ]) {
        assert!(problem.starts_with(words), "{problem}");
    }
}

#[test]
fn a_file_without_the_columns_is_refused_with_those_it_has() {
    let naming = Naming::plain("x");
    let error = CsvSource::new(&b"a,b\n1,2\n"[..], &Mapping::tardis_trades(), naming).unwrap_err();
    assert_eq!(error.to_string(), "there is no column \"price\"; there are a, b");
    assert!(error.is_final());
}

#[test]
fn more_symbols_than_allowed_are_an_error_each() {
    let text = "symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount
A,1,1,1,2,1,1\nB,1,1,1,2,1,1\nA,1,1,1,2,1,1\n";
    let naming = Naming { symbols_max: 1, ..Naming::plain("x") };
    let source = CsvSource::new(text.as_bytes(), &Mapping::tardis_quotes(), naming).unwrap();
    let found: Vec<bool> = source.map(|event| event.is_ok()).collect();
    assert_eq!(found, [true, false, true]);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let head = b"symbol,timestamp,local_timestamp,is_snapshot,side,price,amount,id\n";
        let text = [&head[..], &bytes].concat();
        for mapping in [Mapping::tardis_trades(), Mapping::tardis_book_changes()] {
            let source = CsvSource::new(&text[..], &mapping, Naming::plain("x")).unwrap();
            source.for_each(drop);
            if let Ok(source) = CsvSource::new(&bytes[..], &mapping, Naming::plain("x")) {
                source.for_each(drop);
            }
        }
    }
}
