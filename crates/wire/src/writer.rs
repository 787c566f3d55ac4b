//! The two encodings as one set of strokes: maps, lists, texts and numbers appended to a buffer.
//!
//! Events and snapshots are written with these and not through serde: their fields are known, and
//! most of their texts are known to need no escaping, so that looking at each byte is spared.

use market::{Decimal, Nanos};
use serde::Serialize;

use crate::JsonText;

/// Appends values one after the other. Whoever calls says before how long a map or list is.
pub(crate) trait Writer {
    fn map(&mut self, entries: usize);
    /// A key of the map begun last; its value comes next. Must need no escaping.
    fn key(&mut self, key: &'static str);
    fn end_map(&mut self);

    fn list(&mut self, length: usize);
    /// Stands before each element of a list.
    fn element(&mut self);
    fn end_list(&mut self);

    /// Any text.
    fn text(&mut self, text: &str);
    /// Text without quotes, backslashes and control characters.
    fn plain(&mut self, text: &str);
    fn number(&mut self, number: u64);
    fn truth(&mut self);
    fn null(&mut self);
    /// A string in JSON (JavaScript cannot hold it), an integer in MessagePack.
    fn stamp(&mut self, stamp: Nanos);
    fn opaque(&mut self, text: &JsonText);
    /// As a string, in every codec.
    fn decimal(&mut self, decimal: Decimal);

    /// A 64-bit number as text, in every codec.
    #[inline]
    fn number_as_text(&mut self, number: u64) {
        self.plain(itoa::Buffer::new().format(number));
    }
}

const TAKES_ALL: &str = "a Vec takes every byte";

/// JSON text.
pub(crate) struct Json<'a>(pub(crate) &'a mut Vec<u8>);

impl Json<'_> {
    /// A comma, unless this is the first after `open`. No value ends with an opening bracket:
    /// strings end with their quote.
    #[inline]
    fn next_after(&mut self, open: u8) {
        if self.0.last() != Some(&open) {
            self.0.push(b',');
        }
    }

    #[inline]
    fn quoted(&mut self, text: &[u8]) {
        self.0.push(b'"');
        self.0.extend_from_slice(text);
        self.0.push(b'"');
    }
}

impl Writer for Json<'_> {
    #[inline]
    fn map(&mut self, _entries: usize) {
        self.0.push(b'{');
    }

    #[inline]
    fn key(&mut self, key: &'static str) {
        self.next_after(b'{');
        self.plain(key);
        self.0.push(b':');
    }

    #[inline]
    fn end_map(&mut self) {
        self.0.push(b'}');
    }

    #[inline]
    fn list(&mut self, _length: usize) {
        self.0.push(b'[');
    }

    #[inline]
    fn element(&mut self) {
        self.next_after(b'[');
    }

    #[inline]
    fn end_list(&mut self) {
        self.0.push(b']');
    }

    fn text(&mut self, text: &str) {
        // Without a way out of the loop, so that it looks at many bytes at once.
        let special = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
        if text.bytes().fold(false, |found, byte| found | special(byte)) {
            serde_json::to_writer(&mut *self.0, text).expect(TAKES_ALL);
        } else {
            self.plain(text);
        }
    }

    #[inline]
    fn plain(&mut self, text: &str) {
        self.quoted(text.as_bytes());
    }

    #[inline]
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn truth(&mut self) {
        self.0.extend_from_slice(b"true");
    }

    fn null(&mut self) {
        self.0.extend_from_slice(b"null");
    }

    #[inline]
    fn stamp(&mut self, stamp: Nanos) {
        self.number_as_text(stamp);
    }

    /// Goes out as it came in, digit for digit.
    fn opaque(&mut self, text: &JsonText) {
        self.0.extend_from_slice(text.as_str().as_bytes());
    }

    #[inline]
    fn decimal(&mut self, decimal: Decimal) {
        decimal.with_ascii(|text| self.quoted(text));
    }
}

/// MessagePack, with each value in its shortest form.
pub(crate) struct MessagePack<'a>(pub(crate) &'a mut Vec<u8>);

/// Lengths of more than 32 bits cannot be said; no message comes near.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Writer for MessagePack<'_> {
    fn map(&mut self, entries: usize) {
        rmp::encode::write_map_len(self.0, length(entries)).expect(TAKES_ALL);
    }

    #[inline]
    fn key(&mut self, key: &'static str) {
        self.plain(key);
    }

    fn end_map(&mut self) {}

    fn list(&mut self, items: usize) {
        rmp::encode::write_array_len(self.0, length(items)).expect(TAKES_ALL);
    }

    fn element(&mut self) {}

    fn end_list(&mut self) {}

    #[inline]
    fn text(&mut self, text: &str) {
        self.plain(text);
    }

    #[inline]
    fn plain(&mut self, text: &str) {
        rmp::encode::write_str(self.0, text).expect(TAKES_ALL);
    }

    fn number(&mut self, number: u64) {
        rmp::encode::write_uint(self.0, number).expect(TAKES_ALL);
    }

    fn truth(&mut self) {
        rmp::encode::write_bool(self.0, true).expect(TAKES_ALL);
    }

    fn null(&mut self) {
        rmp::encode::write_nil(self.0).expect(TAKES_ALL);
    }

    fn stamp(&mut self, stamp: Nanos) {
        self.number(stamp);
    }

    fn opaque(&mut self, text: &JsonText) {
        let mut serializer = rmp_serde::Serializer::new(&mut *self.0);
        text.serialize(&mut serializer).expect(TAKES_ALL);
    }

    fn decimal(&mut self, decimal: Decimal) {
        decimal.with_ascii(|text| {
            rmp::encode::write_str_len(self.0, length(text.len())).expect(TAKES_ALL);
            self.0.extend_from_slice(text);
        });
    }
}
