//! Other forms of a recorded line than ours, as far as they can be told: what other recorders
//! write beside a message is a time, or nothing.

use market::Nanos;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use super::{Direction, Record};

/// Names that recorders give to the time at which a message came.
const TIMES: [&str; 8] =
    ["ts_ns", "ts", "time", "timestamp", "recv", "recv_ts", "received", "local_timestamp"];

/// Names that recorders give to the text of a message.
const TEXTS: [&str; 5] = ["raw", "data", "msg", "message", "payload"];

/// Reads a line that is not of our form.
///
/// # Errors
/// Where it is of no other that is known, or of one that is almost ours.
pub(super) fn parse(line: &str, ours: serde_json::Error) -> Result<Record, serde_json::Error> {
    let line = line.trim();
    if let Ok((time, raw)) = serde_json::from_str::<(&RawValue, String)>(line) {
        return received(time.get(), raw).ok_or_else(unknown);
    }
    let Ok(members) = serde_json::from_str::<Members<'_>>(line) else {
        // Lists are what some venues send.
        let list = serde_json::from_str::<Vec<&RawValue>>(line).map_err(|_| ours)?;
        return if list.is_empty() { Err(unknown()) } else { Ok(message(line)) };
    };
    let member = |name: &str| members.0.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw);
    if member("tickwire").is_some() {
        return Err(serde_json::Error::custom(
            "is a recording of a broker, not of a venue; \"tickwire replay\" plays it",
        ));
    }
    if member("dir").is_some() {
        return Err(ours);
    }
    let text = |name: &&str| serde_json::from_str::<String>(member(name)?.get()).ok();
    let time = TIMES.iter().find_map(|name| member(name));
    if let (Some(time), Some(raw)) = (time, TEXTS.iter().find_map(text)) {
        return received(time.get(), raw).ok_or_else(unknown);
    }
    let almost = ["ts_ns", "conn", "raw"].iter().any(|name| member(name).is_some());
    if almost || members.0.is_empty() { Err(unknown()) } else { Ok(message(line)) }
}

fn unknown() -> serde_json::Error {
    serde_json::Error::custom(
        "is of no form that is known: {\"ts_ns\":…,\"dir\":…,\"conn\":…,\"url\":…,\"raw\":\"…\"}, \
         {\"ts\":…,\"raw\":\"…\"}, [time,\"message\"], or what the venue sent and nothing else",
    )
}

/// The members of an object.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// What the venue sent, and nothing else.
fn message(line: &str) -> Record {
    record(None, line.to_owned())
}

fn received(time: &str, raw: String) -> Option<Record> {
    match time {
        "null" => Some(record(None, raw)),
        time => Some(record(Some(nanos(time.trim_matches('"'))?), raw)),
    }
}

fn record(ts_ns: Option<Nanos>, raw: String) -> Record {
    Record { ts_ns, dir: Direction::Recv, conn: String::new(), url: String::new(), raw }
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970: of this century, the digits
/// before the point tell which.
fn nanos(text: &str) -> Option<Nanos> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = match whole.len() {
        9 | 10 => 9,
        12 | 13 => 6,
        15 | 16 => 3,
        18 | 19 => 0,
        _ => return None,
    };
    if !(whole.bytes().chain(part.bytes())).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: String = part.chars().chain("000000000".chars()).take(digits).collect();
    format!("{whole}{part}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_forms_are_read_where_they_can_be_told() {
        const AT: Nanos = 1_790_000_000_123_456_789;
        const MESSAGE: &str = r#"{"stream":"a@trade","data":{"e":"trade"}}"#;
        let quoted = serde_json::Value::from(MESSAGE).to_string();
        for (line, time) in [
            (format!(r#"{{"ts":1790000000123456789,"raw":{quoted}}}"#), Some(AT)),
            (format!(r#"{{"raw":{quoted},"ts_ns":null}}"#), None),
            (format!(r#"{{"recv":1790000000.123456789,"data":{quoted}}}"#), Some(AT)),
            (format!(r#"{{"timestamp":"1790000000123.456789","msg":{quoted}}}"#), Some(AT)),
            (format!(r#" [1790000000123456,{quoted}]"#), Some(AT - 789)),
            (format!("[1790000000123,{quoted}]"), Some(AT - 456_789)),
            (MESSAGE.to_owned(), None),
        ] {
            let record = Record::parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!((record.ts_ns, record.dir, &*record.raw), (time, Direction::Recv, MESSAGE));
        }
        let list = r#"[993,[["1.0","2.0"]],"trade","A/USD"]"#;
        assert_eq!(Record::parse(list).map(|record| record.raw).ok().as_deref(), Some(list));
    }

    #[test]
    fn what_cannot_be_told_is_refused_with_the_forms_that_are_known() {
        for (line, words) in [
            ("{}", "no form that is known: {\"ts_ns\""),
            ("[]", "no form that is known"),
            (r#"{"ts_ns":1790000000000000000,"text":"x"}"#, "no form that is known"),
            (r#"{"ts":12,"raw":"x"}"#, "no form that is known"),
            (r#"["12","x"]"#, "no form that is known"),
            (r#"{"ts":1790000000,"dir":"up","raw":"x"}"#, "unknown variant `up`"),
            (r#"{"tickwire":"recording","version":1}"#, "tickwire replay"),
            ("7", "invalid type"),
            ("pong", "expected"),
        ] {
            let error = Record::parse(line).expect_err(line).to_string();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
