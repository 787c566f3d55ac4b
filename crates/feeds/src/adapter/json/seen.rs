//! The keys of an object that were met, so that one that comes again is found.

use arrayvec::ArrayVec;

/// Keys that are kept; what venues write about books has fewer.
const KEYS_MAX: usize = 16;

/// The first keys of an object.
#[derive(Debug, Default)]
pub(super) struct Seen<'a> {
    /// One bit for each key, by a few of its bytes: most new keys are known by it alone.
    marks: u64,
    keys: ArrayVec<&'a str, KEYS_MAX>,
}

impl<'a> Seen<'a> {
    /// Takes the next key; true if it was there before.
    #[inline]
    pub(super) fn again(&mut self, key: &'a str) -> bool {
        let bytes = key.as_bytes();
        let (first, last) = (bytes.first().copied(), bytes.last().copied());
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        // Single letters, as Binance and Bybit have, differ in their first six bits, or are A and
        // a, B and b.
        let mix = usize::from(first) ^ usize::from(last >> 5) ^ bytes.len().wrapping_mul(7);
        let mark = 1 << (mix & 63);
        let met = self.marks & mark != 0 && self.keys.contains(&key);
        self.marks |= mark;
        // The first ones are enough.
        if !self.keys.is_full() {
            self.keys.push(key);
        }
        met
    }
}
