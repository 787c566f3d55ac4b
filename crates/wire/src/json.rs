//! Opaque JSON kept as text: cut out of a message unchanged, so that no number loses a digit.

use serde::{Serialize, Serializer};

/// One valid JSON value as compact text, exactly as its publisher wrote it but for white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// Takes text that a JSON parser has accepted as one value; white space outside strings goes.
    pub(crate) fn from_valid(text: &str) -> Self {
        let mut compact = String::with_capacity(text.len());
        let mut rest = text;
        // Copies whole runs: up to a quote, then the string as it is.
        while let Some(quote) = rest.find('"') {
            compact.extend(rest[..quote].split_ascii_whitespace());
            let end = quote + string_end(&rest.as_bytes()[quote..]);
            compact.push_str(&rest[quote..end]);
            rest = &rest[end..];
        }
        compact.extend(rest.split_ascii_whitespace());
        Self(compact.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for JsonText {
    /// Writes the value itself, whatever the format; not as a string.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut source = serde_json::Deserializer::from_str(&self.0);
        // The depth was bounded by the parser that accepted the text; serde's own bound is lower.
        source.disable_recursion_limit();
        serde_transcode::transcode(&mut source, serializer)
    }
}

/// The text of the value of `key` in `object`, which must be one valid JSON object.
pub(crate) fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let bytes = object.as_bytes();
    let mut at = bytes.iter().position(|&b| b == b'{')? + 1;
    loop {
        at += bytes[at..].iter().position(|&b| b == b'"' || b == b'}')?;
        if bytes[at] == b'}' {
            return None;
        }
        let name_end = at + string_end(&bytes[at..]);
        let name = &object[at + 1..name_end - 1];
        let colon = name_end + bytes[name_end..].iter().position(|&b| b == b':')?;
        let end = colon + 1 + value_end(&bytes[colon + 1..]);
        if name == key {
            return Some(object[colon + 1..end].trim_ascii());
        }
        at = end;
        if bytes.get(at) == Some(&b',') {
            at += 1;
        }
    }
}

/// The length of the string that starts, with its quote, at `text[0]`.
fn string_end(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(next) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += next;
        if text[at] == b'"' {
            return at + 1;
        }
        // A backslash and what it escapes.
        at += 2;
    }
    text.len()
}

/// Where the value that `text` starts with ends: at the `,` or closing bracket after it.
fn value_end(text: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => {
                at += string_end(&text[at..]);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_but_not_inside_strings() {
        let text = " { \"a b\" : [ 1.10 ,\n \" x \\\" y \" ] , \"c\":null } ";
        assert_eq!(JsonText::from_valid(text).as_str(), r#"{"a b":[1.10," x \" y "],"c":null}"#);
    }

    #[test]
    fn a_member_is_found_whatever_surrounds_it() {
        let object = r#" {"data2":{"data":1},"s":"\"data\":9,}","data" : [1,{"x":"]"}] ,"z":0}"#;
        assert_eq!(member(object, "data"), Some(r#"[1,{"x":"]"}]"#));
        assert_eq!(member(object, "z"), Some("0"));
        assert_eq!(member(object, "absent"), None);
        assert_eq!(member("{}", "data"), None);
        assert_eq!(member(r#"{"data":"x"}"#, "data"), Some("\"x\""));
    }
}
