//! Kraken's adapters driven by hand: requests, each kind of message, and what must not be believed.

mod books;
mod truth;
mod v1;

use market::{Aggressor, Event, Flags, VenueState};

use super::*;
use crate::adapter::{Action, Streams};
use crate::venue::bench::NOW;

/// The adapter with what it said.
type Bench = crate::venue::bench::Bench<Kraken>;

impl Bench {
    fn new(version: Version, options: DeskOptions) -> Self {
        let options = DeskOptions { venue: "kraken".into(), ..options };
        Self::with(Kraken::new(version, options))
    }

    /// With one symbol, connected, its requests forgotten.
    fn connected(version: Version, symbol: &str) -> Self {
        let symbols = vec![symbol.to_owned()];
        let mut bench = Self::new(version, DeskOptions { symbols, ..DeskOptions::default() });
        bench.input(Input::Connected);
        bench.out = Output::default();
        bench
    }

    /// The same, and the venue has answered.
    fn of(version: Version, symbol: &str) -> Self {
        let mut bench = Self::connected(version, symbol);
        bench.adapter.subscribed(symbol, Stream::Trades, None);
        bench.adapter.subscribed(symbol, Stream::Quotes, None);
        bench
    }
}

#[test]
fn everything_wanted_is_subscribed_in_batches_and_trades_without_their_past() {
    let symbols: Vec<_> = (0..150).map(|n| format!("A{n}/USD")).collect();
    let options = DeskOptions { symbols, depth: Some(30), ..DeskOptions::default() };
    let mut bench = Bench::new(Version::V2, options);
    bench.input(Input::Connected);
    let sent = bench.sent();
    assert_eq!(sent.len(), 6);
    let parse = |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let sent: Vec<_> = sent.iter().map(parse).collect();
    for (at, channel) in [(0, "book"), (2, "trade"), (4, "ticker")] {
        let params = &sent[at]["params"];
        assert_eq!(sent[at]["method"], "subscribe");
        assert_eq!(params["channel"], channel);
        assert_eq!(params["symbol"].as_array().unwrap().len(), 100);
        assert_eq!(sent[at + 1]["params"]["symbol"][49], "A149/USD");
        assert_eq!(params["snapshot"], channel != "trade");
    }
    assert_eq!(sent[0]["params"]["depth"], 100);
    assert_eq!(sent[4]["params"]["event_trigger"], "bbo");
}

#[test]
fn depths_are_those_the_venue_has() {
    for (wanted, asked) in [(0, 10), (10, 10), (11, 25), (400, 500), (1000, 1000), (5000, 1000)] {
        assert_eq!(allowed_depth(wanted), asked);
    }
}

#[test]
fn demand_subscribes_and_unsubscribes_one_stream() {
    let symbols = vec!["BTC/USD".to_owned(), "ETH/USD".to_owned()];
    let options = DeskOptions { symbols, on_demand: true, ..DeskOptions::default() };
    let mut bench = Bench::new(Version::V2, options);
    let demand = |wanted| Input::Demand { symbol: SymbolId(1), stream: Stream::Book, wanted };
    // Before there is a connection it is only noted.
    bench.input(demand(true));
    assert!(bench.sent().is_empty());
    bench.input(Input::Connected);
    assert_eq!(
        bench.sent(),
        [
            r#"{"method":"subscribe","params":{"channel":"book","depth":10,"snapshot":true,"symbol":["ETH/USD"]}}"#
        ]
    );
    bench.input(demand(true));
    assert!(bench.sent().is_empty());
    bench.input(demand(false));
    assert_eq!(
        bench.sent(),
        [r#"{"method":"unsubscribe","params":{"channel":"book","depth":10,"symbol":["ETH/USD"]}}"#]
    );
    // What is still on its way is no reason to ask for a snapshot.
    bench.now += 100 * SECOND;
    bench.text(&books::update("ETH/USD", &[("1.00", "0.50000000")], &[], 1));
    assert!(bench.sent().is_empty());
}

#[test]
fn each_fill_of_a_frame_is_a_trade_with_the_takers_side() {
    let mut bench = Bench::of(Version::V2, "BTC/USD");
    bench.text(concat!(
        r#"{"channel":"trade","type":"update","data":["#,
        r#"{"symbol":"BTC/USD","side":"buy","price":64000.1,"qty":0.00100000,"ord_type":"limit","trade_id":41,"timestamp":"2026-09-22T10:00:00.000001Z"},"#,
        r#"{"symbol":"BTC/USD","side":"sell","price":64000.0,"qty":1e-8,"ord_type":"market","trade_id":42,"timestamp":"1970-01-01T00:00:00Z"}]}"#
    ));
    let trades = bench.trades();
    let texts: Vec<_> = trades.iter().map(|t| (t.price.to_string(), t.size.to_string())).collect();
    assert_eq!(texts[0], ("64000.1".into(), "0.00100000".into()));
    assert_eq!(texts[1], ("64000.0".into(), "0.00000001".into()));
    assert_eq!((trades[0].side, trades[1].side), (Aggressor::Buy, Aggressor::Sell));
    assert_eq!((&*trades[0].trade_id, trades[0].stamps.sequence), ("41", Some(41)));
    assert_eq!(trades[0].stamps.event, Some(1_790_071_200_000_001_000));
    assert_eq!(trades[0].stamps.received, NOW);
    assert!(trades[1].stamps.flags.has(Flags::BAD_TIMESTAMP));
    assert_eq!(trades[1].stamps.event, None);
    // The past that an unasked snapshot tells is no news.
    bench.text(r#"{"channel":"trade","type":"snapshot","data":[{"symbol":"BTC/USD"}]}"#);
    assert!(bench.trades().is_empty());
    assert_eq!(bench.symbol().counts.trades, 2);
    assert_eq!(bench.adapter.desk().counts.malformed, 0);
}

#[test]
fn a_frame_of_a_thousand_fills_allocates_nothing() {
    let mut bench = Bench::of(Version::V2, "BTC/USD");
    let fill = |id: u32| {
        format!(
            r#"{{"symbol":"BTC/USD","side":"buy","price":64000.1,"qty":0.00100000,"ord_type":"limit","trade_id":{id},"timestamp":"2026-09-22T10:00:00.000001Z"}}"#
        )
    };
    let frame = |ids: std::ops::Range<u32>| {
        let fills: Vec<_> = ids.map(fill).collect();
        format!(r#"{{"channel":"trade","type":"update","data":[{}]}}"#, fills.join(","))
    };
    bench.text(&frame(0..1000));
    bench.out.updates.clear();
    let next = frame(1000..2000);
    let counted = allocation_counter::measure(|| bench.text(&next));
    assert_eq!(counted.count_total, 0);
    assert_eq!(bench.trades().len(), 1000);
}

#[test]
fn a_fill_that_is_told_twice_is_one_trade_even_after_a_new_connection() {
    let mut bench = Bench::of(Version::V2, "BTC/USD");
    let fill = |id: u32| {
        format!(
            r#"{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"buy","price":1.5,"qty":0.1,"trade_id":{id}}}]}}"#
        )
    };
    for id in [7, 7, 9, 8, 9] {
        bench.text(&fill(id));
    }
    bench.input(Input::Disconnected { reason: "reset" });
    bench.input(Input::Connected);
    bench.text(&fill(9));
    bench.text(&fill(20));
    let trades = bench.trades();
    let ids: Vec<_> = trades.iter().map(|trade| &*trade.trade_id).collect();
    assert_eq!(ids, ["7", "9", "8", "20"]);
    // The second came before the third, and after the new connection there may be more.
    let gaps = trades.iter().map(|trade| trade.stamps.flags.has(Flags::GAP_BEFORE));
    assert_eq!(gaps.collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!((bench.symbol().counts.stale, bench.symbol().counts.gaps), (3, 1));
}

#[test]
fn the_past_that_a_recording_begins_with_is_played_once() {
    let options = DeskOptions { open: true, recorded: true, ..DeskOptions::default() };
    let mut bench = Bench::new(Version::V2, options);
    bench.input(Input::Connected);
    let told = |kind: &str, ids: &[u32]| {
        let fill = |id: &u32| {
            format!(r#"{{"symbol":"A/USD1","side":"sell","price":1.5,"qty":0.1,"trade_id":{id}}}"#)
        };
        let fills: Vec<_> = ids.iter().map(fill).collect();
        format!(r#"{{"channel":"trade","type":"{kind}","data":[{}]}}"#, fills.join(","))
    };
    bench.text(&told("snapshot", &[5, 6, 7]));
    bench.text(&told("update", &[8]));
    bench.input(Input::Connected);
    bench.text(&told("snapshot", &[7, 8, 9]));
    let trades = bench.trades();
    let ids: Vec<_> = trades.iter().map(|trade| &*trade.trade_id).collect();
    assert_eq!(ids, ["5", "6", "7", "8", "9"]);
    assert_eq!((bench.symbol().counts.stale, bench.symbol().counts.gaps), (0, 0));
}

#[test]
fn a_quote_allocates_nothing() {
    let mut bench = Bench::of(Version::V2, "BTC/USD");
    let ticker = r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":1.5,"bid_qty":2.0,"ask":1.6,"ask_qty":3.0,"last":1.5,"volume":9.0}]}"#;
    bench.text(ticker);
    bench.out.updates.clear();
    let counted = allocation_counter::measure(|| bench.text(ticker));
    assert_eq!(counted.count_total, 0);
    assert_eq!(bench.out.updates.len(), 1);
}

#[test]
fn a_ticker_is_a_quote_but_one_of_zeros_is_none() {
    let mut bench = Bench::of(Version::V2, "AAPLx/USD");
    let ticker = |bid: &str, ask: &str, time: &str| {
        format!(
            r#"{{"channel":"ticker","type":"snapshot","data":[{{"symbol":"AAPLx/USD","bid":{bid},"bid_qty":3.10,"ask":{ask},"ask_qty":0.50,"last":0,"volume":0,"timestamp":"{time}"}}]}}"#
        )
    };
    bench.text(&ticker("0", "0", "1970-01-01T00:00:00.000000Z"));
    assert!(bench.quotes().is_empty());
    bench.text(&ticker("231.40", "0.0", "2026-09-22T10:00:00.5Z"));
    bench.text(&ticker("231.40", "231.55", "2026-09-22T10:00:00.5Z"));
    let quotes = bench.quotes();
    assert!(quotes[0].ask.is_none() && quotes[0].bid.is_some());
    let (bid, ask) = (quotes[1].bid.unwrap(), quotes[1].ask.unwrap());
    assert_eq!((bid.price.to_string(), bid.size.to_string()), ("231.40".into(), "3.10".into()));
    assert_eq!((ask.price.to_string(), ask.size.to_string()), ("231.55".into(), "0.50".into()));
    assert_eq!(bench.symbol().counts.quotes, 2);
    assert_eq!(bench.adapter.desk().counts.malformed, 0);
}

#[test]
fn what_follows_what_it_is_about_may_also_stand_before_it() {
    let mut bench = Bench::of(Version::V2, "BTC/USD");
    bench.text(
        r#"{"data":[{"bid":1.5,"bid_qty":2,"ask":1.6,"ask_qty":3,"symbol":"BTC/USD"}],"type":"update","channel":"ticker"}"#,
    );
    assert_eq!(bench.quotes().len(), 1);
}

#[test]
fn a_refused_symbol_is_told_once_and_not_asked_for_again() {
    let mut bench = Bench::of(Version::V2, "BTC/XYZ");
    let refusal = r#"{"error":"Currency pair not supported BTC/XYZ","method":"subscribe","success":false,"symbol":"BTC/XYZ","time_in":"x"}"#;
    for _ in 0..3 {
        bench.text(refusal);
    }
    let (up, rest) =
        (VenueState::Up, (VenueState::Down, "Currency pair not supported BTC/XYZ".into()));
    assert_eq!(bench.statuses(), [(up, "messages come".into()), rest]);
    assert_eq!(bench.reports(), 1);
    bench.now += 10_000 * SECOND;
    bench.input(Input::Timer);
    assert_eq!(bench.sent(), [r#"{"method":"ping"}"#]);
    assert_eq!(bench.adapter.desk().counts.unknown, 0);
}

#[test]
fn what_is_subscribed_already_or_has_to_wait_is_no_refusal() {
    let mut bench = Bench::connected(Version::V2, "BTC/USD");
    for error in ["Already subscribed", "Exceeded msg rate", "EService: Rate limit"] {
        bench.text(&format!(
            r#"{{"error":"{error}","method":"subscribe","success":false,"symbol":"BTC/USD"}}"#
        ));
    }
    assert_eq!(bench.statuses(), [(VenueState::Up, "messages come".into())]);
    bench.sent();
    bench.now += 11 * SECOND;
    bench.input(Input::Timer);
    // The book was not answered by a snapshot, nor the others at all.
    let sent = bench.sent();
    assert_eq!(sent.iter().filter(|text| text.contains("subscribe")).count(), 4, "{sent:?}");
}

#[test]
fn maintenance_is_a_status_that_heartbeats_do_not_end() {
    let mut bench = Bench::of(Version::V2, "BTC/USD");
    let system = |state: &str| {
        format!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"{state}","api_version":"v2","connection_id":17000000000000000001}}]}}"#
        )
    };
    bench.text(&system("online"));
    bench.text(&system("maintenance"));
    bench.text(r#"{"channel":"heartbeat"}"#);
    let down = (VenueState::Down, "the venue says: maintenance".into());
    assert_eq!(bench.statuses(), [(VenueState::Up, "messages come".into()), down]);
    bench.text(&system("post_only"));
    assert_eq!(bench.statuses(), [(VenueState::Up, "messages come".into())]);
    assert_eq!(bench.reports(), 1);
    assert_eq!(bench.adapter.desk().counts.frames, 4);
    assert_eq!(bench.adapter.desk().counts.unknown, 0);
}

#[test]
fn silence_is_pinged_and_a_status() {
    let mut bench = Bench::of(Version::V2, "BTC/USD");
    bench.text(r#"{"channel":"heartbeat"}"#);
    bench.now += PING_AFTER;
    bench.input(Input::Timer);
    assert_eq!(bench.sent(), [r#"{"method":"ping"}"#]);
    bench.now += PING_AFTER;
    bench.input(Input::Silent);
    assert_eq!(bench.sent().len(), 1);
    bench.text(r#"{"method":"pong","req_id":1,"time_in":"x","time_out":"y"}"#);
    let states: Vec<_> = bench.statuses().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, [VenueState::Up, VenueState::Stale, VenueState::Up]);
    bench.input(Input::Disconnected { reason: "reset" });
    assert_eq!(bench.statuses(), [(VenueState::Down, "reset".into())]);
    bench.now += 100 * SECOND;
    bench.input(Input::Timer);
    assert!(bench.sent().is_empty());
}

#[test]
fn unknown_messages_are_counted_and_unreadable_ones_reported_once() {
    let mut bench = Bench::of(Version::V2, "BTC/USD");
    bench.text(r#"{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD"}]}"#);
    bench.text(r#"{"channel":"instrument","type":"snapshot","data":{"assets":[]}}"#);
    assert_eq!(bench.adapter.desk().counts.unused, 2, "documented");
    for unknown in [
        r#"{"channel":"weather","type":"update","data":[{"symbol":"BTC/USD"}]}"#,
        r#"{"channel":"book","type":"rebuild","data":[]}"#,
        r#"{"method":"add_order","success":false,"error":"no"}"#,
        "{}",
    ] {
        bench.text(unknown);
    }
    let counts = bench.adapter.desk().counts;
    assert_eq!((counts.unknown, counts.malformed), (4, 0));
    for unreadable in [
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":true}]}"#,
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":false}]}"#,
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"up"}]}"#,
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy"}]}"#,
        r#"{"channel":"trade","type":"update"}"#,
        "garbage",
    ] {
        bench.text(unreadable);
    }
    let counts = bench.adapter.desk().counts;
    assert_eq!((counts.unknown, counts.malformed), (4, 6));
    assert_eq!(bench.symbol().counts.malformed, 4);
    // One of each kind.
    assert_eq!(bench.reports(), 5);
    bench.text(r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1,"qty":1,"trade_id":7}]}"#);
    let trades = bench.trades();
    assert!(trades[0].stamps.flags.has(Flags::GAP_BEFORE), "trades before it are missing");
    assert_eq!(trades[0].stamps.event, None);
}

#[test]
fn symbols_that_were_not_asked_for_are_left_out_and_told_of() {
    let streams = Streams { quotes: false, ..Streams::ALL };
    let symbols = vec!["BTC/USD".to_owned()];
    let options = DeskOptions { symbols, streams, ..DeskOptions::default() };
    let mut bench = Bench::new(Version::V2, options);
    bench.input(Input::Connected);
    assert_eq!(bench.sent().len(), 2);
    bench.text(r#"{"channel":"trade","type":"update","data":[{"symbol":"ETH/USD","side":"buy","price":1,"qty":1,"trade_id":7}]}"#);
    assert!(bench.trades().is_empty());
    assert_eq!(bench.adapter.desk().counts.symbols_refused, 1);
    bench.statuses();
    bench.text(r#"{"channel":"heartbeat"}"#);
    let reason = "messages of symbols that were not asked for are left out (1 so far)";
    assert_eq!(bench.statuses(), [(VenueState::Up, reason.into())]);
    assert_eq!(bench.reports(), 1);
}
