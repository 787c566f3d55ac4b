//! Databento files as recorded data, read through their own crate: trades, best bids and offers,
//! books by price and by order, and bars.
//!
//! | schema | gives |
//! |---|---|
//! | `trades` | trades |
//! | `mbp-1`, `tbbo` | quotes, and trades |
//! | `mbp-10` | books of ten levels, and trades |
//! | `mbo` | books, added up from the orders, and trades |
//! | `ohlcv-1s`, `-1m`, `-1h`, `-1d` | bars `bar-1s` to `bar-1d`, due when they were finished; how many trades they hold is not known and 0 |
//!
//! Prices are whole numbers of 1e-9 there; here they lose the zeros at their end. Records of other
//! kinds are counted in [`Source::skipped`]. A book whose file begins in the middle of a session
//! is marked as unverified until the venue clears it.

mod book;
mod framed;

use std::collections::VecDeque;
use std::io::Read;

use ::dbn::decode::{DbnDecoder, DbnMetadata as _};
use ::dbn::{
    FlagSet, HasRType, MboMsg, Mbp1Msg, Mbp10Msg, OhlcvMsg, RecordHeader, RecordRef,
    SymbolIndex as _, SymbolMappingMsg, TradeMsg, TsSymbolMap, UNDEF_PRICE, UNDEF_TIMESTAMP, rtype,
};
use market::{
    Aggressor, Bar, BookDiff, BookSide, Decimal, Event, Flags, Nanos, Quote, QuoteSide, Stamps,
    Trade,
};
use rustc_hash::FxHashMap;

use self::book::{Book, BookProblem};
use self::framed::Framed;
use super::source::{Naming, Source, SourceError, Timed, Topics};
use crate::{Channel, Update};

/// Reads a Databento file.
pub struct DbnSource<R> {
    decoder: DbnDecoder<Framed<R>>,
    state: State,
    ended: bool,
}

/// Everything but the decoder, whose records are borrowed from it.
struct State {
    symbols: TsSymbolMap,
    topics: Topics,
    /// By instrument.
    books: FxHashMap<u32, Book>,
    /// Events of the last record that were not given out yet.
    ready: VecDeque<Timed>,
    records: u64,
    skipped: u64,
}

impl<R> std::fmt::Debug for DbnSource<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DbnSource").field("records", &self.state.records).finish_non_exhaustive()
    }
}

impl<R: Read> DbnSource<R> {
    /// Reads `file`, which is no longer compressed.
    ///
    /// # Errors
    /// A file that is none of Databento's, or of a later version than is known here.
    pub fn new(file: R, naming: Naming) -> Result<Self, SourceError> {
        let decoder = DbnDecoder::new(Framed::new(file)).map_err(unusable)?;
        // A file that is not keyed by instrument has no table; its numbers are the symbols then.
        let symbols = decoder.metadata().symbol_map().unwrap_or_default();
        let state = State {
            symbols,
            topics: Topics::new(naming),
            books: FxHashMap::default(),
            ready: VecDeque::new(),
            records: 0,
            skipped: 0,
        };
        Ok(Self { decoder, state, ended: false })
    }
}

/// A record as what it says that it is.
fn as_told<'a, T: HasRType<Header = RecordHeader>>(record: RecordRef<'a>) -> Result<&'a T, String> {
    record.try_get().map_err(|error| error.to_string())
}

fn unusable(error: ::dbn::Error) -> SourceError {
    match error {
        ::dbn::Error::Io { source, .. } => source.into(),
        other => SourceError::Unusable(other.to_string()),
    }
}

impl<R: Read> Iterator for DbnSource<R> {
    type Item = Result<Timed, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(timed) = self.state.ready.pop_front() {
                return Some(Ok(timed));
            }
            if self.ended {
                return None;
            }
            match self.decoder.decode_ref() {
                Ok(Some(record)) => {
                    self.state.records += 1;
                    if let Err(problem) = self.state.take(record) {
                        let place = format!("record {}", self.state.records);
                        return Some(Err(SourceError::Record { place, problem }));
                    }
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(unusable(error)));
                }
            }
        }
    }
}

impl<R: Read> Source for DbnSource<R> {
    fn channels(&self) -> &[Channel] {
        self.state.topics.channels()
    }

    /// Records of kinds that have no event here.
    fn skipped(&self) -> u64 {
        self.state.skipped
    }
}

impl State {
    fn take(&mut self, record: RecordRef<'_>) -> Result<(), String> {
        // `as_enum` would trust the record to be as long as its kind.
        if record.has::<TradeMsg>() {
            self.trade(record, as_told(record)?)
        } else if record.has::<Mbp1Msg>() {
            self.top(record, as_told(record)?)
        } else if record.has::<Mbp10Msg>() {
            self.levels(record, as_told(record)?)
        } else if record.has::<MboMsg>() {
            self.order(record, as_told(record)?)
        } else if record.has::<OhlcvMsg>() {
            self.bar(record, as_told(record)?)
        } else if record.has::<SymbolMappingMsg>() {
            as_told::<SymbolMappingMsg>(record)?;
            self.symbols.on_record(record).map_err(|error| error.to_string())
        } else {
            self.skipped += 1;
            Ok(())
        }
    }

    fn push(
        &mut self,
        record: RecordRef<'_>,
        prefix: &str,
        at: Nanos,
        event: Event,
    ) -> Result<(), String> {
        let number;
        let symbol = match self.symbols.get_for_rec(&record) {
            Some(symbol) => symbol.as_str(),
            None => {
                number = record.header().instrument_id.to_string();
                &number
            }
        };
        let channel = self.topics.channel(symbol, event.kind(), prefix);
        let channel = channel.ok_or_else(|| self.topics.too_many())?;
        self.ready.push_back(Timed { at, after_pause: false, update: Update { channel, event } });
        Ok(())
    }

    fn trade(&mut self, record: RecordRef<'_>, message: &TradeMsg) -> Result<(), String> {
        let stamps = stamps(message.hd.ts_event, message.ts_recv, message.sequence, message.flags);
        self.execution(record, message.price, message.size, message.side as u8, stamps)
    }

    fn execution(
        &mut self,
        record: RecordRef<'_>,
        price: i64,
        size: u32,
        side: u8,
        stamps: Stamps,
    ) -> Result<(), String> {
        let event = Event::Trade(Trade {
            price: decimal(price).ok_or("a trade without a price")?,
            size: whole(size),
            side: match side {
                b'B' => Aggressor::Buy,
                b'A' => Aggressor::Sell,
                _ => Aggressor::Unknown,
            },
            // The files have no id of their own.
            trade_id: stamps.sequence.unwrap_or_default().to_string().into(),
            stamps,
        });
        self.push(record, "trade", stamps.received, event)
    }

    fn top(&mut self, record: RecordRef<'_>, message: &Mbp1Msg) -> Result<(), String> {
        let stamps = stamps(message.hd.ts_event, message.ts_recv, message.sequence, message.flags);
        if message.action as u8 == b'T' {
            return self.execution(record, message.price, message.size, message.side as u8, stamps);
        }
        let [top] = &message.levels;
        let side = |price, size| Some(QuoteSide { price: decimal(price)?, size: whole(size) });
        let (bid, ask) = (side(top.bid_px, top.bid_sz), side(top.ask_px, top.ask_sz));
        let event = Event::Quote(Quote { bid, ask, stamps });
        self.push(record, "quote", stamps.received, event)
    }

    fn levels(&mut self, record: RecordRef<'_>, message: &Mbp10Msg) -> Result<(), String> {
        let stamps = stamps(message.hd.ts_event, message.ts_recv, message.sequence, message.flags);
        if message.action as u8 == b'T' {
            self.execution(record, message.price, message.size, message.side as u8, stamps)?;
        }
        let book = self.books.entry(message.hd.instrument_id).or_default();
        let side = |levels: [(i64, u32); 10]| {
            levels.into_iter().filter(|(price, _)| *price != UNDEF_PRICE)
        };
        let bids = side(message.levels.each_ref().map(|level| (level.bid_px, level.bid_sz)));
        let asks = side(message.levels.each_ref().map(|level| (level.ask_px, level.ask_sz)));
        let diff = book
            .replace(message.hd.publisher_id, bids, asks)
            .and_then(|()| book.flush(stamps))
            .map_err(|problem| problem.to_string())?;
        self.book(record, diff)
    }

    fn order(&mut self, record: RecordRef<'_>, message: &MboMsg) -> Result<(), String> {
        let stamps = stamps(message.hd.ts_event, message.ts_recv, message.sequence, message.flags);
        let (action, side) = (message.action as u8, message.side as u8);
        if action == b'T' {
            self.execution(record, message.price, message.size, side, stamps)?;
        }
        let book = self.books.entry(message.hd.instrument_id).or_default();
        let side = match side {
            b'B' => Some(BookSide::Bid),
            b'A' => Some(BookSide::Ask),
            _ => None,
        };
        let publisher = message.hd.publisher_id;
        let order = book::Order { side, price: message.price, size: message.size };
        let last = message.flags.is_last();
        let diff = book
            .order(publisher, action, message.order_id, order)
            .and_then(|()| if last { book.flush(stamps) } else { Ok(None) })
            .map_err(|problem: BookProblem| problem.to_string())?;
        self.book(record, diff)
    }

    fn book(&mut self, record: RecordRef<'_>, diff: Option<BookDiff>) -> Result<(), String> {
        let Some(diff) = diff else { return Ok(()) };
        self.push(record, "book", diff.stamps.received, Event::Book(diff))
    }

    fn bar(&mut self, record: RecordRef<'_>, message: &OhlcvMsg) -> Result<(), String> {
        const SECOND: Nanos = 1_000_000_000;
        let (prefix, length) = match message.hd.rtype {
            rtype::OHLCV_1S => ("bar-1s", SECOND),
            rtype::OHLCV_1M => ("bar-1m", 60 * SECOND),
            rtype::OHLCV_1H => ("bar-1h", 3_600 * SECOND),
            rtype::OHLCV_1D => ("bar-1d", 86_400 * SECOND),
            _ => {
                self.skipped += 1;
                return Ok(());
            }
        };
        let start = message.hd.ts_event;
        let end = start.saturating_add(length);
        let price = |price| decimal(price).ok_or("a bar without a price");
        let volume = i64::try_from(message.volume).ok().and_then(|volume| Decimal::new(volume, 0));
        let event = Event::Bar(Bar {
            start,
            open: price(message.open)?,
            high: price(message.high)?,
            low: price(message.low)?,
            close: price(message.close)?,
            volume: volume.ok_or("a volume beyond 63 bits")?,
            trades: 0,
            stamps: Stamps { event: Some(end), received: end, ..Stamps::default() },
        });
        self.push(record, prefix, end, event)
    }
}

fn stamps(event: u64, received: u64, sequence: u32, flags: FlagSet) -> Stamps {
    let mut marks = Flags::none();
    if flags.is_bad_ts_recv() {
        marks = marks.with(Flags::BAD_TIMESTAMP);
    }
    let event = (event != UNDEF_TIMESTAMP).then_some(event);
    let received = if received == UNDEF_TIMESTAMP { event.unwrap_or(0) } else { received };
    if flags.is_maybe_bad_book() {
        marks = marks.with(Flags::UNVERIFIED);
    }
    Stamps { event, received, sequence: Some(sequence.into()), flags: marks }
}

/// A price of 1e-9 units with as few digits as it needs; `None` where there is none.
fn decimal(price: i64) -> Option<Decimal> {
    if price == UNDEF_PRICE {
        return None;
    }
    let (mut mantissa, mut scale) = (price, 9);
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal::new(mantissa, scale)
}

fn whole(size: u32) -> Decimal {
    Decimal::new(size.into(), 0).unwrap_or_default()
}

#[cfg(test)]
mod tests;
