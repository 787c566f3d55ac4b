//! The data of a recorded entry as it is published again: marked as replayed, and if it is asked
//! for with its times moved to now.

use std::fmt;

use market::{Flags, Nanos};
use serde::de::{self, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Data that is not what its topic should carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the data of {topic} {problem}")]
pub struct BadData {
    topic: String,
    problem: String,
}

/// How data is changed on its way out. Data of topics that are none of the market kinds is never
/// changed: nobody knows what it means.
#[derive(Debug, Clone, Copy, Default)]
pub struct Republish {
    /// Nanoseconds by which the times of events are moved; none when absent.
    pub shift: Option<i64>,
}

/// The fields that hold times.
const TIMES: [&str; 3] = ["ts_event", "ts_recv", "start"];

impl Republish {
    /// Appends the data of an event of `topic`. `whole` says that it is that of a snapshot, and
    /// `gap` that events before it are missing.
    ///
    /// # Errors
    /// Data of a market topic that is no object.
    pub fn data(
        self,
        topic: &str,
        data: &str,
        whole: bool,
        gap: bool,
        out: &mut String,
    ) -> Result<(), BadData> {
        let kind = topic.split('.').next().unwrap_or_default();
        let market =
            matches!(kind, "trade" | "quote" | "book" | "status") || kind.starts_with("bar-");
        if !market {
            out.push_str(data);
            return Ok(());
        }
        let bad = |problem: String| BadData { topic: topic.into(), problem };
        let members = members(data).map_err(|error| bad(format!("is no object: {error}")))?;
        let mut flags = Flags::REPLAYED;
        if gap {
            flags = flags.with(Flags::GAP_BEFORE);
        }
        out.push('{');
        if whole && kind == "book" {
            out.push_str("\"reset\":true,");
        }
        for (key, value) in members {
            let text = value.get();
            match &*key {
                // The broker makes its own.
                "checksum" if kind == "book" => continue,
                "reset" if whole => continue,
                "flags" => {
                    let known: Vec<String> = serde_json::from_str(text)
                        .map_err(|error| bad(format!("has bad flags: {error}")))?;
                    // Those that this version does not know are gone after the broker anyway.
                    flags =
                        known.iter().filter_map(|name| Flags::named(name)).fold(flags, Flags::with);
                    continue;
                }
                _ => {}
            }
            out.push_str(&serde_json::to_string(&key).expect("a text is JSON"));
            out.push(':');
            match self.shift.filter(|_| TIMES.contains(&&*key)).and_then(|by| moved(text, by)) {
                Some(time) => {
                    out.push('"');
                    out.push_str(&time.to_string());
                    out.push('"');
                }
                None => out.push_str(text),
            }
            out.push(',');
        }
        out.push_str("\"flags\":[");
        for (index, name) in flags.names().enumerate() {
            out.push_str(if index == 0 { "\"" } else { ",\"" });
            out.push_str(name);
            out.push('"');
        }
        out.push_str("]}");
        Ok(())
    }
}

/// A time, a number or one in a text, moved by so many nanoseconds.
fn moved(text: &str, by: i64) -> Option<Nanos> {
    let time: Nanos = text.trim_matches('"').parse().ok()?;
    Some(time.saturating_add_signed(by))
}

/// The members of an object, in order, with their values as they are written.
fn members(object: &str) -> Result<Vec<(String, &RawValue)>, serde_json::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::with_capacity(8);
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Err(E::custom("it is null"))
        }
    }
    let mut reader = serde_json::Deserializer::from_str(object);
    let members = reader.deserialize_map(Members)?;
    reader.end()?;
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(topic: &str, data: &str, whole: bool, gap: bool, shift: Option<i64>) -> String {
        let mut out = String::new();
        Republish { shift }.data(topic, data, whole, gap, &mut out).unwrap();
        out
    }

    #[test]
    fn market_data_is_marked_and_anything_else_is_left_alone() {
        for (topic, data, expected) in [
            ("chat.a", r#"{"a":1.10}"#, r#"{"a":1.10}"#),
            ("chat.a", "null", "null"),
            ("trade.x.A", r#"{"price":"1.10"}"#, r#"{"price":"1.10","flags":["replayed"]}"#),
            ("status.x", "{}", r#"{"flags":["replayed"]}"#),
            (
                "quote.x.A",
                r#"{"flags":["unverified","replayed","later"],"bid_price":null}"#,
                r#"{"bid_price":null,"flags":["unverified","replayed"]}"#,
            ),
            (
                "book.x.A",
                r#"{"bids":[["1.0","2"]],"asks":[],"checksum":7,"reset":true}"#,
                r#"{"bids":[["1.0","2"]],"asks":[],"reset":true,"flags":["replayed"]}"#,
            ),
        ] {
            assert_eq!(published(topic, data, false, false, None), expected);
            // What was replayed and recorded comes out the same again.
            assert_eq!(published(topic, expected, false, false, None), expected);
        }
    }

    #[test]
    fn a_snapshot_of_a_book_becomes_a_whole_book_and_a_gap_is_told() {
        assert_eq!(
            published("book.x.A", r#"{"bids":[],"asks":[],"checksum":0}"#, true, true, None),
            r#"{"reset":true,"bids":[],"asks":[],"flags":["gap_before","replayed"]}"#
        );
    }

    #[test]
    fn times_are_moved_where_that_is_asked_for() {
        assert_eq!(
            published(
                "bar-1s.x.A",
                r#"{"start":"1000","open":"1","ts_event":2000,"ts_recv":"5"}"#,
                false,
                false,
                Some(-10),
            ),
            r#"{"start":"990","open":"1","ts_event":"1990","ts_recv":"0","flags":["replayed"]}"#
        );
    }

    #[test]
    fn market_data_that_is_no_object_is_refused() {
        let mut out = String::new();
        for data in ["null", "[1]", "{", "{} {}", r#"{"flags":7}"#] {
            let error = Republish::default().data("trade.x.A", data, false, false, &mut out);
            assert!(error.unwrap_err().to_string().starts_with("the data of trade.x.A "), "{data}");
        }
    }
}
