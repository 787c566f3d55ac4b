//! Real sessions of Bitstamp, compared with what an independent book builder found.

mod common;

use feeds::adapter::{BookState, Counts, SymbolCounts};
use feeds::venue::Venue;
use market::BookSide;

#[test]
fn diffs_and_trades() {
    let Some(folder) = common::recordings() else { return };
    let file = folder.join("bitstamp_v2/session_2022-01-05_diff_trades.jsonl");
    let player = common::play(Venue::Bitstamp, &file);
    let desk = player.adapters().next().unwrap().1.desk();
    assert_eq!(desk.counts, Counts { frames: 368, ..Counts::default() });
    assert_eq!(desk.symbols().len(), 5);
    for (pair, trades, book_events, stale, bid, ask) in [
        // Nothing happened to it but its snapshot.
        ("sgbeur", 0, 0, 0, "0.14695", "0.14844"),
        ("ethusd", 10, 85, 12, "3800.78", "3803.58"),
        ("bateur", 0, 89, 14, "1.15979", "1.16265"),
        ("usdteur", 0, 101, 12, "0.88596", "0.88657"),
        ("xlmgbp", 0, 73, 13, "0.20816", "0.20868"),
    ] {
        let (id, symbol) = desk.symbols().find(|(_, symbol)| &*symbol.native == pair).unwrap();
        let counts =
            SymbolCounts { trades, book_events, stale, snapshots: 1, ..SymbolCounts::default() };
        assert_eq!((symbol.counts, symbol.state()), (counts, BookState::Unverifiable), "{pair}");
        let best = |side| desk.best(id, side).unwrap().price.to_string();
        assert_eq!((&*best(BookSide::Bid), &*best(BookSide::Ask)), (bid, ask), "{pair}");
    }
}

#[test]
fn single_orders_are_understood_and_not_published() {
    let Some(folder) = common::recordings() else { return };
    let file = folder.join("bitstamp_v2/live_orders_2026-08-24_a.jsonl");
    let player = common::play(Venue::Bitstamp, &file);
    let desk = player.adapters().next().unwrap().1.desk();
    assert_eq!(desk.counts, Counts { frames: 251, unused: 250, ..Counts::default() });
    assert_eq!(desk.symbols().len(), 0);
}

#[test]
fn single_messages() {
    let Some(folder) = common::recordings() else { return };
    let file = folder.join("bitstamp_v2/singles_crypto-msg-parser_a.jsonl");
    let player = common::play(Venue::Bitstamp, &file);
    let desk = player.adapters().next().unwrap().1.desk();
    // The third is an answer by REST, which says nothing of whose it is.
    assert_eq!(desk.counts, Counts { frames: 3, unknown: 1, ..Counts::default() });
    let (_, symbol) = desk.symbols().next().unwrap();
    let counts =
        SymbolCounts { trades: 1, book_events: 1, snapshots: 1, ..SymbolCounts::default() };
    assert_eq!((symbol.counts, symbol.state()), (counts, BookState::Unverifiable));
}
