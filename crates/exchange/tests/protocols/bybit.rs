//! Bybit: `u` goes up by one, snapshots replace, tickers say only what changed.

use exchange::{Options, Venue};
use market::BookSide;
use serde_json::Value;

use crate::client::{Client, Texts};

const LINEAR: &str = "/v5/public/linear";

#[test]
fn each_delta_is_one_more_and_a_snapshot_may_come_again() {
    for depth in [50, 200] {
        let mut client =
            Client::connect(Options { depth: 80, ..Options::new(Venue::Bybit) }, LINEAR);
        client.run(1500);
        client.send(&format!(
            r#"{{"op":"subscribe","args":["orderbook.{depth}.BTCUSDT"],"req_id":"q"}}"#
        ));
        client.run(90_000);
        let (mut book, mut last, mut deltas, mut snapshots) = (Texts::default(), 0, 0, 0);
        for text in client.texts() {
            let message: Value = serde_json::from_str(&text).unwrap();
            if message.get("op").is_some() {
                assert_eq!((&message["success"], &message["req_id"]), (&true.into(), &"q".into()));
                continue;
            }
            let data = &message["data"];
            let number = data["u"].as_u64().unwrap();
            if message["type"] == "snapshot" {
                book = Texts::default();
                snapshots += 1;
            } else {
                assert_eq!(number, last + 1);
                deltas += 1;
            }
            last = number;
            book.set_all(BookSide::Bid, &data["b"]);
            book.set_all(BookSide::Ask, &data["a"]);
            assert!(book.bids.len() <= depth && !book.is_crossed());
        }
        assert!(book.is(client.exchange.book("BTCUSDT").unwrap(), depth));
        assert!(book.is(&client.exchange.book_at("BTCUSDT", last).unwrap(), depth));
        assert!(deltas > 500 && snapshots > 1, "{deltas} {snapshots}");
    }
}

#[test]
fn the_linear_ticker_says_only_what_changed() {
    let mut client = Client::connect(Options::new(Venue::Bybit), LINEAR);
    client.send(r#"{"op":"subscribe","args":["tickers.BTCUSDT","orderbook.1.BTCUSDT"]}"#);
    client.run(5000);
    let (mut ticker, mut partial, mut tops) = (Value::Null, 0, 0);
    let mut top = Value::Null;
    for text in client.texts() {
        let message: Value = serde_json::from_str(&text).unwrap();
        match message["topic"].as_str() {
            Some("tickers.BTCUSDT") if message["type"] == "snapshot" => {
                ticker = message["data"].clone()
            }
            Some("tickers.BTCUSDT") => {
                let changed = message["data"].as_object().unwrap();
                partial += usize::from(changed.len() < 5);
                for (key, value) in changed {
                    ticker[key] = value.clone();
                }
            }
            Some(_) => {
                assert_eq!(message["type"], "snapshot");
                top = message["data"].clone();
                tops += 1;
            }
            None => {}
        }
    }
    assert!(partial > 5 && tops > 5, "{partial} {tops}");
    client.run(200);
    let book = client.exchange.book("BTCUSDT").unwrap();
    let best = book.best(BookSide::Bid).unwrap();
    let told = (top["b"][0][0].as_str().unwrap(), top["b"][0][1].as_str().unwrap());
    // Nothing moved within the last moments of this seed, or the ticker would be ahead.
    assert_eq!(ticker["bid1Price"], told.0);
    assert!(best.price.scale() == 1 && ticker["lastPrice"].is_string());
}

#[test]
fn spot_and_linear_differ_in_ids_and_tickers() {
    for (path, spot) in [("/v5/public/spot", true), (LINEAR, false)] {
        let mut client = Client::connect(Options::new(Venue::Bybit), path);
        client.send(r#"{"op":"subscribe","args":["publicTrade.BTCUSDT","tickers.BTCUSDT"]}"#);
        client.run(6000);
        let mut trades = 0;
        for text in client.texts() {
            let message: Value = serde_json::from_str(&text).unwrap();
            match message["topic"].as_str() {
                Some("publicTrade.BTCUSDT") => {
                    let trade = &message["data"][0];
                    let id = trade["i"].as_str().unwrap();
                    assert_eq!(id.bytes().all(|byte| byte.is_ascii_digit()), spot, "{id}");
                    assert!(spot || id.len() == 36);
                    trades += 1;
                }
                Some(_) if spot => assert!(message["data"].get("bid1Price").is_none()),
                _ => {}
            }
        }
        assert!(trades > 1, "{trades}");
    }
}

#[test]
fn commands_are_answered_and_refused() {
    let mut client = Client::connect(Options::new(Venue::Bybit), "/v5/public/spot");
    let many = [r#""tickers.BTCUSDT""#; 11].join(",");
    for (sent, said, success) in [
        (r#"{"op":"ping"}"#.to_owned(), "pong", true),
        (
            r#"{"op":"subscribe","args":["orderbook.50.NOPE"]}"#.to_owned(),
            "error:handler not found,topic:orderbook.50.NOPE",
            false,
        ),
        (format!(r#"{{"op":"subscribe","args":[{many}]}}"#), "args size >10", false),
        (r#"{"op":"subscribe","args":["publicTrade.BTCUSDT"]}"#.to_owned(), "subscribe", true),
        (
            r#"{"op":"subscribe","args":["publicTrade.BTCUSDT"]}"#.to_owned(),
            "error:already subscribed,topic:publicTrade.BTCUSDT",
            false,
        ),
        (r#"{"op":"unsubscribe","args":["publicTrade.BTCUSDT"]}"#.to_owned(), "unsubscribe", true),
    ] {
        client.send(&sent);
        let answer: Value = serde_json::from_str(&client.texts()[0]).unwrap();
        assert_eq!((&answer["ret_msg"], &answer["success"]), (&said.into(), &success.into()));
    }
}
