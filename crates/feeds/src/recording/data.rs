//! The data of a market topic, as the protocol writes it, read back into an event.

use std::borrow::Cow;

use market::{
    Aggressor, Bar, BookDiff, Decimal, Event, Flags, Kind, Level, Nanos, Quote, QuoteSide, Stamps,
    Status, Trade, VenueState,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What topics called `topic` carry, if that is one of the market kinds.
pub(crate) fn kind(topic: &str) -> Option<Kind> {
    Some(match topic.split('.').next()? {
        "trade" => Kind::Trade,
        "quote" => Kind::Quote,
        "book" => Kind::Book,
        "status" => Kind::Status,
        bar if bar.starts_with("bar-") => Kind::Bar,
        _ => return None,
    })
}

type Text<'a> = Option<Cow<'a, str>>;

/// Every field of every kind.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Data<'a> {
    #[serde(borrow)]
    ts_event: Option<&'a RawValue>,
    #[serde(borrow)]
    ts_recv: Option<&'a RawValue>,
    #[serde(borrow)]
    venue_seq: Option<&'a RawValue>,
    flags: Vec<String>,
    #[serde(borrow)]
    price: Text<'a>,
    #[serde(borrow)]
    size: Text<'a>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    trade_id: Text<'a>,
    #[serde(borrow)]
    bid_price: Text<'a>,
    #[serde(borrow)]
    bid_size: Text<'a>,
    #[serde(borrow)]
    ask_price: Text<'a>,
    #[serde(borrow)]
    ask_size: Text<'a>,
    reset: bool,
    #[serde(borrow)]
    bids: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(borrow)]
    asks: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(borrow)]
    start: Option<&'a RawValue>,
    #[serde(borrow)]
    open: Text<'a>,
    #[serde(borrow)]
    high: Text<'a>,
    #[serde(borrow)]
    low: Text<'a>,
    #[serde(borrow)]
    close: Text<'a>,
    #[serde(borrow)]
    volume: Text<'a>,
    trades: u64,
    #[serde(borrow)]
    state: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
}

/// Reads the data of an event; `received` stands in for an absent `ts_recv`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(kind: Kind, data: &str, received: Nanos) -> Result<Event, String> {
    let data: Data<'_> = serde_json::from_str(data).map_err(|error| error.to_string())?;
    let stamps = Stamps {
        event: data.ts_event.map(whole).transpose()?,
        received: data.ts_recv.map(whole).transpose()?.unwrap_or(received),
        sequence: data.venue_seq.map(whole).transpose()?,
        flags: data.flags.iter().filter_map(|n| Flags::named(n)).fold(Flags::none(), Flags::with),
    };
    Ok(match kind {
        Kind::Trade => Event::Trade(Trade {
            price: decimal("price", &data.price)?,
            size: decimal("size", &data.size)?,
            side: match data.side.as_deref() {
                Some("buy") => Aggressor::Buy,
                Some("sell") => Aggressor::Sell,
                _ => Aggressor::Unknown,
            },
            trade_id: (*data.trade_id.unwrap_or_default()).into(),
            stamps,
        }),
        Kind::Quote => {
            let side = |price: &Text<'_>, size: &Text<'_>| match price {
                None => Ok::<_, String>(None),
                Some(_) => Ok(Some(QuoteSide {
                    price: decimal("price", price)?,
                    size: decimal("size", size)?,
                })),
            };
            Event::Quote(Quote {
                bid: side(&data.bid_price, &data.bid_size)?,
                ask: side(&data.ask_price, &data.ask_size)?,
                stamps,
            })
        }
        Kind::Book => Event::Book(BookDiff {
            reset: data.reset,
            bids: levels(&data.bids)?,
            asks: levels(&data.asks)?,
            stamps,
        }),
        Kind::Bar => Event::Bar(Bar {
            start: whole(data.start.ok_or("\"start\" is missing")?)?,
            open: decimal("open", &data.open)?,
            high: decimal("high", &data.high)?,
            low: decimal("low", &data.low)?,
            close: decimal("close", &data.close)?,
            volume: decimal("volume", &data.volume)?,
            trades: data.trades,
            stamps,
        }),
        Kind::Status => Event::Status(Status {
            state: VenueState::ALL
                .into_iter()
                .find(|state| data.state.as_deref() == Some(state.as_str()))
                .ok_or("\"state\" is missing or unknown")?,
            reason: data.reason.unwrap_or_default().into(),
            stamps,
        }),
    })
}

fn decimal(name: &str, text: &Text<'_>) -> Result<Decimal, String> {
    let text = text.as_deref().ok_or_else(|| format!("\"{name}\" is missing"))?;
    Decimal::parse(text).map_err(|error| format!("\"{name}\": {error}"))
}

fn levels(pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> Result<Vec<Level>, String> {
    let number = |text: &str| Decimal::parse(text).map_err(|error| error.to_string());
    let level = |(price, size): &(Cow<'_, str>, Cow<'_, str>)| {
        Ok(Level { price: number(price)?, size: number(size)? })
    };
    pairs.iter().map(level).collect()
}

/// A whole number, or one in a text.
fn whole(value: &RawValue) -> Result<u64, String> {
    let text = value.get();
    let digits = text.trim_matches('"');
    digits
        .parse()
        .map_err(|_| format!("{} is no whole number", text.chars().take(40).collect::<String>()))
}
