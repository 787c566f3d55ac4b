//! Bybit v5: `u` goes up by one, and a new snapshot may come at any time.
//!
//! Source: bybit-exchange.github.io/docs/v5, public WebSocket topics.

use market::{Aggressor, Level, Nanos, Quote, Trade};
use serde_json::Value;

use super::{MILLISECOND, Protocol, Scene, millis};
use crate::board::{Listed, Ticker};
use crate::connection::{Connection, Outgoing, Stream, Subscription};
use crate::history::{Changes, Moment};
use crate::writing::{list, plain};

/// Most topics of one request to the spot market.
const SPOT_ARGUMENTS_MAX: usize = 10;

#[derive(Debug)]
pub(crate) struct Bybit;

impl Protocol for Bybit {
    fn book_interval(&self) -> Nanos {
        20 * MILLISECOND
    }

    fn name(&self, random: u64) -> String {
        format!("d{:015x}-{:05x}", random & 0x0fff_ffff_ffff_ffff, random >> 44)
    }

    fn fields(&self) -> &'static [&'static str] {
        &["b", "bid1Price", "bid1Size", "ask1Price", "ask1Size", "p"]
    }

    fn received(
        &self,
        connection: &mut Connection,
        text: &str,
        scene: &mut Scene<'_>,
        out: &mut Vec<Outgoing>,
    ) {
        let command = serde_json::from_str::<Value>(text).unwrap_or_default();
        let operation = command["op"].as_str().unwrap_or_default();
        let request = plain(command["req_id"].as_str().unwrap_or_default());
        let name = connection.name.clone();
        let answer = |success: bool, said: &str, operation: &str| {
            Outgoing::answer(format!(
                r#"{{"success":{success},"ret_msg":"{said}","conn_id":"{name}","req_id":"{request}","op":"{operation}"}}"#
            ))
        };
        let topics: Vec<&str> = match (operation, command["args"].as_array()) {
            ("ping", _) => return out.push(answer(true, "pong", "ping")),
            ("subscribe" | "unsubscribe", Some(arguments)) => {
                arguments.iter().map(|topic| topic.as_str().unwrap_or_default()).collect()
            }
            _ => {
                return out.push(answer(
                    false,
                    "error:unknown operation",
                    operation_name(operation),
                ));
            }
        };
        let spot = connection.path.contains("spot");
        if spot && topics.len() > SPOT_ARGUMENTS_MAX {
            return out.push(answer(false, "args size >10", operation_name(operation)));
        }
        let mut wanted = Vec::new();
        for topic in &topics {
            // One topic that does not exist, and the whole request is refused.
            let Some(subscription) = parse(topic, scene) else {
                let said = format!("error:handler not found,topic:{}", plain(topic));
                return out.push(answer(false, &said, operation_name(operation)));
            };
            if operation == "subscribe" && connection.subscriptions.contains(&subscription) {
                let said = format!("error:already subscribed,topic:{topic}");
                return out.push(answer(false, &said, "subscribe"));
            }
            wanted.push(subscription);
        }
        let said = if spot { operation_name(operation) } else { "" };
        let acknowledged = answer(true, said, operation_name(operation));
        if operation == "unsubscribe" {
            connection.unsubscribe(|held| wanted.contains(held));
            return out.push(acknowledged);
        }
        // The first data may come before the acknowledgement.
        let late = scene.traps.happens(500_000);
        let mut acknowledged = Some(acknowledged);
        if !late {
            out.extend(acknowledged.take());
        }
        for subscription in wanted {
            connection.subscribe(subscription.clone());
            out.extend(first(connection, &subscription, scene));
        }
        out.extend(acknowledged);
    }

    fn snapshot(
        &self,
        _: &mut Connection,
        subscription: &Subscription,
        listed: &Listed,
        moment: &Moment,
        now: Nanos,
    ) -> String {
        let whole = moment.best(subscription.stream.depth());
        book("snapshot", subscription, listed, &whole, moment, now)
    }

    fn book(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        changes: &Changes,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        let listed = scene.board.at(subscription.symbol);
        let told = &listed.told;
        match subscription.stream {
            // The shallowest book is whole each time.
            Stream::Top(depth) => listed
                .best_moved(depth)
                .then(|| self.snapshot(connection, subscription, listed, told, scene.now)),
            _ => Some(book("delta", subscription, listed, changes, told, scene.now)),
        }
    }

    fn trades(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        trades: &[Trade],
        scene: &mut Scene<'_>,
    ) -> Vec<String> {
        let (listed, now) = (scene.board.at(subscription.symbol), millis(scene.now));
        let spot = connection.path.contains("spot");
        if subscription.stream != Stream::Trades {
            // The spot ticker has no best bid and offer; it moves with executions.
            let moved = spot && subscription.stream == Stream::Quotes;
            let text = moved.then(|| spot_ticker(subscription, listed, scene.now));
            return Vec::from_iter(text);
        }
        let data = list(trades, |trade| {
            let at = millis(trade.stamps.event.unwrap_or(scene.now));
            let side = if trade.side == Aggressor::Buy { "Buy" } else { "Sell" };
            let tick = if spot { "" } else { r#""L":"ZeroPlusTick","# };
            format!(
                r#"{{"T":{at},"s":"{}","S":"{side}","v":"{}","p":"{}",{tick}"i":"{}","BT":false,"RPI":false,"seq":{}}}"#,
                listed.native,
                trade.size,
                trade.price,
                trade_id(&trade.trade_id, subscription.symbol, spot),
                cross_sequence(listed.live.number)
            )
        });
        vec![format!(
            r#"{{"topic":"{}","type":"snapshot","ts":{now},"data":{data}}}"#,
            subscription.name
        )]
    }

    fn quote(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        before: Option<&Quote>,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        if connection.path.contains("spot") {
            return None;
        }
        let listed = scene.board.at(subscription.symbol);
        let quote = listed.quote.as_ref()?;
        // Only what is another than before.
        let mut changed = Vec::new();
        for (side, is, was) in [
            ("bid", quote.bid, before.and_then(|before| before.bid)),
            ("ask", quote.ask, before.and_then(|before| before.ask)),
        ] {
            let Some(is) = is else { continue };
            if was.is_none_or(|was| was.price != is.price) {
                changed.push(format!(r#""{side}1Price":"{}""#, is.price));
            }
            if was.is_none_or(|was| was.size != is.size) {
                changed.push(format!(r#""{side}1Size":"{}""#, is.size));
            }
        }
        Some(format!(
            r#"{{"topic":"{}","type":"delta","data":{{"symbol":"{}",{}}},"cs":{},"ts":{}}}"#,
            subscription.name,
            listed.native,
            changed.join(","),
            cross_sequence(listed.live.number),
            millis(scene.now)
        ))
    }

    fn beat(&self, connection: &mut Connection, scene: &mut Scene<'_>, out: &mut Vec<Outgoing>) {
        for subscription in &connection.subscriptions {
            // A snapshot that nobody asked for.
            if matches!(subscription.stream, Stream::Book(_)) && scene.traps.happens(20_000) {
                out.push(Outgoing::snapshot(subscription));
            }
        }
    }
}

/// The operation as it is repeated in answers, or nothing.
fn operation_name(operation: &str) -> &str {
    match operation {
        "subscribe" | "unsubscribe" => operation,
        _ => "",
    }
}

fn parse(topic: &str, scene: &Scene<'_>) -> Option<Subscription> {
    let (kind, symbol) = topic.rsplit_once('.')?;
    let stream = match kind {
        "orderbook.1" => Stream::Top(1),
        "orderbook.50" => Stream::Book(50),
        "orderbook.200" => Stream::Book(200),
        "orderbook.1000" => Stream::Book(1000),
        "publicTrade" => Stream::Trades,
        "tickers" => Stream::Quotes,
        _ => return None,
    };
    let symbol = scene.board.find(symbol)?;
    Some(Subscription { symbol, stream, name: topic.to_owned() })
}

/// What a subscription begins with.
fn first(
    connection: &Connection,
    subscription: &Subscription,
    scene: &Scene<'_>,
) -> Option<Outgoing> {
    let listed = scene.board.at(subscription.symbol);
    let text = match subscription.stream {
        Stream::Book(_) | Stream::Top(_) => return Some(Outgoing::snapshot(subscription)),
        Stream::Quotes if connection.path.contains("spot") => {
            spot_ticker(subscription, listed, scene.now)
        }
        Stream::Quotes => linear_ticker(subscription, listed, scene.now)?,
        _ => return None,
    };
    Some(Outgoing::data(subscription, text))
}

/// Grows with the book, faster than `u`.
fn cross_sequence(number: u64) -> u64 {
    700_000_000_000 + number * 1_250
}

/// A UUID on the linear market, a number as text on the spot market.
fn trade_id(id: &str, symbol: usize, spot: bool) -> String {
    let number: u64 = id.parse().unwrap_or(0);
    if spot {
        return (2_290_000_000_000_000_000 + number).to_string();
    }
    format!(
        "{:08x}-{:04x}-5{:03x}-8{:03x}-{number:012x}",
        number.wrapping_mul(0x9e37_79b9) as u32,
        symbol & 0xffff,
        number & 0xfff,
        (number >> 12) & 0xfff
    )
}

fn book(
    kind: &str,
    subscription: &Subscription,
    listed: &Listed,
    changes: &Changes,
    moment: &Moment,
    now: Nanos,
) -> String {
    let level = |level: &Level| format!(r#"["{}","{}"]"#, level.price, level.size);
    format!(
        r#"{{"topic":"{}","type":"{kind}","ts":{},"data":{{"s":"{}","b":{},"a":{},"u":{},"seq":{}}},"cts":{}}}"#,
        subscription.name,
        millis(now),
        listed.native,
        list(&changes.bids, level),
        list(&changes.asks, level),
        moment.number,
        cross_sequence(moment.number),
        millis(moment.at)
    )
}

fn linear_ticker(subscription: &Subscription, listed: &Listed, now: Nanos) -> Option<String> {
    let Ticker { bid, ask, last: (last, _), range: [open, low, high] } = listed.ticker()?;
    Some(format!(
        concat!(
            r#"{{"topic":"{}","type":"snapshot","data":{{"symbol":"{}","tickDirection":"ZeroPlusTick","#,
            r#""price24hPcnt":"0.0025","lastPrice":"{}","prevPrice24h":"{}","highPrice24h":"{}","#,
            r#""lowPrice24h":"{}","prevPrice1h":"{}","markPrice":"{}","indexPrice":"{}","#,
            r#""openInterest":"0","volume24h":"{}","bid1Price":"{}","bid1Size":"{}","#,
            r#""ask1Price":"{}","ask1Size":"{}"}},"cs":{},"ts":{}}}"#
        ),
        subscription.name,
        listed.native,
        last,
        open,
        high,
        low,
        open,
        bid.price,
        bid.price,
        listed.volume,
        bid.price,
        bid.size,
        ask.price,
        ask.size,
        cross_sequence(listed.live.number),
        millis(now)
    ))
}

fn spot_ticker(subscription: &Subscription, listed: &Listed, now: Nanos) -> String {
    let last = listed.trades.back().map_or(market::Decimal::ZERO, |trade| trade.price);
    let [open, low, high] = listed.range.unwrap_or([last; 3]);
    format!(
        concat!(
            r#"{{"topic":"{}","ts":{},"type":"snapshot","cs":{},"data":{{"symbol":"{}","#,
            r#""lastPrice":"{}","highPrice24h":"{}","lowPrice24h":"{}","prevPrice24h":"{}","#,
            r#""volume24h":"{}","turnover24h":"0","price24hPcnt":"0.0025","usdIndexPrice":"{}"}}}}"#
        ),
        subscription.name,
        millis(now),
        cross_sequence(listed.live.number),
        listed.native,
        last,
        high,
        low,
        open,
        listed.volume,
        last
    )
}
