//! OKX's messages read, and its requests written.

use market::{BookDiff, Decimal, Level, Nanos, Quote, QuoteSide, Stamps, Trade};
use serde_json::json;

use super::super::reading::{self, shown, taker};
use super::{BEST_FIVE, Change, Link, Okx, Told};
use crate::adapter::json::{JsonError, Reader, Result};
use crate::adapter::repeats::Noted;
use crate::adapter::{Oddity, Output, Stream, SymbolId, time};

/// A request to subscribe or unsubscribe; `book` is the channel of books.
pub(super) fn request<'a>(
    op: &str,
    book: &str,
    channels: impl Iterator<Item = (&'a str, Stream)>,
) -> String {
    let args: Vec<_> = channels
        .map(|(symbol, stream)| {
            let channel = match stream {
                Stream::Book => book,
                Stream::Trades => "trades",
                Stream::Quotes => "bbo-tbt",
            };
            json!({ "channel": channel, "instId": symbol })
        })
        .collect();
    json!({ "op": op, "args": args }).to_string()
}

/// Which of our streams a channel is; some come in several speeds.
fn stream(channel: &str) -> Option<Stream> {
    match channel {
        "books" | "books-l2-tbt" | "books50-l2-tbt" | BEST_FIVE => Some(Stream::Book),
        "trades" | "trades-all" => Some(Stream::Trades),
        "tickers" | "bbo-tbt" => Some(Stream::Quotes),
        _ => None,
    }
}

/// Whether a channel is documented, and says nothing that is used here.
fn unused(channel: &str) -> bool {
    channel.contains("candle")
        || channel.contains("block-")
        || matches!(
            channel,
            "instruments"
                | "status"
                | "mark-price"
                | "index-tickers"
                | "funding-rate"
                | "open-interest"
                | "price-limit"
                | "opt-summary"
                | "option-trades"
                | "estimated-price"
                | "liquidation-orders"
                | "adl-warning"
                | "call-auction-details"
        )
}

/// All of a message but its data.
#[derive(Debug, Default)]
struct Head<'a> {
    event: &'a str,
    code: &'a str,
    /// As it is written: it may have escapes.
    says: &'a [u8],
    /// Channel and symbol.
    arg: Option<(&'a str, &'a str)>,
    action: &'a str,
}

impl Okx {
    pub(super) fn read(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        if message == b"pong" {
            return;
        }
        let mut told = None;
        let mut head = Head::default();
        let mut data = false;
        // Data that stand before what they are.
        let mut early = None;
        let mut read = Reader::all(message, |reader| {
            reader.object(|reader, key| {
                match key {
                    "arg" => head.arg = Some(arg(reader)?),
                    "action" => head.action = reader.string()?,
                    "data" => {
                        data = true;
                        // Of books, the action comes first; other channels have none.
                        let book = head.arg.is_some_and(|(name, _)| name.starts_with("books"));
                        if head.arg.is_none() || (book && head.action.is_empty()) {
                            early = Some(reader.raw()?);
                        } else {
                            self.data(&head, reader, &mut told, now, out)?;
                        }
                    }
                    "event" => head.event = reader.string()?,
                    "code" => head.code = reader.digits()?,
                    "msg" => head.says = reader.raw()?,
                    _ => reader.skip()?,
                }
                Ok(())
            })
        });
        if let (Ok(()), Some(early)) = (&read, early) {
            read = Reader::all(early, |reader| self.data(&head, reader, &mut told, now, out));
        }
        match read {
            Err(error) => self.upkeep.unreadable(&mut self.desk, (error, message), told, now, out),
            Ok(()) if !head.event.is_empty() => self.event(&head, now, out),
            Ok(()) if !data && head.arg.is_some_and(|(channel, _)| stream(channel).is_some()) => {
                let error = JsonError { at: 0, expected: "data" };
                self.upkeep.unreadable(&mut self.desk, (error, message), told, now, out);
            }
            // With data it is counted where they are read.
            Ok(()) if !data => self.desk.counts.unknown += 1,
            Ok(()) => {}
        }
    }

    fn data(
        &mut self,
        head: &Head<'_>,
        reader: &mut Reader<'_>,
        told: &mut Told,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        let known =
            head.arg.and_then(|(channel, symbol)| Some((stream(channel)?, symbol, channel)));
        let known = match (known, head.action) {
            (Some((Stream::Book, _, BEST_FIVE)), _)
            | (Some((Stream::Book, ..)), "snapshot" | "update")
            | (Some((Stream::Trades | Stream::Quotes, ..)), _) => known,
            _ => None,
        };
        let Some((stream, native, channel)) = known else {
            let counts = &mut self.desk.counts;
            match head.arg {
                Some((channel, _)) if unused(channel) => counts.unused += 1,
                _ => counts.unknown += 1,
            }
            return reader.skip();
        };
        let Some(id) = self.desk.find(native) else { return reader.skip() };
        *told = Some((id, stream));
        reader.list(|reader| match stream {
            Stream::Book => self.book_data(id, channel, head.action, reader, now, out),
            Stream::Trades => {
                let trade = trade(reader, now)?;
                // To each new subscriber the venue tells the last one.
                if self.repeats.note(id, &trade.trade_id) == Noted::Repeat {
                    self.desk.counts_of(id).stale += 1;
                    self.desk.odd(id, Oddity::Repeated, now, out);
                } else {
                    self.desk.trade(id, trade, out);
                }
                Ok(())
            }
            Stream::Quotes => {
                let quote =
                    if channel == "tickers" { ticker(reader, now) } else { best(reader, now) };
                self.desk.quote(id, quote?, out);
                Ok(())
            }
        })
    }

    fn book_data(
        &mut self,
        id: SymbolId,
        channel: &str,
        action: &str,
        reader: &mut Reader<'_>,
        now: Nanos,
        out: &mut Output,
    ) -> Result<()> {
        let best = channel == BEST_FIVE;
        let mut diff = BookDiff { reset: best || action == "snapshot", ..BookDiff::default() };
        let (mut sequence, mut previous, mut checksum, mut event) = (None, None, 0, None);
        let (mut bids, mut asks) = (false, false);
        reader.object(|reader, key| {
            match key {
                "bids" => {
                    bids = true;
                    levels(reader, &mut diff.bids)?;
                }
                "asks" => {
                    asks = true;
                    levels(reader, &mut diff.asks)?;
                }
                "ts" => event = Some(time_of(reader)?),
                "checksum" => checksum = reader.signed()?,
                "seqId" => sequence = Some(reader.signed()?),
                "prevSeqId" => previous = Some(reader.signed()?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        if !bids || !asks {
            return Err(reader.wrong("a book with bids and asks"));
        }
        diff.stamps = stamps(event, sequence, now);
        if best {
            self.best_five(id, diff, sequence, out);
            return Ok(());
        }
        let link = match (sequence, previous) {
            (Some(sequence), Some(previous)) => Some(Link { sequence, previous }),
            (None, None) => None,
            _ => return Err(reader.wrong("seqId and prevSeqId")),
        };
        let change = Change { id, diff, link, checksum };
        self.book(change, now, out).map_err(|expected| reader.wrong(expected))
    }

    fn event(&mut self, head: &Head<'_>, now: Nanos, out: &mut Output) {
        let says = shown(head.says);
        match head.event {
            "subscribe" => {
                let of = head.arg.and_then(|(channel, native)| {
                    Some((self.desk.known(native)?, stream(channel)?))
                });
                if let Some((id, stream)) = of {
                    self.upkeep.acknowledged(id, stream);
                }
            }
            "error" => {
                let native = head.arg.map_or_else(|| symbol_in(&says), |(_, native)| native);
                self.refused(head.code, native, &says, now, out);
            }
            // The venue is about to close the connection, for an upgrade.
            "notice" => out.reconnect(format!("the venue asks for it: {says}")),
            "channel-conn-count-error" => {
                self.desk.report("too many connections for a channel", out)
            }
            "unsubscribe" | "channel-conn-count" => {}
            _ => self.desk.counts.unknown += 1,
        }
    }
}

fn arg<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a str)> {
    let (mut channel, mut symbol) = ("", "");
    reader.object(|reader, key| {
        match key {
            "channel" => channel = reader.string()?,
            "instId" => symbol = reader.string()?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok((channel, symbol))
}

/// The symbol that an error names: `… instId:ABC-DEF doesn't exist …`.
fn symbol_in(says: &str) -> &str {
    let rest = says.split_once("instId:").map_or("", |(_, rest)| rest);
    rest.split([' ', ',', '"', '}']).next().unwrap_or_default()
}

/// `["price","size","0","orders"]`.
const LEVEL_ELEMENTS: usize = 4;

fn levels(reader: &mut Reader<'_>, levels: &mut Vec<Level>) -> Result<()> {
    reader.list(|reader| {
        let (price, size) = reader.pair_of(LEVEL_ELEMENTS)?;
        levels.push(Level { price, size });
        Ok(())
    })
}

fn trade(reader: &mut Reader<'_>, now: Nanos) -> Result<Trade> {
    let (mut price, mut size, mut side, mut trade_id) = (None, None, None, None);
    let (mut event, mut sequence) = (None, None);
    reader.object(|reader, key| {
        match key {
            "px" => price = Some(reader.decimal()?),
            "sz" => size = Some(reader.decimal()?),
            "tradeId" => trade_id = Some(reader.digits()?),
            "ts" => event = Some(time_of(reader)?),
            "seqId" => sequence = Some(reader.signed()?),
            // The taker's.
            "side" => side = Some(taker(reader)?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let (Some(price), Some(size), Some(side), Some(trade_id)) = (price, size, side, trade_id)
    else {
        return Err(reader.wrong("a trade with px, sz, side and tradeId"));
    };
    if size.is_negative() {
        return Err(reader.wrong("a size that is not negative"));
    }
    let stamps = stamps(event, sequence, now);
    Ok(Trade { price, size, side, trade_id: trade_id.into(), stamps })
}

/// The channel `tickers`.
fn ticker(reader: &mut Reader<'_>, now: Nanos) -> Result<Quote> {
    let (mut bid, mut bid_size, mut ask, mut ask_size) = (None, None, None, None);
    let mut event = None;
    reader.object(|reader, key| {
        match key {
            "bidPx" => bid = Some(decimal_or_empty(reader)?),
            "bidSz" => bid_size = Some(size_or_empty(reader)?),
            "askPx" => ask = Some(decimal_or_empty(reader)?),
            "askSz" => ask_size = Some(size_or_empty(reader)?),
            "ts" => event = Some(time_of(reader)?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let (Some(bid), Some(bid_size), Some(ask), Some(ask_size)) = (bid, bid_size, ask, ask_size)
    else {
        return Err(reader.wrong("a ticker with bidPx, bidSz, askPx and askSz"));
    };
    let side = |price: Option<Decimal>, size: Option<Decimal>| {
        let price = price.filter(|price| !price.is_zero())?;
        Some(QuoteSide { price, size: size? })
    };
    let stamps = stamps(event, None, now);
    Ok(Quote { bid: side(bid, bid_size), ask: side(ask, ask_size), stamps })
}

/// The channel `bbo-tbt`: a book of one level.
fn best(reader: &mut Reader<'_>, now: Nanos) -> Result<Quote> {
    let (mut bid, mut ask, mut event, mut sequence) = (None, None, None, None);
    reader.object(|reader, key| {
        match key {
            "bids" => bid = Some(first(reader)?),
            "asks" => ask = Some(first(reader)?),
            "ts" => event = Some(time_of(reader)?),
            "seqId" => sequence = Some(reader.signed()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let (Some(bid), Some(ask)) = (bid, ask) else {
        return Err(reader.wrong("a best price with bids and asks"));
    };
    Ok(Quote { bid, ask, stamps: stamps(event, sequence, now) })
}

fn first(reader: &mut Reader<'_>) -> Result<Option<QuoteSide>> {
    let mut best = None;
    reader.list(|reader| {
        let (price, size) = reader.pair_of(LEVEL_ELEMENTS)?;
        if size.is_negative() {
            return Err(reader.wrong("a size that is not negative"));
        }
        best = best.or(Some(QuoteSide { price, size }));
        Ok(())
    })?;
    Ok(best)
}

/// A decimal in a text; an empty text where there is none.
fn decimal_or_empty(reader: &mut Reader<'_>) -> Result<Option<Decimal>> {
    let mut ahead = reader.clone();
    if ahead.string() == Ok("") {
        *reader = ahead;
        return Ok(None);
    }
    reader.decimal().map(Some)
}

/// The same for sizes, which are not negative.
fn size_or_empty(reader: &mut Reader<'_>) -> Result<Option<Decimal>> {
    let size = decimal_or_empty(reader)?;
    if size.is_some_and(Decimal::is_negative) {
        return Err(reader.wrong("a size that is not negative"));
    }
    Ok(size)
}

fn time_of(reader: &mut Reader<'_>) -> Result<Option<Nanos>> {
    Ok(time::millis(reader.unsigned()?))
}

/// `event` is the message's time, where it has one, if that is a time.
fn stamps(event: Option<Option<Nanos>>, sequence: Option<i64>, now: Nanos) -> Stamps {
    let sequence = sequence.and_then(|number| u64::try_from(number).ok());
    Stamps { sequence, ..reading::stamps(event, now) }
}
