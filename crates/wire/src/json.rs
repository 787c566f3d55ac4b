//! Opaque JSON kept as text: cut out of a message unchanged, so that no number loses a digit.

use serde::{Serialize, Serializer};

/// One valid JSON value as compact text, exactly as its publisher wrote it but for white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// Reads one JSON value.
    ///
    /// # Errors
    /// Where the text is none.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let value: &serde_json::value::RawValue = serde_json::from_str(text)?;
        Ok(Self::from_valid(value.get()))
    }

    /// Takes text that our own code wrote as one compact JSON value. It is not read again but in
    /// debug builds.
    #[must_use]
    pub fn written(text: String) -> Self {
        debug_assert!(Self::parse(&text).is_ok_and(|read| *read.0 == *text), "{text}");
        Self(text.into())
    }

    /// Takes text that a JSON parser has accepted as one value; white space outside strings goes.
    pub(crate) fn from_valid(text: &str) -> Self {
        let bytes = text.as_bytes();
        // Copied in whole runs: `from` is where the next one begins.
        let (mut compact, mut from, mut at) = (String::new(), 0, 0);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at += string_end(&bytes[at..]),
                b' ' | b'\t' | b'\n' | b'\r' => {
                    compact.push_str(&text[from..at]);
                    at += 1;
                    from = at;
                }
                _ => at += 1,
            }
        }
        if from == 0 {
            return Self(text.into());
        }
        compact.push_str(&text[from..]);
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

/// The text of the value of member number `index`, from 0, of the `count` members of `object`,
/// which must be one valid JSON object.
pub(crate) fn member(object: &str, index: usize, count: usize) -> Option<&str> {
    let bytes = object.as_bytes();
    let mut at = 0;
    for _ in 0..index {
        let start = value_start(bytes, at)?;
        at = start + value_end(&bytes[start..]);
    }
    let start = value_start(bytes, at)?;
    let end = if index + 1 == count {
        // Nothing but the object's own bracket follows, so a long value need not be looked at.
        object.rfind('}').filter(|&end| end >= start)?
    } else {
        start + value_end(&bytes[start..])
    };
    Some(object[start..end].trim_ascii())
}

/// Where the value of the next member from `at` on begins.
fn value_start(object: &[u8], at: usize) -> Option<usize> {
    let key = at + object[at..].iter().position(|&byte| byte == b'"')?;
    let key_end = key + string_end(&object[key..]);
    let colon = object[key_end..].iter().position(|&byte| byte == b':')?;
    Some(key_end + colon + 1)
}

/// The length of the string that starts, with its quote, at `text[0]`.
fn string_end(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(next) = text.get(at..).and_then(quote_or_backslash) {
        at += next;
        if text[at] == b'"' {
            return at + 1;
        }
        // A backslash and what it escapes.
        at += 2;
    }
    text.len()
}

/// Where the first quote or backslash stands. Names and words end within the first few words of
/// eight bytes, before memchr would have made ready; what is longer is left to it.
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const WORDS: usize = 4;
    // The high bit of the lowest byte that is zero, and perhaps of some above it.
    let zeros = |word: u64| word.wrapping_sub(EACH) & !word & (EACH << 7);
    let (words, _) = text.as_chunks::<8>();
    for (index, word) in words.iter().take(WORDS).enumerate() {
        let word = u64::from_le_bytes(*word);
        let found =
            zeros(word ^ (EACH * u64::from(b'"'))) | zeros(word ^ (EACH * u64::from(b'\\')));
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let seen = words.len().min(WORDS) * 8;
    memchr::memchr2(b'"', b'\\', &text[seen..]).map(|further| seen + further)
}

/// True for what decides where a value ends: quotes, brackets and commas.
const STRUCTURE: [bool; 256] = {
    let mut table = [false; 256];
    let (structure, mut index) = (b"\"{}[],", 0);
    while index < structure.len() {
        table[structure[index] as usize] = true;
        index += 1;
    }
    table
};

/// Where the value that `text` starts with ends: at the `,` or closing bracket after it.
fn value_end(text: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(next) = text[at..].iter().position(|&byte| STRUCTURE[usize::from(byte)]) {
        at += next;
        match text[at] {
            b'"' => {
                at += string_end(&text[at..]);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b',' if depth > 0 => {}
            _ => return at,
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
    fn only_one_whole_value_is_taken() {
        assert_eq!(JsonText::parse(" {\"a\": 1.10} ").unwrap().as_str(), "{\"a\":1.10}");
        for text in ["", "{", "{} {}", "nul", "{\"a\":}"] {
            assert!(JsonText::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_member_is_found_whatever_surrounds_it() {
        let object = r#" {"data2":{"data":1},"s":"\"data\":9,}","data" : [1,{"x":"]"}] ,"z": 0 } "#;
        let expected = [r#"{"data":1}"#, r#""\"data\":9,}""#, r#"[1,{"x":"]"}]"#, "0"];
        for (index, value) in expected.into_iter().enumerate() {
            assert_eq!(member(object, index, 4), Some(value));
        }
        assert_eq!(member(object, 4, 5), None);
        assert_eq!(member("{}", 0, 1), None);
        assert_eq!(member(r#"{"d":"}"}"#, 0, 1), Some("\"}\""));
    }

    #[test]
    fn strings_of_all_lengths_end_at_their_quote() {
        for length in 0..100 {
            for escape in ["", "\\\"", "\\\\"] {
                let text = format!("\"{}é{escape}\"", "x".repeat(length));
                assert_eq!(string_end(format!("{text}, \"more\"").as_bytes()), text.len());
                assert_eq!(string_end(text.as_bytes()), text.len());
            }
        }
    }
}
