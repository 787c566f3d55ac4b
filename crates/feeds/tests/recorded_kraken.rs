//! Kraken's recorded sessions, v2 and v1: every checksum is right, and the books end where an
//! independent builder's do.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod common;

use feeds::adapter::{BookState, SymbolCounts};
use feeds::session::Player;
use feeds::venue::Venue;
use market::BookSide;

/// What one symbol's connection came to: its counts, and the best bid and offer.
fn symbol(
    player: &Player,
    conn: &str,
    native: &str,
) -> (SymbolCounts, BookState, [Option<String>; 2]) {
    let (_, adapter) = player.adapters().find(|(name, _)| *name == conn).unwrap();
    let desk = adapter.desk();
    let (id, symbol) = desk.symbols().find(|(_, symbol)| &*symbol.native == native).unwrap();
    let best = [BookSide::Bid, BookSide::Ask].map(|side| desk.best(id, side));
    (symbol.counts, symbol.state(), best.map(|level| level.map(|level| level.price.to_string())))
}

fn none_malformed_or_unknown(player: &Player) {
    for (name, adapter) in player.adapters() {
        let counts = adapter.desk().counts;
        assert_eq!((counts.malformed, counts.unknown), (0, 0), "{name}");
    }
}

#[test]
fn every_checksum_of_v2_books_is_right() {
    let Some(folder) = common::recordings() else { return };
    for (file, frames, events, bid, ask) in [
        ("book10_2026-08-24.jsonl", 8, 4, "78871.5", "78871.6"),
        ("book10_2026-09-12_first45.jsonl", 45, 38, "77362.8", "77362.9"),
    ] {
        let player = common::play(Venue::Kraken, &folder.join("kraken_v2").join(file));
        none_malformed_or_unknown(&player);
        assert_eq!(player.adapters().next().unwrap().1.desk().counts.frames, frames);
        let (counts, state, best) = symbol(&player, "ws", "BTC/USD");
        let expected = SymbolCounts {
            book_events: events,
            snapshots: 1,
            checksums_ok: events,
            ..SymbolCounts::default()
        };
        assert_eq!(counts, expected, "{file}");
        assert_eq!(state, BookState::Verified);
        assert_eq!(best, [Some(bid.to_owned()), Some(ask.to_owned())]);
    }
}

#[test]
fn v2_trades_are_each_an_event() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("kraken_v2/trade_2026-09-14_a.jsonl");
    let player = common::play(Venue::Kraken, &path);
    none_malformed_or_unknown(&player);
    assert_eq!(player.adapters().next().unwrap().1.desk().counts.frames, 20);
    let (counts, _, _) = symbol(&player, "ws", "BTC/USD");
    assert_eq!(counts, SymbolCounts { trades: 20, ..SymbolCounts::default() });
}

#[test]
fn every_checksum_of_v1_books_is_right() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("kraken_v1_legacy/session_2021-04-17_book1000.jsonl");
    let player = common::play(Venue::KrakenV1, &path);
    none_malformed_or_unknown(&player);
    let mut checksums = 0;
    for (native, events, bid, ask, levels) in [
        ("XBT/CHF", 290, "56060.30000", "56194.20000", (500, 315)),
        ("OMG/USD", 574, "9.586075", "9.604799", (226, 298)),
        ("GRT/ETH", 21, "0.000833500", "0.000836200", (60, 73)),
        ("KSM/XBT", 336, "0.00756000", "0.00756600", (189, 243)),
        ("XMR/USD", 847, "353.64000000", "354.48000000", (657, 426)),
    ] {
        let (counts, state, best) = symbol(&player, "ws.50", native);
        let expected = SymbolCounts {
            book_events: events,
            snapshots: 1,
            checksums_ok: events - 1,
            ..SymbolCounts::default()
        };
        assert_eq!(counts, expected, "{native}");
        assert_eq!(state, BookState::Verified);
        assert_eq!(best, [Some(bid.to_owned()), Some(ask.to_owned())], "{native}");
        let (_, adapter) = player.adapters().find(|(name, _)| *name == "ws.50").unwrap();
        let (_, symbol) = adapter.desk().symbols().find(|(_, s)| &*s.native == native).unwrap();
        let book = symbol.book();
        assert_eq!((book.levels(BookSide::Bid).len(), book.levels(BookSide::Ask).len()), levels);
        checksums += counts.checksums_ok;
    }
    assert_eq!(checksums, 2063);
    assert_eq!(symbol(&player, "ws.48", "XMR/USD").0.trades, 4);
    let quotes = ["XBT/CHF", "OMG/USD", "GRT/ETH", "KSM/XBT", "XMR/USD"]
        .map(|native| symbol(&player, "ws.49", native).0.quotes);
    assert_eq!(quotes.iter().sum::<u64>(), 8);
}

#[test]
fn single_messages_of_other_products_are_passed_over() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("kraken_v1_legacy/singles_crypto-msg-parser_a.jsonl");
    let player = common::play(Venue::KrakenV1, &path);
    let (_, adapter) = player.adapters().next().unwrap();
    let all = adapter.desk().counts;
    // Of the eleven, one is a trade and two are of a book; one has bars, and
    // the others are futures and REST.
    assert_eq!((all.frames, all.malformed, all.unknown), (11, 0, 7));
    let (counts, state, _) = symbol(&player, "single", "XBT/USD");
    assert_eq!((counts.trades, counts.book_events, counts.snapshots), (1, 2, 1));
    // Cut to three levels by whoever kept them, so the checksum is of another book.
    assert_eq!((counts.checksums_bad, state), (1, BookState::Resyncing));
    // The same where the recording's version is not known.
    let player = common::play(Venue::Kraken, &path);
    assert_eq!(player.adapters().next().unwrap().1.desk().counts, all);
}
