//! OKX: every update names the one before it.

use exchange::{Options, Venue};
use market::BookSide;
use serde_json::Value;

use crate::client::{Client, Texts};

#[test]
fn every_update_follows_the_one_before_and_leads_to_the_book() {
    let mut client = Client::connect(Options::new(Venue::Okx), "/ws/v5/public");
    client.run(2000);
    client.send(r#"{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}"#);
    client.run(6000);
    let (mut book, mut last, mut updates, mut jumps) = (Texts::default(), -1, 0, 0);
    for text in client.texts() {
        let message: Value = serde_json::from_str(&text).unwrap();
        if message.get("event").is_some() {
            assert_eq!(message["arg"]["channel"], "books");
            continue;
        }
        let data = &message["data"][0];
        let before = data["prevSeqId"].as_i64().unwrap();
        if message["action"] == "snapshot" {
            assert_eq!(before, -1);
            book = Texts::default();
        } else {
            assert_eq!(before, last, "{text}");
            updates += 1;
        }
        let number = data["seqId"].as_i64().unwrap();
        jumps += usize::from(number > before + 1);
        last = number;
        assert_eq!(data["checksum"], 0);
        assert!(data["ts"].is_string());
        book.set_all(BookSide::Bid, &data["bids"]);
        book.set_all(BookSide::Ask, &data["asks"]);
        for level in data["bids"].as_array().unwrap() {
            assert_eq!(level.as_array().unwrap().len(), 4);
            assert_eq!(level[1] == "0", level[3] == "0");
        }
        let truth = client.exchange.book_at("BTC-USDT", number as u64).unwrap();
        assert!(book.is(&truth, 400) && !book.is_crossed());
    }
    assert!(updates > 30 && jumps > 30, "{updates} {jumps}");
    assert!(book.is(client.exchange.book("BTC-USDT").unwrap(), 400));
}

#[test]
fn a_ping_is_answered_bare_and_others_in_json() {
    let mut client = Client::connect(Options::new(Venue::Okx), "/ws/v5/public");
    client.send("ping");
    assert_eq!(client.texts(), ["pong"]);
    client.send(r#"{"op":"subscribe","args":[{"channel":"trades","instId":"NO-PE"},{"channel":"trades","instId":"ETH-USDT"}],"id":"a1"}"#);
    let answers: Vec<Value> =
        client.texts().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!((&answers[0]["event"], &answers[0]["code"]), (&"error".into(), &"60018".into()));
    assert_eq!((&answers[1]["event"], &answers[1]["id"]), (&"subscribe".into(), &"a1".into()));
    client.send("{}");
    assert!(client.texts()[0].contains("60012"));
}

#[test]
fn executions_and_quotes_come_in_their_shapes() {
    let mut client = Client::connect(Options::new(Venue::Okx), "/ws/v5/public");
    client.send(r#"{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"},{"channel":"tickers","instId":"BTC-USDT"},{"channel":"bbo-tbt","instId":"BTC-USDT"},{"channel":"books5","instId":"BTC-USDT"}]}"#);
    client.run(5000);
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for text in client.texts() {
        let message: Value = serde_json::from_str(&text).unwrap();
        if message.get("event").is_some() {
            continue;
        }
        let (channel, data) = (message["arg"]["channel"].as_str().unwrap(), &message["data"][0]);
        *counts.entry(channel.to_owned()).or_default() += 1;
        let levels = |key: &str| data[key].as_array().unwrap().len();
        match channel {
            "trades" => assert!(data["tradeId"].is_string() && data["count"] == "1"),
            "tickers" => assert!(data["bidPx"].is_string() && data["askSz"].is_string()),
            "bbo-tbt" => assert_eq!((levels("bids"), levels("asks")), (1, 1)),
            _ => assert_eq!((levels("bids"), levels("asks")), (5, 5)),
        }
    }
    assert!(counts.len() == 4 && counts.values().all(|count| *count > 2), "{counts:?}");
}

#[test]
fn a_book_that_stands_still_says_so_each_minute() {
    let options = Options { rate: 1, symbols: 400, ..Options::new(Venue::Okx) };
    let mut client = Client::connect(options, "/ws/v5/public");
    client.send(r#"{"op":"subscribe","args":[{"channel":"books","instId":"SYM0400-USDT"}]}"#);
    client.run(200_000);
    let same = client.texts().into_iter().filter(|text| {
        let message: Value = serde_json::from_str(text).unwrap();
        let data = &message["data"][0];
        data["seqId"].is_i64() && data["seqId"] == data["prevSeqId"]
    });
    assert!(same.count() > 0);
}
