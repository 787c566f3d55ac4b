//! The frozen v1: its frames of four and five elements, and its requests.

use market::BookSide;

use super::*;
use crate::adapter::BookState;

const SNAPSHOT: &str = r#"[640,{"as":[["250.10","0.00050000","1700000142.100000"],["250.20","12.00000000","1700000141.5"],["251.00","1.50000000","1700000140.0"]],"bs":[["249.90","3.25000000","1700000142.000001"],["249.50","0.00000001","1700000100.0"]]},"book-10","SOL/XBT"]"#;

fn with_book() -> Bench {
    let mut bench = Bench::of(Version::V1, "SOL/XBT");
    bench.text(SNAPSHOT);
    bench
}

#[test]
fn requests_name_pairs_and_a_subscription() {
    let symbols = vec!["SOL/XBT".to_owned()];
    let mut bench = Bench::new(
        Version::V1,
        DeskOptions { symbols, depth: Some(500), ..DeskOptions::default() },
    );
    bench.input(Input::Connected);
    assert_eq!(
        bench.sent(),
        [
            r#"{"event":"subscribe","pair":["SOL/XBT"],"subscription":{"depth":500,"name":"book"}}"#,
            r#"{"event":"subscribe","pair":["SOL/XBT"],"subscription":{"name":"trade"}}"#,
            r#"{"event":"subscribe","pair":["SOL/XBT"],"subscription":{"name":"ticker"}}"#,
        ]
    );
    assert_eq!(&*bench.symbol().canonical, "SOL-BTC");
    assert_eq!(bench.adapter.rules().websocket, "wss://ws.kraken.com");
}

#[test]
fn a_snapshot_has_no_checksum_and_is_proved_by_the_next_change() {
    let mut bench = with_book();
    assert_eq!(bench.state(), BookState::Unverifiable);
    bench.text(r#"[640,{"a":[["250.10","0.00000000","1700000143.1"]]},{"b":[["250.00","0.40000000","1700000143.2"]],"c":"1380295198"},"book-10","SOL/XBT"]"#);
    assert_eq!(bench.state(), BookState::Verified);
    let best = bench.adapter.desk().best(SymbolId(0), BookSide::Bid).unwrap();
    assert_eq!(best.price.to_string(), "250.00");
    let diffs = bench.diffs();
    assert!(diffs[0].stamps.flags.has(Flags::UNVERIFIED));
    assert!(diffs[1].stamps.flags.is_empty());
    assert_eq!(diffs[1].stamps.event, Some(1_700_000_143_200_000_000));
    let counts = bench.symbol().counts;
    assert_eq!((counts.book_events, counts.snapshots, counts.checksums_ok), (2, 1, 1));
}

#[test]
fn one_side_and_levels_told_again_are_changes_too() {
    let mut bench = with_book();
    bench.text(r#"[640,{"a":[["250.10","0.00000000","1700000143.1"],["250.20","12.00000000","1700000141.5","r"]],"c":"1"},"book-10","SOL/XBT"]"#);
    assert_eq!(bench.state(), BookState::Resyncing, "the checksum was made up");
    let mut bench = with_book();
    let digits = concat!("250201200000000", "25100150000000", "24990325000000", "249501");
    let checksum = crc32fast::hash(digits.as_bytes());
    bench.text(&format!(
        r#"[640,{{"a":[["250.10","0.00000000","1700000143.1"],["250.20","12.00000000","1700000141.5","r"]],"c":"{checksum}"}},"book-10","SOL/XBT"]"#
    ));
    assert_eq!(bench.state(), BookState::Verified);
}

#[test]
fn a_wrong_checksum_asks_for_a_snapshot() {
    let mut bench = with_book();
    bench.now += 3600 * SECOND;
    bench.text(
        r#"[640,{"b":[["250.00","0.40000000","1700000143.2"]],"c":"12345"},"book-10","SOL/XBT"]"#,
    );
    assert_eq!(
        bench.sent(),
        [
            r#"{"event":"unsubscribe","pair":["SOL/XBT"],"subscription":{"depth":10,"name":"book"}}"#,
            r#"{"event":"subscribe","pair":["SOL/XBT"],"subscription":{"depth":10,"name":"book"}}"#,
        ]
    );
}

#[test]
fn trades_and_tickers_are_read() {
    let mut bench = Bench::of(Version::V1, "SOL/XBT");
    bench.text(r#"[99,[["64.25000","0.20000001","1700000100.000001","s","l",""],["64.31000","0.30000000","1700000100.000002","b","m",""]],"trade","SOL/XBT"]"#);
    let trades = bench.trades();
    assert_eq!((trades[0].side, trades[1].side), (Aggressor::Sell, Aggressor::Buy));
    assert_eq!(trades[0].price.to_string(), "64.25000");
    assert_eq!(trades[1].stamps.event, Some(1_700_000_100_000_002_000));
    bench.text(r#"[98,{"a":["64.40000",1,"1.25"],"b":["64.30000",0,"0.500"],"c":["64.30000","0.25000000"],"t":[7,9]},"ticker","SOL/XBT"]"#);
    let quotes = bench.quotes();
    let (bid, ask) = (quotes[0].bid.unwrap(), quotes[0].ask.unwrap());
    assert_eq!((bid.price.to_string(), bid.size.to_string()), ("64.30000".into(), "0.500".into()));
    assert_eq!((ask.price.to_string(), ask.size.to_string()), ("64.40000".into(), "1.25".into()));
    assert_eq!(quotes[0].stamps.event, None);
}

#[test]
fn events_of_the_connection_are_known() {
    let mut bench = Bench::of(Version::V1, "SOL/XBT");
    for known in [
        r#"{"connectionID":17000000000000000001,"event":"systemStatus","status":"online","version":"1.8.3"}"#,
        r#"{"event":"heartbeat"}"#,
        r#"{"event":"pong","reqid":42}"#,
        r#"{"channelID":993,"channelName":"trade","event":"subscriptionStatus","pair":"SOL/XBT","status":"subscribed","subscription":{"name":"trade"}}"#,
    ] {
        bench.text(known);
    }
    bench.text(r#"{"errorMessage":"Currency pair not supported","event":"subscriptionStatus","pair":"SOL/XBT","status":"error","subscription":{"name":"book"}}"#);
    let refused = (VenueState::Down, "Currency pair not supported".into());
    assert_eq!(bench.statuses()[1], refused);
    assert_eq!(
        (bench.adapter.desk().counts.unknown, bench.adapter.desk().counts.malformed),
        (0, 0)
    );
    bench.text(r#"[42,["1"],"ohlc-1","SOL/XBT"]"#);
    bench.text(r#"[43,["1","2","3","4","5"],"spread","SOL/XBT"]"#);
    assert_eq!(bench.adapter.desk().counts.unused, 2, "documented");
    for unknown in
        [r#"{"event":"openDoors"}"#, r#"[42,["1"],"weather-1","SOL/XBT"]"#, "[1,2,3]", "[]"]
    {
        bench.text(unknown);
    }
    assert_eq!(bench.adapter.desk().counts.unknown, 4);
    for unreadable in [
        r#"[640,{"b":[["1"]],"c":"1"},"book-10","SOL/XBT"]"#,
        r#"[640,{"b":[],"c":"1"},"book-11","SOL/XBT"]"#,
        r#"[640,[["1","1","1.0","x","l",""]],"trade","SOL/XBT"]"#,
        r#"[640,[["1","1","1.0"]],"trade","SOL/XBT"]"#,
        r#"[640,{"a":["1"]},"ticker","SOL/XBT"]"#,
        "[640",
    ] {
        bench.text(unreadable);
    }
    assert_eq!(bench.adapter.desk().counts.malformed, 6);
}

#[test]
fn a_recording_of_v1_is_read_as_one_of_kraken() {
    let options = DeskOptions { open: true, recorded: true, ..DeskOptions::default() };
    let mut bench = Bench::new(Version::V2, options);
    bench.input(Input::Connected);
    bench.text(r#"{"connectionID":17,"event":"systemStatus","status":"online"}"#);
    bench.text(r#"{"errorMessage":"no","event":"subscriptionStatus","status":"error"}"#);
    bench.text(r#"{"event":"heartbeat"}"#);
    bench.text(SNAPSHOT);
    assert_eq!((bench.symbol().counts.snapshots, bench.symbol().book().len()), (1, 5));
    bench.text(r#"{"channel":"heartbeat"}"#);
    bench.text(r#"{"method":"pong"}"#);
    let counts = bench.adapter.desk().counts;
    assert_eq!((counts.frames, counts.unknown, counts.malformed), (6, 0, 0));
}
