//! Coinbase Advanced Trade: envelopes numbered over all of a connection.
//!
//! Source: docs.cdp.coinbase.com, Advanced Trade WebSocket channels.

use market::{Aggressor, BookSide, Level, Nanos, Quote, Trade};
use serde_json::Value;

use super::{MILLISECOND, Protocol, SECOND, Scene};
use crate::board::{Listed, Ticker};
use crate::connection::{Connection, Outgoing, Stream, Subscription};
use crate::fault::Class;
use crate::history::{Changes, Moment};
use crate::writing::{Fraction, Rfc3339, Trimmed, list, plain};

/// The channels, each with the stream it is.
const CHANNELS: [(&str, Stream); 3] = [
    ("level2", Stream::Book(usize::MAX)),
    ("market_trades", Stream::Trades),
    ("ticker", Stream::Quotes),
];

#[derive(Debug)]
pub(crate) struct Coinbase;

impl Protocol for Coinbase {
    fn book_interval(&self) -> Nanos {
        50 * MILLISECOND
    }

    fn messages_per_second(&self) -> u32 {
        8
    }

    fn fields(&self) -> &'static [&'static str] {
        &["price_level", "best_bid", "price"]
    }

    fn received(
        &self,
        connection: &mut Connection,
        text: &str,
        scene: &mut Scene<'_>,
        out: &mut Vec<Outgoing>,
    ) {
        let command = serde_json::from_str::<Value>(text).unwrap_or_default();
        let subscribes = match command["type"].as_str() {
            Some("subscribe") => true,
            Some("unsubscribe") => false,
            _ => return out.push(refusal("unknown type")),
        };
        let channel = command["channel"].as_str().unwrap_or_default();
        if channel == "heartbeats" {
            connection.heartbeats = subscribes;
            return out.push(acknowledged(connection, scene));
        }
        let Some(&(_, stream)) = CHANNELS.iter().find(|(name, _)| *name == channel) else {
            return out.push(refusal(&format!("{} is not a valid channel", plain(channel))));
        };
        let mut symbols = Vec::new();
        match command["product_ids"].as_array() {
            None => symbols.extend(0..scene.board.symbols().len()),
            Some(products) => {
                for product in products.iter().map(|product| product.as_str().unwrap_or_default()) {
                    let Some(symbol) = scene.board.find(product) else {
                        let said = format!("{} is not a valid product", plain(product));
                        return out.push(refusal(&said));
                    };
                    symbols.push(symbol);
                }
            }
        }
        if !subscribes {
            connection.unsubscribe(|held| held.stream == stream && symbols.contains(&held.symbol));
            return out.push(acknowledged(connection, scene));
        }
        // Who subscribes twice is sent the whole book again.
        let wanted =
            symbols.iter().map(|&symbol| Subscription { symbol, stream, name: channel.to_owned() });
        let wanted: Vec<Subscription> = wanted.collect();
        for subscription in &wanted {
            connection.subscribe(subscription.clone());
        }
        // Books come after the acknowledgement, all else before it: both were seen.
        if channel == "level2" {
            out.push(acknowledged(connection, scene));
        }
        for subscription in &wanted {
            let listed = scene.board.at(subscription.symbol);
            let text = match stream {
                Stream::Trades => last_trades(connection, listed, scene.now),
                Stream::Quotes => ticker(connection, listed, "snapshot", scene.now),
                _ => {
                    let told = &listed.told;
                    let text = self.snapshot(connection, subscription, listed, told, scene.now);
                    let data = Outgoing::data(subscription, text);
                    out.push(Outgoing { class: Class::Snapshot, ..data });
                    None
                }
            };
            out.extend(text.map(|text| Outgoing::data(subscription, text)));
        }
        if channel != "level2" {
            out.push(acknowledged(connection, scene));
        }
    }

    fn snapshot(
        &self,
        connection: &mut Connection,
        _: &Subscription,
        listed: &Listed,
        moment: &Moment,
        now: Nanos,
    ) -> String {
        let levels = |side| moment.book.levels(side);
        let all = (levels(BookSide::Bid), levels(BookSide::Ask));
        level2(connection, listed, "snapshot", all, moment.at, now)
    }

    fn book(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        changes: &Changes,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        let listed = scene.board.at(subscription.symbol);
        let mut changes = changes.clone();
        // Levels go that were never told of.
        if scene.traps.happens(50_000) {
            changes.bids.extend(listed.untold_removal());
        }
        let all = (changes.bids.iter(), changes.asks.iter());
        Some(level2(connection, listed, "update", all, listed.told.at, scene.now))
    }

    fn trades(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        trades: &[Trade],
        scene: &mut Scene<'_>,
    ) -> Vec<String> {
        if subscription.stream != Stream::Trades {
            return Vec::new();
        }
        let (listed, trades) = (scene.board.at(subscription.symbol), trades.iter().rev());
        vec![market_trades(connection, listed, "update", trades, scene.now)]
    }

    fn quote(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        _: Option<&Quote>,
        scene: &mut Scene<'_>,
    ) -> Option<String> {
        let listed = scene.board.at(subscription.symbol);
        ticker(connection, listed, "update", scene.now)
    }

    fn beat(&self, connection: &mut Connection, scene: &mut Scene<'_>, out: &mut Vec<Outgoing>) {
        if connection.heartbeats {
            let counter = scene.now / SECOND % 100_000;
            let nanos = scene.now % SECOND;
            // As Go prints a time: no client should read it.
            let clock = Rfc3339(scene.now / SECOND * SECOND, Fraction::TrimmedNanos).to_string();
            let clock = clock.replace('T', " ").replace('Z', "");
            let event = format!(
                r#"{{"current_time":"{clock}.{nanos:09} +0000 UTC m=+{counter}.{nanos:09}","heartbeat_counter":{counter}}}"#
            );
            let text = envelope(connection, "heartbeats", scene.now, &event);
            out.push(Outgoing::beat(text));
        }
    }
}

/// Not numbered: it is no message of a channel.
fn refusal(reason: &str) -> Outgoing {
    Outgoing::answer(format!(
        r#"{{"type":"error","message":"Failed to subscribe","reason":"{reason}"}}"#
    ))
}

/// One event in an envelope with the connection's next number.
fn envelope(connection: &mut Connection, channel: &str, now: Nanos, event: &str) -> String {
    let number = connection.sequence;
    connection.sequence += 1;
    let time = Rfc3339(now, Fraction::TrimmedNanos);
    format!(
        r#"{{"channel":"{channel}","timestamp":"{time}","sequence_num":{number},"events":[{event}]}}"#
    )
}

/// All subscriptions there are, numbered like everything else.
fn acknowledged(connection: &mut Connection, scene: &Scene<'_>) -> Outgoing {
    let mut channels = Vec::new();
    for (channel, stream) in CHANNELS {
        let held = connection.subscriptions.iter().filter(|held| held.stream == stream);
        let names: Vec<String> =
            held.map(|held| format!("\"{}\"", scene.board.at(held.symbol).native)).collect();
        if !names.is_empty() {
            channels.push(format!(r#""{channel}":[{}]"#, names.join(",")));
        }
    }
    if connection.heartbeats {
        channels.push(r#""heartbeats":["heartbeats"]"#.to_owned());
    }
    channels.sort_unstable();
    let event = format!(r#"{{"subscriptions":{{{}}}}}"#, channels.join(","));
    Outgoing::answer(envelope(connection, "subscriptions", scene.now, &event))
}

fn level2<'a>(
    connection: &mut Connection,
    listed: &Listed,
    kind: &str,
    (bids, asks): (impl Iterator<Item = &'a Level>, impl Iterator<Item = &'a Level>),
    at: Nanos,
    now: Nanos,
) -> String {
    // The venue keeps its own times in microseconds.
    let time = Rfc3339(at / 1000 * 1000, Fraction::TrimmedNanos).to_string();
    let sided = bids.map(|level| ("bid", level)).chain(asks.map(|level| ("offer", level)));
    let updates = list(sided, |(side, level)| {
        let (price, size) = (Trimmed(level.price), Trimmed(level.size));
        format!(
            r#"{{"side":"{side}","event_time":"{time}","price_level":"{price}","new_quantity":"{size}"}}"#
        )
    });
    let native = &listed.native;
    let event = format!(r#"{{"type":"{kind}","product_id":"{native}","updates":{updates}}}"#);
    envelope(connection, "l2_data", now, &event)
}

/// The newest first. The side is the maker's.
fn market_trades<'a>(
    connection: &mut Connection,
    listed: &Listed,
    kind: &str,
    newest_first: impl Iterator<Item = &'a Trade>,
    now: Nanos,
) -> String {
    let trades = list(newest_first, |trade| {
        let at = trade.stamps.event.unwrap_or(now) / 1000 * 1000;
        let maker = if trade.side == Aggressor::Buy { "SELL" } else { "BUY" };
        format!(
            r#"{{"product_id":"{}","trade_id":"{}","price":"{}","size":"{}","time":"{}","side":"{maker}"}}"#,
            listed.native,
            trade.trade_id,
            Trimmed(trade.price),
            Trimmed(trade.size),
            Rfc3339(at, Fraction::TrimmedNanos)
        )
    });
    let event = format!(r#"{{"type":"{kind}","trades":{trades}}}"#);
    envelope(connection, "market_trades", now, &event)
}

fn last_trades(connection: &mut Connection, listed: &Listed, now: Nanos) -> Option<String> {
    let any = !listed.trades.is_empty();
    let trades = listed.trades.iter().rev();
    any.then(|| market_trades(connection, listed, "snapshot", trades, now))
}

fn ticker(connection: &mut Connection, listed: &Listed, kind: &str, now: Nanos) -> Option<String> {
    let Ticker { bid, ask, last: (last, _), range: [_, low, high] } = listed.ticker()?;
    let event = format!(
        concat!(
            r#"{{"type":"{}","tickers":[{{"type":"ticker","product_id":"{}","price":"{}","#,
            r#""volume_24_h":"{}","low_24_h":"{}","high_24_h":"{}","low_52_w":"{}","high_52_w":"{}","#,
            r#""price_percent_chg_24_h":"0.25","best_bid":"{}","best_ask":"{}","#,
            r#""best_bid_quantity":"{}","best_ask_quantity":"{}"}}]}}"#
        ),
        kind,
        listed.native,
        Trimmed(last),
        Trimmed(listed.volume),
        Trimmed(low),
        Trimmed(high),
        Trimmed(low),
        Trimmed(high),
        Trimmed(bid.price),
        Trimmed(ask.price),
        Trimmed(bid.size),
        Trimmed(ask.size)
    );
    Some(envelope(connection, "ticker", now, &event))
}
