//! Damage to one message: of the kinds that every client must see, or of any kind.

use crate::dice::Dice;
use crate::json::{self, Kind, Value};

/// What a venue's protocol lets nobody see, and what it proves.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// Members whose texts nothing proves: another text there is another message that is sound.
    pub unseen: &'static [&'static str],
    /// Members whose numbers are proved: a higher one there must be seen, or do no harm.
    pub proved: &'static [&'static str],
}

/// In place of a value: nothing of it is what any member should be.
const WRONG: [&[u8]; 20] = [
    b"true",
    b"null",
    b"{}",
    b"{\"was\":\"moved\"}",
    b"\"x\"",
    b"\"\"",
    b"[]",
    b"[[]]",
    b"1e999",
    b"-1e-999",
    b"\"1e400\"",
    b"-5",
    b"\"-5\"",
    b"NaN",
    b"",
    b"123456789012345678901234567890123456789012345678901234567890",
    b"\"0.000000000000000000000000000000000000000000000000000000001\"",
    b"\"99999999999999999999999999999.999\"",
    b"\"\\u0031\"",
    b"\"\xff\xfe\"",
];

/// Bytes that no number has.
const JUNK: &[u8] = b"xX\"\\{}[],:;/ \n\x00\x7f\x80\xff-ntf";

/// Damages a message so that a client of the venue can see it, or is not harmed.
pub fn visible(text: &mut Vec<u8>, protocol: &Protocol, dice: &mut Dice) {
    let Some(values) = json::values(text) else { return anything(text, dice) };
    match dice.below(12) {
        0..=3 => replace(text, &values, protocol, dice),
        4 | 5 => remove(text, &values, protocol, dice),
        6 => double(text, &values, protocol, dice),
        7 => number(text, &values, protocol, dice),
        8 => {
            // A letter within a value, where it makes it none.
            let scalars = |value: &&Value| value.is_scalar() && !is_unseen(text, value, protocol);
            let scalars: Vec<_> = values.iter().filter(scalars).collect();
            let Some(value) = dice.pick(&scalars) else { return };
            let at = value.at.start + dice.below(value.at.len());
            let junk = dice.pick(JUNK).unwrap_or(b'x');
            text.insert(at, junk);
        }
        9 => {
            let end = dice.below(text.len());
            text.truncate(end);
        }
        10 => {
            let more: [&[u8]; 6] = [b"}", b"]", b"x", b"{}", b",", b"null"];
            text.extend_from_slice(dice.pick(&more).unwrap_or(b"}"));
        }
        _ => structure(text, &values, dice),
    }
}

/// Damages a message in any way.
pub fn anything(text: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let at = dice.below(text.len());
        match dice.below(7) {
            0 => text.truncate(at),
            1 => {
                let length = dice.below(64);
                let random = dice.bytes(length).to_vec();
                text.splice(at..at, random);
            }
            2 if !text.is_empty() => text[at] = dice.byte(),
            3 => {
                let end = text.len().min(at + 1 + dice.below(16));
                text.drain(at..end);
            }
            4 => {
                let end = text.len().min(at + 1 + dice.below(64));
                let again = text[at..end].to_vec();
                text.splice(at..at, again);
            }
            5 => {
                // A digit somewhere, which is nothing that any structure shows.
                let digits: Vec<_> =
                    (0..text.len()).filter(|at| text[*at].is_ascii_digit()).collect();
                if let Some(at) = dice.pick(&digits) {
                    text[at] = b'0' + dice.byte() % 10;
                }
            }
            _ => {
                let nothing = Protocol { unseen: &[], proved: &[] };
                if json::values(text).is_some() {
                    visible(text, &nothing, dice);
                }
            }
        }
    }
}

fn key<'a>(text: &'a [u8], value: &Value) -> &'a str {
    std::str::from_utf8(&text[value.key.clone()]).unwrap_or_default()
}

fn is_unseen(text: &[u8], value: &Value, protocol: &Protocol) -> bool {
    protocol.unseen.contains(&key(text, value))
}

/// What may stand in place of `value` without being as sound.
fn wrong(text: &[u8], value: &Value, protocol: &Protocol, dice: &mut Dice) -> Option<Vec<u8>> {
    if dice.once_in(8) {
        let depth = [40, 63, 64, 65, 70, 2000][dice.below(6)];
        return Some([b"[".repeat(depth), b"]".repeat(depth)].concat());
    }
    let wrong = dice.pick(&WRONG)?;
    let is_text = wrong.first() == Some(&b'"');
    // A list of fewer levels, and another name, are as sound as what was there.
    let sound = (value.many && wrong == b"[]")
        || (value.one_of_many && wrong.is_empty())
        || (is_text && is_unseen(text, value, protocol));
    (!sound).then(|| wrong.to_vec())
}

fn replace(text: &mut Vec<u8>, values: &[Value], protocol: &Protocol, dice: &mut Dice) {
    let Some(value) = dice.pick(&values.iter().collect::<Vec<_>>()) else { return };
    if let Some(wrong) = wrong(text, value, protocol, dice) {
        text.splice(value.at.clone(), wrong);
    }
}

/// Takes a member away, or one of a pair.
fn remove(text: &mut Vec<u8>, values: &[Value], _protocol: &Protocol, dice: &mut Dice) {
    let whole = |value: &&Value| value.at.start > 0 && !value.one_of_many;
    let candidates: Vec<_> = values.iter().filter(whole).collect();
    let Some(value) = dice.pick(&candidates) else { return };
    let mut gone = value.member.unwrap_or(value.at.start)..value.at.end;
    if text.get(gone.end) == Some(&b',') {
        gone.end += 1;
    } else if text.get(gone.start.wrapping_sub(1)) == Some(&b',') {
        gone.start -= 1;
    }
    text.drain(gone);
}

/// A member comes twice; one of the two may say something else.
fn double(text: &mut Vec<u8>, values: &[Value], protocol: &Protocol, dice: &mut Dice) {
    let members: Vec<_> = values.iter().filter(|value| value.member.is_some()).collect();
    let Some(value) = dice.pick(&members) else { return };
    let Some(start) = value.member else { return };
    let key = text[start..value.at.start].to_vec();
    let other = match dice.below(4) {
        0 => text[value.at.clone()].to_vec(),
        1 if value.kind == Kind::List => b"[]".to_vec(),
        1 if value.kind == Kind::Object => b"{}".to_vec(),
        1 | 2 if value.is_scalar() => changed_digits(&text[value.at.clone()], dice),
        _ => wrong(text, value, protocol, dice).unwrap_or_else(|| b"7".to_vec()),
    };
    let again = [&key[..], &other].concat();
    if dice.once_in(2) {
        text.splice(start..start, [&again[..], b","].concat());
    } else {
        let end = value.at.end;
        text.splice(end..end, [b",", &again[..]].concat());
    }
}

fn changed_digits(value: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut value = value.to_vec();
    let digits: Vec<_> = (0..value.len()).filter(|at| value[*at].is_ascii_digit()).collect();
    if let Some(at) = dice.pick(&digits) {
        value[at] = b'0' + (value[at] - b'0' + 1 + dice.byte() % 9) % 10;
    }
    value
}

/// A higher number where a number is proved. A lower one could be that of a message that was lost
/// just before, and then nobody sees anything.
fn number(text: &mut Vec<u8>, values: &[Value], protocol: &Protocol, dice: &mut Dice) {
    let proved = |value: &&Value| value.is_scalar() && protocol.proved.contains(&key(text, value));
    let proved: Vec<_> = values.iter().filter(proved).collect();
    let Some(value) = dice.pick(&proved) else { return };
    let end = value.at.end - usize::from(value.kind == Kind::Text);
    let start = value.at.start + usize::from(value.kind == Kind::Text);
    match dice.below(4) {
        0 => drop(text.splice(start..end, u64::MAX.to_string().into_bytes())),
        1 => drop(text.splice(start..end, i64::MAX.to_string().into_bytes())),
        _ => text.insert(end, b'1' + dice.byte() % 9),
    }
}

/// One byte between the values.
fn structure(text: &mut Vec<u8>, values: &[Value], dice: &mut Dice) {
    let mut within = vec![false; text.len()];
    for value in values.iter().filter(|value| value.is_scalar()) {
        within[value.at.clone()].fill(true);
    }
    let places: Vec<_> = (0..text.len()).filter(|at| !within[*at]).collect();
    let Some(at) = dice.pick(&places) else { return };
    match dice.below(3) {
        0 => {
            text.remove(at);
        }
        1 => {
            let junk = dice.pick(JUNK).unwrap_or(b'x');
            text.insert(at, junk);
        }
        _ => text[at] ^= 1 << (dice.byte() % 8),
    }
}
