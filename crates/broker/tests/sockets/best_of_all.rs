//! `nbbo.<symbol>`: the best bid and offer of all venues, whoever publishes them.

use broker::config::{Feed, FeedAdapter, Symbols};
use serde_json::{Value, json};

use crate::harness::{Broker, Client};

fn quote(bid: &str, ask: &str) -> Value {
    json!({ "bid_price": bid, "bid_size": "1", "ask_price": ask, "ask_size": "2" })
}

/// The next event of the topic: best bid and where, best ask and where, how many venues.
async fn best(client: &mut Client) -> String {
    let data = client.expect("event").await["data"].clone();
    let side = |side: &str| match data[format!("{side}_price")].as_str() {
        Some(price) => format!("{price}@{}", data[format!("{side}_venue")].as_str().unwrap()),
        None => "-".to_owned(),
    };
    format!("{} {} of {}", side("bid"), side("ask"), data["venues"])
}

#[tokio::test]
async fn the_best_of_each_side_over_all_publishers_until_they_are_gone_or_not_to_be_trusted() {
    let broker = Broker::start().await;
    let (mut one, mut other) = (broker.client().await, broker.msgpack_client().await);
    let mut client = broker.client().await;
    client.subscribe(&["nbbo.BTC-USD"]).await;
    one.publish("quote.a.BTC-USD", quote("100", "103")).await;
    assert_eq!(best(&mut client).await, "100@a 103@a of 1");
    other.publish("quote.b.BTC-USD", quote("101", "104")).await;
    assert_eq!(best(&mut client).await, "101@b 103@a of 2");
    broker
        .post(
            "/publish",
            &json!({"topic": "quote.c.BTC-USD", "data": quote("99", "102")}).to_string(),
        )
        .await;
    assert_eq!(best(&mut client).await, "101@b 102@c of 3");
    // Worse than the best: no news. A replayed one: none either.
    one.publish("quote.a.BTC-USD", quote("99", "105")).await;
    let mut replayed = quote("900", "901");
    replayed["flags"] = json!(["replayed"]);
    one.publish("quote.old.BTC-USD", replayed).await;
    other.publish("status.b", json!({"state": "stale", "reason": "silent"})).await;
    assert_eq!(best(&mut client).await, "99@a 102@c of 2");
    other.publish("status.b", json!({"state": "up", "reason": "messages come"})).await;
    assert_eq!(best(&mut client).await, "101@b 102@c of 3");
    other.publish("status.b.BTC-USD", json!({"state": "resync", "reason": "a gap"})).await;
    assert_eq!(best(&mut client).await, "99@a 102@c of 2");
    // Nobody stands for its quotes any more.
    one.vanish();
    assert_eq!(best(&mut client).await, "99@c 102@c of 1");
    other.close().await;

    // Who comes later begins with what is best now.
    let mut late = broker.client().await;
    late.subscribe(&["nbbo.>"]).await;
    let snapshot = late.expect("snapshot").await;
    assert_eq!(
        (&snapshot["topic"], &snapshot["data"]["bid_venue"]),
        (&json!("nbbo.BTC-USD"), &json!("c"))
    );
}

#[tokio::test]
async fn feeds_of_the_broker_take_part() {
    let sim = |venue: &str, seed| Feed {
        adapter: FeedAdapter::Sim,
        venue: venue.into(),
        symbols: Symbols::Count(2),
        updates_per_second: 200,
        seed,
        ..Feed::default()
    };
    let broker = Broker::with(|config| {
        config.server.feeds = true;
        config.feeds = vec![sim("sim", 1), sim("simx", 2)];
    })
    .await;
    let mut client = broker.client().await;
    client.subscribe(&["nbbo.*"]).await;
    let mut seen = std::collections::HashSet::new();
    while seen.len() < 8 {
        let message = client.next().await;
        let data = &message["data"];
        if data["venues"] == 2 {
            for side in ["bid", "ask"] {
                let venue = data[format!("{side}_venue")].as_str().unwrap().to_owned();
                seen.insert((message["topic"].to_string(), side, venue));
            }
        }
    }
}
