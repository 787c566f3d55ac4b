//! Finding the end of a short text, eight bytes at a time.

use memchr::memchr2;

/// Where the first quote or backslash is. Most texts are a few bytes long, for which a call of
/// memchr costs more than it saves.
#[inline]
pub(super) fn quote_or_escape(text: &[u8]) -> Option<usize> {
    const SHORT: usize = 32;
    let mut at = 0;
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        // The lowest mark is always right; those above it need not be.
        let marks = zeros(word ^ repeated(b'"')) | zeros(word ^ repeated(b'\\'));
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += 8;
        if at == SHORT {
            break;
        }
    }
    memchr2(b'"', b'\\', &text[at..]).map(|length| at + length)
}

/// Eight times the same byte.
const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks the highest bit of each byte that is zero, and of some above the lowest of those.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(repeated(1)) & !word & repeated(0x80)
}
