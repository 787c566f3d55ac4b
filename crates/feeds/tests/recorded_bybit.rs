//! Bybit's adapter over real recordings, against what an independent book builder found in them.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod common;

use std::collections::BTreeMap;

use feeds::Update;
use feeds::adapter::BookState;
use feeds::adapter::{Adapter, DeskOptions, SymbolId};
use feeds::derive::{Derive, DeriveOptions};
use feeds::session::{Player, Record};
use feeds::venue::Venue;
use market::{BookSide, Decimal, Event, QuoteSide};

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
        (counts.frames, counts.unused, counts.unknown + counts.malformed, counts.symbols_refused)
    };
    // The candles are not used.
    assert_eq!((counts(0), counts(1)), ((1_227, 34, 0, 0), (374, 15, 0, 0)));
}

#[test]
fn the_last_quote_of_each_ticker_is_the_best_of_its_book() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("bybit_v5/session_2026-08-09_linear_spot.jsonl");
    let mut player = Player::new(Venue::BybitLinear, DeskOptions::default());
    let mut quotes = BTreeMap::new();
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

/// Start, open, high, low, close, volume and number of trades of each second, by symbol, found in
/// the raw text alone.
fn seconds(records: &[Record], conn: &str) -> BTreeMap<(String, u64), [String; 6]> {
    let mut trades: BTreeMap<(String, u64), Vec<(Decimal, Decimal)>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.conn == conn) {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&record.raw) else { continue };
        let topic = message["topic"].as_str().unwrap_or_default();
        let Some(symbol) = topic.strip_prefix("publicTrade.") else { continue };
        for trade in message["data"].as_array().unwrap() {
            let decimal = |key: &str| trade[key].as_str().unwrap().parse().unwrap();
            let second = trade["T"].as_u64().unwrap() / 1_000;
            let key = (symbol.to_owned(), second);
            trades.entry(key).or_default().push((decimal("p"), decimal("v")));
        }
    }
    trades
        .into_iter()
        .map(|(key, trades)| {
            let prices = || trades.iter().map(|(price, _)| *price);
            let sum =
                |sum: Decimal, (_, size): &(Decimal, Decimal)| sum.checked_add(*size).unwrap();
            let volume = trades.iter().fold(Decimal::ZERO, sum);
            let numbers = [
                trades[0].0,
                prices().max().unwrap(),
                prices().min().unwrap(),
                trades[trades.len() - 1].0,
                volume,
            ];
            let [open, high, low, close, volume] = numbers.map(|number| number.to_string());
            (key, [open, high, low, close, volume, trades.len().to_string()])
        })
        .collect()
}

#[test]
fn bars_of_a_second_are_those_of_the_raw_trades_and_quotes_are_the_best_of_the_book() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("bybit_v5/session_2026-08-09_linear_spot.jsonl");
    let records = Record::parse_all(&common::text(&path)).unwrap();
    for (conn, bars_made, quotes_made) in [("ws.2", 24, 295), ("ws.3", 11, 219)] {
        let mut player =
            Player::new(Venue::Bybit, DeskOptions { venue: "x".into(), ..DeskOptions::default() });
        let options = DeriveOptions { quotes: true, ..DeriveOptions::default() };
        let mut derive = Derive::new("x", options);
        let mut out = Vec::new();
        for record in records.iter().filter(|record| record.conn == conn) {
            derive.tick(record.ts_ns.unwrap_or_default(), &mut out);
            player.play(record, |adapter, output| {
                for update in &output.updates {
                    derive.update(adapter.desk().channels(), update, &mut out);
                }
            });
        }
        while let Some(due) = derive.next_due() {
            derive.tick(due, &mut out);
        }
        let (mut bars, mut quotes) = (BTreeMap::new(), BTreeMap::new());
        let mut quotes_seen = 0;
        for Update { channel, event } in out {
            let topic = derive.channels()[channel].topic.as_str();
            let symbol = |first: &str| Some(topic.strip_prefix(first)?.replace('-', ""));
            match event {
                Event::Bar(bar) => {
                    let Some(symbol) = symbol("bar-1s.x.") else { continue };
                    let numbers = [bar.open, bar.high, bar.low, bar.close, bar.volume];
                    let [open, high, low, close, volume] = numbers.map(|n| n.to_string());
                    let line = [open, high, low, close, volume, bar.trades.to_string()];
                    let before = bars.insert((symbol, bar.start / 1_000_000_000), line);
                    assert_eq!(before, None, "one bar twice");
                }
                Event::Quote(quote) => {
                    quotes_seen += 1;
                    quotes.insert(symbol("quote.x.").unwrap(), [quote.bid, quote.ask]);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(bars, seconds(&records, conn));
        assert_eq!((bars.len(), quotes_seen), (bars_made, quotes_made), "{conn}");
        let (_, adapter) = player.adapters().next().unwrap();
        for (id, symbol) in adapter.desk().symbols() {
            let best = [BookSide::Bid, BookSide::Ask].map(|side| {
                let level = adapter.desk().best(id, side).unwrap();
                Some(QuoteSide { price: level.price, size: level.size })
            });
            assert_eq!(quotes[&*symbol.native], best);
        }
    }
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
