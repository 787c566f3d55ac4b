//! One update of one topic: trade, quote, book diff, bar or status, with its two time stamps.

use crate::{Bar, BookDiff, Decimal, TradeId};

/// Nanoseconds since 1970-01-01 UTC.
pub type Nanos = u64;

/// When it happened at the venue, when it reached us, and where it stands in the venue's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps {
    /// The venue's own time; absent where it gave none.
    pub event: Option<Nanos>,
    /// Our wall clock when the message arrived. May lie before `event`: clocks differ.
    pub received: Nanos,
    /// The venue's own number of the message or update; absent where it gave none. What it counts
    /// differs from venue to venue.
    pub sequence: Option<u64>,
    /// What else must be known to judge it.
    pub flags: Flags,
}

/// What must be known to judge an event, besides what it says. Empty for most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u8);

impl Flags {
    /// Events of the venue are missing before this one: its stream was broken or had a gap.
    pub const GAP_BEFORE: Self = Self(1);
    /// The venue gives nothing by which the book could be proved right.
    pub const UNVERIFIED: Self = Self(2);
    /// The venue's time was no time, or one that cannot be.
    pub const BAD_TIMESTAMP: Self = Self(4);
    /// From a recording, not live.
    pub const REPLAYED: Self = Self(8);

    /// Every flag with its name in messages.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::GAP_BEFORE, "gap_before"),
        (Self::UNVERIFIED, "unverified"),
        (Self::BAD_TIMESTAMP, "bad_timestamp"),
        (Self::REPLAYED, "replayed"),
    ];

    /// No flag.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// These and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These but for those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().filter(move |&(flag, _)| self.has(flag)).map(|(_, name)| name)
    }

    /// The flag called `name`, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|&(_, known)| known == name).map(|(flag, _)| flag)
    }
}

/// What a market topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Executions, each one of which counts.
    Trade,
    /// Best bid and offer; only the latest counts.
    Quote,
    /// An L2 book: a snapshot and diffs by price level.
    Book,
    /// Open, high, low, close over an interval; only the latest counts.
    Bar,
    /// The state of a venue's feed; only the latest counts.
    Status,
}

impl Kind {
    /// How many kinds there are; `kind as usize` is below it.
    pub const COUNT: usize = 5;
}

/// One market update.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An execution.
    Trade(Trade),
    /// A new best bid and offer.
    Quote(Quote),
    /// Changed levels of a book, or a whole new one.
    Book(BookDiff),
    /// A finished interval.
    Bar(Bar),
    /// A feed's state.
    Status(Status),
}

impl Event {
    /// When it happened, and what else is to be known of it.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        match self {
            Self::Trade(trade) => trade.stamps,
            Self::Quote(quote) => quote.stamps,
            Self::Book(diff) => diff.stamps,
            Self::Bar(bar) => bar.stamps,
            Self::Status(status) => status.stamps,
        }
    }

    /// The same, to be changed.
    pub fn stamps_mut(&mut self) -> &mut Stamps {
        match self {
            Self::Trade(trade) => &mut trade.stamps,
            Self::Quote(quote) => &mut quote.stamps,
            Self::Book(diff) => &mut diff.stamps,
            Self::Bar(bar) => &mut bar.stamps,
            Self::Status(status) => &mut status.stamps,
        }
    }

    /// Which kind of topic this belongs to.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Trade(_) => Kind::Trade,
            Self::Quote(_) => Kind::Quote,
            Self::Book(_) => Kind::Book,
            Self::Bar(_) => Kind::Bar,
            Self::Status(_) => Kind::Status,
        }
    }
}

/// Which side took liquidity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggressor {
    /// The buyer hit the offer.
    Buy,
    /// The seller hit the bid.
    Sell,
    /// The venue does not say (auctions, crosses).
    Unknown,
}

impl Aggressor {
    /// `buy`, `sell` or `unknown`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Unknown => "unknown",
        }
    }
}

/// An execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Trade {
    /// Price of one unit.
    pub price: Decimal,
    /// Units traded; not negative.
    pub size: Decimal,
    /// Who took liquidity.
    pub side: Aggressor,
    /// The venue's id.
    pub trade_id: TradeId,
    /// When.
    pub stamps: Stamps,
}

/// The best price on one side and what is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuoteSide {
    /// Best price.
    pub price: Decimal,
    /// Size at that price.
    pub size: Decimal,
}

/// Best bid and offer. A side without orders is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// Highest bid.
    pub bid: Option<QuoteSide>,
    /// Lowest offer.
    pub ask: Option<QuoteSide>,
    /// When.
    pub stamps: Stamps,
}

/// How far a venue's data can be trusted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VenueState {
    /// Live and in sequence.
    Up,
    /// Nothing came for longer than it should.
    Stale,
    /// A gap or a wrong checksum: a fresh snapshot is on its way.
    Resync,
    /// Not connected.
    Down,
}

impl VenueState {
    /// Every state, in the order of their severity.
    pub const ALL: [Self; 4] = [Self::Up, Self::Stale, Self::Resync, Self::Down];

    /// `up`, `stale`, `resync` or `down`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Stale => "stale",
            Self::Resync => "resync",
            Self::Down => "down",
        }
    }
}

/// The state of a venue's feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// How far the data can be trusted.
    pub state: VenueState,
    /// Why, for a person to read.
    pub reason: Box<str>,
    /// When.
    pub stamps: Stamps,
}
