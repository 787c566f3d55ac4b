//! Nasdaq TotalView-ITCH 5.0, which BX and PSX speak too: every order of a day, from files, over
//! UDP and over TCP.
//!
//! - [`message`]: the messages, read from bytes.
//! - [`OrderBook`]: all live orders, and the levels they make up.
//! - [`Framing`]: how messages are wrapped: `BinaryFILE`, [`mold`] (MoldUDP64), SoupBinTCP.
//! - [`Itch`]: the adapter, which puts these together.
//! - [`Recording`]: a whole file, captured packets or messages, found out by what is in it.
//!
//! What becomes of what:
//!
//! | message | event |
//! |---|---|
//! | `A` `F` `X` `D` `U` | a change of the book, one for each message |
//! | `E`, and `C` if printable | an execution and a change of the book |
//! | `C` not printable | a change of the book; its shares are in a later `Q` |
//! | `P` | an execution; its aggressor is unknown, as the field is `B` of all since 2014 |
//! | `Q` | an execution without aggressor, unless it has no shares |
//! | `B` | status of the symbol, with the number of the execution that counts no more |
//! | `H` `h` | status of the symbol: halted, paused, trading |
//! | `S` `W` | status of the venue |
//! | `R` | nothing; tells which stock a number is |
//! | any other | nothing |
//!
//! A book is verified while transport numbers show that every message since the day's first came,
//! unverifiable in a file, which has no numbers, and never published where the day's beginning or
//! any later message is missing: ITCH has no snapshots. Then executions still are.

pub mod message;
pub mod mold;

mod binary_file;
mod ladder;
mod normaliser;
mod order_book;
mod orders;
mod pcap;
mod recording;
mod soup;
mod stocks;
mod trade_date;
mod transport;

#[cfg(test)]
pub(crate) mod tests;

use market::{BookSide, Decimal, Nanos, VenueState};

pub use self::normaliser::ItchCounts;
pub use self::order_book::{Misfit, ORDERS_MAX, Order, OrderBook, Reduced, Replaced, Rung};
pub use self::pcap::{Pcap, PcapCounts, PcapError};
pub use self::recording::Recording;
pub use self::soup::{BadLogin, Login};
pub use self::trade_date::{BadDate, DateSource, TradeDate};

use self::binary_file::BinaryFile;
use self::mold::Line;
use self::normaliser::{Normaliser, Turn};
use self::soup::Client;
use crate::adapter::symbol::Spelling;
use crate::adapter::{
    Adapter, Desk, DeskOptions, Input, Output, Rules, SECOND, SymbolId, Transport,
};

/// How messages are wrapped, and what one [`Input::Binary`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Any chunk of a file: each message behind its length, or behind 0 in all of the file.
    BinaryFile,
    /// One UDP payload. [`Action::SendBinary`](crate::adapter::Action::SendBinary) is a request to
    /// the re-request server, which answers with a packet of the same kind.
    Mold,
    /// Any chunk of a TCP stream.
    Soup,
}

/// What an adapter is made with.
#[derive(Debug, Clone)]
pub struct ItchOptions {
    /// Which symbols and streams. Their native names are stocks as Nasdaq writes them, unpadded.
    pub desk: DeskOptions,
    /// How messages are wrapped.
    pub framing: Framing,
    /// Where the date comes from that messages do not have.
    pub date: DateSource,
    /// For SoupBinTCP.
    pub login: Login,
    /// Most live orders; a stock with one more has no book any more.
    pub orders_max: usize,
}

impl ItchOptions {
    /// The usual: packets are of the day they came, a stream may begin with what came earlier that
    /// day, a file says nothing.
    #[must_use]
    pub fn new(framing: Framing, desk: DeskOptions) -> Self {
        let date = match framing {
            Framing::BinaryFile => DateSource::Unknown,
            Framing::Mold => DateSource::Received,
            Framing::Soup => DateSource::Past,
        };
        Self { desk, framing, date, login: Login::default(), orders_max: ORDERS_MAX }
    }
}

/// ITCH on one connection, or one group of multicast.
#[derive(Debug)]
pub struct Itch {
    framing: Framed,
    day: Normaliser,
}

#[derive(Debug)]
enum Framed {
    BinaryFile(BinaryFile),
    Mold(Line),
    Soup(Client),
}

impl Itch {
    /// An adapter.
    #[must_use]
    pub fn new(options: ItchOptions) -> Self {
        let framing = match options.framing {
            Framing::BinaryFile => Framed::BinaryFile(BinaryFile::default()),
            Framing::Mold => Framed::Mold(Line::default()),
            Framing::Soup => Framed::Soup(Client::new(options.login)),
        };
        let desk = Desk::new(options.desk, Spelling::Plain);
        Self { framing, day: Normaliser::new(desk, options.date, options.orders_max) }
    }

    /// What was counted beside the desk's counts.
    #[must_use]
    pub fn counts(&self) -> ItchCounts {
        self.day.counts
    }

    /// Every live order.
    #[must_use]
    pub fn orders(&self) -> &OrderBook {
        &self.day.book
    }

    /// The best price of one side of a symbol's book, from its orders. Unlike that of the desk it
    /// is told of a crossed book too, which orders for a halted stock's cross make and which is
    /// not published.
    #[must_use]
    pub fn best(&self, id: SymbolId, side: BookSide) -> Option<Decimal> {
        self.day.best(id, side)
    }

    /// Nothing more comes, as at the end of a recording: messages that were held back, as some
    /// before them are missing, are used, and the missing ones told.
    pub fn finish(&mut self, now: Nanos, out: &mut Output) {
        let mut turn = Turn { day: &mut self.day, now, out };
        match &mut self.framing {
            Framed::BinaryFile(file) => file.finish(&mut turn),
            Framed::Mold(line) => line.finish(&mut turn),
            Framed::Soup(_) => {}
        }
    }

    fn disconnected(&mut self, reason: &str, now: Nanos, out: &mut Output) {
        match &mut self.framing {
            Framed::BinaryFile(file) => {
                file.finish(&mut Turn { day: &mut self.day, now, out });
                file.restart();
            }
            Framed::Mold(_) => {}
            Framed::Soup(client) => client.disconnected(),
        }
        self.day.disconnected();
        self.day.desk.disconnected(reason, now, out);
    }
}

impl Adapter for Itch {
    fn handle(&mut self, input: Input<'_>, now: Nanos, out: &mut Output) {
        let mut turn = Turn { day: &mut self.day, now, out };
        match input {
            Input::Binary(bytes) => match &mut self.framing {
                Framed::BinaryFile(file) => file.receive(bytes, &mut turn),
                Framed::Mold(line) => line.receive(bytes, now, &mut turn),
                Framed::Soup(client) => client.receive(bytes, &mut turn),
            },
            Input::Timer => match &mut self.framing {
                Framed::BinaryFile(_) => {}
                Framed::Mold(line) => line.timer(now, &mut turn),
                Framed::Soup(client) => client.timer(now, &mut turn),
            },
            Input::Connected => {
                if let Framed::Soup(client) = &mut self.framing {
                    client.connected(now, &mut turn);
                }
            }
            Input::Text(_) => {
                self.day.desk.heard(now, out);
                self.day.desk.counts.unknown += 1;
            }
            Input::Silent => {
                // Whoever is not let in has nothing that could be stale.
                if !matches!(&self.framing, Framed::Soup(client) if !client.is_in()) {
                    let reason = "nothing came for too long";
                    self.day.desk.status(VenueState::Stale, reason, now, out);
                }
            }
            Input::Demand { symbol, stream, wanted } => {
                // All of it comes anyway; this decides what is published.
                if self.day.desk.demand(symbol, stream, wanted) && wanted {
                    Turn { day: &mut self.day, now, out }.publish_whole(symbol);
                }
            }
            Input::Disconnected { reason } => self.disconnected(reason, now, out),
            // Nothing is ever asked by REST.
            Input::Answer { .. } | Input::NoAnswer { .. } => {}
        }
    }

    fn desk(&self) -> &Desk {
        &self.day.desk
    }

    fn rules(&self) -> &'static Rules {
        match self.framing {
            Framed::Soup(_) => &LIVE,
            Framed::BinaryFile(_) | Framed::Mold(_) => &RECORDED,
        }
    }

    fn log_out(&mut self, now: Nanos, out: &mut Output) {
        if let Framed::Soup(client) = &mut self.framing {
            client.log_out(now, &mut Turn { day: &mut self.day, now, out });
        }
    }
}

static RECORDED: Rules = Rules { transport: Transport::Files, ..LIVE };

/// The venue sends a heartbeat each second when it has nothing else to say, and counts a
/// connection as dead after 15 s (SoupBinTCP 3.00). Addresses come with the subscription to the
/// feed, so there is none here.
const LIVE: Rules = Rules {
    transport: Transport::Stream,
    websocket: "",
    rest: "",
    message_bytes: 2 + u16::MAX as usize,
    messages_per_second: 100,
    connections: 10,
    connections_window: 60 * SECOND,
    streams: usize::MAX,
    lifetime: None,
    stale_after: 3 * SECOND,
    dead_after: 15 * SECOND,
};
