//! Reading Bybit's messages: the envelope, and of each known topic what matters here.
//!
//! The order of the members differs between spot and linear, so nothing is decided before the
//! whole message was read.

use market::{Aggressor, Decimal, Flags, Level, Nanos, Stamps, Trade};

use crate::adapter::json::{JsonError, Reader, Result};
use crate::adapter::time;

/// What a topic's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic<'a> {
    /// `orderbook.{depth}.{symbol}`.
    Book { depth: usize, symbol: &'a str },
    /// `publicTrade.{symbol}`.
    Trades { symbol: &'a str },
    /// `tickers.{symbol}`.
    Ticker { symbol: &'a str },
    /// Documented, and nothing that is used here; candles are made from the trades.
    Unused,
    /// Anything else.
    Other,
}

impl<'a> Topic<'a> {
    pub(super) fn parse(name: &'a str) -> Self {
        let Some((kind, rest)) = name.split_once('.') else { return Self::Other };
        match kind {
            "orderbook" => {
                match rest.split_once('.').map(|(depth, symbol)| (depth.parse(), symbol)) {
                    Some((Ok(depth), symbol)) => Self::Book { depth, symbol },
                    // Retail orders apart.
                    _ if rest.starts_with("rpi.") => Self::Unused,
                    _ => Self::Other,
                }
            }
            "publicTrade" => Self::Trades { symbol: rest },
            "tickers" => Self::Ticker { symbol: rest },
            "kline" | "allLiquidation" | "liquidation" | "priceLimit" | "insurance"
            | "adlAlert" => Self::Unused,
            _ => Self::Other,
        }
    }
}

/// The members beside `data`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Envelope<'a> {
    pub(super) topic: Option<Topic<'a>>,
    /// Of data `snapshot` or `delta`.
    pub(super) kind: Option<&'a str>,
    /// When the message was made, in milliseconds.
    pub(super) ts: Option<u64>,
    /// When the matching engine made what it says.
    pub(super) cts: Option<u64>,
    /// Cross sequence of tickers.
    pub(super) cs: Option<u64>,
    /// What the message answers.
    pub(super) op: Option<&'a str>,
    pub(super) success: Option<bool>,
    /// Ours, given back.
    pub(super) req_id: Option<u64>,
    /// Raw, for it may quote what we sent.
    pub(super) ret_msg: &'a [u8],
}

impl Envelope<'_> {
    /// Whether the data are whole (`snapshot`) or changes (`delta`).
    pub(super) fn is_snapshot(&self) -> Result<bool> {
        match self.kind {
            Some("snapshot") => Ok(true),
            Some("delta") => Ok(false),
            _ => Err(JsonError { at: 0, expected: "\"type\":\"snapshot\" or \"delta\"" }),
        }
    }
}

/// What `data` holds.
#[derive(Debug, Default)]
pub(super) enum Data {
    /// Nothing that matters.
    #[default]
    None,
    Book(BookData),
    /// The trades are where the caller wanted them.
    Trades,
    Ticker(TickerData),
}

/// Levels of a book.
#[derive(Debug, Default)]
pub(super) struct BookData {
    pub(super) bids: Vec<Level>,
    pub(super) asks: Vec<Level>,
    /// Number of the message in its topic; each is the one before plus 1.
    pub(super) update: u64,
    /// Cross sequence: grows, with jumps, and is the same for all depths.
    pub(super) cross: Option<u64>,
}

/// A number of a ticker: absent when it did not change; given as nothing where there is none.
pub(super) type Field = Option<Option<Decimal>>;

/// Best bid and offer of a ticker.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TickerData {
    pub(super) bid_price: Field,
    pub(super) bid_size: Field,
    pub(super) ask_price: Field,
    pub(super) ask_size: Field,
}

/// Reads one message. Trades are put into `trades`. What of the envelope was read before an error
/// is in `envelope` nevertheless.
pub(super) fn read<'a>(
    message: &'a [u8],
    now: Nanos,
    envelope: &mut Envelope<'a>,
    trades: &mut Vec<Trade>,
) -> Result<Data> {
    let mut data = Data::None;
    let mut early = None;
    Reader::all(message, |reader| {
        reader.object(|reader, key| {
            match key {
                "topic" => envelope.topic = Some(Topic::parse(reader.string()?)),
                "type" => envelope.kind = Some(reader.string()?),
                "ts" => envelope.ts = Some(reader.unsigned()?),
                "cts" => envelope.cts = Some(reader.unsigned()?),
                "cs" => envelope.cs = Some(reader.unsigned()?),
                "op" => envelope.op = reader.string_or_null()?,
                "success" => envelope.success = Some(reader.boolean()?),
                "req_id" => envelope.req_id = number(reader.raw()?),
                "ret_msg" => envelope.ret_msg = reader.raw()?,
                "data" => match envelope.topic {
                    Some(topic) => data = read_data(reader, topic, now, trades)?,
                    None => early = Some(reader.raw()?),
                },
                _ => reader.skip()?,
            }
            Ok(())
        })
    })?;
    if let (Some(text), Some(topic)) = (early, envelope.topic) {
        data = Reader::all(text, |reader| read_data(reader, topic, now, trades))?;
    }
    Ok(data)
}

/// The number that a JSON text holds; ours are.
fn number(raw: &[u8]) -> Option<u64> {
    std::str::from_utf8(raw).ok()?.trim_matches('"').parse().ok()
}

fn read_data(
    reader: &mut Reader<'_>,
    topic: Topic<'_>,
    now: Nanos,
    trades: &mut Vec<Trade>,
) -> Result<Data> {
    match topic {
        Topic::Book { .. } => book(reader).map(Data::Book),
        Topic::Trades { .. } => {
            trades.clear();
            reader.list(|reader| {
                trades.push(trade(reader, now)?);
                Ok(())
            })?;
            Ok(Data::Trades)
        }
        Topic::Ticker { .. } => ticker(reader).map(Data::Ticker),
        Topic::Unused | Topic::Other => reader.skip().map(|()| Data::None),
    }
}

fn book(reader: &mut Reader<'_>) -> Result<BookData> {
    let mut book = BookData::default();
    let (mut bids, mut asks, mut update) = (false, false, None);
    reader.object(|reader, key| {
        match key {
            "b" => bids = levels(reader, &mut book.bids)?,
            "a" => asks = levels(reader, &mut book.asks)?,
            "u" => update = Some(reader.unsigned()?),
            "seq" => book.cross = Some(reader.unsigned()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    match update {
        Some(update) if bids && asks => Ok(BookData { update, ..book }),
        _ => Err(reader.wrong("a book with \"b\", \"a\" and \"u\"")),
    }
}

/// Reads one side of a book; true when it was read.
fn levels(reader: &mut Reader<'_>, levels: &mut Vec<Level>) -> Result<bool> {
    reader.list(|reader| {
        let (price, size) = reader.pair()?;
        levels.push(Level { price, size });
        Ok(())
    })?;
    Ok(true)
}

fn trade(reader: &mut Reader<'_>, now: Nanos) -> Result<Trade> {
    let (mut price, mut size, mut side, mut id) = (None, None, None, None);
    let (mut time, mut cross) = (None, None);
    reader.object(|reader, key| {
        match key {
            "T" => time = Some(reader.unsigned()?),
            // Whoever took liquidity.
            "S" => side = Some(aggressor(reader)?),
            "v" => size = Some(not_negative(reader)?),
            "p" => price = Some(reader.decimal()?),
            // A UUID on linear, a number in a text on spot.
            "i" => id = Some(reader.digits()?),
            "seq" => cross = Some(reader.unsigned()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let (Some(price), Some(size), Some(side), Some(id)) = (price, size, side, id) else {
        return Err(reader.wrong("a trade with \"p\", \"v\", \"S\" and \"i\""));
    };
    Ok(Trade { price, size, side, trade_id: id.into(), stamps: stamps(time, now, cross) })
}

fn aggressor(reader: &mut Reader<'_>) -> Result<Aggressor> {
    match reader.string()? {
        "Buy" => Ok(Aggressor::Buy),
        "Sell" => Ok(Aggressor::Sell),
        _ => Err(reader.wrong("\"Buy\" or \"Sell\"")),
    }
}

fn not_negative(reader: &mut Reader<'_>) -> Result<Decimal> {
    let size = reader.decimal()?;
    if size.is_negative() { Err(reader.wrong("a size that is not negative")) } else { Ok(size) }
}

fn ticker(reader: &mut Reader<'_>) -> Result<TickerData> {
    let mut ticker = TickerData::default();
    reader.object(|reader, key| {
        match key {
            "bid1Price" => ticker.bid_price = Some(field(reader)?),
            "bid1Size" => ticker.bid_size = Some(field(reader)?),
            "ask1Price" => ticker.ask_price = Some(field(reader)?),
            "ask1Size" => ticker.ask_size = Some(field(reader)?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(ticker)
}

/// A number, or an empty text where there is none: a contract before its opening has no bid.
fn field(reader: &mut Reader<'_>) -> Result<Option<Decimal>> {
    let empty = reader.clone().string().is_ok_and(str::is_empty);
    if empty { reader.skip().map(|()| None) } else { not_negative(reader).map(Some) }
}

/// 2010-01-01 in milliseconds: no venue's data are older.
const EARLIEST: u64 = 1_262_304_000_000;

/// Stamps of something that happened at `millis`, and came now.
pub(super) fn stamps(millis: Option<u64>, now: Nanos, sequence: Option<u64>) -> Stamps {
    let event = millis.filter(|&millis| millis >= EARLIEST).and_then(time::millis);
    let bad = millis.is_some() && event.is_none();
    let flags = if bad { Flags::BAD_TIMESTAMP } else { Flags::none() };
    Stamps { event, received: now, sequence, flags }
}
