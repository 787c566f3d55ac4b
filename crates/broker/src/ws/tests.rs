//! Tests of the inbound layer: one for each rule. Random input is in `properties.rs`.

use std::ops::ControlFlow;

use super::{Inbound, Incoming, Violation};

pub(super) const MAX: usize = 1 << 20;
pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
pub(super) const PING: u8 = 0x89;
pub(super) const PONG: u8 = 0x8A;
/// First bytes of frames that are not the last of their message.
const TEXT_BEGINS: u8 = 0x01;
const BINARY_BEGINS: u8 = 0x02;
pub(super) const CONTINUES: u8 = 0x00;
pub(super) const ENDS: u8 = 0x80;

/// A message, owned, so that it can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Got {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

impl From<Incoming<'_>> for Got {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_vec()),
            Incoming::Binary(binary) => Self::Binary(binary.to_vec()),
            Incoming::Ping(payload) => Self::Ping(payload.to_vec()),
            Incoming::Pong => Self::Pong,
            Incoming::Close(code) => Self::Close(code),
        }
    }
}

/// The header of a client's frame, with its mask.
fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    if length < 126 {
        bytes.push(0x80 | length as u8);
    } else if length < 1 << 16 {
        bytes.push(0x80 | 126);
        bytes.extend((length as u16).to_be_bytes());
    } else {
        bytes.push(0x80 | 127);
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend([0x37, 0xFA, 0x21, 0x3D]);
    bytes
}

/// A client's frame, masked.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

pub(super) fn feed_chunks<'a>(
    inbound: &mut Inbound,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    max: usize,
) -> (Vec<Got>, Result<(), Violation>) {
    let mut got = Vec::new();
    let mut outcome = Ok(());
    for chunk in chunks {
        outcome = inbound.feed(chunk, max, &mut |incoming| {
            got.push(incoming.into());
            ControlFlow::Continue(())
        });
        if outcome.is_err() {
            break;
        }
    }
    (got, outcome)
}

pub(super) fn feed(bytes: &[u8]) -> (Vec<Got>, Result<(), Violation>) {
    feed_chunks(&mut Inbound::new(), [bytes], MAX)
}

fn code_for(bytes: &[u8]) -> u16 {
    feed(bytes).1.unwrap_err().code
}

#[test]
fn whole_messages_and_control_frames_come_in_order() {
    let bytes = [
        frame(TEXT, "{\"op\":\"ping\"} ü".as_bytes()),
        frame(PING, b"are you there"),
        frame(BINARY, &[0, 255]),
        frame(PONG, b""),
        frame(TEXT, b""),
        frame(CLOSE, &[&1000u16.to_be_bytes()[..], b"bye"].concat()),
    ]
    .concat();
    let (got, outcome) = feed(&bytes);
    let expected = [
        Got::Text("{\"op\":\"ping\"} ü".into()),
        Got::Ping(b"are you there".to_vec()),
        Got::Binary(vec![0, 255]),
        Got::Pong,
        Got::Text(vec![]),
        Got::Close(Some(1000)),
    ];
    assert_eq!((got.as_slice(), outcome), (&expected[..], Ok(())));
}

#[test]
fn an_unmasked_frame_closes_with_1002() {
    assert_eq!(code_for(&[TEXT, 2, b'h', b'i']), 1002);
    assert_eq!(code_for(&[PING, 0]), 1002);
    assert_eq!(code_for(&[TEXT, 0]), 1002, "judged by the header alone");
}

#[test]
fn what_came_before_a_violation_is_handed_on() {
    let (got, outcome) = feed(&[frame(TEXT, b"good"), vec![TEXT, 0]].concat());
    assert_eq!(got, [Got::Text(b"good".to_vec())]);
    assert_eq!(outcome.unwrap_err().code, 1002);
}

#[test]
fn reserved_bits_close_with_1002() {
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(code_for(&frame(TEXT | bit, b"x")), 1002);
        assert_eq!(code_for(&[PING | bit]), 1002, "judged by the first byte alone");
    }
}

#[test]
fn reserved_opcodes_close_with_1002() {
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        assert_eq!(code_for(&frame(0x80 | opcode, b"")), 1002);
    }
}

#[test]
fn control_frames_over_125_bytes_close_with_1002() {
    for first in [CLOSE, PING, PONG] {
        let payload = [&1000u16.to_be_bytes()[..], &[b'x'; 123]].concat();
        assert_eq!(feed(&frame(first, &payload)).1, Ok(()), "125 bytes are allowed");
        let payload = [&payload[..], b"x"].concat();
        assert_eq!(code_for(&frame(first, &payload)), 1002);
        assert_eq!(code_for(&[first, 0x80 | 126]), 1002, "judged by two bytes");
    }
}

#[test]
fn a_fragmented_control_frame_closes_with_1002() {
    for first in [CLOSE, PING, PONG] {
        assert_eq!(code_for(&frame(first & 0x7F, b"")), 1002);
    }
}

#[test]
fn fragments_out_of_order_close_with_1002() {
    assert_eq!(code_for(&frame(CONTINUES, b"x")), 1002);
    assert_eq!(code_for(&frame(ENDS, b"x")), 1002);
    assert_eq!(code_for(&[frame(TEXT_BEGINS, b"x"), frame(TEXT, b"y")].concat()), 1002);
    assert_eq!(code_for(&[frame(BINARY_BEGINS, b"x"), frame(BINARY_BEGINS, b"y")].concat()), 1002);
    let after_the_end = [frame(TEXT_BEGINS, b"x"), frame(ENDS, b"y"), frame(ENDS, b"z")];
    assert_eq!(code_for(&after_the_end.concat()), 1002);
}

#[test]
fn lengths_must_be_plain() {
    let mut top_bit = vec![BINARY, 0x80 | 127, 0x80];
    top_bit.extend([0; 7]);
    assert_eq!(code_for(&top_bit), 1002, "top bit set");
    assert_eq!(code_for(&[BINARY, 0x80 | 126, 0, 125]), 1002, "would fit the second byte");
    let mut long = vec![BINARY, 0x80 | 127];
    long.extend(0xFFFFu64.to_be_bytes());
    assert_eq!(code_for(&long), 1002, "would fit two bytes");
}

#[test]
fn fragments_are_put_together_around_control_frames() {
    let bytes = [
        frame(TEXT_BEGINS, b"a"),
        frame(PING, b"now"),
        frame(CONTINUES, b""),
        frame(CONTINUES, "ü".as_bytes()),
        frame(PONG, b""),
        frame(ENDS, b"c"),
        frame(BINARY_BEGINS, &[0xFF]),
        frame(ENDS, &[0xFE]),
    ]
    .concat();
    let (got, outcome) = feed(&bytes);
    let expected = [
        Got::Ping(b"now".to_vec()),
        Got::Pong,
        Got::Text("aüc".into()),
        Got::Binary(vec![0xFF, 0xFE]),
    ];
    assert_eq!((got.as_slice(), outcome), (&expected[..], Ok(())));
}

#[test]
fn a_frame_over_the_bound_closes_with_1009_by_its_header() {
    let max = 1000;
    let feed = |bytes: &[u8]| feed_chunks(&mut Inbound::new(), [bytes], max);
    assert_eq!(feed(&frame(BINARY, &[7; 1000])), (vec![Got::Binary(vec![7; 1000])], Ok(())));
    for told in [1001, 65535, 65536, u64::MAX >> 1] {
        let told = header(BINARY, told);
        assert_eq!(feed(&told[..told.len() - 4]).1.unwrap_err().code, 1009);
    }
}

#[test]
fn fragments_over_the_bound_together_close_with_1009() {
    let mut inbound = Inbound::new();
    let first = frame(BINARY_BEGINS, &[7; 600]);
    assert_eq!(feed_chunks(&mut inbound, [&first[..]], 1000).1, Ok(()));
    let fits = frame(CONTINUES, &[7; 400]);
    assert_eq!(feed_chunks(&mut inbound, [&fits[..]], 1000).1, Ok(()));
    let over = header(ENDS, 1);
    assert_eq!(feed_chunks(&mut inbound, [&over[..]], 1000).1.unwrap_err().code, 1009);
    assert_eq!(inbound.heap_bytes(), 0);
}

#[test]
fn the_bound_starts_anew_with_each_message() {
    let one = [frame(BINARY_BEGINS, &[7; 600]), frame(PING, &[1; 100]), frame(ENDS, &[7; 400])];
    let bytes = [one.concat(), one.concat()].concat();
    let (got, outcome) = feed_chunks(&mut Inbound::new(), [&bytes[..]], 1000);
    assert_eq!((got.len(), outcome), (4, Ok(())));
}

#[test]
fn a_text_that_is_not_utf_8_closes_with_1007() {
    assert_eq!(code_for(&frame(TEXT, &[b'a', 0xC0, 0xAF])), 1007);
    assert_eq!(code_for(&frame(TEXT, &[0xED, 0xA0, 0x80])), 1007, "a surrogate");
    assert_eq!(code_for(&frame(TEXT, "ü".as_bytes().split_at(1).0)), 1007, "cut off");
    let cut_off = [frame(TEXT_BEGINS, &[0xC3]), frame(ENDS, b"")];
    assert_eq!(code_for(&cut_off.concat()), 1007, "cut off in the last fragment");
}

#[test]
fn a_fragment_that_spoils_the_text_closes_with_1007_at_once() {
    let spoilt = [frame(TEXT_BEGINS, &[b'a', 0xF4]), frame(CONTINUES, &[0x90])];
    assert_eq!(code_for(&spoilt.concat()), 1007);
    let split = [frame(TEXT_BEGINS, &[b'a', 0xF4]), frame(CONTINUES, &[0x8F]), frame(PING, b"")];
    assert_eq!(feed(&split.concat()).1, Ok(()), "can still become a character");
}

#[test]
fn close_frames_are_judged() {
    let close = |payload: &[u8]| feed(&frame(CLOSE, payload));
    let coded = |code: u16| close(&code.to_be_bytes());
    assert_eq!(close(b""), (vec![Got::Close(None)], Ok(())));
    for code in [1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        assert_eq!(coded(code), (vec![Got::Close(Some(code))], Ok(())));
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(coded(code).1.unwrap_err().code, 1002, "{code}");
    }
    assert_eq!(close(&[3]).1.unwrap_err().code, 1002, "half a code");
    assert_eq!(close(&[3, 232, 0xFF]).1.unwrap_err().code, 1007, "reason is not UTF-8");
    assert_eq!(close(&[0, 0, 0xFF]).1.unwrap_err().code, 1002, "1002 goes before 1007");
}

#[test]
fn nothing_counts_after_a_close_frame() {
    let mut inbound = Inbound::new();
    let bytes = [frame(CLOSE, b""), frame(TEXT, b"late"), vec![0xFF; 9]].concat();
    let (got, outcome) = feed_chunks(&mut inbound, [&bytes[..], &bytes[..]], MAX);
    assert_eq!((got, outcome), (vec![Got::Close(None)], Ok(())));
    assert_eq!(inbound.heap_bytes(), 0);
}

#[test]
fn nothing_counts_after_break_and_after_a_violation() {
    let bytes = [frame(TEXT, b"one"), frame(TEXT, b"two")].concat();
    let mut inbound = Inbound::new();
    for _ in 0..2 {
        let mut calls = 0;
        let outcome = inbound.feed(&bytes, MAX, &mut |_| {
            calls += 1;
            ControlFlow::Break(())
        });
        assert_eq!(outcome, Ok(()));
        assert!(calls <= 1);
    }
    let mut inbound = Inbound::new();
    let violation = [TEXT, 0];
    assert!(feed_chunks(&mut inbound, [&violation[..]], MAX).1.is_err());
    assert_eq!(feed_chunks(&mut inbound, [&bytes[..]], MAX), (vec![], Ok(())));
}

#[test]
fn text_may_be_changed_in_place() {
    let mut seen = Vec::new();
    let bytes = [frame(TEXT, b"abc"), frame(TEXT_BEGINS, b"d"), frame(ENDS, b"ef")].concat();
    let outcome = Inbound::new().feed(&bytes, MAX, &mut |incoming| {
        let Incoming::Text(text) = incoming else { panic!("all of them are text") };
        text.make_ascii_uppercase();
        seen.push(text.to_vec());
        ControlFlow::Continue(())
    });
    assert_eq!((outcome, seen), (Ok(()), vec![b"ABC".to_vec(), b"DEF".to_vec()]));
}

#[test]
fn a_length_that_was_only_told_allocates_nothing() {
    let mut inbound = Inbound::new();
    let told = [header(BINARY, MAX as u64), vec![0; 10]].concat();
    for byte in &told {
        assert_eq!(feed_chunks(&mut inbound, [&[*byte][..]], MAX).1, Ok(()));
    }
    assert!(inbound.heap_bytes() <= 64, "{} bytes", inbound.heap_bytes());
    let mut inbound = Inbound::new();
    assert_eq!(feed_chunks(&mut inbound, [&told[..]], MAX).1, Ok(()));
    assert!(inbound.heap_bytes() <= 64, "{} bytes", inbound.heap_bytes());
}

#[test]
fn memory_grows_with_what_came_and_goes_with_the_message() {
    let mut inbound = Inbound::new();
    let bytes = frame(BINARY, &vec![7; MAX]);
    let mut fed = 0;
    for chunk in bytes.chunks(1000) {
        fed += chunk.len();
        assert_eq!(feed_chunks(&mut inbound, [chunk], MAX).1, Ok(()));
        assert!(inbound.heap_bytes() <= (2 * fed).min(bytes.len()));
    }
    assert_eq!((inbound.heap_bytes(), inbound.is_idle()), (0, true));
}

#[test]
fn a_connection_between_messages_is_small() {
    assert!(size_of::<Inbound>() <= 64, "{} bytes", size_of::<Inbound>());
    let mut inbound = Inbound::new();
    let bytes = [frame(TEXT_BEGINS, b"a"), frame(ENDS, b"b"), frame(TEXT, b"c")].concat();
    for chunk in bytes.chunks(5) {
        assert_eq!(feed_chunks(&mut inbound, [chunk], MAX).1, Ok(()));
    }
    assert_eq!((inbound.heap_bytes(), inbound.is_idle()), (0, true));
}
