//! Coinbase: one number over everything, the maker's side, snapshots and updates by product.

use std::collections::BTreeMap;

use exchange::{Options, Venue};
use market::BookSide;
use serde_json::Value;

use crate::client::{Client, Texts};

fn subscribed() -> Client {
    let mut client = Client::connect(Options::new(Venue::Coinbase), "/");
    // Some trades and diffs before anybody listens.
    client.run(3000);
    for channel in ["market_trades", "ticker", "level2", "heartbeats"] {
        client.send(&format!(
            r#"{{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"{channel}"}}"#
        ));
    }
    client
}

#[test]
fn one_number_runs_over_all_messages_and_books_follow_their_updates() {
    let mut client = subscribed();
    client.run(8000);
    let mut books: BTreeMap<String, Texts> = BTreeMap::new();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (number, text) in client.texts().iter().enumerate() {
        let message: Value = serde_json::from_str(text).unwrap();
        assert_eq!(message["sequence_num"].as_u64(), Some(number as u64), "{text}");
        let channel = message["channel"].as_str().unwrap();
        *counts.entry(channel.to_owned()).or_default() += 1;
        let event = &message["events"][0];
        if channel == "l2_data" {
            let product = event["product_id"].as_str().unwrap().to_owned();
            if event["type"] == "snapshot" {
                books.insert(product.clone(), Texts::default());
            }
            let book = books.get_mut(&product).unwrap();
            for update in event["updates"].as_array().unwrap() {
                let side = match update["side"].as_str().unwrap() {
                    "bid" => BookSide::Bid,
                    "offer" => BookSide::Ask,
                    other => panic!("{other}"),
                };
                let (price, size) = (&update["price_level"], &update["new_quantity"]);
                for number in [price, size] {
                    let number = number.as_str().unwrap();
                    assert!(!number.contains('.') || !number.ends_with('0'), "{text}");
                }
                book.set(side, price.as_str().unwrap(), size.as_str().unwrap());
            }
            assert!(!book.is_crossed());
        }
    }
    for (product, book) in &books {
        assert!(book.is(client.exchange.book(product).unwrap(), usize::MAX), "{product}");
    }
    assert_eq!(books.len(), 2);
    assert_eq!((counts["subscriptions"], counts["heartbeats"]), (4, 8));
    assert!(counts["market_trades"] > 2 && counts["ticker"] > 10 && counts["l2_data"] > 50);
}

#[test]
fn the_side_of_an_execution_is_the_makers() {
    let mut client = subscribed();
    client.run(8000);
    let mut best: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut checked = 0;
    for text in client.texts() {
        let message: Value = serde_json::from_str(&text).unwrap();
        let event = &message["events"][0];
        let told = |value: &Value| value.as_str().unwrap().to_owned();
        if message["channel"] == "ticker" {
            let ticker = &event["tickers"][0];
            let prices = (told(&ticker["best_bid"]), told(&ticker["best_ask"]));
            best.insert(told(&ticker["product_id"]), prices);
        } else if message["channel"] == "market_trades" && event["type"] == "update" {
            // The newest comes first, so the last one met the best price.
            let trade = event["trades"].as_array().unwrap().last().unwrap();
            let (bid, ask) = &best[trade["product_id"].as_str().unwrap()];
            let maker_sells = trade["side"] == "SELL";
            assert_eq!(trade["price"], *if maker_sells { ask } else { bid });
            checked += 1;
        }
    }
    assert!(checked > 3, "{checked}");
}

#[test]
fn what_cannot_be_subscribed_is_refused_without_a_number() {
    let mut client = Client::connect(Options::new(Venue::Coinbase), "/");
    client.send(r#"{"type":"subscribe","product_ids":["BTC-USD","NO-\"PE"],"channel":"level2"}"#);
    assert_eq!(
        client.texts(),
        [
            r#"{"type":"error","message":"Failed to subscribe","reason":"NO-PE is not a valid product"}"#
        ]
    );
    client.send("nonsense");
    assert!(client.texts()[0].contains(r#""type":"error""#));
    client.run(2000);
    assert!(client.texts().is_empty());
}
