//! Inbound `data` of the market kinds: every field checked, every refusal says which and why.

use std::fmt;

use market::{
    Aggressor, Bar, BookDiff, Decimal, Event, Flags, Kind, Level, Nanos, Quote, QuoteSide, Stamps,
    Status, Trade, VenueState,
};
use simd_json::prelude::*;
use simd_json::tape::{Object, Value};

use crate::rejection::{Code, Rejection, shown};

/// Reads `data` as an event of `kind`. `received` is used where `ts_recv` is absent.
///
/// # Errors
/// `bad_data`, naming the field, what it holds and what would be right.
pub(crate) fn read_event(
    kind: Kind,
    data: Value<'_, '_>,
    received: Nanos,
) -> Result<Event, Rejection> {
    let Some(object) = data.as_object() else {
        return Err(Rejection::new(
            Code::BadData,
            format_args!("data of a {} topic must be an object", kind_name(kind)),
        ));
    };
    let fields = Fields { kind, object };
    let stamps = Stamps {
        event: fields.optional("ts_event", nanos)?,
        received: fields.optional("ts_recv", nanos)?.unwrap_or(received),
        sequence: fields.optional("venue_seq", whole)?,
        flags: fields.optional("flags", flags)?.unwrap_or_default(),
    };
    Ok(match kind {
        Kind::Trade => Event::Trade(Trade {
            price: fields.required("price", decimal)?,
            size: fields.required("size", amount)?,
            side: fields.required("side", aggressor)?,
            trade_id: fields.required("trade_id", text)?.into(),
            stamps,
        }),
        Kind::Quote => Event::Quote(Quote {
            bid: fields.quote_side("bid_price", "bid_size")?,
            ask: fields.quote_side("ask_price", "ask_size")?,
            stamps,
        }),
        Kind::Book => Event::Book(BookDiff {
            reset: fields.optional("reset", boolean)?.unwrap_or(false),
            bids: fields.required("bids", levels)?,
            asks: fields.required("asks", levels)?,
            stamps,
        }),
        Kind::Bar => Event::Bar(Bar {
            start: fields.required("start", nanos)?,
            open: fields.required("open", decimal)?,
            high: fields.required("high", decimal)?,
            low: fields.required("low", decimal)?,
            close: fields.required("close", decimal)?,
            volume: fields.required("volume", amount)?,
            trades: fields.required("trades", count)?,
            stamps,
        }),
        Kind::Status => Event::Status(Status {
            state: fields.required("state", venue_state)?,
            reason: fields.required("reason", text)?.into(),
            stamps,
        }),
    })
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Trade => "trade",
        Kind::Quote => "quote",
        Kind::Book => "book",
        Kind::Bar => "bar",
        Kind::Status => "status",
    }
}

/// What a field must be, said when it is something else.
type Wanted = String;

struct Fields<'tape, 'input> {
    kind: Kind,
    object: Object<'tape, 'input>,
}

impl<'tape, 'input> Fields<'tape, 'input> {
    fn bad(&self, message: impl fmt::Display) -> Rejection {
        Rejection::new(
            Code::BadData,
            format_args!("data of a {} topic: {message}", kind_name(self.kind)),
        )
    }

    fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(Value<'tape, 'input>) -> Result<T, Wanted>,
    ) -> Result<Option<T>, Rejection> {
        match self.object.get(name) {
            None => Ok(None),
            Some(value) if value.is_null() => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .map_err(|wanted| self.bad(format_args!("\"{name}\" {wanted}"))),
        }
    }

    fn required<T>(
        &self,
        name: &str,
        read: impl FnOnce(Value<'tape, 'input>) -> Result<T, Wanted>,
    ) -> Result<T, Rejection> {
        self.optional(name, read)?.ok_or_else(|| self.bad(format_args!("\"{name}\" is missing")))
    }

    /// One side of a quote: both fields, or both null where that side of the book is empty.
    fn quote_side(&self, price: &str, size: &str) -> Result<Option<QuoteSide>, Rejection> {
        let null = |name| self.object.get(name).is_some_and(|value: Value<'_, '_>| value.is_null());
        if null(price) && null(size) {
            return Ok(None);
        }
        Ok(Some(QuoteSide {
            price: self.required(price, decimal)?,
            size: self.required(size, amount)?,
        }))
    }
}

fn decimal(value: Value<'_, '_>) -> Result<Decimal, Wanted> {
    match value.as_str() {
        Some(text) => Decimal::parse(text).map_err(|error| format!("is wrong: {error}")),
        None => {
            Err("must be a decimal in a string, such as \"64000.10\" (numbers lose digits)".into())
        }
    }
}

fn amount(value: Value<'_, '_>) -> Result<Decimal, Wanted> {
    let amount = decimal(value)?;
    if amount.is_negative() {
        Err(format!("must not be negative, is {amount}"))
    } else {
        Ok(amount)
    }
}

fn nanos(value: Value<'_, '_>) -> Result<Nanos, Wanted> {
    let parsed = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    parsed.ok_or_else(|| "must be nanoseconds since 1970, such as \"1790000000000000000\"".into())
}

fn count(value: Value<'_, '_>) -> Result<u64, Wanted> {
    value.as_u64().ok_or_else(|| "must be a whole number".into())
}

fn whole(value: Value<'_, '_>) -> Result<u64, Wanted> {
    let parsed = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    parsed.ok_or_else(|| "must be a whole number, such as \"50093239218\"".into())
}

fn flags(value: Value<'_, '_>) -> Result<Flags, Wanted> {
    let known = Flags::ALL.map(|(_, name)| name).join(", ");
    let wanted = || format!("must be a list of {known}");
    let names = value.as_array().ok_or_else(wanted)?;
    names.iter().try_fold(Flags::none(), |flags, name| {
        let flag = name.as_str().and_then(Flags::named).ok_or_else(wanted)?;
        Ok(flags.with(flag))
    })
}

fn boolean(value: Value<'_, '_>) -> Result<bool, Wanted> {
    value.as_bool().ok_or_else(|| "must be true or false".into())
}

/// The longest text field, in bytes; ids are far shorter.
const TEXT_MAX: usize = 1_024;

fn text<'input>(value: Value<'_, 'input>) -> Result<&'input str, Wanted> {
    match value.into_string() {
        Some(text) if text.len() <= TEXT_MAX => Ok(text),
        Some(_) => Err(format!("is longer than {TEXT_MAX} bytes")),
        None => Err("must be a string".into()),
    }
}

fn aggressor(value: Value<'_, '_>) -> Result<Aggressor, Wanted> {
    match value.as_str() {
        Some("buy") => Ok(Aggressor::Buy),
        Some("sell") => Ok(Aggressor::Sell),
        Some("unknown") => Ok(Aggressor::Unknown),
        _ => Err("must be \"buy\", \"sell\" or \"unknown\" (who took liquidity)".into()),
    }
}

fn venue_state(value: Value<'_, '_>) -> Result<VenueState, Wanted> {
    VenueState::ALL
        .into_iter()
        .find(|state| value.as_str() == Some(state.as_str()))
        .ok_or_else(|| "must be \"up\", \"stale\", \"resync\" or \"down\"".into())
}

fn levels(value: Value<'_, '_>) -> Result<Vec<Level>, Wanted> {
    const WANTED: &str = "must be a list of [\"price\",\"size\"] pairs";
    let array = value.as_array().ok_or(WANTED)?;
    array
        .iter()
        .enumerate()
        .map(|(index, level)| {
            let pair = level.as_array().filter(|pair| pair.len() == 2);
            let pair = pair.ok_or_else(|| format!("[{index}] {WANTED}"))?;
            let field = |at, read: fn(Value<'_, '_>) -> Result<Decimal, Wanted>| {
                let value = pair.get(at).ok_or(WANTED)?;
                read(value).map_err(|wanted| format!("[{index}][{at}] {}", shown(&wanted)))
            };
            Ok(Level { price: field(0, decimal)?, size: field(1, amount)? })
        })
        .collect()
}
