//! Subscriptions, answers to them, and the life of a connection.

use super::*;
use crate::adapter::{Rules, Streams};

/// The streams named in a request.
fn params(text: &str) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let params = value["params"].as_array().unwrap();
    params.iter().map(|param| param.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_connection_begins_with_all_that_is_wanted() {
    let mut rig = Rig::of(&["aaausdt", "WRAPPED-BTC=BBBBTC"]);
    let seen = rig.give(Input::Connected);
    assert_eq!(
        seen.sent,
        [concat!(
            r#"{"method":"SUBSCRIBE","params":["aaausdt@trade","aaausdt@bookTicker","aaausdt@depth@100ms","#,
            r#""bbbbtc@trade","bbbbtc@bookTicker","bbbbtc@depth@100ms"],"id":1}"#
        )]
    );
    let seen = rig.text(&trade(1).replace("AAAUSDT", "BBBBTC"));
    assert_eq!(seen.trades.len(), 1);
    assert_eq!(rig.adapter.desk().channels()[1].topic, "trade.binance.WRAPPED-BTC");
    // And so again.
    rig.give(Input::Disconnected { reason: "cut" });
    assert_eq!(params(&rig.give(Input::Connected).sent[0]).len(), 6);
}

#[test]
fn requests_are_short_enough_and_streams_few_enough() {
    let symbols: Vec<String> = (0..500).map(|number| format!("SYMBOL{number:03}USDT")).collect();
    let mut rig = Rig::of(&symbols.iter().map(String::as_str).collect::<Vec<_>>());
    let seen = rig.give(Input::Connected);
    assert!(seen.sent.iter().all(|text| text.len() <= 4_088), "the server falls silent");
    let streams: Vec<_> = seen.sent.iter().flat_map(|text| params(text)).collect();
    let Rules { streams: most, .. } = rig.adapter.rules();
    assert_eq!(streams.len(), *most);
    assert!(seen.sent.len() <= 10, "{} requests", seen.sent.len());
    // 341 symbols and one stream of another.
    assert_eq!((seen.reports.len(), seen.statuses.len()), (1, 159));
    assert_eq!(seen.statuses[0].1.state, VenueState::Down);
}

#[test]
fn wishes_are_gathered_and_nothing_is_asked_twice() {
    let symbols = ["AAAUSDT".to_owned(), "BBBUSDT".to_owned()].to_vec();
    let options = DeskOptions { symbols, on_demand: true, ..DeskOptions::default() };
    let mut rig = Rig::with(options);
    assert!(rig.give(Input::Connected).sent.is_empty());
    let other = SymbolId(1);
    for (symbol, stream, wanted) in [
        (ID, Stream::Trades, true),
        (ID, Stream::Trades, true),
        (other, Stream::Book, true),
        (other, Stream::Quotes, true),
        (other, Stream::Quotes, false),
    ] {
        assert!(rig.want(symbol, stream, wanted).sent.is_empty());
    }
    let (waited, seen) = rig.wake();
    assert!(waited <= SECOND);
    assert_eq!(params(&seen.sent[0]), ["aaausdt@trade", "bbbusdt@depth@100ms"]);
    assert_eq!(seen.sent.len(), 1);
    // Only what is wanted is published.
    assert_eq!(rig.text(&trade(1)).trades.len(), 1);
    let quote = r#"{"u":1,"s":"AAAUSDT","b":"9.90","B":"1","a":"10.10","A":"2"}"#;
    assert!(rig.text(quote).quotes.is_empty());
    assert!(rig.text(&diff(1, 1, "[]", "[]")).fetched.is_empty());
    assert_eq!(rig.adapter.desk().counts.unused, 2);
    // A book that nobody wants any more ends, with the request for its snapshot.
    let of_other = |text: String| text.replace("AAAUSDT", "BBBUSDT");
    let seen = rig.text(&of_other(diff(1, 1, "[]", "[]")));
    rig.want(other, Stream::Book, false);
    let (_, unsubscribed) = rig.wake();
    assert!(unsubscribed.sent[0].contains("UNSUBSCRIBE"));
    assert_eq!(params(&unsubscribed.sent[0]), ["bbbusdt@depth@100ms"]);
    assert!(rig.answer(seen.fetched[0].0, &snapshot(1)).books.is_empty());
    assert!(rig.text(&of_other(diff(2, 2, "[]", "[]"))).fetched.is_empty());
    // And begins anew.
    rig.want(other, Stream::Book, true);
    assert_eq!(params(&rig.wake().1.sent[0]), ["bbbusdt@depth@100ms"]);
    let seen = rig.text(&of_other(diff(9, 9, "[]", "[]")));
    assert_eq!(rig.answer(seen.fetched[0].0, &snapshot(9)).books.len(), 1);
}

#[test]
fn answers_have_an_id_of_any_type() {
    let mut rig = Rig::connected();
    for answer in [
        r#"{"result":null,"id":"abc"}"#,
        r#"{"result":null,"id":null}"#,
        r#"{"result":["aaausdt@trade"],"id":3}"#,
        r#"{"result":true,"id":18446744073709551615}"#,
        r#"{"id":-5,"result":null}"#,
    ] {
        let seen = rig.text(answer);
        assert!(seen.fetched.is_empty() && seen.reports.is_empty(), "{answer}");
    }
    // Ours: from now on no change of the book is missed.
    let seen = rig.text(r#"{"id":1,"result":null}"#);
    assert_eq!(seen.fetched.len(), 1);
    for error in [
        r#"{"code":3,"msg":"Invalid JSON: \"x\" at 5"}"#,
        r#"{"code":2,"msg":"Invalid request: unknown","id":"abc"}"#,
        r#"{"error":{"code":4,"msg":"Too many subscriptions"},"id":77}"#,
    ] {
        rig.text(error);
    }
    let counts = rig.adapter.desk().counts;
    assert_eq!((counts.malformed, counts.unknown), (0, 0));
}

#[test]
fn one_refused_symbol_does_not_take_the_others_with_it() {
    let symbols: Vec<String> = (0..8).map(|number| format!("A{number}USDT")).collect();
    let streams = Streams { quotes: false, book: false, ..Streams::ALL };
    let mut rig = Rig::with(DeskOptions { symbols, streams, ..DeskOptions::default() });
    let mut open = rig.give(Input::Connected).sent;
    let (mut subscribed, mut refused, mut sent) = (Vec::new(), Vec::new(), 0);
    while let Some(text) = open.pop() {
        sent += 1;
        assert!(sent < 30, "a storm");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let bad = params(&text).iter().any(|param| param == "a5usdt@trade");
        let answer = if bad {
            format!(r#"{{"error":{{"code":2,"msg":"Invalid request"}},"id":{}}}"#, value["id"])
        } else {
            subscribed.extend(params(&text));
            format!(r#"{{"result":null,"id":{}}}"#, value["id"])
        };
        let seen = rig.text(&answer);
        open.extend(seen.sent);
        let down = seen.statuses.into_iter().filter(|(_, s)| s.state == VenueState::Down);
        refused.extend(down.map(|(topic, _)| topic));
    }
    assert_eq!((subscribed.len(), sent), (7, 7));
    assert_eq!(refused, ["status.binance.A5-USDT"]);
}

#[test]
fn the_server_says_that_it_goes_and_is_left_once() {
    let mut rig = Rig::connected();
    for (text, reconnects) in [
        (r#"{"e":"serverShutdown","E":1700000000123}"#, 1),
        (r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1700000000123}}"#, 0),
    ] {
        assert_eq!(rig.text(text).reconnects, reconnects);
    }
    rig.give(Input::Disconnected { reason: "left" });
    rig.give(Input::Connected);
    assert_eq!(rig.text(r#"{"e":"serverShutdown"}"#).reconnects, 1);
}

#[test]
fn a_cut_ends_every_book_and_what_follows_says_so() {
    let mut rig = Rig::live();
    rig.text(&trade(7));
    let seen = rig.give(Input::Disconnected { reason: "24 hours are over" });
    assert_eq!(seen.states(), [VenueState::Down]);
    assert_eq!(rig.state(), BookState::Resyncing);
    rig.give(Input::Connected);
    let seen = rig.text(&trade(8));
    assert_eq!(seen.states(), [VenueState::Up]);
    assert!(seen.trades[0].stamps.flags.has(Flags::GAP_BEFORE));
    // A number that would have followed on the old connection proves nothing now.
    let seen = rig.text(&diff(101, 101, "[]", "[]"));
    assert!(seen.books.is_empty());
    let (_, seen) = rig.wake();
    assert_eq!(rig.answer(seen.fetched[0].0, &snapshot(101)).flags(), [Flags::GAP_BEFORE]);
    assert_eq!(rig.give(Input::Silent).states(), [VenueState::Stale]);
    assert_eq!(rig.text("{}").states(), [VenueState::Up]);
}

#[test]
fn both_hosts_have_their_own_address_and_quote_currencies() {
    let options = || DeskOptions {
        symbols: ["BNBUSD", "LPTUSD", "BTCUSDT"].map(str::to_owned).to_vec(),
        ..DeskOptions::default()
    };
    let names = |adapter: &Binance| -> Vec<String> {
        adapter.desk().symbols().map(|(_, symbol)| symbol.canonical.to_string()).collect()
    };
    let us = Binance::us(options());
    assert_eq!(names(&us), ["BNB-USD", "LPT-USD", "BTC-USDT"]);
    assert!(us.rules().websocket.contains("binance.us") && us.rules().rest.contains("binance.us"));
    assert_eq!(Binance::new(options()).rules().streams, us.rules().streams);
}
