//! Messages as aligned lines for people.

use std::collections::HashMap;

use client::{Event, Gap, Snapshot};
use market::{Book, BookDiff, BookSide, Decimal, Level, Stamps};
use serde_json::Value;

use super::printable;

/// Topic names up to this length share a column.
const COLUMN_MAX: usize = 40;
/// More levels than this on a side are more than any venue lists.
const LEVELS_MAX: usize = 100_000;

/// Renders messages; keeps the books it has seen a snapshot of, to show their tops.
#[derive(Debug, Default)]
pub(super) struct Renderer {
    column: usize,
    books: HashMap<String, Book>,
}

impl Renderer {
    /// The line of an event.
    pub(super) fn event(&mut self, event: &Event) -> String {
        if event.from == 1 && event.topic.starts_with("book.") {
            // A book begins empty; one that appears later, under a pattern, has no snapshot.
            self.books.insert(event.topic.clone(), Book::default());
        }
        let mut text = self.data(&event.topic, &event.data, false);
        if event.merged > 1 {
            text.push_str(&format!("  [{} in one, from {}]", event.merged, event.from));
        }
        self.line(Some(event.ts), &event.topic, &text)
    }

    /// The line of a snapshot.
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot) -> String {
        let text = self.data(&snapshot.topic, &snapshot.data, true);
        self.line(Some(snapshot.ts), &snapshot.topic, &format!("{text}  [snapshot]"))
    }

    /// The line of a gap. The book, if it was one, is known again with the next snapshot.
    pub(super) fn gap(&mut self, gap: &Gap) -> String {
        self.books.remove(&gap.topic);
        let count = gap.to.saturating_add(1).saturating_sub(gap.from);
        let text = if gap.reason == "restart" && count == 0 {
            "RESTART: the broker began anew, and so do the numbers".into()
        } else if gap.reason == "upstream" {
            "GAP: the venue's own stream was broken before the next event".into()
        } else {
            format!("GAP: {count} events lost, {} to {} ({})", gap.from, gap.to, gap.reason)
        };
        self.line(None, &gap.topic, &text)
    }

    fn line(&mut self, ts: Option<u64>, topic: &str, text: &str) -> String {
        self.column = self.column.max(topic.chars().count().min(COLUMN_MAX));
        let time = ts.map_or_else(|| "-".into(), clock);
        printable(&format!("{time:<15}  {topic:<column$}  {text}", column = self.column))
    }

    fn data(&mut self, topic: &str, data: &client::Data, whole: bool) -> String {
        let kind = topic.split('.').next().unwrap_or_default();
        let market = matches!(kind, "trade" | "quote" | "book" | "status" | "nbbo")
            || kind.starts_with("bar-");
        let value = match data.parse::<Value>() {
            // Anybody may publish anything to a topic of that name.
            Ok(Value::Object(fields)) if kind == "nbbo" && !fields.contains_key("bid_venue") => {
                return data.as_str().into();
            }
            Ok(value @ Value::Object(_)) if market => value,
            _ => return data.as_str().into(),
        };
        let field = |name: &str| text(&value[name]);
        match kind {
            "trade" => {
                format!("{:<4} {:>12} × {}", field("side"), field("price"), field("size"))
            }
            "quote" | "nbbo" => {
                let side = |side: &str| match &value[format!("{side}_price")] {
                    Value::Null => "none".into(),
                    price => {
                        let (size, venue) =
                            (&value[format!("{side}_size")], &value[format!("{side}_venue")]);
                        let place =
                            venue.as_str().map_or(String::new(), |venue| format!(" @{venue}"));
                        format!("{:>12} × {}{place}", text(price), text(size))
                    }
                };
                format!("bid {:<24}  ask {}", side("bid"), side("ask"))
            }
            "book" => self.book(topic, &value, whole),
            "status" => format!("{:<6} {}", field("state"), field("reason")),
            _ => format!(
                "open {}  high {}  low {}  close {}  volume {}  trades {}",
                field("open"),
                field("high"),
                field("low"),
                field("close"),
                field("volume"),
                field("trades"),
            ),
        }
    }

    fn book(&mut self, topic: &str, value: &Value, whole: bool) -> String {
        let (Some(bids), Some(asks)) = (levels(&value["bids"]), levels(&value["asks"])) else {
            return value.to_string();
        };
        let changed = bids.len() + asks.len();
        let reset = whole || value["reset"] == Value::Bool(true);
        if reset {
            self.books.insert(topic.into(), Book::default());
        }
        let Some(book) = self.books.get_mut(topic) else {
            return format!("{changed} levels changed (no snapshot seen)");
        };
        let mut diff = BookDiff { reset, bids, asks, stamps: Stamps::default() };
        if let Err(error) = book.apply(&mut diff, LEVELS_MAX) {
            return format!("cannot be applied: {error}");
        }
        let top = |side| {
            book.best(side).map_or_else(
                || "none".to_owned(),
                |level| format!("{:>12} × {}", level.price.to_string(), level.size),
            )
        };
        let words = if whole { "levels" } else { "changed" };
        let mut line = format!(
            "bid {:<24}  ask {:<24}  {changed} {words}",
            top(BookSide::Bid),
            top(BookSide::Ask),
        );
        let claimed = value["checksum"].as_u64().or_else(|| text(&value["checksum"]).parse().ok());
        if claimed.is_some_and(|claimed| claimed != u64::from(book.checksum())) {
            line.push_str("  WRONG CHECKSUM");
        }
        line
    }
}

/// `[["64000.10","0.5"],…]`, or `None` when it is anything else.
fn levels(value: &Value) -> Option<Vec<Level>> {
    if value.is_null() {
        return Some(Vec::new());
    }
    let decimal = |value: &Value| Decimal::parse(value.as_str()?).ok();
    let level =
        |pair: &Value| Some(Level { price: decimal(pair.get(0)?)?, size: decimal(pair.get(1)?)? });
    value.as_array()?.iter().map(level).collect()
}

/// A field without the quotes of a string; nothing for one that is not there.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The time of day in UTC, to the microsecond.
fn clock(nanoseconds: u64) -> String {
    let microseconds = nanoseconds / 1_000;
    let seconds = microseconds / 1_000_000;
    format!(
        "{:02}:{:02}:{:02}.{:06}",
        seconds / 3_600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        microseconds % 1_000_000,
    )
}

#[cfg(test)]
mod tests {
    use client::Data;

    use super::*;

    const NOON: u64 = 1_790_000_000_000_000_000 / 86_400_000_000_000 * 86_400_000_000_000
        + 43_200_000_000_000
        + 123_456_789;

    fn event(topic: &str, data: &str) -> Event {
        let data = Data::from_json(data).unwrap();
        Event { topic: topic.into(), seq: 9, ts: NOON, from: 9, merged: 1, epoch: None, data }
    }

    fn snapshot(topic: &str, data: &str) -> Snapshot {
        let data = Data::from_json(data).unwrap();
        Snapshot { topic: topic.into(), epoch: "e".into(), seq: 8, ts: NOON, data }
    }

    #[test]
    fn each_kind_has_its_words() {
        let mut renderer = Renderer::default();
        let trade = r#"{"price":"64000.10","size":"0.25","side":"buy","trade_id":"1"}"#;
        assert_eq!(
            renderer.event(&event("trade.sim.BTC-USD", trade)),
            "12:00:00.123456  trade.sim.BTC-USD  buy      64000.10 × 0.25"
        );
        let quote = r#"{"bid_price":"1.0","bid_size":"2","ask_price":null,"ask_size":null}"#;
        assert_eq!(
            renderer.event(&Event { from: 5, merged: 5, ..event("quote.x.A", quote) }),
            "12:00:00.123456  quote.x.A          \
             bid          1.0 × 2          ask none  [5 in one, from 5]"
        );
        let best = r#"{"bid_price":"1.0","bid_size":"2","bid_venue":"x","ask_price":null,"ask_size":null,"ask_venue":null,"venues":1}"#;
        let line = renderer.event(&event("nbbo.A", best));
        assert!(line.ends_with("bid          1.0 × 2 @x       ask none"), "{line}");
        assert!(renderer.event(&event("nbbo.A", r#"{"a":1}"#)).ends_with(r#"{"a":1}"#));
        let status = r#"{"state":"down","reason":"no route"}"#;
        assert!(renderer.event(&event("status.sim", status)).ends_with("down   no route"));
        let bar = r#"{"open":"1","high":"3","low":"0.5","close":"2","volume":"10","trades":4}"#;
        assert!(
            renderer.event(&event("bar-1s.sim.A", bar)).contains("close 2  volume 10  trades 4")
        );
        assert!(
            renderer.event(&event("chat.a", r#"{"z":1,"a":[2]}"#)).ends_with(r#"{"z":1,"a":[2]}"#)
        );
        assert!(renderer.event(&event("trade.odd", "[1]")).ends_with("[1]"));
    }

    #[test]
    fn a_book_is_followed_and_proved() {
        let mut renderer = Renderer::default();
        let diff = r#"{"bids":[["10.00","0"]],"asks":[]}"#;
        let line = renderer.event(&event("book.sim.A", diff));
        assert!(line.contains("1 levels changed (no snapshot seen)"), "{line}");
        let full = r#"{"bids":[["10.00","1"],["9.99","4"]],"asks":[["10.01","2"]]}"#;
        let line = renderer.snapshot(&snapshot("book.sim.A", full));
        assert!(line.contains("10.00 × 1 ") && line.contains("3 levels  [snapshot]"), "{line}");
        let line = renderer.event(&event("book.sim.A", diff));
        assert!(line.contains("9.99 × 4 ") && line.ends_with("1 changed"), "{line}");
        let wrong = r#"{"bids":[],"asks":[["10.01","3"]],"checksum":1}"#;
        assert!(renderer.event(&event("book.sim.A", wrong)).ends_with("WRONG CHECKSUM"));
        let first =
            Event { from: 1, seq: 1, ..event("book.new.A", r#"{"bids":[],"asks":[["7","1"]]}"#) };
        assert!(renderer.event(&first).contains("7 × 1 "));
        let gap = Gap {
            topic: "book.sim.A".into(),
            from: 3,
            to: 7,
            reason: "history".into(),
            epoch: None,
        };
        assert!(renderer.gap(&gap).ends_with("GAP: 5 events lost, 3 to 7 (history)"));
        assert!(renderer.event(&event("book.sim.A", diff)).contains("no snapshot seen"));
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let mut renderer = Renderer::default();
        let line =
            renderer.event(&event("status.x", "{\"state\":\"\\u001b[2J\",\"reason\":\"\u{9b}\"}"));
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}
