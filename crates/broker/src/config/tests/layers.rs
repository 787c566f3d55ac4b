//! Which layer wins, and what the effective configuration says of it.

use std::time::Duration;

use super::*;
use crate::config::{Feed, FeedAdapter, LogFormat, LogLevel, Symbols};

#[test]
fn the_defaults_are_those_that_are_promised() {
    let config = Loader::new().finish().unwrap().config;
    assert_eq!(config, Config::default());
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.websocket.message_bytes, 1 << 20);
    assert_eq!(config.websocket.ping_interval, Duration::from_secs(20));
    assert_eq!(config.websocket.idle_timeout, Duration::from_secs(60));
    assert_eq!(config.subscriptions.topics_per_command, 1_000);
    assert_eq!(config.subscriptions.per_connection, 10_000);
    assert_eq!(config.history.events, 8_192);
    assert_eq!(config.history.bytes, 4 << 20);
    assert_eq!(config.history.age, Duration::from_secs(600));
    assert_eq!(config.history.total_bytes, 256 << 20);
    assert_eq!(config.http.body_bytes, 8 << 20);
    assert_eq!(config.http.header_bytes, 16 << 10);
    assert_eq!(config.http.header_timeout, Duration::from_secs(5));
    assert_eq!(config.shutdown.drain, Duration::from_secs(5));
    let venues: Vec<_> = config
        .feeds
        .iter()
        .map(|feed| (feed.venue.as_str(), feed.symbols.count(), feed.seed))
        .collect();
    assert_eq!(venues, [("sim", 20, 1), ("simx", 20, 2)]);
}

#[test]
fn a_later_layer_wins() {
    let mut loader = Loader::new();
    loader.file(
        "a.toml",
        b"[server]\nshards = 1\n[http]\nbody_bytes = 4_096\n[log]\nlevel = \"warn\"",
    );
    loader.environment([
        variable("TICKWIRE__HTTP__BODY_BYTES", "64KiB"),
        variable("tickwire__Log__Level", "debug"),
        variable("PATH", "/bin"),
        variable("TICKWIRE_LISTEN", "is not ours"),
    ]);
    loader.set("log.level", "trace", Origin::Flag("--log-level"));
    let effective = loader.finish().unwrap();
    assert_eq!(effective.config.server.shards, 1);
    assert_eq!(effective.config.http.body_bytes, 65_536);
    assert_eq!(effective.config.log.level, LogLevel::Trace);
    assert_eq!(effective.origin("log.level"), Origin::Flag("--log-level"));
    assert_eq!(effective.origin("log.format"), Origin::Default);
    let shown = effective.to_toml();
    let comment = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_once("  # ").unwrap().1.to_owned()
    };
    assert_eq!(comment("shards"), "a.toml:2");
    assert_eq!(comment("body_bytes"), "environment TICKWIRE__HTTP__BODY_BYTES");
    assert_eq!(comment("level"), "flag --log-level");
    assert_eq!(comment("listen"), "default");
}

#[test]
fn the_effective_configuration_is_a_configuration() {
    let file = "[topics]\nlatest_only = [\"game.*.state\", \"say\\\"so.>\"]\n\
                [log]\nformat = \"json\"\n[shutdown]\ndrain = \"1500ms\"\n\
                [[feed]]\nvenue = \"alpha\"\nseed = 9_223_372_036_854_775_807\n\
                [[feed]]\nvenue = \"b\"";
    let mut loader = Loader::new();
    loader.file("odd\nname.toml", file.as_bytes());
    let effective = loader.finish().unwrap();
    assert_eq!(effective.config.log.format, LogFormat::Json);
    let shown = effective.to_toml();
    assert_eq!(load(&shown).unwrap().config, effective.config, "{shown}");
    assert_eq!(load(&Loader::new().finish().unwrap().to_toml()).unwrap().config, Config::default());
}

#[test]
fn tables_may_be_written_in_every_way_that_toml_has() {
    let expected = Feed {
        adapter: FeedAdapter::Sim,
        venue: "alpha".to_owned(),
        symbols: Symbols::Count(3),
        updates_per_second: 7,
        depth: 10,
        seed: 5,
        ..Feed::default()
    };
    let fields = "venue = \"alpha\", symbols = 3, updates_per_second = 7, depth = 10, seed = 5";
    let long = format!("\u{feff}server.shards = 3\r\n[[feed]]\r\n{}", fields.replace(", ", "\r\n"));
    let short = format!("server = {{ shards = 3 }}\nfeed = [{{ {fields} }}]");
    for text in [long, short] {
        let config = load(&text).unwrap().config;
        assert_eq!(config.server.shards, 3, "{text}");
        assert_eq!(config.feeds, std::slice::from_ref(&expected), "{text}");
    }
}

#[test]
fn feeds_can_be_switched_off() {
    let mut loader = Loader::new();
    loader.set("server.feeds", "false", Origin::Flag("--no-feeds"));
    let config = loader.finish().unwrap().config;
    assert!(config.running_feeds().is_empty());
    assert_eq!(Config::default().running_feeds().len(), 2);
}

#[test]
fn a_list_in_a_variable_is_parted_by_commas() {
    for (value, expected) in [("", vec![]), ("game.>, host.*.cpu", vec!["game.>", "host.*.cpu"])] {
        let mut loader = Loader::new();
        loader.environment([variable("TICKWIRE__TOPICS__LATEST_ONLY", value)]);
        let patterns = loader.finish().unwrap().config.topics.latest_only;
        assert_eq!(patterns.iter().map(topics::Pattern::as_str).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn shards_follow_the_cores_up_to_four() {
    let mut server = Config::default().server;
    assert_eq!([0, 1, 3, 4, 64].map(|cores| server.shard_count(cores)), [1, 1, 3, 4, 4]);
    server.shards = 9;
    assert_eq!(server.shard_count(2), 9);
}

#[test]
fn remote_addresses_need_the_switch() {
    for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        load(&format!("[server]\nlisten = \"{address}\"")).unwrap();
    }
    for address in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
        load(&format!("[server]\nlisten = \"{address}\"")).unwrap_err();
        load(&format!("[server]\nlisten = \"{address}\"\nallow_remote = true")).unwrap();
    }
}

/// Every key of a replay, as `check-config` shows it, gives the same again.
#[test]
fn a_replay_survives_being_shown() {
    let text = r##"
        [[feed]]
        adapter = "replay"
        files = "monday.zst"
        speed = 0.5

        [[feed]]
        adapter = "replay"
        venue = "fx"
        files = ["a.csv", "/data/b.csv"]
        format = "csv"
        speed = "max"
        symbols = ["EUR-USD"]
        symbols_max = 5
        [feed.columns]
        rows = "quotes"
        bid_price = "b"
        ask_price = "a"
        ask_size = "s \"quoted\""
        time = "t"
        time_received = "r"
        time_format = "text"
        sequence = "n"
        header = ["t", "r", "b", "a", "s \"quoted\"", "n"]
        delimiter = "\t"

        [[feed]]
        adapter = "replay"
        venue = "books"
        files = "c.csv"
        format = "csv"
        columns = { rows = "levels", side = "x", price = "p", size = "s", message = "m", snapshot = "k=yes", symbol = "y", time = "t", time_format = "ns" }

        [[feed]]
        adapter = "replay"
        venue = "snapshots"
        files = "d.csv"
        format = "csv"
        columns = { rows = "books", bid_price = "b#", bid_size = "c#", ask_price = "d#", ask_size = "e#", symbol = "y", time = "t", time_format = "us" }

        [[feed]]
        adapter = "replay"
        venue = "stocks"
        files = "day.itch.zst"
        format = "itch"
        date = "2023-08-22"

        [[feed]]
        adapter = "binance"
        symbols = ["BTCUSDT"]
        depth = 5_000
    "##;
    let mut loader = Loader::new();
    loader.file("conf/replays.toml", text.as_bytes());
    let effective = loader.finish().unwrap();
    let files: Vec<_> = effective.config.feeds[1].files.iter().map(|file| file.display()).collect();
    assert_eq!(format!("{files:?}"), r#"["conf/a.csv", "/data/b.csv"]"#);
    assert_eq!(
        (effective.config.feeds[0].venue.as_str(), effective.config.feeds[5].seed),
        ("replay", 0)
    );
    let shown = effective.to_toml();
    assert!(shown.contains("speed = 0.5") && !shown.contains("updates_per_second"), "{shown}");
    assert_eq!(load(&shown).unwrap().config, effective.config, "{shown}");
}
