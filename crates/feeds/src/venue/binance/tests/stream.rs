//! Each kind of stream message: what is published of it, and what is not.

use super::*;
use market::Aggressor;

#[test]
fn a_trade_raw_and_in_the_wrapper_in_any_order() {
    let wrapped = format!(r#"{{"stream":"aaausdt@trade","data":{}}}"#, trade(8));
    let turned = format!(r#" {{ "data" : {} , "stream":"aaausdt@trade" }} "#, trade(9));
    // Other members first, an unknown one, orders' numbers of long ago, microseconds.
    let other = r#"{"m":true,"new":{"x":[1]},"b":77,"a":78,"q":"1000000000000000","p":"0.0000000000001","t":10,"s":"AAAUSDT","T":1700000000120456,"e":"trade"}"#;
    let mut rig = Rig::connected();
    let mut trades = Vec::new();
    for text in [trade(7), wrapped, turned, other.to_owned()] {
        trades.extend(rig.text(&text).trades);
    }
    let ids: Vec<_> = trades.iter().map(|trade| &*trade.trade_id).collect();
    assert_eq!(ids, ["7", "8", "9", "10"]);
    let first = &trades[0];
    assert_eq!((first.price.to_string(), first.size.to_string()), ("10.10".into(), "0.5".into()));
    assert_eq!(first.side, Aggressor::Buy);
    assert_eq!(first.stamps.event, Some(1_700_000_000_120_000_000));
    assert_eq!((first.stamps.received, first.stamps.sequence), (rig.now, Some(7)));
    assert!(first.stamps.flags.is_empty());
    let last = &trades[3];
    assert_eq!(last.side, Aggressor::Sell);
    assert_eq!(last.stamps.event, Some(1_700_000_000_120_456_000));
    assert_eq!(last.price.to_string(), "0.0000000000001");
    assert_eq!(last.size.to_string(), "1000000000000000");
    assert_eq!(rig.adapter.desk().channels()[1].topic, "trade.binance.AAA-USDT");
    let counts = rig.adapter.desk().counts;
    assert_eq!((counts.frames, counts.malformed, counts.unknown), (4, 0, 0));
}

#[test]
fn a_time_that_is_none_is_said_to_be_bad() {
    let at = |time: &str| trade(7).replace("1700000000120", time);
    for time in ["0", "1700000000", "18446744073709551615"] {
        let seen = Rig::connected().text(&at(time));
        let stamps = seen.trades[0].stamps;
        assert_eq!((stamps.event, stamps.flags), (None, Flags::BAD_TIMESTAMP), "{time}");
    }
    // Our clock may be behind the venue's.
    let seen = Rig::connected().text(&at("1700000009000"));
    let stamps = seen.trades[0].stamps;
    assert!(stamps.event > Some(stamps.received) && stamps.flags.is_empty());
    for wrong in ["99999999999999999999999", "-1", "1.5", "{}"] {
        let mut rig = Rig::connected();
        assert!(rig.text(&at(wrong)).trades.is_empty());
        assert_eq!(rig.adapter.desk().counts.malformed, 1, "{wrong}");
    }
}

#[test]
fn an_execution_is_published_once_whichever_stream_tells_of_it() {
    let mut rig = Rig::connected();
    let published = |rig: &mut Rig, text: &str| -> Vec<(String, bool)> {
        let trades = rig.text(text).trades;
        let gap = |trade: &Trade| trade.stamps.flags.has(Flags::GAP_BEFORE);
        trades.iter().map(|trade| (trade.trade_id.to_string(), gap(trade))).collect()
    };
    let none: Vec<(String, bool)> = vec![];
    let one = |id: &str, gap| vec![(id.to_owned(), gap)];
    assert_eq!(published(&mut rig, &aggregate(500, 10, 12)), one("500", false));
    assert_eq!(published(&mut rig, &aggregate(501, 13, 13)), one("501", false));
    // What the aggregate told of.
    assert_eq!(published(&mut rig, &trade(13)), none);
    assert_eq!(published(&mut rig, &trade(14)), one("14", false));
    // They come one by one now.
    assert_eq!(published(&mut rig, &aggregate(502, 14, 14)), none);
    assert_eq!(published(&mut rig, &aggregate(503, 15, 15)), none);
    assert_eq!(published(&mut rig, &trade(15)), one("15", false));
    // Doubled, swapped, lost.
    assert_eq!(published(&mut rig, &trade(15)), none);
    assert_eq!(published(&mut rig, &trade(17)), one("17", true));
    assert_eq!(published(&mut rig, &trade(16)), one("16", false));
    assert_eq!(published(&mut rig, &trade(20)), one("20", true));
    assert_eq!(rig.counts().trades, 7);
    assert_eq!(rig.adapter.desk().counts.unused, 4);
    assert_eq!(rig.adapter.desk().counts.malformed, 0);
}

#[test]
fn a_quote_has_neither_a_type_nor_a_time() {
    let quote = |number: u64| {
        format!(r#"{{"u":{number},"s":"AAAUSDT","b":"9.90","B":"1","a":"10.10","A":"2"}}"#)
    };
    let mut rig = Rig::connected();
    let seen = rig.text(&quote(5));
    let first = &seen.quotes[0];
    assert_eq!((first.stamps.event, first.stamps.sequence), (None, Some(5)));
    assert!(first.stamps.flags.is_empty());
    assert_eq!(first.bid.unwrap().price.to_string(), "9.90");
    assert_eq!(first.ask.unwrap().size.to_string(), "2");
    let wrapped = format!(r#"{{"stream":"aaausdt@bookTicker","data":{}}}"#, quote(6));
    assert_eq!(rig.text(&wrapped).quotes.len(), 1);
    // Overtaken.
    assert!(rig.text(&quote(5)).quotes.is_empty());
    // That of futures has a type and a time.
    let futures = quote(7).replace(r#""s":"#, r#""e":"bookTicker","T":1700000000120,"s":"#);
    assert_eq!(rig.text(&futures).quotes[0].stamps.event, Some(1_700_000_000_120_000_000));
    let empty = quote(8).replace("9.90", "0.00").replace(r#""B":"1""#, r#""B":"0.000""#);
    let seen = rig.text(&empty);
    assert_eq!(seen.quotes[0].bid, None);
    assert!(seen.quotes[0].ask.is_some());
    // Once more.
    assert!(rig.text(&empty).quotes.is_empty());
    let counts = rig.counts();
    assert_eq!((counts.quotes, counts.overtaken, counts.repeated), (4, 1, 1));
}

#[test]
fn the_best_levels_alone_are_a_book_of_their_own() {
    let levels = |number: u64, bid: &str| {
        format!(
            r#"{{"stream":"aaausdt@depth5@100ms","data":{{"lastUpdateId":{number},"bids":[["{bid}","1"]],"asks":[["10.10","2"]]}}}}"#
        )
    };
    let mut rig = Rig::connected();
    let seen = rig.text(&levels(100, "9.90"));
    assert!(seen.books[0].reset);
    assert_eq!((seen.books[0].stamps.event, seen.books[0].stamps.sequence), (None, Some(100)));
    assert_eq!(rig.book(), "1x9.90 | 2x10.10");
    // The same again, and an older one, say nothing.
    assert!(rig.text(&levels(100, "9.90")).books.is_empty());
    assert!(rig.text(&levels(99, "9.80")).books.is_empty());
    assert_eq!(rig.text(&levels(102, "9.95")).books.len(), 1);
    assert_eq!(rig.book(), "1x9.95 | 2x10.10");
    // Crossed: it is not to be trusted, and the next one is.
    let seen = rig.text(&levels(103, "10.10"));
    assert_eq!((seen.books.len(), seen.states()), (0, vec![VenueState::Resync]));
    let seen = rig.text(&levels(104, "10.00"));
    assert_eq!(seen.flags(), [Flags::GAP_BEFORE]);
    // Without a stream's name nothing tells whose they are.
    let raw = r#"{"lastUpdateId":105,"bids":[],"asks":[]}"#;
    assert!(rig.text(raw).books.is_empty());
    assert_eq!(rig.adapter.desk().counts.unknown, 1);
    // Where diffs come they are not needed.
    let mut rig = Rig::live();
    assert!(rig.text(&levels(200, "9.70")).books.is_empty());
    assert_eq!(rig.counts().book_events, 1);
}

#[test]
fn what_is_not_published_is_counted() {
    let mut rig = Rig::connected();
    let kline = r#"{"e":"kline","E":1700000000123,"s":"AAAUSDT","k":{"t":1700000000000,"T":1700000059999,"s":"AAAUSDT","i":"1m","f":1,"L":2,"o":"1","c":"2","h":"3","l":"0.5","v":"9","n":2,"x":false,"q":"9","V":"1","Q":"1","B":"0"}}"#;
    rig.text(kline);
    assert_eq!(rig.adapter.desk().counts.unused, 1);
    for unused in [
        r#"{"e":"24hrTicker","s":"AAAUSDT","b":"x"}"#,
        r#"{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}"#,
        r#"[{"e":"1hTicker","s":"AAAUSDT"},{"e":"1hTicker","s":"BBBUSDT"}]"#,
        r#"{"stream":"aaausdt@blockTrade","data":{"e":"blockTrade","p":{}}}"#,
    ] {
        rig.text(unused);
    }
    assert_eq!((rig.adapter.desk().counts.unused, rig.adapter.desk().counts.unknown), (5, 0));
    for unknown in [
        r#"{"stream":"aaausdt@trade"}"#,
        r#"{"e":"markPriceUpdate","s":"AAAUSDT"}"#,
        r#"[{"e":"trade"}]"#,
        "[[]]",
        "[]",
        r#"{"e":5}"#,
        "[1]",
        "{}",
        "null",
    ] {
        rig.text(unknown);
    }
    assert_eq!(rig.adapter.desk().counts.unknown, 9);
    // Not asked for.
    let seen = rig.text(&trade(1).replace("AAAUSDT", "BBBUSDT"));
    assert!(seen.trades.is_empty());
    assert_eq!(rig.adapter.desk().counts.symbols_refused, 1);
    assert_eq!(rig.adapter.desk().counts.malformed, 0);
}

#[test]
fn a_known_message_of_another_form_is_reported_once_and_said_to_be_missing() {
    let mut rig = Rig::live();
    let bad = trade(7).replace(r#""p":"10.10""#, r#""p":["#).replace("[,", "[],");
    assert_eq!(rig.text(&bad).reports.len(), 1);
    assert_eq!(rig.text(&bad).reports.len(), 0);
    assert_eq!((rig.adapter.desk().counts.malformed, rig.counts().malformed), (2, 2));
    assert!(rig.text(&trade(9)).trades[0].stamps.flags.has(Flags::GAP_BEFORE));
    assert_eq!(rig.state(), BookState::Verified);

    // Sizes beyond what can be kept are no diff to leave out.
    let long = diff(101, 102, r#"[["9.90","1.00000000000000000000000000000000001"]]"#, "[]");
    let seen = rig.text(&long);
    assert_eq!((seen.states(), seen.reports.len()), (vec![VenueState::Resync], 1));
    assert!(seen.reports[0].contains("depthUpdate"), "{}", seen.reports[0]);
    assert_eq!((rig.state(), rig.counts().malformed), (BookState::Resyncing, 3));
    let (_, seen) = rig.wake();
    // A snapshot that may be without it does not help.
    assert!(rig.answer(seen.fetched[0].0, &snapshot(100)).books.is_empty());
    let (_, seen) = rig.wake();
    let seen = rig.answer(seen.fetched[0].0, &snapshot(102));
    assert_eq!(seen.flags(), [Flags::GAP_BEFORE]);
    assert_eq!(seen.states(), [VenueState::Up]);

    for wrong in [
        diff(3, 2, "[]", "[]"),
        diff(1, 2, "[]", "[]").replace(r#""U":1,"#, ""),
        diff(1, 2, "{}", "[]"),
        diff(1, 2, r#"[["1"]]"#, "[]"),
        aggregate(1, 2, 3).replace(r#""l":3,"#, ""),
        trade(5).replace("0.5", "-0.5"),
        trade(5).replace("false", "0"),
        r#"{"u":5,"s":"AAAUSDT","b":"9.90","B":"1","a":"10.10","A":null}"#.to_owned(),
        r#"{"stream":"aaausdt@kline_1m","data":{"e":"kline","k":{"o":"1"}}}"#.to_owned(),
        r#"{"stream":5,"data":{}}"#.to_owned(),
        trade(5) + "x",
        trade(5)[..60].to_owned(),
    ] {
        let before = rig.adapter.desk().counts.malformed;
        let seen = rig.text(&wrong);
        assert_eq!(rig.adapter.desk().counts.malformed, before + 1, "{wrong}");
        assert!(seen.trades.is_empty() && seen.quotes.is_empty() && seen.books.is_empty());
    }
}
