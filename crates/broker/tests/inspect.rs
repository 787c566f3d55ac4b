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
        (
            "coinbase",
            "coinbase_advanced/session_2026-08-09_firsthalf.jsonl.zst",
            "ETH-USD",
            json!({"trades": 121, "book_events": 179, "snapshots": 1, "gaps": 0, "stale": 0,
                "checksums_ok": 0, "deletes_unknown": 5, "best_bid": "1919.41",
                "best_ask": "1919.5", "state": "verified"}),
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

/// A path for one test, with `bytes` in it.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("inspect-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A line of a session of Kraken's: one execution.
fn line(id: u64) -> String {
    let raw = json!({"channel": "trade", "type": "update", "data": [{"symbol": "BTC/USD",
        "side": "buy", "price": 100.5, "qty": 0.25, "ord_type": "market", "trade_id": id,
        "timestamp": "2026-01-01T00:00:00.000000Z"}]})
    .to_string();
    json!({"ts_ns": id, "dir": "recv", "conn": "a", "raw": raw}).to_string() + "\n"
}

/// The object of so many files and executions, byte for byte.
fn expected(files: u64, trades: u64) -> String {
    format!(
        "{{\"venue\":\"kraken\",\"files\":{files},\"frames\":{trades},\"malformed\":0,\
         \"unknown\":0,\"symbols\":{{\"BTC/USD\":{{\"trades\":{trades},\"quotes\":0,\
         \"book_events\":0,\"snapshots\":0,\"stale\":0,\"gaps\":0,\"checksums_ok\":0,\
         \"checksums_bad\":0,\"deletes_unknown\":0,\"best_bid\":null,\"best_ask\":null,\
         \"state\":null}}}}}}\n"
    )
}

/// Exit code, output, and what was said.
fn told(venue: &str, arguments: &[&str], files: &[PathBuf]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = inspect(venue, arguments, files);
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The order in which an object writes these keys.
fn keys_in_order(text: &str, keys: &[&str]) -> bool {
    let places: Vec<usize> =
        keys.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    places.is_sorted()
}

#[test]
fn the_object_is_the_same_byte_for_byte_for_one_file_and_for_several() {
    let one = file("one.jsonl", line(1).as_bytes());
    let two = file("two.jsonl.zst", &feeds::recording::pack((line(2) + &line(3)).as_bytes()));
    assert_eq!(
        told("kraken", &["--json"], std::slice::from_ref(&one)),
        (Some(0), expected(1, 1), String::new())
    );
    assert_eq!(told("kraken", &["--json"], &[one, two]), (Some(0), expected(2, 3), String::new()));
    let Some(folder) = recordings() else { return };
    for file in [
        "nasdaq_itch50/ritch_simulated_ALC_BOB.itch",
        "nasdaq_itch50/pcap/Nasdaq_AddOrderNoMpidAttributionMessage.pcap",
    ] {
        let (code, text, said) = told("itch", &["--json"], &[folder.join(file)]);
        assert_eq!(code, Some(0), "{said}");
        assert!(text.starts_with("{\"venue\":\"itch\",\"files\":1,\"frames\":"), "{text}");
        let keys = ["venue", "files", "frames", "malformed", "unknown", "symbols"];
        assert!(keys_in_order(&text, &keys), "{text}");
        let keys = [
            "trades",
            "quotes",
            "book_events",
            "snapshots",
            "stale",
            "gaps",
            "checksums_ok",
            "checksums_bad",
            "deletes_unknown",
            "best_bid",
            "best_ask",
            "state",
        ];
        assert!(keys_in_order(&text, &keys), "{text}");
    }
}

#[test]
fn an_event_names_its_symbol_in_both_spellings() {
    let (code, text, said) =
        told("kraken", &["--events"], &[file("events.jsonl", line(7).as_bytes())]);
    assert_eq!(code, Some(0), "{said}");
    let trade = text.lines().find(|line| line.contains("\"trade.")).unwrap();
    let names = "{\"topic\":\"trade.kraken.BTC-USD\",\"symbol\":\"BTC/USD\",\
                 \"canonical\":\"BTC-USD\",\"data\":{";
    assert!(trade.starts_with(names), "{trade}");
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
    let status = text.lines().find(|line| line.contains("\"status.kraken\"")).unwrap();
    assert!(
        status.starts_with("{\"topic\":\"status.kraken\",\"data\":{"),
        "of no symbol: {status}"
    );
}

#[test]
fn what_can_be_read_of_a_file_is_counted() {
    let frames = [line(2), line(3)].map(|line| feeds::recording::pack(line.as_bytes()));
    let torn = [&frames[0][..], &frames[1][..frames[1].len() - 5]].concat();
    let torn = file("torn.jsonl.zst", &torn);
    let (code, text, said) = told("kraken", &["--json"], std::slice::from_ref(&torn));
    assert_eq!((code, text), (Some(0), expected(1, 1)), "{said}");
    let words = "torn.jsonl.zst: after line 1: the file is torn, and ends within a frame of zstd";
    assert!(said.starts_with("warning: ") && said.contains(words), "{said}");

    let half = file("half.jsonl", (line(1) + &line(2)[..30]).as_bytes());
    let (code, text, said) = told("kraken", &["--json"], &[half]);
    assert_eq!((code, text), (Some(0), expected(1, 1)), "{said}");
    assert!(said.contains("after line 1: the file is torn, and ends within a line"), "{said}");

    let bad = file("bad.jsonl", (line(1) + "notes\n" + &line(2)).as_bytes());
    let missing = torn.with_file_name("not-there.jsonl");
    let (code, text, said) = told("kraken", &["--json"], &[missing, bad, torn]);
    assert_eq!((code, text), (Some(1), expected(2, 2)), "{said}");
    for words in ["not-there.jsonl: cannot be opened", "line 2: ", "2 of 3 files could not be"] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
}

#[test]
fn where_nothing_can_be_read_the_end_is_a_failure() {
    let session = file("session.jsonl", line(1).as_bytes());
    for (venue, path, words) in [
        ("kraken", file("empty.jsonl", b""), "there is no message in what was read"),
        ("itch", file("empty.pcap", b""), "there is no message in what was read"),
        ("kraken", file("gz.jsonl", &[0x1f, 0x8b, 8, 0]), "compressed with gzip: unpack it first"),
        ("kraken", file("noise.zst", &[0x28, 0xb5, 0x2f, 0xfd]), "the file is torn"),
        ("okx", session, "none of 1 messages is one that okx sends: is it another venue's?"),
    ] {
        let (code, _, said) = told(venue, &["--json"], &[path]);
        assert!(code == Some(1) && said.contains(words), "{words} is not in {said}");
    }
    let (code, _, said) = told("nowhere", &[], &[file("any.jsonl", b"")]);
    assert!(code == Some(2) && said.contains("is no venue; there are bybit"), "{said}");
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
