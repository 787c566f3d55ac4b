//! `tickwire inspect` over real recordings, which an independent book builder has read too.
#![expect(clippy::unwrap_used, reason = "in a test it is the failure")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The folder of recordings; `None`, and said on stderr, where there is none.
fn recordings() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/feeds-data");
    let folder = std::env::var_os("TICKWIRE_FEEDS_DATA").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    let words = b"SKIPPED: no recordings; TICKWIRE_FEEDS_DATA names them\n";
    std::io::stderr().write_all(words).unwrap();
    None
}

fn inspect(venue: &str, arguments: &[&str], files: &[PathBuf]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tickwire"))
        .args(["inspect", "--venue", venue])
        .args(arguments)
        .args(files)
        .output()
        .unwrap()
}

/// The object of one or more files.
fn object(venue: &str, files: &[PathBuf]) -> Value {
    let output = inspect(venue, &["--json"], files);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asserts the fields of `expected`, which may leave out others.
#[track_caller]
fn assert_fields(found: &Value, expected: &Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&found[key], value, "{key} of {found:#}");
    }
}

#[test]
fn the_object_of_a_recorded_session_has_what_is_known_of_it() {
    let Some(folder) = recordings() else { return };
    let cases = [
        (
            "binance",
            "binance_spot/session_2024-08-08_btcusdt_depth_bookTicker_trade.jsonl.zst",
            "BTCUSDT",
            json!({"book_events": 1084, "stale": 2, "gaps": 0, "snapshots": 1,
                "deletes_unknown": 2843, "best_bid": "61759.56000000",
                "best_ask": "61759.57000000", "state": "verified"}),
        ),
        (
            "okx",
            "okx_v5/session_2022-05-13_books_trades_tickers.jsonl",
            "BTC-USDT",
            json!({"checksums_ok": 98, "checksums_bad": 0, "gaps": 0, "state": "verified"}),
        ),
        (
            "kraken",
            "kraken_v2/book10_2026-09-12_first45.jsonl",
            "BTC/USD",
            json!({"checksums_bad": 0, "gaps": 0, "snapshots": 1, "state": "verified"}),
        ),
    ];
    for (venue, file, symbol, expected) in cases {
        let found = object(venue, &[folder.join(file)]);
        assert_fields(&found, &json!({"venue": venue, "files": 1, "malformed": 0}));
        assert_fields(&found["symbols"][symbol], &expected);
        let fields: Vec<&String> = found["symbols"][symbol].as_object().unwrap().keys().collect();
        assert_eq!(fields.len(), 12, "{found:#}");
    }
}

#[test]
fn several_files_are_summed() {
    let Some(folder) = recordings() else { return };
    let files =
        ["book10_2026-08-24.jsonl", "book10_2026-09-12_first45.jsonl", "trade_2026-09-14_a.jsonl"];
    let files = files.map(|name| folder.join("kraken_v2").join(name));
    let count = |value: &Value, name: &str| value["symbols"]["BTC/USD"][name].as_u64().unwrap();
    let apart = files.clone().map(|file| object("kraken", &[file]));
    let together = object("kraken", &files);
    assert_eq!(together["files"], 3);
    for name in ["trades", "book_events", "checksums_ok"] {
        let sum: u64 = apart.iter().map(|one| count(one, name)).sum();
        assert!(sum > 0 && count(&together, name) == sum, "{name}: {together:#}");
    }
    // The last file has no book, so the one before it has the last word.
    assert_eq!(apart[2]["symbols"]["BTC/USD"]["state"], Value::Null);
    assert_eq!(
        together["symbols"]["BTC/USD"]["best_bid"],
        apart[1]["symbols"]["BTC/USD"]["best_bid"]
    );
}

#[test]
fn events_are_lines_that_can_be_published() {
    let Some(folder) = recordings() else { return };
    let file = folder.join("kraken_v2/trade_2026-09-14_a.jsonl");
    let found = object("kraken", std::slice::from_ref(&file));
    let output = inspect("kraken", &["--events"], &[file]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let trades = lines.iter().filter(|line| line["topic"] == "trade.kraken.BTC-USD").count();
    assert_eq!(json!(trades), found["symbols"]["BTC/USD"]["trades"]);
    assert!(lines.iter().all(|line| line["data"]["ts_recv"].is_string()));
    // The table is for people, beside the events.
    let table = String::from_utf8(output.stderr).unwrap();
    assert!(table.starts_with("kraken: 1 file, "), "{table}");
}

#[test]
fn files_of_itch_are_read_whatever_their_names_are() {
    // One message, start of messages at 03:00, as in the files that Nasdaq has.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{}.NASDAQ_ITCH50", std::process::id()));
    std::fs::write(&file, b"\x00\x0cS\x00\x00\x00\x00\x09\xd2\x8f\xa9\x80\x00O").unwrap();
    let found = object("itch", &[file]);
    assert_fields(&found, &json!({"frames": 1, "malformed": 0, "unknown": 0}));
}

#[test]
fn files_of_itch_are_told_by_what_is_in_them() {
    let Some(folder) = recordings() else { return };
    let found = object("itch", &[folder.join("nasdaq_itch50/ritch_simulated_ALC_BOB.itch")]);
    // Of hidden orders 1,885 and 1,658, of others 26 and 136: 18 more are of orders that the file
    // does not have, so nobody knows their price.
    // Its author's orders cross. Best prices by an independent book builder.
    assert_fields(
        &found["symbols"]["ALC"],
        &json!({"trades": 1_911, "snapshots": 0, "deletes_unknown": 21, "best_bid": "27.0600",
            "best_ask": "20.5400", "state": "resyncing"}),
    );
    assert_fields(
        &found["symbols"]["BOB"],
        &json!({"trades": 1_794, "snapshots": 0, "deletes_unknown": 41, "best_bid": "6.9667",
            "best_ask": "5.3417", "state": "resyncing"}),
    );
    let capture = folder.join("nasdaq_itch50/pcap/Nasdaq_AddOrderNoMpidAttributionMessage.pcap");
    assert_fields(
        &object("itch", std::slice::from_ref(&capture)),
        &json!({"venue": "itch", "files": 1}),
    );
    let output = inspect("kraken", &[], &[capture]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("holds packets or messages in binary, which kraken has not"), "{said}");
}

#[test]
fn files_of_one_session_are_one_session() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let line = |time: u64, action: &str, number: i64, previous: i64, ask: &str| {
        let raw = json!({"arg": {"channel": "books", "instId": "A-EURI"}, "action": action,
            "data": [{"bids": [["5.25", "1", "0", "1"]], "asks": [[ask, "1", "0", "1"]],
                "ts": "1790000000000", "seqId": number, "prevSeqId": previous}]});
        let ts = 1_790_000_000_000_000_000 + time * 1_000_000_000;
        let line = json!({"ts_ns": ts, "dir": "recv", "conn": "ws", "raw": raw.to_string()});
        line.to_string() + "\n"
    };
    let file = |name: &str, text: String| {
        let path = folder.join(format!("inspect-{}-{name}.jsonl", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    };
    let first = file("first", line(0, "snapshot", 5, -1, "9"));
    let second = file("second", line(30, "update", 7, 5, "8.5"));
    let hours_later = file("later", line(7_200, "update", 90, 80, "8"));
    let found = object("okx", &[first.clone(), second]);
    assert_fields(&found, &json!({"files": 2, "frames": 2, "malformed": 0}));
    let book = |ask: Value, state: &str, events: u64| {
        let bid = if ask.is_null() { Value::Null } else { json!("5.25") };
        json!({"book_events": events, "snapshots": 1, "gaps": 0, "best_bid": bid,
            "best_ask": ask, "state": state})
    };
    assert_fields(&found["symbols"]["A-EURI"], &book(json!("8.5"), "verified", 2));
    let found = object("okx", &[first, hours_later]);
    assert_fields(&found["symbols"]["A-EURI"], &book(Value::Null, "resyncing", 2));
}

#[test]
fn a_bad_file_is_told_with_its_line() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("inspect-{}.jsonl", std::process::id()));
    std::fs::write(&file, "{\"dir\":\"connect\",\"conn\":\"a\"}\n\n{\"dir\":\"up\"}\n").unwrap();
    let output = inspect("kraken", &[], std::slice::from_ref(&file));
    let said = String::from_utf8(output.stderr).unwrap();
    let words = format!("{}: line 3: unknown variant `up`", file.display());
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && said.contains(&words), "{said}");
    let disorder = "{\"dir\":\"recv\",\"ts_ns\":7}\n{\"dir\":\"recv\",\"ts_ns\":6}\n";
    std::fs::write(&file, disorder).unwrap();
    let said = inspect("kraken", &["--window", "0"], std::slice::from_ref(&file)).stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("line 2 is older than") && said.contains("--window"), "{said}");
    let missing = inspect("kraken", &[], &[folder.join("not-there.jsonl")]);
    assert!(String::from_utf8(missing.stderr).unwrap().contains("cannot be opened"));
}
