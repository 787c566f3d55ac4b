//! ITCH over SoupBinTCP: a venue that speaks no WebSocket, and that goes on where it was cut off.

use std::collections::VecDeque;

use broker::config::Loader;
use broker::feed::VenueFeed;
use feeds::adapter::DeskOptions;
use feeds::venue::itch;
use serde_json::{Value, json};

use crate::feeds::{broker_with, run_beside};
use crate::harness::soup::{
    Login, SoupVenue, accepted, add, directory, execute, packet, start_of_messages,
};
use crate::harness::{Broker, Client, spawn, within};

const TRADE: &str = "trade.demo.AAPL";
const BOOK: &str = "book.demo.AAPL";

/// A feed from there, of these stocks or, without any, of all.
fn feed(venue: &SoupVenue, symbols: &[&str]) -> VenueFeed {
    let login = itch::Login {
        user: "me".into(),
        password: "secret".into(),
        session: String::new(),
        sequence: 1,
    };
    let desk = DeskOptions {
        venue: "demo".into(),
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
        ..DeskOptions::default()
    };
    let date = "2023-08-22".parse().unwrap();
    let feed = VenueFeed::soup(login, Some(date), desk);
    VenueFeed { url: Some(venue.url()), seed: Some(7), ..feed }
}

/// A day's beginning: two stocks, an order on each side of one, and one of the other. Six messages.
fn morning() -> [Vec<u8>; 6] {
    [
        start_of_messages(),
        directory(7, "AAPL"),
        directory(8, "MSFT"),
        add(7, "AAPL", 11, b'B', 300, 100_0000),
        add(7, "AAPL", 12, b'S', 200, 101_0000),
        add(8, "MSFT", 13, b'B', 5, 30_0000),
    ]
}

/// A client that misses nothing: topics come in no certain order.
struct Ear {
    client: Client,
    kept: VecDeque<Value>,
}

impl Ear {
    fn new(client: Client) -> Self {
        Self { client, kept: VecDeque::new() }
    }

    /// The next message of `topic` that is as wanted; earlier ones of the topic are passed over.
    async fn until(&mut self, topic: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let what = format!("message of {topic} as wanted");
        let listening = async {
            loop {
                let at = self.kept.iter().position(|message| message["topic"] == topic);
                match at.and_then(|at| self.kept.remove(at)) {
                    Some(message) if wanted(&message) => return message,
                    Some(_) => {}
                    None => self.kept.push_back(self.client.next().await),
                }
            }
        };
        within(&what, listening).await
    }

    async fn next_of(&mut self, topic: &str) -> Value {
        self.until(topic, |_| true).await
    }

    /// Waits until the venue's status is `state`; returns the reason.
    async fn status(&mut self, state: &str) -> String {
        let message = self.until("status.demo", |message| message["data"]["state"] == state).await;
        message["data"]["reason"].as_str().unwrap().to_owned()
    }

    /// The next execution of the stock; nothing may be missing before it.
    async fn trade(&mut self) -> Value {
        let message = self.next_of(TRADE).await;
        assert_eq!(message["op"], "event", "{message}");
        assert_eq!(message["data"].get("flags"), None, "{message}");
        message["data"].clone()
    }

    /// Waits until the book is whole.
    async fn whole_book(&mut self) -> Value {
        self.until(BOOK, |message| message["data"]["reset"] == true).await["data"].clone()
    }
}

/// A broker with that feed, and who hears all of it.
async fn listening(feed: &VenueFeed) -> (Broker, Ear) {
    let (broker, client) = broker_with(feed).await;
    (broker, Ear::new(client))
}

#[tokio::test]
async fn what_a_stream_says_reaches_subscribers_however_it_is_cut() {
    let venue = SoupVenue::start().await;
    let (broker, mut ear) = listening(&feed(&venue, &[])).await;
    let (mut socket, login) = venue.accept().await;
    let (user, password) = ("me".to_owned(), "secret".to_owned());
    let (session, sequence) = (String::new(), "1".to_owned());
    assert_eq!(login, Login { user, password, session, sequence });
    let mut bytes = accepted("DAY-1", 1);
    for message in morning().into_iter().chain([execute(7, 12, 50, 901)]) {
        bytes.extend(packet(b'S', &message));
    }
    for piece in bytes.chunks(7) {
        socket.send(piece).await;
    }
    let book = ear.whole_book().await;
    assert_eq!(book["bids"], json!([["100.0000", "300"]]));
    assert_eq!(book.get("flags"), None, "verified: {book}");
    let trade = ear.trade().await;
    assert_eq!((&trade["price"], &trade["size"]), (&json!("101.0000"), &json!("50")));
    assert_eq!((&trade["side"], &trade["trade_id"]), (&json!("buy"), &json!("901")));
    // An hour after midnight in New York, in summer.
    assert_eq!(trade["ts_event"], "1692680400000000000");
    let last = |quote: &Value| quote["data"]["ask_size"] == "150";
    let quote = ear.until("quote.demo.AAPL", last).await;
    assert_eq!(quote["data"]["bid_price"], "100.0000");
    assert_eq!(ear.next_of("book.demo.MSFT").await["data"]["bids"][0][1], "5");
    broker.shut_down().await;
    socket.heard(b'O').await;
    socket.ended().await;
}

#[tokio::test]
async fn only_the_stocks_that_were_named_are_published() {
    let venue = SoupVenue::start().await;
    let (broker, mut ear) = listening(&feed(&venue, &["AAPL"])).await;
    let (mut socket, _) = venue.let_in("DAY-1", 1).await;
    socket.say(&morning()).await;
    socket.say(&[execute(8, 13, 1, 900), execute(7, 12, 50, 901)]).await;
    assert_eq!(ear.trade().await["trade_id"], "901");
    let topics = broker.get("/topics?pattern=*.demo.MSFT").await.json();
    assert_eq!(topics["topics"], json!([]));
}

#[tokio::test]
async fn both_sides_say_that_they_are_there_and_a_venue_that_does_not_is_stale() {
    let venue = SoupVenue::start().await;
    let (_broker, mut ear) = listening(&feed(&venue, &["AAPL"])).await;
    let (mut socket, _) = venue.let_in("DAY-1", 1).await;
    for _ in 0..2 {
        socket.send(&packet(b'H', b"")).await;
        assert_eq!(ear.status("up").await, "messages come");
        assert_eq!(ear.status("stale").await, "nothing came for too long");
    }
    assert!(socket.heard(b'R').await.is_empty());
}

#[tokio::test]
async fn a_refused_login_is_told_and_tried_again() {
    let venue = SoupVenue::start().await;
    let (_broker, mut ear) = listening(&feed(&venue, &["AAPL"])).await;
    assert_eq!(ear.status("down").await, "connecting");
    let (mut socket, _) = venue.accept().await;
    socket.send(&packet(b'J', b"A")).await;
    assert_eq!(ear.status("down").await, "login refused: wrong user or password");
    socket.ended().await;
    let (mut socket, login) = venue.let_in("DAY-1", 1).await;
    assert_eq!(login.place(), ("", "1"));
    socket.send(&packet(b'H', b"")).await;
    ear.status("up").await;
}

#[tokio::test]
async fn after_a_cut_nothing_is_missing_where_the_venue_still_has_it() {
    let venue = SoupVenue::start().await;
    let (_broker, mut ear) = listening(&feed(&venue, &["AAPL"])).await;
    let (mut socket, _) = venue.let_in("DAY-1", 1).await;
    socket.say(&morning()).await;
    socket.say(&[execute(7, 12, 10, 901)]).await;
    assert_eq!(ear.trade().await["trade_id"], "901");
    // In the middle of the next packet.
    let cut_off = execute(7, 12, 10, 902);
    socket.send(&packet(b'S', &cut_off)[..20]).await;
    socket.cut();
    ear.status("down").await;

    let (mut socket, login) = venue.let_in("DAY-1", 8).await;
    assert_eq!(login.place(), ("DAY-1", "8"));
    socket.say(&[cut_off, execute(7, 12, 10, 903)]).await;
    for id in ["902", "903"] {
        assert_eq!(ear.trade().await["trade_id"], id);
    }
    let again = |message: &Value| message["data"]["flags"] == json!(["gap_before"]);
    let book = ear.until(BOOK, again).await["data"].clone();
    assert_eq!((&book["reset"], &book["asks"]), (&json!(true), &json!([["101.0000", "180"]])));
    assert_eq!(book["bids"], json!([["100.0000", "300"]]), "with all that came before");
    socket.cut();

    // It has a part of the day only.
    let (mut socket, login) = venue.let_in("DAY-1", 15).await;
    assert_eq!(login.place(), ("DAY-1", "10"));
    socket.say(&[execute(7, 12, 10, 910)]).await;
    let mut message = ear.next_of(TRADE).await;
    assert_eq!((&message["op"], &message["reason"]), (&json!("gap"), &json!("upstream")));
    message = ear.next_of(TRADE).await;
    assert_eq!(message["data"]["trade_id"], "910");
    let resync = |message: &Value| message["data"]["state"] == "resync";
    let told = ear.until("status.demo.AAPL", resync).await;
    let reason = told["data"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("gap in the venue's sequence"), "{reason}");
}

#[tokio::test]
async fn the_end_of_a_session_leads_to_the_next_from_its_beginning() {
    let venue = SoupVenue::start().await;
    let (_broker, mut ear) = listening(&feed(&venue, &["AAPL"])).await;
    let (mut socket, _) = venue.let_in("DAY-1", 1).await;
    socket.say(&morning()).await;
    socket.say(&[execute(7, 12, 10, 901)]).await;
    assert_eq!(ear.trade().await["trade_id"], "901");
    socket.send(&packet(b'Z', b"")).await;
    let ended = |message: &Value| message["data"]["reason"] == "the venue ended the session";
    assert_eq!(ear.until("status.demo", ended).await["data"]["state"], "down");
    socket.ended().await;
    // Whichever there is now; it is another one, so its beginning is wanted.
    let (mut socket, login) = venue.let_in("DAY-2", 8).await;
    assert_eq!(login.place(), ("", "8"));
    socket.ended().await;
    let (mut socket, login) = venue.let_in("DAY-2", 1).await;
    assert_eq!(login.place(), ("DAY-2", "1"));
    // Numbers of stocks and orders are a day's own.
    socket
        .say(&[
            start_of_messages(),
            directory(9, "AAPL"),
            add(9, "AAPL", 11, b'S', 40, 110_0000),
            execute(9, 11, 15, 20),
        ])
        .await;
    let trade = ear.trade().await;
    assert_eq!((&trade["trade_id"], &trade["price"]), (&json!("20"), &json!("110.0000")));
    let asks = json!([["110.0000", "40"]]);
    let book = ear.until(BOOK, |message| message["data"]["asks"] == asks).await;
    assert_eq!(book["data"]["bids"], json!([]));
    assert_eq!(book["data"]["reset"], true);
}

#[tokio::test]
async fn a_feed_of_its_own_speaks_it_too() {
    let venue = SoupVenue::start().await;
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["*.demo.>", "status.demo"]).await;
    let mut ear = Ear::new(client);
    let (stop, running) =
        run_beside(feed(&venue, &["AAPL"]), format!("ws://{}/ws", broker.address()));
    let (mut socket, _) = venue.let_in("DAY-1", 1).await;
    socket.say(&morning()).await;
    socket.say(&[execute(7, 12, 10, 901)]).await;
    assert_eq!(ear.trade().await["trade_id"], "901");
    assert_eq!(ear.whole_book().await["bids"], json!([["100.0000", "300"]]));
    drop(stop);
    socket.heard(b'O').await;
    socket.ended().await;
    within("end of the feed", running).await.unwrap();
}

#[tokio::test]
async fn the_command_logs_in_as_it_is_told() {
    let venue = SoupVenue::start().await;
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["*.demo.>", "status.demo"]).await;
    let mut ear = Ear::new(client);
    let (url, to) = (venue.url(), format!("ws://{}/ws", broker.address()));
    let arguments = "feed itch-soup --as demo --username me --password secret --session NIGHT-1 \
                     --sequence 1 --date 2023-08-22";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let feed = spawn(&[&arguments[..], &["--url", &url, "--to", &to]].concat());
    let (mut socket, login) = venue.let_in("NIGHT-1", 1).await;
    assert_eq!((&*login.user, &*login.password), ("me", "secret"));
    assert_eq!(login.place(), ("NIGHT-1", "1"));
    socket.say(&morning()).await;
    socket.say(&[execute(7, 12, 10, 901)]).await;
    assert_eq!(ear.trade().await["ts_event"], "1692680400000000000");
    drop(feed);
}

#[tokio::test]
async fn a_feed_of_the_configuration_has_all_stocks_of_the_day() {
    let venue = SoupVenue::start().await;
    let text = format!(
        "[[feed]]\nadapter = \"itch-soup\"\nvenue = \"demo\"\nurl = \"{}\"\nusername = \"me\"\n\
         password = \"secret\"\nsequence = 5\ndate = \"2023-08-22\"\n",
        venue.url()
    );
    let mut loader = Loader::new();
    loader.file("a.toml", text.as_bytes());
    let effective = loader.finish().unwrap();
    assert!(
        !effective.to_toml().contains("secret") && !format!("{effective:?}").contains("secret")
    );
    let broker = Broker::with(|config| {
        config.server.feeds = true;
        config.feeds = effective.config.feeds;
    })
    .await;
    let mut client = broker.client().await;
    client.subscribe(&["*.demo.>"]).await;
    let mut ear = Ear::new(client);
    let (mut socket, login) = venue.let_in("DAY-1", 5).await;
    assert_eq!((&*login.user, &*login.password), ("me", "secret"));
    assert_eq!(login.place(), ("", "5"));
    socket.say(&[add(7, "AAPL", 12, b'S', 200, 101_0000), execute(7, 12, 10, 901)]).await;
    let trade = ear.trade().await;
    assert_eq!(
        (&trade["trade_id"], &trade["ts_event"]),
        (&json!("901"), &json!("1692680400000000000"))
    );
    let status = ear.next_of("status.demo.AAPL").await;
    assert_eq!(status["data"]["reason"], "no book: the beginning of the day was missed");
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    let venue = SoupVenue::start().await;
    let mut broker = Broker::start().await;
    let good = feed(&venue, &[]);
    let nowhere = VenueFeed { url: None, ..good.clone() };
    let socket = VenueFeed { url: Some("ws://127.0.0.1:1".into()), ..good.clone() };
    let mut demand = good;
    demand.desk.on_demand = true;
    for (feed, words) in [(nowhere, "say it as url"), (socket, "tcp://"), (demand, "on_demand")] {
        let error = broker.try_feed(&feed).unwrap_err();
        assert!(format!("{error:#}").contains(words), "{error:#}");
    }
}
