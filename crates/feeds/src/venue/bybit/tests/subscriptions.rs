//! What is asked of the venue, and what it refuses.

use super::*;
use crate::adapter::Streams;

#[test]
fn ten_topics_a_request_and_no_tickers_on_spot() {
    let symbols: Vec<String> = (0..6).map(|n| format!("A{n}USDT")).collect();
    let names: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let mut rig = Rig::new(Market::Spot, &names);
    rig.input(Input::Connected);
    let sent = rig.sent();
    assert_eq!(sent.len(), 2);
    assert!(sent[0].starts_with(
        r#"{"req_id":"1","op":"subscribe","args":["orderbook.50.A0USDT","publicTrade.A0USDT","orderbook.50.A1USDT""#
    ));
    assert_eq!(
        sent[1],
        r#"{"req_id":"2","op":"subscribe","args":["orderbook.50.A5USDT","publicTrade.A5USDT"]}"#
    );

    let mut rig = Rig::new(Market::Linear, &["ABCUSDT"]);
    rig.input(Input::Connected);
    let wanted = r#"{"req_id":"1","op":"subscribe","args":["orderbook.50.ABCUSDT","publicTrade.ABCUSDT","tickers.ABCUSDT"]}"#;
    assert_eq!(rig.sent(), [wanted]);
    assert_eq!(&*rig.symbol().canonical, "ABC-USDT-PERP");
}

#[test]
fn the_depth_is_the_next_that_there_is() {
    for (asked, topic) in [
        (Some(1), "orderbook.1."),
        (Some(20), "orderbook.50."),
        (None, "orderbook.200."),
        (Some(201), "orderbook.1000."),
        (Some(5_000), "orderbook.1000."),
    ] {
        let options =
            DeskOptions { symbols: vec!["ABCUSDT".into()], depth: asked, ..DeskOptions::default() };
        let mut rig = Rig::with(Market::Spot, options);
        rig.input(Input::Connected);
        assert!(rig.sent()[0].contains(topic), "{asked:?}");
    }
}

#[test]
fn a_ping_every_twenty_seconds() {
    let mut rig = Rig::new(Market::Spot, &[]);
    rig.input(Input::Connected);
    rig.wait(19 * SECOND);
    assert!(rig.sent().is_empty());
    rig.wait(42 * SECOND);
    assert_eq!(rig.sent(), [r#"{"op":"ping"}"#; 3]);
    rig.text(r#"{"success":true,"ret_msg":"pong","conn_id":"c-1","op":"ping"}"#);
    assert_eq!(rig.adapter.desk.counts.unknown, 0);
    rig.input(Input::Disconnected { reason: "test" });
    rig.wait(60 * SECOND);
    assert!(rig.sent().is_empty());
}

#[test]
fn a_refused_symbol_is_told_once_and_takes_no_other_with_it() {
    for refusal in ["error:handler not found,topic:", "Invalid symbol :["] {
        let mut rig = Rig::new(Market::Spot, &["ABCUSDT", "NOPE", "NOPEX"]);
        rig.input(Input::Connected);
        rig.sent();
        let refuse = |rig: &mut Rig, request: u64, topic: &str| {
            rig.text(&format!(
                r#"{{"success":false,"ret_msg":"{refusal}{topic}","conn_id":"c","req_id":"{request}","op":"subscribe"}}"#
            ));
        };
        refuse(&mut rig, 1, "orderbook.50.NOPE");
        assert_eq!(rig.reports().len(), 1);
        assert_eq!(
            rig.sent(),
            [
                r#"{"req_id":"2","op":"subscribe","args":["orderbook.50.ABCUSDT","publicTrade.ABCUSDT","publicTrade.NOPE","orderbook.50.NOPEX","publicTrade.NOPEX"]}"#
            ]
        );
        refuse(&mut rig, 2, "publicTrade.NOPE");
        rig.text(r#"{"success":true,"ret_msg":"","conn_id":"c","req_id":"3","op":"subscribe"}"#);
        let events = rig.events();
        let down: Vec<_> = events.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(down, ["status.bybit", "status.bybit.NOPE"]);
        rig.sent();
        // Nobody asks again on this connection.
        rig.text(&snapshot(100, 7_000));
        rig.wait(300 * SECOND);
        assert!(rig.sent().iter().all(|text| !text.contains("NOPE\"")), "{refusal}");
        // The next asks for it apart from the others, and says nothing new.
        rig.input(Input::Disconnected { reason: "test" });
        rig.input(Input::Connected);
        let sent = rig.sent();
        assert!(sent.iter().any(|text| text.ends_with(r#""args":["orderbook.50.NOPE"]}"#)));
        let last = rig.adapter.subscriptions.requests();
        rig.events();
        refuse(&mut rig, last - 1, "orderbook.50.NOPE");
        assert!(rig.reports().is_empty() && !rig.topics().contains(&"status.bybit.NOPE".into()));
        // Until it is taken.
        rig.input(Input::Disconnected { reason: "test" });
        rig.input(Input::Connected);
        rig.events();
        for request in last + 1..=rig.adapter.subscriptions.requests() {
            rig.text(&format!(
                r#"{{"success":true,"ret_msg":"","req_id":"{request}","op":"subscribe"}}"#
            ));
        }
        assert!(rig.topics().contains(&"status.bybit.NOPE".into()));
    }
}

#[test]
fn a_refusal_that_names_nothing_is_narrowed_down_and_ends() {
    let mut rig = Rig::new(Market::Spot, &["ABCUSDT", "NOPE"]);
    rig.input(Input::Connected);
    rig.sent();
    let refuse = |rig: &mut Rig, request: u64| {
        rig.text(&format!(
            r#"{{"success":false,"ret_msg":"args size \">10\"","req_id":"{request}","op":"subscribe"}}"#
        ));
        rig.sent().len()
    };
    assert_eq!(refuse(&mut rig, 1), 4);
    for request in 2..=5 {
        assert_eq!(refuse(&mut rig, request), 0);
    }
    assert_eq!(refuse(&mut rig, 1), 0);
    // Already subscribed is no refusal.
    let mut rig = Rig::new(Market::Spot, &["ABCUSDT"]);
    rig.input(Input::Connected);
    rig.sent();
    rig.text(r#"{"success":false,"ret_msg":"error:already subscribed,topic:orderbook.50.ABCUSDT","req_id":"1","op":"subscribe"}"#);
    assert_eq!(rig.sent(), [r#"{"req_id":"2","op":"subscribe","args":["publicTrade.ABCUSDT"]}"#]);
    assert_eq!(rig.topics(), ["status.bybit"]);
}

#[test]
fn streams_follow_demand() {
    let options = DeskOptions {
        venue: "bybit".into(),
        symbols: vec!["ABCUSDT".into()],
        on_demand: true,
        depth: Some(50),
        ..DeskOptions::default()
    };
    let mut rig = Rig::with(Market::Linear, options);
    let demand = |rig: &mut Rig, stream, wanted| {
        rig.input(Input::Demand { symbol: SymbolId(0), stream, wanted });
        rig.sent()
    };
    // Before there is a connection it is only noted.
    assert!(demand(&mut rig, Stream::Trades, true).is_empty());
    rig.input(Input::Connected);
    assert_eq!(rig.sent(), [r#"{"req_id":"1","op":"subscribe","args":["publicTrade.ABCUSDT"]}"#]);
    assert_eq!(
        demand(&mut rig, Stream::Book, true),
        [r#"{"req_id":"2","op":"subscribe","args":["orderbook.50.ABCUSDT"]}"#]
    );
    assert!(demand(&mut rig, Stream::Book, true).is_empty());
    rig.text(&snapshot(100, 7_000));
    assert_eq!(
        demand(&mut rig, Stream::Book, false),
        [r#"{"op":"unsubscribe","args":["orderbook.50.ABCUSDT"]}"#]
    );
    rig.events();
    // What was on its way does not open the book again.
    rig.text(&snapshot(101, 7_001));
    rig.wait(100 * SECOND);
    assert!(rig.topics().is_empty());
    assert!(rig.sent().iter().all(|text| text.contains("ping")));
}

#[test]
fn on_spot_quotes_want_the_book() {
    let options = DeskOptions {
        symbols: vec!["ABCUSDT".into()],
        streams: Streams { quotes: true, ..Streams::NONE },
        depth: Some(50),
        ..DeskOptions::default()
    };
    let book = r#"{"req_id":"1","op":"subscribe","args":["orderbook.50.ABCUSDT"]}"#;
    let mut rig = Rig::with(Market::Spot, options.clone());
    rig.input(Input::Connected);
    assert_eq!(rig.sent(), [book]);

    let mut rig = Rig::with(Market::Spot, DeskOptions { on_demand: true, ..options });
    rig.input(Input::Connected);
    let demand = |rig: &mut Rig, stream, wanted| {
        rig.input(Input::Demand { symbol: SymbolId(0), stream, wanted });
        rig.sent()
    };
    assert_eq!(demand(&mut rig, Stream::Quotes, true), [book]);
    rig.text(&snapshot(100, 7_000));
    assert!(demand(&mut rig, Stream::Book, true).is_empty());
    // The book goes on for the other.
    assert!(demand(&mut rig, Stream::Book, false).is_empty());
    assert_eq!(rig.symbol().state(), BookState::Verified);
    let end = demand(&mut rig, Stream::Quotes, false);
    assert_eq!(end, [r#"{"op":"unsubscribe","args":["orderbook.50.ABCUSDT"]}"#]);
    assert_eq!(rig.symbol().state(), BookState::Resyncing);
}

#[test]
fn silence_is_stale_and_a_message_ends_it() {
    let mut rig = Rig::live(Market::Spot);
    rig.input(Input::Silent);
    rig.text(r#"{"success":true,"ret_msg":"pong","op":"ping"}"#);
    let states: Vec<_> = rig
        .events()
        .into_iter()
        .map(|(_, event)| match event {
            Event::Status(status) => status.state,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(states, [VenueState::Stale, VenueState::Up]);
}
