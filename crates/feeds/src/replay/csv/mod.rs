//! CSV files as recorded data, in the forms of Tardis and TrueFX and any other that a [`Mapping`]
//! describes.

mod cells;
mod columns;
mod mapping;

use std::io::Read;

use csv::{ErrorKind, StringRecord};
use market::{
    Aggressor, BookDiff, BookSide, Event, Flags, Kind, Level, Nanos, Quote, QuoteSide, Stamps,
    Trade,
};

use self::columns::{Columns, Plan};
pub use self::mapping::{Cell, Mapping, Shape, TimeColumn, TimeFormat};
use super::source::{Naming, Source, SourceError, Timed, Topics};
use crate::{Channel, Update};

/// Most levels of one message; a row each.
const LEVELS_MAX: usize = 1_000_000;

/// Reads a CSV file. Books are marked as unverified: the files have nothing to prove them by. After
/// a row that cannot be read, the next event is marked as following a gap.
#[derive(Debug)]
pub struct CsvSource<R> {
    rows: csv::Reader<R>,
    columns: Columns,
    topics: Topics,
    row: StringRecord,
    /// The levels of a message whose last row is not known yet.
    open: Option<Message>,
    error: Option<SourceError>,
    /// A row was lost that nobody knows anything of: the next event says so.
    lost: bool,
    ended: bool,
}

#[derive(Debug)]
struct Message {
    symbol: String,
    id: String,
    channel: usize,
    diff: BookDiff,
}

impl<R: Read> CsvSource<R> {
    /// Reads `file`, which is no longer compressed.
    ///
    /// # Errors
    /// A file without the columns that `mapping` names, which says what columns there are.
    pub fn new(file: R, mapping: &Mapping, naming: Naming) -> Result<Self, SourceError> {
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(mapping.header.is_none())
            .delimiter(mapping.delimiter)
            .flexible(true)
            .from_reader(file);
        let names: Vec<String> = match &mapping.header {
            Some(names) => names.clone(),
            None => {
                let names = rows.headers().map_err(|error| broken(error).1)?;
                names.iter().map(|name| name.trim().to_owned()).collect()
            }
        };
        let columns = Columns::find(mapping, &names).map_err(SourceError::Unusable)?;
        Ok(Self {
            rows,
            columns,
            topics: Topics::new(naming),
            row: StringRecord::new(),
            open: None,
            error: None,
            lost: false,
            ended: false,
        })
    }

    /// Takes the row that was read; gives an event if it completes one.
    fn take(&mut self) -> Result<Option<Timed>, String> {
        let columns = &self.columns;
        let row = Row { row: &self.row };
        let symbol = match &columns.symbol {
            Ok(column) => row.cell(*column)?,
            Err(fixed) => fixed,
        };
        let mut stamps = stamps(columns, row)?;
        if self.lost {
            stamps.flags = stamps.flags.with(Flags::GAP_BEFORE);
        }
        let (kind, prefix) = match columns.plan {
            Plan::Trades { .. } => (Kind::Trade, "trade"),
            Plan::Quotes { .. } => (Kind::Quote, "quote"),
            Plan::Snapshots(_) | Plan::Levels { .. } => (Kind::Book, "book"),
        };
        let Some(channel) = self.topics.channel(symbol, kind, prefix) else {
            return Err(self.topics.too_many());
        };
        let event = match &columns.plan {
            Plan::Trades { price, size, side, id } => {
                let line = || self.row.position().map_or(0, csv::Position::line).to_string();
                Event::Trade(Trade {
                    price: row.number(*price)?,
                    size: row.size(*size)?,
                    side: side
                        .map_or(Ok(Aggressor::Unknown), |at| row.cell(at).map(cells::aggressor))?,
                    trade_id: id
                        .map_or_else(|| Ok(line().into()), |at| row.cell(at).map(Into::into))?,
                    stamps,
                })
            }
            Plan::Quotes { bid, ask } => {
                Event::Quote(Quote { bid: row.quote(*bid)?, ask: row.quote(*ask)?, stamps })
            }
            Plan::Snapshots(levels) => {
                let side = |side: usize| {
                    let levels =
                        levels.iter().filter_map(|level| row.level(level[side]).transpose());
                    levels.collect::<Result<Vec<_>, _>>()
                };
                Event::Book(unverified(BookDiff {
                    reset: true,
                    bids: side(0)?,
                    asks: side(1)?,
                    stamps,
                }))
            }
            Plan::Levels { side, price, size, snapshot, message } => {
                let level = Level { price: row.number(*price)?, size: row.size(*size)? };
                let word = row.cell(*side)?;
                let side = cells::side(word).ok_or_else(|| format!("\"{word}\" is no side"))?;
                let id = row.cell(*message)?;
                let reset = match snapshot {
                    Some((column, word)) => row.cell(*column)?.eq_ignore_ascii_case(word),
                    None => false,
                };
                let goes_on = |open: &Message| {
                    open.symbol == symbol && open.id == id && open.diff.reset == reset
                };
                let (symbol, id) = (symbol.to_owned(), id.to_owned());
                let open = match &mut self.open {
                    Some(open) if goes_on(open) => open,
                    _ => {
                        let diff = BookDiff { reset, stamps, ..BookDiff::default() };
                        let diff = unverified(diff);
                        let done = self.open.replace(Message { symbol, id, channel, diff });
                        self.lost = false;
                        let open = self.open.as_mut().ok_or("there is no message")?;
                        push(open, side, level)?;
                        return Ok(done.map(Message::timed));
                    }
                };
                push(open, side, level)?;
                return Ok(None);
            }
        };
        self.lost = false;
        Ok(Some(Timed {
            at: stamps.received,
            after_pause: false,
            update: Update { channel, event },
        }))
    }

    /// The row that was read is no good.
    fn lose(&mut self, problem: String) -> SourceError {
        self.lost = true;
        if let Some(Message { diff, .. }) = &mut self.open {
            diff.stamps.flags = diff.stamps.flags.with(Flags::GAP_BEFORE);
        }
        let line = self.row.position().map_or(0, csv::Position::line);
        SourceError::Record { place: format!("line {line}"), problem }
    }
}

fn push(open: &mut Message, side: BookSide, level: Level) -> Result<(), String> {
    if open.diff.bids.len() + open.diff.asks.len() >= LEVELS_MAX {
        return Err(format!("a message has more than {LEVELS_MAX} levels"));
    }
    match side {
        BookSide::Bid => open.diff.bids.push(level),
        BookSide::Ask => open.diff.asks.push(level),
    }
    Ok(())
}

impl Message {
    fn timed(self) -> Timed {
        let at = self.diff.stamps.received;
        Timed {
            at,
            after_pause: false,
            update: Update { channel: self.channel, event: Event::Book(self.diff) },
        }
    }
}

fn unverified(mut diff: BookDiff) -> BookDiff {
    diff.stamps.flags = diff.stamps.flags.with(Flags::UNVERIFIED);
    diff
}

impl<R: Read> Iterator for CsvSource<R> {
    type Item = Result<Timed, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(error) = self.error.take() {
                return Some(Err(error));
            }
            if self.ended {
                return self.open.take().map(|message| Ok(message.timed()));
            }
            match self.rows.read_record(&mut self.row) {
                Ok(true) => match self.take() {
                    Ok(None) => {}
                    Ok(Some(timed)) => return Some(Ok(timed)),
                    Err(problem) => return Some(Err(self.lose(problem))),
                },
                Ok(false) => self.ended = true,
                Err(error) => {
                    let (last, error) = broken(error);
                    self.ended = last;
                    self.error = Some(error);
                }
            }
        }
    }
}

impl<R: Read> Source for CsvSource<R> {
    fn channels(&self) -> &[Channel] {
        self.topics.channels()
    }
}

/// What the error is, and whether it is the last.
fn broken(error: csv::Error) -> (bool, SourceError) {
    let place = error.position().map_or_else(|| "a row".into(), |at| format!("line {}", at.line()));
    match error.into_kind() {
        ErrorKind::Io(error) => (true, error.into()),
        ErrorKind::Utf8 { .. } => {
            (false, SourceError::Record { place, problem: "is not UTF-8".into() })
        }
        other => (true, SourceError::Unusable(format!("{place}: {other:?}"))),
    }
}

fn stamps(columns: &Columns, row: Row<'_>) -> Result<Stamps, String> {
    let time = |column: &Option<(usize, TimeFormat)>| -> Result<Option<Nanos>, String> {
        let Some((column, format)) = column else { return Ok(None) };
        match row.cell(*column)? {
            "" => Ok(None),
            text => cells::time(text, *format).map(Some),
        }
    };
    let (event, received) = (time(&columns.event_time)?, time(&columns.received_time)?);
    let received = received.or(event).ok_or("there is no time")?;
    let sequence = match columns.sequence {
        Some(column) => {
            let text = row.cell(column)?;
            Some(text.parse().map_err(|_| format!("\"{text}\" is no sequence number"))?)
        }
        None => None,
    };
    Ok(Stamps { event, received, sequence, flags: Flags::none() })
}

/// The cells of a row.
#[derive(Clone, Copy)]
struct Row<'a> {
    row: &'a StringRecord,
}

impl<'a> Row<'a> {
    fn cell(self, column: usize) -> Result<&'a str, String> {
        let cell = self.row.get(column).map(str::trim);
        cell.ok_or_else(|| format!("there is no column {}, only {}", column + 1, self.row.len()))
    }

    fn number(self, column: usize) -> Result<market::Decimal, String> {
        cells::number(self.cell(column)?)
    }

    fn size(self, column: usize) -> Result<market::Decimal, String> {
        cells::size(self.cell(column)?)
    }

    fn quote(self, (price, size): (usize, Option<usize>)) -> Result<Option<QuoteSide>, String> {
        if self.cell(price)?.is_empty() {
            return Ok(None);
        }
        let size = size.map_or(Ok(market::Decimal::ZERO), |column| self.size(column))?;
        Ok(Some(QuoteSide { price: self.number(price)?, size }))
    }

    fn level(self, (price, size): (usize, usize)) -> Result<Option<Level>, String> {
        if self.cell(price)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(Level { price: self.number(price)?, size: self.size(size)? }))
    }
}

#[cfg(test)]
mod tests;
