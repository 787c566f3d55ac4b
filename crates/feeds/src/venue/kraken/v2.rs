//! Kraken's API v2: reading its messages, and its requests.

use market::{BookDiff, Decimal, Level, Nanos, Quote, QuoteSide, Stamps, Trade};
use serde_json::json;

use super::super::reading::{shown, stamps, taker};
use super::{Change, Kraken, Told, allowed_depth, stream};
use crate::adapter::json::{Reader, Result};
use crate::adapter::repeats::Noted;
use crate::adapter::{Oddity, Output, Stream, time};

/// A request to subscribe or unsubscribe.
pub(super) fn request(method: &str, stream: Stream, symbols: &[&str], depth: usize) -> String {
    let mut params = match stream {
        Stream::Book => json!({ "channel": "book", "depth": depth }),
        Stream::Trades => json!({ "channel": "trade" }),
        // On each change of the best prices; by default only trades cause one.
        Stream::Quotes => json!({ "channel": "ticker", "event_trigger": "bbo" }),
    };
    params["symbol"] = json!(symbols);
    if method == "subscribe" {
        // Of trades, the snapshot is the last fifty, from before we came.
        params["snapshot"] = json!(stream != Stream::Trades);
    }
    json!({ "method": method, "params": params }).to_string()
}

/// All of a message but its data.
#[derive(Debug, Default)]
struct Head<'a> {
    channel: &'a str,
    kind: &'a str,
    method: &'a str,
    /// The channel, symbol and depth of an answer.
    result: (&'a str, &'a str, Option<usize>),
    symbol: &'a str,
    success: bool,
    error: &'a [u8],
}

impl Kraken {
    pub(super) fn read_v2(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        let mut told = None;
        let mut head = Head::default();
        let mut data = false;
        // Data that stand before what they are.
        let mut early = None;
        let mut read = Reader::all(message, |reader| {
            reader.object(|reader, key| {
                match key {
                    "channel" => head.channel = reader.string()?,
                    "type" => head.kind = reader.string()?,
                    "data" => {
                        data = true;
                        if head.channel.is_empty() || head.kind.is_empty() {
                            early = Some(reader.raw()?);
                        } else {
                            self.data_v2(&head, reader, &mut told, now, out)?;
                        }
                    }
                    "method" => head.method = reader.string()?,
                    "result" => head.result = result(reader)?,
                    "symbol" => head.symbol = reader.string()?,
                    "success" => head.success = reader.boolean()?,
                    "error" => head.error = reader.raw()?,
                    _ => reader.skip()?,
                }
                Ok(())
            })
        });
        if let (Ok(()), Some(early)) = (&read, early) {
            read = Reader::all(early, |reader| self.data_v2(&head, reader, &mut told, now, out));
        }
        if let (Ok(()), false, Some(_)) = (&read, data, stream(head.channel)) {
            read = Err(Reader::new(b"").wrong("data"));
        }
        match read {
            Err(error) => self.unreadable(error, message, told, now, out),
            Ok(()) if !head.method.is_empty() => self.answer_v2(&head, now, out),
            // With data it is counted where they are read.
            Ok(()) if !data && head.channel != "heartbeat" => self.desk.counts.unknown += 1,
            Ok(()) => {}
        }
    }

    fn data_v2(
        &mut self,
        head: &Head<'_>,
        reader: &mut Reader<'_>,
        told: &mut Told,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        match (head.channel, head.kind) {
            ("book", kind @ ("snapshot" | "update")) => {
                let reset = kind == "snapshot";
                reader.list(|reader| self.book_v2(reset, reader, told, now, out))
            }
            // We do not ask for it: what was before we came is no news. But who recorded a session
            // may have.
            ("trade", "snapshot") if !self.desk.options().recorded => reader.skip(),
            ("trade", kind @ ("snapshot" | "update")) => {
                let past = kind == "snapshot";
                reader.list(|reader| self.trade_v2(past, reader, told, now, out))
            }
            ("ticker", "snapshot" | "update") => {
                reader.list(|reader| self.ticker_v2(reader, told, now, out))
            }
            ("status", _) => reader.list(|reader| {
                reader.object(|reader, key| {
                    if key == "system" {
                        self.system(reader.string()?, now, out);
                        return Ok(());
                    }
                    reader.skip()
                })
            }),
            // Candles and lists of what is traded.
            ("ohlc" | "instrument", "snapshot" | "update") => {
                self.desk.counts.unused += 1;
                reader.skip()
            }
            _ => {
                self.desk.counts.unknown += 1;
                reader.skip()
            }
        }
    }

    fn book_v2(
        &mut self,
        reset: bool,
        reader: &mut Reader<'_>,
        told: &mut Told,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        let (mut symbol, mut checksum, mut event) = (None, None, None);
        let mut diff = BookDiff { reset, ..BookDiff::default() };
        *told = None;
        reader.object(|reader, key| {
            match key {
                "symbol" => {
                    let id = self.desk.find(reader.string()?);
                    *told = id.map(|id| (id, Stream::Book));
                    symbol = Some(id);
                }
                "bids" => levels(reader, &mut diff.bids)?,
                "asks" => levels(reader, &mut diff.asks)?,
                "checksum" => checksum = Some(reader.unsigned()?),
                "timestamp" => event = Some(time::rfc3339(reader.string()?)),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let (Some(symbol), Some(checksum)) = (symbol, checksum) else {
            return Err(reader.wrong("a book with its symbol and checksum"));
        };
        let checksum =
            Some(u32::try_from(checksum).map_err(|_| reader.wrong("a checksum of 32 bits"))?);
        let Some(id) = symbol else { return Ok(()) };
        diff.stamps = stamps(event, now);
        let asked = self.depth();
        let line = self.lines.of(id);
        let mut depth = line.depth.unwrap_or(asked);
        if reset {
            // Recordings may lack the answer that tells it.
            depth = depth.max(allowed_depth(diff.bids.len().max(diff.asks.len())));
            line.depth = Some(depth);
        }
        let change = Change { id, diff, depth, checksum };
        self.book(change, now, out).map_err(|expected| reader.wrong(expected))
    }

    fn trade_v2(
        &mut self,
        past: bool,
        reader: &mut Reader<'_>,
        told: &mut Told,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        let (mut symbol, mut side, mut trade_id, mut event) = (None, None, None, None);
        let (mut price, mut size) = (None, None);
        *told = None;
        reader.object(|reader, key| {
            match key {
                "symbol" => {
                    let id = self.desk.find(reader.string()?);
                    *told = id.map(|id| (id, Stream::Trades));
                    symbol = Some(id);
                }
                // The taker's.
                "side" => side = Some(taker(reader)?),
                "price" => price = Some(reader.decimal()?),
                "qty" => size = Some(reader.decimal()?),
                "trade_id" => trade_id = Some(reader.digits()?),
                "timestamp" => event = Some(time::rfc3339(reader.string()?)),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let (Some(symbol), Some(side), Some(price), Some(size), Some(trade_id)) =
            (symbol, side, price, size, trade_id)
        else {
            return Err(reader.wrong("a trade with symbol, side, price, qty and trade_id"));
        };
        if size.is_negative() {
            return Err(reader.wrong("a quantity that is not negative"));
        }
        let Some(id) = symbol else { return Ok(()) };
        let noted = self.repeats.note(id, trade_id);
        if noted == Noted::Repeat {
            // That the past is known already is nothing to tell.
            if !past {
                self.desk.counts_of(id).stale += 1;
                self.desk.odd(id, Oddity::Repeated, now, out);
            }
        } else {
            if noted == Noted::Skipped {
                // The ids of a pair are its trades, counted.
                self.desk.counts_of(id).gaps += 1;
                self.desk.missed_trades(id);
                self.desk.odd(id, Oddity::TradesMissed, now, out);
            }
            let stamps = Stamps { sequence: trade_id.parse().ok(), ..stamps(event, now) };
            let trade = Trade { price, size, side, trade_id: trade_id.into(), stamps };
            self.desk.trade(id, trade, out);
        }
        Ok(())
    }

    fn ticker_v2(
        &mut self,
        reader: &mut Reader<'_>,
        told: &mut Told,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        let (mut symbol, mut event) = (None, None);
        let (mut bid, mut bid_size, mut ask, mut ask_size) = (None, None, None, None);
        *told = None;
        reader.object(|reader, key| {
            match key {
                "symbol" => {
                    let id = self.desk.find(reader.string()?);
                    *told = id.map(|id| (id, Stream::Quotes));
                    symbol = Some(id);
                }
                "bid" => bid = Some(reader.decimal()?),
                "bid_qty" => bid_size = Some(reader.decimal()?),
                "ask" => ask = Some(reader.decimal()?),
                "ask_qty" => ask_size = Some(reader.decimal()?),
                "timestamp" => event = Some(time::rfc3339(reader.string()?)),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let (Some(symbol), Some(bid), Some(bid_size), Some(ask), Some(ask_size)) =
            (symbol, bid, bid_size, ask, ask_size)
        else {
            return Err(reader.wrong("a ticker with symbol, bid, bid_qty, ask and ask_qty"));
        };
        let (bid, ask) = (quote_side(bid, bid_size), quote_side(ask, ask_size));
        if let (Some(id), true) = (symbol, bid.is_some() || ask.is_some()) {
            let quote = Quote { bid, ask, stamps: stamps(event, now) };
            self.desk.quote(id, quote, out);
        }
        Ok(())
    }

    fn answer_v2(&mut self, head: &Head<'_>, now: Nanos, out: &mut Output) {
        let (channel, symbol, depth) = head.result;
        match head.method {
            "subscribe" if head.success => {
                if let Some(stream) = stream(channel) {
                    self.subscribed(symbol, stream, depth);
                }
            }
            "subscribe" => {
                let symbol = if head.symbol.is_empty() { symbol } else { head.symbol };
                self.not_subscribed(symbol, stream(channel), &shown(head.error), now, out);
            }
            // What we had not subscribed needs no unsubscribing.
            "unsubscribe" | "pong" => {}
            _ => self.desk.counts.unknown += 1,
        }
    }
}

/// One side of a ticker. Halted pairs have tickers of nothing but zeros: there is no price then.
pub(super) fn quote_side(price: Decimal, size: Decimal) -> Option<QuoteSide> {
    (!price.is_zero() && !size.is_negative()).then_some(QuoteSide { price, size })
}

fn result<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a str, Option<usize>)> {
    let (mut channel, mut symbol, mut depth) = ("", "", None);
    if reader.peek() != Some(b'{') {
        reader.skip()?;
        return Ok((channel, symbol, depth));
    }
    reader.object(|reader, key| {
        match key {
            "channel" => channel = reader.string()?,
            "symbol" => symbol = reader.string()?,
            "depth" => depth = usize::try_from(reader.unsigned()?).ok(),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok((channel, symbol, depth))
}

fn levels(reader: &mut Reader<'_>, levels: &mut Vec<Level>) -> Result<()> {
    reader.list(|reader| {
        let (mut price, mut size) = (None, None);
        reader.object(|reader, key| {
            match key {
                "price" => price = Some(reader.decimal()?),
                "qty" => size = Some(reader.decimal()?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let (Some(price), Some(size)) = (price, size) else {
            return Err(reader.wrong("a level with price and qty"));
        };
        levels.push(Level { price, size });
        Ok(())
    })
}
