//! The data of an event that tells everything itself: when it was due, its topic, its number.

use memchr::memmem;

/// Digits of a due time: nanoseconds, since 1970 too.
const DUE_DIGITS: usize = 19;

/// What an event says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which of the run's topics.
    pub topic: usize,
    /// Its number in that topic, from 1.
    pub seq: u64,
    /// When it was due.
    pub due: u64,
}

/// Writes `{"due":"…","slot":…,"seq":…,"pad":"…"}` of `size` bytes, or a little more where that
/// is too few.
pub fn write(data: &mut Vec<u8>, topic: usize, seq: u64, due: u64, size: usize) {
    data.clear();
    data.extend_from_slice(b"{\"due\":\"");
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(due).as_bytes();
    data.resize(data.len() + DUE_DIGITS.saturating_sub(digits.len()), b'0');
    data.extend_from_slice(digits);
    data.extend_from_slice(b"\",\"slot\":");
    data.extend_from_slice(itoa::Buffer::new().format(topic).as_bytes());
    data.extend_from_slice(b",\"seq\":");
    data.extend_from_slice(itoa::Buffer::new().format(seq).as_bytes());
    data.extend_from_slice(b",\"pad\":\"");
    data.resize(size.saturating_sub(2).max(data.len()), b'x');
    data.extend_from_slice(b"\"}");
}

/// What such data says, wherever in `message` it stands.
#[must_use]
pub fn read(message: &[u8]) -> Option<Stamp> {
    const DUE: &[u8] = b"\"due\":\"";
    const SLOT: &[u8] = b"\",\"slot\":";
    const SEQ: &[u8] = b",\"seq\":";
    // The fields follow each other, so one search is enough.
    let rest = &message[memmem::find(message, DUE)? + DUE.len()..];
    let (due, rest) = digits(rest)?;
    let (topic, rest) = digits(rest.strip_prefix(SLOT)?)?;
    let (seq, _) = digits(rest.strip_prefix(SEQ)?)?;
    Some(Stamp { topic: usize::try_from(topic).ok()?, seq, due })
}

/// The number that `bytes` begins with, and what follows it.
pub(super) fn digits(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = bytes.split_at(length);
    if number.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for digit in number {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_is_json() {
        let mut data = Vec::new();
        for (topic, seq, size) in [(0, 1, 128), (499, u64::MAX, 128), (7, 2, 0), (7, 2, 4096)] {
            write(&mut data, topic, seq, 1_234_567, size);
            let value: serde_json::Value = serde_json::from_slice(&data).unwrap();
            assert_eq!(value["seq"], seq);
            assert!(data.len() == size || size == 0);
            assert_eq!(read(&data), Some(Stamp { topic, seq, due: 1_234_567 }));
        }
        assert_eq!(read(b"{\"due\":\"12\",\"n\":4}"), None);
        assert_eq!(read(b""), None);
    }
}
