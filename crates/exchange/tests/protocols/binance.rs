//! Binance: diffs that continue one another, snapshots that they can be spliced to.

use exchange::{Effect, Options, Venue};
use market::BookSide;
use serde_json::Value;

use crate::client::{Client, Texts};

fn messages(client: &mut Client) -> Vec<Value> {
    client.texts().iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[test]
fn a_snapshot_of_any_moment_is_spliced_and_stays_right() {
    let mut client =
        Client::connect(Options::new(Venue::Binance), "/stream?streams=btcusdt@depth@100ms");
    let mut snapshots = Vec::new();
    for _ in 0..100 {
        client.run(37);
        let reply = client.exchange.request("/api/v3/depth?symbol=BTCUSDT&limit=5000", client.now);
        assert_eq!((reply.status, reply.delay), (200, 0));
        snapshots.push(serde_json::from_str::<Value>(&reply.body).unwrap());
    }
    client.run(3000);
    let diffs: Vec<Value> =
        messages(&mut client).into_iter().map(|message| message["data"].clone()).collect();
    let mut number = None;
    for data in &diffs {
        assert_eq!((&data["e"], &data["s"]), (&"depthUpdate".into(), &"BTCUSDT".into()));
        let (first, end) = (data["U"].as_u64().unwrap(), data["u"].as_u64().unwrap());
        assert!(first <= end && number.is_none_or(|number| first == number + 1), "{data}");
        number = Some(end);
        for price in ["b", "a"].iter().flat_map(|key| data[key].as_array().unwrap()) {
            assert_eq!(price[0].as_str().unwrap().split_once('.').unwrap().1.len(), 8);
        }
    }
    let (mut in_the_middle, mut unknown) = (0, 0);
    for snapshot in snapshots {
        let last = snapshot["lastUpdateId"].as_u64().unwrap();
        let mut book = Texts::default();
        book.set_all(BookSide::Bid, &snapshot["bids"]);
        book.set_all(BookSide::Ask, &snapshot["asks"]);
        assert!(book.is(&client.exchange.book_at("BTCUSDT", last).unwrap(), usize::MAX));
        let kept = diffs.iter().skip_while(|data| data["u"].as_u64().unwrap() <= last);
        for (place, data) in kept.enumerate() {
            let (first, end) = (data["U"].as_u64().unwrap(), data["u"].as_u64().unwrap());
            if place == 0 {
                assert!(first <= last + 1 && last < end, "{first} {last} {end}");
                in_the_middle += usize::from(first <= last);
            }
            for (ladder, key) in [(&book.bids, "b"), (&book.asks, "a")] {
                for level in data[key].as_array().unwrap() {
                    let price = level[0].as_str().unwrap().parse().unwrap();
                    let gone = level[1] == "0.00000000";
                    unknown += usize::from(gone && !ladder.contains_key(&price));
                }
            }
            book.set_all(BookSide::Bid, &data["b"]);
            book.set_all(BookSide::Ask, &data["a"]);
            assert!(!book.is_crossed());
            if place < 5 {
                let truth = client.exchange.book_at("BTCUSDT", end).unwrap();
                assert!(book.is(&truth, usize::MAX), "{last} {end}");
            }
        }
        assert!(book.is(client.exchange.book("BTCUSDT").unwrap(), usize::MAX));
    }
    assert!(in_the_middle > 30 && unknown > 30, "{in_the_middle} {unknown}");
}

#[test]
fn executions_and_quotes_come_in_their_shapes() {
    let mut client = Client::connect(Options::new(Venue::Binance), "/ws/ethusdt@bookTicker");
    client.send(r#"{"method":"SUBSCRIBE","params":["ethusdt@trade","ethusdt@aggTrade","nosuch@trade"],"id":"x-1"}"#);
    client.run(4000);
    let (mut best, mut trades, mut aggregates, mut quotes) = (None, 0, 0, 0);
    for message in messages(&mut client) {
        if message.get("result").is_some() {
            assert_eq!(message, serde_json::json!({"result": null, "id": "x-1"}));
        } else if message["e"] == "trade" {
            trades += 1;
            assert!(message["t"].is_u64() && message["p"].is_string() && message["M"] == true);
            // The first execution of an order is at the best price: sold into the bid, or bought.
            let key = if message["m"] == true { "b" } else { "a" };
            if let Some((quote, true)) = &best {
                let quote: &Value = quote;
                assert_eq!(message["p"], quote[key], "{message} {quote}");
            }
            best = best.map(|(quote, _)| (quote, false));
        } else if message["e"] == "aggTrade" {
            aggregates += 1;
            assert_eq!(message["f"], message["l"]);
        } else {
            quotes += 1;
            assert_eq!(message["s"], "ETHUSDT");
            assert!(message.get("e").is_none() && message.get("E").is_none());
            best = Some((message, true));
        }
    }
    assert!(trades > 3 && aggregates == trades && quotes > 10, "{trades} {aggregates} {quotes}");
}

#[test]
fn control_messages_are_answered_or_refused() {
    let mut client = Client::connect(Options::new(Venue::Binance), "/ws");
    for (sent, answer) in [
        (
            r#"{"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":1}"#,
            r#"{"result":null,"id":1}"#,
        ),
        (
            r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":null}"#,
            r#"{"result":null,"id":null}"#,
        ),
        (r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, r#"{"result":["btcusdt@trade"],"id":3}"#),
    ] {
        client.send(sent);
        assert_eq!(client.texts(), [answer]);
    }
    client.run(1100);
    client.send(r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":4}"#);
    client.texts();
    for (sent, code) in [(r#"{"method":"SUBSCRIBE","params":["btcusdt"],"id":5}"#, 2), ("{", 3)] {
        client.send(sent);
        assert_eq!(messages(&mut client)[0]["code"], code);
    }
    client.run(3000);
    assert!(client.texts().is_empty(), "everything was unsubscribed");
    for id in 0..6 {
        client.send(&format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#));
    }
    let last = client.deliveries.pop().unwrap();
    assert!(
        matches!(last.effect, Effect::Close { code: 1008, .. }),
        "six in a second are too many"
    );
    assert_eq!(client.exchange.connections(), 0);
}

#[test]
fn it_pings_every_twenty_seconds() {
    let mut client = Client::connect(Options::new(Venue::Binance), "/ws");
    client.run(45_000);
    let pings = client.deliveries.iter().filter(|d| matches!(d.effect, Effect::Ping(_))).count();
    assert_eq!(pings, 2);
}

#[test]
fn rest_answers_and_refuses() {
    let mut client = Client::connect(Options::new(Venue::Binance), "/ws");
    let mut get = |target: &str| {
        let reply = client.exchange.request(target, client.now);
        (reply.status, serde_json::from_str::<Value>(&reply.body).unwrap())
    };
    let (status, depth) = get("/api/v3/depth?symbol=BTCUSDT&limit=5");
    assert_eq!((status, depth["bids"].as_array().unwrap().len()), (200, 5));
    assert_eq!(get("/api/v3/depth?symbol=NOPE").1["code"], -1121);
    assert_eq!(get("/api/v3/depth").0, 400);
    let (_, all) = get("/api/v3/exchangeInfo");
    let names: Vec<_> = all["symbols"].as_array().unwrap().iter().map(|s| &s["symbol"]).collect();
    assert_eq!(names, ["BTCUSDT", "ETHUSDT", "SOLUSDT"]);
    let (_, one) = get("/api/v3/exchangeInfo?symbol=ETHUSDT");
    assert_eq!(one["symbols"][0]["baseAsset"], "ETH");
    assert_eq!(one["symbols"][0]["filters"][0]["tickSize"], "0.01000000");
    assert_eq!(get("/nothing").0, 404);
}
