//! A forward-only reader of JSON: what a venue's message holds, in the order in which it is written,
//! with numbers as their own text and nothing copied.

use std::fmt;

use market::Decimal;
use memchr::memchr2;

use super::exponent;

/// Deepest nesting of lists and objects.
const DEPTH_MAX: u32 = 64;

/// Where a message stops being what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Byte offset in the message.
    pub at: usize,
    /// What would have been right there.
    pub expected: &'static str,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.at)
    }
}

impl std::error::Error for JsonError {}

/// What [`Reader`] gives.
pub type Result<T> = std::result::Result<T, JsonError>;

/// Reads one message from front to back.
///
/// Each call takes exactly one value; a caller that wants none of it calls [`Reader::skip`].
/// Texts come as they are written: none of what venues send that matters here (symbols, numbers,
/// ids, times) has escapes, so a text with one is an error where a text is asked for.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Begins with `message`.
    #[must_use]
    pub fn new(message: &'a [u8]) -> Self {
        Self { text: message, at: 0, depth: 0 }
    }

    /// Reads all of `message`: the one value that `read` takes, and nothing after it.
    ///
    /// # Errors
    /// That of `read`, or where something follows.
    pub fn all<T>(message: &'a [u8], read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mut reader = Self::new(message);
        let value = read(&mut reader)?;
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(reader.wrong("the end of the message")),
        }
    }

    /// The error for what stands here.
    #[must_use]
    pub fn wrong(&self, expected: &'static str) -> JsonError {
        JsonError { at: self.at, expected }
    }

    /// The first byte of the next value, which tells its type; `None` at the end.
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<()> {
        // Venues write no white space, so the first look is nearly always right.
        if self.text.get(self.at) == Some(&byte) || self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.wrong(expected))
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.wrong("no deeper nesting")) } else { Ok(()) }
    }

    /// Reads an object: `member` is given each key, and must take its value.
    ///
    /// # Errors
    /// That of `member`, or where the text is no object.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Result<()>,
    ) -> Result<()> {
        self.take(b'{', "an object")?;
        self.enter()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let key = self.string()?;
                self.take(b':', "a colon")?;
                member(self, key)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(self.wrong("a comma or the end of the object")),
                }
                self.peek();
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a list: `element` must take each value.
    ///
    /// # Errors
    /// That of `element`, or where the text is no list.
    pub fn list(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.take(b'[', "a list")?;
        self.enter()?;
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                element(self)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(self.wrong("a comma or the end of the list")),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a pair of decimals, `["64000.10","0.25"]`, and skips what follows them in the list.
    ///
    /// # Errors
    /// Where the text is no such list.
    pub fn pair(&mut self) -> Result<(Decimal, Decimal)> {
        self.take(b'[', "a list of price and size")?;
        let first = self.decimal()?;
        self.take(b',', "a comma")?;
        let second = self.decimal()?;
        while self.peek() == Some(b',') {
            self.at += 1;
            self.skip()?;
        }
        self.take(b']', "the end of the list")?;
        Ok((first, second))
    }

    /// A text without escapes, as it is written between its quotes.
    ///
    /// # Errors
    /// Where there is no text, one with an escape, or one that is not UTF-8.
    pub fn string(&mut self) -> Result<&'a str> {
        self.take(b'"', "a text")?;
        let rest = &self.text[self.at..];
        match memchr2(b'"', b'\\', rest) {
            Some(length) if rest[length] == b'"' => {
                let text = std::str::from_utf8(&rest[..length])
                    .map_err(|_| self.wrong("a text in UTF-8"))?;
                self.at += length + 1;
                Ok(text)
            }
            Some(_) => Err(self.wrong("a text without escapes")),
            None => Err(self.wrong("the end of a text")),
        }
    }

    /// A text or `null`.
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn string_or_null(&mut self) -> Result<Option<&'a str>> {
        if self.null() { Ok(None) } else { self.string().map(Some) }
    }

    /// Takes a `null`, if there is one.
    pub fn null(&mut self) -> bool {
        let null = self.peek() == Some(b'n') && self.text[self.at..].starts_with(b"null");
        self.at += if null { 4 } else { 0 };
        null
    }

    /// A number as it is written.
    ///
    /// # Errors
    /// Where there is no number.
    pub fn number(&mut self) -> Result<&'a str> {
        self.peek();
        let rest = &self.text[self.at..];
        let length = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        match std::str::from_utf8(&rest[..length]) {
            Ok(text) if rest.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-') => {
                self.at += length;
                Ok(text)
            }
            _ => Err(self.wrong("a number")),
        }
    }

    /// A number, or a text that holds one: the digits as they are written.
    ///
    /// # Errors
    /// Where there is neither.
    pub fn digits(&mut self) -> Result<&'a str> {
        if self.peek() == Some(b'"') { self.string() } else { self.number() }
    }

    /// A whole number that is not negative, bare or in a text.
    ///
    /// # Errors
    /// Where there is none, or one beyond 64 bits.
    pub fn unsigned(&mut self) -> Result<u64> {
        let at = self.at;
        self.digits()?.parse().map_err(|_| JsonError { at, expected: "a whole number" })
    }

    /// A whole number, bare or in a text.
    ///
    /// # Errors
    /// Where there is none, or one beyond 64 bits.
    pub fn signed(&mut self) -> Result<i64> {
        let at = self.at;
        self.digits()?.parse().map_err(|_| JsonError { at, expected: "a whole number" })
    }

    /// A decimal, bare or in a text, with its digits as they are written. An exponent is read
    /// exactly: `1e-8` is `0.00000001`.
    ///
    /// # Errors
    /// Where there is none, or one with more digits than can be kept.
    pub fn decimal(&mut self) -> Result<Decimal> {
        self.peek();
        let at = self.at;
        let digits = self.digits()?;
        Decimal::parse(digits)
            .or_else(|_| exponent::decimal(digits).ok_or(()))
            .map_err(|()| JsonError { at, expected: "a decimal number" })
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Where there is neither.
    pub fn boolean(&mut self) -> Result<bool> {
        self.peek();
        let rest = &self.text[self.at..];
        let (value, length) = match rest {
            _ if rest.starts_with(b"true") => (true, 4),
            _ if rest.starts_with(b"false") => (false, 5),
            _ => return Err(self.wrong("true or false")),
        };
        self.at += length;
        Ok(value)
    }

    /// Passes over one value, whatever it is.
    ///
    /// # Errors
    /// Where there is none that is well formed.
    pub fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'{') => self.object(|reader, _| reader.skip()),
            Some(b'[') => self.list(Self::skip),
            Some(b'"') => self.skip_string(),
            Some(b't' | b'f') => self.boolean().map(drop),
            Some(b'n') if self.null() => Ok(()),
            _ => self.number().map(drop),
        }
    }

    fn skip_string(&mut self) -> Result<()> {
        self.take(b'"', "a text")?;
        loop {
            let rest = &self.text[self.at..];
            match memchr2(b'"', b'\\', rest) {
                Some(length) if rest[length] == b'"' => {
                    self.at += length + 1;
                    return Ok(());
                }
                Some(length) if length + 1 < rest.len() => self.at += length + 2,
                _ => return Err(self.wrong("the end of a text")),
            }
        }
    }

    /// One value as it is written.
    ///
    /// # Errors
    /// Where there is none that is well formed.
    pub fn raw(&mut self) -> Result<&'a [u8]> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_in_its_own_order_and_numbers_keep_their_digits() {
        let message = br#" { "s" : "BTC-USD", "b":[["1.50","0"],[2,3.0,"0","7"]], "x":{"y":[null,"\"",true,-1e5]},"u":18446744073709551615 } "#;
        let (mut symbol, mut levels, mut id) = ("", Vec::new(), 0);
        Reader::all(message, |reader| {
            reader.object(|reader, key| {
                match key {
                    "s" => symbol = reader.string()?,
                    "b" => reader.list(|reader| {
                        levels.push(reader.pair()?);
                        Ok(())
                    })?,
                    "u" => id = reader.unsigned()?,
                    _ => reader.skip()?,
                }
                Ok(())
            })
        })
        .unwrap();
        assert_eq!((symbol, id), ("BTC-USD", u64::MAX));
        let texts: Vec<_> = levels.iter().map(|(price, size)| format!("{price} {size}")).collect();
        assert_eq!(texts, ["1.50 0", "2 3.0"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (message, at) in [
            ("", 0),
            ("{", 1),
            ("{}x", 2),
            ("[1,]", 3),
            (r#"{"a"}"#, 4),
            (r#"{"a":1,}"#, 7),
            (r#"["a"#, 2),
            ("[tru]", 1),
            ("[1 2]", 3),
            ("[nul]", 1),
        ] {
            let error = Reader::all(message.as_bytes(), Reader::skip).unwrap_err();
            assert_eq!(error.at, at, "{message}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(Reader::all(deep.as_bytes(), Reader::skip).is_err());
    }
}
