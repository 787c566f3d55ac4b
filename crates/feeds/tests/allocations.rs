//! What the steady path of trades and quotes allocates, of every venue that has them: nothing.
//! Neither the adapter, nor what is derived from its events, nor the best of all venues.

#![expect(clippy::unwrap_used, reason = "a test that cannot do its work has failed")]

use feeds::adapter::{Action, DeskOptions, Input, Output, SECOND};
use feeds::derive::{Consolidator, Derive, DeriveOptions};
use feeds::venue::Venue;
use feeds::venue::itch::Framing;

/// Messages of one steady second.
const MESSAGES: u64 = 200;

const START: u64 = 1_790_000_000 * SECOND;

/// Inputs of one venue: what comes first, and one message for each number.
struct Case<'a> {
    venue: Venue,
    symbol: &'a str,
    begin: Vec<Vec<u8>>,
    message: &'a dyn Fn(u64) -> Vec<u8>,
}

/// Gives an adapter, and all that is made of its events, numbered messages, and counts what the
/// second half of them allocates.
fn allocations(case: &Case<'_>) -> u64 {
    let symbols = vec![case.symbol.to_owned()];
    let mut adapter =
        case.venue.adapter(DeskOptions { venue: "x".into(), symbols, ..DeskOptions::default() });
    let quotes = !case.venue.gives_quotes();
    let mut derive = Derive::new("x", DeriveOptions { quotes, ..DeriveOptions::default() });
    let mut all = Consolidator::new(10);
    let member = all.join("x");
    let (mut out, mut derived, mut best) = (Output::default(), Vec::new(), Vec::new());
    let binary = matches!(case.venue, Venue::Itch(_));
    let mut take = |messages: &[Vec<u8>]| {
        let mut events = 0;
        for message in messages {
            let input = if binary { Input::Binary(message) } else { Input::Text(message) };
            adapter.handle(input, START, &mut out);
            events += out.updates.len();
            let channels = adapter.desk().channels();
            for update in out.updates.drain(..) {
                derive.update(channels, &update, &mut derived);
                all.update(member, &channels[update.channel].topic, &update.event, &mut best);
            }
            for update in derived.drain(..) {
                all.update(
                    member,
                    &derive.channels()[update.channel].topic,
                    &update.event,
                    &mut best,
                );
            }
            best.clear();
        }
        events
    };
    take(&case.begin);
    let messages: Vec<_> = (0..2 * MESSAGES).map(case.message).collect();
    let (first, second) = messages.split_at(MESSAGES as usize);
    // What is kept grows to its size.
    take(first);
    let mut events = 0;
    let counted = allocation_counter::measure(|| events = take(second));
    assert_eq!(events as u64, MESSAGES, "{:?}: each message is an event", case.venue);
    assert_eq!(adapter.desk().counts.malformed, 0);
    let odd = out.actions.iter().any(|action| !matches!(action, Action::Send(_)));
    assert!(!odd, "{:?}", out.actions);
    counted.count_total
}

fn text(venue: &'static str, symbol: &str, begin: &[&str], message: &dyn Fn(u64) -> String) {
    let begin = begin.iter().map(|text| text.as_bytes().to_vec()).collect();
    let bytes = |number| message(number).into_bytes();
    let case = Case { venue: venue.parse().unwrap(), symbol, begin, message: &bytes };
    assert_eq!(allocations(&case), 0, "{venue}: {}", message(1));
}

#[test]
fn binance() {
    for venue in ["binance", "binance-us"] {
        text(venue, "AAAUSDT", &[], &|n| {
            format!(
                r#"{{"stream":"aaausdt@trade","data":{{"e":"trade","E":1790000000123,"s":"AAAUSDT","t":{n},"p":"61837.63000000","q":"0.02000000","T":1790000000120,"m":true,"M":true}}}}"#
            )
        });
        text(venue, "AAAUSDT", &[], &|n| {
            format!(
                r#"{{"stream":"aaausdt@aggTrade","data":{{"e":"aggTrade","E":1790000000123,"s":"AAAUSDT","a":{n},"p":"61837.63","q":"0.02","f":{},"l":{},"T":1790000000120,"m":true,"M":true}}}}"#,
                2 * n,
                2 * n + 1
            )
        });
        text(venue, "AAAUSDT", &[], &|n| {
            format!(
                r#"{{"stream":"aaausdt@bookTicker","data":{{"u":{n},"s":"AAAUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.{n:08}"}}}}"#
            )
        });
    }
}

#[test]
fn coinbase() {
    text("coinbase", "BTC-USD", &[], &|n| {
        format!(
            r#"{{"channel":"market_trades","timestamp":"2026-09-21T14:13:20.5Z","sequence_num":{n},"events":[{{"type":"update","trades":[{{"product_id":"BTC-USD","trade_id":"{}","price":"64000.01","size":"0.00215","time":"2026-09-21T14:13:20.167634Z","side":"SELL"}}]}}]}}"#,
            900_000_000 + n
        )
    });
    text("coinbase", "BTC-USD", &[], &|n| {
        format!(
            r#"{{"channel":"ticker","timestamp":"2026-09-21T14:13:20.5Z","sequence_num":{n},"events":[{{"type":"update","tickers":[{{"type":"ticker","product_id":"BTC-USD","price":"64000.01","best_bid":"64000","best_ask":"64000.01","best_bid_quantity":"0.{n:04}1","best_ask_quantity":"0.17814824"}}]}}]}}"#
        )
    });
}

#[test]
fn kraken() {
    text("kraken", "BTC/USD", &[], &|n| {
        format!(
            r#"{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"sell","price":64000.1,"qty":0.00215000,"ord_type":"market","trade_id":{},"timestamp":"2026-09-21T14:13:20.167634Z"}}]}}"#,
            70_000_000 + n
        )
    });
    text("kraken", "BTC/USD", &[], &|n| {
        format!(
            r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":64000.0,"bid_qty":0.21{n:06},"ask":64000.1,"ask_qty":0.17814824,"last":64000.1,"volume":3121.44870113,"timestamp":"2026-09-21T14:13:20.298032Z"}}]}}"#
        )
    });
}

#[test]
fn kraken_v1() {
    text("kraken-v1", "XBT/USD", &[], &|n| {
        format!(
            r#"[337,[["64000.10000","0.00{n:06}","1790000000.120000","s","m",""]],"trade","XBT/USD"]"#
        )
    });
    text("kraken-v1", "XBT/USD", &[], &|n| {
        format!(
            r#"[340,{{"a":["64000.10000",0,"0.25000000"],"b":["64000.00000",1,"1.50{n:06}"],"c":["64000.10000","0.00215000"]}},"ticker","XBT/USD"]"#
        )
    });
}

#[test]
fn okx() {
    text("okx", "BTC-USDT", &[], &|n| {
        format!(
            r#"{{"arg":{{"channel":"trades","instId":"BTC-USDT"}},"data":[{{"instId":"BTC-USDT","tradeId":"{}","px":"64000.1","sz":"0.00215","side":"sell","ts":"1790000000122","count":"1","seqId":{n}}}]}}"#,
            540_000_000 + n
        )
    });
    text("okx", "BTC-USDT", &[], &|n| {
        format!(
            r#"{{"arg":{{"channel":"bbo-tbt","instId":"BTC-USDT"}},"data":[{{"asks":[["64000.1","1.0{n:04}","0","3"]],"bids":[["64000","4.21763","0","11"]],"ts":"1790000000122","checksum":0,"seqId":{n}}}]}}"#
        )
    });
    text("okx", "BTC-USDT", &[], &|n| {
        format!(
            r#"{{"arg":{{"channel":"tickers","instId":"BTC-USDT"}},"data":[{{"instType":"SPOT","instId":"BTC-USDT","last":"64000.1","askPx":"64000.1","askSz":"1.0{n:04}","bidPx":"64000","bidSz":"4.2","ts":"1790000000122"}}]}}"#
        )
    });
}

#[test]
fn bybit() {
    for venue in ["bybit", "bybit-linear"] {
        text(venue, "BTCUSDT", &[], &|n| {
            format!(
                r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000123,"data":[{{"T":1790000000122,"s":"BTCUSDT","S":"Sell","v":"0.002","p":"64000.10","L":"ZeroMinusTick","i":"5b1f0e3a-77c2-5d1e-9a40-{n:012}","BT":false,"RPI":false,"seq":{n}}}]}}"#
            )
        });
    }
    let whole = r#"{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","lastPrice":"64000.10","bid1Price":"64000.00","bid1Size":"4.217","ask1Price":"64000.10","ask1Size":"1.065"},"cs":0,"ts":1790000000123}"#;
    text("bybit-linear", "BTCUSDT", &[whole], &|n| {
        format!(
            r#"{{"topic":"tickers.BTCUSDT","type":"delta","data":{{"symbol":"BTCUSDT","volume24h":"80014.2040","bid1Price":"64000.00","bid1Size":"3.{n:04}"}},"cs":{n},"ts":1790000000123}}"#
        )
    });
}

#[test]
fn bitstamp() {
    text("bitstamp", "btcusd", &[], &|n| {
        format!(
            r#"{{"data":{{"id":{},"timestamp":"1790000000","amount":0.00215,"amount_str":"0.00215000","price":64000.01,"price_str":"64000.01","type":1,"microtimestamp":"1790000000{n:06}","buy_order_id":1990371552468992,"sell_order_id":1990371552460800}},"channel":"live_trades_btcusd","event":"trade"}}"#,
            510_000_000 + n
        )
    });
}

/// Executions of orders that are not shown: the one message of ITCH that is nothing but a trade.
#[test]
fn itch() {
    let message = |parts: &[&[u8]]| -> Vec<u8> {
        let message = parts.concat();
        [&(message.len() as u16).to_be_bytes()[..], &message].concat()
    };
    let head = |kind: u8, locate: u8| [kind, 0, locate, 0, 0, 0x1f, 0x1a, 0xce, 0xd8, 0, 0];
    let begin = vec![
        message(&[&head(b'S', 0), b"O"]),
        message(&[&head(b'R', 1), b"AAAA    ", &[b' '; 20]]),
    ];
    let hidden = |n: u64| {
        let (shares, price) = (100u32.to_be_bytes(), 1_234_500u32.to_be_bytes());
        let matched = (9_000_000_000 + n).to_be_bytes();
        message(&[&head(b'P', 1), &[0; 8], b"B", &shares, b"AAAA    ", &price, &matched])
    };
    let venue = Venue::Itch(Framing::BinaryFile);
    let case = Case { venue, symbol: "AAAA", begin, message: &hidden };
    assert_eq!(allocations(&case), 0);
}
