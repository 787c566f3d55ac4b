//! Recorded sessions of Coinbase Advanced Trade, against values found by an independent reading.

mod common;

use feeds::adapter::Adapter;
use feeds::adapter::{BookState, SymbolCounts};
use feeds::session::{Direction, Player, Record};
use feeds::venue::Venue;
use market::{Aggressor, BookSide, Event, Flags};

fn adapter(player: &Player) -> &dyn Adapter {
    // A session of one WebSocket; REST answers have names of their own.
    let mut adapters = player.adapters().map(|(_, adapter)| adapter);
    let adapter = adapters.next().expect("a connection");
    assert!(adapters.next().is_none(), "one connection only");
    adapter
}

/// Native symbol, its counts, its state and its best levels.
fn tell(adapter: &dyn Adapter) -> Vec<(String, SymbolCounts, BookState, [String; 2])> {
    let desk = adapter.desk();
    desk.symbols()
        .map(|(id, symbol)| {
            let best = [BookSide::Bid, BookSide::Ask].map(|side| {
                let level = desk.best(id, side).expect("a book with both sides");
                format!("{} {}", level.price, level.size)
            });
            (symbol.native.to_string(), symbol.counts, symbol.state(), best)
        })
        .collect()
}

#[test]
fn a_session_of_two_products_is_read_without_a_gap() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("coinbase_advanced/session_2026-08-09_firsthalf.jsonl.zst");
    let text = common::text(&path);
    let records = Record::parse_all(&text).expect("a good file");
    let frames = records.iter().filter(|record| record.dir == Direction::Recv);
    assert_eq!(frames.clone().count(), 515);
    assert_eq!(frames.map(|record| record.raw.len()).max(), Some(5_079_379));

    let options = feeds::adapter::DeskOptions { venue: "coinbase".into(), ..Default::default() };
    let mut player = Player::new(Venue::Coinbase, options);
    let (mut zeros, mut buys_at_ask, mut sells_at_bid, mut trades) = (0, 0, 0, Vec::new());
    for record in &records {
        player.play(record, |adapter, out| {
            for update in out.updates.drain(..) {
                match update.event {
                    Event::Book(diff) => {
                        let levels = diff.bids.iter().chain(&diff.asks);
                        zeros += levels.filter(|level| level.size.is_zero()).count();
                    }
                    Event::Trade(trade) => {
                        let topic = adapter.desk().channels()[update.channel].topic.clone();
                        assert!(!trade.stamps.flags.has(Flags::GAP_BEFORE));
                        // The taker's side, seen against the book of the moment.
                        let symbol = adapter
                            .desk()
                            .symbols()
                            .find(|(_, symbol)| topic.ends_with(&format!(".{}", symbol.canonical)));
                        let (id, _) = symbol.expect("a known symbol");
                        let at = |side| adapter.desk().best(id, side).map(|level| level.price);
                        match trade.side {
                            Aggressor::Buy if at(BookSide::Ask) == Some(trade.price) => {
                                buys_at_ask += 1;
                            }
                            Aggressor::Sell if at(BookSide::Bid) == Some(trade.price) => {
                                sells_at_bid += 1;
                            }
                            _ => {}
                        }
                        trades.push((topic, trade.trade_id.parse::<u64>().expect("a number")));
                    }
                    Event::Quote(_) | Event::Status(_) | Event::Bar(_) => {}
                }
            }
        });
    }
    let adapter = adapter(&player);
    let counts = adapter.desk().counts;
    assert_eq!((counts.frames, counts.malformed, counts.unknown), (515, 0, 0));
    assert_eq!(zeros, 510);
    let base = SymbolCounts { snapshots: 1, ..SymbolCounts::default() };
    let btc =
        SymbolCounts { trades: 132, quotes: 0, book_events: 191, deletes_unknown: 16, ..base };
    let eth = SymbolCounts { trades: 121, quotes: 0, book_events: 179, deletes_unknown: 5, ..base };
    let told = tell(adapter);
    let quotes: u64 = told.iter().map(|(_, counts, ..)| counts.quotes).sum();
    assert_eq!(quotes, 85);
    let told: Vec<_> = told
        .into_iter()
        .map(|(native, counts, state, best)| {
            (native, SymbolCounts { quotes: 0, ..counts }, state, best)
        })
        .collect();
    let best = |bid: &str, ask: &str| [bid.to_owned(), ask.to_owned()];
    let verified = BookState::Verified;
    let expected = [
        ("BTC-USD".to_owned(), btc, verified, best("65083.66 0.24999473", "65083.67 0.18981206")),
        ("ETH-USD".to_owned(), eth, verified, best("1919.41 0.15723207", "1919.50 2.3723852")),
    ];
    assert_eq!(told, expected);
    // Each id once, and in order, though the stream writes the newest first.
    for topic in ["trade.coinbase.BTC-USD", "trade.coinbase.ETH-USD"] {
        let ids: Vec<u64> =
            trades.iter().filter(|(of, _)| of == topic).map(|(_, id)| *id).collect();
        assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{topic}");
    }
    assert!(buys_at_ask > 3 * 5 && sells_at_bid > 5, "{buys_at_ask} {sells_at_bid}");
}

#[test]
fn a_trimmed_session_without_times_of_receipt_is_read_too() {
    let Some(folder) = common::recordings() else { return };
    let path = folder.join("coinbase_advanced/l2_2026-08-24_trimmed_first6.jsonl");
    let player = common::play(Venue::Coinbase, &path);
    let adapter = adapter(&player);
    let counts = adapter.desk().counts;
    assert_eq!((counts.frames, counts.malformed, counts.unknown), (6, 0, 0));
    let [(native, counts, state, best)] = &tell(adapter)[..] else { panic!("one symbol") };
    assert_eq!((native.as_str(), *state), ("BTC-USD", BookState::Verified));
    assert_eq!((counts.book_events, counts.snapshots, counts.gaps), (5, 1, 0));
    assert_eq!(best, &["78856.05 0.04868907", "78856.06 0.18983152"]);
}
