//! Kraken: numbers as they are written, and the checksum that they add up to.

use exchange::{Options, Venue};
use market::BookSide;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::client::{Client, Ladder, Texts};

#[derive(Deserialize)]
struct Message<'a> {
    channel: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    #[serde(borrow)]
    data: Option<Vec<BookData<'a>>>,
}

#[derive(Deserialize)]
struct BookData<'a> {
    #[serde(borrow)]
    bids: Vec<RawLevel<'a>>,
    #[serde(borrow)]
    asks: Vec<RawLevel<'a>>,
    checksum: u32,
}

#[derive(Deserialize)]
struct RawLevel<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

fn checksum(book: &Texts) -> u32 {
    fn digits<'a>(levels: impl Iterator<Item = &'a (String, String)>) -> String {
        let numbers = levels.take(10).flat_map(|(price, size)| [price, size]);
        numbers.map(|number| number.replace('.', "").trim_start_matches('0').to_owned()).collect()
    }
    let best = |side: &Ladder| side.values().cloned().collect::<Vec<_>>();
    let (bids, asks) = (best(&book.bids), best(&book.asks));
    crc32fast::hash((digits(asks.iter()) + &digits(bids.iter().rev())).as_bytes())
}

#[test]
fn every_checksum_is_that_of_the_texts() {
    for depth in [10, 25] {
        let mut client = Client::connect(Options::new(Venue::Kraken), "/v2");
        client.send(&format!(
            r#"{{"method":"subscribe","params":{{"channel":"book","symbol":["BTC/USD"],"depth":{depth}}},"req_id":9}}"#
        ));
        client.run(6000);
        let (mut book, mut checked, mut repeated) = (Texts::default(), 0, 0);
        for text in client.texts() {
            if !text.starts_with(r#"{"channel":"book""#) {
                continue;
            }
            let message: Message<'_> = serde_json::from_str(&text).unwrap();
            assert_eq!(message.channel, Some("book"));
            if message.kind == Some("snapshot") {
                book = Texts::default();
            }
            let data = &message.data.unwrap()[0];
            for (side, levels) in [(BookSide::Bid, &data.bids), (BookSide::Ask, &data.asks)] {
                let mut seen = Vec::new();
                for level in levels {
                    let (price, size) = (level.price.get(), level.qty.get());
                    assert_eq!(price.split_once('.').unwrap().1.len(), 1, "{text}");
                    assert_eq!(size.split_once('.').unwrap().1.len(), 8, "{text}");
                    repeated += usize::from(seen.contains(&price));
                    seen.push(price);
                    book.set(side, price, size);
                }
            }
            book.truncate(depth);
            assert_eq!(checksum(&book), data.checksum, "{text}");
            assert!(!book.is_crossed());
            checked += 1;
        }
        assert!(checked > 100 && repeated > 0, "{checked} {repeated}");
        assert!(book.is(client.exchange.book("BTC/USD").unwrap(), depth));
    }
}

#[test]
fn executions_and_quotes_come_in_their_shapes() {
    let mut client = Client::connect(Options::new(Venue::Kraken), "/v2");
    client.run(4000);
    let status: Value = serde_json::from_str(&client.texts()[0]).unwrap();
    assert!(status["data"][0]["connection_id"].as_u64().unwrap() > 1 << 53);
    client.send(
        r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"]}}"#,
    );
    client.send(r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD"],"event_trigger":"bbo"}}"#);
    client.run(6000);
    let (mut snapshots, mut trades, mut tickers) = (0, 0, 0);
    for text in client.texts() {
        let message: Value = serde_json::from_str(&text).unwrap();
        match (message["channel"].as_str(), message["type"].as_str()) {
            (Some("trade"), Some("snapshot")) => snapshots += 1,
            (Some("trade"), _) => {
                for trade in message["data"].as_array().unwrap() {
                    assert!(trade["price"].is_number() && trade["trade_id"].is_u64());
                    assert!(trade["side"] == "buy" || trade["side"] == "sell");
                    trades += 1;
                }
            }
            (Some("ticker"), _) => {
                assert!(message["data"][0]["bid_qty"].is_number());
                tickers += 1;
            }
            (Some("heartbeat"), _) => {}
            _ => assert_eq!(message["success"], true, "{text}"),
        }
    }
    assert!(snapshots == 2 && trades > 3 && tickers > 10, "{snapshots} {trades} {tickers}");
}

#[test]
fn commands_are_answered_one_symbol_at_a_time() {
    let mut client = Client::connect(Options { rate: 1, ..Options::new(Venue::Kraken) }, "/v2");
    client.texts();
    client.send(r#"{"method":"subscribe","params":{"channel":"book","symbol":["NO/PE","ETH/USD"],"depth":25},"req_id":4}"#);
    let answers: Vec<Value> =
        client.texts().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(answers.len(), 3, "a refusal, an acknowledgement and a snapshot");
    assert_eq!(answers[0]["error"], "Currency pair not supported NO/PE");
    assert_eq!((&answers[0]["success"], &answers[0]["req_id"]), (&false.into(), &4.into()));
    assert_eq!(answers[1]["result"]["depth"], 25);
    assert_eq!(answers[2]["data"][0]["bids"].as_array().unwrap().len(), 25);
    for (sent, key, value) in [
        (
            r#"{"method":"subscribe","params":{"channel":"book","symbol":["ETH/USD"],"depth":25}}"#,
            "error",
            "Already subscribed",
        ),
        (
            r#"{"method":"subscribe","params":{"channel":"book","symbol":["ETH/USD"],"depth":7}}"#,
            "error",
            "Subscription depth not supported",
        ),
        (
            r#"{"method":"unsubscribe","params":{"channel":"book","symbol":["ETH/USD"],"depth":25}}"#,
            "method",
            "unsubscribe",
        ),
        (r#"{"method":"ping","req_id":1}"#, "method", "pong"),
    ] {
        client.send(sent);
        let answer: Value = serde_json::from_str(&client.texts()[0]).unwrap();
        assert_eq!(answer[key], value);
    }
}

#[test]
fn a_quiet_connection_has_heartbeats() {
    let mut client = Client::connect(Options { rate: 1, ..Options::new(Venue::Kraken) }, "/v2");
    client.send(r#"{"method":"subscribe","params":{"channel":"book","symbol":["SOL/USD"]}}"#);
    client.run(20_000);
    let beats = client.texts().iter().filter(|t| *t == r#"{"channel":"heartbeat"}"#).count();
    assert!((5..=20).contains(&beats), "{beats}");
}
