//! What the steady path of trades and quotes allocates: the id of a trade, which is the event's,
//! and nothing else.

use feeds::adapter::{DeskOptions, Input, Output};
use feeds::venue::Venue;

/// Messages of one steady second.
const MESSAGES: u64 = 100;

/// Gives an adapter numbered messages, and counts what the second hundred of them allocates.
fn allocations(venue: Venue, symbol: &str, message: impl Fn(u64) -> String) -> u64 {
    let symbols = vec![symbol.to_owned()];
    let mut adapter = venue.adapter(DeskOptions { symbols, ..DeskOptions::default() });
    let mut out = Output::default();
    adapter.handle(Input::Connected, 1, &mut out);
    let messages: Vec<String> = (0..2 * MESSAGES).map(message).collect();
    let (first, second) = messages.split_at(MESSAGES as usize);
    let mut take = |messages: &[String]| {
        for message in messages {
            out.updates.clear();
            adapter.handle(Input::Text(message.as_bytes()), 1, &mut out);
            assert!(!out.updates.is_empty(), "{message}");
        }
    };
    take(first);
    let counted = allocation_counter::measure(|| take(second));
    assert_eq!(adapter.desk().counts.malformed, 0);
    counted.count_total
}

#[test]
fn a_trade_of_coinbase_allocates_its_id_only() {
    let trade = |number: u64| {
        format!(
            r#"{{"channel":"market_trades","timestamp":"2026-09-21T14:13:20.5Z","sequence_num":{number},"events":[{{"type":"update","trades":[{{"product_id":"BTC-USD","trade_id":"{}","price":"64000.01","size":"0.00215","time":"2026-09-21T14:13:20.167634Z","side":"SELL"}}]}}]}}"#,
            900 + number
        )
    };
    assert_eq!(allocations(Venue::Coinbase, "BTC-USD", trade), MESSAGES);
}

#[test]
fn a_quote_of_coinbase_allocates_nothing() {
    let ticker = |number: u64| {
        format!(
            r#"{{"channel":"ticker","timestamp":"2026-09-21T14:13:20.5Z","sequence_num":{number},"events":[{{"type":"update","tickers":[{{"type":"ticker","product_id":"BTC-USD","price":"64000.01","best_bid":"64000","best_ask":"64000.01","best_bid_quantity":"0.2","best_ask_quantity":"0.17814824"}}]}}]}}"#
        )
    };
    assert_eq!(allocations(Venue::Coinbase, "BTC-USD", ticker), 0);
}
