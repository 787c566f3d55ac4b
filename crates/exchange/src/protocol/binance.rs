//! Binance spot: named streams, diffs with `U` and `u`, snapshots by REST only.
//!
//! Source: binance-spot-api-docs, web-socket-streams.md and rest-api.md.

use market::{Aggressor, Decimal, Level, Nanos, Quote, Trade};
use serde_json::Value;

use super::{MILLISECOND, Protocol, SECOND, Scene, binance_rest, millis};
use crate::board::{Listed, Ticker};
use crate::connection::{Body, Connection, Outgoing, Reply, Stream, Subscription};
use crate::fault::Class;
use crate::history::{Changes, Moment};
use crate::writing::{Padded, list};

/// How often the venue pings, by its documentation.
const PING_INTERVAL: Nanos = 20 * SECOND;

/// Digits after the point that every number has.
pub(super) const DIGITS: u32 = 8;

#[derive(Debug)]
pub(crate) struct Binance;

impl Protocol for Binance {
    fn book_interval(&self) -> Nanos {
        100 * MILLISECOND
    }

    fn messages_per_second(&self) -> u32 {
        5
    }

    fn fields(&self) -> &'static [&'static str] {
        &["b", "p", "bids"]
    }

    fn connected(&self, connection: &mut Connection, scene: &mut Scene<'_>, _: &mut Vec<Outgoing>) {
        let path = connection.path.clone();
        connection.combined = path.starts_with("/stream");
        let named = match path.strip_prefix("/ws/") {
            Some(names) => names.split('?').next().unwrap_or_default(),
            None => path
                .split(['?', '&'])
                .find_map(|part| part.strip_prefix("streams="))
                .unwrap_or_default(),
        };
        for name in named.split('/').filter(|name| !name.is_empty()) {
            subscribe(connection, name, scene);
        }
    }

    fn received(
        &self,
        connection: &mut Connection,
        text: &str,
        scene: &mut Scene<'_>,
        out: &mut Vec<Outgoing>,
    ) {
        let Ok(command) = serde_json::from_str::<Value>(text) else {
            out.push(Outgoing::answer(
                r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#,
            ));
            return;
        };
        let id = command.get("id").cloned().unwrap_or(Value::Null);
        let names: Option<Vec<&str>> = command
            .get("params")
            .and_then(Value::as_array)
            .and_then(|params| params.iter().map(Value::as_str).collect());
        let result = match (command.get("method").and_then(Value::as_str), names) {
            (Some("SUBSCRIBE"), Some(names)) if names.iter().all(|name| is_stream(name)) => {
                for name in names {
                    // A symbol that is not listed is taken, and nothing ever comes of it.
                    subscribe(connection, name, scene);
                }
                "null".to_owned()
            }
            (Some("UNSUBSCRIBE"), Some(names)) => {
                connection.unsubscribe(|held| names.contains(&held.name.as_str()));
                "null".to_owned()
            }
            (Some("LIST_SUBSCRIPTIONS"), _) => {
                let names: Vec<&str> =
                    connection.subscriptions.iter().map(|held| held.name.as_str()).collect();
                Value::from(names).to_string()
            }
            (Some("SET_PROPERTY"), _) if command["params"][0] == "combined" => {
                connection.combined = command["params"][1] == true;
                "null".to_owned()
            }
            (Some("GET_PROPERTY"), _) if command["params"][0] == "combined" => {
                connection.combined.to_string()
            }
            _ => {
                let said = format!(
                    r#"{{"code":2,"msg":"Invalid request: unknown variant or parameter","id":{id}}}"#
                );
                out.push(Outgoing::answer(said));
                return;
            }
        };
        out.push(Outgoing::answer(format!(r#"{{"result":{result},"id":{id}}}"#)));
    }

    fn snapshot(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        _: &Listed,
        moment: &Moment,
        _: Nanos,
    ) -> String {
        // The partial depth streams: the one message that says neither its type nor its symbol.
        let data = binance_rest::depth(moment, subscription.stream.depth());
        wrapped(connection, subscription, data)
    }

    fn book(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        changes: &Changes,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        let listed = scene.board.at(subscription.symbol);
        if let Stream::Top(_) = subscription.stream {
            let told = &listed.told;
            return Some(self.snapshot(connection, subscription, listed, told, scene.now));
        }
        let mut changes = changes.clone();
        // Orders beyond what anybody was told of are cancelled too.
        if scene.traps.happens(100_000) {
            changes.bids.extend(listed.untold_removal());
        }
        let data = format!(
            r#"{{"e":"depthUpdate","E":{},"s":"{}","U":{},"u":{},"b":{},"a":{}}}"#,
            time(connection, scene.now),
            listed.native,
            listed.told_before.number + 1,
            listed.told.number,
            list(&changes.bids, level),
            list(&changes.asks, level)
        );
        Some(wrapped(connection, subscription, data))
    }

    fn trades(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        trades: &[Trade],
        scene: &mut Scene<'_>,
    ) -> Vec<String> {
        let symbol = &scene.board.at(subscription.symbol).native;
        let told = |trade: &Trade| {
            let at = time(connection, trade.stamps.event.unwrap_or(scene.now));
            let said = time(connection, scene.now);
            let (price, size) = (Padded(trade.price, DIGITS), Padded(trade.size, DIGITS));
            let maker_buys = trade.side == Aggressor::Sell;
            let id = &trade.trade_id;
            let data = match subscription.stream {
                Stream::Trades => format!(
                    r#"{{"e":"trade","E":{said},"s":"{symbol}","t":{id},"p":"{price}","q":"{size}","T":{at},"m":{maker_buys},"M":true}}"#
                ),
                Stream::AggregateTrades => format!(
                    r#"{{"e":"aggTrade","E":{said},"s":"{symbol}","a":{id},"p":"{price}","q":"{size}","f":{id},"l":{id},"T":{at},"m":{maker_buys},"M":true}}"#
                ),
                _ => return None,
            };
            Some(wrapped(connection, subscription, data))
        };
        trades.iter().filter_map(told).collect()
    }

    fn quote(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        _: Option<&Quote>,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        let listed = scene.board.at(subscription.symbol);
        let Ticker { bid, ask, .. } = listed.ticker()?;
        let padded = |number: Decimal| Padded(number, DIGITS);
        let data = format!(
            r#"{{"u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
            listed.live.number,
            listed.native,
            padded(bid.price),
            padded(bid.size),
            padded(ask.price),
            padded(ask.size)
        );
        Some(wrapped(connection, subscription, data))
    }

    fn beat(&self, connection: &mut Connection, scene: &mut Scene<'_>, out: &mut Vec<Outgoing>) {
        let age = scene.now.saturating_sub(connection.opened);
        if age / SECOND > 0 && (age / SECOND).is_multiple_of(PING_INTERVAL / SECOND) {
            out.push(Outgoing { class: Class::Answer, symbol: None, body: Body::Ping });
        }
    }

    fn tells_all_that_moved(&self) -> bool {
        true
    }

    fn has_older(&self, target: &str, scene: &Scene<'_>) -> bool {
        binance_rest::has_older(target, scene)
    }

    fn rest(&self, target: &str, stale: bool, scene: &Scene<'_>) -> Reply {
        binance_rest::answer(target, stale, scene)
    }
}

/// `["price","size"]`.
pub(super) fn level(level: &Level) -> String {
    format!(r#"["{}","{}"]"#, Padded(level.price, DIGITS), Padded(level.size, DIGITS))
}

fn wrapped(connection: &Connection, subscription: &Subscription, data: String) -> String {
    if connection.combined {
        format!(r#"{{"stream":"{}","data":{data}}}"#, subscription.name)
    } else {
        data
    }
}

/// Milliseconds, or microseconds where the client asked for them.
fn time(connection: &Connection, time: Nanos) -> u64 {
    let micros = connection.path.to_ascii_lowercase().contains("timeunit=microsecond");
    if micros { time / 1000 } else { millis(time) }
}

/// Whether a name has the form of a stream's.
fn is_stream(name: &str) -> bool {
    name.starts_with('!') || name.split_once('@').is_some_and(|(symbol, _)| !symbol.is_empty())
}

fn subscribe(connection: &mut Connection, name: &str, scene: &Scene<'_>) {
    let Some((symbol, kind)) = name.split_once('@') else { return };
    // The names of streams are in small letters, or nothing comes.
    if symbol.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return;
    }
    let stream = match kind.strip_suffix("@100ms").or(kind.strip_suffix("@1000ms")).unwrap_or(kind)
    {
        "trade" => Stream::Trades,
        "aggTrade" => Stream::AggregateTrades,
        "bookTicker" => Stream::Quotes,
        "depth" => Stream::Book(usize::MAX),
        "depth5" => Stream::Top(5),
        "depth10" => Stream::Top(10),
        "depth20" => Stream::Top(20),
        _ => return,
    };
    if let Some(symbol) = scene.board.find(&symbol.to_ascii_uppercase()) {
        connection.subscribe(Subscription { symbol, stream, name: name.to_owned() });
    }
}
