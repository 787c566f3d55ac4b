//! Which column of a CSV file means what: a small table that a configuration can fill, and the
//! tables of the forms that are known by name.

/// Which column means what. Columns are named as in the file's first row, or in
/// [`Mapping::header`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// What a row tells of.
    pub shape: Shape,
    /// Of which symbol.
    pub symbol: Cell,
    /// When it happened at the venue.
    pub event_time: Option<TimeColumn>,
    /// When it reached the recorder.
    pub received_time: Option<TimeColumn>,
    /// The venue's number of it.
    pub sequence: Option<String>,
    /// The columns of a file whose first row is data already.
    pub header: Option<Vec<String>>,
    /// What stands between two cells.
    pub delimiter: u8,
}

/// What a row tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// An execution a row.
    Trades {
        /// Column of the price.
        price: String,
        /// Column of the size.
        size: String,
        /// Column of who took liquidity: a word that begins like buy, bid, sell, ask or offer.
        /// Anything else is unknown.
        side: Option<String>,
        /// Column of the venue's id; the number of the row where there is none.
        id: Option<String>,
    },
    /// A best bid and offer a row. An empty price means that there is none on that side.
    Quotes {
        /// Column of the best bid.
        bid_price: String,
        /// Column of the size there; 0 where there is none.
        bid_size: Option<String>,
        /// Column of the best offer.
        ask_price: String,
        /// Column of the size there; 0 where there is none.
        ask_size: Option<String>,
    },
    /// A whole book a row: `#` in the names stands for the level, from 0 on, for as many as the
    /// file has.
    Snapshots {
        /// Columns of the bids' prices, such as `bids[#].price`.
        bid_price: String,
        /// Columns of their sizes.
        bid_size: String,
        /// Columns of the offers' prices.
        ask_price: String,
        /// Columns of their sizes.
        ask_size: String,
    },
    /// A level of a book a row. Rows one after the other that agree in symbol and in `message` are
    /// one event.
    Levels {
        /// Column of the side: a word that begins like buy, bid, sell, ask or offer.
        side: String,
        /// Column of the price.
        price: String,
        /// Column of the whole size there; 0 removes the level.
        size: String,
        /// The column, and what it says where the message is a whole book.
        snapshot: Option<(String, String)>,
        /// The column that tells one message of the venue from the next.
        message: String,
    },
}

/// A text that is the same in the whole file, or stands in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// The same everywhere.
    Fixed(String),
    /// In this column.
    Column(String),
}

/// A column of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeColumn {
    /// Which.
    pub column: String,
    /// How they are written.
    pub format: TimeFormat,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970, perhaps with a fraction.
    Seconds,
    /// Milliseconds since 1970, perhaps with a fraction.
    Millis,
    /// Microseconds since 1970, perhaps with a fraction.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
    /// A date and a time of day in UTC: `2026-08-24T22:21:56.724Z`, `2026-08-24 22:21:56.724` or
    /// `20260824 22:21:56.724`.
    Text,
}

impl TimeColumn {
    fn micros(column: &str) -> Option<Self> {
        Some(Self { column: column.into(), format: TimeFormat::Micros })
    }
}

impl Mapping {
    /// Trades as Tardis writes them.
    /// Source: docs.tardis.dev, "Downloadable CSV files", trades.
    #[must_use]
    pub fn tardis_trades() -> Self {
        Self::tardis(Shape::Trades {
            price: "price".into(),
            size: "amount".into(),
            side: Some("side".into()),
            id: Some("id".into()),
        })
    }

    /// Quotes as Tardis writes them.
    #[must_use]
    pub fn tardis_quotes() -> Self {
        Self::tardis(Shape::Quotes {
            bid_price: "bid_price".into(),
            bid_size: Some("bid_amount".into()),
            ask_price: "ask_price".into(),
            ask_size: Some("ask_amount".into()),
        })
    }

    /// Whole books as Tardis writes them, `book_snapshot_5` and `book_snapshot_25`.
    #[must_use]
    pub fn tardis_book_snapshots() -> Self {
        Self::tardis(Shape::Snapshots {
            bid_price: "bids[#].price".into(),
            bid_size: "bids[#].amount".into(),
            ask_price: "asks[#].price".into(),
            ask_size: "asks[#].amount".into(),
        })
    }

    /// Changes of books as Tardis writes them, `incremental_book_L2`. Rows with one
    /// `local_timestamp` are one message of the venue.
    #[must_use]
    pub fn tardis_book_changes() -> Self {
        Self::tardis(Shape::Levels {
            side: "side".into(),
            price: "price".into(),
            size: "amount".into(),
            snapshot: Some(("is_snapshot".into(), "true".into())),
            message: "local_timestamp".into(),
        })
    }

    fn tardis(shape: Shape) -> Self {
        Self {
            shape,
            symbol: Cell::Column("symbol".into()),
            event_time: TimeColumn::micros("timestamp"),
            received_time: TimeColumn::micros("local_timestamp"),
            sequence: None,
            header: None,
            delimiter: b',',
        }
    }

    /// Quotes as TrueFX writes them: pair, time, bid, offer, without a row of names and without
    /// sizes.
    #[must_use]
    pub fn truefx_quotes() -> Self {
        let time = TimeColumn { column: "time".into(), format: TimeFormat::Text };
        Self {
            shape: Shape::Quotes {
                bid_price: "bid".into(),
                bid_size: None,
                ask_price: "ask".into(),
                ask_size: None,
            },
            symbol: Cell::Column("pair".into()),
            event_time: Some(time),
            received_time: None,
            sequence: None,
            header: Some(["pair", "time", "bid", "ask"].map(str::to_owned).into()),
            delimiter: b',',
        }
    }

    /// The mappings that have a name in configurations.
    pub const NAMES: [&'static str; 5] = [
        "tardis-trades",
        "tardis-quotes",
        "tardis-book-snapshots",
        "tardis-book-changes",
        "truefx-quotes",
    ];

    /// A mapping by its name in configurations.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "tardis-trades" => Self::tardis_trades(),
            "tardis-quotes" => Self::tardis_quotes(),
            "tardis-book-snapshots" => Self::tardis_book_snapshots(),
            "tardis-book-changes" => Self::tardis_book_changes(),
            "truefx-quotes" => Self::truefx_quotes(),
            _ => return None,
        })
    }
}
