//! The real binary: what it says, how it ends, and its commands against a running broker.

use std::collections::HashMap;
use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Follower, Tickwire, run, run_with_input, within};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn assert_refused(output: &Output, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

#[tokio::test]
async fn by_default_two_venues_trade_twenty_symbols_each_and_it_says_where_to_connect() {
    let tickwire = Tickwire::serve(&[]).await;
    let said = tickwire.said.join("\n");
    assert!(said.contains(&tickwire.url("http", "/")), "{said}");
    let mut wanted: HashMap<&str, HashMap<String, usize>> = HashMap::new();
    let all_there = async {
        loop {
            wanted.clear();
            for topic in tickwire.topics("*.*.*").await {
                let name = topic["topic"].as_str().unwrap().to_owned();
                let mut segments = name.split('.');
                let kind = ["trade", "quote", "book", "bar-1s"]
                    .into_iter()
                    .find(|kind| Some(*kind) == segments.clone().next());
                let venue = segments.nth(1).unwrap().to_owned();
                *wanted.entry(kind.unwrap()).or_default().entry(venue).or_default() += 1;
            }
            let whole = |venues: &HashMap<String, usize>| {
                venues.len() >= 2 && venues.values().all(|symbols| *symbols >= 20)
            };
            if wanted.len() == 4 && wanted.values().all(whole) {
                break;
            }
        }
    };
    within("twenty symbols of each kind at two venues", all_there).await;
    let mut client = tickwire.client().await;
    client.subscribe(&["book.sim.*", "status.>"]).await;
    let mut followers: HashMap<String, Follower> = HashMap::new();
    for _ in 0..500 {
        let message = client.next().await;
        let topic = message["topic"].as_str().unwrap().to_owned();
        let seq = message["seq"].as_u64().unwrap();
        let new = || Follower::new(&topic, seq);
        // Each book is proved by its checksum, snapshot and diffs alike.
        assert!(followers.entry(topic.clone()).or_insert_with(new).take(&message));
    }
    assert!(followers.len() > 20);
}

#[tokio::test]
async fn sigterm_stops_feeds_closes_every_socket_with_1001_and_exits_with_0() {
    let tickwire = Tickwire::serve(&["--shards", "2"]).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = tickwire.client().await;
        client.subscribe(&["status.>", "trade.sim.*"]).await;
        clients.push(client);
    }
    tickwire.terminate().await;
    for client in &mut clients {
        let mut latest = Value::Null;
        loop {
            match client.next_or_close().await {
                Ok(message) if message["topic"] == "status.sim" => latest = message,
                Ok(_) => {}
                Err(close) => break assert_eq!(close, (1001, "shutting down".to_owned())),
            }
        }
        assert_eq!(latest["data"]["state"], "down", "the feed said that it stops: {latest}");
    }
    let (code, said) = tickwire.ended().await;
    assert_eq!(code, Some(0), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("stopped")), "{said:#?}");
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_switch() {
    let output = run(&["serve", "--listen", "0.0.0.0:0"]).await;
    assert_refused(&output, &["server.listen", "0.0.0.0:0", "allow_remote"]);
    let tickwire =
        Tickwire::serve(&["--no-feeds", "--listen", "0.0.0.0:0", "--allow-remote"]).await;
    assert!(tickwire.said.iter().any(|line| line.contains("0.0.0.0")), "{:?}", tickwire.said);
}

#[tokio::test]
async fn a_port_in_use_is_said_plainly() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", "--no-feeds", "--listen", &address]).await;
    assert_refused(&output, &[&address, "in use"]);
}

/// A file of its own for this test.
fn config_file(name: &str, content: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_bad_config_names_key_value_line_and_what_is_allowed() {
    let content = "[server]\nshards = 2\n\n[websocket]\nping_interval = \"5 lightyears\"\n\
                   ping_intervall = \"5s\"\n\n[history]\nevents = 0\n";
    let path = config_file("bad.toml", content);
    for arguments in [vec!["serve", "--config", &path], vec!["check-config", &path]] {
        let output = run(&arguments).await;
        assert_refused(
            &output,
            &[
                "websocket.ping_interval",
                "5 lightyears",
                &format!("{path}:5"),
                "ping_intervall",
                &format!("{path}:6"),
                "history.events",
                "a whole number from 1 to",
            ],
        );
    }
    let output = run(&["serve", "--config", "/nonexistent/tickwire.toml"]).await;
    assert_refused(&output, &["/nonexistent/tickwire.toml"]);
}

#[tokio::test]
async fn check_config_shows_what_is_in_force() {
    let path = config_file("good.toml", "[server]\nshards = 2\n");
    let output = run(&["check-config", &path]).await;
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(shown.lines().any(|line| line.starts_with("shards = 2")), "{shown}");
    let again = config_file("again.toml", &shown);
    assert_eq!(run(&["check-config", &again]).await.status.code(), Some(0));
}

/// The first trades of each symbol, as `(trade_id, price, size, side)`.
async fn first_trades(run: &str, seed: u64) -> HashMap<String, Vec<[Value; 4]>> {
    const EACH: usize = 5;
    const SYMBOLS: usize = 5;
    let path = config_file(
        &format!("seed-{run}.toml"),
        &format!("[[feed]]\nsymbols = {SYMBOLS}\nupdates_per_second = 5000\nseed = {seed}\n"),
    );
    let tickwire = Tickwire::serve(&["--config", &path]).await;
    let mut client = tickwire.client().await;
    client.subscribe_with(&["trade.sim.*"], json!({"history": 1000})).await;
    let mut trades: HashMap<String, Vec<[Value; 4]>> = HashMap::new();
    while trades.len() < SYMBOLS || trades.values().any(|trades| trades.len() < EACH) {
        let mut event = client.expect("event").await;
        let trades = trades.entry(event["topic"].as_str().unwrap().to_owned()).or_default();
        if trades.len() < EACH {
            assert_eq!(event["seq"], trades.len() + 1);
            let data = &mut event["data"];
            trades.push(["trade_id", "price", "size", "side"].map(|field| data[field].take()));
        }
    }
    trades
}

#[tokio::test]
async fn the_same_seed_gives_the_same_trades_and_another_one_others() {
    let (one, same, other) =
        tokio::join!(first_trades("one", 7), first_trades("same", 7), first_trades("other", 8));
    assert_eq!(one, same);
    assert!(one != other);
}

#[tokio::test]
async fn what_pub_publishes_sub_and_topics_show() {
    let tickwire = Tickwire::serve(&["--no-feeds"]).await;
    let (socket, web) = (tickwire.url("ws", "/ws"), tickwire.url("http", ""));
    let published = run_with_input(
        &["pub", "chat.room1", "--url", &socket],
        "{\"hello\":1}\n\n\"two\"\nno JSON\n[3]\n",
    )
    .await;
    let said = text(&published.stderr);
    assert_eq!(published.status.code(), Some(1), "one line failed: {said}");
    assert!(said.contains("line 4") && said.contains("3 events published"), "{said}");

    for codec in ["json", "msgpack"] {
        let heard = run(&[
            "sub",
            "chat.room1",
            "--url",
            &socket,
            "--history",
            "5",
            "--count",
            "3",
            "--json",
            "--codec",
            codec,
        ])
        .await;
        assert_eq!(heard.status.code(), Some(0), "{}", text(&heard.stderr));
        let lines: Vec<Value> =
            text(&heard.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let data: Vec<_> = lines.iter().map(|line| line["data"].clone()).collect();
        assert_eq!(json!(data), json!([{"hello": 1}, "two", [3]]), "{codec}");
        assert!(lines.iter().all(|line| line["seq"].is_u64()), "{lines:?}");
    }
    let readable =
        run(&["sub", "chat.>", "--url", &socket, "--history", "1", "--count", "1"]).await;
    let line = text(&readable.stdout);
    assert!(line.contains("chat.room1") && line.contains("[3]"), "{line:?}");

    for arguments in [vec!["topics", "--url", &web], vec!["topics", "chat.*", "--url", &web]] {
        let listed = run(&arguments).await;
        let table = text(&listed.stdout);
        assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
        assert!(table.lines().any(|line| line.starts_with("chat.room1")), "{table}");
    }
    let refused = run(&["sub", "chat.x*", "--url", &socket]).await;
    assert_refused(&refused, &["x*"]);
    let refused = run(&["topics", "--url", "http://127.0.0.1:1"]).await;
    assert_refused(&refused, &["127.0.0.1:1"]);
}

#[tokio::test]
async fn help_of_every_command_says_what_it_does() {
    for (command, words) in [
        (vec!["--help"], ["serve", "check-config"]),
        (vec!["serve", "--help"], ["--listen", "--no-feeds"]),
        (vec!["sub", "--help"], ["--json", "Examples"]),
        (vec!["pub", "--help"], ["stdin", "Examples"]),
        (vec!["feed", "--help"], ["Venues: ", "--symbols"]),
        (vec!["topics", "--help"], ["PATTERN", "Examples"]),
        (vec!["check-config", "--help"], ["FILE", "in force"]),
    ] {
        let output = run(&command).await;
        let help = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0));
        assert!(words.iter().all(|word| help.contains(word)), "{command:?}: {help}");
    }
}
