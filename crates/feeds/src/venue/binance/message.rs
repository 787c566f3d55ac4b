//! What Binance writes, read: stream messages raw or in the wrapper of a combined stream, answers
//! to our requests, and snapshots by REST.
//!
//! Source: binance-spot-api-docs, `web-socket-streams.md` and `rest-api.md`.

use market::{Aggressor, BookDiff, Decimal, Flags, Nanos, Quote, QuoteSide, Stamps, Trade};

use super::super::reading::{levels, need};
use super::super::snapshot::Held;
use crate::adapter::json::{JsonError, Reader, Result};
use crate::adapter::time;

/// One message of the stream.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// One execution, or with `aggregate` all those of one taking order at one price.
    Trade {
        /// Of which symbol.
        native: &'a str,
        /// Numbers of the first and last execution in it.
        ids: (u64, u64),
        /// Whether it is from `aggTrade`.
        aggregate: bool,
        /// What happened.
        trade: Trade,
    },
    /// `bookTicker`.
    Quote {
        /// Of which symbol.
        native: &'a str,
        /// Best bid and offer; its sequence is set.
        quote: Quote,
    },
    /// `depthUpdate`.
    Depth {
        /// Of which symbol.
        native: &'a str,
        /// What changed.
        held: Held,
    },
    /// `depth5`, `depth10` or `depth20`: the best levels, whole each time.
    Partial {
        /// Of which symbol, in small letters, from the stream's name.
        native: &'a str,
        /// The levels, a reset; its sequence is set.
        diff: BookDiff,
    },
    /// `kline`: was read, and is right.
    Kline,
    /// Of a documented kind that says nothing that is published.
    Unused,
    /// The server is about to close the connection.
    Shutdown,
    /// A request of ours was carried out.
    Done {
        /// Which one, if it is a number.
        id: Option<u64>,
    },
    /// A request of ours was refused.
    Refused {
        /// Which one, if it is told and a number.
        id: Option<u64>,
        /// Binance's number of the reason.
        code: i64,
        /// The reason as it is written.
        text: &'a str,
    },
    /// Anything else.
    Unknown,
}

/// What kind of message it is, as far as one look tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `trade`.
    Trade,
    /// `aggTrade`.
    Aggregate,
    /// `bookTicker`.
    Quote,
    /// `depthUpdate`.
    Depth,
    /// Best levels, without an event type and a symbol.
    Partial,
    /// `kline`.
    Kline,
    /// Statistics, alone or a list of them, and block trades.
    Unused,
    /// `serverShutdown`.
    Shutdown,
    /// An answer to a request of ours.
    Control,
    /// Anything else.
    Unknown,
}

impl Kind {
    fn of_event(name: &str) -> Self {
        match name {
            "trade" => Self::Trade,
            "aggTrade" => Self::Aggregate,
            "bookTicker" => Self::Quote,
            "depthUpdate" => Self::Depth,
            "kline" => Self::Kline,
            "serverShutdown" => Self::Shutdown,
            "24hrTicker" | "24hrMiniTicker" | "1hTicker" | "4hTicker" | "1dTicker" | "avgPrice"
            | "blockTrade" => Self::Unused,
            _ => Self::Unknown,
        }
    }

    /// Of a stream such as `btcusdt@depth@100ms`. Not that of `btcusdt@depth20`: on spot it is the
    /// best levels, elsewhere it is a diff.
    fn of_stream(stream: &str) -> Self {
        match stream.split_once('@').map_or(stream, |(_, kind)| kind) {
            "trade" => Self::Trade,
            "aggTrade" => Self::Aggregate,
            "bookTicker" | "!bookTicker" => Self::Quote,
            "depth" | "depth@100ms" | "depth@1000ms" => Self::Depth,
            _ => Self::Unknown,
        }
    }
}

/// Reads one message that came at `now`.
///
/// # Errors
/// Where it is no JSON, or one of a known kind that lacks something or has it in another form.
pub(super) fn read(text: &[u8], now: Nanos) -> Result<Message<'_>> {
    let combined = text.starts_with(br#"{"stream":"#)
        || matches!(first_key(Reader::new(text)), Some("stream" | "data"));
    if !combined {
        return Reader::all(text, |reader| payload(reader, None, now));
    }
    Reader::all(text, |reader| {
        let (mut stream, mut message, mut late) = (None, None, None);
        reader.object(|reader, key| {
            match key {
                "stream" => stream = Some(reader.string()?),
                "data" if stream.is_some() => message = Some(payload(reader, stream, now)?),
                // The name of the stream, which may be needed to read this, stands behind it.
                "data" => {
                    late = Some(reader.clone());
                    reader.skip()?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        match (message, late) {
            (Some(message), _) => Ok(message),
            (None, Some(mut data)) => payload(&mut data, stream, now),
            (None, None) => Ok(Message::Unknown),
        }
    })
}

/// The first key of an object.
fn first_key(mut reader: Reader<'_>) -> Option<&str> {
    let mut first = None;
    let stop = reader.object(|reader, key| {
        first = Some(key);
        Err(reader.wrong("no more than a key"))
    });
    // That error ended it; a broken message is found out when it is read in earnest.
    stop.unwrap_or_default();
    first
}

/// Which kind of message stands here. The stream's name tells, and without one nearly always the
/// first key: Binance writes the event type first.
fn kind(reader: &Reader<'_>, stream: Option<&str>) -> Kind {
    match stream.map_or(Kind::Unknown, Kind::of_stream) {
        Kind::Unknown => {}
        kind => return kind,
    }
    let (mut found, mut quote_keys) = (None, 0);
    let stop = reader.clone().object(|reader, key| {
        found = match key {
            "e" => Some(reader.string().map_or(Kind::Unknown, Kind::of_event)),
            "lastUpdateId" => Some(Kind::Partial),
            "result" | "error" | "code" => Some(Kind::Control),
            _ => None,
        };
        quote_keys += u8::from(matches!(key, "u" | "s" | "b" | "B" | "a" | "A"));
        if found.is_some() { Err(reader.wrong("no more than the type")) } else { reader.skip() }
    });
    stop.unwrap_or_default();
    match found {
        Some(kind) => kind,
        // Outside a combined stream it has neither a type nor a name.
        None if quote_keys == 6 => Kind::Quote,
        None => Kind::Unknown,
    }
}

/// Which kind of message the first of a list is: statistics of all symbols come as one.
fn kind_in_list(reader: &Reader<'_>) -> Kind {
    let mut first = Kind::Unknown;
    let stop = reader.clone().list(|reader| {
        if reader.peek() == Some(b'{') {
            first = kind(reader, None);
        }
        Err(reader.wrong("no more than the first"))
    });
    stop.unwrap_or_default();
    first
}

fn payload<'a>(
    reader: &mut Reader<'a>,
    stream: Option<&'a str>,
    now: Nanos,
) -> Result<Message<'a>> {
    let kind = match reader.peek() {
        Some(b'{') => kind(reader, stream),
        Some(b'[') => match kind_in_list(reader) {
            Kind::Unused => Kind::Unused,
            _ => Kind::Unknown,
        },
        _ => Kind::Unknown,
    };
    match kind {
        Kind::Trade => trade(reader, false, now),
        Kind::Aggregate => trade(reader, true, now),
        Kind::Quote => quote(reader, now),
        Kind::Depth => depth(reader, now),
        Kind::Kline => kline(reader),
        Kind::Control => control(reader),
        Kind::Shutdown => reader.skip().map(|()| Message::Shutdown),
        Kind::Unused => reader.skip().map(|()| Message::Unused),
        Kind::Partial => match stream.and_then(|name| name.split_once("@depth")) {
            Some((native, _)) => {
                let (last, mut diff) = levels_at(reader, now)?;
                diff.stamps.sequence = Some(last);
                Ok(Message::Partial { native, diff })
            }
            // Nothing tells whose levels these are.
            None => reader.skip().map(|()| Message::Unknown),
        },
        Kind::Unknown => reader.skip().map(|()| Message::Unknown),
    }
}

/// Milliseconds, or microseconds where the connection was opened with that unit: the number is
/// large enough to tell which. A number that is neither is no time.
fn stamps(venue_time: Option<u64>, sequence: Option<u64>, now: Nanos) -> Stamps {
    let event = venue_time.and_then(|value| match value {
        // The years 2001 to 5138.
        1_000_000_000_000..100_000_000_000_000 => time::millis(value),
        // From 1973 on.
        100_000_000_000_000.. => time::micros(value),
        _ => None,
    });
    let bad = venue_time.is_some() && event.is_none();
    let flags = if bad { Flags::BAD_TIMESTAMP } else { Flags::none() };
    Stamps { event, received: now, sequence, flags }
}

fn trade<'a>(reader: &mut Reader<'a>, aggregate: bool, now: Nanos) -> Result<Message<'a>> {
    let (mut native, mut price, mut size, mut maker, mut at) = (None, None, None, None, None);
    let (mut id, mut id_text, mut first, mut last) = (None, "", None, None);
    let id_key = if aggregate { "a" } else { "t" };
    reader.object(|reader, key| {
        match key {
            "s" => native = Some(reader.string()?),
            "p" => price = Some(reader.decimal()?),
            "q" => size = Some(reader.decimal()?),
            "T" => at = Some(reader.unsigned()?),
            "m" => maker = Some(reader.boolean()?),
            "f" if aggregate => first = Some(reader.unsigned()?),
            "l" if aggregate => last = Some(reader.unsigned()?),
            _ if key == id_key => {
                let mut again = reader.clone();
                id = Some(reader.unsigned()?);
                id_text = again.digits()?;
            }
            // Old recordings have the orders' numbers too.
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let id = need(id, reader, "the number of a trade")?;
    let ids = if aggregate {
        let last = need(last, reader, "the last trade of an aggregate")?;
        (need(first, reader, "the first trade of an aggregate")?.min(last), last)
    } else {
        (id, id)
    };
    let size = need(size, reader, "the size of a trade")?;
    if size.is_negative() {
        return Err(reader.wrong("a size that is not negative"));
    }
    let trade = Trade {
        price: need(price, reader, "the price of a trade")?,
        size,
        // The side that did not wait in the book took.
        side: match need(maker, reader, "the side of a trade")? {
            true => Aggressor::Sell,
            false => Aggressor::Buy,
        },
        trade_id: id_text.into(),
        stamps: stamps(at, Some(id), now),
    };
    Ok(Message::Trade {
        native: need(native, reader, "the symbol of a trade")?,
        ids,
        aggregate,
        trade,
    })
}

fn quote<'a>(reader: &mut Reader<'a>, now: Nanos) -> Result<Message<'a>> {
    let (mut native, mut number, mut at) = (None, None, None);
    let (mut bid, mut bid_size, mut ask, mut ask_size) = (None, None, None, None);
    reader.object(|reader, key| {
        match key {
            "u" => number = Some(reader.unsigned()?),
            "s" => native = Some(reader.string()?),
            "b" => bid = Some(reader.decimal()?),
            "B" => bid_size = Some(reader.decimal()?),
            "a" => ask = Some(reader.decimal()?),
            "A" => ask_size = Some(reader.decimal()?),
            // Not on spot; that of futures has it.
            "T" => at = Some(reader.unsigned()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let side = |price: Option<Decimal>, size: Option<Decimal>| -> Result<Option<QuoteSide>> {
        let price = need(price, reader, "the price of a quote")?;
        let size = need(size, reader, "the size of a quote")?;
        if size.is_negative() {
            return Err(reader.wrong("a size that is not negative"));
        }
        // A side without orders is written as zero at zero.
        Ok((!price.is_zero() || !size.is_zero()).then_some(QuoteSide { price, size }))
    };
    let (bid, ask) = (side(bid, bid_size)?, side(ask, ask_size)?);
    let number = need(number, reader, "the number of a quote")?;
    let quote = Quote { bid, ask, stamps: stamps(at, Some(number), now) };
    Ok(Message::Quote { native: need(native, reader, "the symbol of a quote")?, quote })
}

fn depth<'a>(reader: &mut Reader<'a>, now: Nanos) -> Result<Message<'a>> {
    let (mut native, mut first, mut last, mut at) = (None, None, None, None);
    let (mut bids, mut asks) = (None, None);
    reader.object(|reader, key| {
        match key {
            "E" => at = Some(reader.unsigned()?),
            "s" => native = Some(reader.string()?),
            "U" => first = Some(reader.unsigned()?),
            "u" => last = Some(reader.unsigned()?),
            "b" => levels(reader, bids.get_or_insert_default())?,
            "a" => levels(reader, asks.get_or_insert_default())?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let first = need(first, reader, "the first number of a diff")?;
    let last = need(last, reader, "the last number of a diff")?;
    if first > last || last == u64::MAX {
        return Err(reader.wrong("a diff whose numbers go up"));
    }
    let diff = BookDiff {
        reset: false,
        bids: need(bids, reader, "the bids of a diff")?,
        asks: need(asks, reader, "the asks of a diff")?,
        stamps: stamps(at, Some(last), now),
    };
    let native = need(native, reader, "the symbol of a diff")?;
    Ok(Message::Depth { native, held: Held { first, last, diff } })
}

/// Whole levels with the number of the last change in them, as by REST and in partial depth.
fn levels_at(reader: &mut Reader<'_>, now: Nanos) -> Result<(u64, BookDiff)> {
    let (mut last, mut bids, mut asks) = (None, None, None);
    reader.object(|reader, key| match key {
        "lastUpdateId" => reader.unsigned().map(|number| last = Some(number)),
        "bids" => levels(reader, bids.get_or_insert_default()),
        "asks" => levels(reader, asks.get_or_insert_default()),
        _ => reader.skip(),
    })?;
    let last = need(last, reader, "the number of a snapshot")?;
    if last == u64::MAX {
        return Err(reader.wrong("a number that can be followed"));
    }
    let diff = BookDiff {
        reset: true,
        bids: need(bids, reader, "the bids of a snapshot")?,
        asks: need(asks, reader, "the asks of a snapshot")?,
        // Neither has a time.
        stamps: stamps(None, Some(last), now),
    };
    Ok((last, diff))
}

/// Reads the answer to `GET /api/v3/depth`: the number of its last change, and its levels.
///
/// # Errors
/// Where it is none.
pub(super) fn snapshot(body: &[u8], now: Nanos) -> Result<(u64, BookDiff)> {
    Reader::all(body, |reader| levels_at(reader, now))
}

fn kline<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    let mut members = 0;
    reader.object(|reader, key| match key {
        "s" => reader.string().map(drop),
        "k" => reader.object(|reader, key| {
            members += u8::from(matches!(key, "o" | "h" | "l" | "c" | "v" | "t" | "T" | "x"));
            match key {
                "o" | "h" | "l" | "c" | "v" | "q" => reader.decimal().map(drop),
                "t" | "T" => reader.unsigned().map(drop),
                "x" => reader.boolean().map(drop),
                _ => reader.skip(),
            }
        }),
        _ => reader.skip(),
    })?;
    if members < 8 { Err(reader.wrong("a whole kline")) } else { Ok(Message::Kline) }
}

/// `{"result":null,"id":1}`, `{"code":2,"msg":"…","id":1}`, or the latter below `error`.
fn control<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    let (mut id, mut code, mut text) = (None, None, "");
    let mut refusal = |reader: &mut Reader<'a>, key: &str| match key {
        "code" => reader.signed().map(|number| code = Some(number)),
        "msg" => reader.raw().map(|raw| text = std::str::from_utf8(raw).unwrap_or_default()),
        _ => reader.skip(),
    };
    reader.object(|reader, key| match key {
        // A number, a text or null, as it was in the request; ours are numbers.
        "id" => {
            let raw = reader.raw()?;
            id = std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok());
            Ok(())
        }
        "error" if reader.peek() == Some(b'{') => reader.object(&mut refusal),
        _ => refusal(reader, key),
    })?;
    match code {
        Some(code) => Ok(Message::Refused { id, code, text }),
        None => Ok(Message::Done { id }),
    }
}

/// Whose message this is and of which kind, as far as a broken one tells: the kind first, and the
/// symbol as it is written there.
pub(super) fn suspect(text: &[u8]) -> (Kind, Option<&str>) {
    let (mut found, mut native) = (Kind::Unknown, None);
    look(&mut Reader::new(text), &mut found, &mut native).unwrap_or_default();
    (found, native)
}

fn look<'a>(
    reader: &mut Reader<'a>,
    found: &mut Kind,
    native: &mut Option<&'a str>,
) -> std::result::Result<(), JsonError> {
    reader.object(|reader, key| match (key, reader.peek()) {
        ("stream", Some(b'"')) => {
            let stream = reader.string()?;
            *found = Kind::of_stream(stream);
            *native = stream.split('@').next();
            Ok(())
        }
        ("e", Some(b'"')) => reader.string().map(|name| *found = Kind::of_event(name)),
        ("s", Some(b'"')) => reader.string().map(|name| *native = Some(name)),
        ("data", Some(b'{')) => look(reader, found, native),
        _ => reader.skip(),
    })
}
