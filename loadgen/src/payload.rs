//! The data of an event: a fixed size, or a tick; with the due time and the sending time in it.

use crate::plan::Plan;

/// Digits of a time: nanoseconds since 1970, until the year 2286.
const DIGITS: usize = 19;

/// Writes the data of event `k`, due at `due` and sent at `sent`.
pub fn write(data: &mut Vec<u8>, plan: &Plan, k: u64, due: u64, sent: u64) {
    data.clear();
    match &plan.script {
        Some(script) if plan.ticks => {
            data.extend_from_slice(script.data(usize::try_from(k).unwrap_or(0)).as_bytes());
            data.extend_from_slice(b",\"ts_event\":\"");
            time(data, due);
            data.extend_from_slice(b"\",\"ts_recv\":\"");
            time(data, sent);
            data.extend_from_slice(b"\"}");
        }
        _ => fixed(data, k, due, sent, plan.payload),
    }
}

/// Writes `{"due":"…","sent":"…","n":…,"pad":"…"}` of `size` bytes, or a little more where that
/// is too few.
fn fixed(data: &mut Vec<u8>, k: u64, due: u64, sent: u64, size: usize) {
    data.extend_from_slice(b"{\"due\":\"");
    time(data, due);
    data.extend_from_slice(b"\",\"sent\":\"");
    time(data, sent);
    data.extend_from_slice(b"\",\"n\":");
    data.extend_from_slice(itoa::Buffer::new().format(k).as_bytes());
    data.extend_from_slice(b",\"pad\":\"");
    data.resize(size.saturating_sub(2).max(data.len()), b'x');
    data.extend_from_slice(b"\"}");
}

fn time(data: &mut Vec<u8>, time: u64) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(time).as_bytes();
    data.resize(data.len() + DIGITS.saturating_sub(digits.len()), b'0');
    data.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_the_size_asked_for_and_is_json() {
        let mut data = Vec::new();
        for (k, size) in [(0, 128), (999_999, 128), (7, 4096), (7, 0)] {
            data.clear();
            fixed(&mut data, k, 1_790_000_000_000_000_000, 1_234_567, size);
            let value: serde_json::Value = serde_json::from_slice(&data).unwrap();
            assert_eq!(value["due"], "1790000000000000000");
            assert_eq!(value["sent"], "0000000000001234567");
            assert_eq!(value["n"], k);
            assert!(data.len() == size || size == 0, "{} for {size}", data.len());
        }
    }
}
