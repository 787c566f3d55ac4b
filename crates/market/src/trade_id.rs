//! The id of an execution: text that stays inside the event as long as it is of a usual length.

use std::fmt;
use std::ops::Deref;

use arrayvec::ArrayString;

/// What a UUID has, the longest form that venues give.
const INLINE_BYTES: usize = 36;

/// A venue's id of an execution, as text: ids above 2^53 and UUIDs both exist.
///
/// Up to 36 bytes, which covers every venue spoken here, nothing is allocated for it. A trade with
/// one is no larger than a bar, so an [`Event`](crate::Event) does not grow by it.
#[derive(Clone)]
pub struct TradeId(Held);

#[derive(Clone)]
enum Held {
    Inline(ArrayString<INLINE_BYTES>),
    Heap(Box<str>),
}

impl TradeId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Held::Inline(text) => text,
            Held::Heap(text) => text,
        }
    }

    /// Bytes that it holds outside of itself: 0 for all but the longest.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Held::Inline(_) => 0,
            Held::Heap(text) => text.len(),
        }
    }
}

impl From<&str> for TradeId {
    #[inline]
    fn from(text: &str) -> Self {
        Self(match ArrayString::from(text) {
            Ok(short) => Held::Inline(short),
            Err(_) => Held::Heap(text.into()),
        })
    }
}

impl From<String> for TradeId {
    fn from(text: String) -> Self {
        if text.len() > INLINE_BYTES {
            Self(Held::Heap(text.into_boxed_str()))
        } else {
            Self::from(text.as_str())
        }
    }
}

impl Default for TradeId {
    fn default() -> Self {
        Self(Held::Inline(ArrayString::new()))
    }
}

impl Deref for TradeId {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for TradeId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for TradeId {}

impl fmt::Display for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for TradeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bar, Trade};

    #[test]
    fn every_text_comes_back_and_the_usual_ones_stay_inside() {
        for (text, heap) in [
            ("", 0),
            ("4990312774", 0),
            ("1f0a9c2e-55d1-4a3b-9b7e-0c6d2f8e4a11", 0),
            ("1f0a9c2e-55d1-4a3b-9b7e-0c6d2f8e4a11x", 37),
            ("handel-nummer-äöü-0123456789-0123456789", 42),
        ] {
            let id = TradeId::from(text);
            assert_eq!((id.as_str(), id.heap_bytes()), (text, heap));
            assert_eq!(id, TradeId::from(text.to_owned()));
            assert_eq!(format!("{id} {id:?}"), format!("{text} {text:?}"));
        }
        assert_ne!(TradeId::from("1"), TradeId::from("2"));
        assert_eq!(TradeId::default().as_str(), "");
    }

    #[test]
    fn an_event_does_not_grow_by_it() {
        assert!(size_of::<Trade>() <= size_of::<Bar>());
    }
}
