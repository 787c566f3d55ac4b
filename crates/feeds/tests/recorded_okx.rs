//! OKX's recorded sessions: the checksums of 2022, the chain of 2026.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod common;

use feeds::adapter::Desk;
use feeds::adapter::{BookState, SymbolCounts};
use feeds::session::Player;
use feeds::venue::Venue;
use market::BookSide;

fn desk(player: &Player) -> &Desk {
    player.adapters().next().unwrap().1.desk()
}

fn best(desk: &Desk, side: BookSide) -> String {
    let (id, _) = desk.symbols().next().unwrap();
    let level = desk.best(id, side).unwrap();
    format!("{} {}", level.price, level.size)
}

#[test]
fn every_checksum_of_2022_is_right() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("okx_v5/session_2022-05-13_books_trades_tickers.jsonl");
    let player = common::play(Venue::Okx, &path);
    let desk = desk(&player);
    assert_eq!((desk.counts.malformed, desk.counts.unknown), (0, 0));
    assert_eq!(desk.symbols().len(), 1);
    let (_, symbol) = desk.symbols().next().unwrap();
    assert_eq!(&*symbol.native, "BTC-USDT");
    let expected = SymbolCounts {
        trades: 69,
        quotes: 25,
        book_events: 98,
        snapshots: 1,
        checksums_ok: 98,
        deletes_unknown: DELETES_UNKNOWN,
        ..SymbolCounts::default()
    };
    assert_eq!(symbol.counts, expected);
    assert_eq!(symbol.state(), BookState::Verified);
    assert_eq!(best(desk, BookSide::Bid), "30236.1 0.18050747");
    assert_eq!(best(desk, BookSide::Ask), "30236.2 0.001");
    // The venue itself says which of its 400 levels fall out.
    assert_eq!(symbol.book().levels(BookSide::Bid).len(), 400);
    assert_eq!(symbol.book().levels(BookSide::Ask).len(), 400);
}

/// Counted by an independent builder: removals of levels beyond the 400 best.
const DELETES_UNKNOWN: u64 = 424;

#[test]
fn the_chain_of_2026_is_unbroken() {
    let Some(folder) = common::recordings() else { return };
    let player = common::play(Venue::Okx, &folder.join("okx_v5/books_2026-08-24_first4.jsonl"));
    let desk = desk(&player);
    assert_eq!((desk.counts.frames, desk.counts.malformed, desk.counts.unknown), (4, 0, 0));
    let (_, symbol) = desk.symbols().next().unwrap();
    let expected = SymbolCounts { book_events: 3, snapshots: 1, ..SymbolCounts::default() };
    assert_eq!(symbol.counts, expected);
    assert_eq!(symbol.state(), BookState::Verified);
    assert_eq!(best(desk, BookSide::Bid), "78722.2 0.48865651");
    assert_eq!(best(desk, BookSide::Ask), "78722.3 0.33039492");
}

#[test]
fn single_messages_never_panic_and_what_is_known_is_read() {
    let Some(folder) = common::recordings() else { return };
    let player = common::play(Venue::Okx, &folder.join("okx_v5/singles_crypto-msg-parser_a.jsonl"));
    let desk = desk(&player);
    // Unknown: an old API and REST.
    assert_eq!((desk.counts.frames, desk.counts.malformed, desk.counts.unknown), (25, 0, 7));
    let sum =
        |of: fn(&SymbolCounts) -> u64| desk.symbols().map(|(_, s)| of(&s.counts)).sum::<u64>();
    assert_eq!((sum(|c| c.trades), sum(|c| c.quotes), sum(|c| c.book_events)), (3, 6, 5));
    // Two of the three books were cut to three levels by whoever kept them.
    assert_eq!((sum(|c| c.checksums_ok), sum(|c| c.checksums_bad)), (1, 2));
}
