//! Outbound `data`: each market kind as a map, prices as strings, stamps as each codec needs them.

use market::{Bar, Book, BookDiff, BookSide, Decimal, Event, Level, Nanos, Quote, Stamps, Trade};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::Payload;

/// A 64-bit number of nanoseconds: a string in JSON (JavaScript cannot hold it), an integer in
/// MessagePack.
pub(crate) struct Timestamp(pub(crate) Nanos);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(itoa::Buffer::new().format(self.0))
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

/// A decimal as a string, in every codec.
struct Text(Decimal);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.with_text(|text| serializer.serialize_str(text))
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(text) => text.serialize(serializer),
            Self::Book(diff, checksum) => diff_map(serializer, diff, Some(*checksum)),
            Self::Market(Event::Book(diff)) => diff_map(serializer, diff, None),
            Self::Market(Event::Trade(trade)) => trade_map(serializer, trade),
            Self::Market(Event::Quote(quote)) => quote_map(serializer, quote),
            Self::Market(Event::Bar(bar)) => bar_map(serializer, bar),
            Self::Market(Event::Status(status)) => {
                let mut map = map_with_stamps(serializer, 2, status.stamps)?;
                map.serialize_entry("state", status.state.as_str())?;
                map.serialize_entry("reason", &status.reason)?;
                end(map, status.stamps)
            }
        }
    }
}

fn trade_map<S: Serializer>(serializer: S, trade: &Trade) -> Result<S::Ok, S::Error> {
    let mut map = map_with_stamps(serializer, 4, trade.stamps)?;
    map.serialize_entry("price", &Text(trade.price))?;
    map.serialize_entry("size", &Text(trade.size))?;
    map.serialize_entry("side", trade.side.as_str())?;
    map.serialize_entry("trade_id", &trade.trade_id)?;
    end(map, trade.stamps)
}

fn quote_map<S: Serializer>(serializer: S, quote: &Quote) -> Result<S::Ok, S::Error> {
    let mut map = map_with_stamps(serializer, 4, quote.stamps)?;
    map.serialize_entry("bid_price", &quote.bid.map(|side| Text(side.price)))?;
    map.serialize_entry("bid_size", &quote.bid.map(|side| Text(side.size)))?;
    map.serialize_entry("ask_price", &quote.ask.map(|side| Text(side.price)))?;
    map.serialize_entry("ask_size", &quote.ask.map(|side| Text(side.size)))?;
    end(map, quote.stamps)
}

fn bar_map<S: Serializer>(serializer: S, bar: &Bar) -> Result<S::Ok, S::Error> {
    let mut map = map_with_stamps(serializer, 7, bar.stamps)?;
    map.serialize_entry("start", &Timestamp(bar.start))?;
    map.serialize_entry("open", &Text(bar.open))?;
    map.serialize_entry("high", &Text(bar.high))?;
    map.serialize_entry("low", &Text(bar.low))?;
    map.serialize_entry("close", &Text(bar.close))?;
    map.serialize_entry("volume", &Text(bar.volume))?;
    map.serialize_entry("trades", &bar.trades)?;
    end(map, bar.stamps)
}

fn diff_map<S: Serializer>(
    serializer: S,
    diff: &BookDiff,
    checksum: Option<u32>,
) -> Result<S::Ok, S::Error> {
    let entries = 2 + usize::from(diff.reset) + usize::from(checksum.is_some());
    let mut map = map_with_stamps(serializer, entries, diff.stamps)?;
    if diff.reset {
        map.serialize_entry("reset", &true)?;
    }
    map.serialize_entry("bids", &Levels(diff.bids.iter()))?;
    map.serialize_entry("asks", &Levels(diff.asks.iter()))?;
    if let Some(checksum) = checksum {
        map.serialize_entry("checksum", &checksum)?;
    }
    end(map, diff.stamps)
}

/// A whole book as `data` of a snapshot.
pub(crate) struct BookData<'a> {
    pub(crate) book: &'a Book,
    pub(crate) stamps: Stamps,
}

impl Serialize for BookData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = map_with_stamps(serializer, 3, self.stamps)?;
        map.serialize_entry("bids", &Levels(self.book.levels(BookSide::Bid)))?;
        map.serialize_entry("asks", &Levels(self.book.levels(BookSide::Ask)))?;
        map.serialize_entry("checksum", &self.book.checksum())?;
        end(map, self.stamps)
    }
}

struct Levels<I>(I);

impl<'a, I: ExactSizeIterator<Item = &'a Level> + Clone> Serialize for Levels<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for level in self.0.clone() {
            seq.serialize_element(&(Text(level.price), Text(level.size)))?;
        }
        seq.end()
    }
}

/// Starts a map of `entries` and the stamps: the length must be known before, for MessagePack.
fn map_with_stamps<S: Serializer>(
    serializer: S,
    entries: usize,
    stamps: Stamps,
) -> Result<S::SerializeMap, S::Error> {
    serializer.serialize_map(Some(entries + 1 + usize::from(stamps.event.is_some())))
}

fn end<M: SerializeMap>(mut map: M, stamps: Stamps) -> Result<M::Ok, M::Error> {
    if let Some(event) = stamps.event {
        map.serialize_entry("ts_event", &Timestamp(event))?;
    }
    map.serialize_entry("ts_recv", &Timestamp(stamps.received))?;
    map.end()
}
