//! OKX v5: a chain of `seqId` and `prevSeqId`, and pings that are no JSON.
//!
//! Source: www.okx.com/docs-v5, public WebSocket channels; notice of 2026-05-21 on checksums.

use market::{Level, Nanos, Quote, Trade};
use serde_json::Value;

use super::{MILLISECOND, Protocol, SECOND, Scene, millis};
use crate::board::{Listed, Ticker};
use crate::connection::{Connection, Outgoing, Stream, Subscription};
use crate::history::{Changes, Moment};
use crate::writing::{Trimmed, list, plain};

/// Levels of a whole book.
const BOOK_DEPTH: usize = 400;
/// Without a change for so long, an update without levels says that all is well.
const KEEPALIVE: Nanos = 60 * SECOND;

#[derive(Debug)]
pub(crate) struct Okx;

impl Protocol for Okx {
    fn book_interval(&self) -> Nanos {
        100 * MILLISECOND
    }

    fn fields(&self) -> &'static [&'static str] {
        &["bids", "bidPx", "px"]
    }

    fn received(
        &self,
        connection: &mut Connection,
        text: &str,
        scene: &mut Scene<'_>,
        out: &mut Vec<Outgoing>,
    ) {
        if text == "ping" {
            return out.push(Outgoing::answer("pong"));
        }
        let command = serde_json::from_str::<Value>(text).unwrap_or_default();
        let id = match command["id"].as_str() {
            Some(id) if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                format!(r#""id":"{id}","#)
            }
            _ => String::new(),
        };
        let name = connection.name.clone();
        let refused = |code: u32, said: &str| {
            Outgoing::answer(format!(
                r#"{{{id}"event":"error","code":"{code}","msg":"{said}","connId":"{name}"}}"#
            ))
        };
        let operation = command["op"].as_str().unwrap_or_default();
        let (true, Some(arguments)) =
            (matches!(operation, "subscribe" | "unsubscribe"), command["args"].as_array())
        else {
            return out.push(refused(60012, "Invalid request"));
        };
        for argument in arguments {
            let named = |name: &str| plain(argument[name].as_str().unwrap_or_default());
            let (channel, symbol) = (named("channel"), named("instId"));
            let stream = match channel.as_str() {
                "books" => Some(Stream::Book(BOOK_DEPTH)),
                "books5" => Some(Stream::Top(5)),
                "bbo-tbt" => Some(Stream::Top(1)),
                "trades" | "trades-all" => Some(Stream::Trades),
                "tickers" => Some(Stream::Quotes),
                _ => None,
            };
            let (Some(stream), Some(index)) = (stream, scene.board.find(&symbol)) else {
                let said = format!(
                    "Wrong URL or channel:{channel},instId:{symbol} doesn't exist. Please use the correct URL, channel and parameters referring to API document."
                );
                out.push(refused(60018, &said));
                continue;
            };
            let subscription = Subscription { symbol: index, stream, name: channel.clone() };
            let news = match operation {
                "subscribe" => {
                    // Who subscribes again is acknowledged again, and sent the whole book again.
                    connection.subscribe(subscription.clone());
                    true
                }
                _ => {
                    connection.unsubscribe(|held| *held == subscription);
                    false
                }
            };
            out.push(Outgoing::answer(format!(
                r#"{{{id}"event":"{operation}","arg":{{"channel":"{channel}","instId":"{symbol}"}},"connId":"{name}"}}"#
            )));
            if news {
                out.extend(first(&subscription, scene.board.at(index), scene.now));
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
        match subscription.stream {
            Stream::Top(depth) => {
                let data = levels(&moment.best(depth));
                let body = format!(
                    r#"{{{data},"instId":"{}","ts":"{}","seqId":{}}}"#,
                    listed.native,
                    millis(moment.at),
                    moment.number
                );
                framed(subscription, listed, "", &body)
            }
            _ => {
                let body = numbered(&moment.best(BOOK_DEPTH), moment.at, moment.number, "-1");
                framed(subscription, listed, r#""action":"snapshot","#, &body)
            }
        }
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
            Stream::Top(depth) => listed
                .best_moved(depth)
                .then(|| self.snapshot(connection, subscription, listed, told, scene.now)),
            _ => {
                let before = listed.told_before.number.to_string();
                let body = numbered(changes, told.at, told.number, &before);
                Some(framed(subscription, listed, r#""action":"update","#, &body))
            }
        }
    }

    fn trades(
        &self,
        _: &mut Connection,
        subscription: &Subscription,
        trades: &[Trade],
        scene: &mut Scene<'_>,
    ) -> Vec<String> {
        if subscription.stream != Stream::Trades {
            return Vec::new();
        }
        let listed = scene.board.at(subscription.symbol);
        let told = |trade: &Trade| {
            // Only the channel that gathers executions says how many.
            let count = if subscription.name == "trades" { r#","count":"1""# } else { "" };
            let body = format!(
                r#"{{"instId":"{}","tradeId":"{}","px":"{}","sz":"{}","side":"{}","ts":"{}"{count}}}"#,
                listed.native,
                trade.trade_id,
                Trimmed(trade.price),
                Trimmed(trade.size),
                trade.side.as_str(),
                millis(trade.stamps.event.unwrap_or(scene.now))
            );
            framed(subscription, listed, "", &body)
        };
        trades.iter().map(told).collect()
    }

    fn quote(
        &self,
        _: &mut Connection,
        subscription: &Subscription,
        _: Option<&Quote>,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        ticker(subscription, scene.board.at(subscription.symbol), scene.now)
    }

    fn beat(&self, connection: &mut Connection, scene: &mut Scene<'_>, out: &mut Vec<Outgoing>) {
        for subscription in &connection.subscriptions {
            let listed = scene.board.at(subscription.symbol);
            let quiet = scene.now.saturating_sub(listed.told.at) / SECOND;
            let due = quiet > 0 && quiet.is_multiple_of(KEEPALIVE / SECOND);
            if due && matches!(subscription.stream, Stream::Book(_)) {
                let number = listed.told.number;
                let body = numbered(&Changes::default(), scene.now, number, &number.to_string());
                let text = framed(subscription, listed, r#""action":"update","#, &body);
                out.push(Outgoing::data(subscription, text));
            }
        }
    }
}

/// What a subscription begins with.
fn first(subscription: &Subscription, listed: &Listed, now: Nanos) -> Option<Outgoing> {
    match subscription.stream {
        Stream::Book(_) | Stream::Top(_) => Some(Outgoing::snapshot(subscription)),
        Stream::Quotes => {
            ticker(subscription, listed, now).map(|text| Outgoing::data(subscription, text))
        }
        _ => None,
    }
}

fn framed(subscription: &Subscription, listed: &Listed, action: &str, body: &str) -> String {
    format!(
        r#"{{"arg":{{"channel":"{}","instId":"{}"}},{action}"data":[{body}]}}"#,
        subscription.name, listed.native
    )
}

/// `["price","size","0","orders"]`; no zeros at the end of numbers, and no orders where nothing is.
fn level(level: &Level) -> String {
    let size = Trimmed(level.size).to_string();
    let orders = match level.size.is_zero() {
        true => 0,
        false => 1 + size.bytes().map(u32::from).sum::<u32>() % 12,
    };
    format!(r#"["{}","{size}","0","{orders}"]"#, Trimmed(level.price))
}

fn levels(changes: &Changes) -> String {
    format!(r#""asks":{},"bids":{}"#, list(&changes.asks, level), list(&changes.bids, level))
}

/// The checksum is always 0 since June 2026.
fn numbered(changes: &Changes, at: Nanos, number: u64, before: &str) -> String {
    format!(
        r#"{{{},"ts":"{}","checksum":0,"seqId":{number},"prevSeqId":{before}}}"#,
        levels(changes),
        millis(at)
    )
}

fn ticker(subscription: &Subscription, listed: &Listed, now: Nanos) -> Option<String> {
    let Ticker { bid, ask, last: (price, size), range: [open, low, high] } = listed.ticker()?;
    let body = format!(
        concat!(
            r#"{{"instType":"SPOT","instId":"{}","last":"{}","lastSz":"{}","askPx":"{}","#,
            r#""askSz":"{}","bidPx":"{}","bidSz":"{}","open24h":"{}","high24h":"{}","#,
            r#""low24h":"{}","sodUtc0":"{}","sodUtc8":"{}","volCcy24h":"{}","vol24h":"{}","ts":"{}"}}"#
        ),
        listed.native,
        Trimmed(price),
        Trimmed(size),
        Trimmed(ask.price),
        Trimmed(ask.size),
        Trimmed(bid.price),
        Trimmed(bid.size),
        Trimmed(open),
        Trimmed(high),
        Trimmed(low),
        Trimmed(open),
        Trimmed(open),
        Trimmed(listed.volume),
        Trimmed(listed.volume),
        millis(now)
    );
    Some(framed(subscription, listed, "", &body))
}
