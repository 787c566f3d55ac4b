//! Kraken's API v1, which is frozen: reading its messages, and its requests.
//!
//! Data are lists, `[channelID, data, channelName, pair]`; a change of both sides of a book has
//! two objects of data. What they are stands behind them.

use market::{Aggressor, BookDiff, Decimal, Level, Nanos, Quote, Stamps, Trade};
use serde_json::json;

use super::super::reading::shown;
use super::v2::quote_side;
use super::{Change, DEPTHS, Kraken, Told, stream};
use crate::adapter::json::{Reader, Result};
use crate::adapter::{Output, Stream, SymbolId, time};

/// Elements of a data message: number, one or two data, channel, pair.
const PARTS_MAX: usize = 5;

/// A request to subscribe or unsubscribe.
pub(super) fn request(method: &str, stream: Stream, symbols: &[&str], depth: usize) -> String {
    let subscription = match stream {
        Stream::Book => json!({ "name": "book", "depth": depth }),
        Stream::Trades => json!({ "name": "trade" }),
        Stream::Quotes => json!({ "name": "ticker" }),
    };
    json!({ "event": method, "pair": symbols, "subscription": subscription }).to_string()
}

/// Whether a message is none of v2: there all are objects, and none of these names comes first.
pub(super) fn is_v1(message: &[u8]) -> bool {
    const FIRST: [&str; 6] =
        ["event", "connectionID", "channelID", "channelName", "errorMessage", "reqid"];
    let mut reader = Reader::new(message);
    let mut known = reader.peek() == Some(b'[');
    let stop = reader.object(|reader, key| {
        known = FIRST.contains(&key);
        Err(reader.wrong("no more than a key"))
    });
    // That error ended it.
    stop.unwrap_or_default();
    known
}

impl Kraken {
    pub(super) fn read_v1(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        let mut told = None;
        let read = match Reader::new(message).peek() {
            Some(b'[') => self.data_v1(message, &mut told, now, out),
            _ => self.event_v1(message, now, out),
        };
        if let Err(error) = read {
            self.unreadable(error, message, told, now, out);
        }
    }

    fn data_v1(
        &mut self,
        message: &[u8],
        told: &mut Told,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        let mut parts = [&b""[..]; PARTS_MAX];
        let mut count = 0;
        Reader::all(message, |reader| {
            reader.list(|reader| {
                let part = reader.raw()?;
                if let Some(place) = parts.get_mut(count) {
                    *place = part;
                }
                count += 1;
                Ok(())
            })
        })?;
        if !(4..=PARTS_MAX).contains(&count) {
            // Private feeds have three.
            self.desk.counts.unknown += 1;
            return Ok(());
        }
        let channel = Reader::all(parts[count - 2], Reader::string)?;
        let native = Reader::all(parts[count - 1], Reader::string)?;
        let (name, depth) = channel.split_once('-').unwrap_or((channel, ""));
        let Some(stream) = stream(name) else {
            match name {
                // Candles, and best prices beside those of the ticker.
                "ohlc" | "spread" => self.desk.counts.unused += 1,
                _ => self.desk.counts.unknown += 1,
            }
            return Ok(());
        };
        let id = self.desk.find(native);
        *told = id.map(|id| (id, stream));
        let Some(id) = id else { return Ok(()) };
        let data = &parts[1..count - 2];
        match stream {
            Stream::Book => self.book_v1(id, data, depth, now, out),
            Stream::Trades => Reader::all(data[0], |reader| {
                reader.list(|reader| {
                    let trade = trade(reader, now)?;
                    self.desk.trade(id, trade, out);
                    Ok(())
                })
            }),
            Stream::Quotes => {
                let quote = Reader::all(data[0], |reader| ticker(reader, now))?;
                if quote.bid.is_some() || quote.ask.is_some() {
                    self.desk.quote(id, quote, out);
                }
                Ok(())
            }
        }
    }

    fn book_v1(
        &mut self,
        id: SymbolId,
        data: &[&[u8]],
        depth: &str,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        let depth = depth.parse().ok().filter(|depth| DEPTHS.contains(depth));
        let Some(depth) = depth else {
            return Err(Reader::new(b"").wrong("a book's depth after its name"));
        };
        let (mut diff, mut checksum, mut event) = (BookDiff::default(), None, None);
        for part in data {
            Reader::all(part, |reader| {
                reader.object(|reader, key| {
                    match key {
                        "bs" | "b" => levels(reader, &mut diff.bids, &mut event)?,
                        "as" | "a" => levels(reader, &mut diff.asks, &mut event)?,
                        "c" => checksum = Some(reader.unsigned()?),
                        _ => reader.skip()?,
                    }
                    diff.reset |= matches!(key, "bs" | "as");
                    Ok(())
                })
            })?;
        }
        let wrong = |expected| Reader::new(b"").wrong(expected);
        let checksum = checksum.map(u32::try_from).transpose();
        let checksum = checksum.map_err(|_| wrong("a checksum of 32 bits"))?;
        if event.is_some() {
            diff.stamps = time::stamps(event, now);
        } else {
            diff.stamps.received = now;
        }
        self.book(Change { id, diff, depth, checksum }, now, out).map_err(wrong)
    }

    fn event_v1(&mut self, message: &[u8], now: Nanos, out: &mut Output) -> Result<()> {
        let (mut event, mut status, mut pair, mut error) = ("", "", "", &b""[..]);
        let (mut name, mut depth) = ("", None);
        Reader::all(message, |reader| {
            reader.object(|reader, key| {
                match key {
                    "event" => event = reader.string()?,
                    "status" => status = reader.string()?,
                    "pair" => pair = reader.string()?,
                    "errorMessage" => error = reader.raw()?,
                    "subscription" => reader.object(|reader, key| {
                        match key {
                            "name" => name = reader.string()?,
                            "depth" => depth = usize::try_from(reader.unsigned()?).ok(),
                            _ => reader.skip()?,
                        }
                        Ok(())
                    })?,
                    _ => reader.skip()?,
                }
                Ok(())
            })
        })?;
        match (event, status) {
            ("systemStatus", state) => self.system(state, now, out),
            ("subscriptionStatus", "subscribed") => {
                if let Some(stream) = stream(name) {
                    self.subscribed(pair, stream, depth);
                }
            }
            ("subscriptionStatus", "error") | ("error", _) => {
                self.not_subscribed(pair, stream(name), &shown(error), now, out);
            }
            ("subscriptionStatus" | "heartbeat" | "pong", _) => {}
            _ => self.desk.counts.unknown += 1,
        }
        Ok(())
    }
}

/// Takes the elements of a list one by one; those beyond are passed over.
fn elements<'a>(
    reader: &mut Reader<'a>,
    mut element: impl FnMut(&mut Reader<'a>, usize) -> Result<()>,
) -> Result<usize> {
    let mut count = 0;
    reader.list(|reader| {
        element(reader, count)?;
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// `[price, volume, time]`, with `"r"` behind it for a level that is told again.
fn levels(
    reader: &mut Reader<'_>,
    levels: &mut Vec<Level>,
    newest: &mut Option<Nanos>,
) -> Result<()> {
    reader.list(|reader| {
        let mut level = Level { price: Decimal::ZERO, size: Decimal::ZERO };
        let count = elements(reader, |reader, at| {
            match at {
                0 => level.price = reader.decimal()?,
                1 => level.size = reader.decimal()?,
                2 => *newest = (*newest).max(time::seconds(reader.digits()?)),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        if count < 2 {
            return Err(reader.wrong("a level with price and volume"));
        }
        levels.push(level);
        Ok(())
    })
}

/// `[price, volume, time, "b" or "s", order type, …]`: the side is the taker's, and there is no id.
fn trade(reader: &mut Reader<'_>, now: Nanos) -> Result<Trade> {
    let mut level = Level { price: Decimal::ZERO, size: Decimal::ZERO };
    let (mut stamps, mut side) = (Stamps::default(), Aggressor::Unknown);
    let count = elements(reader, |reader, at| {
        match at {
            0 => level.price = reader.decimal()?,
            1 => level.size = reader.decimal()?,
            2 => stamps = time::stamps(time::seconds(reader.digits()?), now),
            3 => {
                side = match reader.string()? {
                    "b" => Aggressor::Buy,
                    "s" => Aggressor::Sell,
                    _ => return Err(reader.wrong("b or s")),
                }
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    if count < 4 || level.size.is_negative() {
        return Err(reader.wrong("a trade with price, volume, time and side"));
    }
    Ok(Trade { price: level.price, size: level.size, side, trade_id: "".into(), stamps })
}

/// `{"a":[price, whole lots, volume],"b":[…],…}`.
fn ticker(reader: &mut Reader<'_>, now: Nanos) -> Result<Quote> {
    let (mut bid, mut ask) = (None, None);
    reader.object(|reader, key| {
        let side = match key {
            "b" => &mut bid,
            "a" => &mut ask,
            _ => return reader.skip(),
        };
        let mut level = Level { price: Decimal::ZERO, size: Decimal::ZERO };
        let count = elements(reader, |reader, at| {
            match at {
                0 => level.price = reader.decimal()?,
                2 => level.size = reader.decimal()?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        if count < 3 {
            return Err(reader.wrong("a price, whole lots and a volume"));
        }
        *side = quote_side(level.price, level.size);
        Ok(())
    })?;
    Ok(Quote { bid, ask, stamps: Stamps { received: now, ..Stamps::default() } })
}
