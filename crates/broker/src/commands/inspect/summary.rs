//! What `tickwire inspect` found: counts of all files together, as a table or as JSON.

use std::collections::BTreeMap;

use feeds::adapter::SymbolCounts;
use feeds::adapter::{Desk, SymbolId};
use market::{BookSide, Decimal};
use serde::{Serialize, Serializer};

use crate::commands::printable;

/// All files together.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    venue: &'static str,
    pub(super) files: u64,
    frames: u64,
    malformed: u64,
    unknown: u64,
    symbols: BTreeMap<String, Symbol>,
}

/// What was found on one connection.
pub(super) struct Found<'a> {
    /// When it was last heard, by any count that grows.
    pub(super) heard: u64,
    pub(super) desk: &'a Desk,
    pub(super) best: Box<dyn Fn(SymbolId, BookSide) -> Option<Decimal> + 'a>,
}

impl<'a> Found<'a> {
    /// With the best prices of the desk's own books.
    pub(super) fn of(heard: u64, desk: &'a Desk) -> Self {
        Self { heard, desk, best: Box::new(|id, side| desk.best_as_written(id, side)) }
    }
}

/// One symbol, over all files and connections.
#[derive(Debug, Default, Serialize)]
struct Symbol {
    #[serde(flatten, serialize_with = "counts")]
    counts: SymbolCounts,
    best_bid: Option<String>,
    best_ask: Option<String>,
    /// None for a symbol of whose book nothing came.
    state: Option<&'static str>,
}

/// The counts that the form of the object fixes, in its order.
fn counts<S: Serializer>(counts: &SymbolCounts, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(columns(counts))
}

fn columns(counts: &SymbolCounts) -> [(&'static str, u64); 9] {
    [
        ("trades", counts.trades),
        ("quotes", counts.quotes),
        ("book_events", counts.book_events),
        ("snapshots", counts.snapshots),
        ("stale", counts.stale),
        ("gaps", counts.gaps),
        ("checksums_ok", counts.checksums_ok),
        ("checksums_bad", counts.checksums_bad),
        ("deletes_unknown", counts.deletes_unknown),
    ]
}

impl Summary {
    pub(super) fn new(venue: &'static str) -> Self {
        Self { venue, files: 0, frames: 0, malformed: 0, unknown: 0, symbols: BTreeMap::new() }
    }

    /// Adds what was found on some connections.
    pub(super) fn add<'a>(&mut self, found: impl Iterator<Item = Found<'a>>) {
        let mut found: Vec<_> = found.collect();
        // The last active one has the last word on the books.
        found.sort_by_key(|found| found.heard);
        for found in found {
            self.add_connection(&found);
        }
    }

    fn add_connection(&mut self, Found { desk, best, .. }: &Found<'_>) {
        self.frames += desk.counts.frames;
        self.malformed += desk.counts.malformed;
        self.unknown += desk.counts.unknown;
        for (id, found) in desk.symbols() {
            let symbol = self.symbols.entry(found.native.to_string()).or_default();
            symbol.counts += found.counts;
            if found.counts.book_events + found.counts.snapshots > 0 {
                symbol.state = Some(found.state().as_str());
                let best = |side| best(id, side).map(|price| price.to_string());
                symbol.best_bid = best(BookSide::Bid);
                symbol.best_ask = best(BookSide::Ask);
            }
        }
    }

    /// Messages so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// At least how many of them the venue's adapter knows.
    pub(super) fn understood(&self) -> u64 {
        self.frames.saturating_sub(self.malformed + self.unknown).max(self.symbols.len() as u64)
    }

    /// One object on one line.
    pub(super) fn json(&self) -> String {
        let mut text = serde_json::to_string(self).expect("counts and texts are JSON");
        text.push('\n');
        text
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let Self { venue, files, frames, malformed, unknown, .. } = self;
        let plural = if *files == 1 { "" } else { "s" };
        let mut text = format!(
            "{venue}: {files} file{plural}, {frames} frames, {malformed} malformed, {unknown} of \
             unknown types\n"
        );
        if self.symbols.is_empty() {
            return text;
        }
        let head = [
            "SYMBOL",
            "TRADES",
            "QUOTES",
            "BOOK",
            "SNAPSHOTS",
            "STALE",
            "GAPS",
            "CRC OK",
            "CRC BAD",
            "UNKNOWN DELETES",
            "BEST BID",
            "BEST ASK",
            "STATE",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        for (native, symbol) in &self.symbols {
            let [a, b, c, d, e, f, g, h, i] =
                columns(&symbol.counts).map(|(_, count)| count.to_string());
            let price = |price: &Option<String>| price.clone().unwrap_or_else(|| "-".into());
            let (bid, ask) = (price(&symbol.best_bid), price(&symbol.best_ask));
            let state = symbol.state.unwrap_or("-").to_owned();
            rows.push([printable(native), a, b, c, d, e, f, g, h, i, bid, ask, state]);
        }
        for row in &rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
                // Words to the left, numbers to the right.
                line += &if column == 0 || column + 1 == row.len() {
                    format!("{cell:<width$}  ")
                } else {
                    format!("{cell:>width$}  ")
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use feeds::adapter::symbol::Spelling;
    use feeds::adapter::{DeskOptions, Output, Proof};
    use market::{BookDiff, Level};
    use serde_json::{Value, json};

    use super::*;

    /// A desk with one symbol; its book has a bid at `bid`, if there is one.
    fn desk(native: &str, bid: Option<&str>, resyncing: bool) -> Desk {
        let options = DeskOptions {
            venue: "x".into(),
            open: true,
            as_written: true,
            ..DeskOptions::default()
        };
        let mut desk = Desk::new(options, Spelling::Separated('/'));
        let id = desk.find(native).unwrap();
        desk.counts.frames = 10;
        let counts = desk.counts_of(id);
        counts.trades = 2;
        if let Some(bid) = bid {
            counts.book_events = 1;
            let number = |text: &str| Decimal::parse(text).unwrap();
            let level = |price| Level { price: number(price), size: number("1") };
            // The book holds both with three digits.
            let bids = vec![level(bid), level("0.125")];
            let diff = BookDiff { reset: true, bids, ..BookDiff::default() };
            let mut out = Output::default();
            desk.book(id, diff, None, |_| Proof::ChecksumRight, &mut out).unwrap();
            if resyncing {
                desk.resync(id, feeds::adapter::Fault::Gap, 1, &mut out);
            }
        }
        desk
    }

    #[test]
    fn counts_of_connections_are_summed_and_the_last_book_stands() {
        let mut summary = Summary::new("x");
        summary.files = 1;
        summary.add_connection(&Found::of(0, &desk("B/USD", Some("9.50"), false)));
        summary.add_connection(&Found::of(0, &desk("B/USD", Some("10.50"), false)));
        // A connection without the book says nothing of it.
        summary.add_connection(&Found::of(0, &desk("B/USD", None, false)));
        summary.add_connection(&Found::of(0, &desk("A/USD", None, false)));
        summary.add_connection(&Found::of(0, &desk("C/USD", Some("1"), true)));
        let shown: Value = serde_json::from_str(&summary.json()).unwrap();
        let counts = |trades: u64, book: u64, gaps: u64| {
            json!({"trades": trades, "quotes": 0, "book_events": book, "snapshots": book,
                "stale": 0, "gaps": gaps, "checksums_ok": book, "checksums_bad": 0,
                "deletes_unknown": 0, "best_bid": null, "best_ask": null, "state": null})
        };
        let mut b = counts(6, 2, 0);
        b["best_bid"] = json!("10.50");
        b["state"] = json!("verified");
        let mut c = counts(2, 1, 1);
        c["state"] = json!("resyncing");
        assert_eq!(
            shown,
            json!({"venue": "x", "files": 1, "frames": 50, "malformed": 0, "unknown": 0,
                "symbols": {"A/USD": counts(2, 0, 0), "B/USD": b, "C/USD": c}})
        );
        let table = summary.table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "x: 1 file, 50 frames, 0 malformed, 0 of unknown types");
        assert!(lines[1].starts_with("SYMBOL  TRADES  QUOTES  BOOK  SNAPSHOTS"), "{table}");
        assert!(lines[3].ends_with("10.50         -  verified"), "{table}");
        assert_eq!(lines.len(), 5);
    }
}
