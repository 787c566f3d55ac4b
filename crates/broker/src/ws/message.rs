//! A message that comes in fragments (RFC 6455 section 5.4), put together.

use super::{Incoming, Violation};

/// The fragments so far. Its size is bounded by the gate, which has judged the sum of all
/// fragments before this one is appended.
#[derive(Debug)]
pub(super) struct Message {
    bytes: Vec<u8>,
    /// For text: how many of `bytes` are known to be UTF-8. What is after it is the beginning of
    /// one character, so it is shorter than four bytes.
    text_checked: Option<usize>,
}

impl Message {
    pub(super) fn text() -> Self {
        Self { bytes: Vec::new(), text_checked: Some(0) }
    }

    pub(super) fn binary() -> Self {
        Self { bytes: Vec::new(), text_checked: None }
    }

    /// Adds the payload of the next fragment.
    ///
    /// # Errors
    /// 1007 as soon as a text can no longer become UTF-8, whatever comes: not with the last
    /// fragment, but with the one that shows it (RFC 6455 section 8.1).
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<(), Violation> {
        self.bytes.extend_from_slice(payload);
        let Some(checked) = &mut self.text_checked else { return Ok(()) };
        match std::str::from_utf8(&self.bytes[*checked..]) {
            Ok(text) => *checked += text.len(),
            Err(error) if error.error_len().is_none() => *checked += error.valid_up_to(),
            Err(_) => return Err(Violation::NOT_UTF8),
        }
        Ok(())
    }

    /// The whole message, after its last fragment.
    ///
    /// # Errors
    /// 1007 for a text that ends within a character.
    pub(super) fn complete(&mut self) -> Result<Incoming<'_>, Violation> {
        match self.text_checked {
            Some(checked) if checked < self.bytes.len() => Err(Violation::NOT_UTF8),
            Some(_) => Ok(Incoming::Text(&mut self.bytes)),
            None => Ok(Incoming::Binary(&mut self.bytes)),
        }
    }

    /// Bytes of memory that the message occupies.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
