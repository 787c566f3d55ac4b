//! What several venues write in the same way.

use market::{Aggressor, Level, Nanos, Stamps};

use crate::adapter::json::{Reader, Result};
use crate::adapter::time;

/// Characters of a venue's words that are shown.
const SHOWN: usize = 200;

/// A member that must be there.
#[inline]
pub(super) fn need<T>(value: Option<T>, reader: &Reader<'_>, what: &'static str) -> Result<T> {
    value.ok_or_else(|| reader.wrong(what))
}

/// A list of `["price","size"]` takes the place of what `into` holds.
#[inline]
pub(super) fn levels(reader: &mut Reader<'_>, into: &mut Vec<Level>) -> Result<()> {
    into.clear();
    reader.list(|reader| {
        let (price, size) = reader.pair()?;
        into.push(Level { price, size });
        Ok(())
    })
}

/// The side that took, `"buy"` or `"sell"`.
#[inline]
pub(super) fn taker(reader: &mut Reader<'_>) -> Result<Aggressor> {
    match reader.string()? {
        "buy" => Ok(Aggressor::Buy),
        "sell" => Ok(Aggressor::Sell),
        _ => Err(reader.wrong("buy or sell")),
    }
}

/// The stamps of a message that came at `now`. `event` is its time, where it has one, if that is a
/// time.
#[inline]
pub(super) fn stamps(event: Option<Option<Nanos>>, now: Nanos) -> Stamps {
    let none = Stamps { received: now, ..Stamps::default() };
    event.map_or(none, |event| time::stamps(event, now))
}

/// A text of the venue for a person, as a message has it: without its quotes, and not too long.
pub(super) fn shown(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    text.trim_matches('"').chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}
