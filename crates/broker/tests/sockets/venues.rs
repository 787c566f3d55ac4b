//! `config/venues.toml` as it stands: a broker that speaks with three simulated exchanges over
//! real sockets, and what a subscriber has of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use broker::commands::feed::run_until;
use broker::commands::sim_exchange::Server;
use broker::config::{Config, FeedAdapter, Loader};
use broker::feed::VenueFeed;
use exchange::{Options, Venue};
use feeds::adapter::DeskOptions;
use market::{Aggressor, Decimal};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::harness::{Broker, Client, Follower, within};

const FILE: &str = include_str!("../../../../config/venues.toml");

/// A venue of the file: its port there, and its symbols as it spells them and as topics do.
struct Listed {
    venue: Venue,
    port: &'static str,
    symbols: [(&'static str, &'static str); 2],
}

const LISTED: [Listed; 3] = [
    Listed {
        venue: Venue::Binance,
        port: "9101",
        symbols: [("BTCUSDT", "BTC-USDT"), ("ETHUSDT", "ETH-USDT")],
    },
    Listed {
        venue: Venue::Coinbase,
        port: "9102",
        symbols: [("BTC-USD", "BTC-USD"), ("ETH-USD", "ETH-USD")],
    },
    Listed {
        venue: Venue::Kraken,
        port: "9103",
        symbols: [("BTC/USD", "BTC-USD"), ("ETH/USD", "ETH-USD")],
    },
];

/// The exchanges, in the order of [`LISTED`].
struct Exchanges(Vec<Server>);

impl Exchanges {
    async fn open() -> Self {
        let mut servers = Vec::new();
        for listed in &LISTED {
            servers.push(Server::start(Options::new(listed.venue), 0).await.unwrap());
        }
        Self(servers)
    }

    /// What the file says, with these exchanges' ports.
    fn config(&self) -> Config {
        let mut text = FILE.to_owned();
        for (listed, server) in LISTED.iter().zip(&self.0) {
            let address = format!("127.0.0.1:{}", listed.port);
            assert!(text.contains(&format!("\"ws://{address}\"")), "{address} is not in the file");
            text = text.replace(&address, &server.address().to_string());
        }
        let mut loader = Loader::new();
        loader.file("venues.toml", text.as_bytes());
        let mut config = loader.finish().unwrap().config;
        assert_eq!(config.feeds.len(), LISTED.len());
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config
    }

    async fn broker(&self) -> Broker {
        Broker::with(|config| *config = self.config()).await
    }

    /// The feeds of the file as `tickwire feed` runs them; the sender gone ends one.
    fn feeds(&self, broker: SocketAddr) -> Vec<oneshot::Sender<()>> {
        let run = |feed: broker::config::Feed| {
            let FeedAdapter::Venue(venue) = feed.adapter else { panic!("{:?}", feed.adapter) };
            let desk = DeskOptions {
                venue: venue.name().into(),
                symbols: feed.symbols.listed().to_vec(),
                ..DeskOptions::default()
            };
            let feed = VenueFeed { url: Some(feed.url), ..VenueFeed::new(venue, desk) };
            let (stop, stopped) = oneshot::channel();
            tokio::spawn(async move {
                let stopped = async { drop(stopped.await) };
                let to = format!("ws://{broker}/ws");
                run_until(&feed, &to, 1 << 20, stopped).await.unwrap();
            });
            stop
        };
        self.config().feeds.into_iter().map(run).collect()
    }

    /// Ends one exchange and all its connections; returns where it was.
    async fn close(&mut self, index: usize) -> SocketAddr {
        let server = self.0.remove(index);
        let address = server.address();
        within("end of an exchange", server.stop(Duration::from_secs(1))).await;
        address
    }

    /// Opens another one in the same place, with another market.
    async fn reopen(&mut self, index: usize, address: SocketAddr) {
        let options = Options { seed: 8, ..Options::new(LISTED[index].venue) };
        self.0.insert(index, Server::start(options, address.port()).await.unwrap());
    }
}

/// A subscriber to everything.
struct Subscriber {
    client: Client,
    topics: BTreeMap<String, Follower>,
    /// State and reason of each status event of a venue, by topic.
    statuses: BTreeMap<String, Vec<String>>,
    /// Trades by topic and [`trade_key`], without what differs between connections.
    trades: BTreeMap<(String, String), Value>,
    /// Books that came whole after a gap of the venue's, by topic.
    begun_anew: BTreeMap<String, usize>,
}

impl Subscriber {
    async fn new(broker: &Broker) -> Self {
        let mut client = broker.client().await;
        client.subscribe(&["trade.>", "quote.>", "book.>", "bar-1s.>", "status.>"]).await;
        Self {
            client,
            topics: BTreeMap::new(),
            statuses: BTreeMap::new(),
            trades: BTreeMap::new(),
            begun_anew: BTreeMap::new(),
        }
    }

    /// Takes in the next message: nothing missing, nothing doubled, and every book with the
    /// checksum that the broker says.
    async fn take(&mut self) {
        let message = self.client.next().await;
        let Some(topic) = message["topic"].as_str().map(str::to_owned) else { return };
        let follower = self.topics.entry(topic.clone()).or_insert_with(|| {
            // Numbers go on from wherever the subscription began.
            let first = message["from"].as_u64().or(message["seq"].as_u64()).unwrap();
            Follower::new(&topic, first - 1)
        });
        let broken = follower.gaps.len();
        follower.take(&message);
        if follower.gaps.len() > broken {
            assert_eq!(message["reason"], "upstream", "{message}");
            return;
        }
        let data = &message["data"];
        match topic.split('.').next().unwrap() {
            "book" => {
                // A snapshot by REST is proved by the message after it.
                let whole = message["op"] == "snapshot" || data["reset"] == true;
                assert!(whole || !has_flag(data, "unverified"), "{message}");
                if has_flag(data, "gap_before") {
                    assert_eq!(data["reset"], true, "{message}");
                    *self.begun_anew.entry(topic).or_default() += 1;
                }
            }
            "trade" => {
                let id = trade_key(data);
                let mut data = data.clone();
                // Of one connection: when we heard of it, and Coinbase's number of the message.
                for field in ["ts_recv", "venue_seq"] {
                    data.as_object_mut().unwrap().remove(field);
                }
                assert!(self.trades.insert((topic, id), data).is_none(), "twice: {message}");
            }
            "status" => {
                let state = data["state"].as_str().unwrap().to_owned();
                self.statuses.entry(topic).or_default().push(state);
            }
            _ => {}
        }
    }

    /// Reads on until `done`.
    async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let reading = async {
            while !done(self) {
                self.take().await;
            }
        };
        within(what, reading).await;
    }

    fn state(&self, topic: &str) -> Option<&str> {
        self.statuses.get(topic)?.last().map(String::as_str)
    }

    /// Gaps of a topic so far.
    fn gaps(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, |follower| follower.gaps.len())
    }

    /// Gaps of all topics that must have one after a lost connection.
    fn breaks(&self) -> usize {
        LISTED.iter().flat_map(breaking).map(|topic| self.gaps(&topic)).sum()
    }

    /// Everything there is of a venue has been heard.
    async fn hear_all_of(&mut self, listed: &Listed) {
        for topic in topics(listed) {
            self.until(&topic, |heard| heard.topics.contains_key(&topic)).await;
        }
        let status = format!("status.{}", listed.venue.name());
        self.until(&status, |heard| heard.state(&status) == Some("up")).await;
    }

    /// The books of a venue are those of the exchange, as it is now or later, and of its trades
    /// one is among the exchange's latest.
    async fn agree_with(&mut self, listed: &Listed, server: &Server) {
        for (native, canonical) in listed.symbols {
            let name = listed.venue.name();
            let (book, trade) =
                (format!("book.{name}.{canonical}"), format!("trade.{name}.{canonical}"));
            let now = server.with(|exchange| exchange.number(native)).unwrap();
            self.until(&format!("{book} as the exchange has it"), |heard| {
                let heard = &heard.topics[&book];
                let book = heard.book.as_market();
                let held = server.with(|exchange| exchange.held(native, &book));
                held.is_some_and(|held| held >= now) && !has_flag(&heard.data, "unverified")
            })
            .await;
            self.until(&format!("{trade} that the exchange knows"), |heard| {
                let told = &heard.topics[&trade].data;
                server.with(|exchange| {
                    exchange.trades(native).any(|known| {
                        let side = if known.side == Aggressor::Buy { "buy" } else { "sell" };
                        number(&told["price"]) == known.price
                            && number(&told["size"]) == known.size
                            && told["side"] == side
                    })
                })
            })
            .await;
        }
    }

    /// An exchange ends and comes back: its topics say so, and those of others go on.
    async fn see_it_break_and_heal(&mut self, exchanges: &mut Exchanges, index: usize) {
        let listed = &LISTED[index];
        let status = format!("status.{}", listed.venue.name());
        let (said, breaks, begun) =
            (self.statuses[&status].len(), self.breaks(), self.begun_anew.clone());
        let place = exchanges.close(index).await;
        self.until("status down", |heard| heard.state(&status) == Some("down")).await;
        exchanges.reopen(index, place).await;
        self.until("status up", |heard| heard.state(&status) == Some("up")).await;
        assert_eq!(self.statuses[&status][said], "down");
        // Nothing else breaks, so that its topics have had this many.
        self.until("gap in each of its topics", |heard| {
            heard.breaks() >= breaks + breaking(listed).len()
        })
        .await;
        for topic in breaking(listed).into_iter().filter(|topic| topic.starts_with("book.")) {
            self.until(&format!("{topic} as a whole"), |heard| {
                heard.begun_anew.get(&topic) > begun.get(&topic)
            })
            .await;
        }
        self.agree_with(listed, &exchanges.0[index]).await;
        let expected = breaks + breaking(listed).len();
        assert_eq!(self.breaks(), expected, "one for each topic of this venue, none of others");
    }
}

/// The topics of a venue that say after a lost connection that something is missing. Coinbase
/// tells the latest executions once more, so that of them nothing need be missing.
fn breaking(listed: &Listed) -> Vec<String> {
    let trades = listed.venue != Venue::Coinbase;
    let broken =
        |topic: &String| topic.starts_with("book.") || (trades && topic.starts_with("trade."));
    topics(listed).into_iter().filter(broken).collect()
}

/// What there is once: an exchange that begins anew counts from 1 again.
fn trade_key(data: &Value) -> String {
    format!("{} at {}", data["trade_id"], data["ts_event"])
}

fn has_flag(data: &Value, flag: &str) -> bool {
    data["flags"].as_array().is_some_and(|flags| flags.contains(&json!(flag)))
}

fn number(text: &Value) -> Decimal {
    Decimal::parse(text.as_str().unwrap()).unwrap()
}

/// Every topic of a venue, but for those of which nothing need ever come.
fn topics(listed: &Listed) -> BTreeSet<String> {
    let name = listed.venue.name();
    let of = |(_, symbol): (&str, &str)| {
        ["trade", "quote", "book", "bar-1s"].map(|kind| format!("{kind}.{name}.{symbol}"))
    };
    listed.symbols.into_iter().flat_map(of).chain([format!("status.{name}")]).collect()
}

#[tokio::test]
async fn the_venues_of_the_configuration_are_heard_whole_and_after_a_break_again() {
    let mut exchanges = Exchanges::open().await;
    let broker = exchanges.broker().await;
    let mut subscriber = Subscriber::new(&broker).await;
    for (listed, server) in LISTED.iter().zip(&exchanges.0) {
        subscriber.hear_all_of(listed).await;
        subscriber.agree_with(listed, server).await;
    }
    assert_eq!(subscriber.breaks(), 0);
    for index in 0..LISTED.len() {
        subscriber.see_it_break_and_heal(&mut exchanges, index).await;
    }
    // The same story, as whoever watches the broker reads it.
    for Listed { venue, .. } in LISTED {
        let figure = |name: &str| format!("tickwire_feed_{name}{{venue=\"{venue}\"}}");
        let state =
            |state: &str| format!("tickwire_feed_books{{venue=\"{venue}\",state=\"{state}\"}}");
        broker.until(&state("verified"), |books| books == 2).await;
        broker.until(&state("resyncing"), |books| books == 0).await;
        broker.until(&figure("connections"), |open| open == 1).await;
        broker.until(&figure("connections_opened_total"), |opened| opened == 2).await;
        broker.until(&figure("connections_lost_total"), |lost| lost == 1).await;
        for name in ["frames", "received_bytes", "events", "trades", "book_events", "snapshots"] {
            broker.until(&figure(&format!("{name}_total")), |count| count > 0).await;
        }
        for name in ["malformed", "symbols_refused", "gaps", "checksums_bad", "crossed"] {
            assert_eq!(broker.metric(&figure(&format!("{name}_total"))).await, 0, "{name}");
        }
        let (checksums, requests) = ("checksums_ok_total", "rest_requests_total");
        assert_eq!(broker.metric(&figure(checksums)).await > 0, venue == Venue::Kraken);
        assert_eq!(broker.metric(&figure(requests)).await >= 4, venue == Venue::Binance);
    }
    broker.shut_down().await;
}

#[tokio::test]
async fn feeds_beside_the_broker_give_the_same() {
    let mut exchanges = Exchanges::open().await;
    let inside = exchanges.broker().await;
    let beside = Broker::start().await;
    let mut subscribers = [Subscriber::new(&inside).await, Subscriber::new(&beside).await];
    let running = exchanges.feeds(beside.address());
    for subscriber in &mut subscribers {
        for (listed, server) in LISTED.iter().zip(&exchanges.0) {
            subscriber.hear_all_of(listed).await;
            subscriber.agree_with(listed, server).await;
        }
    }
    // Whatever trade one of them has from now on, the other has too, and it is the same.
    let [one, other] = &mut subscribers;
    for listed in &LISTED {
        for topic in topics(listed).into_iter().filter(|topic| topic.starts_with("trade.")) {
            let latest = one.trades.keys().filter(|(known, _)| *known == topic).count();
            one.until("another trade", |heard| {
                heard.trades.keys().filter(|(known, _)| *known == topic).count() > latest
            })
            .await;
            let id = trade_key(&one.topics[&topic].data);
            let key = (topic, id);
            other.until("the same trade", |heard| heard.trades.contains_key(&key)).await;
        }
    }
    let common: Vec<_> = one.trades.keys().filter(|key| other.trades.contains_key(*key)).collect();
    assert!(common.len() >= 6);
    for key in common {
        assert_eq!(one.trades[key], other.trades[key], "{key:?}");
    }
    let kinds = async |broker: &Broker| -> BTreeMap<String, Value> {
        let list = broker.get("/topics").await.json();
        let list = list["topics"].as_array().unwrap().clone();
        let all = list
            .into_iter()
            .map(|line| (line["topic"].as_str().unwrap().to_owned(), line["kind"].clone()));
        let wanted: BTreeSet<String> = LISTED.iter().flat_map(topics).collect();
        all.filter(|(topic, _)| wanted.contains(topic)).collect()
    };
    assert_eq!(kinds(&inside).await, kinds(&beside).await);
    assert_eq!(kinds(&beside).await.len(), LISTED.iter().flat_map(topics).count());
    other.see_it_break_and_heal(&mut exchanges, 1).await;
    drop(running);
    inside.shut_down().await;
    beside.shut_down().await;
}
