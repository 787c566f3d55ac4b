//! The rule for the columns of a CSV file: a table of their names.

use feeds::replay::{Cell, Mapping, Shape, TimeColumn, TimeFormat};
use toml_edit::Value;

use super::Rule;
use crate::config::raw::Raw;

/// What a row tells of: its name, the columns that it needs, and those that it may have.
const ROWS: [(&str, &[&str], &[&str]); 4] = [
    ("trades", &["price", "size"], &["side", "id"]),
    ("quotes", &["bid_price", "ask_price"], &["bid_size", "ask_size"]),
    ("books", &["bid_price", "bid_size", "ask_price", "ask_size"], &[]),
    ("levels", &["side", "price", "size", "message"], &["snapshot"]),
];

/// What a row of any kind may have.
const ANY: [&str; 7] =
    ["symbol", "time", "time_received", "time_format", "sequence", "header", "delimiter"];

const TIMES: [(&str, TimeFormat); 5] = [
    ("s", TimeFormat::Seconds),
    ("ms", TimeFormat::Millis),
    ("us", TimeFormat::Micros),
    ("ns", TimeFormat::Nanos),
    ("text", TimeFormat::Text),
];

/// A table, empty where there is no mapping.
pub(in crate::config) struct Columns;

/// The columns of CSV files.
pub(in crate::config) fn columns() -> Columns {
    Columns
}

impl Rule for Columns {
    type Value = Option<Mapping>;

    fn read(&self, raw: &Raw) -> Result<Option<Mapping>, String> {
        let Raw::Table(entries) = raw else { return Err(raw.mismatch("a table")) };
        if entries.is_empty() {
            return Ok(None);
        }
        let table = Table { entries };
        let rows = table.needed("rows")?;
        let Some((_, needed, optional)) = ROWS.iter().find(|(name, ..)| *name == rows) else {
            return Err(format!("rows = {rows:?} is none of trades, quotes, books and levels"));
        };
        for (key, _) in entries {
            let key = key.as_str();
            let all = needed.iter().chain(*optional).chain(&ANY);
            if key != "rows" && !all.clone().any(|known| *known == key) {
                let names: Vec<&str> = all.copied().collect();
                return Err(format!(
                    "{key} means nothing for rows of {rows}; there are rows, {}",
                    names.join(", ")
                ));
            }
        }
        let shape = table.shape(&rows)?;
        let (time, received) = (table.optional("time")?, table.optional("time_received")?);
        if time.is_none() && received.is_none() {
            return Err("time or time_received is missing: events have no time".to_owned());
        }
        let written = table.needed("time_format")?;
        let Some((_, format)) = TIMES.iter().find(|(name, _)| *name == written) else {
            return Err(format!("time_format = {written:?} is none of s, ms, us, ns and text"));
        };
        let column =
            |name: Option<String>| name.map(|column| TimeColumn { column, format: *format });
        Ok(Some(Mapping {
            shape,
            symbol: match table.optional("symbol")? {
                Some(column) => Cell::Column(column),
                None => Cell::Fixed(String::new()),
            },
            event_time: column(time),
            received_time: column(received),
            sequence: table.optional("sequence")?,
            header: table.header()?,
            delimiter: table.delimiter()?,
        }))
    }

    fn show(&self, value: &Option<Mapping>) -> String {
        let Some(mapping) = value else { return "{}".to_owned() };
        let (rows, columns) = shown(&mapping.shape);
        let mut entries = vec![("rows", rows.to_owned())];
        entries.extend(columns.into_iter().filter_map(|(key, name)| Some((key, name?))));
        let times = [("time", &mapping.event_time), ("time_received", &mapping.received_time)];
        let mut format = "";
        for (key, time) in times {
            let Some(TimeColumn { column, format: written }) = time else { continue };
            entries.push((key, column.clone()));
            format = TIMES.iter().find(|(_, known)| known == written).map_or("", |(name, _)| name);
        }
        entries.push(("time_format", format.to_owned()));
        if let Cell::Column(name) = &mapping.symbol {
            entries.push(("symbol", name.clone()));
        }
        entries.extend(mapping.sequence.clone().map(|name| ("sequence", name)));
        if mapping.delimiter != b',' {
            entries.push(("delimiter", char::from(mapping.delimiter).to_string()));
        }
        let quoted = |text: &str| Value::from(text).to_string();
        let mut shown: Vec<String> =
            entries.iter().map(|(key, text)| format!("{key} = {}", quoted(text))).collect();
        if let Some(names) = &mapping.header {
            let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
            shown.push(format!("header = [{}]", names.join(", ")));
        }
        format!("{{ {} }}", shown.join(", "))
    }

    fn allowed(&self) -> String {
        "a table of rows (\"trades\", \"quotes\", \"books\" or \"levels\"), time, time_format and \
         the columns that such rows need; docs/recordings.md has all of them"
            .to_owned()
    }
}

/// The entries that were written.
struct Table<'a> {
    entries: &'a [(String, Raw)],
}

impl Table<'_> {
    fn get(&self, key: &str) -> Option<&Raw> {
        self.entries.iter().find(|(known, _)| known == key).map(|(_, raw)| raw)
    }

    fn optional(&self, key: &str) -> Result<Option<String>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Raw::Text(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(Raw::Text(_)) => Err(format!("{key} is empty")),
            Some(other) => Err(format!("{key}: {}", other.mismatch("a string"))),
        }
    }

    fn needed(&self, key: &str) -> Result<String, String> {
        self.optional(key)?.ok_or_else(|| format!("{key} is missing"))
    }

    fn shape(&self, rows: &str) -> Result<Shape, String> {
        Ok(match rows {
            "trades" => Shape::Trades {
                price: self.needed("price")?,
                size: self.needed("size")?,
                side: self.optional("side")?,
                id: self.optional("id")?,
            },
            "quotes" => Shape::Quotes {
                bid_price: self.needed("bid_price")?,
                bid_size: self.optional("bid_size")?,
                ask_price: self.needed("ask_price")?,
                ask_size: self.optional("ask_size")?,
            },
            "books" => Shape::Snapshots {
                bid_price: self.needed("bid_price")?,
                bid_size: self.needed("bid_size")?,
                ask_price: self.needed("ask_price")?,
                ask_size: self.needed("ask_size")?,
            },
            _ => Shape::Levels {
                side: self.needed("side")?,
                price: self.needed("price")?,
                size: self.needed("size")?,
                snapshot: match self.optional("snapshot")? {
                    None => None,
                    Some(text) => match text.split_once('=') {
                        Some((column, word)) => Some((column.to_owned(), word.to_owned())),
                        None => {
                            return Err(format!(
                                "snapshot = {text:?} does not say what the column holds where a \
                                 book is whole, as in \"is_snapshot=true\""
                            ));
                        }
                    },
                },
                message: self.needed("message")?,
            },
        })
    }

    fn header(&self) -> Result<Option<Vec<String>>, String> {
        match self.get("header") {
            None => Ok(None),
            Some(Raw::List(names)) => {
                let name = |name: &Raw| {
                    name.text().map(str::to_owned).ok_or_else(|| name.mismatch("a column's name"))
                };
                names.iter().map(name).collect::<Result<_, _>>().map(Some)
            }
            Some(other) => Err(format!("header: {}", other.mismatch("a list of names"))),
        }
    }

    fn delimiter(&self) -> Result<u8, String> {
        match self.optional("delimiter")?.as_deref().map(str::as_bytes) {
            None => Ok(b','),
            Some([one]) if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => Ok(*one),
            Some(_) => Err("delimiter is not one character, such as \";\" or \"\\t\"".to_owned()),
        }
    }
}

/// The name of a shape, and its columns by their keys.
fn shown(shape: &Shape) -> (&'static str, Vec<(&'static str, Option<String>)>) {
    let some = |name: &String| Some(name.clone());
    match shape {
        Shape::Trades { price, size, side, id } => (
            "trades",
            vec![
                ("price", some(price)),
                ("size", some(size)),
                ("side", side.clone()),
                ("id", id.clone()),
            ],
        ),
        Shape::Quotes { bid_price, bid_size, ask_price, ask_size } => (
            "quotes",
            vec![
                ("bid_price", some(bid_price)),
                ("bid_size", bid_size.clone()),
                ("ask_price", some(ask_price)),
                ("ask_size", ask_size.clone()),
            ],
        ),
        Shape::Snapshots { bid_price, bid_size, ask_price, ask_size } => (
            "books",
            vec![
                ("bid_price", some(bid_price)),
                ("bid_size", some(bid_size)),
                ("ask_price", some(ask_price)),
                ("ask_size", some(ask_size)),
            ],
        ),
        Shape::Levels { side, price, size, snapshot, message } => (
            "levels",
            vec![
                ("side", some(side)),
                ("price", some(price)),
                ("size", some(size)),
                ("snapshot", snapshot.as_ref().map(|(column, word)| format!("{column}={word}"))),
                ("message", some(message)),
            ],
        ),
    }
}
