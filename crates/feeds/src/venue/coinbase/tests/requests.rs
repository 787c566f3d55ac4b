//! What is asked of the venue, and when it is asked again.

use crate::adapter::{Stream, Streams};

use super::*;

#[test]
fn heartbeats_are_subscribed_first_and_then_each_channel_for_all_products() {
    let line = Line::open();
    let told: Vec<_> = line
        .sent
        .iter()
        .map(|command| {
            (command["type"].as_str(), command["channel"].as_str(), &command["product_ids"])
        })
        .collect();
    let both = serde_json::json!(["BTC-USD", "ETH-USD"]);
    let none = serde_json::Value::Null;
    let expected =
        [("heartbeats", &none), ("market_trades", &both), ("ticker", &both), ("level2", &both)];
    assert_eq!(
        told,
        expected.map(|(channel, products)| (Some("subscribe"), Some(channel), products))
    );
    let symbols: Vec<String> = (0..250).map(|n| format!("C{n}-USD")).collect();
    let streams = Streams { book: true, ..Streams::NONE };
    let mut many = Line::of(DeskOptions { symbols, streams, ..DeskOptions::default() });
    many.input(Input::Connected);
    let sizes: Vec<_> =
        many.sent.iter().map(|c| c["product_ids"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(sizes, [0, 100, 100, 50]);
}

#[test]
fn a_snapshot_is_asked_for_again_later_each_time() {
    let mut line = Line::open();
    line.live().sent.clear();
    let mut waits = Vec::new();
    for _ in 0..9 {
        // Crossed.
        line.book("update", "BTC-USD", &[("bid", "70000", "1")]);
        assert_eq!(line.state(0), BookState::Resyncing);
        if line.sent.is_empty() {
            let broke = line.now;
            line.wake();
            waits.push((line.now - broke) / SECOND);
        }
        assert_eq!(line.sent.len(), 2);
        line.sent.clear();
        line.wake_at = None;
        line.book("snapshot", "BTC-USD", &BTC);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64]);
    // Right for a minute: at once again.
    line.now += 61 * SECOND;
    line.book("update", "BTC-USD", &[("bid", "70000", "1")]);
    assert_eq!(line.sent.len(), 2);
}

#[test]
fn a_snapshot_that_does_not_come_is_asked_for() {
    let mut line = Line::open();
    line.book("snapshot", "BTC-USD", &BTC);
    line.sent.clear();
    line.wake();
    assert_eq!((line.now - T0) / SECOND, 10);
    let asked: Vec<_> =
        line.sent.iter().map(|command| command["product_ids"][0].as_str()).collect();
    assert_eq!(asked, [Some("ETH-USD"); 2]);
    line.wake();
    assert_eq!((line.now - T0) / SECOND, 20);
    assert_eq!(line.sent.len(), 4);
}

#[test]
fn a_product_that_is_refused_is_asked_for_alone_once_and_then_told_of() {
    let mut line = Line::open();
    line.sent.clear();
    let answer = r#"{"heartbeats":["heartbeats"],"market_trades":["BTC-USD","ETH-USD"],"ticker":["BTC-USD","ETH-USD"]}"#;
    line.acknowledge(answer).acknowledge(answer).acknowledge(answer);
    assert!(line.sent.is_empty(), "an answer is still due");
    line.text(r#"{"type":"error","message":"ETH-USD is not a valid product"}"#);
    let alone: Vec<_> =
        line.sent.iter().map(|command| command["product_ids"].to_string()).collect();
    assert_eq!(alone, [r#"["BTC-USD"]"#, r#"["ETH-USD"]"#]);
    assert_eq!(line.reports.len(), 1);
    let answer = answer.replace("}", r#","level2":["BTC-USD"]}"#);
    line.acknowledge(&answer).text(r#"{"type":"error","message":"no"}"#);
    assert_eq!(line.states("status.coinbase.ETH-USD"), [VenueState::Down]);
    assert!(line.states("status.coinbase.BTC-USD").is_empty());
    line.sent.clear();
    line.book("snapshot", "BTC-USD", &BTC);
    for _ in 0..20 {
        line.text(r#"{"type":"error","message":"no"}"#);
    }
    if line.wake_at.is_some() {
        line.wake();
    }
    assert!(line.sent.is_empty(), "no storm: {:?}", line.sent);
    assert!(line.reports.len() <= 10);
}

#[test]
fn demand_opens_and_closes_streams() {
    let symbols = vec!["BTC-USD".to_owned()];
    let mut line = Line::of(DeskOptions { symbols, on_demand: true, ..DeskOptions::default() });
    line.input(Input::Connected);
    assert_eq!(line.sent.len(), 1, "heartbeats keep the connection");
    let demand = |wanted| Input::Demand { symbol: SymbolId(0), stream: Stream::Book, wanted };
    line.input(demand(true)).input(demand(true)).book("snapshot", "BTC-USD", &BTC);
    assert_eq!(line.state(0), BookState::Verified);
    line.input(demand(false));
    let told: Vec<_> = line.sent.iter().map(|c| c["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["subscribe", "subscribe", "unsubscribe"]);
    assert_eq!(line.state(0), BookState::Resyncing);
    // Still under way.
    line.book("update", "BTC-USD", &[("bid", "1", "1")]);
    if line.wake_at.is_some() {
        line.wake();
    }
    assert_eq!(line.sent.len(), 3, "nobody wants it");
}

#[test]
fn a_usdc_product_is_told_of_as_its_usd_product() {
    let symbols = vec!["BTC-USDC".to_owned(), "ETH-USD".to_owned(), "ETH-USDC".to_owned()];
    let mut line = Line::of(DeskOptions { symbols, ..DeskOptions::default() });
    line.input(Input::Connected).live();
    assert_eq!(line.best(0)[0].as_deref(), Some("64000.50 0.25"));
    assert_eq!((line.counts(1).snapshots, line.counts(2).snapshots), (1, 0));
}
