//! Bybit's adapter over real recordings, against what an independent book builder found in them.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod common;

use feeds::adapter::desk::BookState;
use feeds::adapter::{Adapter, DeskOptions, SymbolId};
use feeds::session::{Player, Record};
use feeds::venue::Venue;
use market::{BookSide, Event};

/// What an adapter holds of one symbol, in one line.
fn line(adapter: &dyn Adapter, id: SymbolId) -> String {
    let desk = adapter.desk();
    let symbol = desk.symbol(id);
    let counts = symbol.counts;
    let best = [BookSide::Bid, BookSide::Ask].map(|side| {
        let level = desk.best(id, side).unwrap();
        format!("{} {}", level.price, level.size)
    });
    assert_eq!((counts.stale, counts.gaps, counts.crossed, counts.malformed), (0, 0, 0, 0));
    assert_eq!((counts.snapshots, counts.deletes_unknown), (1, 0));
    assert_eq!(symbol.state(), BookState::Verified);
    // The venue removes what falls out of its depth, so there are always as many as were asked.
    assert_eq!(symbol.book().len(), 400);
    format!(
        "{} {} {} {} | {} | {}",
        symbol.native, counts.book_events, counts.trades, counts.quotes, best[0], best[1]
    )
}

#[test]
fn each_book_message_of_the_session_follows_the_one_before() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("bybit_v5/session_2026-08-09_linear_spot.jsonl");
    let player = common::play(Venue::BybitLinear, &path);
    let adapters: Vec<(&str, &dyn Adapter)> = player.adapters().collect();
    let lines: Vec<String> = adapters
        .iter()
        .flat_map(|(conn, adapter)| {
            let ids = adapter.desk().symbols().map(|(id, _)| id);
            ids.map(move |id| format!("{conn} {}", line(*adapter, id)))
        })
        .collect();
    assert_eq!(
        lines,
        [
            "ws.2 BTCUSDT 414 56 134 | 65114.20 5.974 | 65114.30 9.060",
            "ws.2 DOGEUSDT 380 83 151 | 0.07055 192121 | 0.07056 4200",
            "ws.3 BTCUSDT 300 11 0 | 65140.4 0.622237 | 65140.5 0.606831",
        ]
    );
    let counts = |at: usize| {
        let counts = adapters[at].1.desk().counts;
        (counts.frames, counts.unknown, counts.malformed, counts.symbols_refused)
    };
    // The candles are not used.
    assert_eq!((counts(0), counts(1)), ((1_227, 34, 0, 0), (374, 15, 0, 0)));
}

#[test]
fn the_last_quote_of_each_ticker_is_the_best_of_its_book() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("bybit_v5/session_2026-08-09_linear_spot.jsonl");
    let mut player = Player::new(Venue::BybitLinear, DeskOptions::default());
    let mut quotes = std::collections::BTreeMap::new();
    for record in Record::parse_all(&common::text(&path)).unwrap() {
        player.play(&record, |adapter, out| {
            for update in &out.updates {
                if let Event::Quote(quote) = &update.event {
                    let topic = adapter.desk().channels()[update.channel].topic.clone();
                    quotes.insert(topic, quote.clone());
                }
            }
        });
    }
    let texts: Vec<String> = quotes
        .iter()
        .map(|(topic, quote)| {
            let [bid, ask] = [quote.bid, quote.ask].map(Option::unwrap);
            format!("{topic} {} {} {} {}", bid.price, bid.size, ask.price, ask.size)
        })
        .collect();
    assert_eq!(
        texts,
        [
            "quote..BTC-USDT-PERP 65114.20 5.974 65114.30 9.060",
            "quote..DOGE-USDT-PERP 0.07055 192121 0.07056 4200",
        ]
    );
}

#[test]
fn messages_of_another_version_are_unknown_and_harm_nothing() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("bybit_v5/singles_crypto-msg-parser_a.jsonl");
    for venue in [Venue::Bybit, Venue::BybitLinear] {
        let player = common::play(venue, &path);
        let (_, adapter) = player.adapters().next().unwrap();
        let counts = adapter.desk().counts;
        assert_eq!((counts.frames, counts.unknown, counts.malformed), (12, 12, 0));
        assert_eq!(adapter.desk().symbols().len(), 0);
    }
}
