//! Properties of the inbound layer over random input: chunking changes nothing, and no bytes
//! panic or make it keep more than the bound.

use proptest::prelude::*;

use super::Inbound;
use super::header::HEADER_BYTES_MAX;
use super::tests::{BINARY, CONTINUES, ENDS, Got, MAX, PING, PONG, TEXT, feed, feed_chunks, frame};

/// A valid message as frames, and what it must be handed on as; control frames in between.
fn message() -> impl Strategy<Value = (Vec<u8>, Vec<Got>)> {
    let control = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..=125)
            .prop_map(|payload| (frame(PING, &payload), Got::Ping(payload))),
        Just((frame(PONG, b"any"), Got::Pong)),
    ];
    let whole = prop_oneof![
        ".{0,300}".prop_map(|text| (TEXT, text.into_bytes())),
        proptest::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| (BINARY, bytes)),
    ];
    let cuts = proptest::collection::vec((any::<prop::sample::Index>(), control), 0..4);
    (whole, cuts).prop_map(|((first, payload), cuts)| {
        let mut at = cuts.iter().map(|(cut, _)| cut.index(payload.len() + 1)).collect::<Vec<_>>();
        at.sort_unstable();
        let (mut bytes, mut got) = (Vec::new(), Vec::new());
        let mut start = 0;
        for (number, (cut, (control, control_got))) in
            at.iter().zip(cuts.into_iter().map(|(_, control)| control)).enumerate()
        {
            let opcode = if number == 0 { first & 0x0F } else { CONTINUES };
            bytes.extend(frame(opcode, &payload[start..*cut]));
            bytes.extend(control);
            got.push(control_got);
            start = *cut;
        }
        bytes.extend(frame(if at.is_empty() { first } else { ENDS }, &payload[start..]));
        got.push(if first == TEXT { Got::Text(payload) } else { Got::Binary(payload) });
        (bytes, got)
    })
}

/// Cuts `bytes` at the places that `cuts` chooses.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect::<Vec<_>>();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn chunking_changes_nothing(
        messages in proptest::collection::vec(message(), 1..8),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let bytes = messages.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<_>>();
        let expected = messages.into_iter().flat_map(|(_, got)| got).collect::<Vec<_>>();
        let mut inbound = Inbound::new();
        let chunked = feed_chunks(&mut inbound, cut(&bytes, &cuts), MAX);
        prop_assert_eq!(chunked, (expected.clone(), Ok(())));
        prop_assert!(inbound.is_idle());
        prop_assert_eq!(feed(&bytes), (expected.clone(), Ok(())));
        prop_assert_eq!(feed_chunks(&mut inbound, bytes.chunks(1), MAX), (expected, Ok(())));
    }

    #[test]
    fn arbitrary_bytes_end_the_same_in_any_chunking(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        plausible in any::<bool>(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut bytes = bytes;
        if let (true, [first, second, ..]) = (plausible, &mut bytes[..]) {
            // Most random bytes fail at the first one; these get further.
            (*first, *second) = (*first & 0x8F, *second | 0x80);
        }
        let mut inbound = Inbound::new();
        let chunked = feed_chunks(&mut inbound, cut(&bytes, &cuts), 200);
        prop_assert!(inbound.heap_bytes() <= 2 * (200 + HEADER_BYTES_MAX));
        let whole = feed_chunks(&mut Inbound::new(), [&bytes[..]], 200);
        prop_assert_eq!(chunked, whole);
    }
}
