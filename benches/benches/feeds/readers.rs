//! Messages read with our JSON reader straight to the desk, for venues without an adapter: what
//! an adapter does, less its care for what it does not expect.

use benches::venues::KRAKEN_DEPTH;
use feeds::adapter::json::{Reader, Result};
use feeds::adapter::time::{millis, rfc3339};
use feeds::adapter::{Desk, Output};
use feeds::adapter::{Proof, SymbolId};
use market::{Aggressor, BookDiff, Decimal, Level, Nanos, Quote, QuoteSide, Stamps, Trade};

use crate::Session;

/// Reads one message and tells the desk.
pub(super) type Take = fn(&mut Read, &[u8], Nanos, &mut Output) -> Result<()>;

/// What every session here has.
#[derive(Debug)]
pub(super) struct Read {
    desk: Desk,
    due: Option<u64>,
    read: Take,
}

impl Read {
    /// A session on this desk that reads with `read`.
    pub(super) fn new(desk: Desk, read: Take) -> Self {
        Self { desk, due: None, read }
    }

    fn symbol(&mut self, native: &str) -> SymbolId {
        self.desk.find(native).expect("a symbol of the fixtures")
    }
}

impl Session for Read {
    fn take(&mut self, message: &[u8], now: Nanos, out: &mut Output) {
        self.desk.heard(now, out);
        (self.read)(self, message, now, out).expect("a message of the fixtures");
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }
}

pub(super) fn binance_trade(
    read: &mut Read,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> Result<()> {
    let (mut symbol, mut trade_id, mut time, mut maker_buys) = ("", "", 0, false);
    let (mut price, mut size) = (Decimal::ZERO, Decimal::ZERO);
    Reader::all(message, |reader| {
        reader.object(|reader, key| {
            match key {
                "s" => symbol = reader.string()?,
                "t" => trade_id = reader.number()?,
                "p" => price = reader.decimal()?,
                "q" => size = reader.decimal()?,
                "T" => time = reader.unsigned()?,
                "m" => maker_buys = reader.boolean()?,
                _ => reader.skip()?,
            }
            Ok(())
        })
    })?;
    let id = read.symbol(symbol);
    let side = if maker_buys { Aggressor::Sell } else { Aggressor::Buy };
    let sequence = trade_id.parse().ok();
    let stamps = Stamps { event: millis(time), received: now, sequence, ..Stamps::default() };
    let trade = Trade { price, size, side, trade_id: trade_id.into(), stamps };
    read.desk.trade(id, trade, out);
    Ok(())
}

pub(super) fn binance_book_ticker(
    read: &mut Read,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> Result<()> {
    let (mut symbol, mut update) = ("", 0);
    let zero = Decimal::ZERO;
    let (mut bid, mut bid_size, mut ask, mut ask_size) = (zero, zero, zero, zero);
    Reader::all(message, |reader| {
        reader.object(|reader, key| {
            match key {
                "u" => update = reader.unsigned()?,
                "s" => symbol = reader.string()?,
                "b" => bid = reader.decimal()?,
                "B" => bid_size = reader.decimal()?,
                "a" => ask = reader.decimal()?,
                "A" => ask_size = reader.decimal()?,
                _ => reader.skip()?,
            }
            Ok(())
        })
    })?;
    let id = read.symbol(symbol);
    let stamps = Stamps { received: now, sequence: Some(update), ..Stamps::default() };
    let quote = Quote {
        bid: Some(QuoteSide { price: bid, size: bid_size }),
        ask: Some(QuoteSide { price: ask, size: ask_size }),
        stamps,
    };
    read.desk.quote(id, quote, out);
    Ok(())
}

pub(super) fn binance_depth(
    read: &mut Read,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> Result<()> {
    let (mut symbol, mut time, mut first, mut last) = ("", 0, 0, 0);
    let mut diff = BookDiff::default();
    let level = |reader: &mut Reader<'_>, levels: &mut Vec<Level>| {
        let (price, size) = reader.pair()?;
        levels.push(Level { price, size });
        Ok(())
    };
    Reader::all(message, |reader| {
        reader.object(|reader, key| {
            match key {
                "E" => time = reader.unsigned()?,
                "s" => symbol = reader.string()?,
                "U" => first = reader.unsigned()?,
                "u" => last = reader.unsigned()?,
                "b" => reader.list(|reader| level(reader, &mut diff.bids))?,
                "a" => reader.list(|reader| level(reader, &mut diff.asks))?,
                _ => reader.skip()?,
            }
            Ok(())
        })
    })?;
    let id = read.symbol(symbol);
    // The first one stands for the REST snapshot.
    diff.reset = read.due.is_none();
    assert_eq!(read.due.unwrap_or(first), first, "a gap");
    read.due = Some(last + 1);
    diff.stamps =
        Stamps { event: millis(time), received: now, sequence: Some(last), ..Stamps::default() };
    read.desk.book(id, diff, None, |_| Proof::Sequence, out).expect("a good book");
    Ok(())
}

pub(super) fn kraken_book(
    read: &mut Read,
    message: &[u8],
    now: Nanos,
    out: &mut Output,
) -> Result<()> {
    let mut reset = false;
    let Read { desk, .. } = read;
    let level = |reader: &mut Reader<'_>, levels: &mut Vec<Level>| {
        let (price, size) = reader.named_pair(["price", "qty"])?;
        levels.push(Level { price, size });
        Ok(())
    };
    Reader::all(message, |reader| {
        reader.object(|reader, key| match key {
            "type" => {
                reset = reader.string()? == "snapshot";
                Ok(())
            }
            "data" => reader.list(|reader| {
                let (mut symbol, mut checksum, mut time) = ("", 0, "");
                let mut diff = BookDiff { reset, ..BookDiff::default() };
                reader.object(|reader, key| {
                    match key {
                        "symbol" => symbol = reader.string()?,
                        "bids" => reader.list(|reader| level(reader, &mut diff.bids))?,
                        "asks" => reader.list(|reader| level(reader, &mut diff.asks))?,
                        "checksum" => checksum = reader.unsigned()? as u32,
                        "timestamp" => time = reader.string()?,
                        _ => reader.skip()?,
                    }
                    Ok(())
                })?;
                diff.stamps = Stamps { event: rfc3339(time), received: now, ..Stamps::default() };
                let id = desk.find(symbol).expect("a symbol of the fixtures");
                prove(desk, id, diff, checksum, out);
                Ok(())
            }),
            _ => reader.skip(),
        })
    })
}

/// Applies a change of Kraken's, and proves it.
pub(super) fn prove(
    desk: &mut Desk,
    id: SymbolId,
    diff: BookDiff,
    checksum: u32,
    out: &mut Output,
) {
    let prove = |book: &market::Book| {
        if book.checksum() == checksum { Proof::ChecksumRight } else { Proof::ChecksumWrong }
    };
    desk.book(id, diff, Some(KRAKEN_DEPTH), prove, out).expect("a good book");
}
