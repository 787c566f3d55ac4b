//! Sessions: their lines in order, and the answers by REST that are in them.

use market::BookSide;

use super::*;
use crate::adapter::{BookState, SymbolCounts};

#[test]
fn lines_come_in_the_order_in_which_they_happened() {
    let text = concat!(
        r#"{"ts_ns":5,"dir":"http","conn":"h","url":"https://x/y","raw":"a"}"#,
        "\n\n",
        r#"{"ts_ns":1,"dir":"connect","conn":"w","url":"","raw":""}"#,
        "\n",
        r#"{"ts_ns":null,"dir":"recv","conn":"w","raw":"b"}"#,
        "\n",
        r#"{"ts_ns":9,"dir":"recv","conn":"w","raw":"c"}"#,
        "\n",
    );
    let raws: Vec<_> = Record::parse_all(text).unwrap().into_iter().map(|r| r.raw).collect();
    assert_eq!(raws, ["", "b", "a", "c"]);
    assert_eq!(Record::parse_all("{}\n").unwrap_err().0, 1);
}

#[test]
fn requests_are_told_apart_by_path_and_symbol() {
    for (url, key) in [
        ("https://api.x.com/api/v3/depth?symbol=A&limit=1000", "/api/v3/depth?symbol=A"),
        ("/api/v3/depth?limit=5000&symbol=A", "/api/v3/depth?symbol=A"),
        ("https://www.x.net/api/v2/order_book/a/", "/api/v2/order_book/a?"),
        ("https://x.net", "?"),
        ("/d?symbol=%E5%B8%81USDT", "/d?symbol=币USDT"),
        ("/d?symbol=币USDT&x=1", "/d?symbol=币USDT"),
        ("/100%?symbol=%+1%zz%C", "/100%?symbol=%+1%zz%C"),
    ] {
        assert_eq!(request_key(url), key);
    }
}

/// A line of a session without times.
fn line(dir: &str, url: &str, raw: &str) -> String {
    serde_json::json!({"dir": dir, "conn": "w", "url": url, "raw": raw}).to_string() + "\n"
}

fn diff(first: u64, last: u64, bid: &str) -> String {
    let raw = format!(
        r#"{{"e":"depthUpdate","E":1,"s":"AUSDT","U":{first},"u":{last},"b":[["{bid}","2"]],"a":[]}}"#
    );
    line("recv", "", &raw)
}

fn depth(last: u64) -> String {
    let raw = format!(r#"{{"lastUpdateId":{last},"bids":[["5.0","1"]],"asks":[["9.0","1"]]}}"#);
    line("http", "https://x.com/api/v3/depth?symbol=AUSDT&limit=100", &raw)
}

fn bitstamp(at: u64, bid: &str) -> String {
    let raw = format!(
        r#"{{"data":{{"microtimestamp":"{at}","bids":[["{bid}","2"]],"asks":[]}},"channel":"diff_order_book_ausd","event":"data"}}"#
    );
    line("recv", "", &raw)
}

fn order_book(at: u64) -> String {
    let raw = format!(r#"{{"microtimestamp":"{at}","bids":[["5.0","1"]],"asks":[["9.0","1"]]}}"#);
    line("http", "https://x.net/api/v2/order_book/ausd/", &raw)
}

/// The book at the end of a session, and what was counted.
fn played(venue: Venue, lines: &[String]) -> (BookState, String, SymbolCounts) {
    let mut player = Player::new(venue, DeskOptions { venue: "x".into(), ..Default::default() });
    for record in Record::parse_all(&lines.concat()).unwrap() {
        player.play(&record, |_, _| {});
    }
    let (_, adapter) = player.adapters().next().unwrap();
    let (id, symbol) = adapter.desk().symbols().next().unwrap();
    let best = adapter.desk().best(id, BookSide::Bid);
    let best = best.map_or(String::new(), |level| level.price.to_string());
    (symbol.state(), best, symbol.counts)
}

#[test]
fn snapshots_are_used_when_they_come_even_if_no_time_passes() {
    let book = |number: u64| diff(number, number, &format!("5.{number}"));
    for lines in [
        vec![depth(1), book(1), book(2), book(3)],
        vec![book(1), depth(1), book(2), book(3)],
        vec![book(1), book(2), book(3), depth(1)],
        // It ends just before the first diff.
        vec![book(2), depth(1), book(3)],
        // The first is older than the stream.
        vec![book(2), depth(0), book(3), depth(3)],
    ] {
        let (state, best, counts) = played(Venue::Binance, &lines);
        let newest = if counts.stale == 2 { "5.0" } else { "5.3" };
        assert_eq!((state, &*best), (BookState::Verified, newest), "{lines:?}");
        assert_eq!((counts.snapshots, counts.gaps), (1, 0), "{lines:?}");
    }
    // After a gap, one that is older than it does not help.
    let lines = [book(1), depth(1), book(2), depth(2), book(4), depth(4), book(5)];
    let (state, best, counts) = played(Venue::Binance, &lines);
    assert_eq!((state, &*best), (BookState::Verified, "5.5"));
    assert_eq!((counts.snapshots, counts.gaps, counts.book_events), (2, 1, 4));

    let book = |at: u64| bitstamp(at, &format!("5.{at}"));
    for (lines, stale) in [
        (vec![order_book(0), book(1), book(2)], 0),
        (vec![book(1), order_book(1), book(2)], 1),
        (vec![book(1), book(2), order_book(1)], 1),
    ] {
        let (state, best, counts) = played(Venue::Bitstamp, &lines);
        assert_eq!((state, &*best), (BookState::Unverifiable, "5.2"), "{lines:?}");
        assert_eq!((counts.snapshots, counts.stale), (1, stale), "{lines:?}");
    }
}

/// Kraken tells one pair: its snapshot, or that 5.5 is the best bid.
fn kraken(time: u64, kind: &str) -> Record {
    let level = |price: &str| format!(r#"{{"price":{price},"qty":1.0}}"#);
    let (bids, text) = match kind {
        "snapshot" => (level("5.0"), "9010".to_owned() + "5010"),
        _ => (level("5.5"), "9010".to_owned() + "5510" + "5010"),
    };
    let asks = if kind == "snapshot" { level("9.0") } else { String::new() };
    let checksum = crc32fast::hash(text.as_bytes());
    let raw = format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"A/USD","bids":[{bids}],"asks":[{asks}],"checksum":{checksum},"timestamp":"2026-01-01T00:00:00Z"}}]}}"#
    );
    Record {
        ts_ns: Some(time * SECOND),
        dir: Direction::Recv,
        conn: "w".into(),
        url: String::new(),
        raw,
    }
}

fn state(adapter: &dyn Adapter) -> BookState {
    adapter.desk().symbols().next().map(|(_, symbol)| symbol.state()).unwrap()
}

#[test]
fn a_connection_goes_on_in_the_next_file_where_that_can_be_told() {
    let play = |files: &[&[Record]]| {
        let options = DeskOptions { venue: "x".into(), ..Default::default() };
        let mut player = Player::new(Venue::Kraken, options);
        let mut ended = Vec::new();
        for file in files {
            ended.extend(player.next_file());
            for record in *file {
                player.play(record, |_, _| {});
            }
        }
        let mut found: Vec<_> =
            ended.iter().map(|(heard, adapter)| (*heard, state(&**adapter))).collect();
        found.extend(player.heard().map(|(heard, adapter)| (heard, state(adapter))));
        found.sort_by_key(|(heard, _)| *heard);
        found
    };
    use std::slice::from_ref;

    use BookState::{Resyncing, Verified};
    let (snapshot, update) = (kraken(1, "snapshot"), |time| kraken(time, "update"));
    let goes_on = [(2, Verified)];
    assert_eq!(play(&[from_ref(&snapshot), &[update(61)]]), goes_on);
    // Too late, too early, opened anew, or at an unknown time.
    let apart = [(1, Verified), (2, Resyncing)];
    assert_eq!(play(&[from_ref(&snapshot), &[update(62)]]), apart);
    assert_eq!(play(&[from_ref(&snapshot), &[update(0)]]), apart);
    let timeless = Record { ts_ns: None, ..update(2) };
    assert_eq!(play(&[from_ref(&snapshot), &[timeless]]), apart);
    let opened = Record { dir: Direction::Connect, ..update(2) };
    let anew = [(1, Verified), (3, Resyncing)];
    assert_eq!(play(&[from_ref(&snapshot), &[opened.clone(), update(2)]]), anew);
    // One that is silent for a whole file has ended with it.
    let other = Record { conn: "v".into(), ..update(3) };
    assert_eq!(play(&[from_ref(&snapshot), from_ref(&other), &[update(4)]]).len(), 3);
    assert_eq!(play(&[&[snapshot.clone(), other], &[update(4)], &[]]).len(), 2);
    // Within a file, a connection that is opened anew has no book.
    assert_eq!(play(&[&[snapshot, opened]]), [(1, Resyncing)]);
}
