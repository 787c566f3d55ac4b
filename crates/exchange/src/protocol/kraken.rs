//! Kraken v2: numbers at full precision, a CRC32 with every book message.
//!
//! Source: docs.kraken.com, WebSocket v2: book, trade, ticker, ping, and the guide "book checksum
//! v2".

use market::{Decimal, Level, Nanos, Quote, Trade};
use serde_json::Value;

use super::{Protocol, SECOND, Scene};
use crate::board::{Listed, Ticker};
use crate::connection::{Connection, Outgoing, Stream, Subscription};
use crate::history::{Changes, Moment};
use crate::writing::{Fraction, Rfc3339, list, plain};

/// Depths that can be subscribed.
const DEPTHS: [u64; 5] = [10, 25, 100, 500, 1000];

#[derive(Debug)]
pub(crate) struct Kraken;

impl Protocol for Kraken {
    fn book_interval(&self) -> Nanos {
        0
    }

    fn name(&self, random: u64) -> String {
        // Beyond what a double can hold.
        (random | 1 << 63).to_string()
    }

    fn fields(&self) -> &'static [&'static str] {
        &["bids", "bid", "price"]
    }

    fn leaves_pushed_out_levels_untold(&self) -> bool {
        true
    }

    fn connected(&self, connection: &mut Connection, _: &mut Scene<'_>, out: &mut Vec<Outgoing>) {
        let id = &connection.name;
        out.push(Outgoing::answer(format!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"online","api_version":"v2","connection_id":{id},"upcoming_maintenance":[],"emergency":[]}}]}}"#
        )));
    }

    fn received(
        &self,
        connection: &mut Connection,
        text: &str,
        scene: &mut Scene<'_>,
        out: &mut Vec<Outgoing>,
    ) {
        let command = serde_json::from_str::<Value>(text).unwrap_or_default();
        let request = command.get("req_id").and_then(Value::as_u64);
        let tail = request.map_or(String::new(), |id| format!(r#","req_id":{id}"#));
        let time = Rfc3339(scene.now, Fraction::Micros);
        let tail = format!(r#","time_in":"{time}","time_out":"{time}"{tail}}}"#);
        let method = command["method"].as_str().unwrap_or_default();
        let parameters = &command["params"];
        match method {
            "ping" => return out.push(Outgoing::answer(format!(r#"{{"method":"pong"{tail}"#))),
            "subscribe" | "unsubscribe" => {}
            _ => {
                let said = r#"{"error":"Unsupported method","success":false"#;
                return out.push(Outgoing::answer(format!("{said}{tail}")));
            }
        }
        let refused = |why: &str, symbol: &str| {
            let symbol = match symbol {
                "" => String::new(),
                symbol => format!(r#","symbol":"{symbol}""#),
            };
            Outgoing::answer(format!(
                r#"{{"error":"{why}","method":"{method}","success":false{symbol}{tail}"#
            ))
        };
        let channel = parameters["channel"].as_str().unwrap_or_default();
        let depth = parameters["depth"].as_u64().unwrap_or(10);
        let stream = match channel {
            "book" if DEPTHS.contains(&depth) => Stream::Book(depth as usize),
            "book" => return out.push(refused("Subscription depth not supported", "")),
            "trade" => Stream::Trades,
            "ticker" if parameters["event_trigger"] == "bbo" => Stream::Quotes,
            "ticker" => Stream::QuotesOnTrade,
            _ => return out.push(refused("Unsupported channel", "")),
        };
        let snapshot = parameters["snapshot"].as_bool().unwrap_or(true);
        let symbols = parameters["symbol"].as_array().map_or(&[][..], Vec::as_slice);
        for symbol in symbols.iter().map(|symbol| symbol.as_str().unwrap_or_default()) {
            let Some(index) = scene.board.find(symbol) else {
                let plain = plain(symbol);
                out.push(refused(&format!("Currency pair not supported {plain}"), &plain));
                continue;
            };
            let subscription = Subscription { symbol: index, stream, name: String::new() };
            let done = match method {
                "subscribe" => connection.subscribe(subscription.clone()),
                _ => connection.unsubscribe(|held| *held == subscription),
            };
            if !done {
                let why = match method {
                    "subscribe" => "Already subscribed",
                    _ => "Subscription Not Found",
                };
                out.push(refused(why, symbol));
                continue;
            }
            let depth = match stream {
                Stream::Book(depth) => format!(r#""depth":{depth},"#),
                _ => String::new(),
            };
            let asked = match method {
                "subscribe" => format!(r#""snapshot":{snapshot},"#),
                _ => String::new(),
            };
            out.push(Outgoing::answer(format!(
                r#"{{"method":"{method}","result":{{"channel":"{channel}",{depth}{asked}"symbol":"{symbol}"}},"success":true{tail}"#
            )));
            if method == "subscribe" && snapshot {
                out.extend(first(&subscription, scene.board.at(index)));
            }
        }
    }

    fn snapshot(
        &self,
        _: &mut Connection,
        subscription: &Subscription,
        listed: &Listed,
        moment: &Moment,
        _: Nanos,
    ) -> String {
        book("snapshot", listed, &moment.best(subscription.stream.depth()), None, moment)
    }

    fn book(
        &self,
        _: &mut Connection,
        subscription: &Subscription,
        changes: &Changes,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        if changes.is_empty() {
            return None;
        }
        let listed = scene.board.at(subscription.symbol);
        // A price is told several times in one message; the last word holds.
        let repeats = scene.traps.happens(100_000);
        let repeated = changes.bids.iter().find(|level| repeats && !level.size.is_zero());
        let earlier = repeated.and_then(|level| {
            Some(Level { price: level.price, size: level.size.checked_add(level.size)? })
        });
        Some(book("update", listed, changes, earlier, &listed.told))
    }

    fn trades(
        &self,
        _: &mut Connection,
        subscription: &Subscription,
        trades: &[Trade],
        scene: &mut Scene<'_>,
    ) -> Vec<String> {
        let listed = scene.board.at(subscription.symbol);
        let text = match subscription.stream {
            Stream::Trades => Some(executions("update", listed, trades.iter())),
            Stream::QuotesOnTrade => ticker("update", listed),
            _ => None,
        };
        Vec::from_iter(text)
    }

    fn quote(
        &self,
        _: &mut Connection,
        subscription: &Subscription,
        _: Option<&Quote>,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        ticker("update", scene.board.at(subscription.symbol))
    }

    fn beat(&self, connection: &mut Connection, scene: &mut Scene<'_>, out: &mut Vec<Outgoing>) {
        let quiet = scene.now.saturating_sub(connection.last_sent) >= SECOND;
        if quiet && !connection.subscriptions.is_empty() {
            out.push(Outgoing::beat(r#"{"channel":"heartbeat"}"#));
        }
    }
}

/// What a subscription begins with.
fn first(subscription: &Subscription, listed: &Listed) -> Option<Outgoing> {
    let text = match subscription.stream {
        Stream::Book(_) => return Some(Outgoing::snapshot(subscription)),
        Stream::Trades if listed.trades.is_empty() => return None,
        Stream::Trades => executions("snapshot", listed, listed.trades.iter()),
        _ => ticker("snapshot", listed)?,
    };
    Some(Outgoing::data(subscription, text))
}

fn book(
    kind: &str,
    listed: &Listed,
    changes: &Changes,
    earlier: Option<Level>,
    moment: &Moment,
) -> String {
    let level = |level: &Level| {
        // A removal too has all digits.
        let size = level.size.at_scale(listed.scales.1);
        format!(r#"{{"price":{},"qty":{size}}}"#, level.price)
    };
    format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{}","bids":{},"asks":{},"checksum":{},"timestamp":"{}"}}]}}"#,
        listed.native,
        list(earlier.iter().chain(&changes.bids), level),
        list(&changes.asks, level),
        moment.book.checksum(),
        Rfc3339(moment.at, Fraction::Micros)
    )
}

fn executions<'a>(kind: &str, listed: &Listed, trades: impl Iterator<Item = &'a Trade>) -> String {
    let data = list(trades, |trade| {
        let time = Rfc3339(trade.stamps.event.unwrap_or(0), Fraction::Micros);
        format!(
            r#"{{"symbol":"{}","side":"{}","price":{},"qty":{},"ord_type":"market","trade_id":{},"timestamp":"{time}"}}"#,
            listed.native,
            trade.side.as_str(),
            trade.price,
            trade.size,
            trade.trade_id
        )
    });
    format!(r#"{{"channel":"trade","type":"{kind}","data":{data}}}"#)
}

fn ticker(kind: &str, listed: &Listed) -> Option<String> {
    let Ticker { bid, ask, last: (last, _), range: [open, low, high] } = listed.ticker()?;
    let change = last.checked_sub(open).unwrap_or(Decimal::ZERO);
    Some(format!(
        concat!(
            r#"{{"channel":"ticker","type":"{}","data":[{{"symbol":"{}","bid":{},"bid_qty":{},"#,
            r#""ask":{},"ask_qty":{},"last":{},"volume":{},"vwap":{},"low":{},"high":{},"#,
            r#""change":{},"change_pct":0.25}}]}}"#
        ),
        kind,
        listed.native,
        bid.price,
        bid.size,
        ask.price,
        ask.size,
        last,
        listed.volume,
        last,
        low,
        high,
        change
    ))
}
