//! Feeds over real sockets: a venue that the test plays, and what subscribers see of it.

use broker::commands::feed::run_until;
use broker::config::{Feed, FeedAdapter, Symbols};
use broker::feed::VenueFeed;
use feeds::adapter::{Rules, SECOND, Streams};
use feeds::venue::Venue;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Broker, Client, RULES, ScriptedVenue, run, spawn, within};

const TRADES: Streams = Streams { trades: true, quotes: false, book: false };

/// The next message of `topic`, past those of other topics.
async fn next_of(client: &mut Client, topic: &str) -> Value {
    loop {
        let message = client.next().await;
        if message["topic"] == topic {
            return message;
        }
    }
}

/// Waits for the trade of that id. Topics come in no certain order, so others may come before.
async fn trade(client: &mut Client, symbol: &str, id: u64) {
    let (topic, id) = (format!("trade.demo.{symbol}"), json!(id.to_string()));
    while next_of(client, &topic).await["data"]["trade_id"] != id {}
}

/// Waits until the venue's status is `state`; returns the reason.
async fn status(client: &mut Client, state: &str) -> String {
    loop {
        let message = next_of(client, "status.demo").await;
        if message["data"]["state"] == state {
            return message["data"]["reason"].as_str().unwrap().to_owned();
        }
    }
}

/// A broker with that feed, and a client that hears all of it.
pub(crate) async fn broker_with(feed: &VenueFeed) -> (Broker, Client) {
    let mut broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["*.demo.>", "status.demo"]).await;
    broker.feed(feed);
    (broker, client)
}

#[tokio::test]
async fn what_a_venue_says_reaches_subscribers_and_a_cut_is_seen_and_healed() {
    let venue = ScriptedVenue::start().await;
    let (broker, mut client) = broker_with(&venue.feed(RULES, &["A-B", "x-z=c-d"])).await;
    let mut socket = venue.accept().await;
    for wanted in ["trades A-B", "quotes A-B", "book A-B", "trades c-d", "quotes c-d", "book c-d"] {
        assert_eq!(socket.heard().await, format!("subscribe {wanted}"));
    }
    assert_eq!(status(&mut client, "down").await, "connecting");
    socket.trade("A-B", 1).await;
    assert_eq!(status(&mut client, "up").await, "messages come");
    socket.trade("A-B", 5).await;
    trade(&mut client, "A-B", 5).await;
    socket.book("c-d", true, 10).await;
    let book = next_of(&mut client, "book.demo.x-z").await;
    assert_eq!(book["data"]["bids"], json!([["10", "2"]]));
    assert_eq!(broker.native("book.demo.x-z").await, "c-d");
    let bar = next_of(&mut client, "bar-1s.demo.A-B").await;
    assert_eq!(bar["data"]["close"], "1", "made here, of the trades");
    assert_eq!(broker.native("bar-1s.demo.A-B").await, "A-B");

    // A ping is answered, whatever else goes on.
    socket.send(Message::Ping("are you there".into())).await;
    socket.cut();
    assert!(!status(&mut client, "down").await.is_empty());
    let mut socket = venue.accept().await;
    assert_eq!(socket.heard().await, "subscribe trades A-B", "everything anew");
    socket.book("A-B", true, 20).await;
    status(&mut client, "up").await;
    socket.say(json!({"t": "reconnect"})).await;
    assert_eq!(status(&mut client, "down").await, "the venue asks for it");
    let mut socket = venue.accept().await;
    socket.trade("A-B", 2).await;
    status(&mut client, "up").await;
    broker.shut_down().await;
    socket.ended().await;
}

#[tokio::test]
async fn a_venue_that_is_not_there_is_down_and_says_why() {
    let venue = ScriptedVenue::start().await;
    let feed = venue.feed(RULES, &["A-B"]);
    let address = venue.address().to_string();
    drop(venue);
    let (broker, mut client) = broker_with(&feed).await;
    let mut reason = status(&mut client, "down").await;
    while reason == "connecting" {
        reason = status(&mut client, "down").await;
    }
    assert!(reason.contains(&address), "{reason}");
    broker.shut_down().await;
}

#[tokio::test]
async fn a_rest_interface_that_has_enough_is_asked_again_after_its_pause() {
    let venue = ScriptedVenue::start().await;
    let (_broker, mut client) = broker_with(&venue.feed(RULES, &["A-B"])).await;
    let mut socket = venue.accept().await;
    socket.say(json!({"t": "fetch", "path": "/depth?symbol=A-B"})).await;
    let (path, stream) = venue.asked().await;
    assert_eq!(path, "/depth?symbol=A-B");
    ScriptedVenue::answer(stream, "429 Too Many Requests", "Retry-After: 1\r\n", "later").await;
    let (path, stream) = venue.asked().await;
    assert_eq!(path, "/depth?symbol=A-B");
    // Cut in the middle of the answer: no answer, and so it is asked once more.
    drop(stream);
    let (_, stream) = venue.asked().await;
    let body = json!({"t": "book", "s": "A-B", "reset": true, "price": 30}).to_string();
    ScriptedVenue::answer(stream, "200 OK", "", &body).await;
    let book = next_of(&mut client, "book.demo.A-B").await;
    assert_eq!(book["data"]["asks"], json!([["31", "3"]]));
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_its_own_connection_and_no_other() {
    let venue = ScriptedVenue::start().await;
    let mut feed = venue.feed(Rules { streams: 1, ..RULES }, &["A-B", "C-D"]);
    feed.desk.streams = TRADES;
    let (_broker, mut client) = broker_with(&feed).await;
    // Which of the two connects first is not said.
    let mut first = venue.accept().await;
    let mut second = venue.accept().await;
    if first.heard().await != "subscribe trades A-B" {
        std::mem::swap(&mut first, &mut second);
        assert_eq!(first.heard().await, "subscribe trades A-B");
    } else {
        assert_eq!(second.heard().await, "subscribe trades C-D");
    }
    first.trade("A-B", 1).await;
    second.trade("C-D", 1).await;
    assert_eq!(status(&mut client, "up").await, "all of 2 connections are up");
    let longest = "x".repeat(RULES.message_bytes);
    first.send(Message::text(longest.clone())).await;
    first.trade("A-B", 2).await;
    // A message of the greatest length is no harm.
    trade(&mut client, "A-B", 2).await;
    first.send(Message::text(longest + "x")).await;
    let reason = status(&mut client, "down").await;
    assert_eq!(reason, "connection 1 of 2: a message is longer than 65536 bytes");
    let mut again = venue.accept().await;
    assert_eq!(again.heard().await, "subscribe trades A-B");
    second.trade("C-D", 2).await;
    // The other connection lives on.
    trade(&mut client, "C-D", 2).await;
    again.trade("A-B", 3).await;
    assert_eq!(status(&mut client, "up").await, "all of 2 connections are up");
}

#[tokio::test]
async fn a_silent_venue_is_stale_until_it_speaks_again() {
    let venue = ScriptedVenue::start().await;
    let rules = Rules { stale_after: SECOND / 2, ..RULES };
    let (_broker, mut client) = broker_with(&venue.feed(rules, &["A-B"])).await;
    let mut socket = venue.accept().await;
    for id in 1..=2 {
        socket.trade("A-B", id).await;
        trade(&mut client, "A-B", id).await;
        assert_eq!(status(&mut client, "stale").await, "silent");
    }
}

#[tokio::test]
async fn a_venue_that_gives_no_byte_any_more_is_left() {
    let venue = ScriptedVenue::start().await;
    let rules = Rules { dead_after: SECOND, ..RULES };
    let (_broker, mut client) = broker_with(&venue.feed(rules, &["A-B"])).await;
    let mut socket = venue.accept().await;
    socket.trade("A-B", 1).await;
    status(&mut client, "up").await;
    // Its socket stays open, and says nothing: half open, as far as anybody can tell.
    assert_eq!(status(&mut client, "down").await, "nothing came for 1 s");
    let mut next = venue.accept().await;
    next.trade("A-B", 2).await;
    status(&mut client, "up").await;
}

#[tokio::test]
async fn a_connection_is_renewed_before_the_venue_cuts_it() {
    let venue = ScriptedVenue::start().await;
    let rules = Rules { lifetime: Some(2 * SECOND), ..RULES };
    let (_broker, mut client) = broker_with(&venue.feed(rules, &["A-B"])).await;
    let mut socket = venue.accept().await;
    socket.trade("A-B", 1).await;
    status(&mut client, "up").await;
    assert_eq!(status(&mut client, "down").await, "renewed before the venue cuts it");
    socket.ended().await;
    let mut next = venue.accept().await;
    next.trade("A-B", 2).await;
    status(&mut client, "up").await;
}

#[tokio::test]
async fn upstream_follows_demand() {
    let venue = ScriptedVenue::start().await;
    let mut feed = venue.feed(RULES, &["A-B", "C-D"]);
    feed.desk.on_demand = true;
    feed.linger = std::time::Duration::ZERO;
    let mut broker = Broker::start().await;
    broker.feed(&feed);
    let mut client = broker.client().await;
    client.subscribe(&["status.demo"]).await;
    assert_eq!(status(&mut client, "down").await, "nobody subscribes");
    client.subscribe(&["book.demo.C-D"]).await;
    let mut socket = venue.accept().await;
    assert_eq!(socket.heard().await, "subscribe book C-D", "and nothing else");
    let mut other = broker.client().await;
    other.subscribe(&["trade.demo.*"]).await;
    let mut heard = [socket.heard().await, socket.heard().await];
    heard.sort();
    assert_eq!(heard, ["subscribe trades A-B", "subscribe trades C-D"]);
    client.unsubscribe(&["book.demo.C-D"]).await;
    assert_eq!(socket.heard().await, "unsubscribe book C-D");
    socket.trade("A-B", 1).await;
    trade(&mut other, "A-B", 1).await;
    other.vanish();
    socket.ended().await;
    assert_eq!(status(&mut client, "down").await, "nobody subscribes");
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_before_anything_runs() {
    let venue = ScriptedVenue::start().await;
    let mut broker = Broker::start().await;
    let good = venue.feed(RULES, &["A-B"]);
    let two = venue.feed(RULES, &["a-b", "A-B"]);
    let none = venue.feed(RULES, &[]);
    let elsewhere = VenueFeed { url: Some("http://x".into()), ..good.clone() };
    let mut many = venue.feed(RULES, &["A-B", "C-D"]);
    many.desk.symbols_max = 1;
    for (feed, words) in
        [(two, "both A-B"), (none, "no symbols"), (elsewhere, "ws://"), (many, "symbols_max")]
    {
        let error = broker.try_feed(&feed).unwrap_err();
        assert!(format!("{error:#}").contains(words), "{error:#}");
    }
}

/// A feed in a process of its own, but for the process.
pub(crate) fn run_beside(
    feed: VenueFeed,
    to: String,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        run_until(&feed, &to, 1 << 20, stopped).await.unwrap();
    });
    (stop, running)
}

#[tokio::test]
async fn a_feed_of_its_own_publishes_the_same_and_outlives_its_broker() {
    let venue = ScriptedVenue::start().await;
    let broker = Broker::start().await;
    let address = broker.address();
    let mut client = broker.client().await;
    client.subscribe(&["*.demo.>", "status.demo"]).await;
    let feed = venue.feed(RULES, &["A-B"]);
    let (stop, running) = run_beside(feed, format!("ws://{address}/ws"));
    let mut socket = venue.accept().await;
    socket.trade("A-B", 1).await;
    status(&mut client, "up").await;
    socket.trade("A-B", 5).await;
    trade(&mut client, "A-B", 5).await;
    socket.book("A-B", true, 10).await;
    let book = next_of(&mut client, "book.demo.A-B").await;
    assert_eq!(book["data"]["bids"], json!([["10", "2"]]));
    assert_eq!(broker.native("book.demo.A-B").await, "A-B");
    broker.shut_down().await;

    // Nobody is there to take these.
    socket.trade("A-B", 2).await;
    socket.book("A-B", false, 10).await;
    socket.trade("A-B", 3).await;
    let broker = Broker::with(|config| config.server.listen = address).await;
    let mut client = broker.client().await;
    client.subscribe_with(&["trade.demo.A-B"], json!({"history": 10})).await;
    client.subscribe(&["book.demo.A-B", "status.demo"]).await;
    let mut seen = Vec::new();
    let mut trades = Vec::new();
    // Of another broker, which knew nothing: both trades, the status, and the book as a whole.
    while trades.len() < 2 || seen.len() < 2 {
        let message = client.next().await;
        let topic = message["topic"].as_str().unwrap_or_default().to_owned();
        match topic.as_str() {
            "trade.demo.A-B" => trades.push(message["data"]["trade_id"].clone()),
            // That something is missing is said before it.
            "book.demo.A-B" if message["op"] != "gap" => {
                assert_eq!(message["data"]["bids"], json!([["10", "2"]]), "{message}");
                seen.push(topic);
            }
            "status.demo" if message["data"]["state"] == "up" => seen.push(topic),
            _ => {}
        }
    }
    assert_eq!(trades, ["2", "3"]);
    seen.sort();
    assert_eq!(seen, ["book.demo.A-B", "status.demo"]);

    drop(stop);
    assert_eq!(status(&mut client, "down").await, "the feed was stopped");
    within("end of the feed", running).await.unwrap();
}

#[tokio::test]
async fn a_feed_of_its_own_that_is_killed_is_down_for_everybody() {
    let exchange = ScriptedVenue::start().await;
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["status.demo"]).await;
    let (url, to) =
        (format!("ws://{}", exchange.address()), format!("ws://{}/ws", broker.address()));
    let arguments = ["feed", "kraken", "--symbols", "BTC/USD", "--as", "demo"];
    let killed = spawn(&[&arguments[..], &["--url", &url, "--to", &to]].concat());
    let mut socket = exchange.accept().await;
    socket.heard().await;
    socket.send(Message::text(r#"{"channel":"heartbeat"}"#)).await;
    status(&mut client, "up").await;
    // SIGKILL: it cannot say anything any more.
    drop(killed);
    let reason = status(&mut client, "down").await;
    assert_eq!(reason, "the connection of the process that fed it ended");
}

#[tokio::test]
async fn a_venue_of_the_configuration_is_spoken_with_in_its_own_protocol() {
    let venue = ScriptedVenue::start().await;
    let feed = Feed {
        adapter: FeedAdapter::Venue(Venue::Kraken),
        venue: "demo".into(),
        symbols: Symbols::Listed(vec!["XBT/USD".into()]),
        url: format!("ws://{}", venue.address()),
        ..Feed::default()
    };
    let broker = Broker::with(|config| {
        config.server.feeds = true;
        config.feeds = vec![feed];
    })
    .await;
    let mut client = broker.client().await;
    client.subscribe(&["status.demo"]).await;
    let mut socket = venue.accept().await;
    let asked: Value = serde_json::from_str(&socket.heard().await).unwrap();
    assert_eq!(asked["method"], "subscribe");
    socket.send(Message::text(r#"{"channel":"heartbeat"}"#)).await;
    status(&mut client, "up").await;
}

#[tokio::test]
async fn the_command_refuses_what_makes_no_sense() {
    for (arguments, words) in [
        ("nowhere --symbols A", "no venue; there are"),
        ("kraken --symbols BTC/USD --url http://x", "ws:// or wss://"),
        ("kraken --symbols BTC/USD --to wss://x", "TLS to a broker"),
        ("kraken --symbols BTC/USD,XBT/USD", "both BTC-USD"),
        ("kraken --symbols BTC/USD --streams candles", "candles"),
        ("kraken --symbols BTC/USD --as a.b", "--as a.b"),
        ("coinbase --symbols BTC-USD --depth 5", "--depth 5: coinbase takes no depth"),
        ("okx --symbols BTC-USDT --depth 401", "okx takes 1 to 400"),
        ("kraken", "--symbols: which?"),
        ("kraken --symbols BTC/USD --session x", "--session: kraken has no login"),
        ("itch-soup --symbols A", "say it as url"),
        ("itch-soup --url ws://127.0.0.1:1", "tcp://"),
        ("itch-soup --url tcp://127.0.0.1:1 --username SEVENED", "--username: too long"),
        ("itch-mold --symbols A", "files and captured packets only"),
    ] {
        let output =
            run(&["feed"].into_iter().chain(arguments.split(' ')).collect::<Vec<_>>()).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(words), "{arguments}: {said}");
    }
}
