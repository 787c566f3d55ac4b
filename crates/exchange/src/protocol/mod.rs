//! What every venue's protocol is: how clients are answered, and how the market is told.

mod binance;
mod binance_rest;
mod bybit;
mod coinbase;
mod kraken;
mod okx;

use std::fmt;

use market::{Nanos, Quote, Trade};

use crate::Venue;
use crate::board::{Board, Listed};
use crate::chance::Chance;
use crate::connection::{Connection, Outgoing, Reply, Subscription};
use crate::history::{Changes, Moment};

/// What a protocol is given besides the connection.
pub(crate) struct Scene<'a> {
    pub(crate) board: &'a Board,
    pub(crate) now: Nanos,
    /// For what is legal and still surprises.
    pub(crate) traps: &'a mut Chance,
}

/// One venue's protocol. All state is on the board or on the connection.
pub(crate) trait Protocol: fmt::Debug + Send + Sync {
    /// How long changes of books are gathered before they are told; 0 for not at all.
    fn book_interval(&self) -> Nanos;

    /// Messages of a client within a second; one more, and the connection is closed.
    fn messages_per_second(&self) -> u32 {
        u32::MAX
    }

    /// What the venue calls a connection, made of a random number.
    fn name(&self, random: u64) -> String {
        format!("{:08x}", random as u32)
    }

    /// Members that a client must read, one of each kind of message: those that
    /// [`Fault::FieldType`](crate::Fault::FieldType) changes. The first that is there is taken.
    fn fields(&self) -> &'static [&'static str];

    /// A client connected.
    fn connected(&self, _: &mut Connection, _: &mut Scene<'_>, _: &mut Vec<Outgoing>) {}

    /// A client sent a message.
    fn received(
        &self,
        connection: &mut Connection,
        text: &str,
        scene: &mut Scene<'_>,
        out: &mut Vec<Outgoing>,
    );

    /// The whole book of a subscription as it was at `moment`.
    fn snapshot(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        listed: &Listed,
        moment: &Moment,
        now: Nanos,
    ) -> String;

    /// What a subscription is told when the book is told anew: `changes` of the levels that it
    /// covers, if it is one for changes.
    fn book(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        changes: &Changes,
        scene: &mut Scene<'_>,
    ) -> Option<String>;

    /// What a subscription is told of executions of one order, at least one.
    fn trades(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        trades: &[Trade],
        scene: &mut Scene<'_>,
    ) -> Vec<String>;

    /// What a subscription is told when the best bid or offer is another; `before` is what it was.
    fn quote(
        &self,
        connection: &mut Connection,
        subscription: &Subscription,
        before: Option<&Quote>,
        scene: &mut Scene<'_>,
    ) -> Option<String>;

    /// A second went by.
    fn beat(&self, connection: &mut Connection, scene: &mut Scene<'_>, out: &mut Vec<Outgoing>);

    /// Whether nothing is told of levels that better ones pushed out of those subscribed.
    fn leaves_pushed_out_levels_untold(&self) -> bool {
        false
    }

    /// Whether a change of a book tells every price that moved, even where it is as it was before.
    fn tells_all_that_moved(&self) -> bool {
        false
    }

    /// Whether a REST request is for a book that was another before.
    fn has_older(&self, _target: &str, _scene: &Scene<'_>) -> bool {
        false
    }

    /// A REST request, path and query. With `stale` a book is to be an older one.
    fn rest(&self, _target: &str, _stale: bool, _scene: &Scene<'_>) -> Reply {
        Reply::new(404, r#"{"error":"not found"}"#)
    }
}

/// The protocol of a venue.
pub(crate) fn of(venue: Venue) -> &'static dyn Protocol {
    match venue {
        Venue::Binance => &binance::Binance,
        Venue::Coinbase => &coinbase::Coinbase,
        Venue::Kraken => &kraken::Kraken,
        Venue::Okx => &okx::Okx,
        Venue::Bybit => &bybit::Bybit,
    }
}

/// A time in whole milliseconds.
fn millis(time: Nanos) -> u64 {
    time / 1_000_000
}

/// One second.
const SECOND: Nanos = 1_000_000_000;
/// A millisecond.
const MILLISECOND: Nanos = 1_000_000;
