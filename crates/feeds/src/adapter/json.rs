//! A forward-only reader of JSON: what a venue's message holds, in the order in which it is written,
//! with numbers as their own text and nothing copied.

mod pairs;
mod search;
mod seen;

use std::fmt;

use market::Decimal;

use self::search::quote_or_escape;
use self::seen::Seen;
use super::exponent;

/// Deepest nesting of lists and objects.
const DEPTH_MAX: u32 = 64;

/// Up to this length a message is found to be UTF-8 at once; of a longer one, only the texts that
/// are asked for are looked at: most of it are numbers.
const WHOLE_BYTES: usize = 4096;

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
///
/// Venues write compactly and always in the same order, so every call tries that first, and does
/// the general thing where it does not apply. [`Reader::literal`] lets an adapter do the same for
/// what it meets most.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    text: &'a [u8],
    /// The same, where all of it is known to be UTF-8; else empty.
    utf8: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Begins with `message`.
    #[must_use]
    pub fn new(message: &'a [u8]) -> Self {
        let whole = message.len() <= WHOLE_BYTES;
        let utf8 = if whole { std::str::from_utf8(message).unwrap_or_default() } else { "" };
        Self { text: message, utf8, at: 0, depth: 0 }
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
    #[inline(always)]
    pub fn peek(&mut self) -> Option<u8> {
        match self.text.get(self.at) {
            // Venues write no white space, so the first look is nearly always right.
            Some(&byte) if byte > b' ' => Some(byte),
            _ => self.peek_past_white_space(),
        }
    }

    #[cold]
    fn peek_past_white_space(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    #[inline(always)]
    fn take(&mut self, byte: u8, expected: &'static str) -> Result<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.wrong(expected))
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.wrong("no deeper nesting")) } else { Ok(()) }
    }

    /// Takes `text`, if that is what stands here, byte for byte. It may be several marks, keys and
    /// beginnings of values in a row, `{"side":"bid","price":"`; where it is not found, nothing is
    /// taken, and the general calls read what is there. Whoever takes the beginning of a list or
    /// an object with it must take its end with it too.
    #[inline]
    pub fn literal(&mut self, text: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// Gives `take` the bytes from here on; it says what it made of them and how many it took, or
    /// `None` where they are not what it knows, and nothing is taken. For whole values that nearly
    /// always look the same.
    #[inline]
    pub fn quick<T>(&mut self, take: impl FnOnce(&'a [u8]) -> Option<(T, usize)>) -> Option<T> {
        let rest = self.rest();
        let (value, length) = take(rest)?;
        self.at += length.min(rest.len());
        Some(value)
    }

    /// The bytes from here to the end of the message.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Reads an object: `member` is given each key, and must take its value. A key with escapes
    /// comes as it is written, and so is none that anybody knows.
    ///
    /// # Errors
    /// That of `member`, or where the text is no object, or where one of its first members comes
    /// again: which of the two was meant, nobody knows.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Result<()>,
    ) -> Result<()> {
        let mut seen = Seen::default();
        self.members(|reader, key| {
            if seen.again(key) {
                return Err(reader.wrong("each member once"));
            }
            member(reader, key)
        })
    }

    /// As [`Reader::object`], without a look at keys that come again.
    fn members(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Result<()>) -> Result<()> {
        self.take(b'{', "an object")?;
        self.enter()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let start = self.at;
                let key = self.string().or_else(|_| self.any_key(start))?;
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

    #[cold]
    fn any_key(&mut self, start: usize) -> Result<&'a str> {
        self.at = start;
        let key = self.raw_string()?;
        std::str::from_utf8(key).map_err(|_| self.wrong("a text in UTF-8"))
    }

    /// Takes `"name":`, if that is what stands here.
    #[inline(always)]
    fn key(&mut self, name: &str) -> bool {
        let start = self.at;
        let found = self.literal(b"\"") && self.literal(name.as_bytes()) && self.literal(b"\":");
        if !found {
            self.at = start;
        }
        found
    }

    /// A text without escapes, as it is written between its quotes.
    ///
    /// # Errors
    /// Where there is no text, one with an escape, or one that is not UTF-8.
    pub fn string(&mut self) -> Result<&'a str> {
        self.take(b'"', "a text")?;
        let rest = self.rest();
        match quote_or_escape(rest) {
            Some(length) if rest[length] == b'"' => {
                let text = match self.utf8.get(self.at..self.at + length) {
                    Some(text) => text,
                    None => std::str::from_utf8(&rest[..length])
                        .map_err(|_| self.wrong("a text in UTF-8"))?,
                };
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
        let rest = self.rest();
        let length = rest.iter().position(|byte| !in_number(*byte)).unwrap_or(rest.len());
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
        let quoted = self.peek() == Some(b'"');
        let at = self.at;
        let start = at + usize::from(quoted);
        let mut value = 0_u64;
        let mut end = start;
        while let Some(digit @ b'0'..=b'9') = self.text.get(end) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            end += 1;
        }
        // Nineteen digits always fit.
        if (1..=19).contains(&(end - start)) && self.ends_number(quoted, end) {
            return Ok(value);
        }
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
    #[inline(always)]
    pub fn decimal(&mut self) -> Result<Decimal> {
        let quoted = self.peek() == Some(b'"');
        let start = self.at + usize::from(quoted);
        match Decimal::leading(&self.text[start..]) {
            Some((value, length)) if self.ends_number(quoted, start + length) => Ok(value),
            _ => self.any_decimal(),
        }
    }

    #[cold]
    fn any_decimal(&mut self) -> Result<Decimal> {
        self.peek();
        let at = self.at;
        let digits = self.digits()?;
        Decimal::parse(digits)
            .or_else(|_| exponent::decimal(digits).ok_or(()))
            .map_err(|()| JsonError { at, expected: "a decimal number" })
    }

    /// Whether a number ends at `end`; if so, it is taken, and the quote behind it.
    #[inline(always)]
    fn ends_number(&mut self, quoted: bool, end: usize) -> bool {
        let next = self.text.get(end).copied();
        let ends = if quoted { next == Some(b'"') } else { !next.is_some_and(in_number) };
        if ends {
            self.at = end + usize::from(quoted);
        }
        ends
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
            Some(b'{') => self.members(|reader, _| reader.skip()),
            Some(b'[') => self.list(Self::skip),
            Some(b'"') => self.raw_string().map(drop),
            Some(b't' | b'f') => self.boolean().map(drop),
            Some(b'n') if self.null() => Ok(()),
            _ => self.number().map(drop),
        }
    }

    /// What stands between the quotes of a text, escapes and all.
    fn raw_string(&mut self) -> Result<&'a [u8]> {
        self.take(b'"', "a text")?;
        let start = self.at;
        loop {
            let rest = self.rest();
            match quote_or_escape(rest) {
                Some(length) if rest[length] == b'"' => {
                    self.at += length + 1;
                    return Ok(&self.text[start..self.at - 1]);
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

/// Whether a byte may be part of a number.
fn in_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

#[cfg(test)]
mod tests;
