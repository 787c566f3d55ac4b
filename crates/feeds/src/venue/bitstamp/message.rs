//! What Bitstamp writes, read: `{"event":…,"channel":…,"data":{…}}` in any order, and snapshots by
//! REST.

use market::{Aggressor, BookDiff, Decimal, Flags, Nanos, Stamps, Trade};
use memchr::memrchr;

use super::super::reading::{levels, need};
use super::super::snapshot::Held;
use crate::adapter::json::{Reader, Result};
use crate::adapter::time;

/// One message of the stream.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// An execution, of `live_trades_…`.
    Trade {
        /// Of which pair.
        pair: &'a str,
        /// Its number.
        id: u64,
        /// What happened.
        trade: Trade,
    },
    /// Changed levels, of `diff_order_book_…`. It is numbered by its time in microseconds.
    Diff {
        /// Of which pair.
        pair: &'a str,
        /// What changed.
        held: Held,
    },
    /// The hundred best levels, of `order_book_…`, whole each time.
    Best {
        /// Of which pair.
        pair: &'a str,
        /// Microseconds since 1970.
        at: u64,
        /// The levels, a reset.
        diff: BookDiff,
    },
    /// A channel is subscribed.
    Subscribed {
        /// Its name.
        channel: &'a str,
    },
    /// The server wants the connection to be opened anew.
    Reconnect,
    /// A request was refused, or something went wrong.
    Error {
        /// Of which channel, if it is told.
        channel: &'a str,
        /// What the venue says of it, as it is written.
        text: &'a str,
    },
    /// Understood, and nothing to do: heartbeats, the end of a subscription.
    Quiet,
    /// Understood, and not published: single orders.
    Unused,
    /// Anything else.
    Unknown,
}

/// The channel and the event of a message that ends with them, as those of trades and books do.
fn foretold(text: &[u8]) -> Option<(&str, &str)> {
    let last_text = |text| -> Option<(&[u8], &str)> {
        let quote = memrchr(b'"', text)?;
        Some((&text[..quote], std::str::from_utf8(&text[quote + 1..]).ok()?))
    };
    let (rest, event) = last_text(text.strip_suffix(b"\"}")?)?;
    let (_, channel) = last_text(rest.strip_suffix(br#"","event":"#)?)?;
    Some((channel, event))
}

/// Reads a message of a trade or of a book in one pass, by what its end says that it is; `None`
/// where that is not what it looks like, which tells nothing of what is wrong with it.
fn quick(text: &[u8], now: Nanos) -> Option<Message<'_>> {
    let (channel, event) = foretold(text)?;
    if !matches!(event, "trade" | "data") {
        return None;
    }
    let mut message = None;
    let all = Reader::all(text, |reader| {
        reader.object(|reader, key| {
            let fits = match key {
                "data" if message.is_none() => {
                    message = payload(reader, event, channel, now)?;
                    message.is_some()
                }
                "channel" => reader.string()? == channel,
                "event" => reader.string()? == event,
                _ => false,
            };
            if fits { Ok(()) } else { Err(reader.wrong("a message as usual")) }
        })
    });
    message.filter(|_| all.is_ok())
}

/// Reads the data of a trade or of a book.
fn payload<'a>(
    reader: &mut Reader<'a>,
    event: &str,
    channel: &'a str,
    now: Nanos,
) -> Result<Option<Message<'a>>> {
    if event == "trade" {
        let pair = channel.strip_prefix("live_trades_");
        return pair.map(|pair| trade(reader, pair, now)).transpose();
    }
    if let Some(pair) = channel.strip_prefix("diff_order_book_") {
        let (at, diff) = levels_at(reader, false, now)?;
        return Ok(Some(Message::Diff { pair, held: Held { first: at, last: at, diff } }));
    }
    let Some(pair) = channel.strip_prefix("order_book_") else { return Ok(None) };
    let (at, diff) = levels_at(reader, true, now)?;
    Ok(Some(Message::Best { pair, at, diff }))
}

/// Reads one message that came at `now`.
///
/// # Errors
/// Where it is no JSON, or one of a known kind that lacks something or has it in another form.
pub(super) fn read(text: &[u8], now: Nanos) -> Result<Message<'_>> {
    if let Some(message) = quick(text, now) {
        return Ok(message);
    }
    let (mut event, mut channel, mut data) = ("", "", None);
    let mut object = true;
    Reader::all(text, |reader| {
        object = reader.peek() == Some(b'{');
        if !object {
            return reader.skip();
        }
        reader.object(|reader, key| {
            match key {
                "event" => event = reader.string()?,
                "channel" => channel = reader.string_or_null()?.unwrap_or_default(),
                // The event, which tells how this is to be read, often stands behind it.
                "data" => {
                    data = Some(reader.clone());
                    reader.skip()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })
    })?;
    let Some(mut data) = data.filter(|_| object) else {
        return Ok(if event == "bts:request_reconnect" {
            Message::Reconnect
        } else {
            Message::Unknown
        });
    };
    match event {
        "data" if channel.starts_with("detail_order_book_") => Ok(Message::Unused),
        "trade" | "data" => {
            Ok(payload(&mut data, event, channel, now)?.unwrap_or(Message::Unknown))
        }
        "order_created" | "order_changed" | "order_deleted" => Ok(Message::Unused),
        "bts:subscription_succeeded" => Ok(Message::Subscribed { channel }),
        "bts:unsubscription_succeeded" | "bts:heartbeat" => Ok(Message::Quiet),
        "bts:request_reconnect" => Ok(Message::Reconnect),
        "bts:error" => {
            let text = std::str::from_utf8(data.raw()?).unwrap_or_default();
            Ok(Message::Error { channel, text })
        }
        _ => Ok(Message::Unknown),
    }
}

/// Microseconds since 1970; zero, and what our clock will never see, is no time.
fn stamps(micros: u64, sequence: Option<u64>, now: Nanos) -> Stamps {
    let event = time::micros(micros).filter(|_| micros > 0);
    let flags = if event.is_none() { Flags::BAD_TIMESTAMP } else { Flags::none() };
    Stamps { event, received: now, sequence, flags }
}

fn trade<'a>(reader: &mut Reader<'a>, pair: &'a str, now: Nanos) -> Result<Message<'a>> {
    let (mut id, mut id_text, mut at, mut side) = (None, "", None, None);
    let (mut price, mut size) = (Number::default(), Number::default());
    reader.object(|reader, key| {
        match key {
            "id" => {
                let mut again = reader.clone();
                id = Some(reader.unsigned()?);
                id_text = again.digits()?;
            }
            "price_str" => price.text = Some(reader.decimal()?),
            "amount_str" => size.text = Some(reader.decimal()?),
            // Floats that lost their digits: only of use where there is nothing else.
            "price" => price.float = Some(reader.decimal()?),
            "amount" => size.float = Some(reader.decimal()?),
            // The side that took.
            "type" => {
                side = Some(match reader.unsigned()? {
                    0 => Aggressor::Buy,
                    1 => Aggressor::Sell,
                    _ => return Err(reader.wrong("0 for a buyer or 1 for a seller")),
                });
            }
            "microtimestamp" => at = Some(reader.unsigned()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let id = need(id, reader, "the number of a trade")?;
    let size = need(size.value(), reader, "the size of a trade")?;
    if size.is_negative() {
        return Err(reader.wrong("a size that is not negative"));
    }
    let trade = Trade {
        price: need(price.value(), reader, "the price of a trade")?,
        size,
        side: need(side, reader, "the side of a trade")?,
        trade_id: id_text.into(),
        stamps: stamps(need(at, reader, "the time of a trade")?, Some(id), now),
    };
    Ok(Message::Trade { pair, id, trade })
}

/// A number that is given twice.
#[derive(Default)]
struct Number {
    text: Option<Decimal>,
    float: Option<Decimal>,
}

impl Number {
    fn value(&self) -> Option<Decimal> {
        self.text.or(self.float)
    }
}

/// Levels and their time in microseconds.
fn levels_at(reader: &mut Reader<'_>, reset: bool, now: Nanos) -> Result<(u64, BookDiff)> {
    let (mut at, mut bids, mut asks) = (None, None, None);
    reader.object(|reader, key| match key {
        "microtimestamp" => reader.unsigned().map(|micros| at = Some(micros)),
        "bids" => levels(reader, bids.get_or_insert_default()),
        "asks" => levels(reader, asks.get_or_insert_default()),
        _ => reader.skip(),
    })?;
    let at = need(at, reader, "the time of levels")?;
    let diff = BookDiff {
        reset,
        bids: need(bids, reader, "bids")?,
        asks: need(asks, reader, "asks")?,
        // A time is no number of a message.
        stamps: stamps(at, None, now),
    };
    Ok((at, diff))
}

/// Reads the answer to `GET /api/v2/order_book/<pair>/`: its time in microseconds and its levels.
///
/// # Errors
/// Where it is none.
pub(super) fn snapshot(body: &[u8], now: Nanos) -> Result<(u64, BookDiff)> {
    Reader::all(body, |reader| levels_at(reader, true, now))
}

/// The channel that a broken message belongs to, as far as it tells.
pub(super) fn channel(text: &[u8]) -> Option<&str> {
    let mut channel = None;
    let stop = Reader::new(text).object(|reader, key| match (key, reader.peek()) {
        ("channel", Some(b'"')) => reader.string().map(|name| channel = Some(name)),
        _ => reader.skip(),
    });
    // What stands before the break is all that can be had.
    stop.unwrap_or_default();
    channel
}
