//! OKX's adapter driven by hand: requests, each kind of message, and what must not be believed.

mod truth;

use market::{Aggressor, BookSide, Event, Flags, VenueState};

use super::*;
use crate::adapter::Action;

/// The adapter with what it said.
type Bench = crate::venue::bench::Bench<Okx>;

impl Bench {
    fn new(options: DeskOptions) -> Self {
        let options = DeskOptions { venue: "okx".into(), ..options };
        Self::with(Okx::new(options))
    }

    /// With one symbol, connected, its requests forgotten, and all but the book answered.
    fn of(symbol: &str) -> Self {
        let symbols = vec![symbol.to_owned()];
        let mut bench = Self::new(DeskOptions { symbols, ..DeskOptions::default() });
        bench.input(Input::Connected);
        for channel in ["trades", "bbo-tbt"] {
            bench.text(&format!(
                r#"{{"event":"subscribe","arg":{{"channel":"{channel}","instId":"{symbol}"}},"connId":"c0ffee01"}}"#
            ));
        }
        bench.out = Output::default();
        bench
    }
}

type Levels<'a> = &'a [(&'a str, &'a str)];

/// A message of a book; `rest` is what stands behind its levels.
fn book(action: &str, bids: Levels<'_>, asks: Levels<'_>, rest: &str) -> String {
    let side = |levels: Levels<'_>| {
        let level = |(price, size): &(&str, &str)| format!(r#"["{price}","{size}","0","1"]"#);
        levels.iter().map(level).collect::<Vec<_>>().join(",")
    };
    format!(
        r#"{{"arg":{{"channel":"books","instId":"A-USDT"}},"action":"{action}","data":[{{"asks":[{}],"bids":[{}],"ts":"1790071200001"{rest}}}]}}"#,
        side(asks),
        side(bids)
    )
}

fn chain(sequence: i64, previous: i64) -> String {
    format!(r#","checksum":0,"seqId":{sequence},"prevSeqId":{previous}"#)
}

const BIDS: Levels<'_> = &[("99.5", "2"), ("99", "0.10"), ("98.75", "7")];
const ASKS: Levels<'_> = &[("100", "1.5")];

/// With a chained book, and long after its subscription.
fn with_book() -> Bench {
    let mut bench = Bench::of("A-USDT");
    bench.text(&book("snapshot", BIDS, ASKS, &chain(70, -1)));
    bench.now += 3600 * SECOND;
    bench
}

fn resubscribed(sent: &[String]) -> bool {
    sent == [
        r#"{"args":[{"channel":"books","instId":"A-USDT"}],"op":"unsubscribe"}"#,
        r#"{"args":[{"channel":"books","instId":"A-USDT"}],"op":"subscribe"}"#,
    ]
}

#[test]
fn everything_wanted_is_subscribed_in_few_requests() {
    let symbols: Vec<_> = (0..200).map(|n| format!("A{n}-USDT")).collect();
    let mut bench = Bench::new(DeskOptions { symbols, ..DeskOptions::default() });
    bench.input(Input::Connected);
    let sent = bench.sent();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|text| text.len() < 64 << 10));
    assert_eq!(sent.concat().matches("bbo-tbt").count(), 200);
    let demand = Input::Demand { symbol: SymbolId(7), stream: Stream::Trades, wanted: false };
    bench.input(demand);
    assert_eq!(
        bench.sent(),
        [r#"{"args":[{"channel":"trades","instId":"A7-USDT"}],"op":"unsubscribe"}"#]
    );
}

#[test]
fn a_chain_of_changes_is_verified_whatever_its_numbers_are() {
    let mut bench = with_book();
    bench.text(&book("update", &[("99.5", "0")], &[], &chain(93, 70)));
    // Maintenance: the numbers begin anew.
    bench.text(&book("update", &[("99", "3")], &[], &chain(5, 93)));
    bench.text(&book("update", &[], &[("100", "9")], &chain(6, 5)));
    assert_eq!(bench.state(), BookState::Verified);
    let best = bench.adapter.desk().best(SymbolId(0), BookSide::Bid).unwrap();
    assert_eq!(format!("{} {}", best.price, best.size), "99.00 3");
    let counts = bench.symbol().counts;
    assert_eq!((counts.book_events, counts.gaps, counts.stale), (4, 0, 0));
    let events = bench.events();
    let Event::Book(diff) = events.last().unwrap() else { panic!("{events:?}") };
    assert_eq!(diff.stamps.sequence, Some(6));
    assert_eq!(diff.stamps.event, Some(1_790_071_200_001_000_000));
    assert!(bench.sent().is_empty());
}

#[test]
fn a_keepalive_changes_nothing() {
    let mut bench = with_book();
    bench.events();
    bench.text(&book("update", &[], &[], &chain(70, 70)));
    bench.text(&book("update", &[], &[], &chain(70, 70)));
    assert!(bench.events().is_empty());
    bench.text(&book("update", &[], &[("100", "9")], &chain(71, 70)));
    assert_eq!(bench.state(), BookState::Verified);
    assert_eq!(bench.symbol().counts.book_events, 4);
    assert_eq!(bench.symbol().counts.stale, 0);
}

#[test]
fn a_message_that_comes_twice_is_used_once() {
    let mut bench = with_book();
    let change = book("update", &[], &[("100", "9")], &chain(71, 70));
    bench.text(&change);
    bench.text(&change);
    assert_eq!((bench.state(), bench.symbol().counts.stale), (BookState::Verified, 1));
    assert!(bench.sent().is_empty());
}

#[test]
fn a_gap_ends_trust_until_a_fresh_snapshot() {
    let mut bench = with_book();
    bench.text(&book("update", &[], &[("100", "9")], &chain(71, 70)));
    bench.events();
    bench.text(&book("update", &[], &[("100", "9")], &chain(93, 80)));
    assert_eq!(bench.state(), BookState::Resyncing);
    assert_eq!(bench.statuses(), [(VenueState::Resync, "gap in the venue's sequence".into())]);
    assert!(resubscribed(&bench.sent()));
    // What is still on its way.
    bench.text(&book("update", &[], &[("100", "8")], &chain(94, 93)));
    assert!(bench.events().is_empty() && bench.sent().is_empty());
    bench.text(&book("snapshot", BIDS, ASKS, &chain(200, -1)));
    bench.text(&book("update", &[], &[("100", "8")], &chain(201, 200)));
    assert_eq!(bench.state(), BookState::Verified);
    let events = bench.events();
    let Event::Book(diff) = &events[0] else { panic!("{events:?}") };
    assert!(diff.reset && diff.stamps.flags.has(Flags::GAP_BEFORE));
    assert_eq!(bench.symbol().counts.gaps, 1);
}

#[test]
fn a_chained_book_needs_every_link() {
    for rest in [r#","checksum":0"#, r#","seqId":71"#, r#","seqId":"x","prevSeqId":70"#] {
        let mut bench = with_book();
        bench.text(&book("update", &[], &[("100", "9")], rest));
        assert_eq!(bench.state(), BookState::Resyncing, "{rest}");
        assert_eq!(bench.adapter.desk().counts.malformed, 1);
        assert!(resubscribed(&bench.sent()), "{rest}");
    }
}

#[test]
fn the_old_checksum_is_of_25_levels_as_the_venue_writes_them() {
    // By another program, over "99.5:2:100:1.5:99:0.10:98.75:7", which is negative as 32 bits in
    // the second case: "99.5:2:100:1.5:98.75:7:101.25:3" is not.
    let mut bench = Bench::of("A-USDT");
    bench.text(&book("snapshot", BIDS, ASKS, r#","checksum":1828217047"#));
    assert_eq!(bench.state(), BookState::Verified);
    let change = book("update", &[("99", "0")], &[("101.25", "3")], r#","checksum":783784738"#);
    bench.text(&change);
    assert_eq!((bench.state(), bench.symbol().counts.checksums_ok), (BookState::Verified, 2));
    bench.now += 3600 * SECOND;
    bench.text(&book("update", &[], &[("101.25", "4")], r#","checksum":-1"#));
    assert_eq!((bench.state(), bench.symbol().counts.checksums_bad), (BookState::Resyncing, 1));
    assert!(resubscribed(&bench.sent()));
}

#[test]
fn a_book_with_neither_chain_nor_checksum_is_unverifiable() {
    let mut bench = Bench::of("A-USDT");
    bench.text(&book("snapshot", BIDS, ASKS, r#","checksum":0"#));
    assert_eq!(bench.state(), BookState::Unverifiable);
}

#[test]
fn trades_have_the_takers_side() {
    let mut bench = Bench::of("A-USDT");
    bench.text(concat!(
        r#"{"arg":{"channel":"trades","instId":"A-USDT"},"data":["#,
        r#"{"instId":"A-USDT","tradeId":"9007199254740993","px":"0.0000102","sz":"500","side":"buy","ts":"1790071200001","count":"3","seqId":77},"#,
        r#"{"instId":"A-USDT","tradeId":"12","px":"0.0000101","sz":"1e3","side":"sell","ts":"0"}]}"#
    ));
    let trades = bench.trades();
    assert_eq!((trades[0].side, trades[1].side), (Aggressor::Buy, Aggressor::Sell));
    assert_eq!((&*trades[0].trade_id, trades[0].stamps.sequence), ("9007199254740993", Some(77)));
    assert_eq!(
        (trades[0].price.to_string(), trades[1].size.to_string()),
        ("0.0000102".into(), "1000".into())
    );
    assert_eq!(trades[0].stamps.event, Some(1_790_071_200_001_000_000));
    assert!(trades[1].stamps.flags.has(Flags::BAD_TIMESTAMP));
}

#[test]
fn the_last_trade_that_a_new_subscriber_is_told_is_no_new_one() {
    let mut bench = Bench::of("A-USDT");
    let trade = r#"{"arg":{"channel":"trades","instId":"A-USDT"},"data":[{"instId":"A-USDT","tradeId":"12","px":"1","sz":"1.5","side":"sell","ts":"1790071200001"}]}"#;
    bench.text(trade);
    bench.input(Input::Disconnected { reason: "reset" });
    bench.input(Input::Connected);
    bench.text(trade);
    assert_eq!(bench.trades().len(), 1);
    assert_eq!(bench.symbol().counts.stale, 1);
}

#[test]
fn quotes_come_from_both_channels_and_a_side_may_be_empty() {
    let mut bench = Bench::of("A-USDT");
    for message in [
        r#"{"arg":{"channel":"bbo-tbt","instId":"A-USDT"},"data":[{"asks":[["100.1","2","0","1"]],"bids":[],"ts":"1790071200001","seqId":7}]}"#,
        r#"{"arg":{"channel":"tickers","instId":"A-USDT"},"data":[{"instType":"SPOT","instId":"A-USDT","last":"1","askPx":"","askSz":"","bidPx":"100","bidSz":"3","ts":"1790071200001"}]}"#,
    ] {
        bench.text(message);
    }
    let quotes = bench.quotes();
    assert_eq!((quotes[0].bid, quotes[1].ask), (None, None));
    assert_eq!(quotes[0].ask.unwrap().price.to_string(), "100.1");
    assert_eq!(quotes[0].stamps.sequence, Some(7));
    assert_eq!(quotes[1].bid.unwrap().size.to_string(), "3");
    assert_eq!(bench.adapter.desk().counts.malformed, 0);
}

#[test]
fn pings_and_pongs_are_bare_words() {
    let mut bench = Bench::of("A-USDT");
    bench.now += PING_AFTER;
    bench.input(Input::Timer);
    assert!(bench.sent().contains(&"ping".to_owned()));
    bench.text("pong");
    let counts = bench.adapter.desk().counts;
    assert_eq!((counts.malformed, counts.unknown), (0, 0));
    bench.input(Input::Silent);
    assert_eq!(bench.sent(), ["ping"]);
    assert_eq!(bench.statuses().pop().unwrap().0, VenueState::Stale);
    bench.text("pong");
    assert_eq!(bench.statuses().pop().unwrap().0, VenueState::Up);
}

#[test]
fn a_refused_symbol_is_told_once_and_not_asked_for_again() {
    let mut bench = Bench::of("A-USDT");
    let error = r#"{"event":"error","msg":"Wrong URL or channel:books,instId:A-USDT doesn't exist. Please use the correct URL.","code":"60018","connId":"c0ffee01"}"#;
    bench.text(error);
    bench.text(error);
    let statuses = bench.statuses();
    assert_eq!(statuses.len(), 1);
    assert_eq!(statuses[0].0, VenueState::Down);
    assert_eq!(bench.reports(), 1);
    bench.now += 3600 * SECOND;
    bench.input(Input::Timer);
    assert_eq!(bench.sent(), ["ping"]);
}

#[test]
fn other_errors_are_reported_and_what_is_unanswered_is_asked_for_again() {
    let mut bench = Bench::of("A-USDT");
    for error in [
        r#"{"event":"error","code":"60014","msg":"Requests too frequent","connId":"a"}"#,
        r#"{"event":"error","code":"60012","msg":"Invalid request: {\"op\": \"subscribe\", \"args\":[]}","connId":"a"}"#,
        r#"{"event":"channel-conn-count-error","channel":"books","connCount":"30","connId":"a"}"#,
    ] {
        bench.text(error);
    }
    assert_eq!(bench.reports(), 3);
    assert!(bench.statuses().is_empty());
    assert_eq!(bench.adapter.desk().counts.malformed, 0);
    bench.sent();
    bench.now += 11 * SECOND;
    bench.input(Input::Timer);
    assert!(resubscribed(&bench.sent()[1..]));
}

#[test]
fn a_notice_asks_for_another_connection() {
    let mut bench = Bench::of("A-USDT");
    bench.text(r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a"}"#);
    assert!(
        matches!(&bench.out.actions[..], [Action::Reconnect { reason }] if reason.contains("upgrade"))
    );
}

#[test]
fn another_connection_is_taken_before_the_venue_refuses_requests() {
    let mut bench = Bench::of("A-USDT");
    let (mut sent, mut reconnects) = (1, 0);
    for turn in 0..300 {
        for wanted in [false, true] {
            bench.input(Input::Demand { symbol: SymbolId(0), stream: Stream::Trades, wanted });
        }
        for action in bench.out.actions.drain(..) {
            match action {
                Action::Send(_) => sent += 1,
                Action::Reconnect { .. } => reconnects += 1,
                _ => panic!("{turn}: {action:?}"),
            }
        }
    }
    assert_eq!(sent, REQUESTS_PER_HOUR);
    assert!(reconnects > 0);
    bench.now += HOUR;
    bench.input(Input::Demand { symbol: SymbolId(0), stream: Stream::Trades, wanted: false });
    assert!(bench.sent().iter().any(|text| text.contains("unsubscribe")));
}

#[test]
fn the_five_best_levels_are_a_book_where_nothing_else_is() {
    let options = DeskOptions { open: true, venue: "okx".into(), ..DeskOptions::default() };
    let mut bench = Bench::with(Okx::new(options));
    bench.input(Input::Connected);
    let five = |number: u32, bid: &str| {
        format!(
            r#"{{"arg":{{"channel":"books5","instId":"A-USDT"}},"data":[{{"asks":[["9","1","0","1"]],"bids":[["{bid}","2","0","1"]],"ts":"1790000000000","seqId":{number},"instId":"A-USDT"}}]}}"#
        )
    };
    for (number, bid) in [(7, "5"), (9, "6.5"), (8, "7")] {
        bench.text(&five(number, bid));
    }
    let counts = bench.symbol().counts;
    assert_eq!((counts.book_events, counts.snapshots, counts.stale), (3, 2, 1));
    assert_eq!(bench.symbol().book().len(), 2);
    assert_eq!(bench.symbol().state(), BookState::Verified);
    // Without a number nothing proves their order.
    bench.text(&five(10, "5").replace(r#","seqId":10"#, ""));
    assert_eq!(bench.symbol().state(), BookState::Unverifiable);
    bench.text(
        r#"{"arg":{"channel":"books","instId":"A-USDT"},"action":"snapshot","data":[{"asks":[["9","1","0","1"]],"bids":[["4","2","0","1"],["3","2","0","1"]],"ts":"1790000000000","checksum":0,"seqId":20,"prevSeqId":-1}]}"#,
    );
    bench.text(&five(21, "6"));
    assert_eq!((bench.symbol().book().len(), bench.symbol().counts.book_events), (3, 5));
    let counts = bench.adapter.desk().counts;
    assert_eq!((counts.unused, counts.unknown, counts.malformed), (1, 0, 0));
}

#[test]
fn unknown_messages_are_counted_and_unreadable_ones_reported_once() {
    let mut bench = Bench::of("A-USDT");
    for channel in ["candle1m", "index-candle1H", "funding-rate", "public-block-trades"] {
        bench.text(&format!(
            r#"{{"arg":{{"channel":"{channel}","instId":"A-USDT"}},"data":[["1","2"]]}}"#
        ));
    }
    assert_eq!(bench.adapter.desk().counts.unused, 4, "documented");
    for unknown in [
        r#"{"arg":{"channel":"weather","instId":"A-USDT"},"data":[["1","2"]]}"#,
        r#"{"table":"spot/depth5","data":[{"asks":[],"bids":[]}]}"#,
        r#"{"arg":{"channel":"books","instId":"A-USDT"},"action":"rebuild","data":[]}"#,
        r#"{"arg":{"channel":"books","instId":"A-USDT"},"data":[]}"#,
        r#"{"code":"0","msg":"","data":[{"asks":[],"bids":[]}]}"#,
        r#"{"event":"party"}"#,
        "{}",
    ] {
        bench.text(unknown);
    }
    let counts = bench.adapter.desk().counts;
    assert_eq!((counts.unknown, counts.malformed), (7, 0));
    for unreadable in [
        r#"{"arg":{"channel":"trades","instId":"A-USDT"},"data":[{"px":true}]}"#,
        r#"{"arg":{"channel":"trades","instId":"A-USDT"},"data":[{"px":"1","sz":"1","side":"up"}]}"#,
        r#"{"arg":{"channel":"trades","instId":"A-USDT"},"data":[{"px":"1","sz":"-1","side":"buy","tradeId":"1"}]}"#,
        r#"{"arg":{"channel":"trades","instId":"A-USDT"}}"#,
        "pung",
    ] {
        bench.text(unreadable);
    }
    let counts = bench.adapter.desk().counts;
    assert_eq!((counts.unknown, counts.malformed), (7, 5));
    assert_eq!(bench.symbol().counts.malformed, 3);
    assert_eq!(bench.reports(), 5);
    bench.text(r#"{"data":[{"tradeId":"1","px":"1","sz":"1","side":"buy"}],"arg":{"instId":"A-USDT","channel":"trades"}}"#);
    let trades = bench.trades();
    assert!(trades[0].stamps.flags.has(Flags::GAP_BEFORE), "trades before it are missing");
}

#[test]
fn a_level_that_lacks_something_is_none() {
    let mut bench = with_book();
    let short = book("update", &[("99.5", "4")], &[], &chain(71, 70));
    bench.text(&short.replace(r#"["99.5","4","0","1"]"#, r#"["4","0","1"]"#));
    assert_eq!(bench.state(), BookState::Resyncing);
    assert_eq!(bench.adapter.desk().counts.malformed, 1);
}

#[test]
fn five_levels_are_a_channel_of_their_own_and_asked_for_once() {
    let symbols = vec!["A-USDT".to_owned()];
    let mut bench = Bench::new(DeskOptions { symbols, depth: Some(5), ..DeskOptions::default() });
    bench.input(Input::Connected);
    let sent = bench.sent();
    assert!(sent[0].contains(r#"{"channel":"books5","instId":"A-USDT"}"#), "{sent:?}");
    for channel in ["trades", "bbo-tbt"] {
        bench.text(&format!(
            r#"{{"event":"subscribe","arg":{{"channel":"{channel}","instId":"A-USDT"}},"connId":"c"}}"#
        ));
    }
    for (number, bid) in [(7, "99"), (9, "98")] {
        bench.out = Output::default();
        bench.text(&format!(
            r#"{{"arg":{{"channel":"books5","instId":"A-USDT"}},"data":[{{"asks":[["100","1.5","0","1"]],"bids":[["{bid}","2","0","1"]],"instId":"A-USDT","ts":"1790071200001","seqId":{number}}}]}}"#
        ));
        let best = bench.symbol().book().best(BookSide::Bid).map(|level| level.price.to_string());
        assert_eq!(best.as_deref(), Some(bid), "each message is a whole book");
    }
    bench.now += 3600 * SECOND;
    bench.input(Input::Timer);
    let again = bench.sent();
    assert!(!again.iter().any(|request| request.contains("subscribe")), "{again:?}");
}
