//! Recorded files played by the broker itself, and what a client sees of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use broker::app::App;
use broker::config::{Config, Loader};
use feeds::recording::pack;
use serde_json::{Value, json};

use crate::harness::{Broker, Client, ClientBook, within};

const DOCUMENT: &str = include_str!("../../../../docs/recordings.md");

/// An empty folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let name = format!("replays/{name}-{}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The configuration of a file in `folder`.
fn config(folder: &Path, text: &str) -> Config {
    let mut loader = Loader::new();
    loader.file(folder.join("tickwire.toml").to_str().unwrap(), text.as_bytes());
    let mut config = loader.finish().unwrap().config;
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config
}

async fn broker(folder: &Path, text: &str) -> Broker {
    let feeds = config(folder, text).feeds;
    Broker::with(|config| {
        config.server.feeds = true;
        config.feeds = feeds;
    })
    .await
}

/// A recording of these lines, as `tickwire record` writes it.
fn recording(topics: &[&str], lines: &[String]) -> Vec<u8> {
    let header =
        json!({"tickwire": "recording", "version": 1, "started": "1000", "topics": topics});
    let begin = pack(header.to_string().as_bytes());
    [begin, pack(lines.join("\n").as_bytes())].concat()
}

fn event(ts: u64, topic: &str, seq: u64, mut data: Value) -> String {
    data["ts_recv"] = json!(ts.to_string());
    json!({"ts": ts.to_string(), "topic": topic, "seq": seq, "data": data}).to_string()
}

/// Reads until the replay's status is `down`, and all of `wanted` came as often as is said there;
/// gives all data by topic, and the reason. Between topics there is no order.
async fn played(
    client: &mut Client,
    venue: &str,
    wanted: &[(&str, usize)],
) -> (BTreeMap<String, Vec<Value>>, String) {
    let mut topics: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let status = format!("status.{venue}");
    loop {
        let down = topics.get(&status).and_then(|all| all.last()).filter(|s| s["state"] == "down");
        let came = |(topic, count): &(&str, usize)| {
            topics.get(*topic).is_some_and(|events| events.len() >= *count)
        };
        if let (Some(down), true) = (down, wanted.iter().all(came)) {
            let reason = down["reason"].as_str().unwrap().to_owned();
            return (topics, reason);
        }
        let message = client.next().await;
        if matches!(message["op"].as_str(), Some("event" | "snapshot")) {
            let topic = message["topic"].as_str().unwrap().to_owned();
            topics.entry(topic).or_default().push(message["data"].clone());
        }
    }
}

fn ids(trades: &[Value]) -> Vec<&str> {
    trades.iter().map(|trade| trade["trade_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_torn_recording_is_played_to_its_last_whole_frame() {
    let folder = folder("torn");
    let trade = |ts: u64, id: &str| {
        let data = json!({"price": "10.50", "size": "2", "side": "buy", "trade_id": id,
                          "ts_event": ts.to_string()});
        event(ts, "trade.x.A-B", 1, data)
    };
    let second = 1_000_000_000;
    let book = json!({"reset": true, "bids": [["10", "1"]], "asks": [["11", "3"]]});
    let diff = json!({"bids": [["10", "0"], ["9", "4"]], "asks": []});
    let lines = [
        trade(100 * second, "1"),
        event(100 * second + 1, "book.x.A-B", 1, book),
        trade(100 * second + 2, "2"),
        event(100 * second + 3, "chat.a", 1, json!({})),
        event(100 * second + 4, "book.x.A-B", 2, diff),
        trade(102 * second, "3"),
    ];
    let torn = pack(b"what was on its way when the recorder was killed");
    let file = [recording(&["trade.>", "book.>"], &lines), torn[..20].to_vec()].concat();
    std::fs::write(folder.join("day.zst"), file).unwrap();

    let text = "[[feed]]\nadapter = \"replay\"\nfiles = \"day.zst\"\nspeed = 1000\n";
    let broker = broker(&folder, text).await;
    let mut client = broker.client().await;
    let topics = ["trade.x.*", "bar-1s.x.*", "book.x.*", "quote.x.*", "status.*"];
    client.subscribe_with(&topics, json!({"history": 100})).await;
    let wanted = [
        ("trade.x.A-B", 3),
        ("bar-1s.x.A-B", 1),
        ("book.x.A-B", 1),
        ("quote.x.A-B", 1),
        ("status.x", 1),
    ];
    let (found, reason) = played(&mut client, "replay", &wanted).await;
    let told = "the recording is over; 1 unreadable: day.zst, the end: the last 20 bytes are of a \
                frame that was never finished; all before it was played";
    assert_eq!(reason, told);
    assert_eq!(found["status.x"][0]["state"], "down", "nobody takes the recorded venue for live");
    let trades = &found["trade.x.A-B"];
    assert_eq!(ids(trades), ["1", "2", "3"]);
    assert_eq!(trades[0]["ts_event"], "100000000000", "as it was recorded");
    let all = found.values().flatten();
    assert!(all.clone().all(|data| data["flags"] == json!(["replayed"])), "{found:?}");

    // Each is there as the venue would have left it.
    let mut late = broker.client().await;
    late.subscribe(&["book.x.A-B", "quote.x.A-B", "bar-1s.x.A-B"]).await;
    let mut latest = BTreeMap::new();
    while latest.len() < 3 {
        let message = late.next().await;
        assert_eq!(message["op"], "snapshot", "{message}");
        latest.insert(message["topic"].as_str().unwrap().to_owned(), message["data"].clone());
    }
    ClientBook::default().apply(&latest["book.x.A-B"]);
    assert_eq!(latest["book.x.A-B"]["bids"], json!([["9", "4"]]));
    assert_eq!(latest["quote.x.A-B"]["bid_price"], "9", "made of the book");
    assert_eq!(latest["bar-1s.x.A-B"]["start"], "102000000000", "the last one is finished");
    drop((client, late));
    broker.shut_down().await;
}

/// The blocks of the document in that language.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let found = DOCUMENT.split(begin.as_str()).skip(1);
    found.map(|rest| rest.split_once("```").unwrap().0).collect()
}

#[tokio::test]
async fn the_examples_of_the_document_do_what_it_says() {
    let folder = folder("document");
    let toml = blocks("toml");
    let (recordings, columns) = (toml[0], toml[1]);
    let feed = &config(&folder, recordings).feeds[0];
    assert_eq!(feed.files, ["monday.zst", "tuesday.zst"].map(|name| folder.join(name)));
    for text in blocks("text").iter().filter(|text| text.contains("[[feed]]")) {
        config(&folder, text);
    }

    std::fs::write(folder.join("trades.csv"), blocks("csv")[0]).unwrap();
    let broker = broker(&folder, columns).await;
    let mut client = broker.client().await;
    client.subscribe_with(&["*.desk.>", "status.desk"], json!({"history": 100})).await;
    let wanted = [("trade.desk.EUR-USD", 3), ("bar-1s.desk.EUR-USD", 1)];
    let (found, reason) = played(&mut client, "desk", &wanted).await;
    assert_eq!(reason, "the recording is over");
    let trades = &found["trade.desk.EUR-USD"];
    let sides: Vec<_> = trades.iter().map(|trade| &trade["side"]).collect();
    assert_eq!(sides, ["buy", "sell", "buy"]);
    assert_eq!((&trades[1]["price"], &trades[1]["size"]), (&json!("1.0713"), &json!("100000")));
    assert_eq!(trades[2]["ts_event"], "1700000001500000000");
    assert!(trades.iter().all(|trade| trade["flags"] == json!(["replayed"])), "{trades:?}");
    drop(client);
    broker.shut_down().await;
}

#[tokio::test]
async fn a_bad_row_is_passed_over_and_files_follow_each_other() {
    let folder = folder("rows");
    std::fs::write(folder.join("1.csv"), "t,p,s\n1.5,10,1\n2.5,ten,1\n3.5,12,1\n").unwrap();
    // Days later, which nobody waits for.
    std::fs::write(folder.join("2.csv"), "p,t,s\n13,900000,1\n").unwrap();
    let text = r#"
        [[feed]]
        adapter = "replay"
        venue = "rows"
        files = ["1.csv", "2.csv"]
        format = "csv"
        speed = 100
        symbols = ["EUR-USD"]
        columns = { rows = "trades", time_received = "t", time_format = "s", price = "p", size = "s" }
    "#;
    let broker = broker(&folder, text).await;
    let mut client = broker.client().await;
    client.subscribe_with(&["trade.rows.EUR-USD", "status.rows"], json!({"history": 9})).await;
    let (found, reason) = played(&mut client, "rows", &[("trade.rows.EUR-USD", 3)]).await;
    assert_eq!(
        reason,
        "the recording is over; 1 unreadable: 1.csv, line 3: \"ten\" is not a decimal number such as 64000.10"
    );
    let trades = &found["trade.rows.EUR-USD"];
    let prices: Vec<_> = trades.iter().map(|trade| &trade["price"]).collect();
    assert_eq!(prices, ["10", "12", "13"]);
    assert_eq!(trades[1]["flags"], json!(["gap_before", "replayed"]));
    drop(client);
    broker.shut_down().await;
}

#[tokio::test]
async fn a_session_recorded_in_several_files_is_one() {
    let folder = folder("hours");
    let book = |second: u64, action: &str, number: i64, before: i64, size: &str| {
        let raw = json!({"arg": {"channel": "books", "instId": "A-USDT"}, "action": action,
            "data": [{"asks": [["10", size, "0", "1"]], "bids": [["9", "1", "0", "1"]],
                      "ts": "1790000000000", "checksum": 0, "seqId": number, "prevSeqId": before}]});
        let ns = second * 1_000_000_000;
        json!({"ts_ns": ns, "dir": "recv", "conn": "w", "raw": raw.to_string()}).to_string()
    };
    let hours = [
        [book(1, "snapshot", 5, -1, "1"), book(2, "update", 6, 5, "2")],
        // Right after it, without a snapshot.
        [book(3, "update", 7, 6, "3"), book(4, "update", 8, 7, "4")],
    ];
    for (hour, lines) in hours.iter().enumerate() {
        std::fs::write(folder.join(format!("{hour}.jsonl")), lines.join("\n")).unwrap();
    }
    let text = r#"
        [[feed]]
        adapter = "replay"
        venue = "old"
        files = ["0.jsonl", "1.jsonl"]
        format = "okx"
        speed = "max"
    "#;
    let broker = broker(&folder, text).await;
    let mut client = broker.client().await;
    client.subscribe(&["status.old"]).await;
    while client.next().await["data"]["state"] != "down" {}
    client.subscribe(&["book.old.A-USDT"]).await;
    let whole = client.expect("snapshot").await;
    assert_eq!((&whole["seq"], &whole["data"]["asks"]), (&json!(4), &json!([["10", "4"]])));
    drop(client);
    broker.shut_down().await;
}

#[tokio::test]
async fn a_session_that_was_cut_off_ends_the_feed_and_nothing_else() {
    let folder = folder("session");
    let line = |ns: u64, raw: Value| {
        json!({"ts_ns": ns, "dir": "recv", "conn": "w", "raw": raw.to_string()}).to_string()
    };
    let trade = |id: u64| {
        json!({"channel": "trade", "type": "update", "data": [{"symbol": "XBT/USD", "side": "sell",
               "price": 64000.5, "qty": 0.25, "ord_type": "limit", "trade_id": id,
               "timestamp": "2024-01-02T03:04:05.678901Z"}]})
    };
    let lines = [line(5_000, trade(1)), line(6_000, trade(2)), line(7_000, trade(3))].join("\n");
    std::fs::write(folder.join("cut.jsonl"), &lines[..lines.len() - 9]).unwrap();
    let text = r#"
        [[feed]]
        adapter = "replay"
        venue = "old"
        files = "cut.jsonl"
        format = "kraken"
        speed = "max"

        [[feed]]
        symbols = 1
    "#;
    let broker = broker(&folder, text).await;
    let mut client = broker.client().await;
    client.subscribe_with(&["trade.old.*", "status.old"], json!({"history": 9})).await;
    let (found, reason) = played(&mut client, "old", &[("trade.old.BTC-USD", 2)]).await;
    assert_eq!(ids(&found["trade.old.BTC-USD"]), ["1", "2"]);
    let told = "the recording is over; 1 unreadable: cut.jsonl: after line 2: ";
    assert!(reason.starts_with(told), "{reason}");
    // The broker and its other feed go on.
    client.subscribe(&["quote.sim.BTC-USD"]).await;
    while client.next().await["topic"] != "quote.sim.BTC-USD" {}
    drop(client);
    broker.shut_down().await;
}

#[tokio::test]
async fn what_cannot_be_played_keeps_the_broker_from_starting_and_is_named() {
    let folder = folder("refused");
    std::fs::write(folder.join("notes"), "when,what\n1,nothing\n").unwrap();
    std::fs::write(folder.join("empty"), "").unwrap();
    let good = recording(&["trade.>"], &[]);
    std::fs::write(folder.join("good"), good).unwrap();
    for (file, more, words) in [
        ("missing", "", "missing: cannot be opened: "),
        (".", "", "is no file"),
        ("empty", "", "there is no recording in it"),
        ("notes", "", "damaged at byte 0: no frame begins here"),
        ("good\", \"missing", "", "missing: cannot be opened: "),
        (
            "notes",
            "format = \"tardis-trades\"",
            "there is no column \"price\"; there are when, what",
        ),
        ("notes", "format = \"databento\"", "notes: "),
        ("notes", "format = \"itch\"", "feed.date is missing: these are messages without the time"),
        (
            "notes",
            "format = \"csv\"\ncolumns = { rows = \"trades\", symbol = \"what\", time = \"when\", \
             time_format = \"s\", price = \"px\", size = \"what\" }",
            "there is no column \"px\"; there are when, what",
        ),
    ] {
        let text = format!("[[feed]]\nadapter = \"replay\"\nfiles = [\"{file}\"]\n{more}\n");
        let error = App::start(&config(&folder, &text)).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.starts_with("feed \"replay\": ") && error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_replay_that_waits_for_its_next_event_stops_at_once() {
    let folder = folder("waits");
    let data = json!({"price": "1", "size": "2", "side": "buy", "trade_id": "1"});
    let hour = 3_600_000_000_000;
    let lines = [1, hour].map(|ts| event(ts, "trade.x.A", 1, data.clone()));
    std::fs::write(folder.join("day.zst"), recording(&[">"], &lines)).unwrap();
    let text = "[[feed]]\nadapter = \"replay\"\nvenue = \"slow\"\nfiles = \"day.zst\"\n";
    let broker = broker(&folder, text).await;
    let mut client = broker.client().await;
    client.subscribe_with(&["trade.x.A", "status.slow"], json!({"history": 9})).await;
    while client.next().await["data"]["trade_id"] != "1" {}
    let down = async {
        loop {
            let message = client.next().await;
            if message["data"]["state"] == "down" {
                return message["data"]["reason"].clone();
            }
        }
    };
    let (reason, ()) = tokio::join!(within("the last status", down), broker.shut_down());
    assert_eq!(reason, "the broker shuts down");
}
