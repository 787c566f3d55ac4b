//! Coinbase's messages, read: what one event, one level, one trade and one ticker say.

use market::{Aggressor, BookDiff, BookSide, Decimal, Level, QuoteSide};
use memchr::memchr2;

use crate::adapter::json::{JsonError, Reader, Result};

/// What every message says of itself. Its order is the venue's: `channel`, `client_id` (in old
/// samples only), `timestamp`, `sequence_num`, `events`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head<'a> {
    /// Which channel it belongs to; `l2_data` where `level2` was subscribed.
    pub(super) channel: Option<&'a str>,
    /// When it was sent.
    pub(super) timestamp: Option<&'a str>,
    /// Its number on this connection, of all channels.
    pub(super) sequence: Option<u64>,
    /// `error`, in messages that belong to no channel.
    pub(super) kind: Option<&'a str>,
    /// What the error is, as it is written.
    pub(super) message: Option<&'a [u8]>,
}

impl Head<'_> {
    /// Whether all that its events need is known.
    pub(super) fn is_whole(&self) -> bool {
        self.channel.is_some() && self.timestamp.is_some() && self.sequence.is_some()
    }
}

/// One event of `l2_data`.
#[derive(Debug, Default)]
pub(super) struct BookEvent<'a> {
    pub(super) product: &'a str,
    pub(super) diff: BookDiff,
    /// When the last of its changes happened; empty where there is none.
    pub(super) time: &'a str,
}

/// Levels of one event before they are known to be all; kept, so that most events need two
/// allocations of the right size and no more.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// Levels that [`Scratch`] keeps room for; a snapshot's is given back.
const SCRATCH_LEVELS: usize = 4096;

impl Scratch {
    fn begin(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    fn exact(levels: &mut Vec<Level>) -> Vec<Level> {
        let exact = levels.clone();
        if levels.capacity() > SCRATCH_LEVELS {
            *levels = Vec::new();
        }
        exact
    }

    fn push(&mut self, (side, level): (BookSide, Level)) {
        match side {
            BookSide::Bid => self.bids.push(level),
            BookSide::Ask => self.asks.push(level),
        }
    }
}

/// Reads one event of `l2_data`.
pub(super) fn book_event<'a>(
    reader: &mut Reader<'a>,
    scratch: &mut Scratch,
) -> Result<BookEvent<'a>> {
    let (mut product, mut reset, mut updates) = (None, None, false);
    let mut time: &[u8] = b"";
    let start = reader.clone();
    scratch.begin();
    reader.object(|reader, key| {
        match key {
            "type" => {
                reset = match reader.string()? {
                    "snapshot" => Some(true),
                    "update" => Some(false),
                    _ => return Err(reader.wrong("snapshot or update")),
                }
            }
            "product_id" => product = Some(reader.string()?),
            "updates" => {
                updates = true;
                reader.list(|reader| {
                    let quick = reader.quick(|text| quick_level(text, &mut time));
                    let level = quick.map_or_else(|| level(reader, &mut time), Ok)?;
                    scratch.push(level);
                    Ok(())
                })?;
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let (Some(product), Some(reset), true) = (product, reset, updates) else {
        return Err(start.wrong("type, product_id and updates of a book event"));
    };
    let (bids, asks) = (Scratch::exact(&mut scratch.bids), Scratch::exact(&mut scratch.asks));
    // What is no UTF-8 is no time either.
    let time = std::str::from_utf8(time).unwrap_or("?");
    Ok(BookEvent { product, diff: BookDiff { reset, bids, asks, ..BookDiff::default() }, time })
}

/// A level as it is nearly always written, with the time of the level before it.
#[inline]
fn quick_level<'a>(text: &'a [u8], time: &mut &'a [u8]) -> Option<((BookSide, Level), usize)> {
    let (side, rest) = match text.strip_prefix(br#"{"side":"bid","event_time":""#) {
        Some(rest) => (BookSide::Bid, rest),
        None => (BookSide::Ask, text.strip_prefix(br#"{"side":"offer","event_time":""#)?),
    };
    // All changes of one event happened at one time.
    let known = rest.strip_prefix(*time).and_then(|rest| rest.strip_prefix(PRICE));
    let rest = match known.filter(|_| !time.is_empty()) {
        Some(rest) => rest,
        None => {
            let end = memchr2(b'"', b'\\', rest)?;
            let (now, after) = rest.split_at(end);
            let after = after.strip_prefix(PRICE)?;
            *time = now;
            after
        }
    };
    let (price, length) = Decimal::leading(rest)?;
    let rest = rest[length..].strip_prefix(br#"","new_quantity":""#)?;
    let (size, length) = Decimal::leading(rest)?;
    let rest = rest[length..].strip_prefix(br#""}"#)?;
    Some(((side, Level { price, size }), text.len() - rest.len()))
}

/// What stands between the time of a level and its price.
const PRICE: &[u8] = br#"","price_level":""#;

/// A level, however it is written.
#[cold]
fn level<'a>(reader: &mut Reader<'a>, time: &mut &'a [u8]) -> Result<(BookSide, Level)> {
    let start = reader.clone();
    let (mut side, mut price, mut size) = (None, None, None);
    reader.object(|reader, key| {
        match key {
            "side" => {
                side = match reader.string()? {
                    "bid" => Some(BookSide::Bid),
                    "offer" | "ask" => Some(BookSide::Ask),
                    _ => return Err(reader.wrong("bid or offer")),
                }
            }
            "event_time" => *time = reader.string()?.as_bytes(),
            "price_level" => price = Some(reader.decimal()?),
            "new_quantity" => size = Some(reader.decimal()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    match (side, price, size) {
        (Some(side), Some(price), Some(size)) => Ok((side, Level { price, size })),
        _ => Err(start.wrong("side, price_level and new_quantity of a level")),
    }
}

/// Reads a list of events, and gives `member` each element of their list `name`. Sets `snapshot`
/// where an event is one.
pub(super) fn members<'a>(
    reader: &mut Reader<'a>,
    name: &str,
    snapshot: &mut bool,
    mut member: impl FnMut(&mut Reader<'a>) -> Result<()>,
) -> Result<()> {
    reader.list(|reader| {
        reader.object(|reader, key| {
            match key {
                "type" => *snapshot |= reader.string()? == "snapshot",
                _ if key == name => reader.list(&mut member)?,
                _ => reader.skip()?,
            }
            Ok(())
        })
    })
}

/// One execution, as the venue tells it.
#[derive(Debug)]
pub(super) struct Execution<'a> {
    pub(super) product: &'a str,
    pub(super) trade_id: &'a str,
    pub(super) price: Decimal,
    pub(super) size: Decimal,
    pub(super) side: Aggressor,
    pub(super) time: &'a str,
}

/// Reads one of `market_trades`. The venue tells the side of the order that was waiting; who took
/// liquidity is the other.
pub(super) fn execution<'a>(reader: &mut Reader<'a>) -> Result<Execution<'a>> {
    let start = reader.clone();
    let (mut product, mut trade_id, mut time) = (None, None, "");
    let (mut price, mut size, mut side) = (None, None, None);
    reader.object(|reader, key| {
        match key {
            "product_id" => product = Some(reader.string()?),
            "trade_id" => trade_id = Some(reader.digits()?),
            "price" => price = Some(reader.decimal()?),
            "size" => size = Some(unsigned_size(reader)?),
            "time" => time = reader.string()?,
            "side" => {
                side = Some(match reader.string()? {
                    "SELL" => Aggressor::Buy,
                    "BUY" => Aggressor::Sell,
                    _ => Aggressor::Unknown,
                });
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    match (product, trade_id, price, size, side) {
        (Some(product), Some(trade_id), Some(price), Some(size), Some(side)) => {
            Ok(Execution { product, trade_id, price, size, side, time })
        }
        _ => Err(start.wrong("product_id, trade_id, price, size and side of a trade")),
    }
}

fn unsigned_size(reader: &mut Reader<'_>) -> Result<Decimal> {
    let start = reader.clone();
    let size = reader.decimal()?;
    if size.is_negative() { Err(start.wrong("a size that is not negative")) } else { Ok(size) }
}

/// One ticker, as far as its best prices go.
#[derive(Debug)]
pub(super) struct Ticker<'a> {
    pub(super) product: &'a str,
    pub(super) bid: Option<QuoteSide>,
    pub(super) ask: Option<QuoteSide>,
}

/// Reads one ticker. A side without orders is empty, or zero.
pub(super) fn ticker<'a>(reader: &mut Reader<'a>) -> Result<Ticker<'a>> {
    let start = reader.clone();
    let mut product = None;
    let (mut bid, mut bid_size, mut ask, mut ask_size) = (None, None, None, None);
    reader.object(|reader, key| {
        match key {
            "product_id" => product = Some(reader.string()?),
            "best_bid" => bid = Some(decimal_or_nothing(reader)?),
            "best_bid_quantity" => bid_size = Some(decimal_or_nothing(reader)?),
            "best_ask" => ask = Some(decimal_or_nothing(reader)?),
            "best_ask_quantity" => ask_size = Some(decimal_or_nothing(reader)?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let (Some(product), Some(bid), Some(bid_size), Some(ask), Some(ask_size)) =
        (product, bid, bid_size, ask, ask_size)
    else {
        return Err(start.wrong("product_id, best prices and their quantities of a ticker"));
    };
    let side = |price: Option<Decimal>, size: Option<Decimal>| {
        let side = QuoteSide { price: price?, size: size? };
        (!side.price.is_zero() && !side.size.is_zero()).then_some(side)
    };
    Ok(Ticker { product, bid: side(bid, bid_size), ask: side(ask, ask_size) })
}

fn decimal_or_nothing(reader: &mut Reader<'_>) -> Result<Option<Decimal>> {
    if reader.literal(br#""""#) { Ok(None) } else { unsigned_size(reader).map(Some) }
}

/// The product of an object that could not be read otherwise, if it tells that much; takes the
/// whole object.
///
/// # Errors
/// Where it is no JSON at all.
pub(super) fn product<'a>(
    reader: &mut Reader<'a>,
) -> std::result::Result<Option<&'a str>, JsonError> {
    let mut product = None;
    if reader.peek() != Some(b'{') {
        reader.skip()?;
        return Ok(None);
    }
    reader.object(|reader, key| {
        let start = reader.clone();
        if key == "product_id" {
            match reader.string() {
                Ok(text) => {
                    product = Some(text);
                    return Ok(());
                }
                Err(_) => *reader = start,
            }
        }
        reader.skip()
    })?;
    Ok(product)
}
