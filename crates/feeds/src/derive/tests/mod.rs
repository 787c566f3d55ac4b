//! Bars, quotes and the best of all venues, each against the plainest way to find the same.

mod bars;
mod consolidator;
mod quotes;

use market::{Aggressor, BookDiff, Decimal, Event, Flags, Level, QuoteSide, Stamps, Status, Trade};

use super::*;

const START: Nanos = 1_790_000_000_000_000_000;
const SECOND: Nanos = 1_000_000_000;

fn decimal(cents: i64) -> Decimal {
    Decimal::new(cents, 2).unwrap()
}

fn at(event: Nanos, received: Nanos) -> Stamps {
    Stamps { event: Some(event), received, ..Stamps::default() }
}

fn channel(kind: Kind, topic: &str) -> Channel {
    Channel::new(kind, topic)
}

fn trade(price: i64, size: i64, stamps: Stamps) -> Event {
    Event::Trade(Trade {
        price: decimal(price),
        size: decimal(size),
        side: Aggressor::Buy,
        trade_id: "1".into(),
        stamps,
    })
}

fn status(state: VenueState) -> Event {
    let stamps = Stamps { received: START, ..Stamps::default() };
    Event::Status(Status { state, reason: "test".into(), stamps })
}

fn side(price: i64, size: i64) -> Option<QuoteSide> {
    Some(QuoteSide { price: decimal(price), size: decimal(size) })
}
