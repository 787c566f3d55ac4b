//! Outbound `data`: each market kind as a map, prices as strings, stamps as each codec needs them.

use market::{Bar, Book, BookDiff, BookSide, Decimal, Event, Flags, Level, Quote, Stamps, Trade};

use crate::Payload;
use crate::writer::Writer;

/// Writes the `data` of an event.
pub(crate) fn payload(out: &mut impl Writer, payload: &Payload) {
    match payload {
        Payload::Json(text) => out.opaque(text),
        Payload::Book(diff, checksum) => diff_map(out, diff, Some(*checksum)),
        Payload::Market(market) => event(out, market),
    }
}

/// Writes the `data` of a market event; a book's without its checksum.
pub(crate) fn event(out: &mut impl Writer, event: &Event) {
    match event {
        Event::Book(diff) => diff_map(out, diff, None),
        Event::Trade(trade) => trade_map(out, trade),
        Event::Quote(quote) => quote_map(out, quote),
        Event::Bar(bar) => bar_map(out, bar),
        Event::Status(status) => {
            begin(out, 2, status.stamps);
            out.key("state");
            out.plain(status.state.as_str());
            out.key("reason");
            out.text(&status.reason);
            end(out, status.stamps);
        }
    }
}

/// Writes a whole book as the `data` of a snapshot.
pub(crate) fn book(out: &mut impl Writer, book: &Book, mut stamps: Stamps) {
    // Whatever came before, this is the whole state.
    stamps.flags = stamps.flags.without(Flags::GAP_BEFORE);
    begin(out, 3, stamps);
    levels(out, "bids", book.levels(BookSide::Bid));
    levels(out, "asks", book.levels(BookSide::Ask));
    out.key("checksum");
    out.number(book.checksum().into());
    end(out, stamps);
}

fn trade_map(out: &mut impl Writer, trade: &Trade) {
    begin(out, 4, trade.stamps);
    decimal(out, "price", trade.price);
    decimal(out, "size", trade.size);
    out.key("side");
    out.plain(trade.side.as_str());
    out.key("trade_id");
    out.text(&trade.trade_id);
    end(out, trade.stamps);
}

fn quote_map(out: &mut impl Writer, quote: &Quote) {
    begin(out, 4, quote.stamps);
    let sides = [("bid_price", "bid_size", quote.bid), ("ask_price", "ask_size", quote.ask)];
    for (price, size, side) in sides {
        if let Some(side) = side {
            decimal(out, price, side.price);
            decimal(out, size, side.size);
        } else {
            out.key(price);
            out.null();
            out.key(size);
            out.null();
        }
    }
    end(out, quote.stamps);
}

fn bar_map(out: &mut impl Writer, bar: &Bar) {
    begin(out, 7, bar.stamps);
    out.key("start");
    out.stamp(bar.start);
    decimal(out, "open", bar.open);
    decimal(out, "high", bar.high);
    decimal(out, "low", bar.low);
    decimal(out, "close", bar.close);
    decimal(out, "volume", bar.volume);
    out.key("trades");
    out.number(bar.trades);
    end(out, bar.stamps);
}

fn diff_map(out: &mut impl Writer, diff: &BookDiff, checksum: Option<u32>) {
    let entries = 2 + usize::from(diff.reset) + usize::from(checksum.is_some());
    begin(out, entries, diff.stamps);
    if diff.reset {
        out.key("reset");
        out.truth();
    }
    levels(out, "bids", diff.bids.iter());
    levels(out, "asks", diff.asks.iter());
    if let Some(checksum) = checksum {
        out.key("checksum");
        out.number(checksum.into());
    }
    end(out, diff.stamps);
}

fn levels<'a>(
    out: &mut impl Writer,
    key: &'static str,
    levels: impl ExactSizeIterator<Item = &'a Level>,
) {
    out.key(key);
    out.list(levels.len());
    for level in levels {
        out.element();
        out.list(2);
        out.element();
        out.decimal(level.price);
        out.element();
        out.decimal(level.size);
        out.end_list();
    }
    out.end_list();
}

#[inline]
fn decimal(out: &mut impl Writer, key: &'static str, decimal: Decimal) {
    out.key(key);
    out.decimal(decimal);
}

/// Starts a map of `entries` and the stamps.
fn begin(out: &mut impl Writer, entries: usize, stamps: Stamps) {
    let given = [stamps.event.is_some(), stamps.sequence.is_some(), !stamps.flags.is_empty()];
    out.map(entries + 1 + given.map(usize::from).iter().sum::<usize>());
}

fn end(out: &mut impl Writer, stamps: Stamps) {
    if let Some(event) = stamps.event {
        out.key("ts_event");
        out.stamp(event);
    }
    out.key("ts_recv");
    out.stamp(stamps.received);
    if let Some(sequence) = stamps.sequence {
        out.key("venue_seq");
        out.number_as_text(sequence);
    }
    if !stamps.flags.is_empty() {
        out.key("flags");
        out.list(stamps.flags.names().count());
        for name in stamps.flags.names() {
            out.element();
            out.plain(name);
        }
        out.end_list();
    }
    out.end_map();
}
