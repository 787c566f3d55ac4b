//! Real sessions of Binance and Binance US, compared with what an independent book builder found.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod common;

use feeds::adapter::{BookState, Counts, SymbolCounts};
use feeds::session::Player;
use feeds::venue::Venue;
use market::BookSide;

/// The only adapter of a session.
fn counts(player: &Player) -> Counts {
    let mut adapters = player.adapters();
    let (_, adapter) = adapters.next().unwrap();
    assert!(adapters.next().is_none());
    adapter.desk().counts
}

/// One symbol: counts, state, best bid, best offer.
fn symbol(player: &Player, native: &str) -> (SymbolCounts, BookState, String, String) {
    let desk = player.adapters().next().unwrap().1.desk();
    let (id, symbol) = desk.symbols().find(|(_, symbol)| &*symbol.native == native).unwrap();
    let best = |side| desk.best(id, side).map_or("-".to_owned(), |level| level.price.to_string());
    (symbol.counts, symbol.state(), best(BookSide::Bid), best(BookSide::Ask))
}

#[test]
fn binance_2024() {
    let Some(folder) = common::recordings() else { return };
    let file = "binance_spot/session_2024-08-08_btcusdt_depth_bookTicker_trade.jsonl.zst";
    let player = common::play(Venue::Binance, &folder.join(file));
    assert_eq!(counts(&player), Counts { frames: 11_999, ..Counts::default() });
    let (counts, state, bid, ask) = symbol(&player, "BTCUSDT");
    assert_eq!(
        counts,
        SymbolCounts {
            trades: 2_278,
            quotes: 8_637,
            book_events: 1_084,
            snapshots: 1,
            stale: 2,
            deletes_unknown: 2_843,
            ..SymbolCounts::default()
        }
    );
    assert_eq!(state, BookState::Verified);
    assert_eq!((&*bid, &*ask), ("61759.56000000", "61759.57000000"));
}

#[test]
fn binance_2021() {
    let Some(folder) = common::recordings() else { return };
    let file = "binance_spot/session_2021-10-12_depth_bookTicker_aggTrade_kline.jsonl";
    let player = common::play(Venue::Binance, &folder.join(file));
    // The one unused message is a kline; its only trade came as an aggregate.
    assert_eq!(counts(&player), Counts { frames: 228, unused: 1, ..Counts::default() });
    let (counts, state, bid, ask) = symbol(&player, "NKNUSDT");
    let expected = SymbolCounts {
        trades: 1,
        quotes: 74,
        book_events: 150,
        snapshots: 1,
        stale: 1,
        ..SymbolCounts::default()
    };
    assert_eq!((counts, state), (expected, BookState::Verified));
    assert_eq!((&*bid, &*ask), ("0.35270000", "0.35310000"));
    let (counts, state, bid, ask) = symbol(&player, "RUNEEUR");
    let expected =
        SymbolCounts { book_events: 2, snapshots: 1, stale: 1, ..SymbolCounts::default() };
    assert_eq!((counts, state), (expected, BookState::Verified));
    assert_eq!((&*bid, &*ask), ("6.25100000", "6.26900000"));
}

#[test]
fn binance_us_2021() {
    let Some(folder) = common::recordings() else { return };
    let player =
        common::play(Venue::BinanceUs, &folder.join("binance_us/session_2021-10-12.jsonl"));
    assert_eq!(counts(&player), Counts { frames: 191, ..Counts::default() });
    for (native, quotes, book_events, deletes_unknown, bid, ask) in [
        ("COMPUSDT", 44, 107, 1, "296.92000000", "297.46000000"),
        ("CRVUSDT", 11, 29, 0, "2.64300000", "2.64800000"),
    ] {
        let (counts, state, best_bid, best_ask) = symbol(&player, native);
        let expected = SymbolCounts {
            quotes,
            book_events,
            snapshots: 1,
            stale: 1,
            deletes_unknown,
            ..SymbolCounts::default()
        };
        assert_eq!((counts, state), (expected, BookState::Verified), "{native}");
        assert_eq!((&*best_bid, &*best_ask), (bid, ask), "{native}");
    }
}

#[test]
fn single_messages_of_spot_and_derivatives() {
    let Some(folder) = common::recordings() else { return };
    let file = folder.join("binance_spot/singles_crypto-msg-parser_a.jsonl");
    let player = common::play(Venue::Binance, &file);
    // Unknown: mark prices, open interest, snapshots that do not say whose they are. Unused:
    // klines and the statistics of a day.
    let expected = Counts { frames: 26, unknown: 8, unused: 7, ..Counts::default() };
    assert_eq!(counts(&player), expected);
    for (native, trades, quotes, book_events) in [
        ("BTCUSDT", 2, 0, 1),
        ("BTCUSDT_210625", 1, 0, 0),
        ("ETHUSDT_210625", 0, 0, 1),
        ("BTCUSD_PERP", 0, 0, 2),
        ("BTCUSD_220624", 0, 0, 1),
        ("ETHUSDT", 0, 0, 1),
        ("XMRUSD_PERP", 0, 1, 0),
        ("ETHUSD_PERP", 0, 1, 0),
    ] {
        let (counts, state, ..) = symbol(&player, native);
        // Its two executions are of different hours.
        let trades_missed = u64::from(native == "BTCUSDT");
        let expected =
            SymbolCounts { trades, quotes, book_events, trades_missed, ..SymbolCounts::default() };
        assert_eq!((counts, state), (expected, BookState::Resyncing), "{native}");
    }
}
